# make check: no root, loopback alone, nothing beyond the build dependencies.
# make check-system: root; systemd, Dovecot, Postfix, and what contrib/ plugs mboxwatch into.

UNIT_LIBS = $(ROOM_LIBS) $(OUTSIDE_LIBS) $(CMOCKA_LIBS)
# Of programs that include tests/unit/fault.h.
FAULT_LINK = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=strndup \
	-Wl,--wrap=reallocarray,--wrap=asprintf,--wrap=vasprintf

include tests/unit/base/local.mk
include tests/unit/facts/local.mk
include tests/unit/dialogue/local.mk
include tests/unit/diagnose/local.mk
include tests/unit/watch/local.mk
include tests/unit/net/local.mk
include tests/unit/secret/local.mk
include tests/unit/config/local.mk
include tests/unit/probe/local.mk
include tests/unit/store/local.mk
include tests/unit/alert/local.mk
include tests/unit/control/local.mk
include tests/unit/ctl/local.mk
include tests/unit/daemon/local.mk
include tests/dialogue/local.mk
include tests/diagnose/local.mk
include tests/simulate/local.mk
include tests/fuzz/local.mk
include tests/bench/local.mk

# A program that tests use and that is none.
noinst_PROGRAMS += tests/e2e/probe_once
tests_e2e_probe_once_SOURCES = tests/e2e/probe_once.c
tests_e2e_probe_once_LDADD = $(ROOM_LIBS) $(OUTSIDE_LIBS)

PYTHON_TESTS = \
	tests/layers.py \
	tests/mailhost/selftest.py \
	tests/e2e/test_thread.py \
	tests/e2e/test_start_end.py \
	tests/e2e/test_connect_page.py \
	tests/e2e/test_contract.py \
	tests/e2e/test_check.py \
	tests/e2e/test_screen.py \
	tests/e2e/test_completion.py \
	tests/e2e/test_certificates.py \
	tests/e2e/test_kill.py \
	tests/hostile/test_brake.py \
	tests/hostile/test_connect.py \
	tests/hostile/test_dialogue.py \
	tests/hostile/test_kept.py \
	tests/hostile/test_login.py \
	tests/hostile/test_put.py \
	tests/hostile/test_settings.py \
	tests/hostile/test_sinks.py \
	tests/hostile/test_socket.py \
	tests/hostile/test_state.py \
	tests/hostile/test_tls.py \
	tests/system/check_catalog.py

SYSTEM_TESTS = \
	tests/system/test_realservers.py \
	tests/system/test_systemd.py \
	tests/system/test_try.py \
	tests/plugs/test_plugs.py

TESTS += $(check_PROGRAMS) $(PYTHON_TESTS)
TEST_EXTENSIONS = .py .fuzz
TAP_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
LOG_DRIVER = $(TAP_DRIVER)
PY_LOG_DRIVER = $(TAP_DRIVER)
PY_LOG_COMPILER = $(PYTHON3)
AM_TESTS_ENVIRONMENT = \
	MBOXWATCHD='$(abs_top_builddir)/src/mboxwatchd'; export MBOXWATCHD; \
	MBOXWATCHCTL='$(abs_top_builddir)/src/mboxwatchctl'; export MBOXWATCHCTL; \
	top_srcdir='$(abs_top_srcdir)'; export top_srcdir; \
	top_builddir='$(abs_top_builddir)'; export top_builddir; \
	srcdir='$(abs_srcdir)'; export srcdir; \
	LSAN_OPTIONS='suppressions=$(abs_top_srcdir)/tests/lsan.supp:print_suppressions=0'; export LSAN_OPTIONS; \
	PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE;

check-system: all
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(SYSTEM_TESTS)'

# 300 times; make check has 20.
check-kill: all
	$(AM_TESTS_ENVIRONMENT) $(PYTHON3) '$(srcdir)/tests/e2e/kill_loop.py'

# Of a build without sanitizers. Left out: what measures time, and what valgrind 3.19 has no system
# call for (pidfd_open, mount without a type).
valgrind: all
	@test -z '$(SANITIZER_FLAGS)' || { echo 'valgrind wants a build without sanitizers' >&2; exit 1; }
	chosen=; for one in $(check_PROGRAMS); do case $$one in \
		*/test_child | */test_namespace | */test_select | */test_slices | */test_source | */test_tls) ;; \
		*) chosen="$$chosen $$one" ;; esac; done; \
	$(MAKE) $(AM_MAKEFLAGS) check TESTS="$$chosen" \
		LOG_COMPILER='$(top_srcdir)/tests/valgrind' FUZZ_LOG_COMPILER='$(top_srcdir)/tests/valgrind'

.PHONY: check-system check-kill valgrind

EXTRA_DIST += \
	$(PYTHON_TESTS) $(SYSTEM_TESTS) \
	tests/unit/unit.h tests/unit/fault.h \
	tests/run \
	tests/cppcheck.h tests/cppcheck.suppressions \
	tests/e2e/harness.py tests/e2e/kill_loop.py \
	tests/hostile/shared.py \
	tests/lsan.supp \
	tests/mailhost/certs.py \
	tests/mailhost/mailhost.py \
	tests/plugs/told.py tests/plugs/read_lines.go \
	tests/system/realhost.py \
	tests/system/tap.py \
	tests/system/systemd-sandbox
