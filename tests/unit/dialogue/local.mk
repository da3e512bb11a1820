if HAVE_CMOCKA
check_PROGRAMS += \
	tests/unit/dialogue/test_smtp_reply \
	tests/unit/dialogue/test_imap_response \
	tests/unit/dialogue/test_memory \
	tests/unit/dialogue/test_sasl \
	tests/unit/dialogue/test_scram \
	tests/unit/dialogue/test_utf7

tests_unit_dialogue_test_smtp_reply_SOURCES = tests/unit/dialogue/test_smtp_reply.c tests/unit/unit.h
tests_unit_dialogue_test_smtp_reply_LDADD = $(UNIT_LIBS)
tests_unit_dialogue_test_imap_response_SOURCES = tests/unit/dialogue/test_imap_response.c tests/unit/unit.h
tests_unit_dialogue_test_imap_response_LDADD = $(UNIT_LIBS)
tests_unit_dialogue_test_memory_SOURCES = tests/unit/dialogue/test_memory.c tests/unit/fault.h tests/unit/unit.h
tests_unit_dialogue_test_memory_LDADD = $(UNIT_LIBS)
tests_unit_dialogue_test_memory_LDFLAGS = $(FAULT_LINK)
tests_unit_dialogue_test_sasl_SOURCES = tests/unit/dialogue/test_sasl.c tests/unit/unit.h
tests_unit_dialogue_test_sasl_LDADD = $(UNIT_LIBS)
tests_unit_dialogue_test_scram_SOURCES = tests/unit/dialogue/test_scram.c tests/unit/unit.h
tests_unit_dialogue_test_scram_LDADD = $(UNIT_LIBS)
tests_unit_dialogue_test_utf7_SOURCES = tests/unit/dialogue/test_utf7.c tests/unit/unit.h
tests_unit_dialogue_test_utf7_LDADD = $(UNIT_LIBS)
endif
