if HAVE_CMOCKA
check_PROGRAMS += \
	tests/unit/diagnose/test_folder_guess \
	tests/unit/diagnose/test_providers \
	tests/unit/diagnose/test_reply_cause \
	tests/unit/diagnose/test_review \
	tests/unit/diagnose/test_reply_rules \
	tests/unit/diagnose/test_what_answers \
	tests/unit/diagnose/test_words

tests_unit_diagnose_test_folder_guess_SOURCES = tests/unit/diagnose/test_folder_guess.c tests/unit/unit.h
tests_unit_diagnose_test_folder_guess_LDADD = $(UNIT_LIBS)
tests_unit_diagnose_test_providers_SOURCES = tests/unit/diagnose/test_providers.c tests/unit/unit.h
tests_unit_diagnose_test_providers_LDADD = $(UNIT_LIBS)
tests_unit_diagnose_test_reply_cause_SOURCES = tests/unit/diagnose/test_reply_cause.c tests/unit/unit.h
tests_unit_diagnose_test_reply_cause_LDADD = $(UNIT_LIBS)
tests_unit_diagnose_test_review_SOURCES = tests/unit/diagnose/test_review.c tests/unit/unit.h
tests_unit_diagnose_test_review_LDADD = $(UNIT_LIBS)
tests_unit_diagnose_test_reply_rules_SOURCES = tests/unit/diagnose/test_reply_rules.c tests/unit/unit.h
tests_unit_diagnose_test_reply_rules_LDADD = $(UNIT_LIBS)
tests_unit_diagnose_test_words_SOURCES = tests/unit/diagnose/test_words.c tests/unit/unit.h
tests_unit_diagnose_test_words_LDADD = $(UNIT_LIBS)
tests_unit_diagnose_test_what_answers_SOURCES = tests/unit/diagnose/test_what_answers.c tests/unit/unit.h
tests_unit_diagnose_test_what_answers_LDADD = $(UNIT_LIBS)
endif
