if HAVE_CMOCKA
check_PROGRAMS += tests/unit/store/test_store
tests_unit_store_test_store_SOURCES = tests/unit/store/test_store.c tests/unit/unit.h
tests_unit_store_test_store_LDADD = $(UNIT_LIBS)
endif
