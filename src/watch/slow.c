/*
 * slow.c: a server that said "too many" at a login gets half as many for an hour (causes.md,
 * rate_limited at auth). Layer: watch, pure.
 *
 * Told once as `brake`, under the server's name, and its end; both survive a restart. What it says
 * meanwhile makes the hour longer, not the logins fewer.
 */
#include "watch/inside.h"

#include <stdlib.h>

#define SLOW_US US_PER_H

static void
set(struct watch *watch, struct server *server, bool is_open)
{
	server->slowed.is_open = is_open;
	server_limits(watch, server, server->budget.connections, server->logins_allowed);
}

void
slow_begin(struct watch *watch, struct server *server, const struct verdict *verdict)
{
	struct slowed *slowed = &server->slowed;
	bool is_new = !slowed->is_open;

	if (is_new)
		slowed->since = watch->wall;
	slowed->until = wall_add(watch->wall, SLOW_US);
	if (heap_put(&watch->slowed, &slowed->node, slowed->until.us) != ERR_OK)
		abort(); /* configure made room for each server */
	set(watch, server, true);
	row_keep_slowed(watch, server);
	if (!is_new)
		return;
	watch->brakes_open++;
	tell_slowed(watch, EVENT_BRAKE, server, verdict, NULL);
}

void
slow_end(struct watch *watch, struct server *server, const char *words)
{
	heap_remove(&watch->slowed, &server->slowed.node);
	set(watch, server, false);
	watch->brakes_open--;
	row_keep_slowed(watch, server);
	tell_slowed(watch, EVENT_BRAKE_END, server, NULL, words);
}

void
slow_due(struct watch *watch)
{
	struct heap_node *top;

	while ((top = heap_top(&watch->slowed)) && top->key <= watch->wall.us)
		slow_end(watch,
			CONTAINER_OF(CONTAINER_OF(top, struct slowed, node), struct server, slowed),
			NULL);
}

void
slow_clamp(struct watch *watch)
{
	for (size_t i = watch->slowed.count; i-- > 0;) {
		struct server *server =
			CONTAINER_OF(CONTAINER_OF(watch->slowed.nodes[i], struct slowed, node),
				struct server, slowed);
		wall_t most = wall_add(watch->wall, SLOW_US);

		if (server->slowed.until.us <= most.us)
			continue;
		server->slowed.until = most;
		if (heap_put(&watch->slowed, &server->slowed.node, most.us) != ERR_OK)
			abort(); /* it stands in the heap already */
		row_keep_slowed(watch, server);
	}
}

void
slow_claim(struct watch *watch, struct server *server)
{
	struct buf key = { 0 };
	struct stored *stored;

	buf_put_format(&key, SLOW_KEY "%s", server->host);
	stored = buf_err(&key) == ERR_OK ? stored_find(watch, key.at) : NULL;
	buf_done(&key);
	if (!stored)
		return;
	server->slowed.since = stored->since;
	server->slowed.until = stored->paused_until;
	stored_free(watch, stored);
	/* H7-07: what lies in the future lasts at most its own length. */
	if (server->slowed.until.us > watch->wall.us + SLOW_US)
		server->slowed.until = wall_add(watch->wall, SLOW_US);
	if (heap_put(&watch->slowed, &server->slowed.node, server->slowed.until.us) != ERR_OK)
		abort(); /* configure made room for each server */
	watch->brakes_open++;
	set(watch, server, true);
}
