noinst_LIBRARIES += src/store/libstore.a
src_store_libstore_a_SOURCES = \
	src/store/mailboxes.c src/store/mailboxes.h \
	src/store/open.c src/store/open.h \
	src/store/store.c src/store/store.h
