/*
 * words.c: what people are told: the next steps of a cause, and the sentences of an event. Layer:
 * diagnose, pure. Not here: the line and the JSON around them (facts/alert_render.c), and all
 * escaping, which is done there.
 *
 * msg holds our own words and names alone (contract 6). text is enough on its own: what, which
 * side, since when, the server's words, what to do next.
 */
#include "diagnose/words.h"

#include <stdlib.h>

#define MOST_NEXT 8
#define MOST_TOLD_LINES 3 /* of a reply, within text */

/* --- next steps --- */

/* Is what begins at offset this word, with no letter beside it? */
static bool
is_word_at(struct bytes text, size_t offset, struct bytes word)
{
	struct bytes rest = bytes_from(text, offset);

	return bytes_starts(rest, word) && (offset == 0 || !byte_is_letter(text.at[offset - 1])) &&
	       (rest.len == word.len || !byte_is_letter(rest.at[word.len]));
}

/* Puts a sentence of the table, NAME and ADDRESS put in; where we have none the word stays. */
static void
put_sentence(struct buf *out, struct bytes sentence, struct bytes mailbox, struct bytes address)
{
	for (size_t i = 0; i < sentence.len; i++) {
		if (mailbox.len > 0 && is_word_at(sentence, i, BYTES("NAME"))) {
			buf_put(out, mailbox);
			i += 3;
		} else if (address.len > 0 && is_word_at(sentence, i, BYTES("ADDRESS"))) {
			buf_put(out, address);
			i += 6;
		} else {
			buf_put_byte(out, sentence.at[i]);
		}
	}
}

static enum err
add_sentence(struct texts *out, struct bytes sentence, struct bytes mailbox, struct bytes address)
{
	struct buf text = { 0 };
	enum err err;

	put_sentence(&text, sentence, mailbox, address);
	err = buf_err(&text);
	if (err == ERR_OK)
		err = texts_add(out, buf_bytes(&text), MOST_NEXT);
	buf_done(&text);
	return err == ERR_LIMIT ? ERR_OK : err;
}

/* How long the first sentence of text is: up to a full stop or question mark before a blank, or all
 * of it. */
static size_t
sentence_len(struct bytes text)
{
	for (size_t i = 0; i + 1 < text.len; i++) {
		if ((text.at[i] == '.' || text.at[i] == '?') && text.at[i + 1] == ' ')
			return i + 1;
	}
	return text.len;
}

/* The sentences of the table; those that point to "suggest" only where nothing better was said
 * already. */
static enum err
add_table(enum cause cause, bool is_suggested, struct bytes mailbox, struct bytes address,
	struct texts *out)
{
	struct bytes rest = bytes_of(cause_row(cause)->next);
	enum err err = ERR_OK;

	while (err == ERR_OK && rest.len > 0) {
		size_t len = sentence_len(rest);
		struct bytes sentence = bytes_first(rest, len);

		if (!is_suggested || !bytes_contains_nocase(sentence, BYTES("in suggest")))
			err = add_sentence(out, sentence, mailbox, address);
		rest = bytes_trim(bytes_from(rest, len));
	}
	return err;
}

/* The next steps where suggested and advice (a sentence each, may be empty) come first. */
static enum err
put_next(enum cause cause, struct bytes suggested, struct bytes advice, bool is_helo,
	struct bytes mailbox, struct bytes address, struct texts *out)
{
	struct texts next = { 0 };
	enum err err = ERR_OK;

	if (suggested.len > 0)
		err = texts_add(&next, suggested, MOST_NEXT);
	if (err == ERR_OK && advice.len > 0)
		err = texts_add(&next, advice, MOST_NEXT);
	if (err == ERR_OK && is_helo)
		err = add_sentence(&next,
			BYTES("Set daemon.helo_name to a full host name that resolves."), mailbox,
			address);
	if (err == ERR_OK)
		err = add_table(cause, suggested.len > 0, mailbox, address, &next);
	if (err == ERR_OK && cause_has(cause, CAUSE_RESUME) && !is_helo)
		err = add_sentence(&next, BYTES("When that is done: mboxwatchctl resume NAME"),
			mailbox, address);
	if (err != ERR_OK) {
		texts_done(&next);
		return err;
	}
	texts_done(out);
	*out = next;
	return ERR_OK;
}

enum err
words_next(enum cause cause, const struct verdict *verdict, struct bytes mailbox,
	struct bytes address, struct texts *out)
{
	/* H2-36: the cure is ours, and nothing is to be resumed. */
	bool is_helo =
		verdict && cause == CAUSE_POLICY_BLOCKED && verdict->stage == STAGE_CAPABILITY;
	struct buf suggested = { 0 };
	enum err err;

	if (cause == CAUSE_OK) {
		texts_done(out);
		return ERR_OK;
	}
	if (verdict && verdict->lack == LACK_ADDRESS) { /* H3-20: no descriptors would help */
		texts_done(out);
		return add_sentence(out,
			BYTES("Give this host that address, or set another source_address."),
			mailbox, address);
	}
	if (verdict)
		verdict_put_suggestion(&suggested, verdict);
	err = buf_err(&suggested);
	if (err == ERR_OK)
		err = put_next(cause, buf_bytes(&suggested),
			bytes_of(verdict ? verdict->advice : NULL), is_helo, mailbox, address, out);
	buf_done(&suggested);
	return err;
}

/* --- events: msg --- */

/* Who it is about, as "NAME: "; of a server or domain where there is no mailbox. */
static void
put_subject(struct buf *out, const struct alert *event)
{
	const char *subject = event->mailbox  ? event->mailbox
			      : event->server ? event->server
					      : event->domain;

	if (subject)
		buf_put_format(out, "%s: ", subject);
}

static void
put_time(struct buf *out, const char *words, wall_t time)
{
	if (!wall_is_set(time))
		return;
	buf_put_string(out, words);
	wall_put_s(out, time);
}

static void
put_members(struct buf *out, const struct alert *event)
{
	if (event->members >= 0)
		buf_put_format(out, ", %lld mailbox%s", (long long)event->members,
			event->members == 1 ? "" : "es");
}

static void
put_word(struct buf *out, const char *words, const char *word)
{
	buf_put_string(out, words);
	buf_put_string(out, word ? word : "unknown");
}

/* "certificate ends in 6 days", "… ended" */
static void
put_certificate(struct buf *out, const struct alert *event)
{
	int64_t left_us = event->until.us - event->time.us;
	long long left_days = (long long)(left_us / US_PER_D);

	if (!event->what || strcmp(event->what, "ends") != 0) {
		put_word(out, "certificate ", event->what);
	} else if (!wall_is_set(event->until)) {
		buf_put(out, BYTES("certificate ends soon"));
	} else if (left_us < 0) {
		buf_put(out, BYTES("certificate has ended"));
	} else if (left_days == 0) {
		buf_put(out, BYTES("certificate ends within a day"));
	} else {
		buf_put_format(out, "certificate ends in %lld day%s", left_days,
			left_days == 1 ? "" : "s");
	}
}

static void
put_msg(struct buf *out, const struct alert *event)
{
	put_subject(out, event);
	switch (event->kind) {
	case EVENT_STATE:
		buf_put_string(out, event->state ? event->state : "unknown");
		break;
	case EVENT_CAUSE:
		buf_put_format(out, "%s fails for another cause: %s",
			event->has_endpoint ? side_name(event->endpoint) : "it",
			event->has_cause ? cause_name(event->cause) : "unknown");
		break;
	case EVENT_REMINDER:
		put_word(out, "still ", event->state);
		break;
	case EVENT_OUTAGE:
		buf_put(out, BYTES("outage"));
		put_members(out, event);
		break;
	case EVENT_OUTAGE_END:
		buf_put(out, BYTES("outage over"));
		put_members(out, event);
		break;
	case EVENT_UPLINK:
		buf_put(out, BYTES("uplink: down"));
		break;
	case EVENT_UPLINK_END:
		buf_put(out, BYTES("uplink: up"));
		break;
	case EVENT_FLAPPING:
		buf_put(out, BYTES("flapping"));
		break;
	case EVENT_FLAPPING_END:
		put_word(out, "flapping ended, ", event->state);
		break;
	case EVENT_BRAKE: /* of an account; a server's are halved */
		buf_put_string(out, event->mailbox ? "logins held" : "logins halved");
		put_time(out, " until ", event->until);
		break;
	case EVENT_BRAKE_END:
		buf_put_string(
			out, event->mailbox ? "logins held no longer" : "logins halved no longer");
		break;
	case EVENT_CERT:
		put_certificate(out, event);
		break;
	case EVENT_DELIVERY:
		put_word(out, "delivery ", part_name(event->delivery));
		break;
	case EVENT_ACK:
		buf_put(out, BYTES("acknowledged"));
		break;
	case EVENT_PAUSE:
		buf_put(out, BYTES("paused"));
		put_time(out, " until ", event->until);
		break;
	case EVENT_RESUME:
		buf_put(out, BYTES("resumed"));
		break;
	case EVENT_SILENCE:
		buf_put(out, BYTES("silence"));
		put_time(out, " until ", event->until);
		break;
	case EVENT_UNSILENCE:
		buf_put(out, BYTES("silence over"));
		break;
	case EVENT_START:
		buf_put(out, BYTES("started"));
		put_members(out, event);
		break;
	case EVENT_STOP:
		buf_put(out, BYTES("stopped"));
		break;
	case EVENT_RELOAD:
		buf_put(out, BYTES("reloaded"));
		put_members(out, event);
		break;
	case EVENT_RELOAD_FAILED:
		buf_put(out, BYTES("reload failed, nothing has changed"));
		break;
	case EVENT_TROUBLE:
		put_word(out, "trouble: ", event->trouble);
		break;
	case EVENT_TROUBLE_END:
		put_word(out, "trouble over: ", event->trouble);
		break;
	case EVENT_TEST:
		buf_put(out, BYTES("test"));
		break;
	case EVENT_COUNT:
		break;
	}
}

/* --- events: text --- */

/* What a kind of trouble means to the reader. */
static const char *
trouble_words(const struct alert *event)
{
	static const char *const words[TROUBLE_COUNT] = {
		[TROUBLE_STATE] = "State cannot be written; events are told from memory.",
		[TROUBLE_SINK] = "A place that alerts go to does not take them; they wait.",
		[TROUBLE_LOOP] = "Our own loop is late; verdicts that it spoils are not judged.",
		[TROUBLE_DESCRIPTORS] = "Descriptors run out; fewer probes are made at a time.",
		[TROUBLE_CLOCK] = "This host's clock is wrong; certificates are not judged by it.",
		[TROUBLE_SECRETS] = "Secrets cannot be read.",
		[TROUBLE_SOCKET] = "The status socket's file was gone; it is made anew.",
		[TROUBLE_ADDRESS] =
			("An address of ours cannot be used to connect from; what needs "
			 "it is not judged."),
	};
	enum trouble trouble;

	if (!event->trouble || trouble_from_name(bytes_of(event->trouble), &trouble) != ERR_OK)
		return NULL;
	return words[trouble];
}

/* What became of a certificate, to the reader. */
static const char *
certificate_words(const struct alert *event)
{
	struct bytes what = bytes_of(event->what);

	if (bytes_equal(what, BYTES("ends")))
		return "After that mail programs, and we, refuse to talk to the server.";
	if (bytes_equal(what, BYTES("changed")))
		return "It is valid, and not the old one renewed.";
	return NULL;
}

/* A sentence of its own for kinds that msg alone does not explain. */
static const char *
kind_words(const struct alert *event)
{
	switch (event->kind) {
	case EVENT_UPLINK:
		return "Our own network or resolver is down; no mailbox is judged while it is.";
	case EVENT_UPLINK_END:
		return "Our own network is up again; mailboxes are probed and judged as before.";
	case EVENT_FLAPPING:
		return "Its state changes too often to be told each time; it is told when it has "
		       "settled.";
	case EVENT_BRAKE:
		return event->mailbox
			       ? "Logins were refused, and no more are tried until then; probes go "
				 "up to the login."
			       : "The server says that there are too many: its logins_per_minute "
				 "is "
				 "halved until then.";
	case EVENT_BRAKE_END:
		return event->mailbox ? "Logins are made again."
				      : "As many logins are made there as before.";
	case EVENT_OUTAGE:
		return "Its mailboxes are not told singly while this lasts.";
	case EVENT_CERT:
		return certificate_words(event);
	case EVENT_TROUBLE:
		return trouble_words(event);
	case EVENT_PAUSE:
		return "Meanwhile it is neither probed nor told about.";
	case EVENT_TEST:
		return "Alerts reach this place.";
	default:
		return NULL;
	}
}

static bool
is_told_with_cause(const struct alert *event)
{
	return event->has_cause && event->cause != CAUSE_OK;
}

/* "IMAP at imap.example.com has been failing since …: what it means (cause, at stage)." */
static void
put_cause(struct buf *out, const struct alert *event)
{
	const struct cause_row *row = cause_row(event->cause);

	buf_put_byte(out, ' ');
	if (event->has_endpoint)
		buf_put_string(out, event->endpoint == SIDE_SMTP ? "SMTP" : "IMAP");
	else
		buf_put(out, BYTES("The login"));
	if (event->server && event->mailbox)
		buf_put_format(out, " at %s", event->server);
	buf_put(out, BYTES(" fails"));
	put_time(out, " since ", event->since);
	buf_put_format(out, " (%s, at %s): %s", row->word, stage_name(event->stage), row->means);
	if (event->is_transient)
		buf_put(out, BYTES(" It may pass by itself."));
}

/* What a person asked for: the detail begins with who. */
static bool
is_asked_for(enum event_kind kind)
{
	return kind == EVENT_ACK || kind == EVENT_PAUSE || kind == EVENT_RESUME ||
	       kind == EVENT_SILENCE || kind == EVENT_UNSILENCE;
}

/* Our own details begin small, for the line's sake; a path or a number is left as it is. */
static void
put_sentence_begin(struct buf *out, struct bytes text)
{
	size_t word = 0;

	while (word < text.len && byte_is_letter(text.at[word]))
		word++;
	if (word == 0 || word == text.len || text.at[word] != ' ' || text.at[0] < 'a') {
		buf_put(out, text);
		return;
	}
	buf_put_byte(out, (char)(text.at[0] - 'a' + 'A'));
	buf_put(out, bytes_from(text, 1));
}

static void
put_detail(struct buf *out, const struct alert *event)
{
	struct bytes detail = bytes_of(event->detail);

	if (detail.len == 0)
		return;
	if (is_told_with_cause(event))
		buf_put_format(out, " Detail: %s", event->detail);
	else if (is_asked_for(event->kind))
		buf_put_format(out, " By %s", event->detail);
	else {
		buf_put_byte(out, ' ');
		put_sentence_begin(out, detail);
	}
	if (!strchr(".!?", detail.at[detail.len - 1]))
		buf_put_byte(out, '.');
}

/* The server's words, or what stands in for them. */
static void
put_outside(struct buf *out, const struct alert *event)
{
	put_detail(out, event);
	if (event->reply.count == 0)
		return;
	buf_put(out, BYTES(" The server said:"));
	for (size_t i = 0; i < event->reply.count && i < MOST_TOLD_LINES; i++)
		buf_put_format(out, "%s \"%s\"", i > 0 ? "," : "", event->reply.items[i]);
	if (event->reply.count > MOST_TOLD_LINES)
		buf_put(out, BYTES(", …"));
	buf_put_byte(out, '.');
}

static void
put_text(struct buf *out, const struct alert *event)
{
	const char *words = kind_words(event);

	put_msg(out, event);
	if (event->kind == EVENT_STATE && event->was)
		buf_put_format(out, " (was: %s)", event->was);
	if (event->kind == EVENT_CERT)
		put_time(out, ", valid until ", event->until);
	/* Of a failing endpoint the time stands beside it, further on. */
	if (!is_told_with_cause(event))
		put_time(out, " since ", event->since);
	buf_put_byte(out, '.');
	if (words)
		buf_put_format(out, " %s", words);
	if (is_told_with_cause(event))
		put_cause(out, event);
	put_outside(out, event);
	for (size_t i = 0; i < event->next.count; i++)
		buf_put_format(out, "%s %s", i == 0 ? " Next:" : "", event->next.items[i]);
	if (event->link)
		buf_put_format(out, " See %s", event->link);
}

static enum err
set_text(char **text, void (*put)(struct buf *, const struct alert *), const struct alert *event)
{
	struct buf out = { 0 };
	char *made;

	put(&out, event);
	made = buf_take(&out);
	if (!made)
		return ERR_MEMORY;
	free(*text);
	*text = made;
	return ERR_OK;
}

enum err
words_event(struct alert *event)
{
	enum err err = ERR_OK;

	if (is_told_with_cause(event) && event->next.count == 0)
		err = put_next(event->cause, bytes_of(event->suggested), bytes_of(event->advice),
			false, bytes_of(event->mailbox), bytes_of(event->address), &event->next);
	if (event->kind == EVENT_CERT && event->next.count == 0 &&
		bytes_equal(bytes_of(event->what), BYTES("ends")))
		err = texts_add(
			&event->next, BYTES("Renew it, or tell the server's admin."), MOST_NEXT);
	if (err == ERR_OK)
		err = set_text(&event->msg, put_msg, event);
	if (err == ERR_OK)
		err = set_text(&event->text, put_text, event);
	return err;
}
