# make bench: what it costs, beside something bare; wants a build without sanitizers.
EXTRA_PROGRAMS += tests/bench/server tests/bench/bare
tests_bench_server_SOURCES = tests/bench/server.c
tests_bench_server_LDADD = -levent_openssl -levent_core -levent_extra $(OUTSIDE_LIBS)
tests_bench_bare_SOURCES = tests/bench/bare.c
tests_bench_bare_LDADD = $(OUTSIDE_LIBS)

bench: all tests/bench/server tests/bench/bare tests/e2e/probe_once
	MBOXWATCHD='$(abs_top_builddir)/src/mboxwatchd' MBOXWATCHCTL='$(abs_top_builddir)/src/mboxwatchctl' \
		top_builddir='$(abs_top_builddir)' PYTHONDONTWRITEBYTECODE=1 \
		$(PYTHON3) '$(srcdir)/tests/bench/bench.py' $(BENCH)

.PHONY: bench
CLEANFILES += tests/bench/server tests/bench/bare
EXTRA_DIST += tests/bench/bench.py
