/*
 * host.c: IDNA by libidn2, literals by inet_pton. Layer: config.
 */
#include "config/host.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <netinet/in.h>

#define NAME_MOST ((size_t)253) /* RFC 1035 3.1, as text */
#define LABEL_MOST ((size_t)63)
#define MOST_LETTERS_BYTES ((size_t)1000) /* no 253 bytes come of more; libidn2 is not asked */

/* fe80::1%eth0 keeps its zone. */
static bool
put_literal(struct buf *out, struct bytes text)
{
	char whole[INET6_ADDRSTRLEN + 20], canonical[INET6_ADDRSTRLEN];
	struct in6_addr address; /* room for either family's */
	size_t zone = bytes_index(text, '%');
	int family = memchr(text.at, ':', text.len) ? AF_INET6 : AF_INET;

	if (text.len >= sizeof(whole))
		return false;
	memcpy(whole, text.at, zone);
	whole[zone] = '\0';
	if (inet_pton(family, whole, &address) != 1 ||
		!inet_ntop(family, &address, canonical, sizeof(canonical)))
		return false;
	if (zone < text.len && (family != AF_INET6 || zone + 1 == text.len))
		return false;
	buf_put_string(out, canonical);
	buf_put(out, bytes_from(text, zone));
	return true;
}

/* What people write that is no host's name, in words. */
static const char *
common_mistake(struct bytes text)
{
	if (memchr(text.at, '\0', text.len))
		return "a NUL in it; write it without";
	if (memchr(text.at, '/', text.len))
		return "not a URL, a host's name alone; write it without \"://\" and path, as "
		       "imap.example.com";
	if (memchr(text.at, ' ', text.len) || memchr(text.at, '\t', text.len))
		return "a blank in it; write it without";
	if (memchr(text.at, '@', text.len))
		return "an address of a mailbox; write the server's name, as imap.example.com";
	if (memchr(text.at, ':', text.len))
		return "a port, or a broken address; write the name alone, and the port as port = "
		       "…";
	if (memchr(text.at, '_', text.len))
		return "\"_\" in it, which no server's name has; write letters, digits and \"-\"";
	return NULL;
}

/* Digits and dots alone are no name: 1.2.3 would be another address to another resolver. */
static bool
looks_numeric(struct bytes name)
{
	size_t from = name.len;

	while (from > 0 && name.at[from - 1] != '.')
		from--;
	for (size_t i = from; i < name.len; i++) {
		if (!byte_is_digit(name.at[i]))
			return false;
	}
	return true;
}

static const char *
judge_labels(struct bytes name)
{
	if (name.len > NAME_MOST)
		return "longer than 253 bytes; write a shorter name";
	while (name.len > 0) {
		size_t len = bytes_index(name, '.');

		if (len == 0)
			return "two dots together, or one in front; write one between labels";
		if (len > LABEL_MOST)
			return "a label longer than 63 bytes; write a shorter one";
		if (name.at[0] == '-' || name.at[len - 1] == '-')
			return "a label that begins or ends with \"-\"; write letters or digits "
			       "there";
		for (size_t i = 0; i < len; i++) {
			if (!byte_is_letter(name.at[i]) && !byte_is_digit(name.at[i]) &&
				name.at[i] != '-')
				return "a character that no host's name has; write letters, "
				       "digits, \"-\" and \".\"";
		}
		name = bytes_from(name, len + 1);
	}
	return NULL;
}

static bool
has_a_label(struct bytes name)
{
	return bytes_contains_nocase(name, BYTES("xn--"));
}

/* name in lower case becomes its A-labels where it has other letters, or such labels already. */
static enum err
put_ascii(struct buf *name, struct bytes text, struct fault *why)
{
	uint8_t *ascii = NULL;
	int done;

	for (size_t i = 0; i < text.len; i++)
		buf_put_byte(name, byte_lower(text.at[i]));
	if (buf_err(name) != ERR_OK || (bytes_are_ascii(text) && !has_a_label(text)))
		return buf_err(name);
	if (text.len > MOST_LETTERS_BYTES) {
		fault_set(why, "longer than 253 bytes; write a shorter name");
		return ERR_INVALID;
	}
	done = idn2_lookup_u8(
		(const uint8_t *)name->at, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (done == IDN2_MALLOC)
		return ERR_MEMORY;
	if (done != IDN2_OK || !ascii) {
		fault_set(why,
			"no international name (%s); write it in its own letters, or as "
			"its A-label (xn--…)",
			idn2_strerror(done));
		return ERR_INVALID;
	}
	buf_clear(name);
	buf_put_string(name, (const char *)ascii);
	idn2_free(ascii);
	return buf_err(name);
}

static enum err
put_name(struct buf *out, struct bytes text, struct fault *why)
{
	const char *mistake = common_mistake(text);
	struct buf name = { 0 };
	enum err err;

	if (mistake) {
		fault_set(why, "%s", mistake);
		return ERR_INVALID;
	}
	if (text.len > 1 && text.at[text.len - 1] == '.')
		text.len--;
	if (text.len == 0 || looks_numeric(text)) {
		fault_set(why, "neither a name nor an address; write one as imap.example.com or "
			       "192.0.2.1");
		return ERR_INVALID;
	}
	err = put_ascii(&name, text, why);
	if (err == ERR_OK && name.len == 0)
		mistake = "letters that stand for nothing, and no others; write a name, as "
			  "imap.example.com";
	else if (err == ERR_OK)
		mistake = judge_labels(buf_bytes(&name));
	if (mistake) {
		fault_set(why, "%s", mistake);
		err = ERR_INVALID;
	}
	if (err == ERR_OK) {
		buf_put(out, buf_bytes(&name));
		err = buf_err(out);
	}
	buf_done(&name);
	return err;
}

enum err
host_put(struct buf *out, struct bytes text, bool *is_address, struct fault *why)
{
	bool is_bracketed = text.len > 2 && text.at[0] == '[' && text.at[text.len - 1] == ']';

	*is_address = put_literal(
		out, is_bracketed ? bytes_first(bytes_from(text, 1), text.len - 2) : text);
	return *is_address ? buf_err(out) : put_name(out, text, why);
}

enum err
resolver_put(struct buf *out, struct bytes text)
{
	struct bytes address = text, port = BYTES("53");
	size_t from = out->len, colon;
	uint64_t number;
	bool is_six;

	if (text.len > 0 && text.at[0] == '[') {
		size_t end = bytes_index(text, ']');

		if (end == text.len)
			return ERR_SYNTAX;
		address = bytes_first(bytes_from(text, 1), end - 1);
		text = bytes_from(text, end + 1);
		if (text.len > 0 && text.at[0] != ':')
			return ERR_SYNTAX;
		if (text.len > 0)
			port = bytes_from(text, 1);
	} else {
		colon = bytes_index(text, ':');
		if (colon < text.len && !memchr(text.at + colon + 1, ':', text.len - colon - 1)) {
			address = bytes_first(text, colon);
			port = bytes_from(text, colon + 1);
		}
	}
	if (address.len == 0 || bytes_to_number(port, UINT16_MAX, &number) != ERR_OK || number == 0)
		return ERR_SYNTAX;
	is_six = memchr(address.at, ':', address.len) != NULL;
	buf_put_string(out, is_six ? "[" : "");
	if (!put_literal(out, address)) {
		buf_cut(out, from);
		return ERR_SYNTAX;
	}
	buf_put_format(out, "%s:%u", is_six ? "]" : "", (unsigned)number);
	return buf_err(out);
}
