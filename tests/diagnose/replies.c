/*
 * replies.c: replies that real servers sent, each to its cause: those of tests/diagnose, or the
 * files named. Layer: tests.
 *
 * One reply a line: id, protocol, stage, provider, lines, cause, transient, note (both may be left
 * out), source; "command": "LOGOUT" where it answers our goodbye. Where the dialogue comes to the
 * stage by itself, a server says the lines there; else the reply goes to the rules as it is. TAP, a
 * test a reply; then the table: of all, by protocol, by cause, by provider how many got their
 * cause. -t: the table alone.
 */
#include "base/file.h"
#include "diagnose/diagnose.h"
#include "dialogue/dialogue.h"
#include "dialogue/reply_text.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_TURNS 20
#define MOST_ROWS 400

struct sample {
	const char *id;
	const char *provider;
	const char *cause;
	enum side side;
	enum stage stage;
	struct buf text;     /* its lines, parted by LF */
	const json_t *given; /* transient: NULL where the file does not say */
	bool is_goodbye;     /* it answers LOGOUT */
};

/* One line of the table. */
struct score {
	char name[64];
	size_t all;
	size_t right;
};

struct table {
	struct score rows[MOST_ROWS];
	size_t count;
};

static size_t test_number, wrong_number;
static bool is_table_alone;
static struct table by_all, by_protocol, by_cause, by_provider;

static void
count_in(struct table *table, const char *name, bool is_right)
{
	size_t row = 0;

	while (row < table->count && strcmp(table->rows[row].name, name) != 0)
		row++;
	if (row == MOST_ROWS)
		return;
	if (row == table->count)
		snprintf(table->rows[table->count++].name, sizeof(table->rows[0].name), "%s", name);
	table->rows[row].all++;
	table->rows[row].right += is_right;
}

static int
compare_scores(const void *a, const void *b)
{
	return strcmp(((const struct score *)a)->name, ((const struct score *)b)->name);
}

static void
print_table(const char *head, struct table *table)
{
	qsort(table->rows, table->count, sizeof(table->rows[0]), compare_scores);
	printf("# %-32s %5s %5s\n", head, "right", "of");
	for (size_t i = 0; i < table->count; i++)
		printf("#   %-30s %5zu %5zu\n", table->rows[i].name, table->rows[i].right,
			table->rows[i].all);
}

/* --- a server that says the reply at its stage --- */

struct session {
	struct endpoint *endpoint;
	struct secret *secret;
	struct dialogue *dialogue;
	struct dialogue_step step;
	char tag[32];
};

static void
note_tag(struct session *session)
{
	struct bytes sent = session->step.send;
	struct bytes tag = bytes_next_word(&sent);

	if (session->step.send.len > 0)
		snprintf(session->tag, sizeof(session->tag), "%.*s", BYTES_ARG(tag));
}

static void
say(struct session *session, struct bytes bytes)
{
	dialogue_receive(session->dialogue, bytes, &session->step);
	note_tag(session);
}

static void
session_begin(struct session *session, const struct sample *sample)
{
	static const char *const words = "s3cret-of-ann";
	struct dialogue_settings settings = { .helo_name = BYTES("watch.example.net"),
		.version = BYTES("0.1.0") };
	struct endpoint *endpoint = endpoint_new(sample->side);

	session->endpoint = endpoint;
	free(endpoint->host);
	free(endpoint->username);
	free(endpoint->folder);
	endpoint->host = strdup("mail.example.com");
	endpoint->username = strdup("ann@example.com");
	endpoint->folder = strdup("INBOX");
	endpoint->security = sample->stage == STAGE_STARTTLS   ? SECURITY_STARTTLS
			     : sample->stage == STAGE_GREETING ? SECURITY_NONE
							       : SECURITY_TLS;
	endpoint->insecure_auth = endpoint->security == SECURITY_NONE;
	if (sample->stage == STAGE_MAIL || sample->stage == STAGE_RCPT) {
		endpoint->mail_from = strdup("ann@example.com");
		endpoint->rcpt_to = strdup("bob@example.net");
	}
	settings.endpoint = endpoint;
	if (secret_new(bytes_of(words), &session->secret) != ERR_OK ||
		dialogue_new(&settings, &session->dialogue) != ERR_OK)
		abort();
	dialogue_start(session->dialogue, &session->step);
}

static void
session_end(struct session *session)
{
	dialogue_free(session->dialogue);
	endpoint_free(session->endpoint);
	secret_free(session->secret);
}

/* What a server says that is content with all; false: the dialogue wants nothing of it. */
static bool
go_on(struct session *session, enum side side)
{
	char line[128];

	if (session->step.want == DIALOGUE_WANT_TLS) {
		dialogue_tls_started(session->dialogue, &session->step);
		note_tag(session);
		return true;
	}
	if (session->step.want == DIALOGUE_WANT_LOGIN) {
		dialogue_login(session->dialogue, session->secret, &session->step);
		note_tag(session);
		return true;
	}
	if (session->step.want == DIALOGUE_WANT_END)
		return false;
	switch (session->step.stage) {
	case STAGE_GREETING:
		say(session, side == SIDE_SMTP ? BYTES("220 mx.example.com ESMTP\r\n")
					       : BYTES("* OK ready\r\n"));
		return true;
	case STAGE_CAPABILITY:
		if (side == SIDE_SMTP) {
			say(session,
				BYTES("250-mx.example.com\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n"));
			return true;
		}
		say(session, BYTES("* CAPABILITY IMAP4rev1 SASL-IR STARTTLS AUTH=PLAIN\r\n"));
		break;
	case STAGE_AUTH:
		if (side == SIDE_SMTP) {
			say(session, BYTES("235 2.7.0 ok\r\n"));
			return true;
		}
		break;
	case STAGE_MAIL:
		say(session, BYTES("250 2.1.0 ok\r\n"));
		return true;
	default:
		break;
	}
	if (side == SIDE_SMTP)
		return false;
	snprintf(line, sizeof(line), "%s OK done\r\n", session->tag);
	say(session, bytes_of(line));
	return true;
}

/* The sample's lines as they come on the wire, with the tag of the command in hand for "A1". */
static void
put_wire(struct buf *out, const struct sample *sample, const char *tag)
{
	struct bytes text = buf_bytes(&sample->text);

	while (text.len > 0) {
		struct bytes line = bytes_first(text, bytes_index(text, '\n'));

		text = bytes_from(text, line.len + 1);
		if (sample->side == SIDE_IMAP && bytes_starts(line, BYTES("A1 "))) {
			buf_put_string(out, tag);
			line = bytes_from(line, 2);
		}
		buf_put(out, line);
		buf_put(out, BYTES("\r\n"));
	}
}

/* What a refused folder is followed by; an answer without any adds nothing. */
static bool
asks_for_folders(const struct dialogue_step *step)
{
	return step->stage == STAGE_SELECT &&
	       memmem(step->send.at, step->send.len, " LIST ", 6) != NULL;
}

/* Plays it up to its stage; false: the dialogue does not come there by itself. */
static bool
play(const struct sample *sample, struct verdict *verdict)
{
	struct session session = { 0 };
	struct finding finding = { 0 };
	struct buf wire = { 0 };
	bool is_there = false, is_on;

	session_begin(&session, sample);
	for (int turn = 0; turn < MOST_TURNS && !is_there; turn++) {
		is_there = session.step.want == DIALOGUE_WANT_BYTES &&
			   session.step.stage == sample->stage;
		if (!is_there && !go_on(&session, sample->side))
			break;
	}
	if (is_there && sample->is_goodbye)
		go_on(&session, sample->side);
	if (is_there) {
		put_wire(&wire, sample, session.tag);
		if (session.step.want != DIALOGUE_WANT_END)
			say(&session, buf_bytes(&wire));
		if (asks_for_folders(&session.step))
			go_on(&session, sample->side);
		is_on = session.step.want != DIALOGUE_WANT_END &&
			(session.step.want != DIALOGUE_WANT_BYTES || session.step.send.len > 0);
		if (!is_on && session.step.want != DIALOGUE_WANT_END)
			dialogue_closed(session.dialogue, &session.step);
		if (session.step.want == DIALOGUE_WANT_END) {
			dialogue_take_finding(session.dialogue, &finding);
			diagnose_finding(session.endpoint, &finding, verdict);
		} else {
			verdict->is_ok = true;
			verdict->cause = CAUSE_OK;
		}
	}
	buf_done(&wire);
	session_end(&session);
	return is_there;
}

/* To the rules without a session. */
static void
judge_text(const struct sample *sample, struct verdict *verdict)
{
	struct finding finding = { .kind = FINDING_REFUSED,
		.stage = sample->stage,
		.side = sample->side,
		.is_secret_sent = true,
		.is_login_done = sample->stage > STAGE_AUTH,
		.is_under_tls = true };
	struct endpoint *endpoint = endpoint_new(sample->side);

	if (reply_from_text(sample->side, buf_bytes(&sample->text), &finding.reply) != ERR_OK)
		finding.kind = FINDING_BROKEN;
	diagnose_finding(endpoint, &finding, verdict);
	endpoint_free(endpoint);
}

/* --- files --- */

static void
report(const struct sample *sample, const struct verdict *verdict)
{
	const char *cause = cause_name(verdict->cause);
	bool is_right = strcmp(cause, sample->cause) == 0;
	bool is_timed = !json_is_boolean(sample->given) ||
			json_is_true(sample->given) == verdict->is_transient;

	count_in(&by_all, "cause", is_right);
	if (json_is_boolean(sample->given))
		count_in(&by_all, "transient", is_timed);
	count_in(&by_protocol, side_name(sample->side), is_right);
	count_in(&by_cause, sample->cause, is_right);
	count_in(&by_provider, sample->provider, is_right);
	test_number++;
	wrong_number += !is_right || !is_timed;
	if (is_table_alone)
		return;
	printf("%sok %zu - %s %s, %s: %s\n", is_right && is_timed ? "" : "not ", test_number,
		sample->id, stage_name(sample->stage), sample->provider, sample->cause);
	if (!is_right || !is_timed)
		printf("# got %s, %s: %.*s\n", cause,
			verdict->is_transient ? "transient" : "lasting",
			(int)bytes_index(buf_bytes(&sample->text), '\n'), sample->text.at);
}

static const char *
word_of(const json_t *object, const char *name)
{
	const char *word = json_string_value(json_object_get(object, name));

	return word ? word : "";
}

/* Older words of the file for what the contract calls otherwise. */
static enum stage
stage_of(const char *word)
{
	enum stage stage;

	if (strcmp(word, "ehlo") == 0)
		return STAGE_CAPABILITY;
	return stage_from_name(bytes_of(word), &stage) == ERR_OK ? stage : STAGE_COUNT;
}

static void
judge(const json_t *object)
{
	const json_t *lines = json_object_get(object, "lines");
	struct sample sample = { .id = word_of(object, "id"),
		.provider = word_of(object, "provider"),
		.cause = word_of(object, "cause"),
		.stage = stage_of(word_of(object, "stage")),
		.given = json_object_get(object, "transient"),
		.is_goodbye = strcmp(word_of(object, "command"), "LOGOUT") == 0 };
	struct verdict *verdict = verdict_new();
	enum cause cause;

	for (size_t i = 0; i < json_array_size(lines); i++) {
		buf_put_string(&sample.text, i > 0 ? "\n" : "");
		buf_put_string(&sample.text, json_string_value(json_array_get(lines, i)));
	}
	if (sample.stage == STAGE_COUNT || sample.text.len == 0 ||
		side_from_name(bytes_of(word_of(object, "protocol")), &sample.side) != ERR_OK ||
		cause_from_name(bytes_of(sample.cause), &cause) != ERR_OK) {
		fprintf(stderr, "%s: not a reply with stage, protocol and cause\n", sample.id);
		exit(1);
	}
	if (!play(&sample, verdict))
		judge_text(&sample, verdict);
	report(&sample, verdict);
	verdict_free(verdict);
	buf_done(&sample.text);
}

static void
judge_file(const char *path)
{
	struct buf file = { 0 };
	struct bytes rest;

	if (file_read(path, 16 * 1024 * 1024, &file) != ERR_OK) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(1);
	}
	for (rest = buf_bytes(&file); rest.len > 0;) {
		struct bytes line = bytes_first(rest, bytes_index(rest, '\n'));
		json_t *object = json_loadb(line.at, line.len, JSON_ALLOW_NUL, NULL);

		rest = bytes_from(rest, line.len + 1);
		if (object)
			judge(object);
		else if (line.len > 0)
			exit(1);
		json_decref(object);
	}
	buf_done(&file);
}

static int
is_data(const struct dirent *entry)
{
	return bytes_ends_nocase(bytes_of(entry->d_name), BYTES(".jsonl"));
}

static void
judge_folder(const char *folder)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, is_data, alphasort);

	for (int i = 0; i < count; i++) {
		char path[4096 + 256];

		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		judge_file(path);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

int
main(int argc, char **argv)
{
	const char *source = getenv("srcdir");
	char folder[4096];

	is_table_alone = argc > 1 && strcmp(argv[1], "-t") == 0;
	for (int i = 1 + is_table_alone; i < argc; i++)
		judge_file(argv[i]);
	if (argc < 2 + is_table_alone) {
		snprintf(folder, sizeof(folder), "%s/tests/diagnose", source ? source : ".");
		judge_folder(folder);
	}
	if (!is_table_alone)
		printf("1..%zu\n", test_number);
	print_table("all", &by_all);
	print_table("by protocol", &by_protocol);
	print_table("by cause", &by_cause);
	print_table("by provider", &by_provider);
	return wrong_number == 0 && test_number > 0 ? 0 : 1;
}
