/*
 * helo.c: this host's full name or address. Layer: net.
 */
#include "net/helo.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RESOLVER_PATIENCE_S 2

/* A name that EHLO may carry: letters, digits, hyphens, and at least one dot inside (RFC
 * 5321 2.3.5). */
static bool
is_full_name(const char *name)
{
	size_t len =
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.");
	const char *dot = strchr(name, '.');

	return name[len] == '\0' && dot && dot != name && dot[1] != '\0' &&
	       strcmp(name, "localhost.localdomain") != 0;
}

/* getaddrinfo() may wait long for a dead resolver: on a thread of its own, left alone after its
 * time. */
static void *
ask_resolver(void *arg)
{
	struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	char *name = NULL;

	if (getaddrinfo(arg, NULL, &hints, &found) == 0 && found && found->ai_canonname)
		name = strdup(found->ai_canonname);
	if (found)
		freeaddrinfo(found);
	free(arg);
	return name;
}

static char *
name_by_resolver(const char *host)
{
	struct timespec until;
	pthread_t thread;
	void *name = NULL;
	char *copy = strdup(host);

	if (!copy)
		return NULL;
	if (pthread_create(&thread, NULL, ask_resolver, copy) != 0) {
		free(copy);
		return NULL;
	}
	clock_gettime(CLOCK_MONOTONIC, &until); /* whoever sets the wall clock meanwhile */
	until.tv_sec += RESOLVER_PATIENCE_S;
	if (pthread_clockjoin_np(thread, &name, CLOCK_MONOTONIC, &until) != 0) {
		pthread_detach(thread);
		return NULL;
	}
	return name;
}

/* Of an address that others can reach: "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 4.1.3). */
static bool
put_literal(const struct sockaddr_storage *address, char *out, size_t room)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
	char text[INET6_ADDRSTRLEN];

	if (address->ss_family == AF_INET && inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text)))
		return snprintf(out, room, "[%s]", text) > 0;
	if (address->ss_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) &&
		inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text)))
		return snprintf(out, room, "[IPv6:%s]", text) > 0;
	return false;
}

/* The address that this host would use towards another: the kernel's routes know. A connected
 * datagram socket sends nothing. */
static bool
put_own_address(const void *towards, socklen_t towards_size, int family, char *out, size_t room)
{
	struct sockaddr_storage own;
	socklen_t size = sizeof(own);
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is_found;

	if (fd < 0)
		return false;
	is_found = connect(fd, towards, towards_size) == 0 &&
		   getsockname(fd, (struct sockaddr *)&own, &size) == 0 &&
		   put_literal(&own, out, room);
	close(fd);
	return is_found;
}

/* Not by getifaddrs(): it needs netlink, which the unit does not grant. */
static char *
address_literal(void)
{
	/* Nobody's hosts (RFC 5737, RFC 3849); the port is "discard". */
	struct sockaddr_in v4 = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(0xc0000201),
	};
	struct sockaddr_in6 v6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(9),
		.sin6_addr.s6_addr = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 },
	};
	char text[INET6_ADDRSTRLEN + 16];

	if (put_own_address(&v4, sizeof(v4), AF_INET, text, sizeof(text)) ||
		put_own_address(&v6, sizeof(v6), AF_INET6, text, sizeof(text)))
		return strdup(text);
	return strdup("[127.0.0.1]");
}

char *
helo_name_of_host(void)
{
	char host[256] = "";
	char *name;

	if (gethostname(host, sizeof(host) - 1) != 0)
		return address_literal();
	if (is_full_name(host))
		return strdup(host);
	name = name_by_resolver(host);
	if (name && is_full_name(name))
		return name;
	free(name);
	return address_literal();
}
