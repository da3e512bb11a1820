/*
 * settings.c: one load, from files to settings, and their end. Layer: config.
 */
#include "config/settings.h"

#include <assert.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdlib.h>

#include "config/host.h"
#include "config/load.h"

#define TRIM_FROM_BYTES ((size_t)1024 * 1024)

/* ---- telling */

void
load_fault(struct load *load, const config_setting_t *at, const char *path, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	complaint_note_list(load->complaints, false, load_place(at), path, format, arguments);
	va_end(arguments);
}

void
load_warning(
	struct load *load, const config_setting_t *at, const char *path, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	complaint_note_list(load->complaints, true, load_place(at), path, format, arguments);
	va_end(arguments);
}

char *
load_copy(struct load *load, const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		load->is_out_of_memory = true;
	return copy;
}

/* ---- groups */

static const struct {
	enum setting setting;
	enum scope_mark mark;
	size_t scope; /* of struct load */
} groups[] = {
	{ SETTING_DAEMON, IN_DAEMON, offsetof(struct load, daemon) },
	{ SETTING_DEFAULTS, IN_DEFAULTS, offsetof(struct load, defaults) },
	{ SETTING_LIMITS, IN_LIMITS, offsetof(struct load, limits) },
	{ SETTING_ALERTS, IN_ALERTS, offsetof(struct load, alerts) },
};

/* One file's groups: joined member by member with those of the files before it. */
static void
parse_file(struct load *load, struct source *source, struct scope *root)
{
	parse_group(load, config_root_setting(&source->config), IN_ROOT, "", root);
	for (size_t i = 0; i < COUNT_OF(groups); i++) {
		const config_setting_t *at = root->slots[groups[i].setting].at;

		if (at)
			parse_group(load, at, groups[i].mark, config_setting_name(at),
				(struct scope *)(void *)((char *)load + groups[i].scope));
	}
	if (root->slots[SETTING_SERVERS].at)
		load_servers(load, root->slots[SETTING_SERVERS].at);
	if (root->slots[SETTING_PROVIDERS].at)
		load_providers(load, root->slots[SETTING_PROVIDERS].at);
}

/* What names others comes last: providers of a later file may be named by rules and mailboxes of an
 * earlier one, and its defaults and servers hold for these too. */
static void
parse_files(struct load *load)
{
	const config_setting_t **rules = calloc(load->source_count + 1, sizeof(*rules));
	const config_setting_t **lists = calloc(load->source_count + 1, sizeof(*lists));

	if (!lists || !rules) {
		load->is_out_of_memory = true;
		free(lists);
		free(rules);
		return;
	}
	for (size_t i = 0; i < load->source_count; i++) {
		struct scope root = { 0 };

		if (load->sources[i]->is_parsed)
			parse_file(load, load->sources[i], &root);
		rules[i] = root.slots[SETTING_RULES].at;
		lists[i] = root.slots[SETTING_MAILBOXES].at;
	}
	load_servers_end(load);
	load_providers_end(load);
	for (size_t i = 0; i < load->source_count; i++) {
		if (rules[i])
			load_rules(load, rules[i]);
	}
	for (size_t i = 0; i < load->source_count; i++) {
		if (lists[i])
			load_mailboxes(load, lists[i]);
	}
	load_mailboxes_end(load);
	free(rules);
	free(lists);
}

/* ---- what they come to */

static int64_t
number_of(const struct scope *scope, enum setting setting)
{
	return scopes_number(&(struct scopes){ { scope } }, setting);
}

static char *
text_of(struct load *load, const struct scope *scope, enum setting setting)
{
	return load_copy(load, scope->slots[setting].text);
}

static enum sink_switch
switch_of(const struct slot *slot)
{
	return !slot->at ? SINK_AUTO : slot->number ? SINK_ON : SINK_OFF;
}

/* <syslog.h> would bring its own words; the table's order is this one. */
static int
facility_number(int64_t index)
{
	static const int local0 = 16;
	static const int named = 12;

	return (int)(index < named ? index : local0 + index - named);
}

static char *
join_resolvers(struct load *load, const config_setting_t *at)
{
	struct buf joined = { 0 };
	char *text;

	for (int i = 0; at && i < config_setting_length(at); i++) {
		if (i > 0)
			buf_put_byte(&joined, ',');
		if (resolver_put(&joined, bytes_of(config_setting_get_string_elem(at, i))) ==
			ERR_MEMORY)
			load->is_out_of_memory = true;
	}
	text = at ? buf_take(&joined) : NULL;
	if (at && !text)
		load->is_out_of_memory = true;
	buf_done(&joined);
	return text;
}

/* at: judged by values.c; NULL: the table's default. */
static void
take_deny(struct load *load, const config_setting_t *at, struct prefixes *out)
{
	struct bytes rest = bytes_of(at ? "" : setting_rows[SETTING_DENY_ADDRESSES].fallback);

	for (int i = 0; at && i < config_setting_length(at); i++) {
		if (prefixes_add(out, bytes_of(config_setting_get_string_elem(at, i))) != ERR_OK)
			load->is_out_of_memory = true;
	}
	while (rest.len > 0) {
		struct bytes word = bytes_first(rest, bytes_index(rest, ','));

		rest = bytes_from(rest, word.len + 1);
		if (prefixes_add(out, bytes_trim(word)) != ERR_OK)
			load->is_out_of_memory = true;
	}
}

static void
take_daemon(struct load *load, struct settings *settings)
{
	const struct scope *daemon = &load->daemon, *alerts = &load->alerts;

	settings->threads = (unsigned)number_of(daemon, SETTING_THREADS);
	settings->socket = text_of(load, daemon, SETTING_SOCKET);
	settings->socket_group = text_of(load, daemon, SETTING_SOCKET_GROUP);
	settings->admin_group = text_of(load, daemon, SETTING_ADMIN_GROUP);
	settings->state_dir = text_of(load, daemon, SETTING_STATE_DIR);
	settings->helo_name = text_of(load, daemon, SETTING_HELO_NAME);
	settings->state_key_file = text_of(load, daemon, SETTING_STATE_KEY_FILE);
	settings->resolvers = join_resolvers(load, daemon->slots[SETTING_RESOLVERS].at);
	take_deny(load, daemon->slots[SETTING_DENY_ADDRESSES].at, &settings->deny);
	settings->log_level = (enum log_level)number_of(daemon, SETTING_LOG_LEVEL);
	settings->journal = switch_of(&alerts->slots[SETTING_JOURNAL]);
	settings->syslog = switch_of(&alerts->slots[SETTING_SYSLOG]);
	settings->syslog_facility = facility_number(number_of(alerts, SETTING_SYSLOG_FACILITY));
	if (settings->journal == SINK_ON && settings->syslog == SINK_ON)
		load_warning(load, alerts->slots[SETTING_SYSLOG].at, "alerts.syslog",
			"alerts.syslog: both journal and syslog; where the journal forwards to "
			"syslog each alert is told "
			"twice: write one of them true");
}

static void
take_limits(struct load *load, struct watch_limits *out)
{
	const struct scope *limits = &load->limits;
	const config_setting_t *counts = limits->slots[SETTING_REFUSED_LOGINS].at;
	const config_setting_t *retries = limits->slots[SETTING_BRAKE_RETRY].at;

	*out = (struct watch_limits){
		.in_flight = (unsigned)number_of(limits, SETTING_IN_FLIGHT),
		.connections = (unsigned)number_of(limits, SETTING_CONNECTIONS),
		.logins_per_minute = (unsigned)number_of(limits, SETTING_LOGINS_PER_MINUTE),
		.refused_logins = { { 2, US_PER_H }, { 4, US_PER_D } },
		.refused_logins_count = 2,
		.brake_retry_us = { US_PER_H, 6 * US_PER_H },
		.brake_retry_count = 2,
	};
	for (int i = 0; counts && i < config_setting_length(counts); i++) {
		struct watch_count_rule *rule = &out->refused_logins[i];
		enum err err = count_parse(bytes_of(config_setting_get_string_elem(counts, i)),
			&rule->count, &rule->window_us);

		assert(err == ERR_OK); /* judged by values.c */
		out->refused_logins_count = (size_t)i + 1;
	}
	for (int i = 0; retries && i < config_setting_length(retries); i++) {
		out->brake_retry_us[i] =
			duration_value(config_setting_get_elem(retries, (unsigned)i));
		out->brake_retry_count = (size_t)i + 1;
	}
}

void
load_done(struct load *load)
{
	for (size_t i = 0; i < load->server_count; i++) {
		free(load->servers[i]->host);
		free(load->servers[i]);
	}
	free(load->servers);
	load_files_end(load);
	/* libconfig's tree is ten times the text and would stay with malloc (trials-libs.md 5). */
	if (load->bytes > TRIM_FROM_BYTES)
		malloc_trim(0);
}

enum err
settings_load(
	const struct settings_paths *paths, struct settings **out, struct complaints *complaints)
{
	struct load *load = calloc(1, sizeof(*load));
	struct settings *settings = calloc(1, sizeof(*settings));
	enum err err = ERR_MEMORY;

	if (!load || !settings)
		goto out;
	load->complaints = complaints;
	load->paths = paths;
	load->settings = settings;
	load_files(load);
	if (!load->is_out_of_memory)
		parse_files(load);
	take_daemon(load, settings);
	take_limits(load, &settings->limits);
	if (settings->providers && !load->is_out_of_memory)
		load_server_limits(load);
	if (complaints->faults == 0 && !load->is_out_of_memory &&
		plan_review(settings, complaints) != ERR_OK)
		load->is_out_of_memory = true;
	load_keep_scopes(load);
	settings->loaded = wall_now();
	complaints_sort(complaints, load_main_file(load));
	if (load->is_out_of_memory || complaints->is_incomplete)
		err = ERR_MEMORY;
	else
		err = complaints->faults > 0 ? ERR_INVALID : ERR_OK;
	load_done(load);
	if (err == ERR_OK) {
		*out = settings;
		settings = NULL;
	}
out:
	settings_free(settings);
	free(load);
	return err;
}

void
mailbox_settings_done(struct mailbox_settings *mailbox)
{
	free(mailbox->name);
	free(mailbox->address);
	labels_done(&mailbox->labels);
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		endpoint_free(mailbox->sides[side]);
		free(mailbox->sites[side]);
		free(mailbox->accounts[side]);
	}
	free(mailbox->file);
}

void
settings_free(struct settings *settings)
{
	if (!settings)
		return;
	free(settings->socket);
	free(settings->socket_group);
	free(settings->admin_group);
	free(settings->state_dir);
	free(settings->helo_name);
	free(settings->state_key_file);
	free(settings->resolvers);
	prefixes_done(&settings->deny);
	for (size_t i = 0; i < settings->mailbox_count; i++)
		mailbox_settings_done(&settings->mailboxes[i]);
	free(settings->mailboxes);
	for (size_t i = 0; i < settings->server_count; i++)
		free((char *)settings->servers[i].host);
	free(settings->servers);
	reply_rules_free(settings->rules);
	providers_free(settings->providers);
	scopes_kept_free(settings->kept);
	free(settings);
}

/* Names hold no NUL and stand in the order of strcmp(). */
static int
compare_name(struct bytes name, const char *with)
{
	struct bytes other = bytes_of(with);
	size_t least = name.len < other.len ? name.len : other.len;
	int order = least > 0 ? memcmp(name.at, other.at, least) : 0;

	return order != 0 ? order : (name.len > other.len) - (name.len < other.len);
}

const struct mailbox_settings *
settings_find(const struct settings *settings, struct bytes name)
{
	size_t low = 0, high = settings->mailbox_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_name(name, settings->mailboxes[middle].name);

		if (order == 0)
			return &settings->mailboxes[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}
