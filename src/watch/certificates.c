/*
 * certificates.c: which certificates servers show, when they end, and what of that is told (event
 * `cert`, contract 6). Layer: watch, pure. Not here: whether one is any good (net/tls.c): what
 * comes here was verified.
 *
 * A place is one side of a server, as the two may show two certificates; it knows the last ones, so
 * that two backends with two of them are told once (H8-21). A leaf is one certificate, wherever it
 * is shown: how near its end is was told is its own, so 500 mailboxes and ten hosts hear of it once
 * a step.
 */
#include "watch/inside.h"

#include <stdlib.h>

/* ---- leaves */

static struct leaf *
leaf_find(const struct watch *watch, const uint8_t sha256[32])
{
	struct leaf *leaf;

	HASH_FIND(hh, watch->leaves, sha256, sizeof(leaf->sha256), leaf);
	return leaf;
}

struct leaf *
leaf_get(struct watch *watch, const uint8_t sha256[32], struct bytes authority)
{
	struct leaf *leaf = leaf_find(watch, sha256);

	if (leaf)
		return leaf;
	leaf = calloc(1, sizeof(*leaf));
	if (!leaf)
		return NULL;
	memcpy(leaf->sha256, sha256, sizeof(leaf->sha256));
	leaf->authority = bytes_copy(authority);
	if (leaf->authority)
		HASH_ADD(hh, watch->leaves, sha256, sizeof(leaf->sha256), leaf);
	if (!leaf->authority || !leaf->hh.tbl) {
		free(leaf->authority);
		free(leaf);
		return NULL;
	}
	return leaf;
}

/* One place less knows it; without any it goes. */
static void
leaf_drop(struct watch *watch, struct leaf *leaf)
{
	if (leaf->places > 0 && --leaf->places > 0)
		return;
	HASH_DEL(watch->leaves, leaf);
	free(leaf->authority);
	free(leaf);
}

/* Who signed: the organisation of the issuer's name (RFC 2253), which changes its intermediates at
 * will; the whole name where there is none. */
static struct bytes
authority_of(const struct certificate *certificate)
{
	struct bytes name = bytes_of(certificate->issuer);

	for (size_t from = 0; from < name.len; from++) {
		struct bytes rest = bytes_from(name, from);
		size_t len = 0;

		if ((from > 0 && name.at[from - 1] != ',') || !bytes_starts(rest, BYTES("O=")))
			continue;
		while (len < rest.len && (rest.at[len] != ',' || rest.at[len - 1] == '\\'))
			len++;
		return bytes_first(rest, len);
	}
	return name;
}

/* ---- places */

struct leaf_place *
leaf_place_get(struct watch *watch, const char *key)
{
	struct leaf_place *place;

	HASH_FIND_STR(watch->leaf_places, key, place);
	if (place)
		return place;
	place = calloc(1, sizeof(*place));
	if (!place)
		return NULL;
	place->key = strdup(key);
	if (place->key)
		HASH_ADD_KEYPTR(hh, watch->leaf_places, place->key, strlen(place->key), place);
	if (!place->key || !place->hh.tbl) {
		free(place->key);
		free(place);
		return NULL;
	}
	return place;
}

void
leaf_place_free(struct watch *watch, struct leaf_place *place)
{
	HASH_DEL(watch->leaf_places, place);
	for (size_t i = 0; i < place->count; i++)
		leaf_drop(watch, place->known[i]);
	free(place->key);
	free(place);
}

static struct leaf_place *
place_of(struct watch *watch, const struct watched *endpoint)
{
	char *key = row_endpoint_key(endpoint->server->host, endpoint->side);
	struct leaf_place *place = key ? leaf_place_get(watch, key) : NULL;

	free(key);
	return place;
}

static size_t
place_index(const struct leaf_place *place, const struct leaf *leaf)
{
	size_t i = 0;

	while (i < place->count && place->known[i] != leaf)
		i++;
	return i;
}

static void
remove_at(struct watch *watch, struct leaf_place *place, size_t index)
{
	struct leaf *leaf = place->known[index];

	memmove(&place->known[index], &place->known[index + 1],
		(--place->count - index) * sizeof(struct leaf *));
	leaf_drop(watch, leaf);
}

/* The server's other side showed it first, and it was told there. */
static bool
is_known_beside(struct watch *watch, const struct watched *endpoint, const struct leaf *leaf)
{
	char *key = row_endpoint_key(endpoint->server->host, 1 - endpoint->side);
	struct leaf_place *place = NULL;

	if (key)
		HASH_FIND_STR(watch->leaf_places, key, place);
	free(key);
	return place && place_index(place, leaf) < place->count;
}

/* Room for one more. False: none of those that went had ended, so this place shows more than are
 * kept, and of another one nothing can be said. */
static bool
make_room(struct watch *watch, struct leaf_place *place)
{
	for (size_t i = place->count; i-- > 0;) {
		if (place->known[i]->not_after.us < watch->wall.us)
			remove_at(watch, place, i);
	}
	if (place->count < LEAVES_MOST)
		return true;
	remove_at(watch, place, place->count - 1);
	return false;
}

void
leaf_place_add(struct leaf_place *place, struct leaf *leaf)
{
	memmove(&place->known[1], &place->known[0], place->count * sizeof(struct leaf *));
	place->known[0] = leaf;
	place->count++;
	leaf->places++;
}

/* ---- what is told */

/* The nearest step that its time is within, unless that or a nearer one was told; 0: none. */
static int64_t
step_to_tell(const struct watch *watch, const struct watch_rules *rules, const struct leaf *leaf)
{
	int64_t left_us = leaf->not_after.us - watch->wall.us, nearest_us = 0;

	if (left_us <= 0 || watch_has_trouble(watch, TROUBLE_CLOCK))
		return 0;
	for (size_t i = 0; i < rules->cert_warn_count; i++) {
		int64_t step_us = (int64_t)rules->cert_warn_s[i] * US_PER_S;

		if (left_us <= step_us && (nearest_us == 0 || step_us < nearest_us))
			nearest_us = step_us;
	}
	return leaf->told_us != 0 && nearest_us >= leaf->told_us ? 0 : nearest_us;
}

/* The step told is the leaf's: every row that has it says so, whichever is left one day. */
static void
tell_end(struct watch *watch, const struct watched *endpoint, struct leaf *leaf, int64_t step_us,
	const struct certificate *certificate)
{
	struct leaf_place *place, *next;

	leaf->told_us = step_us;
	tell_certificate(watch, endpoint, certificate, "ends");
	HASH_ITER (hh, watch->leaf_places, place, next) {
		if (place_index(place, leaf) < place->count)
			row_keep_certificates(watch, place);
	}
}

/* The first that a place shows is what it has; a later one takes its place. */
static struct leaf *
take_new(struct watch *watch, struct leaf_place *place, const struct watched *endpoint,
	const struct certificate *certificate)
{
	const struct leaf *before = place->count > 0 ? place->known[0] : NULL;
	struct leaf *leaf = leaf_get(watch, certificate->sha256, authority_of(certificate));
	bool is_renewal;

	if (!leaf)
		return NULL;
	leaf->not_after.us = certificate->not_after.us < LEAF_END_MOST_US
				     ? certificate->not_after.us
				     : LEAF_END_MOST_US;
	is_renewal = before && strcmp(before->authority, leaf->authority) == 0 &&
		     leaf->not_after.us > before->not_after.us;
	if (make_room(watch, place) && before && !is_known_beside(watch, endpoint, leaf))
		tell_certificate(watch, endpoint, certificate, is_renewal ? "renewed" : "changed");
	leaf_place_add(place, leaf);
	row_keep_certificates(watch, place);
	return leaf;
}

void
certificates_seen(
	struct watch *watch, const struct watched *endpoint, const struct verdict *verdict)
{
	const struct certificate *certificate = verdict->tls.certificate;
	struct leaf_place *place;
	struct leaf *leaf;
	size_t index;
	int64_t step_us;

	if (!verdict->tls.has_tls || !certificate)
		return; /* none, or none that was verified */
	place = place_of(watch, endpoint);
	if (!place)
		return;
	leaf = leaf_find(watch, certificate->sha256);
	index = place_index(place, leaf);
	if (index == place->count) {
		leaf = take_new(watch, place, endpoint, certificate);
	} else {
		memmove(&place->known[1], &place->known[0], index * sizeof(struct leaf *));
		place->known[0] = leaf;
	}
	step_us = leaf ? step_to_tell(watch, &endpoint->rules, leaf) : 0;
	if (step_us > 0)
		tell_end(watch, endpoint, leaf, step_us, certificate);
}

/* After a configure: places whose server is gone. */
void
certificates_sweep(struct watch *watch)
{
	struct leaf_place *place, *next;

	HASH_ITER (hh, watch->leaf_places, place, next) {
		size_t len = bytes_index(bytes_of(place->key), '/');
		struct server *server;

		HASH_FIND(hh, watch->servers, place->key, len, server);
		if (server)
			continue;
		row_forget(watch, ROW_CERTIFICATES, place->key);
		leaf_place_free(watch, place);
	}
}
