/*
 * world.c: the executor of watch's commands in virtual time, and the servers it probes. Layer: tests.
 * Not here: what stories say (simulate.c), what they expect (expect.c).
 */
#include "world.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#define COMMIT_US (50 * US_PER_MS)
#define HANG_US (30 * US_PER_S)
#define DAY_ZERO_US (INT64_C(1795478400) * US_PER_S) /* 2026-11-24 */

enum item_kind {
	ITEM_LOGIN,  /* the probe stands before its login */
	ITEM_END,    /* the probe's verdict */
	ITEM_COMMIT, /* what was written is durable */
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
	bool is_sent; /* the secret is out */
	struct outcome outcome;
	enum login login;
	bool is_void;
	struct item *item;
};

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
	struct row *rows;
	struct pending *pending;
	size_t pending_count;
	size_t pending_room;
	bool has_commit;
	struct person *people;
	uint32_t person_count;
	struct place *places;
	uint32_t place_count;
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

static mono_t
mono_of(const struct world *world)
{
	return (mono_t){ world->settings.mono_us + world->real_us };
}

static wall_t
wall_of(const struct world *world)
{
	return (wall_t){ DAY_ZERO_US + world->settings.start_us + world->real_us +
		world->wall_off_us };
}

int64_t
world_now_us(const struct world *world)
{
	return world->real_us;
}

static uint64_t
chance(struct world *world)
{
	/* SplitMix64 */
	uint64_t x = world->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* 0 to 1 */
static double
chance_real(struct world *world)
{
	return (double)(chance(world) >> 11) / (double)(UINT64_C(1) << 53);
}

static void
breaks(struct world *world, const char *text, const char *name)
{
	if (!*world->broken)
		snprintf(world->broken, sizeof(world->broken), "%s: %.64s at %.3f s", text, name,
			(double)world->real_us / 1e6);
}

static void *
more(void *array, size_t *room, size_t count, size_t size)
{
	if (count < *room)
		return array;
	*room = *room ? 2 * *room : 64;
	array = realloc(array, *room * size);
	if (!array)
		abort();
	return array;
}

static void
note(struct world *world, enum happened what, const struct sim_probe *probe)
{
	const struct person *person = &world->people[probe->person];

	world->records = more(world->records, &world->record_room, world->record_count,
		sizeof(struct record));
	world->records[world->record_count++] = (struct record){ .what = what,
		.at_us = world->real_us,
		.person = probe->person,
		.side = probe->side,
		.server = probe->server,
		.is_permitted = person->last_resume_us >= 0 &&
			world->real_us - person->last_resume_us < US_PER_H };
}

static struct item *
at(struct world *world, int64_t real_us, enum item_kind kind, uint64_t life)
{
	struct item *item = calloc(1, sizeof(*item));

	if (!item)
		abort();
	item->kind = kind;
	item->life = life;
	heap_node_init(&item->node);
	if (heap_put(&world->items, &item->node, real_us) != ERR_OK)
		abort();
	return item;
}

static void
item_end(struct world *world, struct item *item)
{
	heap_remove(&world->items, &item->node);
	free(item);
}

/* ---- the store */

static void
row_write(struct world *world, enum row_kind kind, const char *key, char *value)
{
	size_t len = strlen(key) + 1;
	struct row *row = calloc(1, sizeof(*row) + len + 1), *old;

	if (!row)
		abort();
	row->key[0] = (char)('0' + kind);
	memcpy(row->key + 1, key, len);
	row->kind = kind;
	row->value = value;
	HASH_FIND_STR(world->rows, row->key, old);
	if (old) {
		HASH_DEL(world->rows, old);
		free(old->value);
		free(old);
	}
	if (value)
		HASH_ADD_STR(world->rows, key, row);
	else
		free(row);
}

static void
tell(struct world *world, const struct alert *event)
{
	struct told_event *told;

	world->told = more(
		world->told, &world->told_room, world->told_count, sizeof(struct told_event));
	told = &world->told[world->told_count++];
	*told = (struct told_event){ .at_us = world->real_us,
		.kind = event->kind,
		.id = event->id,
		.incident = event->incident,
		.level = event->level };
	if (event->mailbox)
		snprintf(told->mailbox, sizeof(told->mailbox), "%s", event->mailbox);
	if (event->state)
		snprintf(told->state, sizeof(told->state), "%s", event->state);
	if (event->was)
		snprintf(told->was, sizeof(told->was), "%s", event->was);
	if (event->has_endpoint)
		snprintf(told->side, sizeof(told->side), "%s", side_name(event->endpoint));
	if (event->has_cause)
		snprintf(told->cause, sizeof(told->cause), "%s", cause_name(event->cause));
	if (ulid_compare(event->id, world->newest) <= 0)
		breaks(world, "an id does not rise", told->mailbox);
	world->newest = event->id;
	if (event->kind == EVENT_STATE && strcmp(told->state, told->was) == 0 &&
		strcmp(told->state, "unknown") != 0)
		breaks(world, "a state that did not change was told", told->mailbox);
	if (world->settings.is_loud) {
		struct buf when = { 0 };

		wall_put_s(&when, event->time);
		printf("# %s %s %s state=\"%s\" was=\"%s\" endpoint=%s cause=%s %s\n", when.at,
			event_kind_name(event->kind), told->mailbox, told->state, told->was,
			told->side, told->cause, event->detail ? event->detail : "");
		buf_done(&when);
	}
}

static void probe_leave(struct world *world, uint64_t token, bool is_allowed);

static void
command_done(struct watch_command *command)
{
	alert_free(command->event);
	free(command->key);
	free(command->value);
}

static void
commit(struct world *world)
{
	world->has_commit = false;
	for (size_t i = 0; i < world->pending_count; i++) {
		struct watch_command *command = &world->pending[i].command;

		if (command->kind == WATCH_TELL)
			tell(world, command->event);
		else if (command->kind == WATCH_LEAVE)
			probe_leave(world, command->token, command->is_allowed);
		else {
			row_write(world, command->row, command->key, command->value);
			command->value = NULL;
		}
		command_done(command);
	}
	world->pending_count = 0;
}

static void
keep_pending(struct world *world, const struct watch_command *command)
{
	world->pending = more(world->pending, &world->pending_room, world->pending_count,
		sizeof(struct pending));
	world->pending[world->pending_count++].command = *command;
	if (!world->has_commit)
		at(world, world->real_us + COMMIT_US, ITEM_COMMIT, world->life);
	world->has_commit = true;
}

/* ---- probes */

static void
end_at(struct world *world, struct sim_probe *probe, int64_t after_us, struct outcome outcome)
{
	probe->outcome = outcome;
	probe->item = at(world, world->real_us + after_us, ITEM_END, world->life);
	probe->item->probe = probe;
}

static struct fingerprint
fingerprint_of(const char *secret)
{
	struct fingerprint fingerprint;
	uint64_t hash = hash_bytes(bytes_of(secret), 99);

	memcpy(fingerprint.bytes, &hash, sizeof(hash));
	return fingerprint;
}

static void
probe_start(struct world *world, const struct watch_command *command)
{
	struct sim_probe *probe = calloc(1, sizeof(*probe));
	uint32_t index = world_person_index(world, command->name);
	struct person *person = &world->people[index];
	int64_t latency;
	const struct place *place;

	if (!probe)
		abort();
	probe->token = command->token;
	probe->person = index;
	probe->side = command->side;
	probe->server = person->servers[command->side];
	probe->began = wall_of(world);
	HASH_ADD(hh, world->probes, token, sizeof(probe->token), probe);
	note(world, HAPPENED_PROBE, probe);
	if (person->in_flight[command->side])
		breaks(world, "two probes of an endpoint at once", person->name);
	person->in_flight[command->side] = command->token;
	place = &world->places[probe->server];
	latency = (int64_t)((0.5 + chance_real(world)) * (double)world->settings.latency_us);
	if (chance_real(world) < world->settings.lost) {
		end_at(world, probe, HANG_US,
			(struct outcome){ CAUSE_CONNECT_TIMEOUT, STAGE_CONNECT });
	} else if (place->mood == MOOD_REFUSES) {
		end_at(world, probe, latency,
			(struct outcome){ CAUSE_CONNECT_REFUSED, STAGE_CONNECT });
	} else if (place->mood == MOOD_HANGS) {
		end_at(world, probe, HANG_US,
			(struct outcome){ CAUSE_REPLY_TIMEOUT, STAGE_GREETING });
	} else if (place->mood == MOOD_PLAYS &&
		place->turns[person->turn[probe->side] % place->turn_count].cause != CAUSE_OK) {
		end_at(world, probe, latency,
			place->turns[person->turn[probe->side]++ % place->turn_count]);
	} else if (strcmp(person->secret, "gone") == 0) {
		end_at(world, probe, US_PER_MS,
			(struct outcome){ CAUSE_SECRET_UNAVAILABLE, STAGE_SECRET });
	} else {
		person->turn[probe->side]++;
		probe->fingerprint = fingerprint_of(person->secret);
		probe->item = at(world, world->real_us + latency, ITEM_LOGIN, world->life);
		probe->item->probe = probe;
	}
}

static void
probe_leave(struct world *world, uint64_t token, bool is_allowed)
{
	struct sim_probe *probe;
	struct person *person;
	bool is_right;

	HASH_FIND(hh, world->probes, &token, sizeof(token), probe);
	if (!probe || probe->item)
		return; /* it ended meanwhile */
	person = &world->people[probe->person];
	if (!is_allowed) {
		probe->login = LOGIN_HELD;
		end_at(world, probe, US_PER_MS, (struct outcome){ CAUSE_OK, STAGE_CAPABILITY });
		return;
	}
	note(world, HAPPENED_LOGIN, probe);
	probe->is_sent = true;
	is_right = !person->is_off[probe->side] &&
		fingerprint_equal(probe->fingerprint, fingerprint_of(person->password[probe->side]));
	if (is_right) {
		probe->login = LOGIN_ACCEPTED;
		end_at(world, probe, world->settings.latency_us / 2,
			(struct outcome){ CAUSE_OK, STAGE_DONE });
		return;
	}
	note(world, HAPPENED_REFUSED, probe);
	probe->login = LOGIN_REFUSED;
	end_at(world, probe, world->settings.latency_us / 2,
		(struct outcome){ person->is_off[probe->side] ? CAUSE_PROTOCOL_DISABLED :
								CAUSE_BAD_CREDENTIALS,
			STAGE_AUTH });
	if (world->kills_at_refusal > 0) {
		world->kills_at_refusal--;
		at(world, world->real_us, ITEM_KILL, world->life);
	}
}

static struct verdict *
verdict_of(struct world *world, const struct sim_probe *probe)
{
	struct verdict *verdict = verdict_new();
	const struct place *place = &world->places[probe->server];

	if (!verdict)
		abort();
	verdict->is_void = probe->is_void;
	verdict->cause = probe->outcome.cause;
	verdict->stage = probe->outcome.stage;
	verdict->is_ok = verdict->cause == CAUSE_OK && probe->login != LOGIN_HELD;
	verdict->login = probe->login;
	if (probe->is_void && probe->is_sent)
		verdict->login = LOGIN_UNJUDGED;
	verdict->has_fingerprint = true;
	verdict->fingerprint = probe->fingerprint;
	if (cause_has(verdict->cause, CAUSE_WAIT))
		verdict->wait_us = place->wait_us;
	verdict->began = probe->began;
	verdict->ended = wall_of(world);
	return verdict;
}

static void carry_out(struct world *world);

static void
probe_end(struct world *world, struct sim_probe *probe)
{
	struct verdict *verdict = verdict_of(world, probe);
	uint64_t token = probe->token;

	world->people[probe->person].in_flight[probe->side] = 0;
	HASH_DEL(world->probes, probe);
	free(probe);
	watch_verdict(world->watch, mono_of(world), wall_of(world), token, verdict);
	carry_out(world);
}

static void
carry_out(struct world *world)
{
	struct watch_command command;

	while (watch_next(world->watch, &command)) {
		switch (command.kind) {
		case WATCH_PROBE:
			probe_start(world, &command);
			break;
		case WATCH_LEAVE:
			if (command.after_stored)
				keep_pending(world, &command);
			else
				probe_leave(world, command.token, command.is_allowed);
			break;
		case WATCH_TELL:
		case WATCH_KEEP:
		case WATCH_FORGET:
			keep_pending(world, &command);
			break;
		default:
			break;
		}
	}
}

/* ---- the daemon's life */

static void
configure(struct world *world)
{
	uint32_t count = world->person_count;
	struct watch_mailbox *mailboxes = calloc(count + 1, sizeof(*mailboxes));
	struct watch_settings settings = { .limits = world->settings.limits,
		.mailboxes = mailboxes };
	struct watch_changes changes;

	if (!mailboxes)
		abort();
	for (uint32_t i = 0; i < count; i++) {
		struct person *person = &world->people[i];
		struct watch_mailbox *mailbox = &mailboxes[settings.mailbox_count];

		if (!person->is_there)
			continue;
		settings.mailbox_count++;
		mailbox->name = person->name;
		mailbox->is_enabled = !person->is_disabled;
		for (size_t side = 0; side < SIDE_COUNT; side++) {
			mailbox->sides[side] = (struct watch_endpoint){ .is_present = true,
				.rules = world->settings.rules,
				.host = world->places[person->servers[side]].name,
				.site = "example.net",
				.account = { person->account, person->account_len },
				.is_changed = person->is_changed[side] };
			person->is_changed[side] = false;
		}
	}
	if (watch_configure(world->watch, mono_of(world), wall_of(world), &settings, &changes) !=
		ERR_OK)
		abort();
	free(mailboxes);
	carry_out(world);
}

static void
daemon_start(struct world *world, bool was_clean)
{
	uint8_t seed[32];
	struct row *row, *next;
	struct fault why;

	world->life++;
	for (size_t i = 0; i < sizeof(seed); i++)
		seed[i] = (uint8_t)chance(world);
	if (watch_new(seed, &world->watch) != ERR_OK)
		abort();
	HASH_ITER (hh, world->rows, row, next) {
		if (watch_restore(world->watch, row->kind, bytes_of(row->key + 1),
			    bytes_of(row->value), &why) != ERR_OK)
			breaks(world, why.text, row->key);
	}
	watch_restored(world->watch, was_clean, world->newest);
	configure(world);
}

static void
daemon_gone(struct world *world)
{
	struct sim_probe *probe, *next;

	HASH_ITER (hh, world->probes, probe, next) {
		world->people[probe->person].in_flight[probe->side] = 0;
		if (probe->item)
			item_end(world, probe->item);
		HASH_DEL(world->probes, probe);
		free(probe);
	}
	for (size_t i = 0; i < world->pending_count; i++)
		command_done(&world->pending[i].command);
	world->pending_count = 0;
	world->has_commit = false;
	watch_free(world->watch);
	world->watch = NULL;
}

/* Probes say goodbye, their verdicts are void; then the rows of a clean end, and all is stored. */
static void
daemon_end(struct world *world)
{
	struct sim_probe *probe, *next;

	HASH_ITER (hh, world->probes, probe, next) {
		if (probe->item)
			item_end(world, probe->item);
		probe->item = NULL;
		probe->is_void = true;
	}
	while (world->probes && world->probes->is_void)
		probe_end(world, world->probes);
	watch_end(world->watch, wall_of(world));
	carry_out(world);
	commit(world);
}

void
world_restart(struct world *world, bool is_clean)
{
	if (is_clean)
		daemon_end(world);
	daemon_gone(world);
	daemon_start(world, is_clean);
}

void
world_kill_at_refusals(struct world *world, unsigned count)
{
	world->kills_at_refusal = count;
}

void
world_reload(struct world *world, int64_t interval_us)
{
	if (interval_us > 0) {
		world->settings.rules.interval_us = interval_us;
		world->settings.rules.retry_max_us = interval_us;
		if (world->settings.rules.retry_interval_us > interval_us)
			world->settings.rules.retry_interval_us = interval_us;
	}
	configure(world);
}

void
world_move_wall(struct world *world, int64_t by_us)
{
	world->wall_off_us += by_us;
}

/* Nothing runs meanwhile; the probes in flight are void when the machine wakes. */
void
world_suspend(struct world *world, int64_t for_us)
{
	struct sim_probe *probe, *next;

	world->real_us += for_us;
	HASH_ITER (hh, world->probes, probe, next) {
		probe->is_void = true;
		if (probe->item)
			item_end(world, probe->item);
		end_at(world, probe, US_PER_S, (struct outcome){ CAUSE_REPLY_TIMEOUT, STAGE_NOOP });
	}
	watch_tick(world->watch, mono_of(world), wall_of(world));
	carry_out(world);
}

/* ---- what people do */

void
world_mark(struct world *world)
{
	world->mark_us = world->real_us;
}

int64_t
world_mark_us(const struct world *world)
{
	return world->mark_us;
}

static bool
find(struct world *world, const struct person *person, uint32_t *out)
{
	return watch_find(world->watch, bytes_of(person->name), out);
}

enum err
world_probe(struct world *world, struct person *person)
{
	struct fault why;
	uint32_t index;
	enum err err = ERR_NOT_FOUND;

	if (find(world, person, &index))
		err = watch_probe_now(world->watch, mono_of(world), wall_of(world), index,
			++world->requests, &why);
	carry_out(world);
	return err;
}

enum err
world_pause(struct world *world, struct person *person, int64_t for_us)
{
	struct fault why;
	uint32_t index;
	enum err err = ERR_NOT_FOUND;

	if (find(world, person, &index))
		err = watch_pause(world->watch, mono_of(world), wall_of(world), index, for_us,
			"root", "a story", &why);
	carry_out(world);
	return err;
}

enum err
world_resume(struct world *world, struct person *person)
{
	struct fault why;
	uint32_t index;
	int64_t retry_us;
	enum err err = ERR_NOT_FOUND;

	if (find(world, person, &index))
		err = watch_resume(world->watch, mono_of(world), wall_of(world), index, "root",
			"a story", &retry_us, &why);
	if (err == ERR_OK)
		person->last_resume_us = world->real_us;
	carry_out(world);
	return err;
}

void
world_ask_every(struct world *world, struct person *person, int64_t every_us)
{
	if (person->ask_every_us == 0 && every_us > 0)
		at(world, world->real_us, ITEM_ASK, 0)->person = (uint32_t)(person - world->people);
	person->ask_every_us = every_us;
}

void
world_swap_every(struct world *world, struct person *person, int64_t every_us)
{
	if (person->swap_every_us == 0 && every_us > 0)
		at(world, world->real_us, ITEM_SWAP, 0)->person =
			(uint32_t)(person - world->people);
	person->swap_every_us = every_us;
}

bool
world_view(struct world *world, const char *name, struct watch_view *out)
{
	uint32_t index;

	return watch_find(world->watch, bytes_of(name), &index) &&
		watch_view(world->watch, index, out);
}

/* ---- time goes on */

static void
happen_ask(struct world *world, uint32_t index)
{
	struct person *person = &world->people[index];

	if (person->ask_every_us == 0)
		return;
	(void)world_probe(world, person);
	at(world, world->real_us + person->ask_every_us, ITEM_ASK, 0)->person = index;
}

static void
happen_swap(struct world *world, uint32_t index)
{
	struct person *person = &world->people[index];

	if (person->swap_every_us == 0)
		return;
	memcpy(person->secret, person->swaps[person->swap_next++ % person->swap_count], WORD_MOST);
	at(world, world->real_us + person->swap_every_us, ITEM_SWAP, 0)->person = index;
}

static void
happen(struct world *world, struct item *item)
{
	struct item now = *item;

	item_end(world, item);
	if (now.life != 0 && now.life != world->life)
		return; /* of a daemon that is gone */
	if (now.probe)
		now.probe->item = NULL;
	switch (now.kind) {
	case ITEM_LOGIN:
		watch_login(world->watch, mono_of(world), wall_of(world), now.probe->token,
			now.probe->fingerprint);
		carry_out(world);
		break;
	case ITEM_END:
		probe_end(world, now.probe);
		break;
	case ITEM_COMMIT:
		commit(world);
		carry_out(world);
		break;
	case ITEM_ASK:
		happen_ask(world, now.person);
		break;
	case ITEM_SWAP:
		happen_swap(world, now.person);
		break;
	case ITEM_KILL:
		world_restart(world, false);
		break;
	}
}

void
world_run_to(struct world *world, int64_t story_us)
{
	int64_t until = story_us - world->settings.start_us;
	int64_t spins = 0, spun_at = -1;

	for (;;) {
		struct heap_node *top = heap_top(&world->items);
		int64_t wake = watch_wake(world->watch).us;
		int64_t next = wake == INT64_MAX ? until : wake - world->settings.mono_us;
		bool is_item = top && top->key <= next;

		if (is_item)
			next = top->key;
		if (next > until)
			break;
		if (next > world->real_us)
			world->real_us = next;
		spins = world->real_us == spun_at ? spins + 1 : 0;
		spun_at = world->real_us;
		if (spins > 10000000) {
			breaks(world, "time stands still", "");
			return;
		}
		if (is_item) {
			happen(world, CONTAINER_OF(top, struct item, node));
		} else {
			watch_tick(world->watch, mono_of(world), wall_of(world));
			carry_out(world);
			if (watch_wake(world->watch).us <= mono_of(world).us)
				breaks(world, "a wake that has nothing to do", "");
		}
		if (*world->broken)
			break;
	}
	if (until > world->real_us)
		world->real_us = until;
}

/* ---- making and ending it */

void
world_settings_init(struct world_settings *settings)
{
	*settings = (struct world_settings){ .seed = 1,
		.mailboxes = 1,
		.servers = 1,
		.latency_us = 200 * US_PER_MS,
		.start_us = 9 * US_PER_H,
		.mono_us = 1000 * US_PER_S,
		.rules = { 5 * US_PER_M, US_PER_M, 5 * US_PER_M, 3, 2 },
		.limits = { .in_flight = 1000,
			.connections = 8,
			.logins_per_minute = 30,
			.refused_logins = { { 2, US_PER_H }, { 4, US_PER_D } },
			.refused_logins_count = 2,
			.brake_retry_us = { US_PER_H, 6 * US_PER_H },
			.brake_retry_count = 2 } };
}

static void
person_init(struct world *world, struct person *person, uint32_t index)
{
	snprintf(person->name, sizeof(person->name), "m%u", index);
	person->is_there = true;
	person->last_resume_us = -1;
	person->account_len = (size_t)snprintf(person->account, sizeof(person->account), "m%u", index);
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		person->servers[side] = 2 * (index % world->settings.servers) + (uint32_t)side;
		snprintf(person->password[side], WORD_MOST, "A");
	}
	snprintf(person->secret, WORD_MOST, "A");
}

struct world *
world_new(const struct world_settings *settings)
{
	struct world *world = calloc(1, sizeof(*world));

	if (!world)
		abort();
	world->settings = *settings;
	world->random = settings->seed;
	world->place_count = 2 * settings->servers;
	world->places = calloc(world->place_count, sizeof(struct place));
	world->person_count = settings->mailboxes;
	world->people = calloc(world->person_count, sizeof(struct person));
	if (!world->places || !world->people)
		abort();
	for (uint32_t i = 0; i < world->place_count; i++)
		snprintf(world->places[i].name, WORD_MOST, "%s%u",
			side_name((enum side)(i % SIDE_COUNT)), i / SIDE_COUNT);
	for (uint32_t i = 0; i < world->person_count; i++)
		person_init(world, &world->people[i], i);
	daemon_start(world, true);
	return world;
}

void
world_free(struct world *world)
{
	struct row *row, *next;

	if (!world)
		return;
	daemon_gone(world);
	while (heap_top(&world->items))
		item_end(world, CONTAINER_OF(heap_top(&world->items), struct item, node));
	heap_done(&world->items);
	HASH_ITER (hh, world->rows, row, next) {
		HASH_DEL(world->rows, row);
		free(row->value);
		free(row);
	}
	free(world->pending);
	free(world->people);
	free(world->places);
	free(world->records);
	free(world->told);
	free(world);
}

/* m7 is the seventh, whatever it is called now. */
uint32_t
world_person_index(struct world *world, const char *name)
{
	for (uint32_t i = 0; i < 1 && name[0] == 'm'; i++) {
		uint32_t index = (uint32_t)strtoul(name + 1, NULL, 10);

		if (index < world->person_count && strcmp(world->people[index].name, name) == 0)
			return index;
	}
	for (uint32_t i = 0; i < world->person_count; i++) {
		if (strcmp(world->people[i].name, name) == 0)
			return i;
	}
	return UINT32_MAX;
}

struct person *
world_person(struct world *world, const char *name)
{
	uint32_t index = world_person_index(world, name);

	return index == UINT32_MAX ? NULL : &world->people[index];
}

struct place *
world_place(struct world *world, const char *name)
{
	for (uint32_t i = 0; i < world->place_count; i++) {
		if (strcmp(world->places[i].name, name) == 0)
			return &world->places[i];
	}
	return NULL;
}

const struct record *
world_records(const struct world *world, size_t *count)
{
	*count = world->record_count;
	return world->records;
}

const struct told_event *
world_told(const struct world *world, size_t *count)
{
	*count = world->told_count;
	return world->told;
}

const char *
world_broken(const struct world *world)
{
	return *world->broken ? world->broken : NULL;
}
