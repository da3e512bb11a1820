/*
 * tls_certificate.c: faults of a chain -> cause and words; subject, names and dates of a leaf.
 * Layer: net.
 *
 * All that is read here was written by the server: names are escaped where they become our words,
 * and counted.
 */
#include "net/tls_certificate.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#include "base/escape.h"

#define MOST_NAME_BYTES 512

void
certificate_faults_done(struct certificate_faults *faults)
{
	for (size_t i = 0; i < faults->count; i++)
		X509_free(faults->items[i].at);
	memset(faults, 0, sizeof(*faults));
}

void
certificate_faults_note(struct certificate_faults *faults, X509_STORE_CTX *chain)
{
	int error = X509_STORE_CTX_get_error(chain);
	X509 *at = X509_STORE_CTX_get_current_cert(chain);
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(chain);

	if (error == X509_V_OK)
		error = X509_V_ERR_UNSPECIFIED;
	faults->sent = sk_X509_num(sent);
	for (size_t i = 0; i < faults->count; i++) {
		if (faults->items[i].error == error)
			return;
	}
	if (faults->count == CERTIFICATE_MOST_FAULTS)
		return;
	if (at)
		X509_up_ref(at);
	faults->items[faults->count].error = error;
	faults->items[faults->count].depth = X509_STORE_CTX_get_error_depth(chain);
	faults->items[faults->count].at = at;
	faults->count++;
}

bool
certificate_faults_any(const struct certificate_faults *faults)
{
	return faults->count > 0 || faults->is_key_foreign;
}

void
certificate_faults_note_key(
	struct certificate_faults *faults, X509 *leaf, const uint8_t pin[CERTIFICATE_KEY_BYTES])
{
	unsigned char *spki = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &spki);
	unsigned digest_len;

	if (len > 0 && EVP_Digest(spki, (size_t)len, faults->key_sha256, &digest_len, EVP_sha256(),
			       NULL) == 1)
		faults->is_key_foreign =
			memcmp(faults->key_sha256, pin, CERTIFICATE_KEY_BYTES) != 0;
	else
		faults->is_key_foreign = true; /* no proof, no trust */
	OPENSSL_free(spki);
}

static enum cause
cause_of(int error)
{
	switch (error) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
	case X509_V_ERR_EMAIL_MISMATCH:
		return CAUSE_CERT_NAME;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return CAUSE_CERT_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return CAUSE_CERT_NOT_YET_VALID;
	default:
		return CAUSE_CERT_UNTRUSTED;
	}
}

static int
rank_of(enum cause cause)
{
	switch (cause) {
	case CAUSE_CERT_UNTRUSTED:
		return 0;
	case CAUSE_CERT_EXPIRED:
		return 1;
	case CAUSE_CERT_NOT_YET_VALID:
		return 2;
	default:
		return 3;
	}
}

static void
put_x509_name(struct buf *out, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct bytes text = BYTES_NONE;
	char *at = NULL;
	long len;

	if (!bio)
		return;
	X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
	len = BIO_get_mem_data(bio, &at);
	if (len > 0)
		text = (struct bytes){ at, (size_t)len };
	escape_put_cut(out, text, ESCAPE_TERMINAL, MOST_NAME_BYTES);
	BIO_free(bio);
}

static enum err
time_of(const ASN1_TIME *time, wall_t *out)
{
	struct tm parts;

	if (!time || ASN1_TIME_to_tm(time, &parts) != 1)
		return ERR_SYNTAX;
	*out = (wall_t){ (int64_t)timegm(&parts) * US_PER_S };
	return ERR_OK;
}

static void
put_time(struct buf *out, const ASN1_TIME *time)
{
	wall_t at;

	if (time_of(time, &at) == ERR_OK)
		wall_put_s(out, at);
}

/* A name of subjectAltName as text; false for the kinds that are no names of hosts. */
static bool
put_general_name(struct buf *out, const GENERAL_NAME *name)
{
	char text[INET6_ADDRSTRLEN];

	if (name->type == GEN_DNS) {
		struct bytes view = { (const char *)ASN1_STRING_get0_data(name->d.dNSName),
			(size_t)ASN1_STRING_length(name->d.dNSName) };

		escape_put_cut(
			out, view, ESCAPE_TERMINAL, MOST_NAME_BYTES); /* a NUL inside: H1-24 */
		return true;
	}
	if (name->type == GEN_IPADD) {
		int len = ASN1_STRING_length(name->d.iPAddress);
		const unsigned char *at = ASN1_STRING_get0_data(name->d.iPAddress);

		if ((len == 4 && inet_ntop(AF_INET, at, text, sizeof(text))) ||
			(len == 16 && inet_ntop(AF_INET6, at, text, sizeof(text)))) {
			buf_put_string(out, text);
			return true;
		}
	}
	return false;
}

static enum err
read_names(X509 *leaf, struct texts *out, size_t *more)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	enum err err = ERR_OK;

	*more = 0;
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && err == ERR_OK; i++) {
		struct buf text = { 0 };

		if (put_general_name(&text, sk_GENERAL_NAME_value(names, i))) {
			if (out->count == VERDICT_MOST_NAMES)
				(*more)++;
			else
				err = texts_add(out, buf_bytes(&text), VERDICT_MOST_NAMES);
		}
		buf_done(&text);
	}
	GENERAL_NAMES_free(names);
	return err;
}

static void
put_wrong_name(struct buf *out, X509 *leaf, const char *name)
{
	struct texts names = { 0 };
	size_t more = 0;
	bool is_address = strchr(name, ':') || name[strspn(name, "0123456789.")] == '\0';

	buf_put_format(out, is_address ? "not for the address %s" : "not for %s", name);
	if (leaf && read_names(leaf, &names, &more) == ERR_OK) {
		buf_put_string(out, names.count == 0 ? ", and without any name (subjectAltName)"
						     : ", but for ");
		for (size_t i = 0; i < names.count; i++) {
			buf_put_string(out, i > 0 ? ", " : "");
			buf_put(out, bytes_first(bytes_of(names.items[i]), 64));
		}
		if (more > 0)
			buf_put_format(out, " and %zu more", more);
	}
	texts_done(&names);
}

static bool
has_aia(X509 *certificate)
{
	return X509_get_ext_by_NID(certificate, NID_info_access, -1) >= 0;
}

static void
put_issuer(struct buf *out, X509 *certificate)
{
	if (certificate) {
		buf_put_string(out, " (issued by ");
		put_x509_name(out, X509_get_issuer_name(certificate));
		buf_put_string(out, ")");
	}
}

/* 20 looks the same where the server left the intermediate out and where nobody knows its
 * authority: the number of certificates sent, and an AIA address, tell them apart (H1-27). That
 * address is never asked. */
static void
put_no_issuer(struct buf *out, const struct certificate_faults *faults, X509 *at)
{
	if (faults->sent > 1)
		buf_put_string(out, "unknown authority");
	else if (at && has_aia(at))
		buf_put_string(
			out, "missing intermediate: the server sends its own certificate alone");
	else
		buf_put_string(out,
			"unknown authority, or missing intermediate: one certificate was sent");
	put_issuer(out, at);
}

static void
put_self_signed(struct buf *out, X509 *leaf)
{
	struct buf subject = { 0 };

	buf_put_string(out, "self-signed");
	if (leaf) {
		put_x509_name(&subject, X509_get_subject_name(leaf));
		if (bytes_contains_nocase(buf_bytes(&subject), BYTES("SNI"))) {
			buf_put_string(out,
				", a stopgap of a server that was sent no name it knows (SNI): ");
			buf_put(out, buf_bytes(&subject));
		}
	}
	buf_done(&subject);
}

static void
put_fault(struct buf *out, const struct certificate_faults *faults, size_t index, X509 *leaf,
	const char *name)
{
	int error = faults->items[index].error;
	X509 *at = faults->items[index].at;

	switch (error) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		put_wrong_name(out, leaf, name);
		return;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		buf_put_string(out, faults->items[index].depth > 0
					    ? "an authority in the chain expired "
					    : "expired ");
		if (at)
			put_time(out, X509_get0_notAfter(at));
		return;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		buf_put_string(out, "valid from ");
		if (at)
			put_time(out, X509_get0_notBefore(at));
		return;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		put_self_signed(out, leaf);
		return;
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		buf_put_string(out, "unknown authority");
		put_issuer(out, at);
		return;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
		put_no_issuer(out, faults, at);
		return;
	case X509_V_ERR_INVALID_CA:
		buf_put_string(out, "issued by a certificate that is no authority");
		put_issuer(out, leaf);
		return;
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
		buf_put_string(out, "weak key");
		if (at)
			buf_put_format(out, " (%d bits)", EVP_PKEY_get_bits(X509_get0_pubkey(at)));
		return;
	case X509_V_ERR_CA_MD_TOO_WEAK:
		buf_put_string(out, "weak signature");
		if (at)
			buf_put_format(out, " (%s)", OBJ_nid2ln(X509_get_signature_nid(at)));
		return;
	default:
		buf_put_string(out, X509_verify_cert_error_string(error));
		return;
	}
}

/* 21 only repeats what 20 said. */
static bool
is_echo(const struct certificate_faults *faults, size_t index)
{
	return faults->items[index].error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE &&
	       faults->count > 1;
}

static void
put_foreign_key(struct buf *out, const struct certificate_faults *faults)
{
	buf_put_string(out, "another key than cert_sha256 pins; presented: ");
	buf_put_hex(out,
		(struct bytes){ (const char *)faults->key_sha256, sizeof(faults->key_sha256) });
}

enum cause
certificate_faults_judge(
	const struct certificate_faults *faults, X509 *leaf, const char *name, struct buf *text)
{
	enum cause first = CAUSE_CERT_UNTRUSTED;
	bool is_first = true;

	for (int rank = 0; rank < 4; rank++) {
		for (size_t i = 0; i < faults->count; i++) {
			enum cause cause = cause_of(faults->items[i].error);

			if (rank_of(cause) != rank || is_echo(faults, i))
				continue;
			if (is_first)
				first = cause;
			buf_put_string(text, is_first ? "" : "; ");
			is_first = false;
			put_fault(text, faults, i, leaf, name);
		}
	}
	if (faults->is_key_foreign) {
		if (is_first)
			first = CAUSE_CERT_CHANGED;
		buf_put_string(text, is_first ? "" : "; ");
		put_foreign_key(text, faults);
	}
	return first;
}

wall_t
certificate_first_end(STACK_OF(X509) * chain)
{
	wall_t first = { INT64_MAX };

	for (int i = 0; i < sk_X509_num(chain); i++) {
		wall_t end;

		if (time_of(X509_get0_notAfter(sk_X509_value(chain, i)), &end) != ERR_OK)
			return WALL_NONE;
		if (end.us < first.us)
			first = end;
	}
	return first;
}

enum err
certificate_read(X509 *leaf, struct certificate **out)
{
	struct certificate *certificate = certificate_new();
	struct buf subject = { 0 };
	struct buf issuer = { 0 };
	unsigned int len = sizeof(certificate->sha256);
	enum err err = ERR_SYNTAX;

	if (!certificate)
		return ERR_MEMORY;
	put_x509_name(&subject, X509_get_subject_name(leaf));
	put_x509_name(&issuer, X509_get_issuer_name(leaf));
	buf_put_string(&subject, "");
	buf_put_string(&issuer, "");
	if (X509_digest(leaf, EVP_sha256(), certificate->sha256, &len) == 1 &&
		time_of(X509_get0_notBefore(leaf), &certificate->not_before) == ERR_OK &&
		time_of(X509_get0_notAfter(leaf), &certificate->not_after) == ERR_OK)
		err = read_names(leaf, &certificate->names, &certificate->names_more);
	certificate->subject = buf_take(&subject);
	certificate->issuer = buf_take(&issuer);
	if (err == ERR_OK && (!certificate->subject || !certificate->issuer))
		err = ERR_MEMORY;
	if (err == ERR_OK)
		*out = certificate;
	else
		certificate_free(certificate);
	return err;
}
