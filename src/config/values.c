/*
 * values.c: one value against its row of the table: type, form and range. Layer: config.
 * Hosts, addresses and proxies: values_net.c.
 */
#include "config/values.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistr.h>

#include "config/host.h"
#include "config/pin.h"
#include "config/suggest.h"
#include "facts/mailbox.h"

#define PATTERN_MOST ((size_t)4000)
#define REPLY_MOST ((size_t)8000)
#define USER_NAME_MOST ((size_t)512)
#define FOLDER_MOST ((size_t)1000)
#define ADDRESS_MOST ((size_t)320) /* RFC 3696 3: 64, @, 255 */
#define ARGUMENTS_MOST 64

const char *
type_words(const config_setting_t *at)
{
	switch (config_setting_type(at)) {
	case CONFIG_TYPE_GROUP:
		return "a group { … }";
	case CONFIG_TYPE_LIST:
		return "a list ( … )";
	case CONFIG_TYPE_ARRAY:
		return "an array [ … ]";
	case CONFIG_TYPE_STRING:
		return "a text in quotes";
	case CONFIG_TYPE_BOOL:
		return "true or false";
	default:
		return "a number";
	}
}

/* ---- ranges */

int
range_index(const char *range, struct bytes word)
{
	struct bytes rest = bytes_of(range);
	int index = 0;

	rest = bytes_first(rest, bytes_index(rest, ';'));
	while (rest.len > 0) {
		struct bytes next = bytes_first(rest, bytes_index(rest, '|'));

		if (bytes_equal(next, word))
			return index;
		rest = bytes_from(rest, next.len + 1);
		index++;
	}
	return -1;
}

static int64_t
range_end(const struct setting_row *row, struct bytes text)
{
	uint64_t number;
	int64_t us;

	if (row->kind == KIND_INT)
		return bytes_to_number(text, INT32_MAX, &number) == ERR_OK ? (int64_t)number : -1;
	return duration_parse(text, &us) == ERR_OK ? us : -1;
}

/* The ends of "least..most" as numbers or durations (microseconds). */
static void
range_ends(const struct setting_row *row, int64_t *least, int64_t *most)
{
	const char *between = strstr(row->range, "..");

	*least = range_end(row, (struct bytes){ row->range, (size_t)(between - row->range) });
	*most = range_end(row, bytes_of(between + 2));
}

/* ---- numbers and durations */

static bool
check_bool(struct judged *j)
{
	if (config_setting_type(j->at) != CONFIG_TYPE_BOOL) {
		FAULT(j, "%s; write true or false, without quotes", type_words(j->at));
		return false;
	}
	j->out->number = config_setting_get_bool(j->at) != 0;
	return true;
}

static bool
is_int(const config_setting_t *at)
{
	return config_setting_type(at) == CONFIG_TYPE_INT ||
	       config_setting_type(at) == CONFIG_TYPE_INT64;
}

static bool
check_int(struct judged *j)
{
	long long number = is_int(j->at) ? config_setting_get_int64(j->at) : 0;
	int64_t least, most;

	range_ends(j->row, &least, &most);
	if (config_setting_type(j->at) == CONFIG_TYPE_FLOAT) {
		FAULT(j, "a number with a point; write a whole number, %s", j->row->range);
		return false;
	}
	if (!is_int(j->at)) {
		FAULT(j, "%s; write a number without quotes, %s", type_words(j->at), j->row->range);
		return false;
	}
	if (number < least || number > most) {
		FAULT(j, "%lld is out of range; write %lld to %lld", number, (long long)least,
			(long long)most);
		return false;
	}
	j->out->number = number;
	return true;
}

/* Seconds as a number, or a text. False: it was told. */
static bool
read_duration(struct judged *j, const config_setting_t *at, int64_t *us)
{
	enum err err = ERR_SYNTAX;
	double seconds;

	switch (config_setting_type(at)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
	case CONFIG_TYPE_FLOAT:
		seconds = config_setting_type(at) == CONFIG_TYPE_FLOAT
				  ? config_setting_get_float(at)
				  : (double)config_setting_get_int64(at);
		if (isfinite(seconds) && seconds >= 0 && seconds < 36500.0 * 86400) {
			*us = llround(seconds * 1e6);
			return true;
		}
		FAULT(j, "%g is no number of seconds; write a duration, as \"90s\" or \"5m\"",
			seconds);
		return false;
	case CONFIG_TYPE_STRING:
		err = duration_parse(bytes_of(config_setting_get_string(at)), us);
		if (err == ERR_OK)
			return true;
		FAULT(j, "\"%.60s\" is %s; write one as \"90s\", \"5m\" or \"1h30m\"",
			config_setting_get_string(at),
			err == ERR_RANGE ? "too long" : "no duration");
		return false;
	default:
		FAULT(j, "%s; write a duration, as \"5m\", or a number of seconds", type_words(at));
		return false;
	}
}

int64_t
duration_value(const config_setting_t *at)
{
	int64_t us = 0;

	if (config_setting_type(at) == CONFIG_TYPE_STRING)
		return duration_parse(bytes_of(config_setting_get_string(at)), &us) == ERR_OK ? us
											      : 0;
	if (config_setting_type(at) == CONFIG_TYPE_FLOAT)
		return llround(config_setting_get_float(at) * 1e6);
	return (int64_t)config_setting_get_int64(at) * US_PER_S;
}

static bool
is_within(struct judged *j, int64_t us)
{
	int64_t least, most;
	struct buf given = { 0 };
	const char *between = strstr(j->row->range, "..");

	range_ends(j->row, &least, &most);
	if (us >= least && us <= most)
		return true;
	duration_put(&given, us);
	FAULT(j, "%s is out of range; write \"%.*s\" to \"%s\"", given.at ? given.at : "?",
		(int)(between - j->row->range), j->row->range, between + 2);
	buf_done(&given);
	return false;
}

static bool
check_duration(struct judged *j)
{
	return read_duration(j, j->at, &j->out->number) && is_within(j, j->out->number);
}

bool
is_sequence(const config_setting_t *at)
{
	return config_setting_type(at) == CONFIG_TYPE_ARRAY ||
	       config_setting_type(at) == CONFIG_TYPE_LIST;
}

static bool
check_sequence(struct judged *j, int least, int most, const char *form)
{
	int length = is_sequence(j->at) ? config_setting_length(j->at) : -1;

	if (length < least || length > most) {
		FAULT(j, "%s; write %d to %d durations, as %s",
			is_sequence(j->at) ? "too few or too many" : type_words(j->at), least, most,
			form);
		return false;
	}
	for (int i = 0; i < length; i++) {
		int64_t us;

		if (!read_duration(j, config_setting_get_elem(j->at, (unsigned)i), &us) ||
			!is_within(j, us))
			return false;
	}
	return true;
}

static bool
check_durations(struct judged *j)
{
	return check_sequence(j, 1, WATCH_MOST_COUNTS, "[\"1h\", \"6h\"]");
}

static bool
check_steps(struct judged *j)
{
	return check_sequence(j, 0, WATCH_MOST_STEPS, "[\"21d\", \"7d\", \"1d\"]");
}

enum err
count_parse(struct bytes text, unsigned *count, int64_t *window_us)
{
	size_t slash = bytes_index(text, '/');
	uint64_t number;
	enum err err;

	if (slash == text.len)
		return ERR_SYNTAX;
	err = bytes_to_number(bytes_first(text, slash), 1000, &number);
	if (err == ERR_OK)
		err = duration_parse(bytes_from(text, slash + 1), window_us);
	if (err != ERR_OK)
		return err;
	*count = (unsigned)number;
	return number < 1 || *window_us < US_PER_S || *window_us > 31 * US_PER_D ? ERR_RANGE
										 : ERR_OK;
}

static bool
check_counts(struct judged *j)
{
	int length = is_sequence(j->at) ? config_setting_length(j->at) : 0;

	if (length < 1 || length > WATCH_MOST_COUNTS) {
		FAULT(j, "%s; write 1 to %d counts, as [\"2/1h\", \"4/1d\"]",
			is_sequence(j->at) ? "too few or too many" : type_words(j->at),
			WATCH_MOST_COUNTS);
		return false;
	}
	for (int i = 0; i < length; i++) {
		const char *text = config_setting_get_string_elem(j->at, i);
		unsigned count;
		int64_t window_us;
		enum err err = count_parse(bytes_of(text), &count, &window_us);

		if (err == ERR_OK)
			continue;
		FAULT(j, "\"%.60s\" %s; write a count and its window, as \"2/1h\"",
			text ? text : "?",
			err == ERR_RANGE ? "is out of range (1 to 1000, in 1s to 31d)"
					 : "is no count");
		return false;
	}
	return true;
}

/* ---- texts */

static bool
has_controls(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.at[i];

		if (byte < 0x20 || byte == 0x7f)
			return true;
		if (byte == 0xc2 && i + 1 < text.len && (unsigned char)text.at[i + 1] < 0xa0)
			return true; /* C1 */
	}
	return false;
}

bool
read_text(struct judged *j, const config_setting_t *at, size_t most, const char *form,
	struct bytes *out)
{
	const char *text = config_setting_get_string(at);

	if (!text) {
		FAULT(j, "%s; write %s", type_words(at), form);
		return false;
	}
	*out = bytes_of(text);
	if (out->len == 0)
		FAULT(j, "empty; write %s, or leave it out", form);
	else if (out->len > most)
		FAULT(j, "%zu bytes long; write %s, of %zu bytes at most", out->len, form, most);
	else if (u8_check((const uint8_t *)out->at, out->len))
		FAULT(j, "not UTF-8; save the file as UTF-8");
	else if (has_controls(*out))
		FAULT(j, "a line end or another control character in it; write %s without it",
			form);
	else
		return true;
	return false;
}

static bool
check_text(struct judged *j)
{
	struct bytes text;

	return read_text(j, j->at, USER_NAME_MOST, "a text in quotes", &text);
}

static bool
check_pattern(struct judged *j)
{
	struct bytes text;

	return read_text(j, j->at, PATTERN_MOST, "a text in quotes", &text);
}

/* Lines parted by \n; each by itself is a text as any other. */
static bool
check_reply(struct judged *j)
{
	struct bytes text = bytes_of(config_setting_get_string(j->at));
	struct bytes line = bytes_first(text, bytes_index(text, '\n'));

	if (line.len == text.len)
		return read_text(j, j->at, REPLY_MOST, "a reply in quotes", &text);
	if (text.len > REPLY_MOST || u8_check((const uint8_t *)text.at, text.len)) {
		FAULT(j, "too long, or not UTF-8; write at most %zu bytes of UTF-8", REPLY_MOST);
		return false;
	}
	for (; text.len > 0; line = bytes_first(text, bytes_index(text, '\n'))) {
		if (has_controls(line)) {
			FAULT(j, "a control character in it; write the reply without it");
			return false;
		}
		text = bytes_from(text, line.len + 1);
	}
	return true;
}

static bool
check_folder(struct judged *j)
{
	struct bytes text;

	return read_text(j, j->at, FOLDER_MOST, "a folder's name in quotes, as \"INBOX\"", &text);
}

static bool
check_path(struct judged *j)
{
	struct bytes text;

	if (!read_text(j, j->at, PATH_MAX - 1, "a path in quotes that begins with /", &text))
		return false;
	if (text.at[0] == '/')
		return true;
	FAULT(j, "\"%.200s\" is no whole path; write one that begins with /", text.at);
	return false;
}

static bool
check_socket_path(struct judged *j)
{
	size_t most = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	if (!check_path(j))
		return false;
	if (strlen(config_setting_get_string(j->at)) <= most)
		return true;
	FAULT(j, "too long for a socket; write a path of %zu bytes at most", most);
	return false;
}

static bool
check_group_name(struct judged *j)
{
	struct bytes text;

	if (!read_text(j, j->at, 32, "the name of a group of this system", &text))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!byte_is_letter(text.at[i]) && !byte_is_digit(text.at[i]) &&
			!strchr("_.-$", text.at[i])) {
			FAULT(j,
				"\"%s\" is no group's name; write letters, digits, \"_\", \".\" "
				"and \"-\"",
				text.at);
			return false;
		}
	}
	return true;
}

static bool
check_word(struct judged *j)
{
	const char *text = config_setting_get_string(j->at);
	struct buf words = { 0 };
	struct bytes near;
	const char *later = strchr(j->row->range, ';');

	j->out->number = text ? range_index(j->row->range, bytes_of(text)) : -1;
	if (j->out->number >= 0)
		return true;
	if (text && later && range_index(later + 1, bytes_of(text)) >= 0) {
		FAULT(j, "\"%s\" is not built yet in this version; leave it out", text);
		return false;
	}
	near = text ? suggest_word(bytes_of(text), j->row->range) : BYTES_NONE;
	for (const char *at = j->row->range; *at && *at != ';'; at++) {
		if (at == j->row->range)
			buf_put_byte(&words, '"');
		if (*at == '|')
			buf_put_string(&words, "\", \"");
		else
			buf_put_byte(&words, *at);
	}
	buf_put_byte(&words, '"');
	if (buf_err(&words) != ERR_OK)
		j->load->is_out_of_memory = true;
	else if (!text)
		FAULT(j, "%s; write one of %s, in quotes", type_words(j->at), words.at);
	else if (near.len > 0)
		FAULT(j, "\"%.60s\" is none of its words; did you mean \"%.*s\"?", text,
			BYTES_ARG(near));
	else
		FAULT(j, "\"%.60s\" is none of its words; write one of %s", text, words.at);
	buf_done(&words);
	return false;
}

static bool
check_name(struct judged *j)
{
	const char *text = config_setting_get_string(j->at);

	if (text && mailbox_name_is_valid(bytes_of(text)))
		return true;
	FAULT(j,
		"%s%.80s%s cannot be a mailbox's name; write 1 to 64 of A-Z a-z 0-9 . _ @ + -, the "
		"first a letter, digit or _",
		text ? "\"" : "", text ? text : type_words(j->at), text ? "\"" : "");
	return false;
}

static bool
check_address(struct judged *j)
{
	static const char form[] = "an address, as \"ann@example.com\"";
	struct bytes text;
	size_t at;

	if (!read_text(j, j->at, ADDRESS_MOST, form, &text))
		return false;
	for (at = text.len; at > 0 && text.at[at - 1] != '@';)
		at--;
	if (at > 1 && at < text.len && !memchr(text.at, ' ', text.len) &&
		!memchr(text.at, '<', text.len) && !memchr(text.at, '>', text.len) &&
		!memchr(text.at, ',', text.len) &&
		(text.at[0] == '"' || !memchr(text.at, '@', at - 1))) /* RFC 5321 4.1.2 */
		return true;
	FAULT(j, "\"%.320s\" is no address; write %s", text.at, form);
	return false;
}

/* Of a secret nothing is ever told but that it is empty or too long. Any bytes but NUL. H4-06 */
static bool
check_secret(struct judged *j)
{
	const char *text = config_setting_get_string(j->at);

	if (!text)
		FAULT(j, "not a text; write it in quotes");
	else if (text[0] == '\0')
		FAULT(j, "empty; write the secret, or auth = \"none\" where none is needed");
	else if (strlen(text) > SECRET_MOST_BYTES)
		FAULT(j, "longer than 64 KiB; write the secret");
	else
		return true;
	return false;
}

static bool
check_argv(struct judged *j)
{
	int length = is_sequence(j->at) ? config_setting_length(j->at) : 0;
	const char *program = length > 0 ? config_setting_get_string_elem(j->at, 0) : NULL;

	if (length < 1 || length > ARGUMENTS_MOST) {
		FAULT(j,
			"%s; write the program and its arguments, as [\"/usr/bin/pass\", \"show\", "
			"\"mail\"]; no shell reads it",
			is_sequence(j->at) ? "no or too many arguments" : type_words(j->at));
		return false;
	}
	for (int i = 0; i < length; i++) {
		if (!config_setting_get_string_elem(j->at, i)) {
			FAULT(j, "argument %d is no text; write each in quotes", i);
			return false;
		}
	}
	if (program && program[0] != '\0' && (program[0] == '/' || !strchr(program, '/')))
		return true;
	FAULT(j, "\"%.200s\" is no program; write its whole path, as \"/usr/bin/pass\"",
		program ? program : "");
	return false;
}

/* A name below $CREDENTIALS_DIRECTORY, and never a way out of it. H4-24 */
static bool
check_credential(struct judged *j)
{
	struct bytes text;

	if (!read_text(j, j->at, NAME_MAX, "the credential's name, as in LoadCredential=NAME:…",
		    &text))
		return false;
	if (!memchr(text.at, '/', text.len) && !bytes_equal(text, BYTES(".")) &&
		!bytes_equal(text, BYTES("..")))
		return true;
	FAULT(j,
		"\"%.200s\" is a path; write the credential's name alone, as in "
		"LoadCredential=NAME:…",
		text.at);
	return false;
}

static bool
check_pin(struct judged *j)
{
	uint8_t pin[PIN_BYTES];
	struct bytes text;
	enum err err;

	if (!read_text(j, j->at, 256, "the SHA-256 of the server's key in quotes", &text))
		return false;
	err = pin_parse(text, pin);
	if (err == ERR_MEMORY)
		j->load->is_out_of_memory = true;
	else if (err != ERR_OK)
		FAULT(j,
			"\"%.100s\" is no SHA-256; write the 64 hex digits, or the base64, of the "
			"server's key (SubjectPublicKeyInfo)",
			text.at);
	return err == ERR_OK;
}

static bool
is_label_name(struct bytes name)
{
	if (name.len == 0 || name.len > LABEL_NAME_MOST || name.at[0] < 'a' || name.at[0] > 'z')
		return false;
	for (size_t i = 1; i < name.len; i++) {
		if (!(name.at[i] >= 'a' && name.at[i] <= 'z') && !byte_is_digit(name.at[i]) &&
			name.at[i] != '_')
			return false;
	}
	return true;
}

static bool
check_labels(struct judged *j)
{
	int length = config_setting_length(j->at);
	bool is_fine = true;

	if (!config_setting_is_group(j->at)) {
		FAULT(j, "%s; write a group, as { owner = \"acme\"; }", type_words(j->at));
		return false;
	}
	if (length > MOST_LABELS) {
		FAULT(j, "%d labels; write %d at most", length, MOST_LABELS);
		return false;
	}
	for (int i = 0; i < length; i++) {
		const config_setting_t *label = config_setting_get_elem(j->at, (unsigned)i);
		struct judged of_label = *j;
		struct bytes text;

		of_label.at = label;
		if (!is_label_name(bytes_of(config_setting_name(label)))) {
			FAULT(&of_label,
				"\"%.80s\" is no label's name; write a-z, 0-9 and _, at most %d, "
				"first a letter",
				config_setting_name(label), LABEL_NAME_MOST);
			is_fine = false;
		} else if (!read_text(&of_label, label, LABEL_VALUE_MOST,
				   "a label's value in quotes", &text)) {
			is_fine = false;
		}
	}
	return is_fine;
}

static bool
check_group(struct judged *j)
{
	if (config_setting_is_group(j->at))
		return true;
	FAULT(j, "%s; write a group, %s = { … };", type_words(j->at), j->row->name);
	return false;
}

static bool
check_list(struct judged *j)
{
	if (config_setting_is_list(j->at))
		return true;
	FAULT(j, "%s; write a list of groups, %s = ( { … }, { … } );", type_words(j->at),
		j->row->name);
	return false;
}

static bool (*const checks[KIND_COUNT])(struct judged *) = {
	[KIND_GROUP] = check_group,
	[KIND_LIST] = check_list,
	[KIND_BOOL] = check_bool,
	[KIND_INT] = check_int,
	[KIND_DURATION] = check_duration,
	[KIND_WORD] = check_word,
	[KIND_TEXT] = check_text,
	[KIND_FOLDER] = check_folder,
	[KIND_PATH] = check_path,
	[KIND_SOCKET_PATH] = check_socket_path,
	[KIND_GROUP_NAME] = check_group_name,
	[KIND_HOST] = check_host,
	[KIND_SOURCE] = check_source,
	[KIND_PROXY] = check_proxy,
	[KIND_HELO] = check_helo,
	[KIND_RESOLVERS] = check_resolvers,
	[KIND_NAME] = check_name,
	[KIND_ADDRESS] = check_address,
	[KIND_SECRET] = check_secret,
	[KIND_ARGV] = check_argv,
	[KIND_CREDENTIAL] = check_credential,
	[KIND_PIN] = check_pin,
	[KIND_LABELS] = check_labels,
	[KIND_COUNTS] = check_counts,
	[KIND_DURATIONS] = check_durations,
	[KIND_STEPS] = check_steps,
	[KIND_PATTERN] = check_pattern,
	[KIND_REPLY] = check_reply,
	[KIND_PREFIXES] = check_prefixes,
	[KIND_PROVIDER] = check_text,
	[KIND_WORDS] = check_words,
	[KIND_SERVERS] = check_words,
};

bool
value_check(struct load *load, enum setting setting, const config_setting_t *at, const char *path,
	struct slot *out)
{
	struct judged judged = { load, &setting_rows[setting], at, path, out };

	*out = (struct slot){ .at = at };
	if (config_setting_type(at) == CONFIG_TYPE_STRING)
		out->text = config_setting_get_string(at);
	return checks[judged.row->kind](&judged);
}
