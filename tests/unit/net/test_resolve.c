/* test_resolve.c: what name servers say and do not say (H3-01 to H3-13), against one of our own on
 * loopback. */
#include "../unit.h"

#include "base/time.h"
#include "net/resolve.h"

#include "responder.h"

#include <event2/event.h>

struct asked {
	struct event_base *base;
	struct resolve_answer answer;
	size_t calls;
	size_t wanted;
};

static void
on_answer(void *owner, const struct resolve_answer *answer)
{
	struct asked *asked = owner;

	asked->answer = *answer;
	if (++asked->calls >= asked->wanted)
		event_base_loopbreak(asked->base);
}

static const struct responder_row rows[] = {
	{ "good.test", 1, 0, "192.0.2.1 192.0.2.2", NULL },
	{ "good.test", 28, 0, "2001:db8::1", NULL },
	{ "four.test", 1, 0, "192.0.2.4", NULL },
	{ "four.test", 28, 0, NULL, NULL },
	{ "servfail.test", 0, 2, NULL, NULL },
	{ "refused.test", 0, 5, NULL, NULL },
	{ "notimp.test", 0, 4, NULL, NULL },
	{ "silent.test", 0, -1, NULL, NULL },
	{ "self.test", 0, 0, NULL, "self.test" },
	{ "alias.test", 1, 0, NULL, "nothing.test" },
	{ "search.corp.test", 0, 0, "192.0.2.9", NULL },
	{ NULL, 0, 0, NULL, NULL },
};

struct world {
	struct event_base *base;
	struct responder *responder;
	struct resolver *resolver;
	char servers[64];
};

static void
world_begin(struct world *world)
{
	int port;

	world->base = event_base_new();
	world->responder = responder_start(rows, &port);
	snprintf(world->servers, sizeof(world->servers), "127.0.0.1:%d", port);
	assert_ok(resolver_new(world->base, world->servers, &world->resolver));
}

static void
world_end(struct world *world)
{
	resolver_free(world->resolver);
	responder_stop(world->responder);
	event_base_free(world->base);
}

static struct resolve_answer
ask(struct event_base *base, struct resolver *resolver, const char *host, enum family family)
{
	struct asked asked = { .base = base, .wanted = 1 };
	struct resolve_query *query;

	assert_ok(resolve_start(resolver, host, family, on_answer, &asked, &query));
	assert_int_equal(asked.calls, 0); /* never from inside */
	event_base_dispatch(base);
	assert_int_equal(asked.calls, 1);
	return asked.answer;
}

static void
test_answers_are_told_apart(void **state)
{
	static const struct {
		const char *name;
		const char *host;
		enum family family;
		enum resolve_outcome outcome;
		size_t count;
		size_t queries;
	} cases[] = {
		{ .name = "addresses", "good.test", FAMILY_IPV4, RESOLVE_FOUND, 2, 1 },
		{ .name = "IPv6", "good.test", FAMILY_IPV6, RESOLVE_FOUND, 1, 1 },
		{ .name = "H3-01 no such name", "none.test", FAMILY_IPV4, RESOLVE_NO_NAME, 0, 1 },
		{ .name = "H3-01 no address", "four.test", FAMILY_IPV6, RESOLVE_NO_ADDRESS, 0, 1 },
		{ .name = "SERVFAIL, asked twice",
			"servfail.test",
			FAMILY_IPV4,
			RESOLVE_FAILED,
			0,
			2 },
		{ .name = "REFUSED, asked twice",
			"refused.test",
			FAMILY_IPV4,
			RESOLVE_FAILED,
			0,
			2 },
		{ .name = "NOTIMP, asked twice", "notimp.test", FAMILY_IPV4, RESOLVE_FAILED, 0, 2 },
		{ .name = "H3-04 a CNAME to itself",
			"self.test",
			FAMILY_IPV4,
			RESOLVE_NO_ADDRESS,
			0,
			1 },
		{ .name = "a CNAME to nothing",
			"alias.test",
			FAMILY_IPV4,
			RESOLVE_NO_ADDRESS,
			0,
			1 },
		{ .name = "H3-11 never searched", "search", FAMILY_IPV4, RESOLVE_NO_NAME, 0, 1 },
		{ .name = "no name", "", FAMILY_IPV4, RESOLVE_NO_NAME, 0, 0 },
		{ .name = "a literal", "192.0.2.7", FAMILY_IPV4, RESOLVE_FOUND, 1, 0 },
		{ .name = "a literal of the other family",
			"192.0.2.7",
			FAMILY_IPV6,
			RESOLVE_NO_ADDRESS,
			0,
			0 },
		{ .name = "an IPv6 literal", "2001:db8::7", FAMILY_IPV6, RESOLVE_FOUND, 1, 0 },
		{ .name = "labels that cannot be", "a..b", FAMILY_IPV4, RESOLVE_NO_NAME, 0, 0 },
		{ .name = "the hosts file", "localhost", FAMILY_IPV4, RESOLVE_FOUND, 1, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct world world;
		struct resolve_answer answer;

		unit_row(cases[i].name);
		world_begin(&world);
		answer = ask(world.base, world.resolver, cases[i].host, cases[i].family);
		assert_int_equal(answer.outcome, cases[i].outcome);
		assert_int_equal(answer.family, cases[i].family);
		if (strcmp(cases[i].host, "localhost") != 0)
			assert_int_equal(answer.count, cases[i].count);
		assert_int_equal(responder_queries(world.responder), cases[i].queries);
		world_end(&world);
	}
}

static void
test_a_dead_first_resolver_costs_its_second_once_H3_06(void **state)
{
	static const struct responder_row dead[] = {
		{ "good.test", 0, -1, NULL, NULL },
		{ NULL, 0, 0, NULL, NULL },
	};
	struct event_base *base = event_base_new();
	struct responder *first;
	struct responder *second;
	struct resolver *resolver;
	char servers[64];
	int ports[2];
	mono_t began;

	first = responder_start(dead, &ports[0]);
	second = responder_start(rows, &ports[1]);
	snprintf(servers, sizeof(servers), "127.0.0.1:%d,127.0.0.1:%d", ports[0], ports[1]);
	assert_ok(resolver_new(base, servers, &resolver));
	began = mono_now();
	assert_int_equal(ask(base, resolver, "good.test", FAMILY_IPV4).outcome, RESOLVE_FOUND);
	assert_in_range(mono_since(mono_now(), began), 900 * US_PER_MS, 3 * US_PER_S);
	for (int i = 0; i < 3; i++) {
		began = mono_now();
		assert_int_equal(
			ask(base, resolver, "good.test", FAMILY_IPV4).outcome, RESOLVE_FOUND);
		assert_in_range(mono_since(mono_now(), began), 0, 300 * US_PER_MS);
	}
	resolver_free(resolver);
	responder_stop(first);
	responder_stop(second);
	event_base_free(base);
}

static void
test_a_resolver_that_says_servfail_is_passed_over(void **state)
{
	static const struct responder_row broken[] = {
		{ "good.test", 0, 2, NULL, NULL },
		{ NULL, 0, 0, NULL, NULL },
	};
	struct event_base *base = event_base_new();
	struct responder *first;
	struct responder *second;
	struct resolver *resolver;
	char servers[64];
	int ports[2];

	first = responder_start(broken, &ports[0]);
	second = responder_start(rows, &ports[1]);
	snprintf(servers, sizeof(servers), "127.0.0.1:%d,127.0.0.1:%d", ports[0], ports[1]);
	assert_ok(resolver_new(base, servers, &resolver));
	assert_int_equal(ask(base, resolver, "good.test", FAMILY_IPV4).outcome, RESOLVE_FOUND);
	assert_int_equal(ask(base, resolver, "good.test", FAMILY_IPV4).outcome, RESOLVE_FOUND);
	assert_int_equal(responder_queries(first), 1);
	assert_int_equal(responder_queries(second), 2);
	resolver_free(resolver);
	responder_stop(first);
	responder_stop(second);
	event_base_free(base);
}

static void
test_a_late_answer_is_dropped_H3_07(void **state)
{
	struct world world;
	struct asked asked = { .wanted = 1 };
	char servers[80];
	struct resolve_query *query;

	world_begin(&world);
	asked.base = world.base;
	assert_ok(
		resolve_start(world.resolver, "good.test", FAMILY_IPV4, on_answer, &asked, &query));
	resolve_cancel(query);
	assert_ok(
		resolve_start(world.resolver, "192.0.2.1", FAMILY_IPV4, on_answer, &asked, &query));
	resolve_cancel(query); /* answered already, not told yet */
	assert_int_equal(
		ask(world.base, world.resolver, "good.test", FAMILY_IPV4).outcome, RESOLVE_FOUND);
	assert_int_equal(asked.calls, 0);
	/* In flight while the resolver goes: by reload, by the end. */
	assert_ok(resolve_start(
		world.resolver, "silent.test", FAMILY_IPV4, on_answer, &asked, &query));
	snprintf(servers, sizeof(servers), "%s,127.0.0.1:9", world.servers);
	assert_ok(resolver_reconfigure(world.resolver, servers));
	assert_ok(resolve_start(
		world.resolver, "silent.test", FAMILY_IPV6, on_answer, &asked, &query));
	event_base_loop(world.base, EVLOOP_NONBLOCK);
	world_end(&world);
	assert_int_equal(asked.calls, 0);
}

static void
test_a_server_that_moved_is_found_whatever_the_TTL_says_H3_12(void **state)
{
	static const struct responder_row moved[] = {
		{ "good.test", 1, 0, "192.0.2.77", NULL },
		{ NULL, 0, 0, NULL, NULL },
	};
	struct resolve_answer answer;
	struct world world;

	world_begin(&world);
	assert_int_equal(ask(world.base, world.resolver, "good.test", FAMILY_IPV4).count, 2);
	responder_say(world.responder, moved);
	answer = ask(world.base, world.resolver, "good.test", FAMILY_IPV4);
	assert_int_equal(answer.count, 1);
	assert_int_equal(ntohl(answer.addresses[0].is.ipv4.sin_addr.s_addr), 0xc000024d);
	world_end(&world);
}

static void
test_other_resolvers_are_asked_after_a_reload(void **state)
{
	static const struct responder_row moved[] = {
		{ "good.test", 1, 0, "192.0.2.77", NULL },
		{ NULL, 0, 0, NULL, NULL },
	};
	struct world world;
	struct responder *other;
	char servers[64];
	int port;

	world_begin(&world);
	assert_int_equal(ask(world.base, world.resolver, "good.test", FAMILY_IPV4).count, 2);
	other = responder_start(moved, &port);
	snprintf(servers, sizeof(servers), "127.0.0.1:%d", port);
	assert_ok(resolver_reconfigure(world.resolver, servers));
	assert_int_equal(ask(world.base, world.resolver, "good.test", FAMILY_IPV4).count, 1);
	assert_err_equal(resolver_reconfigure(world.resolver, "nonsense"), ERR_INVALID);
	assert_int_equal(ask(world.base, world.resolver, "good.test", FAMILY_IPV4).count, 1);
	responder_stop(other);
	world_end(&world);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_answers_are_told_apart),
	cmocka_unit_test(test_a_dead_first_resolver_costs_its_second_once_H3_06),
	cmocka_unit_test(test_a_resolver_that_says_servfail_is_passed_over),
	cmocka_unit_test(test_a_late_answer_is_dropped_H3_07),
	cmocka_unit_test(test_a_server_that_moved_is_found_whatever_the_TTL_says_H3_12),
	cmocka_unit_test(test_other_resolvers_are_asked_after_a_reload),
};

UNIT_MAIN(tests)
