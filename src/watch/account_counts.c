/*
 * account_counts.c: the refusals of an account and what its counts still allow. Layer: watch, pure.
 * Not here: what is decided by them (account.c).
 */
#include "watch/inside.h"

#include <stdlib.h>

#define CAPS_MOST 12 /* the largest of account_caps */

const struct watch_count_rule account_caps[ACCOUNT_CAPS] = {
	{ 4, 15 * US_PER_M },
	{ CAPS_MOST, US_PER_D },
};

struct tried *
tried_find(const struct account *account, struct fingerprint fingerprint)
{
	for (size_t i = 0; i < account->tried_count; i++) {
		if (fingerprint_equal(account->tried[i].fingerprint, fingerprint))
			return &account->tried[i];
	}
	return NULL;
}

static wall_t
last_refusal(const struct tried *tried)
{
	return tried->count ? tried->refusals[tried->count - 1].time : WALL_NONE;
}

void
tried_drop(struct account *account, struct tried *tried)
{
	free(tried->refusals);
	*tried = account->tried[--account->tried_count];
	if (account->tried_count == 0) {
		free(account->tried);
		account->tried = NULL;
	}
}

/* The one that was there, or a new one; beyond the most the one refused longest ago goes. NULL: no
 * memory */
struct tried *
tried_add(struct account *account, struct fingerprint fingerprint)
{
	struct tried *tried = tried_find(account, fingerprint), *grown;

	if (tried)
		return tried;
	if (account->tried_count == ACCOUNT_MOST_TRIED) {
		tried = account->tried;
		for (size_t i = 1; i < account->tried_count; i++) {
			if (last_refusal(&account->tried[i]).us < last_refusal(tried).us)
				tried = &account->tried[i];
		}
		tried_drop(account, tried);
	}
	grown = reallocarray(account->tried, account->tried_count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	account->tried = grown;
	tried = &grown[account->tried_count++];
	*tried = (struct tried){ .fingerprint = fingerprint };
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		if (fingerprint_equal(account->last[side].fingerprint, fingerprint))
			tried->results[side] = account->last[side].result;
	}
	return tried;
}

void
tried_refused(struct tried *tried, wall_t time, bool is_supposed)
{
	if (tried->count == ACCOUNT_MOST_REFUSALS)
		memmove(tried->refusals, tried->refusals + 1,
			--tried->count * sizeof(*tried->refusals));
	if (tried->count == tried->room) {
		size_t room = tried->room ? 2 * tried->room : 4;
		struct refusal *grown = reallocarray(tried->refusals, room, sizeof(*grown));

		if (!grown) {
			/* The newest counts most. */
			if (tried->count > 0)
				tried->refusals[tried->count - 1] =
					(struct refusal){ time, is_supposed };
			return;
		}
		tried->refusals = grown;
		tried->room = room;
	}
	tried->refusals[tried->count++] = (struct refusal){ time, is_supposed };
}

void
account_forget_supposed(struct account *account)
{
	for (size_t i = account->tried_count; i-- > 0;) {
		struct tried *tried = &account->tried[i];
		size_t kept = 0;

		for (size_t j = 0; j < tried->count; j++) {
			if (!tried->refusals[j].is_supposed)
				tried->refusals[kept++] = tried->refusals[j];
		}
		tried->count = kept;
		if (kept == 0)
			tried_drop(account, tried);
	}
}

/* Refusals of a secret that lie in the window now. */
static unsigned
count_in(const struct tried *tried, wall_t now, int64_t window_us)
{
	unsigned count = 0;

	for (size_t i = tried->count; i-- > 0;)
		count += now.us - tried->refusals[i].time.us < window_us;
	return count;
}

static unsigned
room_of(unsigned most, unsigned count)
{
	return count < most ? most - count : 0;
}

unsigned
account_room_of_secret(const struct watch *watch, const struct tried *tried)
{
	unsigned room = UINT32_MAX;

	for (size_t i = 0; i < watch->limits.refused_logins_count; i++) {
		const struct watch_count_rule *rule = &watch->limits.refused_logins[i];
		unsigned here = room_of(rule->count, count_in(tried, watch->held, rule->window_us));

		if (here < room)
			room = here;
	}
	return room;
}

unsigned
account_room_of_caps(const struct watch *watch, const struct account *account)
{
	unsigned room = UINT32_MAX;

	for (size_t i = 0; i < ACCOUNT_CAPS; i++) {
		unsigned count = 0, here;

		for (size_t j = 0; j < account->tried_count; j++)
			count += count_in(
				&account->tried[j], watch->held, account_caps[i].window_us);
		here = room_of(account_caps[i].count, count);
		if (here < room)
			room = here;
	}
	return room;
}

/* The latest ones of a secret into most[], newest first. */
static void
merge_latest(const struct tried *tried, int64_t most[CAPS_MOST])
{
	for (size_t i = 0; i < tried->count; i++) {
		int64_t time = tried->refusals[i].time.us;

		for (size_t place = 0; place < CAPS_MOST; place++) {
			int64_t earlier = most[place];

			if (time <= earlier)
				continue;
			most[place] = time;
			time = earlier;
		}
	}
}

wall_t
account_room_from(
	const struct watch *watch, const struct account *account, const struct tried *tried)
{
	int64_t latest[CAPS_MOST] = { 0 };
	wall_t from = watch->held;

	for (size_t i = 0; tried && i < watch->limits.refused_logins_count; i++) {
		const struct watch_count_rule *rule = &watch->limits.refused_logins[i];
		wall_t ends;

		if (rule->count == 0 || tried->count < rule->count)
			continue;
		ends = wall_add(tried->refusals[tried->count - rule->count].time, rule->window_us);
		if (ends.us > from.us)
			from = ends;
	}
	for (size_t i = 0; i < account->tried_count; i++)
		merge_latest(&account->tried[i], latest);
	for (size_t i = 0; i < ACCOUNT_CAPS; i++) {
		int64_t ends = latest[account_caps[i].count - 1] + account_caps[i].window_us;

		if (latest[account_caps[i].count - 1] && ends > from.us)
			from.us = ends;
	}
	return from;
}

bool
tried_is_old(const struct watch *watch, const struct tried *tried)
{
	int64_t window = US_PER_D;

	for (size_t i = 0; i < watch->limits.refused_logins_count; i++) {
		if (watch->limits.refused_logins[i].window_us > window)
			window = watch->limits.refused_logins[i].window_us;
	}
	return watch->held.us - last_refusal(tried).us >= window;
}
