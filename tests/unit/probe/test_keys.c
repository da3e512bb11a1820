/*
 * test_keys.c: salted passwords are made beside the loop, once, and no more than there is room for.
 */
#include "../unit.h"

#include "probe/keys.h"

#include <event2/event.h>

#include "base/time.h"

#define MOST_WAITING 1000 /* keys.c */
#define MOST_KEPT 65536

struct fixture {
	struct event_base *base;
	struct keys *keys;
	struct secret *secret;
	struct fingerprint fingerprint;
	size_t made; /* calls */
	enum err err;
	struct digest last;
};

static void
fixture_begin(struct fixture *f)
{
	*f = (struct fixture){ .fingerprint = { { 1 } } };
	f->base = event_base_new();
	assert_non_null(f->base);
	assert_ok(keys_new(f->base, &f->keys));
	assert_ok(secret_new(BYTES("pencil"), &f->secret));
}

static void
fixture_end(struct fixture *f)
{
	keys_free(f->keys);
	event_base_free(f->base);
	secret_free(f->secret);
}

static void
on_made(void *owner, enum err err, const struct digest *key)
{
	struct fixture *f = owner;

	f->made++;
	f->err = err;
	f->last = *key;
}

static struct scram_need
need_of(const char *salt, unsigned iterations)
{
	return (struct scram_need){ DIGEST_SHA_256, bytes_of(salt), iterations };
}

static enum err
ask(struct fixture *f, struct scram_need need, struct digest *key, struct key_ask **out)
{
	return keys_ask(f->keys, f->secret, f->fingerprint, &need, key, on_made, f, out);
}

static void
wait_for(struct fixture *f, size_t made)
{
	while (f->made < made)
		assert_int_equal(event_base_loop(f->base, EVLOOP_ONCE), 0);
}

/* Asks, waits where it is not kept; gives whether it was. */
static bool
is_kept(struct fixture *f, struct scram_need need)
{
	struct key_ask *waits;
	struct digest key;
	size_t before = f->made;
	enum err err = ask(f, need, &key, &waits);

	if (err == ERR_OK)
		return true;
	assert_err_equal(err, ERR_MORE);
	assert_int_equal(f->made, before);
	wait_for(f, before + 1);
	assert_ok(f->err);
	return false;
}

static void
test_keys_are_made_once(void **state)
{
	struct fixture f;
	struct digest right, key;
	struct key_ask *waits;

	fixture_begin(&f);
	assert_ok(secret_salt(f.secret, DIGEST_SHA_256, BYTES("salt"), 4096, &right));
	assert_false(is_kept(&f, need_of("salt", 4096)));
	assert_true(digest_equal(DIGEST_SHA_256, &right, digest_bytes(DIGEST_SHA_256, &f.last)));
	assert_ok(ask(&f, need_of("salt", 4096), &key, &waits));
	assert_true(digest_equal(DIGEST_SHA_256, &right, digest_bytes(DIGEST_SHA_256, &key)));
	fixture_end(&f);
}

static void
test_keys_are_told_apart(void **state)
{
	struct fixture f;
	struct scram_need need = need_of("salt", 4096);

	fixture_begin(&f);
	assert_false(is_kept(&f, need));
	unit_row("another salt");
	assert_false(is_kept(&f, need_of("tlas", 4096)));
	unit_row("other rounds");
	assert_false(is_kept(&f, need_of("salt", 4097)));
	unit_row("another hash");
	need.digest = DIGEST_SHA_1;
	assert_false(is_kept(&f, need));
	unit_row("another secret");
	f.fingerprint.bytes[0]++;
	assert_false(is_kept(&f, need_of("salt", 4096)));
	fixture_end(&f);
}

static void
test_keys_that_nobody_waits_for_are_kept(void **state)
{
	struct fixture f;
	struct digest key;
	struct key_ask *waits;

	fixture_begin(&f);
	assert_err_equal(ask(&f, need_of("one", 4096), &key, &waits), ERR_MORE);
	keys_cancel(waits);
	assert_false(is_kept(&f, need_of("two", 1))); /* behind the first */
	assert_int_equal(f.made, 1);
	assert_true(is_kept(&f, need_of("one", 4096)));
	fixture_end(&f);
}

/* H2-41: what a server makes us compute is bounded. */
static void
test_keys_wait_in_a_bounded_row(void **state)
{
	struct fixture f;
	struct digest key;
	struct key_ask *waits;
	char salt[16];

	fixture_begin(&f);
	for (unsigned i = 0; i < MOST_WAITING; i++) {
		snprintf(salt, sizeof(salt), "s%u", i);
		assert_err_equal(ask(&f, need_of(salt, 1), &key, &waits), ERR_MORE);
	}
	assert_err_equal(ask(&f, need_of("more", 1), &key, &waits), ERR_LIMIT);
	wait_for(&f, MOST_WAITING);
	assert_false(is_kept(&f, need_of("more", 1)));
	fixture_end(&f);
}

static void
test_keys_end_while_some_wait(void **state)
{
	struct fixture f;
	struct digest key;
	struct key_ask *waits;
	mono_t began = mono_now();

	fixture_begin(&f);
	for (unsigned i = 0; i < MOST_WAITING; i++)
		assert_err_equal(ask(&f, need_of("salt", 100000 - i), &key, &waits), ERR_MORE);
	fixture_end(&f); /* waits for one of them; all would take some 40 s */
	assert_true(mono_since(mono_now(), began) < 10 * US_PER_S);
}

static void
set_number(struct fixture *f, uint32_t number)
{
	memcpy(f->fingerprint.bytes, &number, sizeof(number));
}

static void
test_keys_unused_for_longest_go(void **state)
{
	struct fixture f;
	struct digest key;
	struct key_ask *waits;

	fixture_begin(&f);
	for (uint32_t i = 0; i < MOST_KEPT; i++) {
		if (i % MOST_WAITING == 0)
			wait_for(&f, i);
		set_number(&f, i);
		assert_err_equal(ask(&f, need_of("salt", 1), &key, &waits), ERR_MORE);
	}
	wait_for(&f, MOST_KEPT);
	unit_row("the oldest, used again");
	set_number(&f, 0);
	assert_true(is_kept(&f, need_of("salt", 1)));
	unit_row("one too many");
	set_number(&f, MOST_KEPT);
	assert_false(is_kept(&f, need_of("salt", 1)));
	unit_row("it was used");
	set_number(&f, 0);
	assert_true(is_kept(&f, need_of("salt", 1)));
	unit_row("it was not");
	set_number(&f, 1);
	assert_false(is_kept(&f, need_of("salt", 1)));
	fixture_end(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_keys_are_made_once),
	cmocka_unit_test(test_keys_are_told_apart),
	cmocka_unit_test(test_keys_that_nobody_waits_for_are_kept),
	cmocka_unit_test(test_keys_wait_in_a_bounded_row),
	cmocka_unit_test(test_keys_end_while_some_wait),
	cmocka_unit_test(test_keys_unused_for_longest_go),
};

UNIT_MAIN(tests)
