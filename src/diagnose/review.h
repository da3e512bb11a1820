/*
 * review.h: settings of a mailbox that are sound and may be a mistake all the same (contract 3,
 * "What the review warns about"). Layer: diagnose, pure.
 *
 * The same for mboxwatchd -t, check and the socket: whoever has settings fills these plain structs.
 * Of what is fine nothing is ever said. Not here: what needs the files (config/warnings.c).
 */
#ifndef DIAGNOSE_REVIEW_H
#define DIAGNOSE_REVIEW_H

#include "facts/endpoint.h"

struct review_side {
	const struct endpoint *endpoint; /* NULL: no such side */
	bool is_secret_grouped;		 /* written in groups, as providers show app passwords */
	bool is_secret_open;		 /* others can read its file */
	unsigned secret_forms; /* a bit for each enum secret_form that it has; 0: not known */
	int64_t asked_us;      /* the interval as it was set, where the provider's least is kept */
	/* The interval of the settings, and what limits make of it; 0: not known. */
	int64_t interval_us;
	int64_t stretched_us;
};

struct review_mailbox {
	const char *address; /* NULL: none */
	struct review_side sides[SIDE_COUNT];
	bool is_one_site;	/* both hosts belong to one site */
	bool are_secrets_other; /* the two sides' secrets are known to differ */
	bool is_provider_named; /* the provider of the endpoints stands in the settings */
};

struct review_item {
	char setting[32];  /* "imap.mailbox" */
	char message[512]; /* "what is odd; what would be usual"; names from the settings in it */
	char suggest[320]; /* a value for the setting; empty: none */
};

/* Calls told for each oddity, the SMTP side first; item is borrowed. */
void review(const struct review_mailbox *mailbox,
	void (*told)(void *owner, const struct review_item *item), void *owner);

#endif
