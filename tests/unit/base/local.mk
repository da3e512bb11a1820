if HAVE_CMOCKA
check_PROGRAMS += \
	tests/unit/base/test_buf \
	tests/unit/base/test_bytes \
	tests/unit/base/test_digest \
	tests/unit/base/test_err \
	tests/unit/base/test_escape \
	tests/unit/base/test_file \
	tests/unit/base/test_hash \
	tests/unit/base/test_heap \
	tests/unit/base/test_log \
	tests/unit/base/test_prepare \
	tests/unit/base/test_queue \
	tests/unit/base/test_random \
	tests/unit/base/test_seal \
	tests/unit/base/test_secret \
	tests/unit/base/test_time \
	tests/unit/base/test_ulid

tests_unit_base_test_buf_SOURCES = tests/unit/base/test_buf.c tests/unit/unit.h
tests_unit_base_test_buf_LDADD = $(UNIT_LIBS)
tests_unit_base_test_bytes_SOURCES = tests/unit/base/test_bytes.c tests/unit/unit.h
tests_unit_base_test_bytes_LDADD = $(UNIT_LIBS)
tests_unit_base_test_digest_SOURCES = tests/unit/base/test_digest.c tests/unit/unit.h
tests_unit_base_test_digest_LDADD = $(UNIT_LIBS)
tests_unit_base_test_prepare_SOURCES = tests/unit/base/test_prepare.c tests/unit/unit.h
tests_unit_base_test_prepare_LDADD = $(UNIT_LIBS)
tests_unit_base_test_err_SOURCES = tests/unit/base/test_err.c tests/unit/unit.h
tests_unit_base_test_err_LDADD = $(UNIT_LIBS)
tests_unit_base_test_escape_SOURCES = tests/unit/base/test_escape.c tests/unit/unit.h
tests_unit_base_test_escape_LDADD = $(UNIT_LIBS)
tests_unit_base_test_file_SOURCES = tests/unit/base/test_file.c tests/unit/unit.h
tests_unit_base_test_file_LDADD = $(UNIT_LIBS)
tests_unit_base_test_hash_SOURCES = tests/unit/base/test_hash.c tests/unit/unit.h
tests_unit_base_test_hash_LDADD = $(UNIT_LIBS)
tests_unit_base_test_heap_SOURCES = tests/unit/base/test_heap.c tests/unit/unit.h
tests_unit_base_test_heap_LDADD = $(UNIT_LIBS)
tests_unit_base_test_log_SOURCES = tests/unit/base/test_log.c tests/unit/unit.h
tests_unit_base_test_log_LDADD = $(UNIT_LIBS)
tests_unit_base_test_queue_SOURCES = tests/unit/base/test_queue.c tests/unit/unit.h
tests_unit_base_test_queue_LDADD = $(UNIT_LIBS)
tests_unit_base_test_random_SOURCES = tests/unit/base/test_random.c tests/unit/unit.h
tests_unit_base_test_random_LDADD = $(UNIT_LIBS)
tests_unit_base_test_seal_SOURCES = tests/unit/base/test_seal.c tests/unit/unit.h
tests_unit_base_test_seal_LDADD = $(UNIT_LIBS)
tests_unit_base_test_secret_SOURCES = tests/unit/base/test_secret.c tests/unit/unit.h
tests_unit_base_test_secret_LDADD = $(UNIT_LIBS)
tests_unit_base_test_time_SOURCES = tests/unit/base/test_time.c tests/unit/unit.h
tests_unit_base_test_time_LDADD = $(UNIT_LIBS)
tests_unit_base_test_ulid_SOURCES = tests/unit/base/test_ulid.c tests/unit/unit.h
tests_unit_base_test_ulid_LDADD = $(UNIT_LIBS)
endif
