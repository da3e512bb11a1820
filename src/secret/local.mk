noinst_LIBRARIES += src/secret/libsecret.a
src_secret_libsecret_a_SOURCES = src/secret/source.c src/secret/source.h
