/*
 * account.c: accounts: who belongs to one, how long it is remembered, what others ask of its brake.
 * Layer: watch, pure. An account is a user name at a site: both sides of a mailbox, and all
 * mailboxes with that user name there. Not here: which logins are made (brake.c), counting
 * (account_counts.c).
 */
#include "watch/inside.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>

#define FORGET_AFTER_US (30 * US_PER_D) /* an account that no mailbox has any more (H6-09) */

/* ---- life */

struct account *
account_get_hex(struct watch *watch, const char *hex)
{
	struct account *account;

	HASH_FIND_STR(watch->accounts, hex, account);
	if (account)
		return account;
	account = calloc(1, sizeof(*account));
	if (!account)
		return NULL;
	memcpy(account->key, hex, ACCOUNT_KEY_LEN);
	HASH_ADD_STR(watch->accounts, key, account);
	if (!account->hh.tbl) {
		free(account);
		return NULL;
	}
	return account;
}

static void
put_hex(struct bytes key, char hex[ACCOUNT_KEY_LEN + 1])
{
	snprintf(hex, ACCOUNT_KEY_LEN + 1, "%016llx%016llx", (unsigned long long)hash_bytes(key, 1),
		(unsigned long long)hash_bytes(key, 2));
}

struct account *
account_get(struct watch *watch, struct bytes key)
{
	char hex[ACCOUNT_KEY_LEN + 1];

	put_hex(key, hex);
	return account_get_hex(watch, hex);
}

struct account *
account_find(const struct watch *watch, struct bytes key)
{
	char hex[ACCOUNT_KEY_LEN + 1];
	struct account *account;

	put_hex(key, hex);
	HASH_FIND_STR(watch->accounts, hex, account);
	return account;
}

void
account_free(struct watch *watch, struct account *account)
{
	HASH_DEL(watch->accounts, account);
	while (account->tried_count > 0)
		tried_drop(account, account->tried);
	if (account->brake.is_open)
		watch->brakes_open--;
	free(account);
}

void
account_drop(struct watch *watch, struct account *account)
{
	if (!account->endpoints && !account->logins && account->probes == 0 &&
		account->tried_count == 0 && !account->has_row && !account->brake.is_open)
		account_free(watch, account);
}

void
account_join(struct account *account, struct watched *endpoint)
{
	endpoint->account = account;
	endpoint->account_next = account->endpoints;
	account->endpoints = endpoint;
}

void
account_leave(struct watch *watch, struct watched *endpoint)
{
	struct watched **place = &endpoint->account->endpoints;

	(void)watch;
	while (*place != endpoint)
		place = &(*place)->account_next;
	*place = endpoint->account_next;
	endpoint->account = NULL;
	endpoint->has_permit = false;
}

bool
account_has_side(const struct account *account, enum side side)
{
	const struct watched *endpoint = account->endpoints;

	while (endpoint && endpoint->side != side)
		endpoint = endpoint->account_next;
	return endpoint != NULL;
}

static bool
owns_mailbox(const struct account *account, const char *name)
{
	const struct watched *endpoint = account->endpoints;

	while (endpoint && strcmp(endpoint->mailbox->name, name) != 0)
		endpoint = endpoint->account_next;
	return endpoint != NULL;
}

static bool
is_forgettable(const struct watch *watch, const struct account *account)
{
	for (size_t i = 0; i < account->tried_count; i++) {
		const struct tried *tried = &account->tried[i];

		if (tried->count > 0 && watch->held.us - tried->refusals[tried->count - 1].time.us <
						FORGET_AFTER_US)
			return false;
	}
	return true;
}

void
account_sweep(struct watch *watch)
{
	struct account *account, *next;

	HASH_ITER (hh, watch->accounts, account, next) {
		if (account->brake.is_told && !owns_mailbox(account, account->brake.mailbox)) {
			tell_brake_end(watch, account, "the mailbox was removed");
			row_keep_account(watch, account);
		}
		if (account->endpoints || account->logins || account->probes > 0 ||
			!is_forgettable(watch, account))
			continue;
		if (account->has_row)
			row_forget(watch, ROW_ACCOUNT, account->key);
		account_free(watch, account);
	}
}

/* ---- what others ask */

bool
account_holds(const struct watch *watch, const struct watched *endpoint)
{
	const struct account *account = endpoint->account;

	(void)watch;
	return account && account->brake.is_open &&
	       account->last[endpoint->side].result != RESULT_ACCEPTED;
}

wall_t
account_until(const struct watch *watch, const struct account *account)
{
	wall_t until = WALL_NONE;

	for (size_t side = 0; side < SIDE_COUNT; side++) {
		const struct tried *tried = tried_find(account, account->last[side].fingerprint);
		wall_t from;

		if (account->last[side].result == RESULT_ACCEPTED || !tried)
			continue;
		from = account_room_from(watch, account, tried);
		if (!wall_is_set(until) || from.us < until.us)
			until = from;
	}
	if (until.us < account->brake.next_try.us)
		until = account->brake.next_try;
	return wall_add(until, watch->wall.us - watch->held.us); /* as the clock will show it */
}

bool
account_permit(struct watch *watch, struct account *account, int64_t *retry_us_out)
{
	wall_t oldest;

	account_clamp(watch, account);
	oldest = account->resumed[0];
	if (wall_is_set(oldest) && watch->held.us - oldest.us < US_PER_H) {
		*retry_us_out = oldest.us + US_PER_H - watch->held.us;
		return false;
	}
	account->resumed[0] = account->resumed[1];
	account->resumed[1] = watch->held;
	row_keep_account(watch, account);
	return true;
}
