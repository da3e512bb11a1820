/*
 * keys.h: SCRAM's salted passwords: made on a thread beside the loop, and kept, since the rounds of
 * one cost as much as a TLS handshake. Layer: probe.
 *
 * All calls belong to the loop's thread. A key is kept under its secret's fingerprint, never under
 * the secret, and wiped when it goes.
 */
#ifndef PROBE_KEYS_H
#define PROBE_KEYS_H

#include "base/secret.h"
#include "dialogue/scram.h"

struct event_base;
struct keys;
struct key_ask;

/* Of a key that was waited for; on a later turn than keys_ask(). err: ERR_MEMORY, ERR_INVALID */
typedef void key_made(void *owner, enum err err, const struct digest *key);

/* The thread begins with the first key that is asked for. ERR_MEMORY, ERR_DESCRIPTORS */
CHECKED enum err keys_new(struct event_base *base, struct keys **out);
/* Waits for the one key that is being made (secret_salt()). NULL is fine. */
void keys_free(struct keys *keys);
/*
 * The key of this secret.
 *   fingerprint  the secret's
 *   key          written on ERR_OK: it was kept
 *   ask          written on ERR_MORE: made() will come, unless keys_cancel() does
 * ERR_LIMIT: too many are waited for; ERR_MEMORY; ERR_IO: no thread
 */
CHECKED enum err keys_ask(struct keys *keys, struct secret *secret, struct fingerprint fingerprint,
	const struct scram_need *need, struct digest *key, key_made *made, void *owner,
	struct key_ask **ask);
/* What was begun is made and kept all the same. */
void keys_cancel(struct key_ask *ask);

#endif
