# Replies of real servers, each with its cause and its source.
check_PROGRAMS += tests/diagnose/replies
tests_diagnose_replies_SOURCES = tests/diagnose/replies.c
tests_diagnose_replies_LDADD = $(UNIT_LIBS)
EXTRA_DIST += tests/diagnose/more.jsonl tests/diagnose/replies.jsonl tests/diagnose/servers.jsonl
