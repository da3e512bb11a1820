noinst_LIBRARIES += src/watch/libwatch.a
src_watch_libwatch_a_SOURCES = \
	src/watch/watch.c src/watch/watch.h src/watch/inside.h \
	src/watch/configure.c src/watch/apply.c src/watch/claim.c src/watch/plan.h \
	src/watch/schedule.c src/watch/server.c src/watch/peer.c src/watch/budget.c src/watch/kept.c \
	src/watch/slow.c \
	src/watch/account.c src/watch/brake.c src/watch/account_counts.c \
	src/watch/state.c src/watch/tell.c src/watch/certificates.c src/watch/lacks.c \
	src/watch/rows.c src/watch/rows_read.c src/watch/rows_account.c \
	src/watch/rows_certificates.c src/watch/reading.h \
	src/watch/guest.c \
	src/watch/state.c src/watch/tell.c \
	src/watch/rows.c src/watch/rows_read.c src/watch/rows_account.c src/watch/reading.h \
	src/watch/ask.c src/watch/view.c
