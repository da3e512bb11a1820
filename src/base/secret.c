/*
 * secret.c: bytes that must never be shown, and the masking of what others show of them. Layer:
 * base.
 */
#include "base/secret.h"

#include "base/prepare.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdatomic.h>
#include <stdlib.h>

struct secret {
	atomic_size_t owners;
	size_t len;
	char bytes[];
};

enum err
secret_new(struct bytes bytes, struct secret **out)
{
	struct secret *secret;

	if (bytes.len == 0)
		return ERR_INVALID;
	if (bytes.len > SECRET_MOST_BYTES)
		return ERR_LIMIT;
	if (bytes_index(bytes, '\0') != bytes.len)
		return ERR_INVALID;
	secret = malloc(sizeof(*secret) + bytes.len);
	if (!secret)
		return ERR_MEMORY;
	atomic_init(&secret->owners, 1);
	secret->len = bytes.len;
	memcpy(secret->bytes, bytes.at, bytes.len);
	*out = secret;
	return ERR_OK;
}

struct secret *
secret_hold(struct secret *secret)
{
	size_t before = atomic_fetch_add_explicit(&secret->owners, 1, memory_order_relaxed);

	assert(before > 0);
	(void)before;
	return secret;
}

void
secret_free(struct secret *secret)
{
	if (!secret)
		return;
	if (atomic_fetch_sub_explicit(&secret->owners, 1, memory_order_acq_rel) > 1)
		return;
	bytes_wipe(secret->bytes, secret->len);
	free(secret);
}

struct bytes
secret_reveal(const struct secret *secret)
{
	return (struct bytes){ secret->bytes, secret->len };
}

bool
secret_equal(const struct secret *a, const struct secret *b)
{
	if (a == b)
		return true;
	return a && b && a->len == b->len && CRYPTO_memcmp(a->bytes, b->bytes, a->len) == 0;
}

enum err
secret_fingerprint(
	const struct secret *secret, const struct fingerprint_key *key, struct fingerprint *out)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (!HMAC(EVP_sha256(), key->bytes, sizeof(key->bytes),
		    (const unsigned char *)secret->bytes, secret->len, digest, &len))
		return ERR_MEMORY; /* with SHA-256 there is no other way to fail */
	assert(len >= sizeof(out->bytes));
	memcpy(out->bytes, digest, sizeof(out->bytes));
	bytes_wipe(digest, sizeof(digest));
	return ERR_OK;
}

/* --- SCRAM's salted form --- */

bool
secret_is_preparable(const struct secret *secret)
{
	struct buf prepared = { 0 };
	enum err err = prepare_put(&prepared, secret_reveal(secret));

	buf_done_wiped(&prepared);
	/* Without memory it shows later, where it can be told as that. */
	return err == ERR_OK || err == ERR_MEMORY;
}

enum err
secret_salt(const struct secret *secret, enum digest_kind kind, struct bytes salt,
	unsigned iterations, struct digest *out)
{
	struct buf prepared = { 0 };
	enum err err = prepare_put(&prepared, secret_reveal(secret));

	if (err == ERR_OK)
		err = digest_pbkdf2(kind, buf_bytes(&prepared), salt, iterations, out);
	else if (err != ERR_MEMORY)
		err = ERR_INVALID;
	buf_done_wiped(&prepared);
	return err;
}

/* --- masking --- */

/* Shorter ones stand by chance in too many words. */
#define GROUP_LEN ((size_t)4)
#define GROUPS_LEAST ((size_t)3)
#define MASK_ANYWHERE_LEAST_BYTES 4
#define MASK_TEXT "<secret>"

/*
 * One form of the secret that a text may hold. In the base64 of a longer text ("\0user\0" before
 * it, RFC 4616) a secret has one of three forms, by what stands before it; letters at its ends that
 * hold bits of its neighbours too are no part of the form, but are masked.
 */
struct mask_form {
	struct buf text;
	size_t letters_before; /* of base64: hold some bits of the secret */
	size_t letters_behind;
	bool is_base64;
};

enum mask_form_name {
	MASK_PLAIN,
	MASK_QUOTED,
	MASK_BASE64_0,
	MASK_BASE64_1,
	MASK_BASE64_2,
	MASK_FORM_COUNT
};

/* RFC 3501 9, quoted: a backslash before quote and backslash. */
static void
form_quoted(struct mask_form *form, struct bytes secret)
{
	for (size_t i = 0; i < secret.len; i++) {
		if (secret.at[i] == '"' || secret.at[i] == '\\')
			buf_put_byte(&form->text, '\\');
		buf_put_byte(&form->text, secret.at[i]);
	}
}

/* `before`: how many bytes of its group of three stand before the secret. */
static void
form_base64(struct mask_form *form, struct bytes secret, size_t before)
{
	size_t first = (8 * before + 5) / 6; /* the first letter of its bits alone */
	size_t behind_last = (8 * before + 8 * secret.len) / 6;
	struct buf plain = { 0 };

	buf_put(&plain, (struct bytes){ "\0\0", before });
	buf_put(&plain, secret);
	buf_put_base64(&form->text, buf_bytes(&plain));
	if (buf_err(&plain) != ERR_OK)
		form->text.is_failed = true;
	buf_done_wiped(&plain);
	buf_cut(&form->text, behind_last);
	buf_drop(&form->text, first < form->text.len ? first : form->text.len);
	form->letters_before = before > 0;
	form->letters_behind = (8 * before + 8 * secret.len) % 6 != 0;
	form->is_base64 = true;
}

static bool
is_base64_letter(char byte)
{
	return byte_is_letter(byte) || byte_is_digit(byte) || byte == '+' || byte == '/';
}

static bool
is_word_byte(char byte)
{
	return byte_is_letter(byte) || byte_is_digit(byte) || byte == '_' || (byte & 0x80);
}

/* Is what begins at offset and is len long a whole word? */
static bool
is_whole_word(struct bytes text, size_t offset, size_t len)
{
	return (offset == 0 || !is_word_byte(text.at[offset - 1])) &&
	       (offset + len == text.len || !is_word_byte(text.at[offset + len]));
}

/* How much of text from offset on is this form with its neighbours' letters; 0: none. */
static size_t
form_match(const struct mask_form *form, struct bytes text, size_t offset, bool is_short)
{
	struct bytes rest = bytes_from(text, offset);
	struct bytes core = buf_bytes(&form->text);
	size_t len = 0;

	if (core.len == 0)
		return 0;
	while (len < form->letters_before && len < rest.len && is_base64_letter(rest.at[len]))
		len++;
	if (!bytes_starts(bytes_from(rest, len), core)) {
		len = 0;
		if (!bytes_starts(rest, core))
			return 0;
	}
	len += core.len;
	for (size_t i = 0; i < form->letters_behind; i++) {
		if (len < rest.len && is_base64_letter(rest.at[len]))
			len++;
	}
	while (form->is_base64 && len < rest.len && rest.at[len] == '=')
		len++;
	return is_short && !is_whole_word(text, offset, len) ? 0 : len;
}

bool
secret_is_grouped(const struct secret *secret)
{
	struct bytes rest = secret_reveal(secret);
	size_t groups = 0;

	for (; rest.len > 0; groups++) {
		size_t len = 0;

		while (len < rest.len &&
			(byte_is_letter(rest.at[len]) || byte_is_digit(rest.at[len])))
			len++;
		if (len != GROUP_LEN || (len < rest.len && rest.at[len] != ' ') ||
			len + 1 == rest.len)
			return false;
		rest = bytes_from(rest, len + 1);
	}
	return groups >= GROUPS_LEAST;
}

bool
secret_has_form(const struct secret *secret, enum secret_form form)
{
	struct bytes text = secret_reveal(secret);
	size_t len = form == SECRET_FORM_HYPHENS_4X4 ? 19 : 16;

	if (form == SECRET_FORM_ANY)
		return true;
	if (text.len != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		char byte = text.at[i];
		bool is_fine = byte_is_letter(byte);

		if (form == SECRET_FORM_HYPHENS_4X4 && i % 5 == 4)
			is_fine = byte == '-';
		else if (form == SECRET_FORM_SIGNS_16)
			is_fine = is_fine || byte_is_digit(byte);
		if (!is_fine)
			return false;
	}
	return true;
}

/* Puts text into out, "<secret>" for each form of it; where forms overlap, once for all. */
static void
put_masked(struct buf *out, struct bytes text, const struct mask_form forms[MASK_FORM_COUNT],
	bool is_short)
{
	size_t masked_until = 0;

	for (size_t i = 0; i < text.len; i++) {
		size_t longest = 0;

		for (size_t name = 0; name < MASK_FORM_COUNT; name++) {
			size_t len = form_match(&forms[name], text, i, is_short);

			if (len > longest)
				longest = len;
		}
		if (longest > 0 && i >= masked_until)
			buf_put(out, BYTES(MASK_TEXT));
		if (i + longest > masked_until)
			masked_until = i + longest;
		if (i >= masked_until)
			buf_put_byte(out, text.at[i]);
	}
}

void
secret_mask(const struct secret *secret, struct buf *text)
{
	struct mask_form forms[MASK_FORM_COUNT] = { 0 };
	struct bytes plain = secret_reveal(secret);
	bool is_short = plain.len < MASK_ANYWHERE_LEAST_BYTES;
	struct buf masked = { 0 };

	buf_put(&forms[MASK_PLAIN].text, plain);
	form_quoted(&forms[MASK_QUOTED], plain);
	if (is_short) /* within a longer base64 it is no word */
		buf_put_base64(&forms[MASK_BASE64_0].text, plain);
	else {
		form_base64(&forms[MASK_BASE64_0], plain, 0);
		form_base64(&forms[MASK_BASE64_1], plain, 1);
		form_base64(&forms[MASK_BASE64_2], plain, 2);
	}
	put_masked(&masked, buf_bytes(text), forms, is_short);
	masked.is_failed |= text->is_failed;
	for (size_t name = 0; name < MASK_FORM_COUNT; name++) {
		masked.is_failed |= forms[name].text.is_failed;
		buf_done_wiped(&forms[name].text);
	}
	if (masked.is_failed) {
		/* No text is better than one that may show it. */
		buf_done_wiped(&masked);
		masked.is_failed = true;
	}
	buf_done_wiped(text);
	*text = masked;
}
