noinst_LIBRARIES += src/check/libcheck.a
src_check_libcheck_a_SOURCES = \
	src/check/check.c src/check/check.h src/check/inside.h \
	src/check/document.c \
	src/check/message.c \
	src/check/steps.c
