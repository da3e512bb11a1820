# Targets for libFuzzer (--enable-fuzzers; make fuzz), else programs that play the kept seeds once.
FUZZ_TARGETS = \
	tests/fuzz/http.fuzz \
	tests/fuzz/imap.fuzz \
	tests/fuzz/names.fuzz \
	tests/fuzz/proxy.fuzz \
	tests/fuzz/replies.fuzz \
	tests/fuzz/requests.fuzz \
	tests/fuzz/rows.fuzz \
	tests/fuzz/sasl.fuzz \
	tests/fuzz/select.fuzz \
	tests/fuzz/settings.fuzz \
	tests/fuzz/smtp.fuzz \
	tests/fuzz/values.fuzz
check_PROGRAMS += $(FUZZ_TARGETS)

if WITH_FUZZERS
FUZZ_MAIN = tests/fuzz/fuzz.h
FUZZ_LINK = $(AM_LDFLAGS) -fsanitize=fuzzer
FUZZ_LOG_COMPILER = $(top_srcdir)/tests/fuzz/run
else
FUZZ_MAIN = tests/fuzz/fuzz.h tests/fuzz/replay.c
FUZZ_LINK = $(AM_LDFLAGS)
endif
FUZZ_LOG_DRIVER = $(TAP_DRIVER)
FUZZ_SOCKET = tests/fuzz/socket.c tests/fuzz/socket.h tests/unit/control/fake.c tests/unit/control/fake.h

tests_fuzz_http_fuzz_SOURCES = tests/fuzz/http.c $(FUZZ_SOCKET) $(FUZZ_MAIN)
tests_fuzz_http_fuzz_LDADD = $(UNIT_LIBS)
tests_fuzz_http_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_imap_fuzz_SOURCES = tests/fuzz/imap.c tests/fuzz/dialogue.h $(FUZZ_MAIN)
tests_fuzz_imap_fuzz_LDADD = $(UNIT_LIBS)
tests_fuzz_imap_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_names_fuzz_SOURCES = tests/fuzz/names.c $(FUZZ_MAIN)
tests_fuzz_names_fuzz_LDADD = $(UNIT_LIBS)
tests_fuzz_names_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_proxy_fuzz_SOURCES = tests/fuzz/proxy.c $(FUZZ_MAIN)
tests_fuzz_proxy_fuzz_LDADD = $(UNIT_LIBS)
tests_fuzz_proxy_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_replies_fuzz_SOURCES = tests/fuzz/replies.c $(FUZZ_MAIN)
tests_fuzz_replies_fuzz_LDADD = $(UNIT_LIBS)
tests_fuzz_replies_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_requests_fuzz_SOURCES = tests/fuzz/requests.c $(FUZZ_SOCKET) $(FUZZ_MAIN)
tests_fuzz_requests_fuzz_LDADD = $(UNIT_LIBS)
tests_fuzz_requests_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_rows_fuzz_SOURCES = tests/fuzz/rows.c $(FUZZ_MAIN)
tests_fuzz_rows_fuzz_LDADD = $(UNIT_LIBS)
tests_fuzz_rows_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_sasl_fuzz_SOURCES = tests/fuzz/sasl.c $(FUZZ_MAIN)
tests_fuzz_sasl_fuzz_LDADD = $(UNIT_LIBS)
tests_fuzz_sasl_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_select_fuzz_SOURCES = tests/fuzz/select.c $(FUZZ_MAIN)
tests_fuzz_select_fuzz_LDADD = $(UNIT_LIBS)
tests_fuzz_select_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_settings_fuzz_SOURCES = tests/fuzz/settings.c $(FUZZ_MAIN)
tests_fuzz_settings_fuzz_LDADD = $(UNIT_LIBS)
tests_fuzz_settings_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_smtp_fuzz_SOURCES = tests/fuzz/smtp.c tests/fuzz/dialogue.h $(FUZZ_MAIN)
tests_fuzz_smtp_fuzz_LDADD = $(UNIT_LIBS)
tests_fuzz_smtp_fuzz_LDFLAGS = $(FUZZ_LINK)
tests_fuzz_values_fuzz_SOURCES = tests/fuzz/values.c $(FUZZ_MAIN)
tests_fuzz_values_fuzz_LDADD = $(UNIT_LIBS)
tests_fuzz_values_fuzz_LDFLAGS = $(FUZZ_LINK)

# An hour over all targets. Of FUZZ_SECONDS each gets its share, two run at once.
FUZZ_SECONDS = 3600
fuzz:
	@if test -z '$(WITH_FUZZERS_TRUE)'; then \
		each=$$(( $(FUZZ_SECONDS) * 2 / $(words $(FUZZ_TARGETS)) )); \
		FUZZ_EACH=$$each $(MAKE) $(AM_MAKEFLAGS) -j2 check TESTS='$(FUZZ_TARGETS)'; \
	else \
		$(MKDIR_P) fuzz && cd fuzz && \
		{ test -e Makefile || '$(abs_top_srcdir)/configure' --quiet CC=clang --enable-fuzzers; } && \
		$(MAKE) $(AM_MAKEFLAGS) fuzz FUZZ_SECONDS='$(FUZZ_SECONDS)'; \
	fi

.PHONY: fuzz

EXTRA_DIST += tests/fuzz/run tests/fuzz/corpus
