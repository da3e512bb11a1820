check_PROGRAMS += tests/simulate/simulate
tests_simulate_simulate_SOURCES = \
	tests/simulate/simulate.c \
	tests/simulate/story.c tests/simulate/story.h tests/simulate/events.c \
	tests/simulate/world.c tests/simulate/world.h \
	tests/simulate/daemon.c tests/simulate/inside.h \
	tests/simulate/sessions.c \
	tests/simulate/expect.c tests/simulate/expect.h
tests_simulate_simulate_LDADD = $(UNIT_LIBS)
EXTRA_DIST += \
	tests/simulate/another_cause.story \
	tests/simulate/ask_in_a_loop.story \
	tests/simulate/blip.story \
	tests/simulate/braked_and_down.story \
	tests/simulate/causes_in_turn.story \
	tests/simulate/certificate_ends.story \
	tests/simulate/certificate_in_turn.story \
	tests/simulate/certificate_renewed.story \
	tests/simulate/clock_jumps.story \
	tests/simulate/dead_server.story \
	tests/simulate/fail_fail_ok.story \
	tests/simulate/few_first_probes.story \
	tests/simulate/few_ports.story \
	tests/simulate/first_probes.story \
	tests/simulate/first_probes_rate.story \
	tests/simulate/greylisted.story \
	tests/simulate/greylisted_for_hours.story \
	tests/simulate/host_mended.story \
	tests/simulate/imap_off.story \
	tests/simulate/in_flight_hung.story \
	tests/simulate/in_flight_stretch.story \
	tests/simulate/keep.story \
	tests/simulate/keep_all_dropped.story \
	tests/simulate/keep_all_vanished.story \
	tests/simulate/keep_beyond_the_budget.story \
	tests/simulate/keep_few_connections.story \
	tests/simulate/keep_pause.story \
	tests/simulate/keep_secrets.story \
	tests/simulate/keep_suspend.story \
	tests/simulate/kill_at_refusal.story \
	tests/simulate/kill_first.story \
	tests/simulate/kill_loop.story \
	tests/simulate/known_hosts.story \
	tests/simulate/many_secrets.story \
	tests/simulate/mono_31ms.story \
	tests/simulate/mono_32ms.story \
	tests/simulate/mono_32s.story \
	tests/simulate/mono_53us.story \
	tests/simulate/no_source_address.story \
	tests/simulate/new_secret.story \
	tests/simulate/no_room.story \
	tests/simulate/one_server_hangs.story \
	tests/simulate/pause.story \
	tests/simulate/pause_clock_ahead.story \
	tests/simulate/pause_while_failing.story \
	tests/simulate/rate_limited.story \
	tests/simulate/reboot.story \
	tests/simulate/removed_and_renamed.story \
	tests/simulate/removed_for_days.story \
	tests/simulate/removed_for_a_month.story \
	tests/simulate/removed_while_down.story \
	tests/simulate/restart.story \
	tests/simulate/resume.story \
	tests/simulate/resume_mends.story \
	tests/simulate/secret_gone.story \
	tests/simulate/secret_never_there.story \
	tests/simulate/secrets_in_turn.story \
	tests/simulate/server_wants_time.story \
	tests/simulate/shared_address.story \
	tests/simulate/slow_probes.story \
	tests/simulate/stretch.story \
	tests/simulate/suspend.story \
	tests/simulate/unclean_and_well.story \
	tests/simulate/wait_named_too_long.story \
	tests/simulate/wrong_password.story \
	tests/simulate/wrong_password_mended.story
