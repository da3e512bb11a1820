/* test_words.c: each word of the closed lists leads back to its value; ports and modes (contract
 * 3). */
#include "../unit.h"

#include "facts/provider.h"
#include "facts/row.h"
#include "facts/words.h"

/* A list with its two functions, as unsigned numbers. */
#define LIST(type, values)                                                                         \
	static const char *type##_word(unsigned value)                                             \
	{                                                                                          \
		return type##_name((enum type)value);                                              \
	}                                                                                          \
	static enum err type##_find(struct bytes word, unsigned *out)                              \
	{                                                                                          \
		enum type value = (enum type) * out;                                               \
		enum err err = type##_from_name(word, &value);                                     \
                                                                                                   \
		*out = (unsigned)value;                                                            \
		return err;                                                                        \
	}
#define LISTS(X)                                                                                   \
	X(stage, STAGE_COUNT)                                                                      \
	X(side, SIDE_COUNT)                                                                        \
	X(security, SECURITY_COUNT)                                                                \
	X(family, FAMILY_COUNT)                                                                    \
	X(mechanism, MECHANISM_COUNT)                                                              \
	X(endpoint_state, ENDPOINT_STATE_COUNT)                                                    \
	X(part, PART_COUNT)                                                                        \
	X(level, LEVEL_COUNT)                                                                      \
	X(trouble, TROUBLE_COUNT)                                                                  \
	X(next_reason, NEXT_REASON_COUNT)                                                          \
	X(row_kind, ROW_KIND_COUNT)                                                                \
	X(provider_username, PROVIDER_USERNAME_COUNT)                                              \
	X(provider_access, PROVIDER_ACCESS_COUNT)                                                  \
	X(app_password, APP_PASSWORD_COUNT)
LISTS(LIST)

#define ROW(type, values) { #type, values, type##_word, type##_find },
static const struct {
	const char *name;
	unsigned count;
	const char *(*word)(unsigned value);
	enum err (*find)(struct bytes word, unsigned *out);
} lists[] = { LISTS(ROW) };

static void
test_words_lead_back_to_their_values(void **state)
{
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		unit_row(lists[i].name);
		for (unsigned value = 0; value < lists[i].count; value++) {
			unsigned found = UINT32_MAX;

			assert_ok(lists[i].find(bytes_of(lists[i].word(value)), &found));
			assert_int_equal(found, value); /* so no word stands twice */
		}
	}
}

static void
test_words_know_nothing_outside_the_list(void **state)
{
	static const struct {
		const char *name;
		struct bytes word;
	} rows[] = {
		{ "empty", { "", 0 } },
		{ "none at all", { NULL, 0 } },
		{ "what stands for the unknown", { "?", 1 } },
		{ "other case", { "TLS", 3 } },
		{ "a beginning", { "o", 1 } },
		{ "NUL behind", { "ok\0", 3 } },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		for (size_t list = 0; list < COUNT_OF(lists); list++) {
			unsigned value = 1;

			assert_err_equal(lists[list].find(rows[i].word, &value), ERR_NOT_FOUND);
			assert_int_equal(value, 1); /* as it was */
		}
	}
	for (size_t list = 0; list < COUNT_OF(lists); list++)
		assert_string_equal(lists[list].word(lists[list].count), "?");
}

static void
test_words_give_ports_by_security(void **state)
{
	static const struct {
		const char *name;
		enum side side;
		enum security security;
		uint16_t port;
	} rows[] = {
		{ "smtp tls", SIDE_SMTP, SECURITY_TLS, 465 },
		{ "smtp starttls", SIDE_SMTP, SECURITY_STARTTLS, 587 },
		{ "smtp none", SIDE_SMTP, SECURITY_NONE, 587 },
		{ "imap tls", SIDE_IMAP, SECURITY_TLS, 993 },
		{ "imap starttls", SIDE_IMAP, SECURITY_STARTTLS, 143 },
		{ "imap none", SIDE_IMAP, SECURITY_NONE, 143 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		assert_int_equal(port_of_security(rows[i].side, rows[i].security), rows[i].port);
	}
}

static void
test_words_give_security_by_port(void **state)
{
	static const struct {
		const char *name;
		uint16_t port;
		enum security security;
	} rows[] = {
		{ "submissions", 465, SECURITY_TLS },
		{ "imaps", 993, SECURITY_TLS },
		{ "submission", 587, SECURITY_STARTTLS },
		{ "imap", 143, SECURITY_STARTTLS },
		{ "smtp", 25, SECURITY_STARTTLS },
		{ "the other submission", 2525, SECURITY_STARTTLS },
		{ "any other", 4465, SECURITY_TLS },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		assert_int_equal(security_of_port(rows[i].port), rows[i].security);
	}
}

static void
test_words_give_priorities_of_syslog(void **state)
{
	static const struct {
		const char *name;
		enum level level;
		int priority;
	} rows[] = {
		{ "crit", LEVEL_CRITICAL, 2 },
		{ "err", LEVEL_ERROR, 3 },
		{ "warning", LEVEL_WARNING, 4 },
		{ "notice", LEVEL_NOTICE, 5 },
		{ "info", LEVEL_INFO, 6 },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		assert_int_equal(level_priority(rows[i].level), rows[i].priority);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_words_lead_back_to_their_values),
	cmocka_unit_test(test_words_know_nothing_outside_the_list),
	cmocka_unit_test(test_words_give_ports_by_security),
	cmocka_unit_test(test_words_give_security_by_port),
	cmocka_unit_test(test_words_give_priorities_of_syslog),
};
UNIT_MAIN(tests)
