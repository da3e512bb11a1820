noinst_LIBRARIES += src/diagnose/libdiagnose.a
src_diagnose_libdiagnose_a_SOURCES = \
	src/diagnose/advice.c src/diagnose/advice.h \
	src/diagnose/diagnose.c src/diagnose/diagnose.h \
	src/diagnose/folder_guess.c src/diagnose/folder_guess.h \
	src/diagnose/reply_cause.c src/diagnose/reply_cause.h \
	src/diagnose/providers.c src/diagnose/providers.def src/diagnose/providers.h \
	src/diagnose/review.c src/diagnose/review.h \
	src/diagnose/reply_rules.c src/diagnose/reply_rules.def src/diagnose/reply_rules.h \
	src/diagnose/reply_words.c src/diagnose/reply_words.h \
	src/diagnose/what_answers.c src/diagnose/what_answers.h \
	src/diagnose/words.c src/diagnose/words.h
