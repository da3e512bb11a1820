noinst_LIBRARIES += src/diagnose/libdiagnose.a
src_diagnose_libdiagnose_a_SOURCES = \
	src/diagnose/diagnose.c src/diagnose/diagnose.h \
	src/diagnose/reply_cause.c src/diagnose/reply_cause.h \
	src/diagnose/review.c src/diagnose/review.h \
	src/diagnose/words.c src/diagnose/words.h
