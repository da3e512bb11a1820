if HAVE_CMOCKA
check_PROGRAMS += \
	tests/unit/probe/test_keys

tests_unit_probe_test_keys_SOURCES = tests/unit/probe/test_keys.c tests/unit/unit.h
tests_unit_probe_test_keys_LDADD = $(UNIT_LIBS)
endif
