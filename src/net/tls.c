/*
 * tls.c: handshake, bytes and failures of one TLS client, over a BIO of our own on the socket.
 * Layer: net.
 *
 * The BIO keeps the first bytes heard (clear text in TLS's place: H1-03, H1-14), tells whether the
 * socket would block (read-ahead hides it else) and sends without SIGPIPE. OpenSSL's error queue is
 * the thread's, not the session's: it is emptied before each call (H1-35). What a certificate's
 * faults mean is in tls_certificate.c.
 */
#include "net/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/escape.h"
#include "net/address.h"
#include "net/tls_certificate.h"
#include "net/trust.h"

/* Debian's own default, said here so that no openssl.cnf changes what is called a weak key (H1-28).
 */
#define SECURITY_LEVEL 2
#define SECURITY_LEVEL_LEGACY 0 /* TLS 1.0 and 1.1 sign their handshakes by MD5 and SHA-1 */
#define CONTEXTS_MOST 64

struct context {
	struct context *next;
	X509_STORE *store;
	enum tls_version least;
	SSL_CTX *is;
};

struct tls_library {
	BIO_METHOD *method;
	struct context *contexts; /* used last first */
};

struct tls {
	SSL *ssl;
	int fd;
	enum tls_version least;
	char *name;
	struct certificate_faults faults;
	X509 *leaf; /* as sent, also where the handshake failed by it */
	char heard[TLS_HEARD_MOST];
	size_t heard_len;
	int alert;	      /* the peer's fatal one, -1: none */
	bool is_name_unknown; /* the peer's warning 112: it does not know this SNI */
	bool is_blocked;      /* the socket had nothing for the last read */
	bool is_eof;
	int error;	  /* errno of the socket where it broke */
	bool is_standing; /* the handshake is done */
	bool is_failed;	  /* OpenSSL allows no further call */
	bool has_read;	  /* at least one byte of the server came out */
	bool wants_write;
	unsigned long reason; /* of the failure */
};

/* ---- the BIO ---- */

static int
bio_read(BIO *bio, char *at, int len)
{
	struct tls *tls = BIO_get_data(bio);
	ssize_t got;

	BIO_clear_retry_flags(bio);
	do {
		got = recv(tls->fd, at, (size_t)len, 0);
	} while (got == -1 && errno == EINTR);
	if (got > 0) {
		size_t room = sizeof(tls->heard) - tls->heard_len;
		size_t kept = (size_t)got < room ? (size_t)got : room;

		memcpy(tls->heard + tls->heard_len, at, kept);
		tls->heard_len += kept;
		return (int)got;
	}
	if (got == 0) {
		tls->is_eof = true;
		return 0;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK) {
		tls->is_blocked = true;
		BIO_set_retry_read(bio);
	} else {
		tls->error = errno;
	}
	return -1;
}

static int
bio_write(BIO *bio, const char *at, int len)
{
	struct tls *tls = BIO_get_data(bio);
	ssize_t put;

	BIO_clear_retry_flags(bio);
	do {
		put = send(tls->fd, at, (size_t)len, MSG_NOSIGNAL);
	} while (put == -1 && errno == EINTR);
	if (put == -1) {
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			BIO_set_retry_write(bio);
		else
			tls->error = errno;
	}
	return (int)put;
}

static long
bio_control(BIO *bio, int command, long number, void *pointer)
{
	struct tls *tls = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (command) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return tls->is_eof;
	default:
		return 0;
	}
}

static BIO_METHOD *
method_new(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | 100, "mboxwatch socket");

	if (method && (BIO_meth_set_read(method, bio_read) != 1 ||
			      BIO_meth_set_write(method, bio_write) != 1 ||
			      BIO_meth_set_ctrl(method, bio_control) != 1)) {
		BIO_meth_free(method);
		return NULL;
	}
	return method;
}

/* ---- the library: one SSL_CTX a trust setting ---- */

static void
on_info(const SSL *ssl, int where, int value)
{
	struct tls *tls = SSL_get_app_data(ssl);

	if (!(where & SSL_CB_ALERT) || !(where & SSL_CB_READ))
		return; /* our own alerts say nothing about the peer */
	if (value >> 8 == SSL3_AL_FATAL)
		tls->alert = value & 0xff;
	else if ((value & 0xff) == SSL_AD_UNRECOGNIZED_NAME)
		tls->is_name_unknown = true;
}

/* Notes every fault and goes on, so that all are known; verify_chain() fails by the notes. */
static int
on_fault(int is_ok, X509_STORE_CTX *chain)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *tls = SSL_get_app_data(ssl);

	if (!is_ok)
		certificate_faults_note(&tls->faults, chain);
	return 1;
}

static int
verify_chain(X509_STORE_CTX *chain, void *owner)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *tls = SSL_get_app_data(ssl);
	int is_good;

	(void)owner;
	tls->leaf = X509_STORE_CTX_get0_cert(chain);
	if (tls->leaf)
		X509_up_ref(tls->leaf);
	/* A tls_min below 1.2 loosens the handshake, never what a certificate must be. */
	X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(chain), SECURITY_LEVEL);
	X509_STORE_CTX_set_verify_cb(chain, on_fault);
	is_good = X509_verify_cert(chain);
	if (is_good == 1 && tls->faults.count == 0 && X509_STORE_CTX_get_error(chain) == X509_V_OK)
		return 1;
	if (tls->faults.count == 0)
		certificate_faults_note(&tls->faults, chain);
	X509_STORE_CTX_set_error(chain, tls->faults.items[0].error);
	return 0;
}

static SSL_CTX *
context_make(X509_STORE *store, enum tls_version least)
{
	static const int versions[TLS_VERSION_COUNT] = {
		[TLS_1_0] = TLS1_VERSION,
		[TLS_1_1] = TLS1_1_VERSION,
		[TLS_1_2] = TLS1_2_VERSION,
		[TLS_1_3] = TLS1_3_VERSION,
	};
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (!context)
		return NULL;
	SSL_CTX_set_security_level(
		context, least < TLS_1_2 ? SECURITY_LEVEL_LEGACY : SECURITY_LEVEL);
	SSL_CTX_set_min_proto_version(context, versions[least]);
	SSL_CTX_set_max_proto_version(context, 0);
	SSL_CTX_set1_cert_store(context, store);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(context, verify_chain, NULL);
	SSL_CTX_set_info_callback(context, on_info);
	/* H1-21; H1-34: both protocols have a goodbye of their own, and servers rarely say TLS's.
	 */
	SSL_CTX_set_options(context,
		SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_clear_mode(context,
		SSL_MODE_AUTO_RETRY); /* a flood of tickets must not hold the loop (H1-22) */
	SSL_CTX_set_read_ahead(context, 1);
	/* Resumption comes here: SESS_CACHE_CLIENT | NO_INTERNAL, sess_set_new_cb, kept by trust
	 * setting. */
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	return context;
}

static void
context_free(struct context *context)
{
	SSL_CTX_free(context->is);
	X509_STORE_free(context->store);
	free(context);
}

static void
drop_oldest(struct tls_library *library)
{
	struct context **link = &library->contexts;

	for (size_t count = 0; *link && count < CONTEXTS_MOST; count++)
		link = &(*link)->next;
	while (*link) {
		struct context *context = *link;

		*link = context->next;
		context_free(context);
	}
}

/* Borrowed. A store that was made anew gives a new one; the old one falls out by age. */
static SSL_CTX *
context_of(struct tls_library *library, X509_STORE *store, enum tls_version least)
{
	struct context *context;

	for (struct context **link = &library->contexts; (context = *link) != NULL;
		link = &context->next) {
		if (context->store == store && context->least == least) {
			*link = context->next;
			context->next = library->contexts;
			library->contexts = context;
			return context->is;
		}
	}
	context = calloc(1, sizeof(*context));
	if (!context || (context->is = context_make(store, least)) == NULL) {
		free(context);
		return NULL;
	}
	X509_STORE_up_ref(store);
	context->store = store;
	context->least = least;
	context->next = library->contexts;
	library->contexts = context;
	drop_oldest(library);
	return context->is;
}

enum err
tls_library_new(struct tls_library **out)
{
	struct tls_library *library = calloc(1, sizeof(*library));

	if (!library || (library->method = method_new()) == NULL) {
		free(library);
		return ERR_MEMORY;
	}
	*out = library;
	return ERR_OK;
}

void
tls_library_free(struct tls_library *library)
{
	if (!library)
		return;
	while (library->contexts) {
		struct context *context = library->contexts;

		library->contexts = context->next;
		context_free(context);
	}
	BIO_meth_free(library->method);
	free(library);
}

/* ---- one session ---- */

/* Whose certificate it has to be; SNI for names alone (RFC 6066 3). */
static enum err
set_name(struct tls *tls)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
	struct address literal;

	/* The CN is not looked at (RFC 9525): nor would a browser or a phone. H1-24 */
	SSL_set_hostflags(tls->ssl,
		X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (address_parse(tls->name, &literal) == ERR_OK) {
		char *scope = strchr(tls->name, '%');

		if (scope)
			*scope = '\0';
		return X509_VERIFY_PARAM_set1_ip_asc(param, tls->name) == 1 ? ERR_OK : ERR_INVALID;
	}
	return tls->name[0] != '\0' && SSL_set1_host(tls->ssl, tls->name) == 1 &&
			       SSL_set_tlsext_host_name(tls->ssl, tls->name) == 1
		       ? ERR_OK
		       : ERR_INVALID;
}

static enum err
attach(struct tls_library *library, struct tls *tls, SSL_CTX *context)
{
	BIO *bio;

	tls->ssl = SSL_new(context);
	bio = BIO_new(library->method);
	if (!tls->ssl || !bio) {
		BIO_free(bio);
		return ERR_MEMORY;
	}
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_app_data(tls->ssl, tls);
	SSL_set_bio(tls->ssl, bio, bio); /* takes it over */
	SSL_set_connect_state(tls->ssl);
	return ERR_OK;
}

enum err
tls_new(struct tls_library *library, const struct tls_settings *settings, int fd, struct tls **out,
	struct fault *why)
{
	struct tls *tls = calloc(1, sizeof(*tls));
	X509_STORE *store = NULL;
	SSL_CTX *context;
	enum err err = ERR_MEMORY;

	fault_set(why, "out of memory");
	if (!tls || (tls->name = strdup(settings->name)) == NULL)
		goto out;
	tls->fd = fd;
	tls->alert = -1;
	tls->least = settings->least;
	ERR_clear_error();
	err = trust_store(settings->ca_file, &store, why);
	if (err != ERR_OK)
		goto out;
	context = context_of(library, store, settings->least);
	X509_STORE_free(store);
	err = context ? attach(library, tls, context) : ERR_MEMORY;
	if (err == ERR_OK && (err = set_name(tls)) != ERR_OK)
		fault_set(why, "tls_name cannot be used");
out:
	if (err != ERR_OK) {
		tls_free(tls);
		return err;
	}
	*out = tls;
	return ERR_OK;
}

void
tls_free(struct tls *tls)
{
	if (!tls)
		return;
	if (tls->ssl && tls->is_standing && !tls->is_failed) {
		/* Without it the session would never be resumed. Not SSL_shutdown(): the descriptor
		 * may be another's. */
		SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	}
	SSL_free(tls->ssl);
	X509_free(tls->leaf);
	certificate_faults_done(&tls->faults);
	ERR_clear_error();
	free(tls->name);
	free(tls);
}

/* What a call that did not succeed came to. */
static enum err
judge_call(struct tls *tls, int result)
{
	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		tls->wants_write = false;
		return tls->is_blocked ? ERR_AGAIN : ERR_MORE;
	case SSL_ERROR_WANT_WRITE:
		tls->wants_write = true;
		return ERR_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return ERR_CLOSED;
	case SSL_ERROR_SYSCALL:
		/* A write that met a reset; what the server said before may still be read. */
		return ERR_CLOSED;
	default:
		tls->is_failed = true;
		tls->reason = ERR_peek_error();
		ERR_clear_error();
		if (tls->alert == -1 && (tls->is_eof || tls->error != 0))
			return ERR_CLOSED;
		return ERR_INVALID;
	}
}

static void
begin_call(struct tls *tls)
{
	ERR_clear_error();
	tls->is_blocked = false;
	tls->wants_write = false;
}

enum err
tls_handshake(struct tls *tls)
{
	enum err err;

	do {
		int result;

		begin_call(tls);
		result = SSL_connect(tls->ssl);
		if (result == 1) {
			tls->is_standing = true;
			return ERR_OK;
		}
		err = judge_call(tls, result);
	} while (err == ERR_MORE);
	if (err == ERR_CLOSED || err == ERR_INVALID) {
		tls->is_failed = true;
		return ERR_INVALID;
	}
	return ERR_AGAIN;
}

enum err
tls_read(struct tls *tls, char *at, size_t *len)
{
	int result;

	begin_call(tls);
	result = SSL_read_ex(tls->ssl, at, *len, len);
	if (result == 1) {
		tls->has_read = true;
		return ERR_OK;
	}
	return judge_call(tls, result);
}

enum err
tls_write(struct tls *tls, struct bytes bytes, size_t *len)
{
	enum err err;
	int result;

	begin_call(tls);
	result = SSL_write_ex(tls->ssl, bytes.at, bytes.len, len);
	if (result == 1)
		return ERR_OK;
	err = judge_call(tls, result);
	return err == ERR_MORE ? ERR_AGAIN : err;
}

int
tls_error(const struct tls *tls)
{
	return tls->error;
}

bool
tls_wants_write(const struct tls *tls)
{
	return tls->wants_write;
}

enum err
tls_goodbye(struct tls *tls)
{
	int result;

	if (!tls->is_standing || tls->is_failed || SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN)
		return ERR_OK;
	begin_call(tls);
	result = SSL_shutdown(tls->ssl);
	if (result < 0 && SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_WRITE) {
		tls->wants_write = true;
		return ERR_AGAIN;
	}
	return ERR_OK;
}

struct bytes
tls_heard(const struct tls *tls)
{
	return (struct bytes){ tls->heard, tls->heard_len };
}

bool
bytes_are_clear_text(struct bytes heard)
{
	const unsigned char *at = (const unsigned char *)heard.at;

	if (heard.len == 0)
		return false;
	return at[0] < 20 || at[0] > 24 || (heard.len > 1 && at[1] != 3);
}

/* ---- why it failed ---- */

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

static struct bytes
first_line(struct bytes text)
{
	size_t end = 0;

	while (end < text.len && end < 256 && text.at[end] != '\r' && text.at[end] != '\n')
		end++;
	return bytes_first(text, end);
}

static void
judge_handshake(const struct tls *tls, struct buf *text, struct tls_failure *out)
{
	const char *reason = ERR_reason_error_string(tls->reason);

	if (bytes_are_clear_text(tls_heard(tls))) {
		out->kind = TLS_FAILURE_PLAIN;
		buf_put_string(text, "answered in clear: ");
		escape_put(text, first_line(tls_heard(tls)), ESCAPE_TERMINAL);
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
	} else if (tls->faults.count > 0) {
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

void
tls_facts(struct tls *tls, struct tls_facts *out)
{
	if (tls->is_standing) {
		out->has_tls = true;
		out->is_resumed = SSL_session_reused(tls->ssl) == 1;
		snprintf(out->version, sizeof(out->version), "%s", SSL_get_version(tls->ssl));
		snprintf(out->cipher, sizeof(out->cipher), "%s", SSL_get_cipher_name(tls->ssl));
	}
	if (tls->leaf && !out->has_certificate)
		out->has_certificate = certificate_read(tls->leaf, &out->certificate) == ERR_OK;
	ERR_clear_error();
}
