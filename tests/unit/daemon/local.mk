if HAVE_CMOCKA
check_PROGRAMS += tests/unit/daemon/test_memory tests/unit/daemon/test_outbox
tests_unit_daemon_test_memory_SOURCES = \
	tests/unit/daemon/test_memory.c tests/unit/unit.h \
	src/daemon/memory.c src/daemon/memory.h
tests_unit_daemon_test_memory_LDADD = $(UNIT_LIBS)
tests_unit_daemon_test_outbox_SOURCES = \
	tests/unit/daemon/test_outbox.c tests/unit/unit.h \
	src/daemon/outbox.c src/daemon/outbox.h \
	src/daemon/writer.c src/daemon/writer.h
tests_unit_daemon_test_outbox_LDADD = $(UNIT_LIBS)
endif
