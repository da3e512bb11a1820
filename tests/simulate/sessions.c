/*
 * sessions.c: sessions that stay logged in at the servers of a story. Layer: tests.
 *
 * The rule of every story that is held here: never more connections to a server, those at rest
 * included, than its limit.
 */
#include "inside.h"

#include <stdlib.h>

struct sim_session {
	UT_hash_handle hh;
	uint64_t token; /* of the probe that left it */
	uint32_t server;
	struct fingerprint fingerprint;
	bool is_lost; /* and nobody here knows it yet */
};

static void
session_end(struct world *world, struct sim_session *session)
{
	struct place *place = &world->places[session->server];

	place->open--;
	world->sites[place->site].open--;
	HASH_DEL(world->sessions, session);
	free(session);
}

static struct sim_session *
session_find(struct world *world, uint64_t token)
{
	struct sim_session *session;

	HASH_FIND(hh, world->sessions, &token, sizeof(token), session);
	return session;
}

void
session_part(struct world *world, uint64_t token)
{
	struct sim_session *session = session_find(world, token);

	if (session)
		session_end(world, session);
}

bool
session_serves(
	struct world *world, const struct watch_command *command, struct fingerprint fingerprint)
{
	struct sim_session *session = session_find(world, command->session);
	bool serves;

	if (!session)
		return false;
	serves = command->uses_session && !session->is_lost &&
		 fingerprint_equal(session->fingerprint, fingerprint);
	session_end(world, session);
	return serves;
}

void
session_open(struct world *world, uint32_t server)
{
	struct place *place = &world->places[server];

	if (++place->open > world->settings.limits.connections)
		world_breaks(world, "more connections than the limit", place->name);
}

void
session_keep(struct world *world, const struct sim_probe *probe)
{
	struct sim_session *session = calloc(1, sizeof(*session));

	if (!session)
		abort();
	session->token = probe->token;
	session->server = probe->server;
	session->fingerprint = probe->fingerprint;
	HASH_ADD(hh, world->sessions, token, sizeof(session->token), session);
	world->places[probe->server].open++;
	world->sites[world->places[probe->server].site].open++;
}

void
sessions_lose(struct world *world, const struct place *place, bool is_seen)
{
	struct sim_session *session, *next;

	HASH_ITER (hh, world->sessions, session, next) {
		uint64_t token = session->token;

		if (place && place != &world->places[session->server])
			continue;
		session->is_lost = true;
		if (!is_seen)
			continue;
		session_end(world, session);
		watch_session_lost(world->watch, world_mono(world), world_wall(world), token);
		daemon_carry_out(world);
	}
}

size_t
sessions_count(const struct world *world, const struct place *place)
{
	struct sim_session *session, *next;
	size_t count = 0;

	HASH_ITER (hh, world->sessions, session, next)
		count += !place || place == &world->places[session->server];
	return count;
}

void
sessions_clear(struct world *world)
{
	struct sim_session *session, *next;

	HASH_ITER (hh, world->sessions, session, next)
		session_end(world, session);
}
