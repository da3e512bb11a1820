/*
 * test_tls_session.c: how long a session and a verified chain may be believed (H1-31), and how much
 * of them is kept.
 */
#include "../unit.h"

#include "net/tls_session.h"

static const uint8_t chain[TLS_CHAIN_BYTES] = { 1 };
static const uint8_t other_chain[TLS_CHAIN_BYTES] = { 2 };
static const mono_t began = { US_PER_H };
static const wall_t wall = { 1000 * US_PER_D };
static const wall_t never = { INT64_MAX };

static SSL_SESSION *
session(int version)
{
	SSL_SESSION *made = SSL_SESSION_new();

	assert_non_null(made);
	SSL_SESSION_set_protocol_version(made, version);
	SSL_SESSION_set1_id(made, (const unsigned char *)"id", 2);
	return made;
}

/* Whether there is one to offer; it is put back where it may be used again. */
static bool
has_session(struct tls_memory *memory, mono_t now, wall_t at)
{
	unsigned generation;
	SSL_SESSION *taken = tls_memory_take(memory, now, at, &generation);

	SSL_SESSION_free(taken);
	return taken != NULL;
}

static void
test_all_ends_with_the_verification_H1_31(void **state)
{
	static const struct {
		const char *name;
		int64_t later_us;
		int64_t first_end_us; /* from wall */
		bool is_kept;
	} rows[] = {
		{ "at once", 0, US_PER_D, true },
		{ "just within the hour", US_PER_H - 1, US_PER_D, true },
		{ "the hour is over", US_PER_H, US_PER_D, false },
		{ "after a suspend", 30 * US_PER_D, 60 * US_PER_D, false },
		{ "just before the certificate ends", 60 * US_PER_S, 60 * US_PER_S + 1, true },
		{ "the certificate has ended", 60 * US_PER_S, 60 * US_PER_S, false },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct tls_memories *memories = tls_memories_new();
		struct tls_memory *memory = tls_memory_find(memories, BYTES("a"));
		mono_t now = mono_add(began, rows[i].later_us);
		wall_t at = wall_add(wall, rows[i].later_us);
		unsigned generation = 0;

		unit_row(rows[i].name);
		tls_memory_verified(
			memory, chain, began, wall_add(wall, rows[i].first_end_us), &generation);
		tls_memory_put(memory, generation, session(TLS1_2_VERSION));
		assert_int_equal(has_session(memory, now, at), rows[i].is_kept);
		assert_int_equal(
			tls_memory_knows(memory, chain, now, at, &generation), rows[i].is_kept);
		assert_false(tls_memory_knows(memory, other_chain, now, at, &generation));
		tls_memory_free(memory);
		tls_memories_free(memories);
	}
}

/* A ticket that comes late, of a connection that began before another chain was seen. */
static void
test_sessions_of_an_older_chain_are_dropped_H1_31(void **state)
{
	struct tls_memories *memories = tls_memories_new();
	struct tls_memory *memory = tls_memory_find(memories, BYTES("a"));
	unsigned older, newer;

	tls_memory_verified(memory, chain, began, never, &older);
	tls_memory_put(memory, older, session(TLS1_3_VERSION));
	tls_memory_verified(memory, other_chain, began, never, &newer);
	assert_false(has_session(memory, began, wall));
	tls_memory_put(memory, older, session(TLS1_3_VERSION));
	assert_false(has_session(memory, began, wall));
	tls_memory_put(memory, newer, session(TLS1_3_VERSION));
	assert_true(has_session(memory, began, wall));
	tls_memory_free(memory);
	tls_memories_free(memories);
}

static void
test_a_ticket_of_1_3_is_used_once(void **state)
{
	struct tls_memories *memories = tls_memories_new();
	struct tls_memory *memory = tls_memory_find(memories, BYTES("a"));
	unsigned generation;
	size_t count = 0;

	tls_memory_verified(memory, chain, began, never, &generation);
	for (size_t i = 0; i < 100 * TLS_MOST_SESSIONS; i++)
		tls_memory_put(memory, generation, session(TLS1_3_VERSION));
	while (has_session(memory, began, wall))
		count++;
	assert_int_equal(count, TLS_MOST_SESSIONS);
	tls_memory_put(memory, generation, session(TLS1_2_VERSION));
	assert_true(has_session(memory, began, wall));
	assert_true(has_session(memory, began, wall));
	tls_memory_free(memory);
	tls_memories_free(memories);
}

/* Many servers, few sessions: those that lie longest go, whose ever they are. */
static void
test_sessions_are_bounded_in_all(void **state)
{
	struct tls_memories *memories = tls_memories_new();
	struct tls_memory *first = tls_memory_find(memories, BYTES("first")), *memory = NULL;
	unsigned generation;
	size_t count = 0;

	tls_memory_verified(first, chain, began, never, &generation);
	tls_memory_put(first, generation, session(TLS1_3_VERSION));
	tls_memory_put(first, generation, session(TLS1_3_VERSION));
	for (unsigned i = 0; i < TLS_MOST_SESSIONS_IN_ALL - 1; i++) {
		tls_memory_free(memory);
		memory = tls_memory_find(memories, (struct bytes){ (const char *)&i, sizeof(i) });
		tls_memory_verified(memory, chain, began, never, &generation);
		tls_memory_put(memory, generation, session(TLS1_3_VERSION));
	}
	assert_true(has_session(memory, began, wall));
	while (has_session(first, began, wall))
		count++;
	assert_int_equal(count, 1);
	tls_memory_free(first);
	tls_memory_free(memory);
	tls_memories_free(memories);
}

static void
test_who_minds_tickets_is_spared_them_for_an_hour_H1_33(void **state)
{
	struct tls_memories *memories = tls_memories_new();
	struct tls_memory *memory = tls_memory_find(memories, BYTES("a"));
	mono_t later = mono_add(began, US_PER_H);
	unsigned generation;

	tls_memory_verified(memory, chain, began, never, &generation);
	tls_memory_put(memory, generation, session(TLS1_2_VERSION));
	tls_memory_refuse(memory, began);
	assert_false(has_session(memory, began, wall));
	tls_memory_put(memory, generation, session(TLS1_2_VERSION));
	assert_false(has_session(memory, began, wall));
	assert_false(has_session(memory, later, wall));
	tls_memory_verified(memory, chain, later, never, &generation);
	tls_memory_put(memory, generation, session(TLS1_2_VERSION));
	assert_true(has_session(memory, later, wall));
	tls_memory_free(memory);
	tls_memories_free(memories);
}

static void
test_what_was_read_goes_with_its_chain(void **state)
{
	struct tls_memories *memories = tls_memories_new();
	struct tls_memory *memory = tls_memory_find(memories, BYTES("a"));
	struct certificate *read = certificate_new(), *known;
	unsigned older, newer;

	tls_memory_verified(memory, chain, began, never, &older);
	assert_null(tls_memory_certificate(memory, older));
	tls_memory_read(memory, older, read);
	known = tls_memory_certificate(memory, older);
	assert_ptr_equal(known, read);
	certificate_free(known);
	tls_memory_verified(memory, other_chain, began, never, &newer);
	assert_null(tls_memory_certificate(memory, older));
	assert_null(tls_memory_certificate(memory, newer));
	tls_memory_read(memory, older, read); /* late */
	assert_null(tls_memory_certificate(memory, newer));
	certificate_free(read);
	tls_memory_free(memory);
	tls_memories_free(memories);
}

static void
test_memory_is_bounded(void **state)
{
	struct tls_memories *memories = tls_memories_new();
	struct tls_memory *first = tls_memory_find(memories, BYTES("first"));
	struct tls_memory *again;
	unsigned generation;

	tls_memory_verified(first, chain, began, never, &generation);
	for (unsigned i = 0; i < TLS_MOST_SERVERS; i++) {
		struct bytes key = { (const char *)&i, sizeof(i) };

		tls_memory_free(tls_memory_find(memories, key));
	}
	/* It is forgotten, and yet whole for who still holds it. */
	assert_true(tls_memory_knows(first, chain, began, wall, &generation));
	again = tls_memory_find(memories, BYTES("first"));
	assert_false(tls_memory_knows(again, chain, began, wall, &generation));
	tls_memory_free(again);
	tls_memories_free(memories);
	tls_memory_free(first);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_all_ends_with_the_verification_H1_31),
	cmocka_unit_test(test_sessions_of_an_older_chain_are_dropped_H1_31),
	cmocka_unit_test(test_a_ticket_of_1_3_is_used_once),
	cmocka_unit_test(test_sessions_are_bounded_in_all),
	cmocka_unit_test(test_who_minds_tickets_is_spared_them_for_an_hour_H1_33),
	cmocka_unit_test(test_what_was_read_goes_with_its_chain),
	cmocka_unit_test(test_memory_is_bounded),
};

int
main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
