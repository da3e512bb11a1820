if HAVE_CMOCKA
check_PROGRAMS += tests/unit/secret/test_source

tests_unit_secret_test_source_SOURCES = tests/unit/secret/test_source.c tests/unit/unit.h
tests_unit_secret_test_source_LDADD = $(UNIT_LIBS)
endif
