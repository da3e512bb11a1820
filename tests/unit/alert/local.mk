if HAVE_CMOCKA
check_PROGRAMS += \
	tests/unit/alert/test_sinks \
	tests/unit/alert/test_teller

tests_unit_alert_test_sinks_SOURCES = tests/unit/alert/test_sinks.c tests/unit/unit.h
tests_unit_alert_test_sinks_LDADD = $(UNIT_LIBS)
tests_unit_alert_test_teller_SOURCES = tests/unit/alert/test_teller.c tests/unit/unit.h
tests_unit_alert_test_teller_LDADD = $(UNIT_LIBS)
endif
