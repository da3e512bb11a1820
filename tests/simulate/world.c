/*
 * world.c: the executor of watch's commands in virtual time, and the servers it probes. Layer:
 * tests. Not here: what stories say (simulate.c), what they expect (expect.c).
 */
#include "inside.h"

#include <stdio.h>
#include <stdlib.h>

mono_t
world_mono(const struct world *world)
{
	return (mono_t){ world->settings.mono_us + world->real_us };
}

wall_t
world_wall(const struct world *world)
{
	return (wall_t){ DAY_ZERO_US + world->settings.start_us + world->real_us +
			 world->wall_off_us };
}

int64_t
world_now_us(const struct world *world)
{
	return world->real_us;
}

uint64_t
world_chance(struct world *world)
{
	/* SplitMix64 */
	uint64_t x = world->random += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* 0 to 1 */
double
world_chance_real(struct world *world)
{
	return (double)(world_chance(world) >> 11) / (double)(UINT64_C(1) << 53);
}

void
world_breaks(struct world *world, const char *text, const char *name)
{
	if (!*world->broken)
		snprintf(world->broken, sizeof(world->broken), "%s: %.64s at %.3f s", text, name,
			(double)world->real_us / 1e6);
}

void *
world_more(void *array, size_t *room, size_t count, size_t size)
{
	if (count < *room)
		return array;
	*room = *room ? 2 * *room : 64;
	array = realloc(array, *room * size);
	if (!array)
		abort();
	return array;
}

void
world_note(struct world *world, enum happened what, const struct sim_probe *probe)
{
	const struct person *person = &world->people[probe->person];

	world->records = world_more(
		world->records, &world->record_room, world->record_count, sizeof(struct record));
	world->records[world->record_count++] = (struct record){ .what = what,
		.at_us = world->real_us,
		.person = probe->person,
		.side = probe->side,
		.server = probe->server,
		.is_permitted = person->last_resume_us >= 0 &&
				world->real_us - person->last_resume_us < US_PER_H };
}

struct item *
world_at(struct world *world, int64_t real_us, enum item_kind kind, uint64_t life)
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

void
item_end(struct world *world, struct item *item)
{
	heap_remove(&world->items, &item->node);
	free(item);
}

void
world_kill_at_refusals(struct world *world, unsigned count)
{
	world->kills_at_refusal = count;
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
		probe_end_at(world, probe, US_PER_S,
			(struct outcome){ CAUSE_REPLY_TIMEOUT, STAGE_NOOP });
	}
	/* The loop finds out at its next probe, and then of all of them. */
	sessions_lose(world, NULL, false);
	watch_tick(world->watch, world_mono(world), world_wall(world));
	daemon_carry_out(world);
	sessions_lose(world, NULL, true);
}

void
world_show(struct world *world, struct place *place, char *names, const char *authority,
	int64_t for_us)
{
	char *name;

	place->shown_count = place->shown_next = 0;
	while ((name = strsep(&names, ",")) && place->shown_count < MOST_TURNS) {
		struct shown *shown = &place->shown[place->shown_count++];

		snprintf(shown->name, sizeof(shown->name), "%s", name);
		snprintf(shown->authority, sizeof(shown->authority), "%s", authority);
		shown->not_after.us = world_wall(world).us + for_us;
	}
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
		err = watch_probe_now(world->watch, world_mono(world), world_wall(world), index,
			++world->requests, &why);
	daemon_carry_out(world);
	return err;
}

enum err
world_pause(struct world *world, struct person *person, int64_t for_us)
{
	struct fault why;
	uint32_t index;
	enum err err = ERR_NOT_FOUND;

	if (find(world, person, &index))
		err = watch_pause(world->watch, world_mono(world), world_wall(world), index, for_us,
			"root", "a story", &why);
	daemon_carry_out(world);
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
		err = watch_resume(world->watch, world_mono(world), world_wall(world), index,
			"root", "a story", &retry_us, &why);
	if (err == ERR_OK)
		person->last_resume_us = world->real_us;
	daemon_carry_out(world);
	return err;
}

void
world_ask_every(struct world *world, struct person *person, int64_t every_us)
{
	if (person->ask_every_us == 0 && every_us > 0)
		world_at(world, world->real_us, ITEM_ASK, 0)->person =
			(uint32_t)(person - world->people);
	person->ask_every_us = every_us;
}

void
world_swap_every(struct world *world, struct person *person, int64_t every_us)
{
	if (person->swap_every_us == 0 && every_us > 0)
		world_at(world, world->real_us, ITEM_SWAP, 0)->person =
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
	world_at(world, world->real_us + person->ask_every_us, ITEM_ASK, 0)->person = index;
}

static void
happen_swap(struct world *world, uint32_t index)
{
	struct person *person = &world->people[index];

	if (person->swap_every_us == 0)
		return;
	memcpy(person->secret, person->swaps[person->swap_next++ % person->swap_count], WORD_MOST);
	world_at(world, world->real_us + person->swap_every_us, ITEM_SWAP, 0)->person = index;
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
	case ITEM_CONNECT:
		probe_resolved(world, now.probe);
		daemon_carry_out(world);
		break;
	case ITEM_LOGIN:
		watch_login(world->watch, world_mono(world), world_wall(world), now.probe->token,
			now.probe->fingerprint);
		daemon_carry_out(world);
		break;
	case ITEM_END:
		probe_end(world, now.probe);
		break;
	case ITEM_COMMIT:
		daemon_commit(world);
		daemon_carry_out(world);
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
			world_breaks(world, "time stands still", "");
			return;
		}
		if (is_item) {
			happen(world, CONTAINER_OF(top, struct item, node));
		} else {
			watch_tick(world->watch, world_mono(world), world_wall(world));
			daemon_carry_out(world);
			if (watch_wake(world->watch).us <= world_mono(world).us)
				world_breaks(world, "a wake that has nothing to do", "");
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
		.rules = { .interval_us = 5 * US_PER_M,
			.retry_interval_us = US_PER_M,
			.retry_max_us = 5 * US_PER_M,
			.confirm = 3,
			.recover = 2,
			.cert_warn_s = { 21 * 86400, 7 * 86400, 86400 },
			.cert_warn_count = 3 },
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
	person->account_len =
		(size_t)snprintf(person->account, sizeof(person->account), "m%u", index);
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
	/* Phases hang on the wall clock: another seed, other phases. What a story says is its own
	 * clock. */
	world->wall_off_us = (int64_t)(world_chance(world) % (uint64_t)US_PER_D);
	world->place_count = 2 * settings->servers;
	world->places = calloc(world->place_count, sizeof(struct place));
	world->person_count = settings->mailboxes;
	world->people = calloc(world->person_count, sizeof(struct person));
	world->site_count = settings->addresses ? settings->addresses : world->place_count;
	world->sites = calloc(world->site_count, sizeof(struct site));
	if (!world->places || !world->people || !world->sites)
		abort();
	for (uint32_t i = 0; i < world->site_count; i++)
		snprintf(world->sites[i].name, WORD_MOST, "a%u", i);
	for (uint32_t i = 0; i < world->place_count; i++) {
		snprintf(world->places[i].name, WORD_MOST, "%s%u",
			side_name((enum side)(i % SIDE_COUNT)), i / SIDE_COUNT);
		world->places[i].site = i % world->site_count;
	}
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
	free(world->sites);
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

const struct site *
world_site(const struct world *world, const char *name)
{
	char *end;
	unsigned long index;

	if (*name != 'a' || name[1] < '0' || name[1] > '9')
		return NULL;
	index = strtoul(name + 1, &end, 10);
	return *end == '\0' && index < world->site_count ? &world->sites[index] : NULL;
}

const struct place *
world_place_at(const struct world *world, uint32_t server)
{
	return &world->places[server];
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
