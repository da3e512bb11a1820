/*
 * resolve.c: c-ares on a loop: sockets and its timer as events, answers posted to the next turn.
 * Layer: net.
 *
 * c-ares 1.18 has three traps that shape this file. (1) It calls back from inside
 * ares_getaddrinfo(), so an answer is only noted there and told by an event of the query. (2)
 * Without NOCHECKRESP it reads SERVFAIL, REFUSED and NOTIMP as "connection refused"; with it they
 * are told apart, but it does not ask the next server then: the one own retry is here. (3) It
 * always begins with the first server, so a dead one costs its timeout each time: there is one
 * channel for each order of the servers, and the order that answered last is taken. Not here: which
 * address to take (connect.c).
 */
#include "net/resolve.h"

#include <ares.h>
#include <assert.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/time.h"
#include "net/hosts.h"

#define SERVERS_MOST 3 /* orders; a longer list of resolvers keeps its tail (resolv.conf(5): 3) */
#define TRY_MS 1000    /* with 2 tries and 2 servers 1 + 1 + 2 + 2 s in all */
#define TRIES 2
#define SOCKETS_MOST 64
#define LOOK_EVERY_US (5 * US_PER_S) /* at these two files; H3-13 gives a minute */
#define RESOLV_CONF "/etc/resolv.conf"
#define HOSTS_FILE "/etc/hosts"

/* One c-ares channel: the servers in one order. */
struct channel {
	struct channel_set *set;
	ares_channel handle;
	struct event timer;
	struct {
		struct event event;
		int fd; /* -1: free */
	} sockets[SOCKETS_MOST];
};

/* All orders of one list of servers. An old set lives until its last query is answered. */
struct channel_set {
	struct resolver *resolver;
	struct channel_set *next;
	struct channel *orders[SERVERS_MOST]; /* made at first use, but for the first */
	size_t order_count;
	size_t preferred;
	size_t queries; /* c-ares still owes an answer */
};

struct resolver {
	struct event_base *base;
	char *named; /* NULL: resolv.conf's */
	struct channel_set *now;
	struct channel_set *old;
	struct resolve_query *queries;
	struct event sweep; /* frees old sets, on a turn of its own */
	struct hosts hosts;
	struct stat seen; /* resolv.conf as the channels know it */
	mono_t looked;
	bool is_ended;
};

struct resolve_query {
	struct resolver *resolver;
	struct resolve_query *next;
	struct resolve_query **link;
	struct channel_set *set;
	size_t order;
	char *host;
	struct event told;
	resolve_answered *answered; /* NULL: cancelled */
	void *owner;
	struct resolve_answer answer;
	mono_t asked;
	int status;
	bool is_waiting; /* c-ares has it */
	bool is_retry;
};

static void on_told(evutil_socket_t fd, short what, void *owner);

/* c-ares wants to be looked at when its next query times out; after every call into it this may
 * have moved. */
static void
arm_timer(struct channel *channel)
{
	struct timeval wait;

	if (ares_timeout(channel->handle, NULL, &wait))
		event_add(&channel->timer, &wait);
	else
		event_del(&channel->timer);
}

static void
on_socket(evutil_socket_t fd, short what, void *owner)
{
	struct channel *channel = owner;

	ares_process_fd(channel->handle, what & EV_READ ? fd : ARES_SOCKET_BAD,
		what & EV_WRITE ? fd : ARES_SOCKET_BAD);
	arm_timer(channel);
}

static void
on_timer(evutil_socket_t fd, short what, void *owner)
{
	struct channel *channel = owner;

	(void)fd;
	(void)what;
	ares_process_fd(channel->handle, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm_timer(channel);
}

static void
on_socket_state(void *owner, ares_socket_t fd, int is_readable, int is_writable)
{
	struct channel *channel = owner;
	short what = (short)((is_readable ? EV_READ : 0) | (is_writable ? EV_WRITE : 0));
	size_t place = SOCKETS_MOST;

	for (size_t i = 0; i < SOCKETS_MOST; i++) {
		if (channel->sockets[i].fd == fd) {
			place = i;
			break;
		}
		if (channel->sockets[i].fd == -1 && place == SOCKETS_MOST)
			place = i;
	}
	if (place == SOCKETS_MOST)
		return; /* c-ares' own timeout ends that query */
	if (channel->sockets[place].fd == fd) {
		event_del(&channel->sockets[place].event);
		channel->sockets[place].fd = -1;
	}
	if (what != 0) {
		event_assign(&channel->sockets[place].event, channel->set->resolver->base, fd,
			(short)(what | EV_PERSIST), on_socket, channel);
		if (event_add(&channel->sockets[place].event, NULL) == 0)
			channel->sockets[place].fd = fd;
	}
}

static void
channel_free(struct channel *channel)
{
	if (!channel)
		return;
	ares_destroy(
		channel->handle); /* calls back what is open, and on_socket_state for each socket */
	event_del(&channel->timer);
	free(channel);
}

/* Puts the server at `first` in front. ERR_OK also where there is only one. */
static enum err
rotate_servers(ares_channel handle, size_t first, size_t *count)
{
	struct ares_addr_port_node *servers = NULL;
	struct ares_addr_port_node *last;
	struct ares_addr_port_node *at;
	enum err err = ERR_OK;

	*count = 0;
	if (ares_get_servers_ports(handle, &servers) != ARES_SUCCESS)
		return ERR_MEMORY;
	for (at = servers, last = NULL; at; at = at->next) {
		last = at;
		(*count)++;
	}
	if (first > 0 && first < *count) {
		struct ares_addr_port_node *before = servers;
		struct ares_addr_port_node *head;

		for (size_t i = 1; i < first; i++)
			before = before->next;
		head = before->next;
		before->next = NULL;
		last->next = servers;
		servers = head;
		err = ares_set_servers_ports(handle, servers) == ARES_SUCCESS ? ERR_OK : ERR_MEMORY;
	}
	ares_free_data(servers);
	return err;
}

static enum err
channel_new(struct channel_set *set, const char *named, size_t first, size_t *count,
	struct channel **out)
{
	struct channel *channel = calloc(1, sizeof(*channel));
	struct ares_options options = {
		.flags = ARES_FLAG_NOCHECKRESP | ARES_FLAG_NOSEARCH,
		.timeout = TRY_MS,
		.tries = TRIES,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = channel,
		.lookups = (char[]){ "b" }, /* DNS alone: the hosts file is read by hosts.c */
	};
	int status;

	if (!channel)
		return ERR_MEMORY;
	channel->set = set;
	for (size_t i = 0; i < SOCKETS_MOST; i++)
		channel->sockets[i].fd = -1;
	status = ares_init_options(&channel->handle, &options,
		ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB |
			ARES_OPT_LOOKUPS | ARES_OPT_NOROTATE);
	if (status != ARES_SUCCESS) {
		free(channel);
		return status == ARES_ENOMEM ? ERR_MEMORY : ERR_IO;
	}
	evtimer_assign(&channel->timer, set->resolver->base, on_timer, channel);
	if (named && ares_set_servers_ports_csv(channel->handle, named) != ARES_SUCCESS) {
		channel_free(channel);
		return ERR_INVALID;
	}
	if (rotate_servers(channel->handle, first, count) != ERR_OK) {
		channel_free(channel);
		return ERR_MEMORY;
	}
	*out = channel;
	return ERR_OK;
}

static void
set_free(struct channel_set *set)
{
	for (size_t i = 0; i < SERVERS_MOST; i++)
		channel_free(set->orders[i]);
	free(set);
}

static enum err
set_new(struct resolver *resolver, const char *named, struct channel_set **out)
{
	struct channel_set *set = calloc(1, sizeof(*set));
	size_t count = 0;
	enum err err;

	if (!set)
		return ERR_MEMORY;
	set->resolver = resolver;
	err = channel_new(set, named, 0, &count, &set->orders[0]);
	if (err != ERR_OK) {
		free(set);
		return err;
	}
	set->order_count = count < 1 ? 1 : count > SERVERS_MOST ? SERVERS_MOST : count;
	*out = set;
	return ERR_OK;
}

/* The channel with the servers in this order; where it cannot be made, the first. */
static struct channel *
set_channel(struct channel_set *set, size_t *order)
{
	size_t count;

	*order %= set->order_count;
	if (!set->orders[*order] && channel_new(set, set->resolver->named, *order, &count,
					    &set->orders[*order]) != ERR_OK)
		*order = 0;
	return set->orders[*order];
}

static void
on_sweep(evutil_socket_t fd, short what, void *owner)
{
	struct resolver *resolver = owner;
	struct channel_set **link = &resolver->old;

	(void)fd;
	(void)what;
	while (*link) {
		struct channel_set *set = *link;

		if (set->queries == 0) {
			*link = set->next;
			set_free(set);
		} else {
			link = &set->next;
		}
	}
}

static void
set_retire(struct channel_set *set)
{
	struct resolver *resolver = set->resolver;

	set->next = resolver->old;
	resolver->old = set;
	event_active(&resolver->sweep, EV_TIMEOUT, 0);
}

static bool
stat_is_same(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size;
}

static void
look_at_files(struct resolver *resolver)
{
	mono_t now = mono_now();
	struct channel_set *fresh;
	struct stat seen;

	if (mono_since(now, resolver->looked) < LOOK_EVERY_US)
		return;
	resolver->looked = now;
	hosts_look(&resolver->hosts, HOSTS_FILE);
	if (resolver->named)
		return;
	if (stat(RESOLV_CONF, &seen) != 0 || stat_is_same(&seen, &resolver->seen))
		return; /* one that is missing for a moment is being replaced */
	if (set_new(resolver, NULL, &fresh) == ERR_OK) {
		resolver->seen = seen;
		set_retire(resolver->now);
		resolver->now = fresh;
	}
}

enum err
resolver_new(struct event_base *base, const char *resolvers, struct resolver **out)
{
	struct resolver *resolver = calloc(1, sizeof(*resolver));
	enum err err = ERR_MEMORY;

	if (!resolver)
		return ERR_MEMORY;
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) { /* counts its calls */
		free(resolver);
		return ERR_IO;
	}
	resolver->base = base;
	event_assign(&resolver->sweep, base, -1, 0, on_sweep, resolver);
	if (stat(RESOLV_CONF, &resolver->seen) != 0)
		memset(&resolver->seen, 0, sizeof(resolver->seen));
	resolver->looked = mono_now();
	hosts_look(&resolver->hosts, HOSTS_FILE);
	if (!resolvers || (resolver->named = strdup(resolvers)) != NULL)
		err = set_new(resolver, resolver->named, &resolver->now);
	if (err != ERR_OK) {
		hosts_done(&resolver->hosts);
		free(resolver->named);
		free(resolver);
		ares_library_cleanup();
		return err;
	}
	*out = resolver;
	return ERR_OK;
}

static void
query_free(struct resolve_query *query)
{
	*query->link = query->next;
	if (query->next)
		query->next->link = query->link;
	event_del(&query->told);
	free(query->host);
	free(query);
}

void
resolver_free(struct resolver *resolver)
{
	if (!resolver)
		return;
	resolver->is_ended = true;
	set_free(resolver->now); /* what is open is answered by EDESTRUCTION: on_answer() */
	while (resolver->old) {
		struct channel_set *set = resolver->old;

		resolver->old = set->next;
		set_free(set);
	}
	while (resolver->queries)
		query_free(resolver->queries);
	event_del(&resolver->sweep);
	hosts_done(&resolver->hosts);
	free(resolver->named);
	free(resolver);
	ares_library_cleanup();
}

enum err
resolver_reconfigure(struct resolver *resolver, const char *resolvers)
{
	struct channel_set *fresh;
	char *named = NULL;
	enum err err;

	if (bytes_equal(bytes_of(resolvers), bytes_of(resolver->named)) &&
		!resolvers == !resolver->named) {
		resolver->looked = (mono_t){ mono_now().us - LOOK_EVERY_US };
		return ERR_OK;
	}
	if (resolvers && (named = strdup(resolvers)) == NULL)
		return ERR_MEMORY;
	err = set_new(resolver, named, &fresh);
	if (err != ERR_OK) {
		free(named);
		return err;
	}
	free(resolver->named);
	resolver->named = named;
	set_retire(resolver->now);
	resolver->now = fresh;
	return ERR_OK;
}

/* What c-ares says, in our words. A reply code that is no answer about the name says nothing of the
 * mailbox. */
static enum resolve_outcome
outcome_of(int status, const char **why)
{
	*why = NULL;
	switch (status) {
	case ARES_SUCCESS:
		return RESOLVE_FOUND;
	case ARES_ENOTFOUND:
	case ARES_EBADNAME:
		return RESOLVE_NO_NAME;
	case ARES_ENODATA:
		return RESOLVE_NO_ADDRESS;
	case ARES_ENOMEM:
		return RESOLVE_LOCAL_LIMIT;
	case ARES_ESERVFAIL:
		*why = "the resolver answers SERVFAIL";
		break;
	case ARES_EREFUSED:
		*why = "the resolver answers REFUSED";
		break;
	case ARES_ENOTIMP:
		*why = "the resolver answers NOTIMP";
		break;
	case ARES_EFORMERR:
		*why = "the resolver answers FORMERR";
		break;
	case ARES_ETIMEOUT:
		*why = "the resolver does not answer";
		break;
	case ARES_ECONNREFUSED:
		*why = "the resolver cannot be reached";
		break;
	default:
		*why = ares_strerror(status);
		break;
	}
	return RESOLVE_FAILED;
}

static void
take_addresses(struct resolve_answer *answer, const struct ares_addrinfo *info)
{
	int wanted = answer->family == FAMILY_IPV6 ? AF_INET6 : AF_INET;

	for (const struct ares_addrinfo_node *node = info->nodes;
		node && answer->count < RESOLVE_MOST_ADDRESSES; node = node->ai_next) {
		struct address *address = &answer->addresses[answer->count];

		if (node->ai_family != wanted || node->ai_addrlen > sizeof(address->is))
			continue;
		memset(address, 0, sizeof(*address));
		memcpy(&address->is, node->ai_addr, node->ai_addrlen);
		answer->count++;
	}
}

/* From inside c-ares, at any time, even within ares_getaddrinfo(): noted here, told by on_told().
 */
static void
on_answer(void *owner, int status, int timeouts, struct ares_addrinfo *info)
{
	struct resolve_query *query = owner;

	(void)timeouts;
	query->is_waiting = false;
	query->status = status;
	if (info) {
		take_addresses(&query->answer, info);
		ares_free_string(info->name); /* 1.18 forgets it */
		info->name = NULL;
		ares_freeaddrinfo(info);
	}
	if (query->resolver->is_ended)
		return; /* resolver_free() frees them all */
	query->set->queries--;
	if (query->set != query->resolver->now && query->set->queries == 0)
		event_active(&query->resolver->sweep, EV_TIMEOUT, 0);
	event_active(&query->told, EV_TIMEOUT, 0);
}

static void
query_ask(struct resolve_query *query, struct channel_set *set, size_t order)
{
	struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NOSORT,
		.ai_family = query->answer.family == FAMILY_IPV6 ? AF_INET6 : AF_INET,
		.ai_socktype = SOCK_STREAM,
	};
	struct channel *channel;

	query->set = set;
	query->order = order;
	channel = set_channel(set, &query->order);
	set->queries++;
	query->is_waiting = true;
	query->asked = mono_now();
	ares_getaddrinfo(channel->handle, query->host, NULL, &hints, on_answer, query);
	arm_timer(channel);
}

/* The order that gave an answer is asked from now on; a slow answer means that its first server is
 * dead. */
static void
learn_order(struct resolve_query *query)
{
	struct channel_set *set = query->set;

	if (set != query->resolver->now || set->order_count < 2)
		return;
	if (query->status == ARES_ETIMEOUT ||
		mono_since(mono_now(), query->asked) >= TRY_MS * US_PER_MS)
		set->preferred = (query->order + 1) % set->order_count;
	else if (query->is_retry)
		set->preferred = query->order;
}

static bool
may_be_asked_again(int status)
{
	return status == ARES_ESERVFAIL || status == ARES_EREFUSED || status == ARES_ENOTIMP ||
	       status == ARES_EFORMERR || status == ARES_EBADRESP || status == ARES_ECONNREFUSED;
}

static void
on_told(evutil_socket_t fd, short what, void *owner)
{
	struct resolve_query *query = owner;
	resolve_answered *answered = query->answered;
	struct resolve_answer answer;
	void *asker = query->owner;

	(void)fd;
	(void)what;
	if (!answered) {
		query_free(query);
		return;
	}
	if (query->set) {
		if (!query->is_retry && may_be_asked_again(query->status)) {
			struct channel_set *set = query->resolver->now;

			query->is_retry = true;
			query_ask(
				query, set, query->set == set ? query->order + 1 : set->preferred);
			return;
		}
		if (!may_be_asked_again(query->status))
			learn_order(query);
	}
	query->answer.outcome = outcome_of(query->status, &query->answer.why);
	if (query->answer.outcome == RESOLVE_FOUND && query->answer.count == 0)
		query->answer.outcome = RESOLVE_NO_ADDRESS;
	answer = query->answer;
	query_free(query);
	answered(asker, &answer);
}

/* What needs no query: an empty name (c-ares would ask for the root), a literal, a name of the
 * hosts file, which counts for both families then. */
static bool
is_known_here(struct resolve_query *query)
{
	struct resolve_answer *answer = &query->answer;
	struct address literal;
	bool is_known = false;

	if (query->host[0] == '\0') {
		query->status = ARES_ENOTFOUND;
		return true;
	}
	if (address_parse(query->host, &literal) == ERR_OK) {
		if (address_family(&literal) == answer->family)
			answer->addresses[answer->count++] = literal;
		is_known = true;
	} else {
		look_at_files(query->resolver);
		answer->count = hosts_find(&query->resolver->hosts, query->host, answer->family,
			answer->addresses, RESOLVE_MOST_ADDRESSES, &is_known);
	}
	query->status = answer->count > 0 ? ARES_SUCCESS : ARES_ENODATA;
	return is_known;
}

enum err
resolve_start(struct resolver *resolver, const char *host, enum family family,
	resolve_answered *answered, void *owner, struct resolve_query **out)
{
	struct resolve_query *query = calloc(1, sizeof(*query));

	assert(family == FAMILY_IPV4 || family == FAMILY_IPV6);
	if (!query || (query->host = strdup(host)) == NULL) {
		free(query);
		return ERR_MEMORY;
	}
	query->resolver = resolver;
	query->answered = answered;
	query->owner = owner;
	query->answer.family = family;
	event_assign(&query->told, resolver->base, -1, 0, on_told, query);
	query->next = resolver->queries;
	query->link = &resolver->queries;
	if (query->next)
		query->next->link = &query->next;
	resolver->queries = query;
	*out = query;
	if (is_known_here(query))
		event_active(&query->told, EV_TIMEOUT, 0);
	else
		query_ask(query, resolver->now, resolver->now->preferred);
	return ERR_OK;
}

void
resolve_cancel(struct resolve_query *query)
{
	query->answered = NULL;
	if (!query->is_waiting)
		query_free(query);
}
