/*
 * tls.c: handshake and bytes of one TLS client, over a BIO of our own on the socket. Layer: net.
 *
 * The BIO keeps the first bytes heard (clear text in TLS's place: H1-03, H1-14), tells whether the
 * socket would block (read-ahead hides it else) and sends without SIGPIPE. OpenSSL's error queue is
 * the thread's, not the session's: it is emptied before each call (H1-35). Why something failed is
 * in tls_failure.c.
 */
#include "net/tls_private.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/address.h"
#include "net/trust.h"

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

BIO_METHOD *
tls_socket_method(void)
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

/* What is remembered of this server under this trust setting, and a session of it to offer. */
static enum err
remember(struct tls_library *library, struct tls *tls, const struct tls_settings *settings,
	const struct context *context)
{
	struct buf key = { 0 };
	SSL_SESSION *session;
	enum err err;

	buf_put_format(&key, "%llu %u %s %s ", (unsigned long long)context->id, settings->port,
		settings->host, settings->name);
	if (tls->has_pin)
		buf_put(&key, (struct bytes){ (const char *)tls->pin, sizeof(tls->pin) });
	err = buf_err(&key);
	if (err == ERR_OK) {
		tls->memory = tls_memory_find(library->memories, buf_bytes(&key));
		err = tls->memory ? ERR_OK : ERR_MEMORY;
	}
	buf_done(&key);
	if (err != ERR_OK)
		return err;
	session = tls_memory_take(tls->memory, tls->now, wall_now(), &tls->generation);
	if (session) {
		tls->is_session_offered = SSL_set_session(tls->ssl, session) == 1;
		SSL_SESSION_free(session);
	}
	return ERR_OK;
}

enum err
tls_new(struct tls_library *library, const struct tls_settings *settings, int fd, struct tls **out,
	struct fault *why)
{
	struct tls *tls = calloc(1, sizeof(*tls));
	X509_STORE *store = NULL;
	const struct context *context;
	enum err err = ERR_MEMORY;

	fault_set(why, "out of memory");
	if (!tls || (tls->name = strdup(settings->name)) == NULL)
		goto out;
	tls->fd = fd;
	tls->alert = -1;
	tls->least = settings->least;
	tls->now = settings->now;
	tls->has_pin = settings->key_sha256 != NULL;
	if (tls->has_pin)
		memcpy(tls->pin, settings->key_sha256, sizeof(tls->pin));
	ERR_clear_error();
	err = trust_store(settings->ca_file, &store, why);
	if (err != ERR_OK)
		goto out;
	context = tls_context(library, store, settings->least);
	X509_STORE_free(store);
	err = context ? attach(library, tls, context->is) : ERR_MEMORY;
	if (err == ERR_OK && (err = set_name(tls)) != ERR_OK)
		fault_set(why, "tls_name cannot be used");
	if (err == ERR_OK && settings->host)
		err = remember(library, tls, settings, context);
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
	tls_memory_free(tls->memory);
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
	enum err err;
	int result;

	begin_call(tls);
	result = SSL_read_ex(tls->ssl, at, *len, len);
	if (result == 1) {
		tls->has_read = true;
		return ERR_OK;
	}
	err = judge_call(tls, result);
	if (err == ERR_AGAIN)
		(void)SSL_free_buffers(tls->ssl); /* at rest; no where half a record lies in it */
	return err;
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

void
tls_rest(struct tls *tls)
{
	SSL_free_buffers(tls->ssl);
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

bool
tls_doubt_session(struct tls *tls)
{
	if (!tls->is_session_offered || tls->has_read || certificate_faults_any(&tls->faults) ||
		(!tls->is_standing && bytes_are_clear_text(tls_heard(tls))) ||
		(tls->is_standing && SSL_session_reused(tls->ssl) != 1))
		return false;
	tls_memory_refuse(tls->memory, tls->now);
	return true;
}

static void
read_leaf(struct tls *tls, struct tls_facts *out)
{
	if (tls->is_standing && tls->memory)
		out->certificate = tls_memory_certificate(tls->memory, tls->generation);
	if (out->certificate)
		return;
	if (!tls->leaf && tls->is_standing)
		tls->leaf = SSL_get1_peer_certificate(tls->ssl); /* the resumed session keeps it */
	if (!tls->leaf || certificate_read(tls->leaf, &out->certificate) != ERR_OK)
		return;
	if (tls->is_standing && tls->memory)
		tls_memory_read(tls->memory, tls->generation, out->certificate);
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
	if (!out->certificate)
		read_leaf(tls, out);
	ERR_clear_error();
}
