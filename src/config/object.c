/*
 * object.c: the settings of one mailbox as a JSON object. Layer: config.
 *
 * The object is made a tree of libconfig's and judged by the very code that judges files. What its
 * outer scopes (defaults, servers) say is kept as such a tree too, since the files' own are freed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/escape.h"
#include "config/load.h"

#define MOST_DEPTH 4 /* the object, a side, labels or a list */

struct scopes_kept {
	struct source *source; /* of what is in defaults and servers */
};

/* ---- what is kept of the files */

static bool copy_members(config_setting_t *to, const config_setting_t *from);

static bool
copy_one(config_setting_t *to, const config_setting_t *from, const char *name)
{
	int type = config_setting_type(from);
	config_setting_t *made = config_setting_add(to, name, type);

	if (!made)
		return false;
	config_setting_set_format(made, config_setting_get_format(from));
	switch (type) {
	case CONFIG_TYPE_INT:
		return config_setting_set_int(made, config_setting_get_int(from));
	case CONFIG_TYPE_INT64:
		return config_setting_set_int64(made, config_setting_get_int64(from));
	case CONFIG_TYPE_FLOAT:
		return config_setting_set_float(made, config_setting_get_float(from));
	case CONFIG_TYPE_BOOL:
		return config_setting_set_bool(made, config_setting_get_bool(from));
	case CONFIG_TYPE_STRING:
		return config_setting_set_string(made, config_setting_get_string(from));
	default:
		return copy_members(made, from);
	}
}

static bool
copy_members(config_setting_t *to, const config_setting_t *from)
{
	for (int i = 0; i < config_setting_length(from); i++) {
		const config_setting_t *member = config_setting_get_elem(from, (unsigned)i);

		if (!copy_one(to, member, config_setting_name(member)))
			return false;
	}
	return true;
}

static bool
copy_scope(config_setting_t *to, const struct scope *scope)
{
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		const config_setting_t *at = scope->slots[i].at;

		if (at && i != SETTING_LABELS && !copy_one(to, at, setting_rows[i].name))
			return false;
	}
	return true;
}

/* Joined: one name may stand in several files, the last one counts. */
static bool
copy_labels(config_setting_t *to, const struct scope *scope)
{
	config_setting_t *labels =
		config_setting_add(to, setting_rows[SETTING_LABELS].name, CONFIG_TYPE_GROUP);

	if (!labels)
		return false;
	for (size_t i = 0; i < scope->labels_count; i++) {
		for (int k = 0; k < config_setting_length(scope->labels[i]); k++) {
			const config_setting_t *label =
				config_setting_get_elem(scope->labels[i], (unsigned)k);

			(void)config_setting_remove(labels, config_setting_name(label));
			if (!copy_one(labels, label, config_setting_name(label)))
				return false;
		}
	}
	return true;
}

void
load_keep_scopes(struct load *load)
{
	struct scopes_kept *kept = calloc(1, sizeof(*kept));
	config_setting_t *root, *defaults, *servers;
	bool is_done;

	load->settings->kept = kept;
	if (!kept || !(kept->source = source_new("the settings"))) {
		load->is_out_of_memory = true;
		return;
	}
	root = config_root_setting(&kept->source->config);
	defaults = config_setting_add(root, setting_rows[SETTING_DEFAULTS].name, CONFIG_TYPE_GROUP);
	servers = config_setting_add(root, setting_rows[SETTING_SERVERS].name, CONFIG_TYPE_LIST);
	is_done = defaults && servers && copy_scope(defaults, &load->defaults) &&
		  copy_labels(defaults, &load->defaults);
	for (size_t i = 0; i < load->server_count && is_done; i++) {
		config_setting_t *server = config_setting_add(servers, NULL, CONFIG_TYPE_GROUP);

		is_done = server && copy_scope(server, &load->servers[i]->scope);
	}
	if (!is_done)
		load->is_out_of_memory = true;
}

void
scopes_kept_free(struct scopes_kept *kept)
{
	if (!kept)
		return;
	source_free(kept->source);
	free(kept);
}

/* ---- the object */

/* What a stranger's settings may not say, and why. */
static const struct {
	enum setting setting;
	const char *words;
} refused[] = {
	{ SETTING_PASSWORD_FILE, "no file is read for these settings; write password" },
	{ SETTING_PASSWORD_COMMAND, "no program is run for these settings; write password" },
	{ SETTING_PASSWORD_CREDENTIAL, "no credential is read for these settings; write password" },
	{ SETTING_CA_FILE, "no file is read for these settings; the daemon's defaults name it" },
	{ SETTING_PROXY, "the way is not chosen by these settings; the daemon's defaults name it" },
	{ SETTING_SOURCE_ADDRESS,
		"the way is not chosen by these settings; the daemon's defaults name it" },
};

struct adding {
	struct load *load;
	char path[256]; /* of the group that is added to; "" for the object */
	int depth;
};

static const char *
refusal_of(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		if (strcmp(setting_rows[refused[i].setting].name, name) == 0)
			return refused[i].words;
	}
	return NULL;
}

static void add_members(const struct adding *adding, config_setting_t *to, const json_t *object);

static bool
set_value(config_setting_t *at, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return config_setting_set_string(at, json_string_value(value));
	case JSON_INTEGER:
		return config_setting_set_int64(at, json_integer_value(value));
	case JSON_REAL:
		return config_setting_set_float(at, json_real_value(value));
	case JSON_TRUE:
	case JSON_FALSE:
		return config_setting_set_bool(at, json_is_true(value));
	default:
		return true;
	}
}

static void
add_one(const struct adding *adding, config_setting_t *to, const char *name, const json_t *value)
{
	static const int types[] = {
		[JSON_OBJECT] = CONFIG_TYPE_GROUP,
		[JSON_ARRAY] = CONFIG_TYPE_LIST,
		[JSON_STRING] = CONFIG_TYPE_STRING,
		[JSON_INTEGER] = CONFIG_TYPE_INT64,
		[JSON_REAL] = CONFIG_TYPE_FLOAT,
		[JSON_TRUE] = CONFIG_TYPE_BOOL,
		[JSON_FALSE] = CONFIG_TYPE_BOOL,
	};
	struct adding inner = { .load = adding->load, .depth = adding->depth + 1 };
	config_setting_t *made;
	const json_t *item;
	size_t i;

	snprintf(inner.path, sizeof(inner.path), "%.180s%s%.64s", adding->path,
		adding->path[0] && name ? "." : "", name ? name : "");
	if (name && refusal_of(name)) {
		load_fault(adding->load, NULL, inner.path, "%s: %s", inner.path, refusal_of(name));
		return;
	}
	if (json_is_null(value))
		return; /* as not given */
	made = inner.depth > MOST_DEPTH ? NULL
					: config_setting_add(to, name, types[json_typeof(value)]);
	if (!made || !set_value(made, value)) {
		load_fault(adding->load, NULL, inner.path, "%s: no such setting", inner.path);
		return;
	}
	if (json_is_object(value))
		add_members(&inner, made, value);
	json_array_foreach(value, i, item) add_one(&inner, made, NULL, item);
}

static void
add_members(const struct adding *adding, config_setting_t *to, const json_t *object)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
		add_one(adding, to, name, value);
}

/* "smtp.host: what is wrong" -> "what is wrong": the setting stands beside it. */
static void
strip_places(struct complaints *complaints)
{
	for (size_t i = 0; i < complaints->count; i++) {
		struct complaint *complaint = &complaints->items[i];
		size_t len = complaint->setting ? strlen(complaint->setting) : 0;

		free(complaint->file);
		complaint->file = NULL;
		complaint->line = 0;
		if (len > 0 && strncmp(complaint->text, complaint->setting, len) == 0 &&
			strncmp(complaint->text + len, ": ", 2) == 0)
			memmove(complaint->text, complaint->text + len + 2,
				strlen(complaint->text + len + 2) + 1);
	}
}

/* The scopes around it; they were judged when the files were loaded. */
static void
parse_kept(struct load *load, const struct scopes_kept *kept)
{
	const config_setting_t *root = config_root_setting(&kept->source->config);
	struct complaints *told = load->complaints, known = { 0 };

	load->complaints = &known;
	parse_group(load, config_setting_get_member(root, setting_rows[SETTING_DEFAULTS].name),
		IN_DEFAULTS, setting_rows[SETTING_DEFAULTS].name, &load->defaults);
	load_servers(load, config_setting_get_member(root, setting_rows[SETTING_SERVERS].name));
	load_servers_end(load);
	load->is_out_of_memory |= known.is_incomplete;
	complaints_done(&known);
	load->complaints = told;
}

void
load_object(struct load *load, const json_t *object)
{
	const struct adding adding = { .load = load };
	struct source *source = source_new("the request");
	config_setting_t *root = source ? config_root_setting(&source->config) : NULL;

	if (!source) {
		load->is_out_of_memory = true;
		return;
	}
	add_members(&adding, root, object);
	load_mailbox_of_object(load, root);
	source_free(source);
	strip_places(load->complaints);
}

struct load *
load_begin_objects(
	const struct settings *settings, struct settings *made, struct complaints *complaints)
{
	static const struct settings_paths no_paths = { 0 };
	struct load *load = calloc(1, sizeof(*load));

	if (!load)
		return NULL;
	*made = (struct settings){ .deny = settings->deny,
		.rules = settings->rules,
		.providers = settings->providers,
		.state_key_file = settings->state_key_file };
	load->complaints = complaints;
	load->paths = &no_paths;
	load->settings = made;
	load->is_of_object = true;
	parse_kept(load, settings->kept);
	return load;
}

void
load_end_objects(struct load *load)
{
	load_done(load);
	free(load);
}

enum err
settings_of_object(const struct settings *settings, const json_t *object,
	struct mailbox_settings **out, struct complaints *complaints)
{
	struct settings made;
	struct load *load = load_begin_objects(settings, &made, complaints);
	enum err err = ERR_MEMORY;

	if (!load)
		return ERR_MEMORY;
	if (!load->is_out_of_memory)
		load_object(load, object);
	if (!load->is_out_of_memory && !complaints->is_incomplete)
		err = complaints->faults > 0 ? ERR_INVALID : ERR_OK;
	load_end_objects(load);
	if (err == ERR_OK) {
		*out = made.mailboxes;
		return ERR_OK;
	}
	if (made.mailbox_count > 0)
		mailbox_settings_free(made.mailboxes);
	return err;
}

void
mailbox_settings_free(struct mailbox_settings *mailbox)
{
	if (!mailbox)
		return;
	mailbox_settings_done(mailbox);
	free(mailbox);
}

/* ---- the other way */

static void
put_member(struct buf *out, const char *name, const char *value)
{
	buf_put_format(out, ",\"%s\":", name);
	json_put_text(out, bytes_of(value));
}

static void
put_duration(struct buf *out, const char *name, int64_t us)
{
	struct buf text = { 0 };

	duration_put(&text, us);
	put_member(out, name, text.at);
	buf_done(&text);
}

static void
put_secret(struct buf *out, const struct secret *secret)
{
	buf_put_string(out, ",\"password\":");
	json_put_text(out, secret_reveal(secret));
}

static void
put_side(struct buf *out, const struct endpoint *endpoint)
{
	static const char *const tls_words[TLS_VERSION_COUNT] = { "1.0", "1.1", "1.2", "1.3" };

	buf_put_string(out, "{\"host\":");
	json_put_text(out, bytes_of(endpoint->host));
	buf_put_format(out, ",\"port\":%u", endpoint->port);
	put_member(out, "security", security_name(endpoint->security));
	if (endpoint->username)
		put_member(out, "username", endpoint->username);
	if (endpoint->secret.kind == SECRET_VALUE)
		put_secret(out, endpoint->secret.value);
	put_member(out, "auth", mechanism_name(endpoint->mechanism));
	buf_put_format(out, ",\"insecure_auth\":%s", endpoint->insecure_auth ? "true" : "false");
	put_member(out, "family", family_name(endpoint->family));
	put_member(out, "tls_name", endpoint->tls_name);
	put_member(out, "tls_min", tls_words[endpoint->tls_min]);
	if (endpoint->has_key_sha256) {
		buf_put_string(out, ",\"cert_sha256\":\"");
		buf_put_hex(out, (struct bytes){ (const char *)endpoint->key_sha256,
					 sizeof(endpoint->key_sha256) });
		buf_put_byte(out, '"');
	}
	if (endpoint->side == SIDE_IMAP) {
		put_member(out, "mailbox", endpoint->folder);
		put_member(out, "select", endpoint->is_select ? "select" : "examine");
	}
	put_duration(out, "timeout", endpoint->timeout_us);
	put_duration(out, "stage_timeout", endpoint->stage_timeout_us);
	buf_put_byte(out, '}');
}

void
settings_put_object(struct buf *out, const struct mailbox_settings *mailbox, bool *is_less)
{
	const char *between = "";

	*is_less = false;
	buf_put_byte(out, '{');
	if (mailbox->address) {
		buf_put_string(out, "\"address\":");
		json_put_text(out, bytes_of(mailbox->address));
		between = ",";
	}
	for (size_t side = 0; side < SIDE_COUNT; side++) {
		const struct endpoint *endpoint = mailbox->sides[side];

		if (!endpoint)
			continue;
		buf_put_format(out, "%s\"%s\":", between, side_name((enum side)side));
		put_side(out, endpoint);
		*is_less |= endpoint->ca_file || endpoint->source_address ||
			    endpoint->proxy.kind != PROXY_NONE;
		between = ",";
	}
	buf_put_byte(out, '}');
}
