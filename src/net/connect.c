/*
 * connect.c: two queries, then sockets tried 250 ms apart until one stands (RFC 8305). Layer: net.
 *
 * Each address tried is an attempt with its own socket; the first that stands wins and all others
 * are closed in the same turn. What an errno means for the mailbox is decided in fault_of_errno()
 * alone.
 */
#include "net/connect.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/time.h"

/* Descriptors that are never used for connections: the status socket, resolver and state need some
 * (H3-19). */
#define DESCRIPTORS_KEPT_MOST 64

/* How an attempt failed, weakest first: the strongest of all attempts decides. */
enum attempt_fault {
	FAULT_NONE,
	FAULT_UNREACHABLE,
	FAULT_NO_LOCAL_ADDRESS, /* EADDRNOTAVAIL: no port left, or no address of that family */
	FAULT_REFUSED,
	FAULT_TIMEOUT,
	FAULT_LOCAL_LIMIT,
	FAULT_COUNT
};

struct attempt {
	struct connecting *connecting;
	struct address address;
	struct event event;
	int fd; /* -1: not open (any more) */
	int error;
	enum attempt_fault fault;
};

/* What is known of one family. */
struct half {
	enum family family;
	struct resolve_query *query; /* NULL: answered, or not asked */
	bool is_asked;
	enum resolve_outcome outcome;
	const char *why;
	struct address addresses[RESOLVE_MOST_ADDRESSES];
	size_t count;
	size_t used;
	bool is_forbidden; /* the answer had addresses that no host can have */
	bool is_denied;	   /* the answer had addresses of connecting.deny, the first of them: */
	struct address denied;
};

struct connecting {
	struct event_base *base;
	struct connect_calls calls;
	void *owner;
	uint16_t port;
	bool has_source;
	struct address source;
	const struct prefixes *deny;
	struct half halves[2]; /* IPv6 first */
	size_t preferred;      /* of halves: which is tried first */
	struct attempt attempts[CONNECT_MOST_ADDRESSES];
	size_t attempt_count;
	struct event step; /* the next attempt, or the end that was seen inside connect_start() */
	bool is_resolved;
	bool has_asked; /* may_try(), once */
	bool is_held;	/* since it said no */
	struct address held;
	bool is_delay_over;
	bool is_delayed; /* waiting out CONNECT_RESOLUTION_US */
};

static struct half *
half_of(struct connecting *connecting, enum family family)
{
	return &connecting->halves[family == FAMILY_IPV6 ? 0 : 1];
}

static enum attempt_fault
fault_of_errno(int error)
{
	switch (error) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EAGAIN: /* no local port of an IPv4 range left, on some kernels */
		return FAULT_LOCAL_LIMIT;
	case EADDRNOTAVAIL:
	case EADDRINUSE:
		return FAULT_NO_LOCAL_ADDRESS;
	case ECONNREFUSED:
		return FAULT_REFUSED;
	case ETIMEDOUT:
		return FAULT_TIMEOUT;
	default: /* ENETUNREACH, EHOSTUNREACH, EAFNOSUPPORT, EPERM of a local firewall, ... (H3-17)
		  */
		return FAULT_UNREACHABLE;
	}
}

static void
attempt_close(struct attempt *attempt)
{
	if (attempt->fd != -1) {
		event_del(&attempt->event);
		close(attempt->fd);
		attempt->fd = -1;
	}
}

static void
connecting_free(struct connecting *connecting)
{
	for (size_t i = 0; i < connecting->attempt_count; i++)
		attempt_close(&connecting->attempts[i]);
	for (size_t i = 0; i < COUNT_OF(connecting->halves); i++) {
		if (connecting->halves[i].query)
			resolve_cancel(connecting->halves[i].query);
	}
	event_del(&connecting->step);
	free(connecting);
}

static void
put_attempts(struct buf *out, const struct connecting *connecting)
{
	for (size_t i = 0; i < connecting->attempt_count; i++) {
		const struct attempt *attempt = &connecting->attempts[i];

		buf_put_string(out, i > 0 ? ", " : "");
		address_put(out, &attempt->address);
		buf_put_string(out, ": ");
		buf_put_string(out, attempt->fd != -1 ? "no answer" : strerror(attempt->error));
	}
}

static void
keep_detail(struct connect_result *result, struct buf *text)
{
	size_t len =
		text->len < sizeof(result->detail) - 1 ? text->len : sizeof(result->detail) - 1;

	if (text->at)
		memcpy(result->detail, text->at, len);
	result->detail[len] = '\0';
	buf_done(text);
}

/* Nothing was left but what is denied. */
static bool
judge_denied(const struct connecting *connecting, struct connect_result *result)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < COUNT_OF(connecting->halves); i++) {
		const struct half *half = &connecting->halves[i];

		if (!half->is_denied)
			continue;
		buf_put_string(&text, text.len > 0 ? ", " : "deny_addresses forbids ");
		address_put(&text, &half->denied);
		result->address = half->denied;
		result->has_address = true;
	}
	if (!result->has_address)
		return false;
	result->stage = STAGE_CONNECT;
	result->cause = CAUSE_ADDRESS_DENIED;
	keep_detail(result, &text);
	return true;
}

/* No address at all: by the two answers. A failure of one half hides what it might have found
 * (H3-03). */
static void
judge_names(const struct connecting *connecting, struct connect_result *result)
{
	const struct half *worst = NULL;
	struct buf text = { 0 };
	bool is_named = false;
	bool is_forbidden = false;

	if (judge_denied(connecting, result))
		return;
	result->stage = STAGE_DNS;
	for (size_t i = 0; i < COUNT_OF(connecting->halves); i++) {
		const struct half *half = &connecting->halves[i];

		if (!half->is_asked)
			continue;
		is_forbidden = is_forbidden || half->is_forbidden;
		is_named = is_named || half->outcome != RESOLVE_NO_NAME;
		if (half->query || half->outcome == RESOLVE_FAILED ||
			half->outcome == RESOLVE_LOCAL_LIMIT)
			worst = half;
	}
	if (is_forbidden) {
		result->stage = STAGE_CONNECT;
		result->cause = CAUSE_UNREACHABLE;
		buf_put_string(&text, "the name's address is none that a host can have");
	} else if (worst && !worst->query && worst->outcome == RESOLVE_LOCAL_LIMIT) {
		result->cause = CAUSE_LOCAL_LIMIT;
		result->lack = LACK_DESCRIPTORS;
		buf_put_string(&text, "no memory or descriptor for the query");
	} else if (worst) {
		result->cause = CAUSE_DNS_FAILED;
		buf_put_string(&text,
			worst->query || !worst->why ? "the resolver does not answer" : worst->why);
		buf_put_format(&text, " (%s)", worst->family == FAMILY_IPV6 ? "AAAA" : "A");
	} else {
		result->cause = is_named ? CAUSE_DNS_NO_ADDRESS : CAUSE_DNS_NO_NAME;
	}
	keep_detail(result, &text);
}

static void
judge_attempts(const struct connecting *connecting, struct connect_result *result)
{
	static const enum cause causes[FAULT_COUNT] = {
		[FAULT_UNREACHABLE] = CAUSE_UNREACHABLE,
		[FAULT_NO_LOCAL_ADDRESS] = CAUSE_LOCAL_LIMIT,
		[FAULT_REFUSED] = CAUSE_CONNECT_REFUSED,
		[FAULT_TIMEOUT] = CAUSE_CONNECT_TIMEOUT,
		[FAULT_LOCAL_LIMIT] = CAUSE_LOCAL_LIMIT,
	};
	enum attempt_fault worst = FAULT_UNREACHABLE;
	struct buf text = { 0 };

	result->stage = STAGE_CONNECT;
	for (size_t i = 0; i < connecting->attempt_count; i++) {
		const struct attempt *attempt = &connecting->attempts[i];
		enum attempt_fault fault = attempt->fd != -1 ? FAULT_TIMEOUT : attempt->fault;

		if (fault > worst)
			worst = fault;
		result->address = attempt->address;
		result->has_address = true;
	}
	result->cause = causes[worst];
	result->lack = worst == FAULT_NO_LOCAL_ADDRESS ? LACK_ADDRESS
		       : worst == FAULT_LOCAL_LIMIT    ? LACK_DESCRIPTORS
						       : LACK_NONE;
	if (connecting->has_source && result->lack == LACK_ADDRESS) {
		buf_put_string(&text, "from ");
		address_put(&text, &connecting->source);
		buf_put_string(&text, " to ");
	}
	put_attempts(&text, connecting);
	keep_detail(result, &text);
}

static void
judge(const struct connecting *connecting, struct connect_result *result)
{
	memset(result, 0, sizeof(*result));
	result->fd = -1;
	if (connecting->attempt_count > 0)
		judge_attempts(connecting, result);
	else
		judge_names(connecting, result);
}

/* IPv4 works and IPv6 was tried in vain: worth a note, unless this host has no IPv6 at all. */
static void
note_other_family(const struct connecting *connecting, const struct attempt *winner,
	struct connect_result *result)
{
	struct buf text = { 0 };

	if (address_family(&winner->address) != FAMILY_IPV4)
		return;
	for (size_t i = 0; i < connecting->attempt_count; i++) {
		const struct attempt *attempt = &connecting->attempts[i];

		if (address_family(&attempt->address) != FAMILY_IPV6 ||
			attempt->error == ENETUNREACH || attempt->error == EAFNOSUPPORT ||
			attempt->error == EADDRNOTAVAIL)
			continue;
		buf_put_string(&text, "IPv6 fails: ");
		address_put(&text, &attempt->address);
		buf_put_string(&text, ": ");
		buf_put_string(&text, attempt->fd != -1 ? "no answer when IPv4 connected"
							: strerror(attempt->error));
		break;
	}
	if (text.at)
		memcpy(result->note, text.at,
			text.len < sizeof(result->note) ? text.len : sizeof(result->note) - 1);
	buf_done(&text);
}

static void
connecting_end(struct connecting *connecting, struct attempt *winner)
{
	void (*ended)(void *, const struct connect_result *) = connecting->calls.ended;
	void *owner = connecting->owner;
	struct connect_result result;

	if (winner) {
		memset(&result, 0, sizeof(result));
		result.cause = CAUSE_OK;
		result.stage = STAGE_CONNECT;
		result.fd = winner->fd;
		result.has_address = true;
		result.address = winner->address;
		note_other_family(connecting, winner, &result);
		event_del(&winner->event);
		winner->fd = -1;
	} else {
		judge(connecting, &result);
	}
	connecting_free(connecting);
	ended(owner, &result);
}

/* A port of the ephemeral range on this very host may connect to itself (H3-21). */
static bool
is_connected_to_itself(int fd)
{
	struct address here;
	struct address there;
	socklen_t here_len = sizeof(here.is);
	socklen_t there_len = sizeof(there.is);

	return getsockname(fd, &here.is.any, &here_len) == 0 &&
	       getpeername(fd, &there.is.any, &there_len) == 0 && address_equal(&here, &there);
}

static void try_next(struct connecting *connecting);

static void
on_connected(evutil_socket_t fd, short what, void *owner)
{
	struct attempt *attempt = owner;
	struct connecting *connecting = attempt->connecting;
	socklen_t len = sizeof(attempt->error);

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &attempt->error, &len) != 0)
		attempt->error = errno;
	if (attempt->error == ECONNRESET)
		attempt->error = 0; /* it stood, and was reset at once: lost, not refused (H3-18) */
	else if (attempt->error == 0 && is_connected_to_itself(fd))
		attempt->error = ECONNREFUSED;
	if (attempt->error == 0) {
		connecting_end(connecting, attempt);
		return;
	}
	attempt->fault = fault_of_errno(attempt->error);
	attempt_close(attempt);
	try_next(connecting);
}

static int
open_socket(enum family family)
{
	struct rlimit limit;
	int on = 1;
	int fd = socket(family == FAMILY_IPV6 ? AF_INET6 : AF_INET,
		SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
		rlim_t kept = limit.rlim_cur / 4 < DESCRIPTORS_KEPT_MOST ? limit.rlim_cur / 4
									 : DESCRIPTORS_KEPT_MOST;

		if ((rlim_t)fd >= limit.rlim_cur - kept) {
			close(fd);
			errno = EMFILE;
			return -1;
		}
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* The port is chosen by connect() alone, so that one serves for as many servers as there are. */
static int
bind_source(int fd, const struct address *source)
{
	int on = 1;

	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, &source->is.any, address_len(source));
}

/* connect(2), from the source address where there is one. */
static int
connect_from(const struct attempt *attempt)
{
	const struct connecting *connecting = attempt->connecting;
	int done;

	if (connecting->has_source && bind_source(attempt->fd, &connecting->source) != 0)
		return -1;
	do {
		done = connect(
			attempt->fd, &attempt->address.is.any, address_len(&attempt->address));
	} while (done != 0 && errno == EINTR);
	return done;
}

/* Begins one attempt; false where it failed at once. */
static bool
attempt_start(struct attempt *attempt)
{
	struct connecting *connecting = attempt->connecting;
	int done;

	attempt->fd = open_socket(address_family(&attempt->address));
	if (attempt->fd == -1) {
		attempt->error = errno;
		attempt->fault = fault_of_errno(attempt->error);
		return false;
	}
	event_assign(
		&attempt->event, connecting->base, attempt->fd, EV_WRITE, on_connected, attempt);
	done = connect_from(attempt);
	if (done == 0 || errno == EINPROGRESS) {
		/* A socket that stands already is writable, too: told on a later turn. */
		if (event_add(&attempt->event, NULL) == 0)
			return true;
		errno = ENOMEM;
	}
	attempt->error = errno;
	attempt->fault = fault_of_errno(attempt->error);
	attempt_close(attempt);
	return false;
}

/* The next address: families in turn, the preferred one first (RFC 8305 4); none where a place is
 * kept for a family to come. */
static bool
take_address(struct connecting *connecting, struct address *out)
{
	size_t first = (connecting->attempt_count + connecting->preferred) % 2;

	if (connecting->attempt_count == CONNECT_MOST_ADDRESSES)
		return false;
	for (size_t i = 0; i < 2; i++) {
		struct half *half = &connecting->halves[(first + i) % 2];
		struct half *other = &connecting->halves[(first + i + 1) % 2];
		bool is_last = connecting->attempt_count == CONNECT_MOST_ADDRESSES - 1;

		if (half->used == half->count ||
			(is_last && other->used == 0 && (other->query || other->count > 0)))
			continue;
		*out = half->addresses[half->used++];
		address_set_port(out, connecting->port);
		return true;
	}
	return false;
}

static bool
is_any_open(const struct connecting *connecting)
{
	for (size_t i = 0; i < connecting->attempt_count; i++) {
		if (connecting->attempts[i].fd != -1)
			return true;
	}
	return false;
}

static bool
begin_attempt(struct connecting *connecting, const struct address *address)
{
	static const struct timeval step = { 0, CONNECT_STEP_US };
	struct attempt *attempt = &connecting->attempts[connecting->attempt_count++];

	attempt->connecting = connecting;
	attempt->address = *address;
	if (!attempt_start(attempt))
		return false;
	event_add(&connecting->step, &step);
	return true;
}

/* Limits hold for the address: the owner may have to ask first. */
static bool
must_wait(struct connecting *connecting, const struct address *address)
{
	if (connecting->has_asked || !connecting->calls.may_try)
		return false;
	connecting->has_asked = true;
	connecting->held = *address;
	connecting->is_held = !connecting->calls.may_try(connecting->owner, address);
	return connecting->is_held;
}

/* Begins attempts until one is under way; ends where nothing is left to try and nothing to wait
 * for. */
static void
try_next(struct connecting *connecting)
{
	struct address address;

	if (connecting->is_held || (connecting->is_delayed && !connecting->is_delay_over))
		return;
	while (take_address(connecting, &address)) {
		if (must_wait(connecting, &address) || begin_attempt(connecting, &address))
			return;
	}
	if (!is_any_open(connecting) && !connecting->halves[0].query &&
		!connecting->halves[1].query)
		connecting_end(connecting, NULL);
}

static void
on_step(evutil_socket_t fd, short what, void *owner)
{
	struct connecting *connecting = owner;

	(void)fd;
	(void)what;
	connecting->is_delay_over = true;
	try_next(connecting);
}

static bool
is_denied(const struct connecting *connecting, const struct address *address)
{
	uint8_t bytes[16];

	if (!connecting->deny || connecting->deny->count == 0)
		return false;
	address_bytes(address, bytes);
	return prefixes_hold(connecting->deny, bytes);
}

/* What is denied is never among the addresses to try: no packet leaves for it. */
static void
keep_addresses(
	const struct connecting *connecting, struct half *half, const struct resolve_answer *answer)
{
	for (size_t i = 0; i < answer->count; i++) {
		const struct address *address = &answer->addresses[i];

		if (is_denied(connecting, address)) {
			if (!half->is_denied)
				half->denied = *address;
			half->is_denied = true;
		} else if (address_is_host(address)) {
			half->addresses[half->count++] = *address;
		} else {
			half->is_forbidden = true;
		}
	}
}

static void
on_answered(void *owner, const struct resolve_answer *answer)
{
	static const struct timeval delays[] = { { 0, CONNECT_RESOLUTION_US },
		{ CONNECT_IPV4_FIRST_US / US_PER_S, 0 } };
	struct connecting *connecting = owner;
	struct half *half = half_of(connecting, answer->family);
	const struct half *preferred = &connecting->halves[connecting->preferred];

	half->query = NULL;
	half->outcome = answer->outcome;
	half->why = answer->why;
	keep_addresses(connecting, half, answer);
	if (half->count > 0 && !connecting->is_resolved) {
		connecting->is_resolved = true;
		connecting->calls.resolved(connecting->owner);
	}
	if (half != preferred && half->count > 0 && preferred->query) {
		connecting->is_delayed =
			true; /* A before AAAA: wait for it, but not for long (H3-02) */
		event_add(&connecting->step, &delays[connecting->preferred]);
		return;
	}
	connecting->is_delayed = false;
	if (!is_any_open(connecting) || !event_pending(&connecting->step, EV_TIMEOUT, NULL))
		try_next(connecting);
}

static enum err
ask_half(struct connecting *connecting, struct resolver *resolver, const char *host,
	enum family family)
{
	struct half *half = half_of(connecting, family);

	half->is_asked = true;
	return resolve_start(resolver, host, family, on_answered, connecting, &half->query);
}

enum err
connect_start(struct event_base *base, struct resolver *resolver, const struct connect_to *to,
	const struct connect_calls *calls, void *owner, struct connecting **out)
{
	struct connecting *connecting = calloc(1, sizeof(*connecting));
	enum err err = ERR_OK;

	if (!connecting)
		return ERR_MEMORY;
	connecting->base = base;
	connecting->calls = *calls;
	connecting->owner = owner;
	connecting->port = to->port;
	connecting->preferred = to->is_ipv4_first ? 1 : 0;
	connecting->has_source = to->source != NULL;
	if (to->source)
		connecting->source = *to->source;
	connecting->deny = to->deny;
	connecting->halves[0].family = FAMILY_IPV6;
	connecting->halves[1].family = FAMILY_IPV4;
	for (size_t i = 0; i < CONNECT_MOST_ADDRESSES; i++)
		connecting->attempts[i].fd = -1;
	evtimer_assign(&connecting->step, base, on_step, connecting);
	if (to->family != FAMILY_IPV4)
		err = ask_half(connecting, resolver, to->host, FAMILY_IPV6);
	if (err == ERR_OK && to->family != FAMILY_IPV6)
		err = ask_half(connecting, resolver, to->host, FAMILY_IPV4);
	if (err != ERR_OK) {
		connecting_free(connecting);
		return err;
	}
	*out = connecting;
	return ERR_OK;
}

void
connect_go(struct connecting *connecting)
{
	connecting->is_held = false;
	if (!begin_attempt(connecting, &connecting->held))
		try_next(connecting);
}

void
connect_give_up(struct connecting *connecting, struct connect_result *result)
{
	judge(connecting, result);
	connecting_free(connecting);
}

void
connect_cancel(struct connecting *connecting)
{
	connecting_free(connecting);
}
