/* test_endpoint.c: an endpoint's owners, and what makes two endpoints two (H4-12). */
#include "../unit.h"

#include <stdlib.h>

#include "facts/endpoint.h"

static char **
arguments(const char *first, const char *second)
{
	char **argv = calloc(3, sizeof(*argv));

	assert_non_null(argv);
	argv[0] = strdup(first);
	argv[1] = second ? strdup(second) : NULL;
	return argv;
}

/* With something in every member. */
static struct endpoint *
whole_endpoint(void)
{
	struct endpoint *endpoint = endpoint_new(SIDE_IMAP);

	assert_non_null(endpoint);
	endpoint->host = strdup("imap.example.com");
	endpoint->port = 993;
	endpoint->username = strdup("ann@example.com");
	endpoint->secret.kind = SECRET_COMMAND;
	assert_ok(secret_new(BYTES("correct horse"), &endpoint->secret.value));
	endpoint->secret.path = strdup("/etc/mboxwatch/secrets/ann");
	endpoint->secret.argv = arguments("pass", "ann");
	endpoint->tls_name = strdup("imap.example.com");
	endpoint->ca_file = strdup("/etc/ssl/ca.pem");
	endpoint->folder = strdup("INBOX");
	endpoint->mail_from = strdup("ann@example.com");
	endpoint->rcpt_to = strdup("ann@example.com");
	return endpoint;
}

static void
replace(char **string, const char *with)
{
	free(*string);
	*string = with ? strdup(with) : NULL;
}

static void
replace_secret(struct endpoint *endpoint, const char *with)
{
	secret_free(endpoint->secret.value);
	endpoint->secret.value = NULL;
	if (with)
		assert_ok(secret_new(bytes_of(with), &endpoint->secret.value));
}

static void
replace_arguments(struct endpoint *endpoint, char **argv)
{
	for (size_t i = 0; endpoint->secret.argv[i]; i++)
		free(endpoint->secret.argv[i]);
	free(endpoint->secret.argv);
	endpoint->secret.argv = argv;
}

#define CHANGE(function, statement)                                                                \
	static void function(struct endpoint *e)                                                   \
	{                                                                                          \
		statement;                                                                         \
	}
CHANGE(nothing, (void)e)
CHANGE(same_words, replace(&e->host, "imap.example.com"))
CHANGE(same_secret, replace_secret(e, "correct horse"))
CHANGE(same_arguments, replace_arguments(e, arguments("pass", "ann")))
CHANGE(side, e->side = SIDE_SMTP)
CHANGE(host, replace(&e->host, "imap.example.net"))
CHANGE(no_host, replace(&e->host, NULL))
CHANGE(address, e->is_address = true)
CHANGE(port, e->port = 143)
CHANGE(security, e->security = SECURITY_STARTTLS)
CHANGE(username, replace(&e->username, "Ann@example.com"))
CHANGE(no_username, replace(&e->username, NULL))
CHANGE(secret_kind, e->secret.kind = SECRET_VALUE)
CHANGE(secret_value, replace_secret(e, "battery staple"))
CHANGE(no_secret, replace_secret(e, NULL))
CHANGE(secret_path, replace(&e->secret.path, "/etc/mboxwatch/secrets/bob"))
CHANGE(other_argument, replace_arguments(e, arguments("pass", "bob")))
CHANGE(fewer_arguments, replace_arguments(e, arguments("pass", NULL)))
CHANGE(no_arguments, replace_arguments(e, NULL))
CHANGE(mechanism, e->mechanism = MECHANISM_PLAIN)
CHANGE(insecure_auth, e->insecure_auth = true)
CHANGE(family, e->family = FAMILY_IPV6)
CHANGE(source_address, replace(&e->source_address, "192.0.2.1"))
CHANGE(proxy_kind, e->proxy.kind = PROXY_SOCKS5)
CHANGE(proxy_host, replace(&e->proxy.host, "proxy.example.com"))
CHANGE(proxy_port, e->proxy.port = 1080)
CHANGE(proxy_user, replace(&e->proxy.user, "ann"))
CHANGE(proxy_password, assert_ok(secret_new(BYTES("open sesame"), &e->proxy.password)))
CHANGE(tls_name, replace(&e->tls_name, "mail.example.com"))
CHANGE(ca_file, replace(&e->ca_file, NULL))
CHANGE(tls_min, e->tls_min = TLS_1_0)
CHANGE(folder, replace(&e->folder, "Archive"))
CHANGE(key_sha256, e->key_sha256[31] ^= 1)
CHANGE(no_key_sha256, e->has_key_sha256 = !e->has_key_sha256)
CHANGE(mail_from, replace(&e->mail_from, "bob@example.com"))
CHANGE(no_mail_from, replace(&e->mail_from, NULL))
CHANGE(rcpt_to, replace(&e->rcpt_to, "bob@example.com"))
CHANGE(is_select, e->is_select = true)
CHANGE(timeout, e->timeout_us++)
CHANGE(stage_timeout, e->stage_timeout_us++)

static void
test_endpoint_equal_sees_every_setting(void **state)
{
#define ROW(change, is_equal)                                                                      \
	{                                                                                          \
#change, change, is_equal                                                          \
	}
	static const struct {
		const char *name;
		void (*change)(struct endpoint *endpoint);
		bool is_equal;
	} rows[] = {
		ROW(nothing, true),
		ROW(same_words, true),
		ROW(same_secret, true),
		ROW(same_arguments, true),
		ROW(side, false),
		ROW(host, false),
		ROW(no_host, false),
		ROW(address, false),
		ROW(port, false),
		ROW(security, false),
		ROW(username, false),
		ROW(no_username, false),
		ROW(secret_kind, false),
		ROW(secret_value, false),
		ROW(no_secret, false),
		ROW(secret_path, false),
		ROW(other_argument, false),
		ROW(fewer_arguments, false),
		ROW(no_arguments, false),
		ROW(mechanism, false),
		ROW(insecure_auth, false),
		ROW(family, false),
		ROW(source_address, false),
		ROW(proxy_kind, false),
		ROW(proxy_host, false),
		ROW(proxy_port, false),
		ROW(proxy_user, false),
		ROW(proxy_password, false),
		ROW(tls_name, false),
		ROW(ca_file, false),
		ROW(tls_min, false),
		ROW(folder, false),
		ROW(key_sha256, false),
		ROW(no_key_sha256, false),
		ROW(mail_from, false),
		ROW(no_mail_from, false),
		ROW(rcpt_to, false),
		ROW(is_select, false),
		ROW(timeout, false),
		ROW(stage_timeout, false),
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct endpoint *a = whole_endpoint();
		struct endpoint *b = whole_endpoint();

		unit_row(rows[i].name);
		rows[i].change(b);
		assert_int_equal(endpoint_equal(a, b), rows[i].is_equal);
		assert_int_equal(endpoint_equal(b, a), rows[i].is_equal);
		endpoint_free(a);
		endpoint_free(b);
	}
}

static void
test_endpoint_begins_with_the_contracts_values(void **state)
{
	struct endpoint *endpoint = endpoint_new(SIDE_SMTP);

	assert_non_null(endpoint);
	assert_int_equal(endpoint->side, SIDE_SMTP);
	assert_int_equal(endpoint->security, SECURITY_TLS);
	assert_int_equal(endpoint->mechanism, MECHANISM_AUTO);
	assert_int_equal(endpoint->family, FAMILY_ANY);
	assert_int_equal(endpoint->tls_min, TLS_1_2);
	assert_int_equal(endpoint->timeout_us, 60 * US_PER_S);
	assert_int_equal(endpoint->stage_timeout_us, 30 * US_PER_S);
	endpoint_free(endpoint);
	endpoint_free(NULL);
}

static void
test_endpoint_lives_until_its_last_owner_goes(void **state)
{
	struct endpoint *endpoint = whole_endpoint();
	struct endpoint *held = endpoint_hold(endpoint);

	endpoint_free(endpoint); /* a reload brought others */
	assert_string_equal(held->host, "imap.example.com");
	endpoint_free(held); /* the leak checker says whether it is gone */
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_endpoint_equal_sees_every_setting),
	cmocka_unit_test(test_endpoint_begins_with_the_contracts_values),
	cmocka_unit_test(test_endpoint_lives_until_its_last_owner_goes),
};
UNIT_MAIN(tests)
