noinst_LIBRARIES += src/base/libbase.a
src_base_libbase_a_SOURCES = \
	src/base/buf.c src/base/buf.h \
	src/base/bytes.c src/base/bytes.h \
	src/base/digest.c src/base/digest.h \
	src/base/err.c src/base/err.h \
	src/base/escape.c src/base/escape.h \
	src/base/file.c src/base/file.h \
	src/base/hash.c src/base/hash.h \
	src/base/heap.c src/base/heap.h \
	src/base/log.c src/base/log.h \
	src/base/prepare.c src/base/prepare.h \
	src/base/queue.c src/base/queue.h \
	src/base/random.c src/base/random.h \
	src/base/seal.c src/base/seal.h \
	src/base/secret.c src/base/secret.h \
	src/base/time.c src/base/time.h \
	src/base/ulid.c src/base/ulid.h
