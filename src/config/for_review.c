/*
 * for_review.c: a mailbox's settings -> what the review looks at. Layer: config.
 */
#include "config/settings.h"

void
settings_for_review(const struct mailbox_settings *mailbox, struct review_mailbox *out)
{
	*out = (struct review_mailbox){
		.address = mailbox->address,
		.is_one_site = mailbox->sites[SIDE_SMTP] && mailbox->sites[SIDE_IMAP] &&
			       strcmp(mailbox->sites[SIDE_SMTP], mailbox->sites[SIDE_IMAP]) == 0,
		.are_secrets_other = mailbox->are_secrets_other,
		.is_provider_named = mailbox->is_provider_named,
	};
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		out->sides[side] = (struct review_side){
			.endpoint = mailbox->sides[side],
			.is_secret_grouped = mailbox->is_secret_grouped[side],
			.is_secret_open = mailbox->is_secret_open[side],
			.secret_forms = mailbox->secret_forms[side],
			.interval_us = mailbox->rules[side].interval_us,
			.asked_us = mailbox->asked_us[side],
		};
	}
}
