/*
 * hosts.h: /etc/hosts, read when it changes. Layer: net.
 *
 * Not by c-ares: its reading leaks a name whenever the family asked for is not there, and it reads
 * at every query.
 */
#ifndef NET_HOSTS_H
#define NET_HOSTS_H

#include <sys/stat.h>

#include "net/address.h"

struct host_line {
	char *name; /* lower case */
	struct address address;
};

/* A zeroed one is empty. */
struct hosts {
	struct host_line *lines; /* by name */
	size_t count;
	struct stat seen;
};

void hosts_done(struct hosts *hosts);
/* Reads path again where it changed. A file that cannot be read is an empty one. */
void hosts_look(struct hosts *hosts, const char *path);
/* Puts up to `most` addresses of name (lower case) and family into out; *is_known where the name is
 * there in any family. */
size_t hosts_find(const struct hosts *hosts, const char *name, enum family family,
	struct address *out, size_t most, bool *is_known);

#endif
