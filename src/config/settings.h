/*
 * settings.h: the settings files -> plain structs of facts and watch. Layer: config.
 *
 * settings_load() reads everything (contract 3: the main file, conf.d, rules.d; each by itself so
 * that one bad file does not hide the others' faults), judges it whole, and gives either settings
 * or all faults. It may take seconds for 100,000 mailboxes: the daemon calls it on a helper thread.
 * It touches nothing but the files named.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <jansson.h>

#include "base/log.h"
#include "diagnose/review.h"
#include "facts/endpoint.h"
#include "facts/event.h"
#include "facts/sealed_mailbox.h"
#include "watch/watch.h"

struct settings_paths {
	const char *file;     /* NULL: SYSCONFDIR/mboxwatch/mboxwatch.conf */
	const char *conf_dir; /* NULL: none; where file is NULL: SYSCONFDIR/mboxwatch/conf.d. The
				 folder rules.d beside it goes with it */
};

/* A fault, or a warning, with its place: "FILE:LINE: what is wrong; what would be right". */
struct complaint {
	bool is_warning;
	char *file;
	int line;      /* 0: the whole file */
	char *setting; /* "mailboxes.support.imap.port"; NULL: none */
	char *text;    /* "what is wrong; what would be right" */
};

struct complaints {
	struct complaint *items;
	size_t count;
	size_t faults;	    /* of these */
	bool is_incomplete; /* out of memory while noting */
};

void complaints_done(struct complaints *complaints);
/* "FILE:LINE: [warning: ]text" */
void complaint_put(struct buf *out, const struct complaint *complaint);

struct mailbox_settings {
	char *name;    /* NULL: of no file */
	char *address; /* may be NULL */
	bool is_enabled;
	struct labels labels;
	struct endpoint *sides[SIDE_COUNT]; /* NULL: no such side */
	struct watch_rules rules[SIDE_COUNT];
	char *sites[SIDE_COUNT];
	char *accounts[SIDE_COUNT]; /* account_key(), NULL: no login */
	size_t account_lens[SIDE_COUNT];
	bool is_secret_grouped[SIDE_COUNT]; /* as of diagnose/review.h, when they were loaded */
	bool is_secret_open[SIDE_COUNT];
	unsigned secret_forms[SIDE_COUNT];
	bool are_secrets_other;
	bool is_provider_named;
	int64_t asked_us[SIDE_COUNT]; /* the interval that was set; rules have the least at least */
	char *file;		      /* where it stands, for faults and 409 */
	int line;
	bool is_of_socket; /* it stands in no file: settings_join(), settings_put() */
};

enum sink_switch {
	SINK_AUTO, /* journal: where there is one; syslog: where there is no journal */
	SINK_ON,
	SINK_OFF,
	SINK_SWITCH_COUNT
};

struct settings {
	unsigned threads;
	char *socket;	      /* NULL: not set (then $RUNTIME_DIRECTORY/status.sock, else
				 RUNSTATEDIR/mboxwatch/status.sock) */
	char *socket_group;   /* NULL: mboxwatch-status where it exists */
	char *admin_group;    /* NULL: none */
	char *state_dir;      /* NULL: not set */
	char *helo_name;      /* NULL: this host's full name, else its address as a literal */
	char *resolvers;      /* "a:53,b:53"; NULL: the system's */
	struct prefixes deny; /* for settings from the socket */
	char *state_key_file; /* NULL: none */
	enum log_level log_level;
	enum sink_switch journal;
	enum sink_switch syslog;
	int syslog_facility; /* syslog's number; mail is 2 */
	struct mailbox_settings *mailboxes;
	size_t mailbox_count;
	struct watch_limits limits;
	struct watch_server *servers; /* hosts owned; sorted by them */
	size_t server_count;
	struct reply_rules *rules;   /* of rules.d; NULL: none */
	struct providers *providers; /* the table's, and the administrator's before them */
	struct scopes_kept *kept;    /* what settings of elsewhere still need of the files */
	wall_t loaded;
};

/*
 * ERR_OK: *out is the caller's (settings_free), warnings in complaints. ERR_INVALID: at least one
 * fault, *out untouched. ERR_MEMORY.
 */
CHECKED enum err settings_load(
	const struct settings_paths *paths, struct settings **out, struct complaints *complaints);
void settings_free(struct settings *settings);
/*
 * The settings of one mailbox that come from elsewhere than a file: a JSON object {address, smtp:
 * {…}, imap: {…}}, judged as a file's are, `defaults` and `servers` of settings as their outer
 * scopes and bound by daemon.deny_addresses. Literal secrets alone: nothing that reads a file, runs
 * a program or chooses the way (H5-16).
 *   complaints  each with its setting as the object has it ("smtp.host"), without file
 * ERR_OK: *out is the caller's (mailbox_settings_free()). ERR_INVALID: faults. ERR_MEMORY
 */
CHECKED enum err settings_of_object(const struct settings *settings, const json_t *object,
	struct mailbox_settings **out, struct complaints *complaints);
void mailbox_settings_free(struct mailbox_settings *mailbox);

/* ---- mailboxes set over the socket (sealed.c) */

/* As settings_of_object(), of a mailbox that will be kept: a host that is an address which
 * daemon.deny_addresses holds is a fault too (H5-16). */
CHECKED enum err settings_judge_put(
	const struct settings *settings, const json_t *object, struct complaints *complaints);
/* Takes the passwords out of such an object, which is judged. NULL: no memory. The caller's. */
struct sealed_mailbox *settings_take_put(struct bytes name, json_t *object);
/* Seals what is opened. ERR_INVALID: no such key as it should be, why has the words; ERR_MEMORY */
CHECKED enum err settings_seal(
	struct sealed_mailbox *mailbox, const char *key_file, struct fault *why);
/* Into settings that were just loaded, which only the caller knows. One whose name stands in a file
 * is left out, and so is one that does not go with these settings: each a warning. ERR_MEMORY:
 * settings are as they were */
CHECKED enum err settings_join(struct settings *settings, struct sealed_mailbox *const *mailboxes,
	size_t count, struct complaints *complaints);
/* One more, or another one of its name; *before is what stood there, NULL for none, the caller's.
 * ERR_CONFLICT: the name stands in a file. ERR_INVALID: complaints. Pointers into
 * settings->mailboxes are void afterwards. */
CHECKED enum err settings_put(struct settings *settings, const struct sealed_mailbox *mailbox,
	struct mailbox_settings **before, struct complaints *complaints);
/* Out again, where one of the socket has this name. */
void settings_drop(struct settings *settings, struct bytes name);

/* The other way: such an object, secrets revealed, so wipe out; what an object may not say
 * (ca_file, proxy, source_address) is left out, and *is_less set. Secrets must be values. */
void settings_put_object(struct buf *out, const struct mailbox_settings *mailbox, bool *is_less);
/* NULL where there is none. */
const struct mailbox_settings *settings_find(const struct settings *settings, struct bytes name);

/* Fills what diagnose/review.h looks at, borrowing from mailbox; intervals are as set, not
 * stretched. */
void settings_for_review(const struct mailbox_settings *mailbox, struct review_mailbox *out);

/*
 * What watch takes, borrowing from settings (free mailboxes with free()). before: the settings in
 * force, NULL at start; is_changed is set where a probe would be another. ERR_MEMORY
 */
CHECKED enum err settings_for_watch(const struct settings *settings, const struct settings *before,
	struct watch_mailbox **mailboxes, struct watch_settings *out);

/* The same of one mailbox; before: what it was, NULL: new. out->mailboxes is mailbox. */
void settings_for_watch_one(const struct settings *settings, const struct mailbox_settings *one,
	const struct mailbox_settings *before, struct watch_mailbox *mailbox,
	struct watch_settings *out);

/* The plan of -t (contract 2): logins a day and side per mailbox, probes per minute by server,
 * intervals that result, memory. At most 40 servers and 40 mailboxes are listed, the rest summed.
 */
void settings_put_plan(struct buf *out, const struct settings *settings);

#endif
