noinst_LIBRARIES += src/control/libcontrol.a
src_control_libcontrol_a_SOURCES = \
	src/control/control.c src/control/control.h src/control/inside.h \
	src/control/http.c src/control/http.h src/control/http_inside.h src/control/exchange.c \
	src/control/uri.c src/control/uri.h \
	src/control/socket.c src/control/socket.h \
	src/control/peer.c src/control/peer.h \
	src/control/problem.c src/control/problem.h \
	src/control/select.c src/control/select.h \
	src/control/routes.c src/control/walk.c src/control/views.c \
	src/control/reads.c src/control/body.c src/control/probes.c src/control/check.c src/control/mailboxes.c src/control/changes.c \
	src/control/status.c src/control/events.c src/control/metrics.c
