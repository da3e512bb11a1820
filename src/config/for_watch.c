/*
 * for_watch.c: settings -> what watch takes. Layer: config.
 */
#include <stdlib.h>

#include "config/settings.h"

static void
put_side(const struct mailbox_settings *mailbox, const struct mailbox_settings *before,
	enum side side, struct watch_endpoint *out)
{
	if (!mailbox->sides[side])
		return;
	*out = (struct watch_endpoint){
		.is_present = true,
		.rules = mailbox->rules[side],
		.host = mailbox->sides[side]->host,
		.site = mailbox->sites[side],
		.account = { mailbox->accounts[side], mailbox->account_lens[side] },
		.is_changed = before &&
			      (!before->sides[side] ||
				      !endpoint_equal(before->sides[side], mailbox->sides[side])),
	};
}

static void
put_mailbox(const struct mailbox_settings *mailbox, const struct mailbox_settings *before,
	struct watch_mailbox *out)
{
	out->name = mailbox->name;
	out->address = mailbox->address;
	out->is_enabled = mailbox->is_enabled;
	out->labels = &mailbox->labels;
	for (size_t side = 0; side < SIDE_COUNT; side++)
		put_side(mailbox, before, (enum side)side, &out->sides[side]);
}

static void
put_settings(const struct settings *settings, const struct watch_mailbox *mailboxes, size_t count,
	struct watch_settings *out)
{
	*out = (struct watch_settings){
		.limits = settings->limits,
		.mailboxes = mailboxes,
		.mailbox_count = count,
		.servers = settings->servers,
		.server_count = settings->server_count,
	};
}

enum err
settings_for_watch(const struct settings *settings, const struct settings *before,
	struct watch_mailbox **mailboxes, struct watch_settings *out)
{
	struct watch_mailbox *made = calloc(settings->mailbox_count + 1, sizeof(*made));

	if (!made)
		return ERR_MEMORY;
	for (size_t i = 0; i < settings->mailbox_count; i++) {
		const struct mailbox_settings *mailbox = &settings->mailboxes[i];
		const struct mailbox_settings *old =
			before ? settings_find(before, bytes_of(mailbox->name)) : NULL;

		put_mailbox(mailbox, old, &made[i]);
	}
	*mailboxes = made;
	put_settings(settings, made, settings->mailbox_count, out);
	return ERR_OK;
}

void
settings_for_watch_one(const struct settings *settings, const struct mailbox_settings *one,
	const struct mailbox_settings *before, struct watch_mailbox *mailbox,
	struct watch_settings *out)
{
	*mailbox = (struct watch_mailbox){ 0 };
	put_mailbox(one, before, mailbox);
	put_settings(settings, mailbox, 1, out);
}
