/*
 * tls_failure.c: why a handshake, or a session that stood, failed: cause and words. Layer: net.
 */
#include "net/tls_private.h"

#include <openssl/err.h>
#include <sys/socket.h>

#include "base/escape.h"

#define MOST_SHOWN_BYTES 256 /* of an answer in clear */

static const char *
version_name(int minor)
{
	static const char *const names[] = { "SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2",
		"TLS 1.3" };

	return minor >= 0 && minor < (int)COUNT_OF(names) ? names[minor] : "an unknown version";
}

/* The version that the server chose: of its ServerHello, or of the record that its alert came in.
 */
static int
version_heard(const struct tls *tls)
{
	const unsigned char *at = (const unsigned char *)tls->heard;

	if (tls->heard_len >= 11 && at[0] == SSL3_RT_HANDSHAKE && at[5] == SSL3_MT_SERVER_HELLO)
		return at[10];
	return tls->heard_len >= 3 && at[0] == SSL3_RT_ALERT ? at[2] : -1;
}

static bool
is_version_failure(const struct tls *tls)
{
	switch (ERR_GET_REASON(tls->reason)) {
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_WRONG_SSL_VERSION:
	case SSL_R_VERSION_TOO_LOW:
		return true;
	default:
		return tls->alert == SSL_AD_PROTOCOL_VERSION;
	}
}

static const char *
alert_name(int alert)
{
	switch (alert) {
	case SSL_AD_MISSING_EXTENSION: /* OpenSSL has no words for the three of RFC 8446 */
		return "missing extension";
	case SSL_AD_CERTIFICATE_REQUIRED:
		return "certificate required: it wants one of ours";
	case SSL_AD_NO_APPLICATION_PROTOCOL:
		return "no application protocol";
	default:
		return SSL_alert_desc_string_long(alert);
	}
}

static void
put_alert(struct buf *text, const struct tls *tls)
{
	buf_put_format(
		text, "the server sent TLS alert %d (%s)", tls->alert, alert_name(tls->alert));
	if (tls->alert == SSL_AD_UNRECOGNIZED_NAME)
		buf_put_format(text, ": it serves no host of the name %s (SNI)", tls->name);
}

static void
judge_version(const struct tls *tls, struct buf *text, struct tls_failure *out)
{
	int heard = version_heard(tls);

	out->cause = CAUSE_TLS_VERSION;
	if (tls->alert == SSL_AD_PROTOCOL_VERSION) {
		buf_put_format(text,
			"the server refuses %s and later (TLS alert 70, protocol version)",
			version_name((int)tls->least + 1));
		if (heard >= 0 && heard < (int)tls->least + 1)
			buf_put_format(text, ", offered: %s", version_name(heard));
	} else {
		buf_put_format(text, "offered: %s, wanted: %s or later",
			heard >= 0 ? version_name(heard) : "an older version",
			version_name((int)tls->least + 1));
	}
}

static void
judge_handshake(const struct tls *tls, struct buf *text, struct tls_failure *out)
{
	const char *reason = ERR_reason_error_string(tls->reason);

	if (bytes_are_clear_text(tls_heard(tls))) {
		out->kind = TLS_FAILURE_PLAIN;
		buf_put_string(text, "answered in clear: ");
		escape_put(text, bytes_to_line_end(bytes_first(tls_heard(tls), MOST_SHOWN_BYTES)),
			ESCAPE_TERMINAL);
	} else if (is_version_failure(tls)) {
		judge_version(tls, text, out);
	} else if (tls->alert != -1) {
		put_alert(text, tls);
	} else if (tls->is_eof || tls->error != 0) {
		out->kind = TLS_FAILURE_LOST;
		out->cause = CAUSE_CONNECTION_LOST;
		buf_put_string(
			text, tls->error != 0 ? strerror(tls->error) : "closed by the server");
		buf_put_string(text, tls->heard_len == 0 ? ", before any answer to our TLS hello"
							 : ", in the middle of the TLS handshake");
	} else {
		buf_put_string(text, reason ? reason : "failed for an unknown reason");
	}
}

static void
judge_standing(const struct tls *tls, struct buf *text, struct tls_failure *out)
{
	const char *reason = ERR_reason_error_string(tls->reason);

	if (tls->alert != -1) {
		/* TLS 1.3 lets us finish before the server has judged us (client certificates:
		 * alert 116). */
		out->kind = tls->has_read ? TLS_FAILURE_LOST : TLS_FAILURE_LATE;
		out->cause = tls->has_read ? CAUSE_CONNECTION_LOST : CAUSE_TLS_HANDSHAKE;
		put_alert(text, tls);
	} else if (tls->is_eof || tls->error != 0) {
		out->kind = TLS_FAILURE_LOST;
		out->cause = CAUSE_CONNECTION_LOST;
		buf_put_string(
			text, tls->error != 0 ? strerror(tls->error) : "closed by the server");
	} else {
		out->kind = TLS_FAILURE_BROKEN;
		out->cause = CAUSE_PROTOCOL_ERROR;
		buf_put_format(text, "a broken TLS record: %s", reason ? reason : "unknown");
	}
}

/* With what else the server sent in clear meanwhile: OpenSSL stopped at five bytes of it. */
static void
hear_rest(struct tls *tls)
{
	ssize_t got;

	if (!bytes_are_clear_text(tls_heard(tls)) || tls->heard_len == sizeof(tls->heard))
		return;
	got = recv(tls->fd, tls->heard + tls->heard_len, sizeof(tls->heard) - tls->heard_len, 0);
	if (got > 0)
		tls->heard_len += (size_t)got;
}

void
tls_failure(struct tls *tls, struct tls_failure *out)
{
	struct buf text = { 0 };
	size_t len;

	memset(out, 0, sizeof(*out));
	out->kind = TLS_FAILURE_HANDSHAKE;
	out->cause = CAUSE_TLS_HANDSHAKE;
	out->alert = tls->alert;
	if (tls->is_standing) {
		judge_standing(tls, &text, out);
	} else if (certificate_faults_any(&tls->faults)) {
		out->kind = TLS_FAILURE_CERTIFICATE;
		out->cause = certificate_faults_judge(&tls->faults, tls->leaf, tls->name, &text);
	} else {
		hear_rest(tls);
		judge_handshake(tls, &text, out);
	}
	if (tls->is_name_unknown && !tls->is_standing)
		buf_put_string(&text,
			"; the server warned that it does not know this name (SNI, TLS alert 112)");
	len = text.len < sizeof(out->detail) ? text.len : sizeof(out->detail) - 1;
	if (text.at)
		memcpy(out->detail, text.at, len);
	buf_done(&text);
}
