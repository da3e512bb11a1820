/*
 * peer.c: SO_PEERCRED and SO_PEERGROUPS: uid and groups as they were when the peer connected.
 * Layer: control.
 */
#include "control/peer.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59 /* Linux 4.13; not in every libc's headers */
#endif

#define MOST_GROUPS 65536 /* NGROUPS_MAX */

enum err
peer_rule_of_group(const char *admin_group, struct peer_rule *out)
{
	const struct group *group;

	*out = (struct peer_rule){ 0 };
	if (!admin_group)
		return ERR_OK;
	group = getgrnam(admin_group);
	if (!group)
		return ERR_NOT_FOUND;
	*out = (struct peer_rule){ .has_admin = true, .admin = group->gr_gid };
	return ERR_OK;
}

static bool
is_in_group(int fd, gid_t wanted)
{
	gid_t few[64], *groups = few;
	socklen_t len = sizeof(few);
	bool is_in = false;
	int result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len);

	if (result != 0 && len > sizeof(few) && len <= MOST_GROUPS * sizeof(*groups)) {
		groups = malloc(len); /* len is now what is needed */
		if (!groups)
			return false;
		result = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len);
	}
	for (size_t i = 0; result == 0 && i < len / sizeof(*groups); i++)
		is_in = is_in || groups[i] == wanted;
	if (groups != few)
		free(groups);
	return is_in;
}

enum err
peer_of(int fd, const struct peer_rule *rule, struct control_peer *out)
{
	struct ucred ucred;
	socklen_t len = sizeof(ucred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ucred, &len) != 0)
		return ERR_IO;
	*out = (struct control_peer){ .uid = ucred.uid, .pid = ucred.pid };
	out->may_change =
		ucred.uid == 0 || ucred.uid == geteuid() ||
		(rule->has_admin && (ucred.gid == rule->admin || is_in_group(fd, rule->admin)));
	return ERR_OK;
}

void
peer_name(struct control_peer *out)
{
	FILE *users;
	struct passwd row, *found;
	char text[1024];

	if (out->uid == 0) {
		snprintf(out->who, sizeof(out->who), "root");
		return;
	}
	snprintf(out->who, sizeof(out->who), "uid %u", out->uid);
	users = fopen("/etc/passwd", "re");
	if (!users)
		return;
	while (fgetpwent_r(users, &row, text, sizeof(text), &found) == 0 && found) {
		if (row.pw_uid != out->uid)
			continue;
		snprintf(out->who, sizeof(out->who), "uid %u (%.40s)", out->uid, row.pw_name);
		break;
	}
	fclose(users);
}
