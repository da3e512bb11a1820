/*
 * parse.h: groups of a settings file, judged by the table of all settings (settings.def). Layer:
 * config.
 */
#ifndef CONFIG_PARSE_H
#define CONFIG_PARSE_H

#include <libconfig.h>

#include "base/bytes.h"

/* Where a setting may stand. */
enum scope_mark {
	IN_ROOT = 1,
	IN_DAEMON = 2,
	IN_DEFAULTS = 4,
	IN_SERVERS = 8,
	IN_MAILBOX = 16,
	IN_SMTP = 32,
	IN_IMAP = 64,
	IN_LIMITS = 128,
	IN_ALERTS = 256,
	IN_RULE = 512,
	IN_PROVIDER = 1024,
	IN_ENDPOINT = IN_SMTP | IN_IMAP,
	IN_SCOPED = IN_DEFAULTS | IN_SERVERS | IN_MAILBOX | IN_ENDPOINT,
};

enum kind {
	KIND_GROUP,
	KIND_LIST, /* of groups */
	KIND_BOOL,
	KIND_INT,
	KIND_DURATION,
	KIND_WORD,
	KIND_TEXT,
	KIND_FOLDER,
	KIND_PATH,
	KIND_SOCKET_PATH,
	KIND_GROUP_NAME,
	KIND_HOST,
	KIND_SOURCE, /* an address of this host, or "none" */
	KIND_PROXY,  /* a URL, or "none" */
	KIND_HELO,
	KIND_RESOLVERS,
	KIND_NAME,
	KIND_ADDRESS,
	KIND_SECRET,
	KIND_ARGV,
	KIND_CREDENTIAL,
	KIND_PIN,
	KIND_LABELS,
	KIND_COUNTS,	/* "2/1h" */
	KIND_DURATIONS, /* rising */
	KIND_STEPS,	/* durations, or none */
	KIND_PATTERN,	/* codes or words of a rule */
	KIND_REPLY,	/* a server's, of one line or more */
	KIND_PREFIXES,	/* of addresses, or words for several */
	KIND_PROVIDER,	/* a name of the table of providers, the administrator's among them */
	KIND_WORDS,	/* names, with blanks between, or in a list */
	KIND_SERVERS,	/* a provider's: host:port/security, likewise */
	KIND_ANY,	/* of a later issue */
	KIND_COUNT
};

#define SETTING(id, name, scopes, kind, fallback, range, state, sentence) SETTING_##id,
enum setting {
#include "config/settings.def"
	SETTING_COUNT
};
#undef SETTING

struct setting_row {
	const char *name;
	unsigned scopes;
	enum kind kind;
	const char *fallback;
	const char *range;
	bool is_built;
	const char *sentence;
};

extern const struct setting_row setting_rows[SETTING_COUNT];

/* What one setting was given; borrowed from its file. */
struct slot {
	const config_setting_t *at; /* NULL: not set (or faulty) */
	int64_t number;	  /* INT; BOOL; DURATION: microseconds; WORD: its index in the range */
	const char *text; /* all kinds that are a string */
	/* password, password_file: what the review may know of it (diagnose/review.h) */
	uint64_t secret_hash; /* to tell one from another; 0: not known */
	bool is_secret_grouped;
	bool is_secret_open;
	unsigned secret_forms; /* a bit for each that it has; 0: not known */
};

/* What one group says, or several files' groups of one name. */
struct scope {
	struct slot slots[SETTING_COUNT];
	/* Where labels were given, by file. */
	const config_setting_t *labels[8];
	size_t labels_count;
};

struct load;

/*
 * Every member of group against the table: what is sound goes into scope, all else is told.
 *   where   IN_… of the group
 *   prefix  "mailboxes.support.imap"; "" for the root
 * A slot that was set by an earlier file is overridden, and that is told as a warning.
 */
void parse_group(struct load *load, const config_setting_t *group, enum scope_mark where,
	const char *prefix, struct scope *scope);

/* One value by its row (values.c). False: it was told what is wrong. */
bool value_check(struct load *load, enum setting setting, const config_setting_t *at,
	const char *path, struct slot *out);
/* "2/1h". ERR_SYNTAX, ERR_RANGE */
CHECKED enum err count_parse(struct bytes text, unsigned *count, int64_t *window_us);
/* A duration that values.c has judged, in microseconds: a text, or seconds. */
int64_t duration_value(const config_setting_t *at);
/* The index of word among "a|b|c" (up to ';'), or -1. */
int range_index(const char *range, struct bytes word);

#endif
