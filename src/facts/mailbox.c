/*
 * mailbox.c: what a mailbox may be called, what its state reads like, which account and site it is.
 * Layer: facts. The one place that asks libpsl.
 */
#include "facts/mailbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libpsl.h>
#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

static bool
starts_name(char byte)
{
	return byte_is_letter(byte) || byte_is_digit(byte) || byte == '_';
}

static bool
continues_name(char byte)
{
	return starts_name(byte) || byte == '.' || byte == '@' || byte == '+' || byte == '-';
}

bool
mailbox_name_is_valid(struct bytes name)
{
	if (name.len == 0 || name.len > MAILBOX_NAME_MOST || !starts_name(name.at[0]))
		return false; /* so neither . nor .. */
	for (size_t i = 1; i < name.len; i++) {
		if (!continues_name(name.at[i]))
			return false;
	}
	return true;
}

/* The two sides say the same word. */
static bool
both_are(const enum part parts[SIDE_COUNT], enum part part)
{
	return parts[SIDE_SMTP] == part && parts[SIDE_IMAP] == part;
}

static bool
any_is(const enum part parts[SIDE_COUNT], enum part part)
{
	return parts[SIDE_SMTP] == part || parts[SIDE_IMAP] == part;
}

void
mailbox_state_put(struct buf *out, const enum part parts[SIDE_COUNT])
{
	const char *between = "";

	if (any_is(parts, PART_PAUSED)) { /* a pause is always the whole mailbox's */
		buf_put_string(out, part_name(PART_PAUSED));
		return;
	}
	if (both_are(parts, PART_OK) || both_are(parts, PART_UNKNOWN)) {
		buf_put_string(out, part_name(parts[SIDE_SMTP]));
		return;
	}
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		if (parts[side] == PART_NONE)
			continue;
		buf_put_string(out, between);
		buf_put_string(out, side_name((enum side)side));
		buf_put_byte(out, ' ');
		buf_put_string(out, part_name(parts[side]));
		between = ", ";
	}
}

enum part
mailbox_state_class(const enum part parts[SIDE_COUNT])
{
	static const enum part by_weight[] = { PART_PAUSED, PART_FAILING, PART_UNKNOWN, PART_OK };

	for (size_t i = 0; i < COUNT_OF(by_weight); i++) {
		if (any_is(parts, by_weight[i]))
			return by_weight[i];
	}
	return PART_UNKNOWN;
}

/* An address in its one form (::1, not 0::1), so that one server has one key. False: it is none. */
static bool
put_address(struct buf *out, int family, const char *host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address; /* room for either family's */

	if (inet_pton(family, host, &address) != 1 ||
		!inet_ntop(family, &address, text, sizeof(text)))
		return false;
	buf_put_string(out, text);
	return true;
}

enum err
site_of_host(struct bytes host, struct buf *out)
{
	struct buf name = { 0 };
	const char *domain = NULL;
	enum err err;

	if (host.len > 1 && host.at[host.len - 1] == '.') /* H7-16: IMAP.example.com. */
		host = bytes_first(host, host.len - 1);
	for (size_t i = 0; i < host.len; i++)
		buf_put_byte(&name, byte_lower(host.at[i]));
	err = buf_err(&name);
	if (err != ERR_OK || name.len == 0)
		goto out;
	if (!put_address(out, AF_INET, name.at) && !put_address(out, AF_INET6, name.at)) {
		if (psl_builtin())
			domain = psl_registrable_domain(psl_builtin(), name.at);
		buf_put(out, domain ? bytes_of(domain) : buf_bytes(&name));
	}
	err = buf_err(out);
out:
	buf_done(&name);
	return err;
}

/* Case folded in no language, so that i is I's in tr_TR too, and composed (NFC). What is no UTF-8
 * is folded by ASCII alone. */
static enum err
put_folded(struct buf *out, struct bytes text)
{
	const uint8_t *at = (const uint8_t *)text.at;
	uint8_t *folded = NULL;
	size_t len = 0;

	if (text.len > 0 && !u8_check(at, text.len)) {
		folded = u8_casefold(at, text.len, NULL, UNINORM_NFC, NULL, &len);
		if (!folded && errno == ENOMEM)
			return ERR_MEMORY;
	}
	if (folded)
		buf_put(out, (struct bytes){ (const char *)folded, len });
	for (size_t i = 0; !folded && i < text.len; i++)
		buf_put_byte(out, byte_lower(text.at[i]));
	free(folded);
	return buf_err(out);
}

enum err
account_key(struct bytes username, struct bytes host, struct buf *out)
{
	enum err err = put_folded(out, username);

	if (err != ERR_OK)
		return err;
	buf_put_byte(out, '\0');
	return site_of_host(host, out);
}
