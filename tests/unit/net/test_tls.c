/*
 * test_tls.c: whom we believe, and what is said when we do not (H1-19 to H1-32).
 * Certificates are made here, the server is OpenSSL in a thread at the other end of a socket pair.
 */
#include "../unit.h"

#include "base/file.h"
#include "net/tls.h"
#include "net/trust.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static char folder[] = "/tmp/mboxwatch-test-tls.XXXXXX";
static EVP_PKEY *authority_key;
static X509 *authority;

struct made {
	X509 *certificate;
	EVP_PKEY *key;
};

struct wanted {
	const char *common_name;
	const char *names; /* of X509V3_EXT_conf: "DNS:a,IP:192.0.2.7"; NULL: none */
	long begins_s;	   /* from now */
	long ends_s;
	bool is_self_signed;
	bool has_aia;
	int bits;	      /* RSA of so many; 0: P-256 */
	const EVP_MD *digest; /* NULL: SHA-256 */
};

static void
add_extension(X509 *certificate, int kind, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, authority, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
	assert_non_null(extension);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

static struct made
make(const struct wanted *wanted)
{
	static long serial = 1;
	struct made made = { X509_new(),
		wanted->bits ? EVP_RSA_gen((unsigned)wanted->bits) : EVP_EC_gen("P-256") };
	X509_NAME *name = X509_get_subject_name(made.certificate);

	X509_set_version(made.certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), serial++);
	X509_gmtime_adj(X509_getm_notBefore(made.certificate), wanted->begins_s);
	X509_gmtime_adj(
		X509_getm_notAfter(made.certificate), wanted->ends_s ? wanted->ends_s : 86400);
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_UTF8, (const unsigned char *)wanted->common_name, -1, -1, 0);
	X509_set_pubkey(made.certificate, made.key);
	X509_set_issuer_name(made.certificate,
		wanted->is_self_signed || !authority ? name : X509_get_subject_name(authority));
	if (!authority)
		add_extension(made.certificate, NID_basic_constraints, "critical,CA:TRUE");
	if (wanted->names)
		add_extension(made.certificate, NID_subject_alt_name, wanted->names);
	if (wanted->has_aia)
		add_extension(
			made.certificate, NID_info_access, "caIssuers;URI:http://192.0.2.9/ca.crt");
	X509_sign(made.certificate, wanted->is_self_signed || !authority ? made.key : authority_key,
		wanted->digest ? wanted->digest : EVP_sha256());
	return made;
}

static void
made_done(struct made *made)
{
	X509_free(made->certificate);
	EVP_PKEY_free(made->key);
}

static void
put_pem(const char *path, X509 *certificate)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	PEM_write_X509(file, certificate);
	fclose(file);
}

static int
begin(void **state)
{
	struct made made = make(&(struct wanted){ .common_name = "authority" });

	authority = made.certificate;
	authority_key = made.key;
	if (!mkdtemp(folder) || chdir(folder) != 0)
		return -1;
	signal(SIGPIPE, SIG_IGN); /* the server's */
	put_pem("ca.pem", authority);
	return 0;
}

static int
end(void **state)
{
	X509_free(authority);
	EVP_PKEY_free(authority_key);
	return chdir("/") == 0 && system("rm -rf /tmp/mboxwatch-test-tls.*") == 0 ? 0 : -1;
}

/* ---- the server ---- */

struct server {
	pthread_t thread;
	int fd;
	SSL_CTX *context;
	const char *clear; /* said in TLS's place */
	size_t clear_len;
	void (*after)(SSL *ssl); /* once the handshake is done */
	int ahead_bytes;	 /* so much lies ready before we read on after the handshake */
	char sni[256];
	bool is_done;
};

static int
on_sni(SSL *ssl, int *alert, void *owner)
{
	struct server *server = owner;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	snprintf(server->sni, sizeof(server->sni), "%s", name ? name : "");
	return SSL_TLSEXT_ERR_OK;
}

static void *
serve(void *owner)
{
	struct server *server = owner;
	char bytes[256];

	if (server->clear) {
		ssize_t put = write(server->fd, server->clear, server->clear_len);

		while (put >= 0 && read(server->fd, bytes, sizeof(bytes)) > 0)
			;
	} else {
		SSL *ssl = SSL_new(server->context);

		SSL_set_fd(ssl, server->fd);
		if (SSL_accept(ssl) == 1) {
			server->is_done = true;
			if (server->after)
				server->after(ssl);
			while (SSL_read(ssl, bytes, sizeof(bytes)) > 0)
				;
		}
		SSL_free(ssl);
	}
	close(server->fd);
	return NULL;
}

static void
serve_on(struct server *server, int fd, const struct made *made)
{
	server->fd = fd;
	if (!server->context)
		server->context = SSL_CTX_new(TLS_server_method());
	if (made) {
		SSL_CTX_set_security_level(server->context, 0);
		SSL_CTX_use_certificate(server->context, made->certificate);
		SSL_CTX_use_PrivateKey(server->context, made->key);
	}
	SSL_CTX_set_tlsext_servername_callback(server->context, on_sni);
	SSL_CTX_set_tlsext_servername_arg(server->context, server);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

/* ---- our side ---- */

struct outcome {
	enum err err;
	struct tls_failure why;
	struct tls_facts facts;
	char sni[256];
	int turns; /* of reading, in which nothing was for us */
};

static enum err
wait_and(struct tls *tls, int fd, enum err (*turn)(struct tls *))
{
	for (int i = 0; i < 1000; i++) {
		enum err err = turn(tls);
		struct pollfd ready = { .fd = fd,
			.events = tls_wants_write(tls) ? POLLOUT : POLLIN };

		if (err != ERR_AGAIN)
			return err;
		poll(&ready, 1, 2000);
	}
	return ERR_TIMEOUT;
}

/* Reads until a line, or whatever ends it. */
static enum err
read_turn(struct tls *tls)
{
	char bytes[64];
	size_t len = sizeof(bytes);

	return tls_read(tls, bytes, &len);
}

static void
outcome_done(struct outcome *outcome)
{
	certificate_free(outcome->facts.certificate);
}

/* Within a library that remembers; server->context stays the caller's. */
static void
run_within(struct tls_library *library, struct server *server, const struct made *made,
	const struct tls_settings *settings, bool reads, struct outcome *out)
{
	struct fault why;
	struct tls *tls;
	int ends[2];

	memset(out, 0, sizeof(*out));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_ok(fd_prepare(ends[0]));
	serve_on(server, ends[1], made);
	assert_ok(tls_new(library, settings, ends[0], &tls, &why));
	out->err = wait_and(tls, ends[0], tls_handshake);
	if (out->err == ERR_OK && reads) {
		int ready = 0;

		while (ready < server->ahead_bytes && ioctl(ends[0], FIONREAD, &ready) == 0)
			sched_yield();
		do {
			out->err = wait_and(tls, ends[0], read_turn);
		} while (out->err == ERR_MORE && ++out->turns < 200000);
	}
	if (out->err == ERR_INVALID)
		tls_failure(tls, &out->why);
	tls_facts(tls, &out->facts);
	assert_ok(wait_and(tls, ends[0], tls_goodbye)); /* the server may be behind with reading */
	close(ends[0]);
	tls_free(tls);
	pthread_join(server->thread, NULL);
	snprintf(out->sni, sizeof(out->sni), "%s", server->sni);
}

static void
run(struct server *server, const struct made *made, const struct tls_settings *settings, bool reads,
	struct outcome *out)
{
	struct tls_library *library;

	assert_ok(tls_library_new(&library));
	run_within(library, server, made, settings, reads, out);
	tls_library_free(library);
	SSL_CTX_free(server->context);
	server->context = NULL;
}

static void
test_certificates_are_believed_or_not(void **state)
{
	static const struct {
		const char *name;
		const char *host;
		struct wanted wanted;
		const char *ca_file;
		enum cause cause; /* ok: believed */
		const char *words[3];
	} cases[] = {
		{ "good", "mail.test", { .common_name = "x", .names = "DNS:mail.test" }, "ca.pem",
			CAUSE_OK, { 0 } },
		{ "a wildcard", "mail.test.example",
			{ .common_name = "x", .names = "DNS:*.test.example" }, "ca.pem", CAUSE_OK,
			{ 0 } },
		{ "no authority", "mail.test", { .common_name = "x", .names = "DNS:mail.test" },
			NULL, CAUSE_CERT_UNTRUSTED, { "authority" } },
		{ "H1-27 intermediate", "mail.test",
			{ .common_name = "x", .names = "DNS:mail.test", .has_aia = true }, NULL,
			CAUSE_CERT_UNTRUSTED, { "missing intermediate" } },
		{ "H1-24 the name in the CN alone", "mail.test", { .common_name = "mail.test" },
			"ca.pem", CAUSE_CERT_NAME, { "without any name" } },
		{ "H1-24 *.com", "mail.com", { .common_name = "x", .names = "DNS:*.com,DNS:*" },
			"ca.pem", CAUSE_CERT_NAME, { "*.com" } },
		{ "H1-24 a part of a label", "imap.test.example",
			{ .common_name = "x", .names = "DNS:im*.test.example" }, "ca.pem",
			CAUSE_CERT_NAME, { 0 } },
		{ "H1-24 two labels", "a.b.test.example",
			{ .common_name = "x", .names = "DNS:*.test.example" }, "ca.pem",
			CAUSE_CERT_NAME, { 0 } },
		{ "H1-25 an address as a name", "192.0.2.7",
			{ .common_name = "x", .names = "DNS:192.0.2.7" }, "ca.pem", CAUSE_CERT_NAME,
			{ "address 192.0.2.7" } },
		{ "H1-25 an address", "192.0.2.7", { .common_name = "x", .names = "IP:192.0.2.7" },
			"ca.pem", CAUSE_OK, { 0 } },
		{ "an IPv6 address", "2001:db8::7",
			{ .common_name = "x", .names = "IP:2001:db8::7" }, "ca.pem", CAUSE_OK,
			{ 0 } },
		{ "expired", "mail.test",
			{ .common_name = "x",
				.names = "DNS:mail.test",
				.begins_s = -9000,
				.ends_s = -60 },
			"ca.pem", CAUSE_CERT_EXPIRED, { "expired 20" } },
		{ "not yet", "mail.test",
			{ .common_name = "x",
				.names = "DNS:mail.test",
				.begins_s = 9000,
				.ends_s = 90000 },
			"ca.pem", CAUSE_CERT_NOT_YET_VALID, { "valid from 20" } },
		{ "H1-26 dates before name", "mail.test",
			{ .common_name = "x",
				.names = "DNS:o.test",
				.begins_s = -9000,
				.ends_s = -60 },
			"ca.pem", CAUSE_CERT_EXPIRED,
			{ "expired", "not for mail.test", "o.test" } },
		{ "H1-26 all three", "mail.test",
			{ .common_name = "x",
				.names = "DNS:o.test",
				.begins_s = -9000,
				.ends_s = -60,
				.is_self_signed = true },
			"ca.pem", CAUSE_CERT_UNTRUSTED,
			{ "self-signed", "expired", "not for mail.test" } },
		{ "H1-29 a stopgap", "mail.test",
			{ .common_name = "No SNI provided", .is_self_signed = true }, "ca.pem",
			CAUSE_CERT_UNTRUSTED, { "SNI" } },
		{ "H1-28 a weak key", "mail.test",
			{ .common_name = "x", .names = "DNS:mail.test", .bits = 1024 }, "ca.pem",
			CAUSE_CERT_UNTRUSTED, { "weak key (1024 bits)" } },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct tls_settings settings = {
			.name = cases[i].host, .ca_file = cases[i].ca_file, .least = TLS_1_2
		};
		struct made made = make(&cases[i].wanted);
		struct server server = { 0 };
		struct outcome outcome;

		unit_row(cases[i].name);
		run(&server, &made, &settings, false, &outcome);
		if (cases[i].cause == CAUSE_OK) {
			assert_ok(outcome.err);
			assert_true(outcome.facts.has_tls);
			assert_string_equal(outcome.facts.version, "TLSv1.3");
		} else {
			assert_err_equal(outcome.err, ERR_INVALID);
			assert_int_equal(outcome.why.kind, TLS_FAILURE_CERTIFICATE);
			assert_string_equal(
				cause_name(outcome.why.cause), cause_name(cases[i].cause));
			assert_false(outcome.facts.has_tls);
			assert_false(server.is_done);
		}
		for (size_t w = 0; w < 3 && cases[i].words[w]; w++)
			if (!strstr(outcome.why.detail, cases[i].words[w]))
				fail_msg("no \"%s\" in \"%s\"", cases[i].words[w],
					outcome.why.detail);
		/* What was shown is known in both cases. */
		assert_non_null(outcome.facts.certificate);
		assert_true(outcome.facts.certificate->not_after.us >
			    outcome.facts.certificate->not_before.us);
		/* H1-25: names alone go into SNI. */
		assert_string_equal(outcome.sni,
			strspn(cases[i].host, "0123456789.:abcdef") == strlen(cases[i].host)
				? ""
				: cases[i].host);
		outcome_done(&outcome);
		made_done(&made);
	}
}

static void
test_a_weak_signature_is_named_H1_28(void **state)
{
	struct tls_settings settings = {
		.name = "mail.test", .ca_file = "ca.pem", .least = TLS_1_2
	};
	struct made made = make(&(struct wanted){
		.common_name = "x", .names = "DNS:mail.test", .digest = EVP_sha1() });
	struct server server = { 0 };
	struct outcome outcome;

	run(&server, &made, &settings, false, &outcome);
	assert_string_equal(cause_name(outcome.why.cause), "cert_untrusted");
	assert_non_null(strstr(outcome.why.detail, "weak signature"));
	outcome_done(&outcome);
	made_done(&made);
}

static void
test_a_thousand_names_are_counted_H1_23(void **state)
{
	struct tls_settings settings = {
		.name = "mail.test", .ca_file = "ca.pem", .least = TLS_1_2
	};
	struct server server = { 0 };
	struct outcome outcome;
	struct buf names = { 0 };
	struct made made;

	for (int i = 0; i < 1000; i++)
		buf_put_format(&names, "%sDNS:n%d.test", i ? "," : "", i);
	made = make(&(struct wanted){ .common_name = "x", .names = names.at });
	run(&server, &made, &settings, false, &outcome);
	assert_string_equal(cause_name(outcome.why.cause), "cert_name");
	assert_non_null(strstr(outcome.why.detail, "n9.test and 990 more"));
	assert_int_equal(outcome.facts.certificate->names.count, 10);
	assert_int_equal(outcome.facts.certificate->names_more, 990);
	outcome_done(&outcome);
	made_done(&made);
	buf_done(&names);
}

static void
test_clear_text_is_kept_H1_03(void **state)
{
	static const struct {
		const char *name;
		struct bytes clear;
		enum tls_failure_kind kind;
		enum cause cause;
		const char *word;
	} cases[] = {
		{ "SMTP", { "220 mx.test ESMTP\r\n", 19 }, TLS_FAILURE_PLAIN, CAUSE_TLS_HANDSHAKE,
			"220 mx.test ESMTP" },
		{ "HTTP", { "HTTP/1.1 400 Bad Request\r\n", 26 }, TLS_FAILURE_PLAIN,
			CAUSE_TLS_HANDSHAKE, "400" },
		{ "H1-19 alert 70", { "\x15\3\2\0\2\2\x46", 7 }, TLS_FAILURE_HANDSHAKE,
			CAUSE_TLS_VERSION, "TLS 1.1" },
		{ "H1-29 alert 112", { "\x15\3\3\0\2\2\x70", 7 }, TLS_FAILURE_HANDSHAKE,
			CAUSE_TLS_HANDSHAKE, "SNI" },
		{ "alert 40", { "\x15\3\3\0\2\2\x28", 7 }, TLS_FAILURE_HANDSHAKE,
			CAUSE_TLS_HANDSHAKE, "alert 40" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct tls_settings settings = {
			.name = "mail.test", .ca_file = "ca.pem", .least = TLS_1_2
		};
		struct server server = { .clear = cases[i].clear.at,
			.clear_len = cases[i].clear.len };
		struct outcome outcome;

		unit_row(cases[i].name);
		run(&server, NULL, &settings, false, &outcome);
		assert_err_equal(outcome.err, ERR_INVALID);
		assert_int_equal(outcome.why.kind, cases[i].kind);
		assert_string_equal(cause_name(outcome.why.cause), cause_name(cases[i].cause));
		if (!strstr(outcome.why.detail, cases[i].word))
			fail_msg("no \"%s\" in \"%s\"", cases[i].word, outcome.why.detail);
	}
}

static void
ask_for_certificate(SSL_CTX *context)
{
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

static void
test_a_late_alert_is_a_tls_failure_H1_20(void **state)
{
	struct tls_settings settings = {
		.name = "mail.test", .ca_file = "ca.pem", .least = TLS_1_2
	};
	struct made made = make(&(struct wanted){ .common_name = "x", .names = "DNS:mail.test" });
	struct server server = { .context = SSL_CTX_new(TLS_server_method()) };
	struct outcome outcome;

	ask_for_certificate(server.context);
	run(&server, &made, &settings, true, &outcome);
	assert_err_equal(outcome.err, ERR_INVALID);
	assert_int_equal(outcome.why.kind, TLS_FAILURE_LATE);
	assert_int_equal(outcome.why.alert, 116);
	assert_string_equal(cause_name(outcome.why.cause), "tls_handshake");
	outcome_done(&outcome);
	made_done(&made);
}

static void
flood_by_key_updates(SSL *ssl)
{
	for (int i = 0; i < 20000; i++)
		if (SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) != 1 ||
			SSL_do_handshake(ssl) != 1)
			return;
	SSL_write(ssl, "* OK\r\n", 6);
}

static void
flood_by_tickets(SSL *ssl)
{
	for (int i = 0; i < 20000; i++)
		if (SSL_new_session_ticket(ssl) != 1 || SSL_do_handshake(ssl) != 1)
			return;
	SSL_write(ssl, "* OK\r\n", 6);
}

static void
ask_for_renegotiation(SSL *ssl)
{
	SSL_renegotiate(ssl);
	SSL_do_handshake(ssl); /* HelloRequest */
	SSL_write(ssl, "* OK\r\n", 6);
}

static void
ask_a_thousand_times(SSL *ssl)
{
	for (int i = 0; i < 1000; i++) {
		SSL_renegotiate(ssl);
		SSL_do_handshake(ssl);
	}
	SSL_write(ssl, "* OK\r\n", 6);
}

static void
test_floods_after_the_handshake_are_stepped_over(void **state)
{
	static const struct {
		const char *name;
		void (*after)(SSL *ssl);
		int most;
		int turns_least; /* the loop gets its turn between them */
	} cases[] = {
		{ "H1-22 KeyUpdate", flood_by_key_updates, TLS1_3_VERSION, 10 },
		{ "H1-22 NewSessionTicket", flood_by_tickets, TLS1_3_VERSION, 10 },
		{ "H1-21 HelloRequest", ask_for_renegotiation, TLS1_2_VERSION, 0 },
		{ "H1-21 a thousand", ask_a_thousand_times, TLS1_2_VERSION, 0 },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct tls_settings settings = {
			.name = "mail.test", .ca_file = "ca.pem", .least = TLS_1_2, .host = "a"
		};
		struct made made =
			make(&(struct wanted){ .common_name = "x", .names = "DNS:mail.test" });
		struct server server = { .context = SSL_CTX_new(TLS_server_method()),
			.after = cases[i].after,
			.ahead_bytes = cases[i].turns_least ? 4000 : 0 };
		struct outcome outcome;

		unit_row(cases[i].name);
		SSL_CTX_set_max_proto_version(server.context, cases[i].most);
		run(&server, &made, &settings, true, &outcome);
		assert_ok(outcome.err); /* the line behind the flood */
		assert_true(outcome.turns >= cases[i].turns_least);
		outcome_done(&outcome);
		made_done(&made);
	}
}

static void
test_old_versions_need_tls_min_H1_19(void **state)
{
	struct made made = make(
		&(struct wanted){ .common_name = "x", .names = "DNS:mail.test", .bits = 2048 });

	for (int allowed = 0; allowed < 2; allowed++) {
		struct tls_settings settings = { .name = "mail.test",
			.ca_file = "ca.pem",
			.least = allowed ? TLS_1_0 : TLS_1_2 };
		struct server server = { .context = SSL_CTX_new(TLS_server_method()) };
		struct outcome outcome;

		unit_row(allowed ? "allowed" : "not allowed");
		SSL_CTX_set_min_proto_version(server.context, TLS1_VERSION);
		SSL_CTX_set_max_proto_version(server.context, TLS1_1_VERSION);
		run(&server, &made, &settings, false, &outcome);
		if (allowed) {
			assert_ok(outcome.err);
			assert_string_equal(outcome.facts.version, "TLSv1.1");
		} else {
			assert_string_equal(cause_name(outcome.why.cause), "tls_version");
		}
		outcome_done(&outcome);
	}
	made_done(&made);
}

static void
test_stores_are_shared_until_a_file_changes_H1_32(void **state)
{
	struct made self = make(&(struct wanted){
		.common_name = "self", .names = "DNS:s.test", .is_self_signed = true });
	X509_STORE *stores[6];
	struct fault why;

	assert_ok(trust_store(NULL, &stores[0], &why));
	assert_ok(trust_store(NULL, &stores[1], &why));
	assert_ptr_equal(stores[0], stores[1]);
	assert_ok(trust_store("ca.pem", &stores[2], &why));
	assert_ok(trust_store("ca.pem", &stores[3], &why));
	assert_ptr_equal(stores[2], stores[3]);
	assert_ptr_not_equal(stores[0], stores[2]);
	put_pem("other.pem", self.certificate);
	assert_ok(trust_store("other.pem", &stores[4], &why));
	put_pem("other.pem", authority);
	assert_ok(trust_store("other.pem", &stores[5], &why));
	assert_ptr_not_equal(stores[4], stores[5]);
	for (size_t i = 0; i < COUNT_OF(stores); i++)
		X509_STORE_free(stores[i]);
	unit_row("what cannot be used");
	assert_err_equal(trust_store("missing.pem", &stores[0], &why), ERR_NOT_FOUND);
	assert_non_null(strstr(why.text, "missing.pem"));
	assert_ok(file_write_whole("empty.pem", BYTES("no certificate\n"), 0600));
	assert_err_equal(trust_store("empty.pem", &stores[0], &why), ERR_SYNTAX);
	assert_err_equal(trust_store("/dev/zero", &stores[0], &why), ERR_INVALID);
	made_done(&self);
}

static void
test_a_self_signed_one_is_trusted_by_naming_it(void **state)
{
	struct tls_settings settings = {
		.name = "s.test", .ca_file = "self.pem", .least = TLS_1_2
	};
	struct made made = make(&(struct wanted){
		.common_name = "self", .names = "DNS:s.test", .is_self_signed = true });
	struct server server = { 0 };
	struct outcome outcome;

	put_pem("self.pem", made.certificate);
	run(&server, &made, &settings, false, &outcome);
	assert_ok(outcome.err);
	outcome_done(&outcome);
	made_done(&made);
}

static void
greet(SSL *ssl)
{
	SSL_write(ssl, "* OK\r\n", 6);
}

#define MINUTE_US (60 * US_PER_S)

/* 300 K of certificates are cut off by OpenSSL at 100 K. */
static void
test_an_endless_chain_is_cut_off_H1_23(void **state)
{
	struct tls_settings settings = {
		.name = "mail.test", .ca_file = "ca.pem", .least = TLS_1_2
	};
	struct server server = { .context = SSL_CTX_new(TLS_server_method()) };
	struct buf names = { 0 };
	struct outcome outcome;
	struct made made;

	for (int i = 0; i < 1000; i++)
		buf_put_format(&names, "%sDNS:n%d.test", i ? "," : "", i);
	made = make(&(struct wanted){ .common_name = "x", .names = names.at });
	for (int i = 0; i < 24; i++) {
		X509_up_ref(made.certificate);
		SSL_CTX_add_extra_chain_cert(server.context, made.certificate);
	}
	run(&server, &made, &settings, false, &outcome);
	assert_string_equal(cause_name(outcome.why.cause), "tls_handshake");
	assert_non_null(strstr(outcome.why.detail, "excessive message size"));
	outcome_done(&outcome);
	made_done(&made);
	buf_done(&names);
}

static EVP_PKEY *
diffie_hellman_of(size_t bits)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_DH, NULL);
	EVP_PKEY *parameters = NULL;

	assert_int_equal(EVP_PKEY_paramgen_init(context), 1);
	assert_int_equal(EVP_PKEY_CTX_set_dh_paramgen_prime_len(context, (int)bits), 1);
	assert_int_equal(EVP_PKEY_paramgen(context, &parameters), 1);
	EVP_PKEY_CTX_free(context);
	return parameters;
}

/* OpenSSL's own server would have none of it at any level. */
static int
allow_all(const SSL *ssl, const SSL_CTX *context, int operation, int bits, int kind, void *other,
	void *owner)
{
	return 1;
}

static void
test_a_weak_key_exchange_is_named_H1_28(void **state)
{
	struct tls_settings settings = {
		.name = "mail.test", .ca_file = "ca.pem", .least = TLS_1_2
	};
	struct made made = make(
		&(struct wanted){ .common_name = "x", .names = "DNS:mail.test", .bits = 2048 });
	struct server server = { .context = SSL_CTX_new(TLS_server_method()) };
	struct outcome outcome;

	SSL_CTX_set_security_callback(server.context, allow_all);
	SSL_CTX_set_max_proto_version(server.context, TLS1_2_VERSION);
	assert_int_equal(
		SSL_CTX_set_cipher_list(server.context, "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0"),
		1);
	assert_int_equal(SSL_CTX_set0_tmp_dh_pkey(server.context, diffie_hellman_of(512)), 1);
	run(&server, &made, &settings, false, &outcome);
	assert_string_equal(cause_name(outcome.why.cause), "tls_handshake");
	assert_non_null(strstr(outcome.why.detail, "dh key too small"));
	outcome_done(&outcome);
	made_done(&made);
}

/* A chain of tickets proves nothing: the certificate is looked at each hour, and a renewed one of
 * the server's is not seen before. */
static void
test_sessions_end_with_the_hour_H1_31(void **state)
{
	static const struct {
		int minute;
		bool is_expired; /* what the server would show by then */
		bool is_resumed;
		enum cause cause;
	} turns[] = {
		{ 0, false, false, CAUSE_OK },
		{ 30, false, true, CAUSE_OK },
		{ 59, true, true, CAUSE_OK },
		{ 60, true, false, CAUSE_CERT_EXPIRED },
		{ 61, false, false, CAUSE_OK },
		{ 62, false, true, CAUSE_OK },
	};
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct made good = make(&(struct wanted){ .common_name = "x", .names = "DNS:mail.test" });
	struct made expired = make(&(struct wanted){
		.common_name = "x", .names = "DNS:mail.test", .begins_s = -90, .ends_s = -60 });

	for (size_t v = 0; v < COUNT_OF(versions); v++) {
		struct server server = { .context = SSL_CTX_new(TLS_server_method()),
			.after = greet };
		struct tls_library *library;

		assert_ok(tls_library_new(&library));
		SSL_CTX_set_max_proto_version(server.context, versions[v]);
		for (size_t i = 0; i < COUNT_OF(turns); i++) {
			struct tls_settings settings = { .name = "mail.test",
				.ca_file = "ca.pem",
				.least = TLS_1_2,
				.host = "mail.test",
				.port = 993,
				.now = { US_PER_H + turns[i].minute * MINUTE_US } };
			struct outcome outcome;

			run_within(library, &server, turns[i].is_expired ? &expired : &good,
				&settings, true, &outcome);
			if (turns[i].cause == CAUSE_OK)
				assert_ok(outcome.err);
			else
				assert_string_equal(
					cause_name(outcome.why.cause), cause_name(turns[i].cause));
			assert_int_equal(outcome.facts.is_resumed, turns[i].is_resumed);
			/* What is known of the certificate is in every verdict. */
			assert_non_null(outcome.facts.certificate);
			assert_int_equal(outcome.facts.certificate->names.count, 1);
			outcome_done(&outcome);
		}
		tls_library_free(library);
		SSL_CTX_free(server.context);
	}
	made_done(&good);
	made_done(&expired);
}

static void
test_no_session_under_another_trust_setting_H1_32(void **state)
{
	static const uint8_t pin[32] = { 1 };
	static const struct {
		const char *name;
		struct tls_settings settings;
		bool is_resumed;
		enum cause cause;
	} rows[] = {
#define SETTINGS(name, ca_file, host, port, least, pin)                                            \
	{ name, ca_file, least, pin, host, port, { 0 } }
		{ "first", SETTINGS("mail.test", "ca.pem", "a", 993, TLS_1_2, NULL), false,
			CAUSE_OK },
		{ "the same", SETTINGS("mail.test", "ca.pem", "a", 993, TLS_1_2, NULL), true,
			CAUSE_OK },
		{ "another host", SETTINGS("mail.test", "ca.pem", "b", 993, TLS_1_2, NULL), false,
			CAUSE_OK },
		{ "another port", SETTINGS("mail.test", "ca.pem", "a", 143, TLS_1_2, NULL), false,
			CAUSE_OK },
		{ "no ca_file", SETTINGS("mail.test", NULL, "a", 993, TLS_1_2, NULL), false,
			CAUSE_CERT_UNTRUSTED },
		{ "another name", SETTINGS("x.test", "ca.pem", "a", 993, TLS_1_2, NULL), false,
			CAUSE_CERT_NAME },
		{ "a pin", SETTINGS("mail.test", "ca.pem", "a", 993, TLS_1_2, pin), false,
			CAUSE_CERT_CHANGED },
		{ "tls_min", SETTINGS("mail.test", "ca.pem", "a", 993, TLS_1_3, NULL), false,
			CAUSE_OK },
		{ "nothing remembered", SETTINGS("mail.test", "ca.pem", NULL, 993, TLS_1_2, NULL),
			false, CAUSE_OK },
		{ "the same still", SETTINGS("mail.test", "ca.pem", "a", 993, TLS_1_2, NULL), true,
			CAUSE_OK },
#undef SETTINGS
	};
	struct made made = make(&(struct wanted){ .common_name = "x", .names = "DNS:mail.test" });
	struct server server = { .context = SSL_CTX_new(TLS_server_method()), .after = greet };
	struct tls_library *library;

	assert_ok(tls_library_new(&library));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct outcome outcome;

		unit_row(rows[i].name);
		run_within(library, &server, &made, &rows[i].settings, true, &outcome);
		if (rows[i].cause == CAUSE_OK)
			assert_ok(outcome.err);
		else
			assert_string_equal(
				cause_name(outcome.why.cause), cause_name(rows[i].cause));
		assert_int_equal(outcome.facts.is_resumed, rows[i].is_resumed);
		outcome_done(&outcome);
	}
	tls_library_free(library);
	SSL_CTX_free(server.context);
	made_done(&made);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_certificates_are_believed_or_not),
	cmocka_unit_test(test_a_weak_signature_is_named_H1_28),
	cmocka_unit_test(test_a_thousand_names_are_counted_H1_23),
	cmocka_unit_test(test_clear_text_is_kept_H1_03),
	cmocka_unit_test(test_a_late_alert_is_a_tls_failure_H1_20),
	cmocka_unit_test(test_floods_after_the_handshake_are_stepped_over),
	cmocka_unit_test(test_old_versions_need_tls_min_H1_19),
	cmocka_unit_test(test_stores_are_shared_until_a_file_changes_H1_32),
	cmocka_unit_test(test_a_self_signed_one_is_trusted_by_naming_it),
	cmocka_unit_test(test_an_endless_chain_is_cut_off_H1_23),
	cmocka_unit_test(test_a_weak_key_exchange_is_named_H1_28),
	cmocka_unit_test(test_sessions_end_with_the_hour_H1_31),
	cmocka_unit_test(test_no_session_under_another_trust_setting_H1_32),
};

int
main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, begin, end);
}
