noinst_LIBRARIES += src/net/libnet.a
src_net_libnet_a_SOURCES = \
	src/net/address.c src/net/address.h \
	src/net/helo.c src/net/helo.h \
	src/net/hosts.c src/net/hosts.h \
	src/net/resolve.c src/net/resolve.h \
	src/net/connect.c src/net/connect.h \
	src/net/proxy.c src/net/proxy.h \
	src/net/tunnel.c src/net/tunnel.h \
	src/net/trust.c src/net/trust.h \
	src/net/tls_certificate.c src/net/tls_certificate.h \
	src/net/tls_failure.c \
	src/net/tls_library.c \
	src/net/tls_session.c src/net/tls_session.h \
	src/net/tls_verify.c \
	src/net/tls.c src/net/tls.h src/net/tls_private.h \
	src/net/stream.c src/net/stream.h \
	src/net/child.c src/net/child.h
