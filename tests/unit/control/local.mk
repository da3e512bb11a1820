if HAVE_CMOCKA
check_PROGRAMS += \
	tests/unit/control/test_events \
	tests/unit/control/test_http \
	tests/unit/control/test_memory \
	tests/unit/control/test_metrics \
	tests/unit/control/test_select \
	tests/unit/control/test_slices

CONTROL_FAKE = tests/unit/control/fake.c tests/unit/control/fake.h tests/unit/unit.h

tests_unit_control_test_events_SOURCES = tests/unit/control/test_events.c $(CONTROL_FAKE)
tests_unit_control_test_events_LDADD = $(UNIT_LIBS)
tests_unit_control_test_http_SOURCES = tests/unit/control/test_http.c $(CONTROL_FAKE)
tests_unit_control_test_http_LDADD = $(UNIT_LIBS)
tests_unit_control_test_memory_SOURCES = tests/unit/control/test_memory.c tests/unit/fault.h $(CONTROL_FAKE)
tests_unit_control_test_memory_LDADD = $(UNIT_LIBS)
tests_unit_control_test_memory_LDFLAGS = $(FAULT_LINK)
tests_unit_control_test_metrics_SOURCES = tests/unit/control/test_metrics.c $(CONTROL_FAKE)
tests_unit_control_test_metrics_LDADD = $(UNIT_LIBS)
tests_unit_control_test_slices_SOURCES = tests/unit/control/test_slices.c $(CONTROL_FAKE)
tests_unit_control_test_slices_LDADD = $(UNIT_LIBS)
tests_unit_control_test_select_SOURCES = tests/unit/control/test_select.c tests/unit/unit.h
tests_unit_control_test_select_LDADD = $(UNIT_LIBS)
endif
