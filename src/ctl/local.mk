bin_PROGRAMS += src/mboxwatchctl
src_mboxwatchctl_SOURCES = \
	src/ctl/main.c src/ctl/ctl.h src/ctl/grammar.c \
	src/ctl/client.c src/ctl/document.c src/ctl/pages.c \
	src/ctl/out.c src/ctl/table.c \
	src/ctl/status.c src/ctl/screen.c src/ctl/plugin.c src/ctl/show.c src/ctl/events.c src/ctl/changes.c src/ctl/causes.c \
	src/ctl/providers.c \
	src/ctl/check.c src/ctl/check_show.c src/ctl/ask.c src/ctl/secrets.c src/ctl/alone.c \
	src/ctl/key.c src/ctl/version.c
src_mboxwatchctl_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
src_mboxwatchctl_LDADD = \
	$(ROOM_LIBS) $(OUTSIDE_LIBS) $(CURL_LIBS)
