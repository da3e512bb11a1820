/* test_connect.c: both families in steps, and what an errno means (H3-02 to H3-21). Loopback alone.
 */
#include "../unit.h"

#include "base/time.h"
#include "net/connect.h"

#include "responder.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct responder_row rows[] = {
	{ "aaaa-silent.test", 1, 0, "127.0.0.1", NULL },
	{ "aaaa-silent.test", 28, -1, NULL, NULL },
	{ "aaaa-broken.test", 1, 0, "127.0.0.1", NULL },
	{ "aaaa-broken.test", 28, 2, NULL, NULL },
	{ "half-broken.test", 1, 0, NULL, NULL },
	{ "half-broken.test", 28, 2, NULL, NULL },
	{ "none.test", 0, 0, NULL, NULL },
	{ "here.test", 1, 0, "0.0.0.0", NULL },
	{ "group.test", 1, 0, "224.0.0.1 255.255.255.255", NULL },
	{ "six.test", 28, 0, ":: ff02::1 ::ffff:0.0.0.0", NULL },
	{ "mixed.test", 1, 0, "0.0.0.0 127.0.0.1", NULL },
	{ "many.test", 1, 0,
		"127.0.1.1 127.0.1.2 127.0.1.3 127.0.1.4 127.0.1.5 127.0.1.6 127.0.1.7 127.0.1.8 "
		"127.0.1.9 "
		"127.0.1.10 127.0.1.11 127.0.1.12 127.0.1.13 127.0.1.14 127.0.1.15 127.0.1.16 "
		"127.0.1.17",
		NULL },
	{ "many.test", 28, 0, "::1", NULL },
	{ "full.test", 1, 0, "127.0.0.2 127.0.0.1", NULL },
	{ "full-refused.test", 1, 0, "127.0.0.2 127.0.0.3", NULL },
	{ "dual.test", 1, 0, "127.0.0.1", NULL },
	{ "dual.test", 28, 0, "::1", NULL },
	{ "noroute.test", 28, 0, "2001:db8::1", NULL },
	{ "inside.test", 1, 0, "127.0.0.1 10.0.0.1 169.254.169.254", NULL },
	{ "inside.test", 28, 0, "::1 ::ffff:127.0.0.1 64:ff9b::7f00:1 fe80::1", NULL },
	{ "beside.test", 1, 0, "127.0.0.2 127.0.0.1", NULL },
	{ "beside.test", 28, 0, "::1 ::ffff:127.0.0.2 64:ff9b::7f00:2", NULL },
	{ NULL, 0, 0, NULL, NULL },
};

struct world {
	struct event_base *base;
	struct responder *responder;
	struct resolver *resolver;
	struct connecting *connecting;
	struct connect_result result;
	bool is_ended;
	size_t resolved;
};

static void
on_resolved(void *owner)
{
	((struct world *)owner)->resolved++;
}

static void
on_ended(void *owner, const struct connect_result *result)
{
	struct world *world = owner;

	assert_false(world->is_ended);
	world->is_ended = true;
	world->result = *result;
	event_base_loopbreak(world->base);
}

static void
world_begin(struct world *world)
{
	char servers[64];
	int port;

	memset(world, 0, sizeof(*world));
	world->base = event_base_new();
	world->responder = responder_start(rows, &port);
	snprintf(servers, sizeof(servers), "127.0.0.1:%d", port);
	assert_ok(resolver_new(world->base, servers, &world->resolver));
}

static void
world_end(struct world *world)
{
	resolver_free(world->resolver);
	responder_stop(world->responder);
	event_base_free(world->base);
}

static void
on_over(evutil_socket_t fd, short what, void *owner)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(owner);
}

/* The loop turns for so long, or until it is broken. Leaves no timer behind. */
static void
turn(struct event_base *base, int64_t most_us)
{
	struct timeval most = { most_us / US_PER_S, most_us % US_PER_S };
	struct event *over = evtimer_new(base, on_over, base);

	event_add(over, &most);
	event_base_dispatch(base);
	event_free(over);
}

/* Connects, for at most so long; then gives up. */
static void
run_to(struct world *world, const struct connect_to *to, int64_t most_us)
{
	static const struct connect_calls calls = { .resolved = on_resolved, .ended = on_ended };

	world->is_ended = false;
	world->resolved = 0;
	assert_ok(
		connect_start(world->base, world->resolver, to, &calls, world, &world->connecting));
	assert_false(world->is_ended); /* never from inside */
	turn(world->base, most_us);
	if (!world->is_ended)
		connect_give_up(world->connecting, &world->result);
	if (world->result.fd != -1)
		close(world->result.fd);
}

static void
run(struct world *world, const char *host, uint16_t port, enum family family, int64_t most_us)
{
	struct connect_to to = { .host = host, .port = port, .family = family };

	run_to(world, &to, most_us);
}

static int
listen_at(const char *text, uint16_t *port, int backlog)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(*port) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	inet_pton(AF_INET, text, &address.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

/* A listener whose queue is full: further SYNs are dropped, as by a black hole. */
static int
listen_full(const char *text, uint16_t *port, int fillers[4])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = listen_at(text, port, 0);

	inet_pton(AF_INET, text, &address.sin_addr);
	address.sin_port = htons(*port);
	for (int i = 0; i < 4; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
	}
	usleep(50000);
	return fd;
}

static void
test_what_names_lead_to(void **state)
{
	static const struct {
		const char *name;
		const char *host;
		enum family family;
		enum cause cause;
		enum stage stage;
		int64_t most_us;
	} cases[] = {
		{ .name = "a literal", "127.0.0.1", FAMILY_ANY, CAUSE_OK, STAGE_CONNECT, US_PER_S },
		{ .name = "the hosts file",
			"localhost",
			FAMILY_IPV4,
			CAUSE_OK,
			STAGE_CONNECT,
			US_PER_S },
		{ .name = "H3-01 no name",
			"nowhere.test",
			FAMILY_ANY,
			CAUSE_DNS_NO_NAME,
			STAGE_DNS,
			US_PER_S },
		{ .name = "H3-01 no address",
			"none.test",
			FAMILY_ANY,
			CAUSE_DNS_NO_ADDRESS,
			STAGE_DNS,
			US_PER_S },
		{ .name = "H3-02 AAAA is dropped",
			"aaaa-silent.test",
			FAMILY_ANY,
			CAUSE_OK,
			STAGE_CONNECT,
			US_PER_S },
		{ .name = "H3-03 AAAA broken, A good",
			"aaaa-broken.test",
			FAMILY_ANY,
			CAUSE_OK,
			STAGE_CONNECT,
			US_PER_S },
		{ .name = "H3-03 AAAA broken, A empty",
			"half-broken.test",
			FAMILY_ANY,
			CAUSE_DNS_FAILED,
			STAGE_DNS,
			US_PER_S },
		{ .name = "H3-08 0.0.0.0",
			"here.test",
			FAMILY_ANY,
			CAUSE_UNREACHABLE,
			STAGE_CONNECT,
			US_PER_S },
		{ .name = "H3-08 0.0.0.0 as a literal",
			"0.0.0.0",
			FAMILY_ANY,
			CAUSE_UNREACHABLE,
			STAGE_CONNECT,
			US_PER_S },
		{ .name = "H3-08 multicast, broadcast",
			"group.test",
			FAMILY_ANY,
			CAUSE_UNREACHABLE,
			STAGE_CONNECT,
			US_PER_S },
		{ .name = "H3-08 IPv6",
			"six.test",
			FAMILY_ANY,
			CAUSE_UNREACHABLE,
			STAGE_CONNECT,
			US_PER_S },
		{ .name = "H3-08 beside a good one",
			"mixed.test",
			FAMILY_ANY,
			CAUSE_OK,
			STAGE_CONNECT,
			US_PER_S },
		{ .name = "H3-17 no IPv6 here",
			"noroute.test",
			FAMILY_IPV6,
			CAUSE_UNREACHABLE,
			STAGE_CONNECT,
			2 * US_PER_S },
		{ .name = "the other family alone",
			"127.0.0.1",
			FAMILY_IPV6,
			CAUSE_DNS_NO_ADDRESS,
			STAGE_DNS,
			US_PER_S },
	};
	struct world world;
	uint16_t port = 0;
	int fd = listen_at("0.0.0.0", &port, 64);

	world_begin(&world);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unit_row(cases[i].name);
		run(&world, cases[i].host, port, cases[i].family, cases[i].most_us);
		if (cases[i].cause != CAUSE_OK && cases[i].stage == STAGE_CONNECT &&
			world.result.cause == CAUSE_CONNECT_TIMEOUT &&
			cases[i].family == FAMILY_IPV6)
			continue; /* a machine with an IPv6 route to 2001:db8:: */
		assert_string_equal(cause_name(world.result.cause), cause_name(cases[i].cause));
		assert_int_equal(world.result.stage, cases[i].stage);
		assert_true(world.is_ended || cases[i].cause != CAUSE_OK);
	}
	close(fd);
	world_end(&world);
}

static void
test_what_is_denied_is_never_connected_to_H3_09(void **state)
{
	static const struct {
		const char *name, *host;
		const char *deny[4];
		enum cause cause;
		const char *address; /* connected to, or named */
	} cases[] = {
		{ "each of them", "inside.test", { "loopback", "linklocal", "private" },
			CAUSE_ADDRESS_DENIED, "127.0.0.1" },
		{ "a literal", "127.0.0.1", { "loopback" }, CAUSE_ADDRESS_DENIED, "127.0.0.1" },
		{ "the hosts file", "localhost", { "loopback" }, CAUSE_ADDRESS_DENIED, NULL },
		{ "mapped", "::ffff:127.0.0.1", { "127.0.0.0/8" }, CAUSE_ADDRESS_DENIED, NULL },
		{ "translated", "64:ff9b::7f00:1", { "127.0.0.1" }, CAUSE_ADDRESS_DENIED, NULL },
		{ "tunnelled", "2002:7f00:1::1", { "127.0.0.1" }, CAUSE_ADDRESS_DENIED, NULL },
		{ "beside one that is not", "beside.test", { "127.0.0.2/32", "::1" }, CAUSE_OK,
			"127.0.0.1" },
		{ "none", "127.0.0.1", { NULL }, CAUSE_OK, "127.0.0.1" },
		{ "others", "127.0.0.1", { "127.0.0.2", "private" }, CAUSE_OK, "127.0.0.1" },
	};
	struct world world;
	uint16_t port = 0;
	int fd = listen_at("0.0.0.0", &port, 64);

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	world_begin(&world);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct prefixes deny = { 0 };
		struct buf address = { 0 };
		int accepted;

		unit_row(cases[i].name);
		for (size_t k = 0; cases[i].deny[k]; k++)
			assert_ok(prefixes_add(&deny, bytes_of(cases[i].deny[k])));
		run_to(&world,
			&(struct connect_to){ .host = cases[i].host, .port = port, .deny = &deny },
			2 * US_PER_S);
		assert_string_equal(cause_name(world.result.cause), cause_name(cases[i].cause));
		assert_int_equal(world.result.stage, STAGE_CONNECT);
		address_put(&address, &world.result.address);
		if (cases[i].address && cases[i].cause == CAUSE_OK)
			assert_string_equal(address.at, cases[i].address);
		else if (cases[i].address)
			assert_non_null(strstr(world.result.detail, cases[i].address));
		/* No SYN leaves but for the one that may be. */
		accepted = accept(fd, NULL, NULL);
		assert_int_equal(accepted >= 0, cases[i].cause == CAUSE_OK);
		if (accepted >= 0)
			close(accepted);
		assert_int_equal(accept(fd, NULL, NULL), -1);
		buf_done(&address);
		prefixes_done(&deny);
	}
	world_end(&world);
	close(fd);
}

static void
test_the_resolver_is_silent_until_the_deadline(void **state)
{
	struct world world;

	world_begin(&world);
	run(&world, "aaaa-silent.test", 9, FAMILY_IPV6, 300 * US_PER_MS);
	assert_false(world.is_ended);
	assert_int_equal(world.result.cause, CAUSE_DNS_FAILED);
	assert_int_equal(world.result.stage, STAGE_DNS);
	assert_int_equal(world.resolved, 0);
	world_end(&world);
}

static size_t
tried(const char *detail)
{
	size_t count = 1;

	for (const char *at = detail; (at = strstr(at, ", ")) != NULL; at += 2)
		count++;
	return count;
}

static void
test_ten_addresses_of_both_families_at_most_H3_05(void **state)
{
	struct world world;
	uint16_t port = 0;
	int fd = listen_at("127.0.0.1", &port, 1); /* 127.0.1.x refuse */

	world_begin(&world);
	run(&world, "many.test", port, FAMILY_ANY, 5 * US_PER_S);
	assert_true(world.is_ended);
	assert_string_equal(cause_name(world.result.cause), "connect_refused");
	assert_int_equal(tried(world.result.detail), 10);
	assert_non_null(strstr(world.result.detail, "::1"));
	close(fd);
	world_end(&world);
}

static void
test_a_black_hole_costs_one_step_H3_14(void **state)
{
	struct world world;
	uint16_t port = 0;
	int fillers[4];
	int hole = listen_full("127.0.0.2", &port, fillers);
	int good = listen_at("127.0.0.1", &port, 8);
	mono_t began;

	world_begin(&world);
	began = mono_now();
	run(&world, "full.test", port, FAMILY_IPV4, 3 * US_PER_S);
	assert_int_equal(world.result.cause, CAUSE_OK);
	assert_in_range(mono_since(mono_now(), began), 240 * US_PER_MS, US_PER_S);
	close(good);
	unit_row("H3-17 one refuses, one times out");
	run(&world, "full-refused.test", port, FAMILY_IPV4, US_PER_S);
	assert_false(world.is_ended);
	assert_string_equal(cause_name(world.result.cause), "connect_timeout");
	for (int i = 0; i < 4; i++)
		close(fillers[i]);
	close(hole);
	world_end(&world);
}

static void
test_out_of_descriptors_is_ours_H3_19(void **state)
{
	struct world world;
	struct rlimit before;
	struct rlimit low;
	uint16_t port = 0;
	int fd = listen_at("127.0.0.1", &port, 8);
	int taken[64];
	int count = 0;

	world_begin(&world);
	getrlimit(RLIMIT_NOFILE, &before);
	low = before;
	low.rlim_cur = 40;
	setrlimit(RLIMIT_NOFILE, &low);
	while (count < 64 && (taken[count] = dup(0)) != -1)
		if (taken[count++] >= 31)
			break;
	run(&world, "127.0.0.1", port, FAMILY_ANY, US_PER_S);
	assert_string_equal(cause_name(world.result.cause), "local_limit");
	/* What is left is for others than connections. */
	taken[count] = dup(0);
	assert_int_not_equal(taken[count], -1);
	count++;
	while (count > 0)
		close(taken[--count]);
	setrlimit(RLIMIT_NOFILE, &before);
	close(fd);
	world_end(&world);
}

static void
test_never_connected_to_itself_H3_21(void **state)
{
	struct world world;
	uint16_t port = 0;
	int fd = listen_at("127.0.0.1", &port, 1);

	close(fd); /* a closed port of the ephemeral range */
	world_begin(&world);
	for (int i = 0; i < 100000; i++) {
		run(&world, "127.0.0.1", port, FAMILY_IPV4, 5 * US_PER_S);
		assert_int_equal(world.result.cause, CAUSE_CONNECT_REFUSED);
	}
	world_end(&world);
}

static size_t
open_descriptors(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) != -1;
	return count;
}

static void
test_cancel_leaves_nothing_open_H10_08(void **state)
{
	static const struct connect_calls calls = { .resolved = on_resolved, .ended = on_ended };
	static const char *const hosts[] = { "127.0.0.1", "aaaa-silent.test", "many.test",
		"full.test", "none.test" };
	struct world world;
	uint16_t port = 0;
	int fd = listen_at("127.0.0.1", &port, 8);
	size_t before;

	world_begin(&world);
	run(&world, "none.test", port, FAMILY_ANY, US_PER_S);
	before = open_descriptors();
	for (int i = 0; i < 200; i++) {
		struct connect_to to = { .host = hosts[i % COUNT_OF(hosts)], .port = port };

		world.is_ended = false;
		assert_ok(connect_start(
			world.base, world.resolver, &to, &calls, &world, &world.connecting));
		for (int turn = 0; turn < i % 7 && !world.is_ended; turn++)
			event_base_loop(world.base, EVLOOP_NONBLOCK);
		if (!world.is_ended)
			connect_cancel(world.connecting);
		else if (world.result.fd != -1)
			close(world.result.fd);
	}
	event_base_loop(world.base, EVLOOP_NONBLOCK);
	assert_in_range(open_descriptors(), before, before + 2); /* c-ares may keep its socket */
	close(fd);
	world_end(&world);
}

#define PAIRS 100

static int
listen_six(uint16_t port)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
		listen(fd, 0) != 0) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	return fd;
}

/* The queue of a listener is full from here on. */
static void
fill(int listener, int fillers[4])
{
	struct address address;
	socklen_t len = sizeof(address.is);

	assert_int_equal(getsockname(listener, &address.is.any, &len), 0);
	for (int i = 0; i < 4; i++) {
		fillers[i] = socket(
			address.is.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(fillers[i], &address.is.any, len);
	}
}

/* Takes all that were connected; none of them may have been sent a byte. */
static void
assert_nothing_was_sent(int listener)
{
	char byte;
	int fd;

	fcntl(listener, F_SETFL, O_NONBLOCK);
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		assert_true(recv(fd, &byte, 1, 0) <= 0);
		close(fd);
	}
}

struct pair {
	struct connecting *connecting;
	struct connect_result result;
	size_t ends;
};

static void
on_pair_resolved(void *owner)
{
	(void)owner;
}

static void
on_pair_ended(void *owner, const struct connect_result *result)
{
	struct pair *pair = owner;

	pair->ends++;
	pair->result = *result;
}

/* Both SYNs wait, are answered while the loop does not turn, and are seen in one turn. */
static void
test_both_families_in_one_turn_give_one_connection_H3_16(void **state)
{
	static const struct connect_calls calls = { .resolved = on_pair_resolved,
		.ended = on_pair_ended };
	static struct pair pairs[PAIRS];
	struct world world;
	struct connect_to to = { .host = "dual.test" };
	int fillers[2][4];
	int four = listen_at("127.0.0.1", &to.port, 0);
	int six = listen_six(to.port);
	size_t before;

	if (six == -1) {
		close(four);
		print_message("# no IPv6 here: nothing was tried\n");
		return;
	}
	world_begin(&world);
	run(&world, "none.test", to.port, FAMILY_ANY, US_PER_S);
	fill(four, fillers[0]);
	fill(six, fillers[1]);
	before = open_descriptors();
	for (size_t i = 0; i < PAIRS; i++)
		assert_ok(connect_start(
			world.base, world.resolver, &to, &calls, &pairs[i], &pairs[i].connecting));
	turn(world.base, 700 * US_PER_MS);
	assert_in_range(open_descriptors(), before + 2 * PAIRS, before + 2 * PAIRS + 2);
	listen(four, 4 * PAIRS);
	listen(six, 4 * PAIRS);
	usleep(3500000); /* SYNs come again after 1 s, and after 2 s more */
	turn(world.base, 500 * US_PER_MS);
	for (size_t i = 0; i < PAIRS; i++) {
		assert_int_equal(pairs[i].ends, 1);
		assert_int_equal(pairs[i].result.cause, CAUSE_OK);
		assert_int_not_equal(pairs[i].result.fd, -1);
		close(pairs[i].result.fd);
	}
	assert_in_range(open_descriptors(), before, before + 2); /* c-ares may keep its socket */
	assert_nothing_was_sent(four);
	assert_nothing_was_sent(six);
	for (size_t i = 0; i < 4; i++) {
		close(fillers[0][i]);
		close(fillers[1][i]);
	}
	close(four);
	close(six);
	world_end(&world);
}

static void
test_a_source_that_is_not_here_is_ours_H3_20(void **state)
{
	struct world world;
	struct address source;
	struct connect_to to = { .host = "127.0.0.1", .source = &source };
	struct address peer;
	socklen_t len = sizeof(peer.is);
	int fd = listen_at("127.0.0.1", &to.port, 8);
	int accepted;

	(void)state;
	world_begin(&world);
	assert_ok(address_parse("192.0.2.77", &source));
	run_to(&world, &to, US_PER_S);
	assert_string_equal(cause_name(world.result.cause), "local_limit");
	assert_int_equal(world.result.stage, STAGE_CONNECT);
	assert_int_equal(world.result.lack, LACK_ADDRESS);
	assert_string_equal(world.result.detail,
		"from 192.0.2.77 to 127.0.0.1: Cannot assign requested address");
	unit_row("one that is here");
	assert_ok(address_parse("127.0.0.9", &source));
	run_to(&world, &to, US_PER_S);
	assert_int_equal(world.result.cause, CAUSE_OK);
	accepted = accept(fd, &peer.is.any, &len);
	assert_int_not_equal(accepted, -1);
	assert_int_equal(ntohl(peer.is.ipv4.sin_addr.s_addr), 0x7f000009);
	close(accepted);
	close(fd);
	world_end(&world);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_what_names_lead_to),
	cmocka_unit_test(test_what_is_denied_is_never_connected_to_H3_09),
	cmocka_unit_test(test_the_resolver_is_silent_until_the_deadline),
	cmocka_unit_test(test_ten_addresses_of_both_families_at_most_H3_05),
	cmocka_unit_test(test_a_black_hole_costs_one_step_H3_14),
	cmocka_unit_test(test_out_of_descriptors_is_ours_H3_19),
	cmocka_unit_test(test_both_families_in_one_turn_give_one_connection_H3_16),
	cmocka_unit_test(test_a_source_that_is_not_here_is_ours_H3_20),
	cmocka_unit_test(test_never_connected_to_itself_H3_21),
	cmocka_unit_test(test_cancel_leaves_nothing_open_H10_08),
};

UNIT_MAIN(tests)
