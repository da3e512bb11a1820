if HAVE_CMOCKA
check_PROGRAMS += \
	tests/unit/net/test_child \
	tests/unit/net/test_connect \
	tests/unit/net/test_namespace \
	tests/unit/net/test_proxy \
	tests/unit/net/test_resolve \
	tests/unit/net/test_tls \
	tests/unit/net/test_tls_session

tests_unit_net_test_child_SOURCES = tests/unit/net/test_child.c tests/unit/unit.h
tests_unit_net_test_child_LDADD = $(UNIT_LIBS)
tests_unit_net_test_connect_SOURCES = tests/unit/net/test_connect.c \
	tests/unit/net/responder.c tests/unit/net/responder.h tests/unit/unit.h
tests_unit_net_test_connect_LDADD = $(UNIT_LIBS)
tests_unit_net_test_namespace_SOURCES = tests/unit/net/test_namespace.c \
	tests/unit/net/responder.c tests/unit/net/responder.h tests/unit/unit.h
tests_unit_net_test_namespace_LDADD = $(UNIT_LIBS)
tests_unit_net_test_proxy_SOURCES = tests/unit/net/test_proxy.c tests/unit/unit.h
tests_unit_net_test_proxy_LDADD = $(UNIT_LIBS)
tests_unit_net_test_resolve_SOURCES = tests/unit/net/test_resolve.c \
	tests/unit/net/responder.c tests/unit/net/responder.h tests/unit/unit.h
tests_unit_net_test_resolve_LDADD = $(UNIT_LIBS)
tests_unit_net_test_tls_SOURCES = tests/unit/net/test_tls.c tests/unit/unit.h
tests_unit_net_test_tls_LDADD = $(UNIT_LIBS)
tests_unit_net_test_tls_session_SOURCES = tests/unit/net/test_tls_session.c tests/unit/unit.h
tests_unit_net_test_tls_session_LDADD = $(UNIT_LIBS)
endif
