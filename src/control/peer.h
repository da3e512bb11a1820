/*
 * peer.h: who stands at the other end of the socket, by the kernel alone (H5-09). Layer: control.
 */
#ifndef CONTROL_PEER_H
#define CONTROL_PEER_H

#include "control/control.h"

#include <sys/types.h>

/* Who may change things beside root and the daemon's user. */
struct peer_rule {
	bool has_admin;
	gid_t admin;
};

/* ERR_NOT_FOUND: there is no such group, nobody is let in by it. NULL: none is named. Asks the
 * system's tables, which may be a directory far away: at start and after a reload, never for a
 * request. */
CHECKED enum err peer_rule_of_group(const char *admin_group, struct peer_rule *out);
/* ERR_IO: the kernel does not say. */
CHECKED enum err peer_of(int fd, const struct peer_rule *rule, struct control_peer *out);
/* Fills out->who: "root", "uid 1000 (ann)", the name from /etc/passwd alone. */
void peer_name(struct control_peer *out);

#endif
