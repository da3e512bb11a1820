/*
 * tls_session.c: sessions to resume, and the chain verified last, by server and trust setting.
 * Layer: net.
 */
#include "net/tls_session.h"

#include <stdlib.h>
#include <sys/queue.h>
#define HASH_NONFATAL_OOM 1 /* an element that found no room has hh.tbl NULL */
#include <uthash.h>

struct ticket {
	TAILQ_ENTRY(ticket) of_server; /* newest last, here and there */
	TAILQ_ENTRY(ticket) of_all;
	struct tls_memory *memory;
	SSL_SESSION *session;
};
TAILQ_HEAD(tickets, ticket);

struct tls_memory {
	UT_hash_handle hh;	   /* in the order of use */
	struct tls_memories *home; /* NULL: out of the table, it keeps no sessions any more */
	char *key;
	int owners;	     /* those who hold it, and the table */
	bool is_verified;    /* what follows holds */
	unsigned generation; /* of the chain: sessions of an older one are not kept */
	mono_t verified;
	wall_t first_end;
	uint8_t chain[TLS_CHAIN_BYTES];
	struct certificate *certificate; /* the leaf of that chain; NULL: not read yet */
	struct tickets tickets;
	size_t ticket_count;
	bool is_refusing; /* tickets, until: */
	mono_t refuses_until;
};

struct tls_memories {
	struct tls_memory *table;
	struct tickets tickets;
	size_t ticket_count;
};

/* Gives its session. */
static SSL_SESSION *
take_ticket(struct ticket *ticket)
{
	struct tls_memory *memory = ticket->memory;
	SSL_SESSION *session = ticket->session;

	TAILQ_REMOVE(&memory->tickets, ticket, of_server);
	memory->ticket_count--;
	TAILQ_REMOVE(&memory->home->tickets, ticket, of_all);
	memory->home->ticket_count--;
	free(ticket);
	return session;
}

static void
drop_sessions(struct tls_memory *memory)
{
	while (!TAILQ_EMPTY(&memory->tickets))
		SSL_SESSION_free(take_ticket(TAILQ_FIRST(&memory->tickets)));
}

static void
forget(struct tls_memory *memory)
{
	drop_sessions(memory);
	certificate_free(memory->certificate);
	memory->certificate = NULL;
	memory->is_verified = false;
	memory->generation++;
}

void
tls_memory_free(struct tls_memory *memory)
{
	if (!memory || --memory->owners > 0)
		return;
	certificate_free(memory->certificate);
	free(memory->key);
	free(memory);
}

static void
drop(struct tls_memories *memories, struct tls_memory *memory)
{
	HASH_DEL(memories->table, memory);
	drop_sessions(memory);
	memory->home = NULL;
	tls_memory_free(memory);
}

struct tls_memories *
tls_memories_new(void)
{
	struct tls_memories *memories = calloc(1, sizeof(*memories));

	if (memories)
		TAILQ_INIT(&memories->tickets);
	return memories;
}

void
tls_memories_forget(struct tls_memories *memories)
{
	while (memories->table)
		drop(memories, memories->table);
}

void
tls_memories_free(struct tls_memories *memories)
{
	if (!memories)
		return;
	tls_memories_forget(memories);
	free(memories);
}

static struct tls_memory *
make(struct tls_memories *memories, struct bytes key)
{
	struct tls_memory *memory = calloc(1, sizeof(*memory));

	if (!memory || (memory->key = malloc(key.len)) == NULL) {
		free(memory);
		return NULL;
	}
	memcpy(memory->key, key.at, key.len);
	memory->owners = 1;
	memory->home = memories;
	TAILQ_INIT(&memory->tickets);
	return memory;
}

struct tls_memory *
tls_memory_find(struct tls_memories *memories, struct bytes key)
{
	struct tls_memory *memory;

	HASH_FIND(hh, memories->table, key.at, key.len, memory);
	if (memory)
		HASH_DEL(memories->table, memory); /* and in again behind all others */
	else if ((memory = make(memories, key)) == NULL)
		return NULL;
	HASH_ADD_KEYPTR(hh, memories->table, memory->key, key.len, memory);
	if (!memory->hh.tbl) {
		drop_sessions(memory);
		memory->home = NULL;
		tls_memory_free(memory);
		return NULL;
	}
	if (HASH_COUNT(memories->table) > TLS_MOST_SERVERS)
		drop(memories, memories->table);
	memory->owners++;
	return memory;
}

/* Forgets what is too old to be believed. */
static void
age(struct tls_memory *memory, mono_t now, wall_t wall)
{
	if (memory->is_verified && (mono_since(now, memory->verified) >= TLS_VERIFIED_US ||
					   wall.us >= memory->first_end.us))
		forget(memory);
	if (memory->is_refusing && !mono_is_before(now, memory->refuses_until))
		memory->is_refusing = false;
}

SSL_SESSION *
tls_memory_take(struct tls_memory *memory, mono_t now, wall_t wall, unsigned *generation)
{
	age(memory, now, wall);
	*generation = memory->generation;
	while (!TAILQ_EMPTY(&memory->tickets)) {
		struct ticket *newest = TAILQ_LAST(&memory->tickets, tickets);
		SSL_SESSION *session = newest->session;

		if (SSL_SESSION_is_resumable(session) &&
			SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION) {
			SSL_SESSION_up_ref(session);
			return session;
		}
		take_ticket(newest);
		if (SSL_SESSION_is_resumable(session))
			return session;
		SSL_SESSION_free(session);
	}
	return NULL;
}

void
tls_memory_put(struct tls_memory *memory, unsigned generation, SSL_SESSION *session)
{
	bool is_kept = memory->home && memory->is_verified && generation == memory->generation &&
		       !memory->is_refusing;
	struct ticket *ticket = is_kept ? malloc(sizeof(*ticket)) : NULL;

	if (!ticket) {
		SSL_SESSION_free(session);
		return;
	}
	*ticket = (struct ticket){ .memory = memory, .session = session };
	/* Of TLS 1.2 one is enough, since it may be used again. */
	if (memory->ticket_count == TLS_MOST_SESSIONS ||
		(memory->ticket_count > 0 &&
			SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION))
		SSL_SESSION_free(take_ticket(TAILQ_FIRST(&memory->tickets)));
	else if (memory->home->ticket_count == TLS_MOST_SESSIONS_IN_ALL)
		SSL_SESSION_free(take_ticket(TAILQ_FIRST(&memory->home->tickets)));
	TAILQ_INSERT_TAIL(&memory->tickets, ticket, of_server);
	memory->ticket_count++;
	TAILQ_INSERT_TAIL(&memory->home->tickets, ticket, of_all);
	memory->home->ticket_count++;
}

void
tls_memory_refuse(struct tls_memory *memory, mono_t now)
{
	drop_sessions(memory);
	memory->is_refusing = true;
	memory->refuses_until = mono_add(now, TLS_VERIFIED_US);
}

struct certificate *
tls_memory_certificate(const struct tls_memory *memory, unsigned generation)
{
	return memory->generation == generation ? certificate_hold(memory->certificate) : NULL;
}

void
tls_memory_read(struct tls_memory *memory, unsigned generation, struct certificate *certificate)
{
	if (memory->is_verified && memory->generation == generation && !memory->certificate)
		memory->certificate = certificate_hold(certificate);
}

bool
tls_memory_knows(struct tls_memory *memory, const uint8_t chain[TLS_CHAIN_BYTES], mono_t now,
	wall_t wall, unsigned *generation)
{
	age(memory, now, wall);
	*generation = memory->generation;
	return memory->is_verified && memcmp(memory->chain, chain, TLS_CHAIN_BYTES) == 0;
}

void
tls_memory_verified(struct tls_memory *memory, const uint8_t chain[TLS_CHAIN_BYTES], mono_t now,
	wall_t first_end, unsigned *generation)
{
	if (!memory->is_verified || memcmp(memory->chain, chain, TLS_CHAIN_BYTES) != 0)
		forget(memory);
	memcpy(memory->chain, chain, TLS_CHAIN_BYTES);
	memory->is_verified = true;
	memory->verified = now;
	memory->first_end = first_end;
	*generation = memory->generation;
}
