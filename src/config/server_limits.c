/*
 * server_limits.c: what each server bears: as `servers` says, else as the table of providers knows
 * it, else as `limits` says for all. Layer: config.
 */
#include <stdlib.h>

#include "config/load.h"
#include "diagnose/providers.h"

/* Contract 3: of hosts that the table marks large. */
#define LARGE_CONNECTIONS 64
#define LARGE_LOGINS 1200

struct limiting {
	struct load *load;
	struct watch_server *servers; /* the first of a host counts */
	size_t count;
	size_t room;
};

/* What limits says by itself stands above the table's "large", which is but a default; a
 * provider's own limit is kept whatever limits says. */
static struct watch_server
limits_of(const struct load *load, const struct provider *provider)
{
	const struct scope *limits = &load->limits;
	const struct scopes scopes = { { limits } };
	struct watch_server made = {
		.connections = (unsigned)scopes_number(&scopes, SETTING_CONNECTIONS),
		.logins_per_minute = (unsigned)scopes_number(&scopes, SETTING_LOGINS_PER_MINUTE),
	};

	if (!provider)
		return made;
	if (provider->is_large && !limits->slots[SETTING_CONNECTIONS].at)
		made.connections = LARGE_CONNECTIONS;
	if (provider->is_large && !limits->slots[SETTING_LOGINS_PER_MINUTE].at)
		made.logins_per_minute = LARGE_LOGINS;
	if (provider->logins_per_minute && provider->logins_per_minute < made.logins_per_minute)
		made.logins_per_minute = provider->logins_per_minute;
	return made;
}

static void
add(struct limiting *limiting, struct bytes host, struct watch_server server)
{
	if (limiting->count == limiting->room) {
		size_t room = limiting->room ? 2 * limiting->room : 256;
		struct watch_server *grown = reallocarray(limiting->servers, room, sizeof(*grown));

		if (!grown) {
			limiting->load->is_out_of_memory = true;
			return;
		}
		limiting->servers = grown;
		limiting->room = room;
	}
	server.host = bytes_copy(host);
	if (!server.host)
		limiting->load->is_out_of_memory = true;
	else
		limiting->servers[limiting->count++] = server;
}

static void
add_set(struct limiting *limiting, const struct server_scope *set)
{
	const struct slot *connections = &set->scope.slots[SETTING_CONNECTIONS];
	const struct slot *logins = &set->scope.slots[SETTING_LOGINS_PER_MINUTE];
	const struct provider *provider = providers_of_host(
		limiting->load->settings->providers, bytes_of(set->host), BYTES_NONE);
	struct watch_server server = limits_of(limiting->load, provider);

	if (!connections->at && !logins->at)
		return;
	if (connections->at)
		server.connections = (unsigned)connections->number;
	if (logins->at)
		server.logins_per_minute = (unsigned)logins->number;
	server.is_known = provider != NULL;
	add(limiting, bytes_of(set->host), server);
}

static void
add_known(struct limiting *limiting)
{
	const struct provider_index *hosts = &limiting->load->settings->providers->hosts;

	for (size_t i = 0; i < hosts->count && !limiting->load->is_out_of_memory; i++) {
		struct watch_server server = limits_of(limiting->load, hosts->keys[i].provider);

		if (i > 0 && bytes_equal(hosts->keys[i].name, hosts->keys[i - 1].name))
			continue;
		server.is_known = true;
		add(limiting, hosts->keys[i].name, server);
	}
}

/* Servers whose provider has limits of its own, where it has no hosts by which they are known. */
static void
add_named(struct limiting *limiting)
{
	const struct settings *settings = limiting->load->settings;

	for (size_t i = 0; i < settings->mailbox_count; i++) {
		for (size_t side = 0; side < SIDE_COUNT; side++) {
			const struct endpoint *endpoint = settings->mailboxes[i].sides[side];

			if (!endpoint || !endpoint->host || !endpoint->provider ||
				endpoint->provider->logins_per_minute == 0 ||
				limiting->load->is_out_of_memory)
				continue;
			add(limiting, bytes_of(endpoint->host),
				limits_of(limiting->load, endpoint->provider));
		}
	}
}

static int
compare(const void *a, const void *b)
{
	return strcmp(
		((const struct watch_server *)a)->host, ((const struct watch_server *)b)->host);
}

/* glibc's is a merge sort: what came first stays in front. */
static void
sort_once(struct limiting *limiting)
{
	struct watch_server *servers = limiting->servers;
	size_t kept = 0;

	if (limiting->count > 1)
		qsort(servers, limiting->count, sizeof(*servers), compare);
	for (size_t i = 0; i < limiting->count; i++) {
		if (kept > 0 && strcmp(servers[kept - 1].host, servers[i].host) == 0)
			free((char *)servers[i].host);
		else
			servers[kept++] = servers[i];
	}
	limiting->count = kept;
}

void
load_server_limits(struct load *load)
{
	struct limiting limiting = { .load = load };

	for (size_t i = 0; i < load->server_count && !load->is_out_of_memory; i++)
		add_set(&limiting, load->servers[i]);
	add_known(&limiting);
	add_named(&limiting);
	sort_once(&limiting);
	load->settings->servers = limiting.servers;
	load->settings->server_count = limiting.count;
}
