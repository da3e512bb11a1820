/*
 * inside.h: what world.c and daemon.c share. Layer: tests.
 */
#ifndef SIMULATE_INSIDE_H
#define SIMULATE_INSIDE_H

#include "world.h"

#include <uthash.h>

#define NAME_US (20 * US_PER_MS) /* until an address is known */
#define COMMIT_US (50 * US_PER_MS)
#define HANG_US (30 * US_PER_S)
#define DAY_ZERO_US (INT64_C(1795478400) * US_PER_S) /* 2026-11-24 */

enum item_kind {
	ITEM_CONNECT, /* the probe knows its server's address */
	ITEM_LOGIN,   /* the probe stands before its login */
	ITEM_END,     /* the probe's verdict */
	ITEM_COMMIT,  /* what was written is durable */
	ITEM_ASK,
	ITEM_SWAP,
	ITEM_KILL,
};

struct sim_probe;

/* Something that happens at a time. */
struct item {
	struct heap_node node;
	enum item_kind kind;
	uint64_t life; /* of the daemon it belongs to; 0: of the world */
	struct sim_probe *probe;
	uint32_t person;
};

struct sim_probe {
	UT_hash_handle hh;
	uint64_t token;
	uint32_t person;
	enum side side;
	uint32_t server;
	wall_t began;
	struct fingerprint fingerprint;
	bool is_connected;
	bool is_sent; /* the secret is out */
	struct outcome outcome;
	enum login login;
	bool is_void;
	bool may_keep;
	bool is_served; /* by a kept session */
	struct item *item;
};

struct sim_session;

struct row {
	UT_hash_handle hh;
	enum row_kind kind;
	char *value;
	char key[]; /* its kind's digit in front */
};

struct pending {
	struct watch_command command; /* KEEP, FORGET, TELL, LEAVE */
};

struct world {
	struct world_settings settings;
	uint64_t random;
	uint64_t life;
	int64_t real_us; /* since the world began */
	int64_t wall_off_us;
	struct watch *watch;
	struct heap items;
	struct sim_probe *probes;
	struct sim_session *sessions;
	struct row *rows;
	struct pending *pending;
	size_t pending_count;
	size_t pending_room;
	bool has_commit;
	struct person *people;
	uint32_t person_count;
	struct place *places;
	uint32_t place_count;
	struct site *sites;
	uint32_t site_count;
	struct record *records;
	size_t record_count, record_room;
	struct told_event *told;
	size_t told_count, told_room;
	int64_t mark_us;
	unsigned kills_at_refusal;
	uint64_t requests;
	struct ulid newest;
	char broken[256];
};

/* ---- world.c */

mono_t world_mono(const struct world *world);
wall_t world_wall(const struct world *world);
uint64_t world_chance(struct world *world);
double world_chance_real(struct world *world);
/* Notes that a rule of every story is broken; the first counts. */
void world_breaks(struct world *world, const char *text, const char *name);
/* Room for one more. */
void *world_more(void *array, size_t *room, size_t count, size_t size);
void world_note(struct world *world, enum happened what, const struct sim_probe *probe);
struct item *world_at(struct world *world, int64_t real_us, enum item_kind kind, uint64_t life);
void item_end(struct world *world, struct item *item);

/* ---- sessions.c */

/* A probe's connection; ends with it. */
void session_open(struct world *world, uint32_t server);
/* Whether the probe goes by the session that its command names, which is ended or taken by it. */
bool session_serves(
	struct world *world, const struct watch_command *command, struct fingerprint fingerprint);
void session_keep(struct world *world, const struct sim_probe *probe);
void session_part(struct world *world, uint64_t token);
void sessions_clear(struct world *world);

/* ---- daemon.c */

void daemon_start(struct world *world, bool was_clean);
void daemon_gone(struct world *world);
void daemon_carry_out(struct world *world);
void daemon_commit(struct world *world);
void probe_resolved(struct world *world, struct sim_probe *probe);
void probe_end(struct world *world, struct sim_probe *probe);
void probe_end_at(
	struct world *world, struct sim_probe *probe, int64_t after_us, struct outcome outcome);

#endif
