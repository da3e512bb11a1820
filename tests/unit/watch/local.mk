if HAVE_CMOCKA
check_PROGRAMS += \
	tests/unit/watch/test_guest \
	tests/unit/watch/test_account \
	tests/unit/watch/test_rows \
	tests/unit/watch/test_schedule

tests_unit_watch_test_account_SOURCES = tests/unit/watch/test_account.c tests/unit/unit.h
tests_unit_watch_test_account_LDADD = $(UNIT_LIBS)
tests_unit_watch_test_rows_SOURCES = tests/unit/watch/test_rows.c tests/unit/unit.h
tests_unit_watch_test_rows_LDADD = $(UNIT_LIBS)
tests_unit_watch_test_schedule_SOURCES = tests/unit/watch/test_schedule.c tests/unit/unit.h
tests_unit_watch_test_schedule_LDADD = $(UNIT_LIBS)
tests_unit_watch_test_guest_SOURCES = tests/unit/watch/test_guest.c tests/unit/unit.h
tests_unit_watch_test_guest_LDADD = $(UNIT_LIBS)
endif
