/*
 * sealed_mailbox.c: a mailbox that was set over the socket: its owners, its end, what its secrets
 * are bound to. Layer: facts.
 */
#include "facts/sealed_mailbox.h"

#include <stdlib.h>

#include "base/digest.h"

struct sealed_mailbox *
sealed_mailbox_new(struct bytes name, struct bytes settings)
{
	struct sealed_mailbox *mailbox = calloc(1, sizeof(*mailbox));

	if (!mailbox)
		return NULL;
	mailbox->owners = 1;
	mailbox->name = bytes_copy(name);
	mailbox->settings = bytes_copy(settings);
	if (mailbox->name && mailbox->settings)
		return mailbox;
	sealed_mailbox_free(mailbox);
	return NULL;
}

struct sealed_mailbox *
sealed_mailbox_hold(struct sealed_mailbox *mailbox)
{
	mailbox->owners++;
	return mailbox;
}

void
sealed_mailbox_free(struct sealed_mailbox *mailbox)
{
	if (!mailbox || --mailbox->owners > 0)
		return;
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		secret_free(mailbox->opened[side]);
		buf_done(&mailbox->sealed[side]);
	}
	free(mailbox->name);
	free(mailbox->settings);
	free(mailbox);
}

/* The settings by their hash: an endpoint keeps this for as long as it is watched. */
enum err
sealed_mailbox_put_bound(const struct sealed_mailbox *mailbox, enum side side, struct buf *out)
{
	struct digest digest;
	enum err err = digest_hash(DIGEST_SHA_256, bytes_of(mailbox->settings), &digest);

	if (err != ERR_OK)
		return ERR_MEMORY;
	buf_put_string(out, mailbox->name);
	buf_put_byte(out, '\0');
	buf_put_string(out, side_name(side));
	buf_put_byte(out, '\0');
	buf_put(out, digest_bytes(DIGEST_SHA_256, &digest));
	return buf_err(out);
}
