/*
 * play.c: plays transcripts (tests/dialogue/smtp, tests/dialogue/imap) against the dialogue and
 * judges the end. Layer: tests.
 *
 *	# what this file shows, in words
 *	given  security=starttls username=ann@example.com secret=s3cret
 *	S: 220 mx.example.com ESMTP      the server says this line and CRLF
 *	C: EHLO watch.example.net        we must say just this line
 *	TLS                              TLS begins here; with security=tls it does so first
 *	held                             watch says no to the login
 *	close                            the peer is gone
 *	timeout                          the time is over, or we part from a session at rest
 *	rest                             it is at rest, all well (given may_rest=true)
 *	pause                            the message was not there yet, and a while has passed
 *	wake, wake last                  it is probed again; for the last time
 *	end    stage=done cause=ok       what the verdict must be
 *
 * given: side (else the folder's name), security, port, username, secret, mechanism, insecure_auth,
 * folder, select, last, sent (a Message-ID), message, mail_from, rcpt_to, helo, nonce (SCRAM's,
 *ours); one_segment=true: the matter is what comes in one piece, so it is played whole alone.
 *
 * end: stage, cause, transient, login, wait (ms); and note, detail, reply, suggest, next: words
 * that must occur; no-note, no-reply: that must not. Values with blanks stand in quotes.
 *
 * In S and C lines and values: \xNN \r \n \\, \c at the end: no line end, \{9*ab}: "ab" nine
 * times, \[ab]: "ab" in base64. <tag>: the tag of the command in hand. <secret>: what the login
 * makes of the secret, in any form.
 *
 * Each file is played whole, byte by byte, and cut in two at every place; all must give the same.
 * TAP.
 */
#include "base/file.h"
#include "base/random.h"
#include "diagnose/diagnose.h"
#include "diagnose/words.h"
#include "dialogue/dialogue.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_LINES 400
/* Of a file that sends more than this not every place is cut, but this many / 64. */
#define MOST_CUTS 4096
#define HELO "watch.example.net"
#define NONCE "rOprNGfwEbeRWgbNEkqO" /* of RFC 7677 3 */

enum cutting {
	CUT_NOWHERE,
	CUT_BYTES,
	CUT_ONCE, /* at `place` */
};

struct script {
	const char *path;
	struct buf file;
	struct bytes lines[MOST_LINES];
	size_t count;
	struct bytes given;
	struct bytes end;
};

struct play {
	const struct script *script;
	struct endpoint *endpoint;
	struct secret *secret;
	struct errand *errand;
	struct dialogue *dialogue;
	struct dialogue_step step;
	enum cutting cutting;
	size_t place;
	size_t fed;	  /* bytes of the server so far */
	struct buf block; /* of the server's, that come together */
	struct buf said;  /* by us, not yet looked at */
	char tag[32];
	char why[1024]; /* "" as long as all is well */
};

static void fail(struct play *play, const char *format, ...) PRINTF_LIKE(2, 3);

static void
fail(struct play *play, const char *format, ...)
{
	va_list arguments;

	if (play->why[0])
		return;
	va_start(arguments, format);
	vsnprintf(play->why, sizeof(play->why), format, arguments);
	va_end(arguments);
	for (char *at = play->why; *at; at++) {
		if ((unsigned char)*at < ' ')
			*at = '~';
	}
}

/* --- the form of the file --- */

static int
hex_digit(char byte)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = byte ? strchr(digits, byte_lower(byte)) : NULL;

	return found ? (int)(found - digits) : -1;
}

static size_t put_unescaped_one(struct buf *out, struct bytes text, bool *is_unended);

/* \{COUNT*TEXT} */
static size_t
put_repeated(struct buf *out, struct bytes text)
{
	size_t end = bytes_index(text, '}');
	size_t star = bytes_index(text, '*');
	uint64_t count = 0;
	bool ignored = false;

	if (end == text.len || star > end ||
		bytes_to_number(bytes_first(bytes_from(text, 1), star - 1), 10000000, &count) !=
			ERR_OK) {
		fprintf(stderr, "bad repetition in a transcript\n");
		exit(1);
	}
	while (count-- > 0) {
		struct bytes part = bytes_first(bytes_from(text, star + 1), end - star - 1);

		while (part.len > 0)
			part = bytes_from(part, put_unescaped_one(out, part, &ignored));
	}
	return end + 1;
}

/* \[TEXT] */
static size_t
put_base64(struct buf *out, struct bytes text)
{
	size_t end = bytes_index(text, ']');
	struct bytes part = bytes_first(bytes_from(text, 1), end - 1);
	struct buf plain = { 0 };
	bool ignored = false;

	while (part.len > 0)
		part = bytes_from(part, put_unescaped_one(&plain, part, &ignored));
	buf_put_base64(out, buf_bytes(&plain));
	buf_done(&plain);
	return end + 1;
}

/* One byte or escape of text; returns how long it stands there. */
static size_t
put_unescaped_one(struct buf *out, struct bytes text, bool *is_unended)
{
	if (text.at[0] != '\\' || text.len < 2) {
		buf_put_byte(out, text.at[0]);
		return 1;
	}
	switch (text.at[1]) {
	case 'x':
		if (text.len < 4)
			break;
		buf_put_byte(out, (char)(hex_digit(text.at[2]) << 4 | hex_digit(text.at[3])));
		return 4;
	case 'r':
		buf_put_byte(out, '\r');
		return 2;
	case 'n':
		buf_put_byte(out, '\n');
		return 2;
	case 'c':
		*is_unended = true;
		return 2;
	case '{':
		return 1 + put_repeated(out, bytes_from(text, 1));
	case '[':
		return 1 + put_base64(out, bytes_from(text, 1));
	default:
		break;
	}
	buf_put_byte(out, text.at[1]);
	return 2;
}

/* True: a line end belongs behind it. */
static bool
put_unescaped(struct buf *out, struct bytes text)
{
	bool is_unended = false;

	while (text.len > 0)
		text = bytes_from(text, put_unescaped_one(out, text, &is_unended));
	return !is_unended;
}

/* Each place of `word` in text becomes `by`. */
static void
put_replaced(struct buf *out, struct bytes text, struct bytes word, struct bytes by)
{
	while (text.len > 0) {
		if (bytes_starts(text, word)) {
			buf_put(out, by);
			text = bytes_from(text, word.len);
		} else {
			buf_put_byte(out, text.at[0]);
			text = bytes_from(text, 1);
		}
	}
}

/* Takes the next key=value off *rest; the value unescaped (free()). False at the end. */
static bool
next_pair(struct bytes *rest, struct bytes *key, char **value)
{
	struct buf text = { 0 };
	size_t len;

	*rest = bytes_trim(*rest);
	if (rest->len == 0)
		return false;
	len = bytes_index(*rest, '=');
	*key = bytes_first(*rest, len);
	*rest = bytes_from(*rest, len + 1);
	if (rest->len > 0 && rest->at[0] == '"') {
		*rest = bytes_from(*rest, 1);
		for (len = 0; len < rest->len && rest->at[len] != '"'; len++) {
			if (rest->at[len] == '\\')
				len++;
		}
		put_unescaped(&text, bytes_first(*rest, len));
		*rest = bytes_from(*rest, len + 1);
	} else {
		put_unescaped(&text, bytes_next_word(rest));
	}
	*value = buf_take(&text);
	return true;
}

/* The value of a key of the given line, or `otherwise`; free(). */
static char *
given(const struct script *script, const char *name, const char *otherwise)
{
	struct bytes rest = script->given;
	struct bytes key;
	char *value;

	while (next_pair(&rest, &key, &value)) {
		if (bytes_equal(key, bytes_of(name)))
			return value;
		free(value);
	}
	return otherwise ? bytes_copy(bytes_of(otherwise)) : NULL;
}

static bool
is_given(const struct script *script, const char *name)
{
	char *value = given(script, name, "false");
	bool is = strcmp(value, "true") == 0;

	free(value);
	return is;
}

static void
script_read(const char *path, struct script *script)
{
	struct bytes rest;

	*script = (struct script){ .path = path };
	if (file_read(path, 1024 * 1024, &script->file) != ERR_OK) {
		fprintf(stderr, "%s: cannot be read\n", path);
		exit(1);
	}
	rest = buf_bytes(&script->file);
	while (rest.len > 0) {
		size_t end = bytes_index(rest, '\n');
		struct bytes line = bytes_first(rest, end);

		rest = bytes_from(rest, end + 1);
		if (line.len == 0 || line.at[0] == '#')
			continue;
		if (bytes_starts(line, BYTES("given ")))
			script->given = bytes_from(line, 6);
		else if (bytes_starts(line, BYTES("end ")))
			script->end = bytes_from(line, 4);
		else if (script->count < MOST_LINES)
			script->lines[script->count++] = line;
	}
}

/* --- the play --- */

static void
take_step(struct play *play)
{
	buf_put(&play->said, play->step.send);
}

/* What the owner does: it hands a segment over. */
static void
feed(struct play *play, struct bytes segment)
{
	if (segment.len == 0 || play->step.want == DIALOGUE_WANT_END)
		return;
	if (play->step.want == DIALOGUE_WANT_TLS) {
		fail(play, "bytes come where TLS must begin");
		return;
	}
	/* On the heap and of just this size, so that a read beyond it is seen. */
	char *copy = malloc(segment.len);

	memcpy(copy, segment.at, segment.len);
	dialogue_receive(play->dialogue, (struct bytes){ copy, segment.len }, &play->step);
	free(copy);
	take_step(play);
}

static void
feed_block(struct play *play)
{
	struct bytes block = buf_bytes(&play->block);
	size_t first = play->place > play->fed ? play->place - play->fed : 0;

	play->fed += block.len;
	if (play->cutting == CUT_BYTES) {
		for (size_t i = 0; i < block.len; i++)
			feed(play, bytes_first(bytes_from(block, i), 1));
	} else if (play->cutting == CUT_ONCE && first > 0 && first < block.len) {
		feed(play, bytes_first(block, first));
		feed(play, bytes_from(block, first));
	} else {
		feed(play, block);
	}
	buf_clear(&play->block);
}

/* All that the server said has come; the login goes on where it waits. */
static void
settle(struct play *play)
{
	feed_block(play);
	if (play->step.want == DIALOGUE_WANT_LOGIN) {
		dialogue_login(play->dialogue, play->secret, &play->step);
		take_step(play);
	}
	if (play->step.want == DIALOGUE_WANT_KEY) {
		const struct scram_need *need = &play->step.key;
		struct digest salted;

		if (secret_salt(play->secret, need->digest, need->salt, need->iterations,
			    &salted) != ERR_OK)
			fail(play, "no salted password can be made");
		dialogue_key(play->dialogue, &salted, &play->step);
		take_step(play);
	}
}

static void
server_line(struct play *play, struct bytes text)
{
	struct buf tagged = { 0 };

	put_replaced(&tagged, text, BYTES("<tag>"), bytes_of(play->tag));
	if (put_unescaped(&play->block, buf_bytes(&tagged)))
		buf_put(&play->block, BYTES("\r\n"));
	buf_done(&tagged);
}

/* One of the forms in which a login says the secret. */
static void
put_secret_form(const struct play *play, size_t form, struct buf *out)
{
	struct bytes secret = secret_reveal(play->secret);
	struct buf plain = { 0 };

	switch (form) {
	case 0: /* RFC 4616 */
		buf_put_byte(&plain, '\0');
		buf_put_string(&plain, play->endpoint->username);
		buf_put_byte(&plain, '\0');
		buf_put(&plain, secret);
		buf_put_base64(out, buf_bytes(&plain));
		break;
	case 1:
		buf_put_base64(out, secret);
		break;
	case 2:
		buf_put(out, secret);
		break;
	default: /* RFC 9051 9, quoted */
		buf_put_byte(out, '"');
		for (size_t i = 0; i < secret.len; i++) {
			if (secret.at[i] == '"' || secret.at[i] == '\\')
				buf_put_byte(out, '\\');
			buf_put_byte(out, secret.at[i]);
		}
		buf_put_byte(out, '"');
	}
	buf_done(&plain);
}

#define SECRET_FORMS 4

/* Is what we said what the transcript wants, the tag and the secret put in? */
static bool
line_fits(struct play *play, struct bytes want, struct bytes got)
{
	bool fits = false;

	if (bytes_starts(want, BYTES("<tag>"))) {
		struct bytes rest = got;
		struct bytes tag = bytes_next_word(&rest);

		snprintf(play->tag, sizeof(play->tag), "%.*s", BYTES_ARG(tag));
	}
	for (size_t form = 0; form < SECRET_FORMS && !fits; form++) {
		struct buf secret = { 0 };
		struct buf tagged = { 0 };
		struct buf plain = { 0 };
		struct buf whole = { 0 };

		put_secret_form(play, form, &secret);
		put_replaced(&tagged, want, BYTES("<tag>"), bytes_of(play->tag));
		put_unescaped(&plain, buf_bytes(&tagged));
		put_replaced(&whole, buf_bytes(&plain), BYTES("<secret>"), buf_bytes(&secret));
		fits = bytes_equal(buf_bytes(&whole), got);
		buf_done(&secret);
		buf_done(&tagged);
		buf_done(&plain);
		buf_done(&whole);
	}
	return fits;
}

static void
client_line(struct play *play, struct bytes want)
{
	struct bytes said;
	size_t end;

	settle(play);
	said = buf_bytes(&play->said);
	end = bytes_index(said, '\n');
	if (end == said.len || end == 0 || said.at[end - 1] != '\r') {
		fail(play, "nothing was said for \"C: %.*s\" (%.*s)", BYTES_ARG(want),
			BYTES_ARG(said));
		return;
	}
	if (!line_fits(play, want, bytes_first(said, end - 1)))
		fail(play, "\"C: %.*s\" was said for \"C: %.*s\"", (int)end - 1, said.at,
			BYTES_ARG(want));
	buf_drop(&play->said, end + 1);
}

static void
tls_line(struct play *play)
{
	feed_block(play);
	if (play->step.want != DIALOGUE_WANT_TLS) {
		fail(play, "TLS is not asked for");
		return;
	}
	if (play->said.len > 0)
		fail(play, "said before TLS: %.*s", BYTES_ARG(buf_bytes(&play->said)));
	dialogue_tls_started(play->dialogue, &play->step);
	take_step(play);
}

/* The probe before it must have gone well. */
static void
rest_line(struct play *play)
{
	struct finding finding;

	settle(play);
	if (play->step.want != DIALOGUE_WANT_REST) {
		fail(play, "it is not at rest (stage %s)", stage_name(play->step.stage));
		return;
	}
	dialogue_take_finding(play->dialogue, &finding);
	if (finding.kind != FINDING_DONE || finding.stage != STAGE_DONE)
		fail(play, "it rests, and its finding is %d", (int)finding.kind);
	finding_done(&finding);
}

/* As the owner does: what was heard at rest may have ended it already. */
static void
wake_line(struct play *play, bool may_rest)
{
	settle(play);
	if (play->step.want != DIALOGUE_WANT_REST) {
		fail(play, "there is no session to wake");
		return;
	}
	dialogue_wake(play->dialogue, may_rest, &play->step);
	take_step(play);
}

static void
pause_line(struct play *play)
{
	settle(play);
	if (play->step.want != DIALOGUE_WANT_PAUSE) {
		fail(play, "it does not pause");
		return;
	}
	dialogue_pause_over(play->dialogue, &play->step);
	take_step(play);
}

static void
play_line(struct play *play, struct bytes line)
{
	if (bytes_starts(line, BYTES("S: "))) {
		server_line(play, bytes_from(line, 3));
	} else if (bytes_starts(line, BYTES("C: "))) {
		client_line(play, bytes_from(line, 3));
	} else if (bytes_equal(line, BYTES("TLS"))) {
		tls_line(play);
	} else if (bytes_equal(line, BYTES("held"))) {
		feed_block(play);
		if (play->step.want == DIALOGUE_WANT_LOGIN) {
			dialogue_held(play->dialogue, &play->step);
			take_step(play);
		} else {
			fail(play, "no login to hold");
		}
	} else if (bytes_equal(line, BYTES("rest"))) {
		rest_line(play);
	} else if (bytes_equal(line, BYTES("wake")) || bytes_equal(line, BYTES("wake last"))) {
		wake_line(play, bytes_equal(line, BYTES("wake")));
	} else if (bytes_equal(line, BYTES("pause"))) {
		pause_line(play);
	} else if (bytes_equal(line, BYTES("close"))) {
		settle(play);
		if (play->step.want != DIALOGUE_WANT_END)
			dialogue_closed(play->dialogue, &play->step);
	} else if (bytes_equal(line, BYTES("timeout"))) {
		settle(play);
		if (play->step.want != DIALOGUE_WANT_END) {
			dialogue_timeout(play->dialogue, &play->step);
			take_step(play);
		}
	} else {
		fail(play, "not a line of a transcript: %.*s", BYTES_ARG(line));
	}
}

/* --- the end --- */

static bool
texts_hold(const struct texts *texts, struct bytes words)
{
	for (size_t i = 0; i < texts->count; i++) {
		if (bytes_contains_nocase(bytes_of(texts->items[i]), words))
			return true;
	}
	return false;
}

static void
want_word(struct play *play, struct bytes key, const char *want, const char *got)
{
	if (strcmp(want, got) != 0)
		fail(play, "%.*s=%s, not %s", BYTES_ARG(key), got, want);
}

static void
want_texts(struct play *play, struct bytes key, const char *want, const struct texts *texts)
{
	struct buf all = { 0 };

	for (size_t i = 0; i < texts->count; i++)
		buf_put_format(&all, " / %s", texts->items[i]);
	if (!texts_hold(texts, bytes_of(want)))
		fail(play, "%.*s: \"%s\" is not in%s", BYTES_ARG(key), want,
			all.at ? all.at : " nothing");
	buf_done(&all);
}

static const char *const login_words[LOGIN_COUNT] = {
	[LOGIN_NOT_SENT] = "not_sent",
	[LOGIN_HELD] = "held",
	[LOGIN_ACCEPTED] = "accepted",
	[LOGIN_REFUSED] = "refused",
	[LOGIN_UNJUDGED] = "unjudged",
};

static void
judge_pair(struct play *play, const struct verdict *verdict, struct bytes key, const char *want)
{
	if (bytes_equal(key, BYTES("stage"))) {
		want_word(play, key, want, stage_name(verdict->stage));
	} else if (bytes_equal(key, BYTES("cause"))) {
		want_word(play, key, want, cause_name(verdict->cause));
	} else if (bytes_equal(key, BYTES("transient"))) {
		want_word(play, key, want, verdict->is_transient ? "true" : "false");
	} else if (bytes_equal(key, BYTES("login"))) {
		want_word(play, key, want, login_words[verdict->login]);
	} else if (bytes_equal(key, BYTES("wait"))) {
		char number[32];

		snprintf(number, sizeof(number), "%lld", (long long)(verdict->wait_us / US_PER_MS));
		want_word(play, key, want, number);
	} else if (bytes_equal(key, BYTES("note"))) {
		want_texts(play, key, want, &verdict->notes);
	} else if (bytes_equal(key, BYTES("no-note"))) {
		if (texts_hold(&verdict->notes, bytes_of(want)))
			fail(play, "a note has \"%s\"", want);
	} else if (bytes_equal(key, BYTES("reply"))) {
		want_texts(play, key, want, &verdict->reply);
	} else if (bytes_equal(key, BYTES("no-reply"))) {
		if (texts_hold(&verdict->reply, bytes_of(want)))
			fail(play, "the reply has \"%s\"", want);
	} else if (bytes_equal(key, BYTES("detail"))) {
		if (!bytes_contains_nocase(bytes_of(verdict->detail), bytes_of(want)))
			fail(play, "detail \"%s\" has no \"%s\"",
				verdict->detail ? verdict->detail : "", want);
	} else if (bytes_equal(key, BYTES("suggest"))) {
		struct buf pairs = { 0 };

		for (size_t i = 0; i < verdict->suggest_count; i++)
			buf_put_format(&pairs, "%s%s:%s", i > 0 ? "," : "",
				verdict->suggest[i].setting, verdict->suggest[i].value);
		want_word(play, key, want, pairs.len > 0 ? pairs.at : "none");
		buf_done(&pairs);
	} else if (bytes_equal(key, BYTES("next"))) {
		struct texts next = { 0 };

		if (words_next(verdict->cause, verdict, BYTES("ann"), BYTES("ann@example.com"),
			    &next) == ERR_OK)
			want_texts(play, key, want, &next);
		texts_done(&next);
	} else {
		fail(play, "end: no such key: %.*s", BYTES_ARG(key));
	}
}

/* The secret must not be in anything that leaves (H2-44). */
static void
judge_masking(struct play *play)
{
	struct buf masked = { 0 };

	buf_put(&masked, dialogue_transcript(play->dialogue));
	secret_mask(play->secret, &masked);
	if (!bytes_equal(buf_bytes(&masked), dialogue_transcript(play->dialogue)))
		fail(play, "the transcript shows the secret");
	buf_done(&masked);
}

static void
judge(struct play *play)
{
	struct verdict *verdict = verdict_new();
	struct bytes rest = play->script->end;
	struct finding finding;
	struct bytes key;
	char *value;

	judge_masking(play);
	dialogue_take_finding(play->dialogue, &finding);
	diagnose_finding(play->endpoint, &finding, verdict);
	while (next_pair(&rest, &key, &value)) {
		judge_pair(play, verdict, key, value);
		free(value);
	}
	verdict_free(verdict);
}

/* --- one run --- */

static char *
side_of_path(const char *path)
{
	return bytes_copy(strstr(path, "/imap/") || strncmp(path, "imap/", 5) == 0 ? BYTES("imap")
										   : BYTES("smtp"));
}

static void
play_begin(struct play *play, const struct script *script)
{
	char *folder_side = side_of_path(script->path);
	char *side_word = given(script, "side", folder_side);
	char *security = given(script, "security", "tls");
	char *mechanism = given(script, "mechanism", "auto");
	char *port = given(script, "port", "0");
	char *secret = given(script, "secret", "s3cret-of-ann");
	char *helo = given(script, "helo", HELO);
	char *nonce = given(script, "nonce", NONCE);
	struct dialogue_settings settings = {
		.helo_name = bytes_of(helo), .version = BYTES("0.1.0"), .nonce = bytes_of(nonce)
	};
	enum side side = SIDE_SMTP;
	bool is_well = side_from_name(bytes_of(side_word), &side) == ERR_OK;

	play->script = script;
	play->endpoint = endpoint_new(side);
	free(play->endpoint->username);
	free(play->endpoint->folder);
	play->endpoint->port = (uint16_t)strtoul(port, NULL, 10);
	free(port);
	play->endpoint->username = given(script, "username", "ann@example.com");
	play->endpoint->folder = given(script, "folder", "INBOX");
	play->endpoint->mail_from = given(script, "mail_from", NULL);
	play->endpoint->rcpt_to = given(script, "rcpt_to", NULL);
	play->endpoint->is_select = is_given(script, "select");
	play->endpoint->insecure_auth = is_given(script, "insecure_auth");
	is_well &= security_from_name(bytes_of(security), &play->endpoint->security) == ERR_OK;
	is_well &= mechanism_from_name(bytes_of(mechanism), &play->endpoint->mechanism) == ERR_OK;
	is_well &= secret_new(bytes_of(secret), &play->secret) == ERR_OK;
	settings.endpoint = play->endpoint;
	play->errand = settings.errand = errand_new();
	play->errand->looks_at_last = is_given(script, "last");
	play->errand->message_id = given(script, "sent", NULL);
	play->errand->message = given(script, "message", NULL);
	play->errand->from = given(script, "mail_from", NULL);
	play->errand->to = given(script, "rcpt_to", NULL);
	settings.is_traced = true;
	settings.may_rest = is_given(script, "may_rest");
	is_well &= dialogue_new(&settings, &play->dialogue) == ERR_OK;
	free(folder_side);
	free(side_word);
	free(security);
	free(mechanism);
	free(secret);
	free(helo);
	free(nonce);
	if (!is_well) {
		fprintf(stderr, "%s: cannot be begun\n", script->path);
		exit(1);
	}
	dialogue_start(play->dialogue, &play->step);
	take_step(play);
	if (play->step.want == DIALOGUE_WANT_TLS) {
		dialogue_tls_started(play->dialogue, &play->step);
		take_step(play);
	}
}

static void
play_done(struct play *play)
{
	dialogue_free(play->dialogue);
	endpoint_free(play->endpoint);
	errand_free(play->errand);
	secret_free(play->secret);
	buf_done(&play->block);
	buf_done(&play->said);
}

/* Plays it once; why is "" where all was as it should be. Returns how many bytes the server sent.
 */
static size_t
play_once(const struct script *script, enum cutting cutting, size_t place, char why[1024])
{
	struct play play = { .cutting = cutting, .place = place };
	size_t fed;

	play_begin(&play, script);
	for (size_t i = 0; i < script->count && !play.why[0]; i++)
		play_line(&play, script->lines[i]);
	settle(&play);
	if (play.step.want != DIALOGUE_WANT_END)
		fail(&play, "no end was reached (stage %s)", stage_name(play.step.stage));
	else if (play.said.len > 0)
		fail(&play, "said beyond: %.*s", BYTES_ARG(buf_bytes(&play.said)));
	else
		judge(&play);
	memcpy(why, play.why, sizeof(play.why));
	fed = play.fed;
	play_done(&play);
	return fed;
}

static size_t test_number;
static bool is_all_well = true;

static void
report(const struct script *script, const char *mode, const char *why)
{
	const char *name = strrchr(script->path, '/');

	test_number++;
	printf("%sok %zu - %s, %s\n", why[0] ? "not " : "", test_number,
		name ? name + 1 : script->path, mode);
	if (why[0]) {
		printf("# %s: %s\n", script->path, why);
		is_all_well = false;
	}
	fflush(stdout);
}

static void
play_file(const char *path)
{
	struct script script;
	char why[1024];
	char at[1100];
	size_t fed, step;

	script_read(path, &script);
	fed = play_once(&script, CUT_NOWHERE, 0, why);
	report(&script, "whole", why);
	if (!is_given(&script, "one_segment")) {
		play_once(&script, CUT_BYTES, 0, why);
		report(&script, "byte by byte", why);
		step = fed > MOST_CUTS ? fed / (MOST_CUTS / 64) : 1;
		why[0] = '\0';
		for (size_t place = 1; place < fed && !why[0]; place += step) {
			play_once(&script, CUT_ONCE, place, why);
			if (why[0])
				snprintf(at, sizeof(at), "cut at %zu: %s", place, why);
		}
		report(&script, "cut at every place", why[0] ? at : "");
	}
	buf_done(&script.file);
}

static int
is_transcript(const struct dirent *entry)
{
	return bytes_ends_nocase(bytes_of(entry->d_name), BYTES(".txt"));
}

static void
play_folder(const char *folder)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, is_transcript, alphasort);

	if (count < 0) {
		fprintf(stderr, "%s: cannot be read\n", folder);
		exit(1);
	}
	for (int i = 0; i < count; i++) {
		struct buf path = { 0 };

		buf_put_format(&path, "%s/%s", folder, entries[i]->d_name);
		play_file(path.at);
		buf_done(&path);
		free(entries[i]);
	}
	free(entries);
}

int
main(int argc, char **argv)
{
	const char *source = getenv("srcdir");
	char folder[4096];

	for (int i = 1; i < argc; i++)
		play_file(argv[i]);
	if (argc < 2) {
		snprintf(folder, sizeof(folder), "%s/tests/dialogue/smtp", source ? source : ".");
		play_folder(folder);
		snprintf(folder, sizeof(folder), "%s/tests/dialogue/imap", source ? source : ".");
		play_folder(folder);
	}
	printf("1..%zu\n", test_number);
	return is_all_well ? 0 : 1;
}
