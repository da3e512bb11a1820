/*
 * warnings.c: what may be a mistake in one setting and never stops the daemon. Layer: config.
 * Not here: what a mailbox's settings look like together (review.c).
 */
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/seal.h"
#include "config/load.h"

/* What the review will ask: its form, and whether it is another's. */
static void
note_secret(struct slot *slot, struct bytes line)
{
	struct secret *secret;

	if (secret_new(line, &secret) != ERR_OK)
		return;
	slot->secret_hash = hash_bytes(line, 0) | 1;
	slot->is_secret_grouped = secret_is_grouped(secret);
	for (enum secret_form form = 0; form < SECRET_FORM_COUNT; form++)
		slot->secret_forms |= (unsigned)secret_has_form(secret, form) << form;
	secret_free(secret);
}

/* Once per file: it is the file's mode that is wrong. */
static void
warn_of_readers(struct load *load, const struct slot *slot, const char *path, const char *otherwise)
{
	int line;
	struct source_file *file =
		source_place(source_of(slot->at), (int)config_setting_source_line(slot->at), &line);

	if (file->is_open_to_others && !file->is_told) {
		file->is_told = true;
		load_warning(load, slot->at, path,
			"%s: a password in a file that others can read; chmod 0640 it%s", path,
			otherwise);
	}
}

static void
warn_of_password(struct load *load, struct slot *slot, const char *path)
{
	note_secret(slot, bytes_of(slot->text));
	warn_of_readers(load, slot, path, ", or use password_file");
	if (strpbrk(slot->text, "\r\n"))
		load_warning(load, slot->at, path,
			"%s: a line end in it; if it is not part of the password, a quote is "
			"missing",
			path);
	else if (slot->text[0] == ' ' || slot->text[strlen(slot->text) - 1] == ' ')
		load_warning(load, slot->at, path,
			"%s: begins or ends with a blank, which counts; take it away if it is not "
			"part of the password",
			path);
}

/* H4-15; read as secret/source.c reads it. */
static void
warn_of_first_line(struct load *load, struct slot *slot, const char *path, struct bytes whole)
{
	struct bytes line = bytes_first_line(whole);
	struct bytes rest = bytes_from(whole, bytes_index(whole, '\n') + 1);

	note_secret(slot, line);
	if (line.len == 0)
		load_warning(load, slot->at, path,
			"%s: the first line of %s is empty; write the secret there", path,
			slot->text);
	else if (bytes_trim(line).len < line.len)
		load_warning(load, slot->at, path,
			"%s: the first line of %s begins or ends with a blank, which counts; take "
			"it away if it is not "
			"part of the secret",
			path, slot->text);
	if (memchr(line.at ? line.at : "", '\0', line.len))
		load_warning(load, slot->at, path,
			"%s: a NUL byte in the first line of %s; write text", path, slot->text);
	while (rest.len > 0 && (rest.at[0] == '\n' || rest.at[0] == '\r'))
		rest = bytes_from(rest, 1);
	if (rest.len > 0)
		load_warning(load, slot->at, path,
			"%s: further lines in %s, which do not count; take them away if the secret "
			"is the first line",
			path, slot->text);
}

static void
warn_of_password_file(struct load *load, struct slot *slot, const char *path)
{
	struct buf whole = { 0 };
	struct stat about;
	enum err err;

	slot->is_secret_open = stat(slot->text, &about) == 0 && S_ISREG(about.st_mode) &&
			       (about.st_mode & S_IROTH);
	err = file_read(slot->text, SECRET_MOST_BYTES, &whole);
	switch (err) {
	case ERR_OK:
		warn_of_first_line(load, slot, path, buf_bytes(&whole));
		break;
	case ERR_NOT_FOUND:
		load_warning(load, slot->at, path, "%s: %s: no such file; write the secret there",
			path, slot->text);
		break;
	case ERR_INVALID:
		load_warning(load, slot->at, path, "%s: %s is not a regular file; name one", path,
			slot->text);
		break;
	case ERR_LIMIT:
		load_warning(load, slot->at, path,
			"%s: %s is longer than 64 KiB; name a file with the secret", path,
			slot->text);
		break;
	case ERR_DENIED:
		load_warning(load, slot->at, path,
			"%s: %s cannot be read; let the daemon's user read it (group mboxwatch, "
			"mode 0640)",
			path, slot->text);
		break;
	default:
		load_warning(load, slot->at, path, "%s: %s cannot be read (%s); look at the disk",
			path, slot->text, err_name(err));
	}
	buf_done_wiped(&whole);
}

static void
warn_of_ca_file(struct load *load, const struct slot *slot, const char *path)
{
	struct stat about;

	if (stat(slot->text, &about) < 0)
		load_warning(load, slot->at, path,
			"%s: %s: no such file; name one with certificates (PEM)", path, slot->text);
	else if (!S_ISREG(about.st_mode))
		load_warning(load, slot->at, path,
			"%s: %s is not a regular file; name one with certificates (PEM)", path,
			slot->text);
}

/* H5-15: without it nobody else's mailbox stops, so it is no fault. */
static void
warn_of_key_file(struct load *load, const struct slot *slot, const char *path)
{
	struct fault why = { "" };
	struct stat about;
	struct seal_key key;

	if (seal_key_read(slot->text, &key, &why) != ERR_OK)
		load_warning(load, slot->at, path,
			"%s: %s; make one with mboxwatchctl make-key, or put the old one back",
			path, why.text);
	else if (stat(slot->text, &about) == 0 && (about.st_mode & S_IROTH))
		load_warning(load, slot->at, path,
			"%s: a key in a file that others can read; chmod 0640 it", path);
	bytes_wipe(&key, sizeof(key));
}

void
warn_of_setting(struct load *load, enum setting setting, struct slot *slot, const char *path)
{
	if (load->is_of_object && setting != SETTING_PASSWORD)
		return; /* the others' were told when the files were loaded */
	switch (setting) {
	case SETTING_PASSWORD:
		warn_of_password(load, slot, path);
		break;
	case SETTING_PASSWORD_FILE:
		warn_of_password_file(load, slot, path);
		break;
	case SETTING_STATE_KEY_FILE:
		warn_of_key_file(load, slot, path);
		break;
	case SETTING_PROXY:
		if (strchr(slot->text, '@'))
			warn_of_readers(load, slot, path, "");
		break;
	case SETTING_CA_FILE:
		warn_of_ca_file(load, slot, path);
		break;
	case SETTING_TLS_MIN:
		if ((enum tls_version)slot->number < TLS_1_2)
			load_warning(load, slot->at, path,
				"%s: TLS %s has been broken for long; write \"1.2\" as soon as the "
				"server speaks it",
				path, slot->text);
		break;
	default:
		break;
	}
}

void
warn_of_session(struct load *load, const struct watch_rules *rules, const config_setting_t *at,
	const struct scopes *scopes, const char *path)
{
	const struct slot *most = scopes_find(scopes, SETTING_KEEP_MAX);
	struct buf words = { 0 };

	if (rules->keep_us == 0 || rules->interval_us == 0 || watch_session_us(rules) > 0)
		return;
	duration_put(&words, rules->keep_us);
	buf_put_string(&words, ") is below two intervals (");
	duration_put(&words, rules->interval_us);
	load_warning(load, most ? most->at : at, path,
		"%s: keep_max (%s each), so each probe logs in; write a longer keep_max, or "
		"session "
		"= \"fresh\"",
		path, words.at ? words.at : "");
	buf_done(&words);
}
