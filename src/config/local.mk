noinst_LIBRARIES += src/config/libconfig_room.a
src_config_libconfig_room_a_SOURCES = \
	src/config/complaint.c src/config/complaint.h \
	src/config/files.c src/config/files.h \
	src/config/for_review.c src/config/for_watch.c \
	src/config/host.c src/config/host.h \
	src/config/load.h \
	src/config/mailboxes.c \
	src/config/numbers.c src/config/numbers.h \
	src/config/object.c \
	src/config/parse.c src/config/parse.h \
	src/config/pin.c src/config/pin.h \
	src/config/plan.c \
	src/config/providers.c \
	src/config/proxy_url.c src/config/proxy_url.h \
	src/config/rules.c \
	src/config/sealed.c \
	src/config/server_limits.c \
	src/config/scope.c src/config/scope.h \
	src/config/settings.c src/config/settings.def src/config/settings.h \
	src/config/suggest.c src/config/suggest.h \
	src/config/syntax.c src/config/syntax.h \
	src/config/values.c src/config/values.h src/config/values_net.c \
	src/config/warnings.c
