if HAVE_CMOCKA
check_PROGRAMS += \
	tests/unit/facts/test_words \
	tests/unit/facts/test_cause \
	tests/unit/facts/test_endpoint \
	tests/unit/facts/test_verdict \
	tests/unit/facts/test_event \
	tests/unit/facts/test_mailbox \
	tests/unit/facts/test_prefix

tests_unit_facts_test_prefix_SOURCES = tests/unit/facts/test_prefix.c tests/unit/unit.h
tests_unit_facts_test_prefix_LDADD = $(UNIT_LIBS)
tests_unit_facts_test_words_SOURCES = tests/unit/facts/test_words.c tests/unit/unit.h
tests_unit_facts_test_words_LDADD = $(UNIT_LIBS)
tests_unit_facts_test_cause_SOURCES = tests/unit/facts/test_cause.c tests/unit/unit.h
tests_unit_facts_test_cause_LDADD = $(UNIT_LIBS)
tests_unit_facts_test_endpoint_SOURCES = tests/unit/facts/test_endpoint.c tests/unit/unit.h
tests_unit_facts_test_endpoint_LDADD = $(UNIT_LIBS)
tests_unit_facts_test_verdict_SOURCES = tests/unit/facts/test_verdict.c tests/unit/unit.h
tests_unit_facts_test_verdict_LDADD = $(UNIT_LIBS)
tests_unit_facts_test_event_SOURCES = tests/unit/facts/test_event.c tests/unit/unit.h
tests_unit_facts_test_event_LDADD = $(UNIT_LIBS)
tests_unit_facts_test_mailbox_SOURCES = tests/unit/facts/test_mailbox.c tests/unit/unit.h
tests_unit_facts_test_mailbox_LDADD = $(UNIT_LIBS)
endif
