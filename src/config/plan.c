/*
 * plan.c: what the settings come to: logins a day, probes a minute, intervals that result, memory.
 * Layer: config.
 */
#include <stdio.h>
#include <stdlib.h>

#include "config/load.h"

#define MOST_LISTED ((size_t)40)
/* design.md 4, seen: the program at rest, a mailbox, a probe in its handshake. */
#define BASE_KIB 12288
#define MAILBOX_KIB 3
#define PROBE_KIB 44
#define KEPT_KIB 35

struct server_plan {
	const char *host;
	unsigned logins_per_minute; /* the budget */
	unsigned connections;
	size_t endpoints;
	double probes;	/* per minute, as set */
	double logins;	/* of these */
	double stretch; /* 1: none */
	bool is_reviewed;
	bool is_by_connections;
	/* Those with kept sessions: all of them, and what they would come to. */
	size_t keepers;
	double keeper_probes;	/* per minute */
	double keeper_renewals; /* per minute, where all are kept */
	double kept;		/* which share stays kept from probe to probe */
};

struct plan {
	const struct settings *settings;
	struct server_plan *servers; /* sorted by host */
	size_t server_count;
	double stretch; /* by limits.in_flight, on top of each server's; 1: none */
};

static int
compare_hosts(const void *a, const void *b)
{
	return strcmp(((const struct server_plan *)a)->host, ((const struct server_plan *)b)->host);
}

static struct server_plan *
find_server(const struct plan *plan, const char *host)
{
	struct server_plan key = { .host = host };

	return bsearch(&key, plan->servers, plan->server_count, sizeof(key), compare_hosts);
}

static double
per_minute(const struct mailbox_settings *mailbox, size_t side)
{
	return (double)US_PER_M / (double)mailbox->rules[side].interval_us;
}

/* Is its session to be kept? */
static bool
is_keeper(const struct mailbox_settings *mailbox, size_t side)
{
	return mailbox->accounts[side] && watch_session_us(&mailbox->rules[side]) > 0;
}

/* So many sessions at a time. */
static size_t
most_kept(const struct server_plan *server)
{
	return server->keepers < server->connections ? server->keepers : server->connections;
}

/* One row for each host that endpoints name. */
static void
collect_hosts(struct plan *plan)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->settings->mailbox_count; i++) {
		for (size_t side = 0; side < SIDE_COUNT; side++) {
			if (plan->settings->mailboxes[i].sides[side])
				plan->servers[count++].host =
					plan->settings->mailboxes[i].sides[side]->host;
		}
	}
	if (count > 1)
		qsort(plan->servers, count, sizeof(*plan->servers), compare_hosts);
	for (size_t i = 0; i < count; i++) {
		if (plan->server_count == 0 || strcmp(plan->servers[plan->server_count - 1].host,
						       plan->servers[i].host) != 0)
			plan->servers[plan->server_count++] = (struct server_plan){
				.host = plan->servers[i].host,
				.logins_per_minute = plan->settings->limits.logins_per_minute,
				.connections = plan->settings->limits.connections,
				.stretch = 1,
			};
	}
}

static void
add_endpoint(struct server_plan *server, const struct mailbox_settings *mailbox, enum side side)
{
	server->endpoints++;
	server->probes += per_minute(mailbox, side);
	if (mailbox->accounts[side])
		server->logins += per_minute(mailbox, side);
	if (!is_keeper(mailbox, side))
		return;
	server->keepers++;
	server->keeper_probes += per_minute(mailbox, side);
	server->keeper_renewals +=
		(double)US_PER_M / (double)watch_session_us(&mailbox->rules[side]);
}

/* As watch/kept.c: where not all find room one connection goes from hand to hand, and the sessions
 * on the others stay. */
static void
share_connections(struct server_plan *server)
{
	size_t others = server->endpoints - server->keepers;
	size_t room = server->connections;
	struct watch_load load;

	if (server->keepers + (others > 0) > room)
		room--;
	if (server->keepers > 0)
		server->kept = room < server->keepers ? (double)room / (double)server->keepers : 1;
	server->logins -= server->kept * (server->keeper_probes - server->keeper_renewals);
	load = (struct watch_load){
		.probes_per_s = server->probes / 60,
		.logins_per_s = server->logins / 60,
		.probe_us = WATCH_PROBE_USUAL_US,
		.connections = server->connections,
		.logins_per_minute = server->logins_per_minute,
	};
	server->stretch = watch_stretch(&load, &server->is_by_connections);
}

/* Per minute, as the server's own limits allow. */
static double
probes_of(const struct server_plan *server)
{
	double kept = server->kept * server->keeper_probes;

	return (server->probes - kept) / server->stretch + kept;
}

static void
add_load(struct plan *plan)
{
	double at_once = 0;

	for (size_t i = 0; i < plan->settings->server_count; i++) {
		struct server_plan *server = find_server(plan, plan->settings->servers[i].host);

		if (!server)
			continue;
		server->logins_per_minute = plan->settings->servers[i].logins_per_minute;
		server->connections = plan->settings->servers[i].connections;
	}
	for (size_t i = 0; i < plan->settings->mailbox_count; i++) {
		const struct mailbox_settings *mailbox = &plan->settings->mailboxes[i];

		for (size_t side = 0; mailbox->is_enabled && side < SIDE_COUNT; side++) {
			if (mailbox->sides[side])
				add_endpoint(find_server(plan, mailbox->sides[side]->host), mailbox,
					(enum side)side);
		}
	}
	for (size_t i = 0; i < plan->server_count; i++) {
		share_connections(&plan->servers[i]);
		at_once += probes_of(&plan->servers[i]) / 60 * WATCH_PROBE_USUAL_US / US_PER_S;
	}
	plan->stretch = watch_stretch_at_once(at_once, plan->settings->limits.in_flight);
}

/* Of one endpoint, in a day: with kept sessions the mean of the kept and the fresh. */
static double
logins_a_day(const struct plan *plan, const struct mailbox_settings *mailbox, size_t side)
{
	const struct server_plan *server = find_server(plan, mailbox->sides[side]->host);
	double logins = per_minute(mailbox, side) * 1440, renewals;

	if (is_keeper(mailbox, side)) {
		renewals = (double)US_PER_D / (double)watch_session_us(&mailbox->rules[side]);
		logins += server->kept * (renewals - logins);
	}
	return logins / server->stretch / plan->stretch;
}

/* Whole seconds: a plan is no clock. */
static void
put_interval(struct buf *out, double us)
{
	int64_t whole = (int64_t)us;

	duration_put(out,
		whole < US_PER_M ? whole / US_PER_MS * US_PER_MS : whole / US_PER_S * US_PER_S);
}

static void
put_server(struct buf *out, const struct plan *plan, const struct server_plan *server)
{
	buf_put_format(out,
		"  %s: %zu endpoint%s, %.1f probes a minute, %.1f logins a minute of %u",
		server->host, server->endpoints, server->endpoints == 1 ? "" : "s",
		probes_of(server) / plan->stretch, server->logins / server->stretch / plan->stretch,
		server->logins_per_minute);
	if (server->keepers > 0)
		buf_put_format(out, "; at most %zu session%s kept, %zu will be fresh",
			most_kept(server), most_kept(server) == 1 ? "" : "s",
			server->keepers - most_kept(server));
	if (server->stretch > 1)
		buf_put_format(out, "; intervals stretched %.2f times by %s", server->stretch,
			server->is_by_connections ? "connections" : "logins_per_minute");
	buf_put_byte(out, '\n');
}

static void
put_side(struct buf *out, const struct plan *plan, const struct mailbox_settings *mailbox,
	enum side side)
{
	const struct endpoint *endpoint = mailbox->sides[side];
	const struct server_plan *server = find_server(plan, endpoint->host);
	bool is_kept = is_keeper(mailbox, side);
	double stretch = (is_kept && server->kept == 1 ? 1 : server->stretch) * plan->stretch;
	double interval_us = (double)mailbox->rules[side].interval_us * stretch;

	buf_put_format(out, "%s %s:%u %s every ", side_name(side), endpoint->host, endpoint->port,
		security_name(endpoint->security));
	put_interval(out, (double)mailbox->rules[side].interval_us);
	if (stretch > 1) {
		buf_put_string(out, ", stretched to ");
		put_interval(out, interval_us);
	}
	if (is_kept) {
		buf_put_string(out, ", session kept for ");
		put_interval(out, (double)mailbox->rules[side].keep_us);
	}
	if (mailbox->accounts[side])
		buf_put_format(out, ", %.0f logins a day", logins_a_day(plan, mailbox, side));
	else
		buf_put_string(out, ", no logins");
}

static void
put_mailbox(struct buf *out, const struct plan *plan, const struct mailbox_settings *mailbox)
{
	const char *between = "";

	buf_put_format(out, "  %s: ", mailbox->name);
	if (!mailbox->is_enabled)
		buf_put_string(out, "paused (enabled = false); ");
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		if (!mailbox->sides[side])
			continue;
		buf_put_string(out, between);
		put_side(out, plan, mailbox, (enum side)side);
		between = "; ";
	}
	buf_put_byte(out, '\n');
}

static int
compare_load(const void *a, const void *b)
{
	const struct server_plan *one = *(struct server_plan *const *)a,
				 *other = *(struct server_plan *const *)b;

	if (one->stretch != other->stretch)
		return one->stretch < other->stretch ? 1 : -1;
	if (one->probes != other->probes)
		return one->probes < other->probes ? 1 : -1;
	return strcmp(one->host, other->host);
}

/* The most stretched and busiest first. */
static void
put_servers(struct buf *out, const struct plan *plan)
{
	struct server_plan **order = calloc(plan->server_count + 1, sizeof(*order));
	size_t listed = plan->server_count < MOST_LISTED ? plan->server_count : MOST_LISTED;
	size_t stretched = 0;
	double probes = 0;

	if (!order) {
		out->is_failed = true;
		return;
	}
	for (size_t i = 0; i < plan->server_count; i++)
		order[i] = &plan->servers[i];
	qsort(order, plan->server_count, sizeof(*order), compare_load);
	buf_put_format(out, "servers:\n");
	for (size_t i = 0; i < listed; i++) {
		if (order[i]->endpoints > 0)
			put_server(out, plan, order[i]);
	}
	for (size_t i = listed; i < plan->server_count; i++) {
		probes += probes_of(order[i]) / plan->stretch;
		stretched += order[i]->stretch > 1;
	}
	if (listed < plan->server_count)
		buf_put_format(out, "  and %zu more: %.1f probes a minute, %zu of them stretched\n",
			plan->server_count - listed, probes, stretched);
	free(order);
}

static void
put_mailboxes(struct buf *out, const struct plan *plan)
{
	size_t count = plan->settings->mailbox_count,
	       listed = count < MOST_LISTED ? count : MOST_LISTED;
	double logins[SIDE_COUNT] = { 0 };

	buf_put_format(out, "mailboxes:\n");
	for (size_t i = 0; i < listed; i++)
		put_mailbox(out, plan, &plan->settings->mailboxes[i]);
	for (size_t i = listed; i < count; i++) {
		const struct mailbox_settings *mailbox = &plan->settings->mailboxes[i];

		for (size_t side = 0; mailbox->is_enabled && side < SIDE_COUNT; side++) {
			if (mailbox->accounts[side])
				logins[side] += logins_a_day(plan, mailbox, side);
		}
	}
	if (listed < count)
		buf_put_format(out, "  and %zu more: %.0f logins a day by smtp, %.0f by imap\n",
			count - listed, logins[SIDE_SMTP], logins[SIDE_IMAP]);
}

/* Probes at a time: as many as begin within ten seconds, a slow probe's time, and never more than
 * in_flight. */
static void
put_memory(struct buf *out, const struct plan *plan)
{
	const struct settings *settings = plan->settings;
	double probes = 0, at_once;
	size_t kept = 0;

	for (size_t i = 0; i < plan->server_count; i++) {
		probes += probes_of(&plan->servers[i]) / plan->stretch;
		kept += most_kept(&plan->servers[i]);
	}
	at_once = probes / 6 + 1;
	if (at_once > settings->limits.in_flight)
		at_once = settings->limits.in_flight;
	buf_put_format(out, "in all: %.1f probes a minute", probes);
	if (plan->stretch > 1)
		buf_put_format(out, "; intervals stretched %.2f times by in_flight", plan->stretch);
	buf_put_format(out, "; memory about %.0f MiB\n",
		(BASE_KIB + MAILBOX_KIB * (double)settings->mailbox_count + PROBE_KIB * at_once +
			KEPT_KIB * (double)kept) /
				1024 +
			0.5);
}

/* plan->servers is the caller's (free()). ERR_MEMORY */
static enum err
plan_make(struct plan *plan, const struct settings *settings)
{
	*plan = (struct plan){ .settings = settings };
	plan->servers = calloc(settings->mailbox_count * SIDE_COUNT + 1, sizeof(*plan->servers));
	if (!plan->servers)
		return ERR_MEMORY;
	collect_hosts(plan);
	add_load(plan);
	return ERR_OK;
}

void
settings_put_plan(struct buf *out, const struct settings *settings)
{
	struct plan plan;
	size_t enabled = 0;

	for (size_t i = 0; i < settings->mailbox_count; i++)
		enabled += settings->mailboxes[i].is_enabled;
	buf_put_format(out, "%zu mailbox%s", settings->mailbox_count,
		settings->mailbox_count == 1 ? "" : "es");
	if (enabled < settings->mailbox_count)
		buf_put_format(out, ", %zu of them paused", settings->mailbox_count - enabled);
	buf_put_byte(out, '\n');
	if (settings->mailbox_count == 0)
		return;
	if (plan_make(&plan, settings) != ERR_OK) {
		out->is_failed = true;
		return;
	}
	put_servers(out, &plan);
	put_mailboxes(out, &plan);
	put_memory(out, &plan);
	free(plan.servers);
}

/* ---- more probes than limits allow */

struct stretched {
	struct complaints *complaints;
	const struct mailbox_settings *mailbox;
};

static void
on_stretched(void *owner, const struct review_item *item)
{
	const struct stretched *stretched = owner;
	const struct mailbox_settings *mailbox = stretched->mailbox;
	const char *name = strchr(item->setting, '.');
	char path[128];

	if (strcmp(name, ".interval") != 0)
		return; /* told when the mailbox was loaded */
	snprintf(path, sizeof(path), "mailboxes.%s.%s", mailbox->name, item->setting);
	complaint_note(stretched->complaints, true, (struct place){ mailbox->file, mailbox->line },
		path, "%s: %s", path, item->message);
}

/* Told once for each server, at the first mailbox that names it. */
enum err
plan_review(const struct settings *settings, struct complaints *complaints)
{
	struct plan plan;

	if (plan_make(&plan, settings) != ERR_OK)
		return ERR_MEMORY;
	for (size_t i = 0; i < settings->mailbox_count; i++) {
		struct stretched stretched = { complaints, &settings->mailboxes[i] };
		struct review_mailbox mailbox;
		bool is_any = false;

		settings_for_review(stretched.mailbox, &mailbox);
		for (size_t side = 0; stretched.mailbox->is_enabled && side < SIDE_COUNT; side++) {
			const struct endpoint *endpoint = mailbox.sides[side].endpoint;
			struct server_plan *server =
				endpoint ? find_server(&plan, endpoint->host) : NULL;

			if (!server || server->stretch <= 1 || server->is_reviewed)
				continue;
			server->is_reviewed = is_any = true;
			mailbox.sides[side].stretched_us =
				(int64_t)((double)mailbox.sides[side].interval_us *
					  server->stretch);
		}
		if (is_any)
			review(&mailbox, on_stretched, &stretched);
	}
	free(plan.servers);
	return ERR_OK;
}
