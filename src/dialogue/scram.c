/*
 * scram.c: the messages of SCRAM (RFC 5802 5, 7). Layer: dialogue, pure.
 * Not here: base64 and whose turn it is (sasl.c), the thousands of rounds (base/secret.c).
 */
#include "dialogue/scram.h"

#include "base/prepare.h"

/* gs2-header of a client without channel binding (RFC 5802 7), and its base64 in c=. */
#define GS2_HEADER "n,,"
#define CHANNEL_BINDING "c=biws"

/* saslname: "=" and "," are said as =3D, =2C. */
static void
put_name(struct buf *out, struct bytes name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.at[i] == '=')
			buf_put(out, BYTES("=3D"));
		else if (name.at[i] == ',')
			buf_put(out, BYTES("=2C"));
		else
			buf_put_byte(out, name.at[i]);
	}
}

enum err
scram_start(struct scram *scram, enum digest_kind digest, struct bytes username, struct bytes nonce)
{
	struct buf name = { 0 };
	enum err err = prepare_put(&name, username);

	*scram = (struct scram){ .digest = digest, .nonce_len = nonce.len };
	if (err == ERR_OK) {
		buf_put(&scram->first, BYTES("n="));
		put_name(&scram->first, buf_bytes(&name));
		buf_put(&scram->first, BYTES(",r="));
		buf_put(&scram->first, nonce);
		err = buf_err(&scram->first);
	} else if (err != ERR_MEMORY) {
		err = ERR_INVALID;
	}
	buf_done(&name);
	return err;
}

void
scram_done(struct scram *scram)
{
	buf_done(&scram->first);
	buf_done(&scram->messages);
	buf_done(&scram->final);
	buf_done(&scram->salt);
	bytes_wipe(&scram->server_signature, sizeof(scram->server_signature));
}

size_t
scram_first_len(const struct scram *scram)
{
	return strlen(GS2_HEADER) + scram->first.len;
}

enum err
scram_put_first(const struct scram *scram, struct buf *out)
{
	buf_put_string(out, GS2_HEADER);
	buf_put(out, buf_bytes(&scram->first));
	return buf_err(out);
}

/* --- server-first-message = nonce "," salt "," iteration-count ["," extensions] --- */

/* Takes the next attribute, "x=value"; false where another one stands there. */
static bool
next_value(struct bytes *rest, char name, struct bytes *value)
{
	size_t len = bytes_index(*rest, ',');

	if (len < 2 || rest->at[0] != name || rest->at[1] != '=')
		return false;
	*value = bytes_from(bytes_first(*rest, len), 2);
	*rest = bytes_from(*rest, len + 1);
	return true;
}

/* printable = %x21-2B / %x2D-7E */
static bool
is_printable(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < 0x21 || text.at[i] > 0x7e)
			return false;
	}
	return true;
}

/* What is wrong with the server's nonce, which begins with ours; NULL: nothing (H2-42). */
static const char *
judge_nonce(const struct scram *scram, struct bytes nonce)
{
	struct bytes first = buf_bytes(&scram->first);

	if (nonce.len > SCRAM_MOST_NONCE_BYTES || !is_printable(nonce))
		return "the server's nonce is too long, or not printable";
	if (!bytes_starts(nonce, bytes_from(first, first.len - scram->nonce_len)))
		return "the server's nonce does not begin with ours";
	if (nonce.len == scram->nonce_len)
		return "the server adds nothing to our nonce";
	return NULL;
}

/* posit-number = %x31-39 *DIGIT (H2-41) */
static const char *
judge_iterations(struct scram *scram, struct bytes text, bool is_in_clear)
{
	uint64_t number = 0;

	if (bytes_to_number(text, SCRAM_MOST_ITERATIONS, &number) != ERR_OK || text.at[0] == '0')
		return "the server asks for a number of rounds that is not 1 to 100,000";
	if (is_in_clear && number < SCRAM_LEAST_ITERATIONS_IN_CLEAR)
		return "the server asks for fewer than 4,096 rounds, in clear";
	scram->iterations = (unsigned)number;
	return NULL;
}

static const char *
judge_salt(struct scram *scram, struct bytes text)
{
	if (text.len == 0 || buf_put_base64_decoded(&scram->salt, text) == ERR_SYNTAX ||
		scram->salt.len > SCRAM_MOST_SALT_BYTES)
		return "the server's salt is empty, too long or no base64";
	return NULL;
}

enum err
scram_read_first(struct scram *scram, struct bytes message, bool is_in_clear, const char **why)
{
	struct bytes rest = message, nonce, salt, iterations;

	if (bytes_starts(message, BYTES("m=")))
		*why = "the server demands an extension of SCRAM that is unknown here"; /* 5.1 */
	else if (!next_value(&rest, 'r', &nonce) || !next_value(&rest, 's', &salt) ||
		 !next_value(&rest, 'i', &iterations))
		*why = "the server's first message is none of SCRAM";
	else if (!(*why = judge_nonce(scram, nonce)) && !(*why = judge_salt(scram, salt)))
		*why = judge_iterations(scram, iterations, is_in_clear);
	if (*why)
		return ERR_SYNTAX;
	buf_put_string(&scram->final, CHANNEL_BINDING ",r=");
	buf_put(&scram->final, nonce);
	buf_put(&scram->messages, buf_bytes(&scram->first));
	buf_put_byte(&scram->messages, ',');
	buf_put(&scram->messages, message);
	buf_put_byte(&scram->messages, ',');
	buf_put(&scram->messages, buf_bytes(&scram->final));
	if (buf_err(&scram->final) != ERR_OK || buf_err(&scram->salt) != ERR_OK)
		return ERR_MEMORY;
	return buf_err(&scram->messages);
}

struct scram_need
scram_need(const struct scram *scram)
{
	return (struct scram_need){ scram->digest, buf_bytes(&scram->salt), scram->iterations };
}

/* --- proofs (RFC 5802 3) --- */

/* HMAC of AuthMessage: ClientSignature under StoredKey, ServerSignature under ServerKey. */
static enum err
sign(const struct scram *scram, const struct digest *key, struct digest *out)
{
	return digest_hmac(
		scram->digest, digest_bytes(scram->digest, key), buf_bytes(&scram->messages), out);
}

static enum err
derive(enum digest_kind kind, const struct digest *salted, struct bytes name, struct digest *out)
{
	return digest_hmac(kind, digest_bytes(kind, salted), name, out);
}

/* ClientProof = ClientKey XOR HMAC(H(ClientKey), AuthMessage) */
static enum err
make_proof(const struct scram *scram, const struct digest *salted, struct digest *proof)
{
	enum digest_kind kind = scram->digest;
	struct digest client_key, stored_key;
	enum err err;

	if ((err = derive(kind, salted, BYTES("Client Key"), &client_key)) == ERR_OK &&
		(err = digest_hash(kind, digest_bytes(kind, &client_key), &stored_key)) == ERR_OK)
		err = sign(scram, &stored_key, proof);
	for (size_t i = 0; err == ERR_OK && i < digest_size(kind); i++)
		proof->bytes[i] ^= client_key.bytes[i];
	bytes_wipe(&client_key, sizeof(client_key));
	bytes_wipe(&stored_key, sizeof(stored_key));
	return err;
}

static enum err
make_server_signature(struct scram *scram, const struct digest *salted)
{
	struct digest server_key;
	enum err err = derive(scram->digest, salted, BYTES("Server Key"), &server_key);

	if (err == ERR_OK)
		err = sign(scram, &server_key, &scram->server_signature);
	bytes_wipe(&server_key, sizeof(server_key));
	return err;
}

enum err
scram_put_final(struct scram *scram, const struct digest *salted, struct buf *out)
{
	struct digest proof;
	enum err err = make_server_signature(scram, salted);

	if (err == ERR_OK)
		err = make_proof(scram, salted, &proof);
	if (err != ERR_OK)
		return err;
	buf_put(out, buf_bytes(&scram->final));
	buf_put(out, BYTES(",p="));
	buf_put_base64(out, digest_bytes(scram->digest, &proof));
	bytes_wipe(&proof, sizeof(proof));
	return buf_err(out);
}

/* --- server-final-message = (server-error / verifier) ["," extensions] --- */

enum err
scram_read_final(const struct scram *scram, struct bytes message, bool *is_proven, const char **why)
{
	struct buf signature = { 0 };
	struct bytes rest = message, value;

	*is_proven = false;
	if (next_value(&rest, 'e', &value))
		return ERR_OK; /* the refusal itself comes by the protocol around */
	*is_proven = next_value(&rest, 'v', &value) &&
		     buf_put_base64_decoded(&signature, value) == ERR_OK &&
		     digest_equal(scram->digest, &scram->server_signature, buf_bytes(&signature));
	buf_done(&signature);
	if (*is_proven)
		return ERR_OK;
	*why = SCRAM_UNPROVEN;
	return ERR_SYNTAX;
}
