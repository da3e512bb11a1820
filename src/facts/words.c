/*
 * words.c: the closed lists -> their words, and back. Layer: facts.
 */
#include "facts/words.h"
#include "facts/provider.h"
#include "facts/row.h"

#include <assert.h>

#define X(name, word) word,
static const char *const stage_words[] = { STAGES(X) };
static const char *const side_words[] = { SIDES(X) };
static const char *const security_words[] = { SECURITIES(X) };
static const char *const family_words[] = { FAMILIES(X) };
static const char *const mechanism_words[] = { MECHANISMS(X) };
static const char *const endpoint_state_words[] = { ENDPOINT_STATES(X) };
static const char *const part_words[] = { PARTS(X) };
static const char *const level_words[] = { LEVELS(X) };
static const char *const trouble_words[] = { TROUBLES(X) };
static const char *const next_reason_words[] = { NEXT_REASONS(X) };
static const char *const row_kind_words[] = { ROW_KINDS(X) };
static const char *const provider_username_words[] = { PROVIDER_USERNAMES(X) };
static const char *const provider_access_words[] = { PROVIDER_ACCESSES(X) };
static const char *const app_password_words[] = { APP_PASSWORDS(X) };
#undef X

static const char *
word_at(const char *const *words, size_t count, unsigned value)
{
	return value < count ? words[value] : "?";
}

static enum err
word_find(const char *const *words, size_t count, struct bytes name, unsigned *out)
{
	for (unsigned i = 0; i < count; i++) {
		if (bytes_equal(name, bytes_of(words[i]))) {
			*out = i;
			return ERR_OK;
		}
	}
	return ERR_NOT_FOUND;
}

/* The two functions of WORDS_DECLARE(type) out of type_words. */
#define WORDS_DEFINE(type, values)                                                                 \
	static_assert(COUNT_OF(type##_words) == (values), "a word for each " #type);               \
	const char *type##_name(enum type value)                                                   \
	{                                                                                          \
		return word_at(type##_words, COUNT_OF(type##_words), (unsigned)value);             \
	}                                                                                          \
	enum err type##_from_name(struct bytes name, enum type *out)                               \
	{                                                                                          \
		unsigned value;                                                                    \
		enum err err = word_find(type##_words, COUNT_OF(type##_words), name, &value);      \
                                                                                                   \
		if (err == ERR_OK)                                                                 \
			*out = (enum type)value;                                                   \
		return err;                                                                        \
	}

WORDS_DEFINE(stage, STAGE_COUNT)
WORDS_DEFINE(side, SIDE_COUNT)
WORDS_DEFINE(security, SECURITY_COUNT)
WORDS_DEFINE(family, FAMILY_COUNT)
WORDS_DEFINE(mechanism, MECHANISM_COUNT)
WORDS_DEFINE(endpoint_state, ENDPOINT_STATE_COUNT)
WORDS_DEFINE(part, PART_COUNT)
WORDS_DEFINE(level, LEVEL_COUNT)
WORDS_DEFINE(trouble, TROUBLE_COUNT)
WORDS_DEFINE(next_reason, NEXT_REASON_COUNT)
WORDS_DEFINE(row_kind, ROW_KIND_COUNT)
WORDS_DEFINE(provider_username, PROVIDER_USERNAME_COUNT)
WORDS_DEFINE(provider_access, PROVIDER_ACCESS_COUNT)
WORDS_DEFINE(app_password, APP_PASSWORD_COUNT)

uint16_t
port_of_security(enum side side, enum security security)
{
	if (side == SIDE_IMAP)
		return security == SECURITY_TLS ? 993 : 143;
	return security == SECURITY_TLS ? 465 : 587;
}

enum security
security_of_port(uint16_t port)
{
	switch (port) {
	case 587:
	case 143:
	case 25:
	case 2525:
		return SECURITY_STARTTLS;
	default:
		return SECURITY_TLS;
	}
}

static_assert(LEVEL_CRITICAL == 0 && LEVEL_ERROR == 1 && LEVEL_WARNING == 2 && LEVEL_NOTICE == 3 &&
		      LEVEL_INFO == 4,
	"the levels stand in syslog's order");

int
level_priority(enum level level)
{
	return 2 + (int)level; /* LOG_CRIT */
}
