sbin_PROGRAMS += src/mboxwatchd
src_mboxwatchd_SOURCES = \
	src/daemon/carry.c \
	src/daemon/checks.c src/daemon/checks.h \
	src/daemon/clock.c src/daemon/clock.h \
	src/daemon/daemon.h \
	src/daemon/figures.c \
	src/daemon/load.c src/daemon/load.h \
	src/daemon/loops.c src/daemon/loops.h \
	src/daemon/mailboxes.c src/daemon/mailboxes.h \
	src/daemon/main.c \
	src/daemon/memory.c src/daemon/memory.h \
	src/daemon/notify.c src/daemon/notify.h \
	src/daemon/options.c src/daemon/options.h \
	src/daemon/outbox.c src/daemon/outbox.h \
	src/daemon/reload.c src/daemon/reload.h \
	src/daemon/requests.c \
	src/daemon/signals.c src/daemon/signals.h \
	src/daemon/start.c src/daemon/start.h \
	src/daemon/tick.c src/daemon/tick.h \
	src/daemon/writer.c src/daemon/writer.h
src_mboxwatchd_LDADD = $(ROOM_LIBS) $(OUTSIDE_LIBS)
