/*
 * daemon.c: the executor of watch's commands in virtual time: store, probes, start and end. Layer:
 * tests.
 */
#include "inside.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>

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

size_t
world_rows(const struct world *world, const char *subject)
{
	size_t count = 0, len = strlen(subject);
	const struct row *row, *next;

	HASH_ITER (hh, world->rows, row, next) {
		const char *key = row->key + 1;

		if (strcmp(subject, "accounts") == 0)
			count += row->kind == ROW_ACCOUNT;
		else
			count += strncmp(key, subject, len) == 0 &&
				 (key[len] == '\0' || key[len] == '/');
	}
	return count;
}

static void
tell(struct world *world, const struct alert *event)
{
	struct told_event *told;

	world->told = world_more(
		world->told, &world->told_room, world->told_count, sizeof(struct told_event));
	told = &world->told[world->told_count++];
	*told = (struct told_event){ .at_us = world->real_us,
		.kind = event->kind,
		.id = event->id,
		.incident = event->incident,
		.level = event->level };
	if (event->mailbox)
		snprintf(told->mailbox, sizeof(told->mailbox), "%s", event->mailbox);
	else if (event->server)
		snprintf(told->mailbox, sizeof(told->mailbox), "%s", event->server);
	if (event->what)
		snprintf(told->state, sizeof(told->state), "%s", event->what);
	if (event->state)
		snprintf(told->state, sizeof(told->state), "%s", event->state);
	if (event->was)
		snprintf(told->was, sizeof(told->was), "%s", event->was);
	if (event->has_endpoint)
		snprintf(told->side, sizeof(told->side), "%s", side_name(event->endpoint));
	if (event->has_cause)
		snprintf(told->cause, sizeof(told->cause), "%s", cause_name(event->cause));
	if (ulid_compare(event->id, world->newest) <= 0)
		world_breaks(world, "an id does not rise", told->mailbox);
	world->newest = event->id;
	if (event->kind == EVENT_STATE && strcmp(told->state, told->was) == 0 &&
		strcmp(told->state, "unknown") != 0)
		world_breaks(world, "a state that did not change was told", told->mailbox);
	if (world->settings.is_loud) {
		int64_t s = (world->settings.start_us + world->real_us) / US_PER_S;

		printf("# %dd %02d:%02d:%02d %s %s state=\"%s\" was=\"%s\" endpoint=%s cause=%s "
		       "%s\n",
			(int)(s / 86400), (int)(s / 3600 % 24), (int)(s / 60 % 60), (int)(s % 60),
			event_kind_name(event->kind), told->mailbox, told->state, told->was,
			told->side, told->cause, event->detail ? event->detail : "");
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

void
daemon_commit(struct world *world)
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
	world->pending = world_more(
		world->pending, &world->pending_room, world->pending_count, sizeof(struct pending));
	world->pending[world->pending_count++].command = *command;
	if (!world->has_commit)
		world_at(world, world->real_us + COMMIT_US, ITEM_COMMIT, world->life);
	world->has_commit = true;
}

/* ---- probes */

void
probe_end_at(struct world *world, struct sim_probe *probe, int64_t after_us, struct outcome outcome)
{
	probe->outcome = outcome;
	probe->item = world_at(world, world->real_us + after_us, ITEM_END, world->life);
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
probe_connect(struct world *world, struct sim_probe *probe)
{
	struct person *person = &world->people[probe->person];
	const struct place *place = &world->places[probe->server];
	struct site *site = &world->sites[place->site];
	int64_t latency;

	probe->is_connected = true;
	if (++site->open > site->most)
		site->most = site->open;
	session_open(world, probe->server);
	latency = (int64_t)((0.5 + world_chance_real(world)) * (double)world->settings.latency_us);
	if (world_chance_real(world) < world->settings.lost) {
		probe_end_at(world, probe, HANG_US,
			(struct outcome){ CAUSE_CONNECT_TIMEOUT, STAGE_CONNECT });
	} else if (place->mood == MOOD_REFUSES) {
		probe_end_at(world, probe, latency,
			(struct outcome){ CAUSE_CONNECT_REFUSED, STAGE_CONNECT });
	} else if (place->mood == MOOD_HANGS) {
		probe_end_at(world, probe, HANG_US,
			(struct outcome){ CAUSE_REPLY_TIMEOUT, STAGE_GREETING });
	} else if (place->mood == MOOD_PLAYS &&
		   place->turns[person->turn[probe->side] % place->turn_count].cause != CAUSE_OK) {
		probe_end_at(world, probe, latency,
			place->turns[person->turn[probe->side]++ % place->turn_count]);
	} else if (strcmp(person->secret, "gone") == 0) {
		probe_end_at(world, probe, US_PER_MS,
			(struct outcome){ CAUSE_SECRET_UNAVAILABLE, STAGE_SECRET });
	} else if (probe->is_served) {
		person->turn[probe->side]++;
		probe->fingerprint = fingerprint_of(person->secret);
		probe_end_at(world, probe, latency / 4, (struct outcome){ CAUSE_OK, STAGE_DONE });
	} else {
		person->turn[probe->side]++;
		probe->fingerprint = fingerprint_of(person->secret);
		probe->item = world_at(world, world->real_us + latency, ITEM_LOGIN, world->life);
		probe->item->probe = probe;
	}
}

static void
probe_start(struct world *world, const struct watch_command *command)
{
	struct sim_probe *probe = calloc(1, sizeof(*probe));
	uint32_t index = world_person_index(world, command->name);
	struct person *person = &world->people[index];
	const struct site *site;

	if (!probe)
		abort();
	probe->token = command->token;
	probe->person = index;
	probe->side = command->side;
	probe->server = person->servers[command->side];
	probe->began = world_wall(world);
	HASH_ADD(hh, world->probes, token, sizeof(probe->token), probe);
	world_note(world, HAPPENED_PROBE, probe);
	if (person->in_flight[command->side])
		world_breaks(world, "two probes of an endpoint at once", person->name);
	person->in_flight[command->side] = command->token;
	probe->may_keep = command->may_keep;
	probe->is_served = session_serves(world, command, fingerprint_of(person->secret));
	site = &world->sites[world->places[probe->server].site];
	if (probe->is_served || strcmp(command->address, site->name) == 0) {
		probe_connect(world, probe);
		return;
	}
	probe->item = world_at(world, world->real_us + NAME_US, ITEM_CONNECT, world->life);
	probe->item->probe = probe;
}

void
probe_resolved(struct world *world, struct sim_probe *probe)
{
	watch_connect(world->watch, world_mono(world), world_wall(world), probe->token,
		world->sites[world->places[probe->server].site].name);
}

static void
probe_place(struct world *world, uint64_t token, bool is_allowed)
{
	struct sim_probe *probe;

	HASH_FIND(hh, world->probes, &token, sizeof(token), probe);
	if (!probe || probe->item)
		return; /* it ended meanwhile */
	if (is_allowed) {
		probe_connect(world, probe);
		return;
	}
	probe->is_void = true;
	probe_end_at(world, probe, US_PER_MS, (struct outcome){ CAUSE_LOCAL_LIMIT, STAGE_CONNECT });
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
		probe_end_at(
			world, probe, US_PER_MS, (struct outcome){ CAUSE_OK, STAGE_CAPABILITY });
		return;
	}
	world_note(world, HAPPENED_LOGIN, probe);
	probe->is_sent = true;
	is_right = !person->is_off[probe->side] &&
		   fingerprint_equal(
			   probe->fingerprint, fingerprint_of(person->password[probe->side]));
	if (is_right) {
		probe->login = LOGIN_ACCEPTED;
		probe_end_at(world, probe, world->settings.latency_us / 2,
			(struct outcome){ CAUSE_OK, STAGE_DONE });
		return;
	}
	world_note(world, HAPPENED_REFUSED, probe);
	probe->login = LOGIN_REFUSED;
	probe_end_at(world, probe, world->settings.latency_us / 2,
		(struct outcome){ person->is_off[probe->side] ? CAUSE_PROTOCOL_DISABLED
							      : CAUSE_BAD_CREDENTIALS,
			STAGE_AUTH });
	if (world->kills_at_refusal > 0) {
		world->kills_at_refusal--;
		world_at(world, world->real_us, ITEM_KILL, world->life);
	}
}

/* The certificate of a probe that came so far. */
static void
put_certificate(struct verdict *verdict, struct place *place)
{
	const struct shown *shown = &place->shown[place->shown_next++];
	struct certificate *certificate = certificate_new();
	struct buf issuer = { 0 };
	uint64_t hash = hash_bytes(bytes_of(shown->name), 7);

	place->shown_next %= place->shown_count;
	verdict->tls.has_tls = true;
	verdict->tls.certificate = certificate;
	memcpy(certificate->sha256, &hash, sizeof(hash));
	certificate->not_after = shown->not_after;
	certificate->subject = strdup(place->name);
	/* An authority changes its intermediates at will. */
	buf_put_format(&issuer, "CN=R%u,O=%s,C=XX", (unsigned)(hash % 9), shown->authority);
	certificate->issuer = buf_take(&issuer);
}

static struct verdict *
verdict_of(struct world *world, const struct sim_probe *probe)
{
	struct verdict *verdict = verdict_new();
	struct place *place = &world->places[probe->server];

	if (!verdict)
		abort();
	verdict->is_void = probe->is_void;
	verdict->cause = probe->outcome.cause;
	verdict->stage = probe->outcome.stage;
	verdict->is_ok = verdict->cause == CAUSE_OK && probe->login != LOGIN_HELD;
	verdict->is_kept = verdict->is_ok && probe->may_keep && !probe->is_void;
	verdict->login = probe->login;
	if (probe->is_void && probe->is_sent)
		verdict->login = LOGIN_UNJUDGED;
	verdict->has_fingerprint = true;
	verdict->fingerprint = probe->fingerprint;
	if (cause_has(verdict->cause, CAUSE_WAIT))
		verdict->wait_us = place->wait_us;
	if (verdict->cause == CAUSE_LOCAL_LIMIT)
		verdict->lack = LACK_ADDRESS;
	if (place->shown_count > 0 && verdict->stage > STAGE_TLS)
		put_certificate(verdict, place);
	verdict->began = probe->began;
	verdict->ended = world_wall(world);
	return verdict;
}

static void
probe_gone(struct world *world, struct sim_probe *probe)
{
	if (probe->is_connected) {
		world->sites[world->places[probe->server].site].open--;
		world->places[probe->server].open--;
	}
	world->people[probe->person].in_flight[probe->side] = 0;
	HASH_DEL(world->probes, probe);
	free(probe);
}

void
probe_end(struct world *world, struct sim_probe *probe)
{
	struct verdict *verdict = verdict_of(world, probe);
	uint64_t token = probe->token;

	if (verdict->is_kept)
		session_keep(world, probe);
	probe_gone(world, probe);
	watch_verdict(world->watch, world_mono(world), world_wall(world), token, verdict);
	daemon_carry_out(world);
}

void
daemon_carry_out(struct world *world)
{
	struct watch_command command;

	while (watch_next(world->watch, &command)) {
		switch (command.kind) {
		case WATCH_PROBE:
			probe_start(world, &command);
			break;
		case WATCH_CONNECT:
			probe_place(world, command.token, command.is_allowed);
			break;
		case WATCH_PART:
			session_part(world, command.token);
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

/* The caller's (free()). */
static struct watch_server *
known_servers(const struct world *world)
{
	const struct watch_limits *limits = &world->settings.limits;
	size_t count = SIDE_COUNT * world->settings.known;
	struct watch_server *servers = calloc(count + 1, sizeof(*servers));

	if (!servers)
		abort();
	for (size_t i = 0; i < count; i++)
		servers[i] = (struct watch_server){ world->places[i].name, limits->connections,
			limits->logins_per_minute, true };
	return servers;
}

static void
configure(struct world *world)
{
	uint32_t count = world->person_count;
	struct watch_mailbox *mailboxes = calloc(count + 1, sizeof(*mailboxes));
	struct watch_server *servers = known_servers(world);
	struct watch_settings settings = { .limits = world->settings.limits,
		.mailboxes = mailboxes,
		.servers = servers,
		.server_count = SIDE_COUNT * world->settings.known };
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
			if (side == SIDE_SMTP)
				mailbox->sides[side].rules.keep_us = 0;
			person->is_changed[side] = false;
		}
	}
	if (watch_configure(world->watch, world_mono(world), world_wall(world), &settings,
		    &changes) != ERR_OK)
		abort();
	free(mailboxes);
	free(servers);
	daemon_carry_out(world);
}

void
daemon_start(struct world *world, bool was_clean)
{
	uint8_t seed[32];
	struct row *row, *next;
	struct fault why;

	world->life++;
	for (size_t i = 0; i < sizeof(seed); i++)
		seed[i] = (uint8_t)world_chance(world);
	if (watch_new(seed, &world->watch) != ERR_OK)
		abort();
	HASH_ITER (hh, world->rows, row, next) {
		if (watch_restore(world->watch, row->kind, bytes_of(row->key + 1),
			    bytes_of(row->value), &why) != ERR_OK)
			world_breaks(world, why.text, row->key);
	}
	watch_restored(world->watch, was_clean, world->newest);
	configure(world);
}

void
daemon_gone(struct world *world)
{
	struct sim_probe *probe, *next;

	sessions_clear(world);
	HASH_ITER (hh, world->probes, probe, next) {
		if (probe->item)
			item_end(world, probe->item);
		probe_gone(world, probe);
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
	watch_end(world->watch, world_wall(world));
	daemon_carry_out(world);
	daemon_commit(world);
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
world_reboot(struct world *world)
{
	daemon_gone(world);
	world->settings.mono_us = -world->real_us;
	daemon_start(world, false);
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
