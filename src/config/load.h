/*
 * load.h: one load of the settings, while it is under way. Layer: config; private to the room.
 */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config/complaint.h"
#include "config/files.h"
#include "config/scope.h"

/* What one entry of `servers` says. */
struct server_scope {
	char *host;
	struct scope scope;
};

struct load {
	struct complaints *complaints;
	const struct settings_paths *paths;
	struct source *
		*sources; /* in the order in which they are read; all live to the end of the load */
	size_t source_count;
	size_t bytes; /* of all texts */
	struct scope root;
	struct scope daemon;
	struct scope defaults;
	struct scope limits;
	struct scope alerts;
	struct server_scope **servers; /* sorted by host once all are read */
	size_t server_count;
	struct settings *settings;
	bool is_of_object;		     /* settings_of_object(): no file is looked at */
	const struct sealed_mailbox *sealed; /* whose settings the object is; NULL: nobody's */
	bool is_out_of_memory;
};

/* at: where; NULL: no place is known. path: the setting's, or NULL. "what is wrong; what would be
 * right" */
void load_fault(struct load *load, const config_setting_t *at, const char *path, const char *format,
	...) PRINTF_LIKE(4, 5);
void load_warning(struct load *load, const config_setting_t *at, const char *path,
	const char *format, ...) PRINTF_LIKE(4, 5);
struct place load_place(const config_setting_t *at);
/* strdup() that notes where the allocator said no; NULL for NULL. */
char *load_copy(struct load *load, const char *text);

/* files.c: reads all files into load->sources; what cannot be read or parsed is told. */
void load_files(struct load *load);
void load_files_end(struct load *load);
const char *load_main_file(const struct load *load);
/* mailboxes.c: the entries of one file's lists. */
void load_servers(struct load *load, const config_setting_t *list);
void load_mailboxes(struct load *load, const config_setting_t *list);
/* rules.c: the entries of one file's list. */
void load_rules(struct load *load, const config_setting_t *list);
/* providers.c: likewise; and when all are there, before what names one. */
void load_providers(struct load *load, const config_setting_t *list);
void load_providers_end(struct load *load);
/* The row that a setting names, told as a fault where there is none. */
const struct provider *load_provider(
	struct load *load, const config_setting_t *at, const char *path, const char *name);
/* What of a provider's side fits what was set nearer: of its servers the first of that host (NULL:
 * any), port (0), and security (where has_security). False: none. */
bool provider_choose(const struct provider *provider, enum side side, const char *host,
	uint16_t port, const enum security *security, struct provider_server *out);
/* server_limits.c: settings->servers, once all mailboxes are read. */
void load_server_limits(struct load *load);
/* NULL: none. */
const struct scope *load_server_scope(const struct load *load, const char *host);
/* Sorts and finds doubles, once all files are read. */
void load_servers_end(struct load *load);
void load_mailboxes_end(struct load *load);
/* plan.c: warns of servers that limits keep from being probed as often as is set. ERR_MEMORY */
CHECKED enum err plan_review(const struct settings *settings, struct complaints *complaints);
/* settings.c */
void load_done(struct load *load);
void mailbox_settings_done(struct mailbox_settings *mailbox);
/* An object's mailbox, into settings->mailboxes; paths are "smtp.host", and it needs no name. */
void load_mailbox_of_object(struct load *load, const config_setting_t *at);
/* object.c: defaults and servers, kept for settings_of_object(). */
void load_keep_scopes(struct load *load);
void scopes_kept_free(struct scopes_kept *kept);
/* A load of objects: the scopes around them, from settings; what is made goes to made. NULL: no
 * memory. For load_end_objects(). */
struct load *load_begin_objects(
	const struct settings *settings, struct settings *made, struct complaints *complaints);
void load_object(struct load *load, const json_t *object);
void load_end_objects(struct load *load);
/* files.c: an empty text that settings may be added to; lines are all 0. NULL: no memory */
struct source *source_new(const char *name);
void source_free(struct source *source);
/* warnings.c: what is sound by itself and may be a mistake. */
void warn_of_setting(struct load *load, enum setting setting, struct slot *slot, const char *path);
void warn_of_session(struct load *load, const struct watch_rules *rules, const config_setting_t *at,
	const struct scopes *scopes, const char *path);

#endif
