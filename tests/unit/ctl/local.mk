if HAVE_CMOCKA
check_PROGRAMS += tests/unit/ctl/test_table

# All of the program but its main(); the commands are in the grammar's table.
tests_unit_ctl_test_table_SOURCES = tests/unit/ctl/test_table.c tests/unit/unit.h \
	src/ctl/ctl.h src/ctl/grammar.c src/ctl/client.c src/ctl/document.c src/ctl/pages.c \
	src/ctl/out.c src/ctl/table.c \
	src/ctl/status.c src/ctl/screen.c src/ctl/plugin.c src/ctl/show.c src/ctl/events.c src/ctl/changes.c src/ctl/causes.c src/ctl/providers.c \
	src/ctl/check.c src/ctl/check_show.c src/ctl/ask.c src/ctl/secrets.c src/ctl/alone.c \
	src/ctl/key.c src/ctl/version.c
tests_unit_ctl_test_table_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS)
tests_unit_ctl_test_table_LDADD = $(UNIT_LIBS) $(CURL_LIBS)
endif
