/*
 * imap_capability.c: what the server says that it can (RFC 9051 7.2.2). Layer: dialogue, pure.
 */
#include "dialogue/imap.h"

void
imap_forget_capabilities(struct imap *d)
{
	d->has_capabilities = false;
	d->has_starttls = false;
	d->has_logindisabled = false;
	d->has_sasl_ir = false;
	d->has_literal_plus = false;
	d->has_literal_minus = false;
	d->has_id = false;
	d->has_uidplus = false;
	d->offer = (struct sasl_offer){ 0 };
	texts_done(&d->base.finding.capabilities);
}

void
imap_read_capabilities(struct imap *d, struct bytes words)
{
	struct {
		struct bytes word;
		bool *flag;
	} known[] = {
		{ BYTES("STARTTLS"), &d->has_starttls },
		{ BYTES("LOGINDISABLED"), &d->has_logindisabled },
		{ BYTES("SASL-IR"), &d->has_sasl_ir },
		{ BYTES("LITERAL+"), &d->has_literal_plus },
		{ BYTES("LITERAL-"), &d->has_literal_minus },
		{ BYTES("ID"), &d->has_id },
		{ BYTES("UIDPLUS"), &d->has_uidplus },
	};

	imap_forget_capabilities(d);
	d->has_capabilities = true;
	while (words.len > 0) {
		struct bytes word = bytes_next_word(&words);

		dialogue_keep_capability(&d->base, word);
		if (bytes_starts_nocase(word, BYTES("AUTH=")))
			sasl_offer_put(&d->offer, bytes_from(word, 5));
		for (size_t i = 0; i < COUNT_OF(known); i++) {
			if (bytes_equal_nocase(word, known[i].word))
				*known[i].flag = true;
		}
	}
}

void
imap_read_code_capabilities(struct imap *d, const struct imap_response *response)
{
	if (bytes_equal_nocase(response->code, BYTES("CAPABILITY")))
		imap_read_capabilities(d, response->code_argument);
}
