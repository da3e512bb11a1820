/*
 * test_namespace.c: what needs a host of its own: resolv.conf replaced (H3-13), few local ports
 * (H3-20). The test becomes one: namespaces of user, network and mounts. Skipped where it may not.
 */
#include "../unit.h"

#include "base/time.h"
#include "net/connect.h"

#include "responder.h"

#include <event2/event.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#define RESOLV_CONF "/etc/resolv.conf"
#define PORTS 10
#define CONNECTIONS 50

static const struct responder_row before_rows[] = {
	{ "good.test", 1, 0, "192.0.2.1", NULL },
	{ NULL, 0, 0, NULL, NULL },
};
static const struct responder_row after_rows[] = {
	{ "good.test", 1, 0, "192.0.2.2", NULL },
	{ NULL, 0, 0, NULL, NULL },
};

static bool
write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	size_t len = strlen(text);
	bool is_written = fd != -1 && write(fd, text, len) == (ssize_t)len;

	if (fd != -1)
		close(fd);
	return is_written;
}

static bool
raise_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is_up;

	if (fd == -1)
		return false;
	is_up = ioctl(fd, SIOCGIFFLAGS, &request) == 0;
	request.ifr_flags |= IFF_UP;
	is_up = is_up && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
	close(fd);
	return is_up;
}

/* Root of a host without a network: nothing here is seen outside. */
static bool
become_a_host(void)
{
	char map[64];
	uid_t uid = geteuid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) != 0)
		return false;
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
	return write_text("/proc/self/setgroups", "deny") &&
	       write_text("/proc/self/uid_map", map) &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && raise_loopback();
}

/* As a rename does it: another file stands there. */
static void
replace_resolv_conf(const char *text)
{
	char path[] = "/tmp/mboxwatch-resolv-XXXXXX";
	int fd = mkstemp(path);

	assert_int_not_equal(fd, -1);
	close(fd);
	assert_true(write_text(path, text));
	(void)umount2(RESOLV_CONF, MNT_DETACH); /* the one before */
	assert_int_equal(mount(path, RESOLV_CONF, NULL, MS_BIND, NULL), 0);
	unlink(path);
}

struct asked {
	struct event_base *base;
	struct resolve_answer answer;
};

static void
on_answer(void *owner, const struct resolve_answer *answer)
{
	struct asked *asked = owner;

	asked->answer = *answer;
	event_base_loopbreak(asked->base);
}

/* The last byte of the address that good.test has; 0: it was not found. */
static unsigned
ask(struct event_base *base, struct resolver *resolver)
{
	struct asked asked = { .base = base };
	struct resolve_query *query;

	assert_ok(resolve_start(resolver, "good.test", FAMILY_IPV4, on_answer, &asked, &query));
	event_base_dispatch(base);
	return asked.answer.outcome == RESOLVE_FOUND
		       ? ntohl(asked.answer.addresses[0].is.ipv4.sin_addr.s_addr) & 0xff
		       : 0;
}

static void
test_resolv_conf_replaced_is_read_within_a_minute_H3_13(void **state)
{
	struct event_base *base = event_base_new();
	struct responder *before, *after;
	struct resolver *resolver;
	mono_t began;

	(void)state;
	before = responder_start_at(before_rows, "127.0.0.2", 53);
	after = responder_start_at(after_rows, "127.0.0.3", 53);
	replace_resolv_conf("nameserver 127.0.0.2\n");
	assert_ok(resolver_new(base, NULL, &resolver));
	assert_int_equal(ask(base, resolver), 1);
	unit_row("restarted: its port refuses, and answers again");
	responder_stop(before);
	assert_int_equal(ask(base, resolver), 0);
	before = responder_start_at(before_rows, "127.0.0.2", 53);
	assert_int_equal(ask(base, resolver), 1);
	unit_row("replaced");
	replace_resolv_conf("nameserver 127.0.0.3\n");
	began = mono_now();
	while (ask(base, resolver) != 2 && mono_since(mono_now(), began) < US_PER_M)
		usleep(100000);
	assert_int_equal(ask(base, resolver), 2);
	resolver_free(resolver);
	responder_stop(before);
	responder_stop(after);
	event_base_free(base);
}

struct tries {
	struct event_base *base;
	size_t ended;
	size_t connected;
	size_t lacking;
	int fds[CONNECTIONS];
};

static void
on_resolved(void *owner)
{
	(void)owner;
}

static void
on_ended(void *owner, const struct connect_result *result)
{
	struct tries *tries = owner;

	tries->fds[tries->ended++] = result->fd;
	tries->connected += result->cause == CAUSE_OK;
	tries->lacking += result->cause == CAUSE_LOCAL_LIMIT && result->lack == LACK_ADDRESS;
	if (tries->ended == CONNECTIONS)
		event_base_loopbreak(tries->base);
}

static void
test_a_source_without_a_port_left_is_ours_H3_20(void **state)
{
	static const struct connect_calls calls = { .resolved = on_resolved, .ended = on_ended };
	struct tries tries = { .base = event_base_new() };
	struct sockaddr_in listening = { .sin_family = AF_INET,
		.sin_port = htons(993),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct connecting *connecting;
	struct resolver *resolver;
	struct address source;
	struct connect_to to = { .host = "127.0.0.1", .port = 993, .source = &source };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_true(write_text("/proc/sys/net/ipv4/ip_local_port_range", "40000 40009"));
	assert_int_equal(bind(fd, (struct sockaddr *)&listening, sizeof(listening)), 0);
	assert_int_equal(listen(fd, CONNECTIONS), 0);
	assert_ok(resolver_new(tries.base, "127.0.0.1:53", &resolver));
	assert_ok(address_parse("127.0.0.9", &source));
	for (size_t i = 0; i < CONNECTIONS; i++)
		assert_ok(connect_start(tries.base, resolver, &to, &calls, &tries, &connecting));
	event_base_dispatch(tries.base);
	assert_int_equal(tries.connected, PORTS);
	assert_int_equal(tries.lacking, CONNECTIONS - PORTS);
	for (size_t i = 0; i < CONNECTIONS; i++) {
		if (tries.fds[i] != -1)
			close(tries.fds[i]);
	}
	close(fd);
	resolver_free(resolver);
	event_base_free(tries.base);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_resolv_conf_replaced_is_read_within_a_minute_H3_13),
	cmocka_unit_test(test_a_source_without_a_port_left_is_ours_H3_20),
};

int
main(void)
{
	if (!become_a_host()) {
		puts("1..0 # SKIP no namespaces of our own can be had here");
		return 0;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
