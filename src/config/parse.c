/*
 * parse.c: the table of all settings, and groups judged by it. Layer: config.
 */
#include "config/parse.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/load.h"
#include "config/suggest.h"

#define SETTING(id, name, scopes, kind, fallback, range, state, sentence)                          \
	[SETTING_##id] = { name, scopes, KIND_##kind, fallback, range, STATE_##state, sentence },
enum {
	STATE_LATER,
	STATE_BUILT
};
const struct setting_row setting_rows[SETTING_COUNT] = {
#include "config/settings.def"
};
#undef SETTING

/* In words, for "stands in …". */
static const struct {
	unsigned mark;
	const char *words;
} scope_words[] = {
	{ IN_ROOT, "at the top" },
	{ IN_DAEMON, "in daemon" },
	{ IN_DEFAULTS, "in defaults" },
	{ IN_SERVERS, "in servers" },
	{ IN_MAILBOX, "in a mailbox" },
	{ IN_SMTP, "in smtp" },
	{ IN_IMAP, "in imap" },
	{ IN_LIMITS, "in limits" },
	{ IN_ALERTS, "in alerts" },
	{ IN_RULE, "in a rule" },
	{ IN_PROVIDER, "in a provider" },
};

static const char *
scope_name(unsigned mark)
{
	for (size_t i = 0; i < COUNT_OF(scope_words); i++) {
		if (scope_words[i].mark == mark)
			return scope_words[i].words;
	}
	return "here";
}

static void
put_scopes(struct buf *out, unsigned scopes)
{
	const char *between = "";

	for (size_t i = 0; i < COUNT_OF(scope_words); i++) {
		if (!(scopes & scope_words[i].mark))
			continue;
		buf_put_string(out, between);
		buf_put_string(out, scope_words[i].words);
		between = ", ";
	}
}

static const struct setting_row *
find_row(const char *name, unsigned scope)
{
	const struct setting_row *elsewhere = NULL;

	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (strcmp(setting_rows[i].name, name) != 0)
			continue;
		if (setting_rows[i].scopes & scope)
			return &setting_rows[i];
		elsewhere = &setting_rows[i];
	}
	return elsewhere;
}

static void
tell_unknown(struct load *load, const config_setting_t *at, enum scope_mark where, const char *path,
	const struct setting_row *elsewhere)
{
	const char *name = config_setting_name(at);
	const char *near = elsewhere ? NULL : suggest_setting(bytes_of(name), where);
	struct buf scopes = { 0 };

	if (!near && elsewhere && (where & (IN_ROOT | IN_SMTP | IN_IMAP)))
		near = suggest_setting(bytes_of(name), where); /* `mailbox` at the top */
	if (near) {
		load_fault(load, at, path, "%s: no such setting; did you mean %s?", path, near);
	} else if (elsewhere) {
		put_scopes(&scopes, elsewhere->scopes);
		if (buf_err(&scopes) == ERR_OK)
			load_fault(load, at, path, "%s: %s cannot stand %s; it stands %s", path,
				name, scope_name(where), scopes.at);
		else
			load->is_out_of_memory = true;
	} else {
		load_fault(load, at, path, "%s: no such setting; mboxwatch.conf(5) lists those %s",
			path, scope_name(where));
	}
	buf_done(&scopes);
}

static void
tell_override(
	struct load *load, const config_setting_t *at, const struct slot *slot, const char *path)
{
	struct place place = load_place(slot->at);

	load_warning(load, at, path, "%s: set here anew; %s:%d said otherwise and counts no more",
		path, place.file, place.line);
}

static void
parse_setting(struct load *load, const config_setting_t *at, enum scope_mark where,
	const char *path, struct scope *scope)
{
	const struct setting_row *row = find_row(config_setting_name(at), where);
	enum setting setting;
	struct slot slot = { .at = at };

	if (!row || !(row->scopes & where)) {
		tell_unknown(load, at, where, path, row);
		return;
	}
	if (!row->is_built) {
		load_fault(load, at, path, "%s: not built yet in this version; leave it out", path);
		return;
	}
	setting = (enum setting)(row - setting_rows);
	if (source_is_bad(source_of(at), at))
		return; /* its number was told */
	if (!value_check(load, setting, at, path, &slot))
		return;
	if (row->kind == KIND_LABELS) {
		if (scope->labels_count < COUNT_OF(scope->labels))
			scope->labels[scope->labels_count++] = at;
		else
			load_fault(load, at, path, "%s: given in too many files; give them in one",
				path);
	} else if (scope->slots[setting].at && row->kind != KIND_GROUP && row->kind != KIND_LIST) {
		tell_override(load, at, &scope->slots[setting], path);
	}
	warn_of_setting(load, setting, &slot, path);
	scope->slots[setting] = slot;
}

void
parse_group(struct load *load, const config_setting_t *group, enum scope_mark where,
	const char *prefix, struct scope *scope)
{
	int length = config_setting_length(group);
	char path[256];

	for (int i = 0; i < length && !load->is_out_of_memory; i++) {
		const config_setting_t *at = config_setting_get_elem(group, (unsigned)i);

		snprintf(path, sizeof(path), "%s%s%.64s", prefix, prefix[0] ? "." : "",
			config_setting_name(at));
		parse_setting(load, at, where, path, scope);
	}
}
