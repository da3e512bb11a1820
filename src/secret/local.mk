noinst_LIBRARIES += src/secret/libsecret.a
src_secret_libsecret_a_SOURCES =
