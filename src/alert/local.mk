noinst_LIBRARIES += src/alert/libalert.a
src_alert_libalert_a_SOURCES = \
	src/alert/datagram.c src/alert/datagram.h \
	src/alert/sink.h \
	src/alert/sink_journal.c src/alert/sink_stderr.c src/alert/sink_syslog.c \
	src/alert/teller.c src/alert/teller.h
