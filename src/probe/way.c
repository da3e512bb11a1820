/*
 * way.c: connect.c, and tunnel.c behind it where there is a proxy. Layer: probe.
 */
#include "probe/way.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/tunnel.h"

struct way {
	struct event_base *base;
	const struct endpoint *endpoint;
	uint16_t port;
	struct way_calls calls;
	void *owner;
	struct connecting *connecting; /* then */
	struct tunnel *tunnel;
};

static void
tell(struct way *way, const struct way_end *end)
{
	struct way_calls calls = way->calls;
	void *owner = way->owner;

	free(way);
	calls.ended(owner, end);
}

/* H3-23: what the proxy does says nothing of the server. */
static void
proxy_failed(const struct way *way, const char *why, struct way_end *end)
{
	const struct proxy *proxy = &way->endpoint->proxy;

	*end = (struct way_end){ .cause = CAUSE_PROXY_FAILED, .stage = STAGE_CONNECT, .fd = -1 };
	snprintf(end->detail, sizeof(end->detail), "proxy %s:%u: %s", proxy->host,
		(unsigned)proxy->port, why);
}

static void
on_resolved(void *owner)
{
	struct way *way = owner;

	way->calls.resolved(way->owner);
}

static bool
on_may_try(void *owner, const struct address *address)
{
	struct way *way = owner;

	return !way->calls.may_try || way->endpoint->proxy.kind != PROXY_NONE ||
	       way->calls.may_try(way->owner, address);
}

static void
on_tunnel_opened(void *owner, int fd)
{
	struct way_end end = { .cause = CAUSE_OK, .stage = STAGE_CONNECT, .fd = fd };

	tell(owner, &end);
}

static void
on_tunnel_failed(void *owner, const char *why)
{
	struct way_end end;

	proxy_failed(owner, why, &end);
	tell(owner, &end);
}

static void
start_tunnel(struct way *way, int fd)
{
	static const struct tunnel_calls calls = { on_tunnel_opened, on_tunnel_failed };
	struct way_end end = { .cause = CAUSE_LOCAL_LIMIT,
		.stage = STAGE_CONNECT,
		.fd = -1,
		.detail = "out of memory" };
	enum err err = tunnel_start(way->base, fd, &way->endpoint->proxy, way->endpoint->host,
		way->port, &calls, way, &way->tunnel);

	if (err == ERR_OK)
		return;
	close(fd);
	if (err == ERR_LIMIT)
		proxy_failed(
			way, "the host, the user name or the password is too long for it", &end);
	tell(way, &end);
}

static void
end_of(const struct way *way, const struct connect_result *result, struct way_end *end)
{
	if (way->endpoint->proxy.kind != PROXY_NONE && result->cause != CAUSE_OK &&
		result->lack == LACK_NONE) {
		proxy_failed(way,
			result->detail[0] != '\0' ? result->detail
						  : cause_row(result->cause)->means,
			end);
		return;
	}
	*end = (struct way_end){
		.cause = result->cause,
		.stage = result->stage,
		.lack = result->lack,
		.fd = result->fd,
		.has_address = result->has_address,
		.address = result->address,
	};
	snprintf(end->detail, sizeof(end->detail), "%s", result->detail);
	snprintf(end->note, sizeof(end->note), "%s", result->note);
}

static void
on_connect_ended(void *owner, const struct connect_result *result)
{
	struct way *way = owner;
	struct way_end end;

	way->connecting = NULL;
	if (result->cause == CAUSE_OK && way->endpoint->proxy.kind != PROXY_NONE) {
		start_tunnel(way, result->fd);
		return;
	}
	end_of(way, result, &end);
	tell(way, &end);
}

enum err
way_start(struct event_base *base, struct resolver *resolver, const struct endpoint *endpoint,
	uint16_t port, bool is_ipv4_first, const struct way_calls *calls, void *owner,
	struct way **out)
{
	static const struct connect_calls connect_calls = {
		.resolved = on_resolved, .may_try = on_may_try, .ended = on_connect_ended
	};
	const struct proxy *proxy = &endpoint->proxy;
	struct address source;
	struct connect_to to = {
		.host = proxy->kind == PROXY_NONE ? endpoint->host : proxy->host,
		.port = proxy->kind == PROXY_NONE ? port : proxy->port,
		.family = endpoint->family,
		.is_ipv4_first = is_ipv4_first,
		/* A proxy is the settings' own, and it alone knows what a name leads to. */
		.deny = proxy->kind == PROXY_NONE ? &endpoint->deny : NULL,
	};
	struct way *way = calloc(1, sizeof(*way));

	if (!way)
		return ERR_MEMORY;
	way->base = base;
	way->endpoint = endpoint;
	way->port = port;
	way->calls = *calls;
	way->owner = owner;
	if (endpoint->source_address &&
		address_parse(endpoint->source_address, &source) == ERR_OK) /* config saw to it */
		to.source = &source;
	if (connect_start(base, resolver, &to, &connect_calls, way, &way->connecting) != ERR_OK) {
		free(way);
		return ERR_MEMORY;
	}
	*out = way;
	return ERR_OK;
}

void
way_go(struct way *way)
{
	connect_go(way->connecting);
}

void
way_give_up(struct way *way, struct way_end *end)
{
	struct connect_result result;

	if (way->connecting) {
		connect_give_up(way->connecting, &result);
		end_of(way, &result, end);
	} else {
		tunnel_cancel(way->tunnel);
		proxy_failed(way, "no whole answer", end);
	}
	free(way);
}

void
way_cancel(struct way *way)
{
	if (!way)
		return;
	if (way->connecting)
		connect_cancel(way->connecting);
	tunnel_cancel(way->tunnel);
	free(way);
}
