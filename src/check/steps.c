/*
 * steps.c: the steps of a check as they happen, each a line of JSON with words for people. Layer:
 * check.
 *
 * {"step":"review"|"begin"|"stage"|"verdict", …}; the document at the end has no such member.
 */
#include "check/inside.h"

#include "base/escape.h"

/* ---- words */

/* What a stage that went well, or did not, says. %u: the port; %s: the folder. */
static const struct stage_words {
	const char *good;
	const char *bad;
} stage_words[STAGE_COUNT] = {
	[STAGE_CONFIG] = { NULL, "the settings cannot be used" },
	[STAGE_SECRET] = { NULL, "the password could not be had" },
	[STAGE_DNS] = { "the host name resolves", "the host name does not resolve" },
	[STAGE_CONNECT] = { "port %u is reachable", "port %u is not reachable" },
	[STAGE_TLS] = { "TLS begins, and the certificate is good", "TLS does not come about" },
	[STAGE_GREETING] = { "the server greets", "the server does not greet as it should" },
	[STAGE_CAPABILITY] = { "the server says what it can", "the server refuses the session" },
	[STAGE_STARTTLS] = { "port %u offers STARTTLS, as is set",
		"port %u does not begin TLS by STARTTLS" },
	[STAGE_AUTH] = { "the login is accepted", "the login is not accepted" },
	[STAGE_SELECT] = { "the folder %s opens and can be read", "the folder %s does not open" },
	[STAGE_NOOP] = { "the session is well", "the session does not stay" },
	[STAGE_MAIL] = { "the sender is accepted", "the sender is not accepted" },
	[STAGE_RCPT] = { "the recipient is accepted", "the recipient is not accepted" },
	[STAGE_DATA] = { "the message is accepted", "the message is not accepted" },
	[STAGE_DELIVERY] = { "the message arrives", "the message does not arrive" },
};

/* The first proof that port and mode belong together, where TLS comes at once. */
static const struct stage_words tls_words = { "port %u speaks TLS, as is set; the certificate is "
					      "good",
	"TLS at port %u does not come about" };

static void
put_words(struct buf *out, const struct endpoint *endpoint, enum stage stage, bool is_ok)
{
	const struct stage_words *row = stage == STAGE_TLS && endpoint->security == SECURITY_TLS
						? &tls_words
						: &stage_words[stage];
	const char *words = is_ok ? row->good : row->bad;

	for (; *words; words++) {
		if (words[0] != '%') {
			buf_put_byte(out, *words);
			continue;
		}
		words++;
		if (*words == 'u')
			buf_put_number(out, endpoint->port);
		else
			buf_put_string(out, endpoint->folder ? endpoint->folder : "");
	}
}

/* ---- lines */

static void
tell(struct check *check, struct buf *line)
{
	if (buf_err(line) == ERR_OK && check->calls.step)
		check->calls.step(check->owner, buf_bytes(line));
	buf_done(line);
}

static void
put_text(struct buf *out, const char *name, const char *text)
{
	buf_put_format(out, ",\"%s\":", name);
	json_put_text(out, bytes_of(text));
}

static void
begin_line(struct buf *line, const char *step, enum side side)
{
	buf_put_format(line, "{\"step\":\"%s\",\"endpoint\":\"%s\"", step, side_name(side));
}

void
step_review(struct check *check)
{
	struct buf line = { 0 };

	buf_put_string(&line, "{\"step\":\"review\"");
	if (check->name)
		put_text(&line, "name", check->name);
	if (check->address)
		put_text(&line, "address", check->address);
	buf_put_string(&line, ",\"review\":[");
	buf_put(&line, buf_bytes(&check->review));
	buf_put_string(&line, "]}");
	tell(check, &line);
}

void
step_begin(struct check *check, enum side side)
{
	const struct endpoint *endpoint = check->sides[side].endpoint;
	struct buf line = { 0 };

	begin_line(&line, "begin", side);
	put_text(&line, "host", endpoint->host);
	buf_put_format(&line, ",\"port\":%u,\"security\":\"%s\"", endpoint->port,
		security_name(endpoint->security));
	if (endpoint->username)
		put_text(&line, "username", endpoint->username);
	if (side == SIDE_IMAP)
		put_text(&line, "mailbox", endpoint->folder);
	buf_put_byte(&line, '}');
	tell(check, &line);
}

void
step_stage(struct check *check, enum side side, enum stage stage, bool is_ok, int64_t took_us,
	const char *detail)
{
	struct checked *checked = &check->sides[side];
	struct buf line = { 0 }, words = { 0 };

	if (checked->told & 1u << stage || (stage == STAGE_DNS && checked->endpoint->is_address) ||
		(is_ok && !stage_words[stage].good) || (!is_ok && !stage_words[stage].bad))
		return;
	checked->told |= 1u << stage;
	begin_line(&line, "stage", side);
	buf_put_format(
		&line, ",\"stage\":\"%s\",\"ok\":%s", stage_name(stage), is_ok ? "true" : "false");
	put_words(&words, checked->endpoint, stage, is_ok);
	put_text(&line, "text", words.at);
	if (detail && detail[0])
		put_text(&line, "detail", detail);
	if (took_us >= 0)
		buf_put_format(&line, ",\"ms\":%lld", (long long)(took_us / US_PER_MS));
	buf_put_byte(&line, '}');
	line.is_failed |= words.is_failed;
	buf_done(&words);
	tell(check, &line);
}

void
step_verdict(struct check *check, enum side side, const struct verdict *verdict)
{
	struct checked *checked = &check->sides[side];
	struct buf line = { 0 };

	/* What the probe went through and did not say: the last stages. */
	for (enum stage stage = 0; stage < STAGE_COUNT; stage++) {
		if (verdict->times_us[stage] >= 0 && (verdict->is_ok || stage != verdict->stage))
			step_stage(check, side, stage, true, verdict->times_us[stage], NULL);
	}
	if (!verdict->is_ok && verdict->login != LOGIN_HELD) {
		checked->told &= ~(1u << verdict->stage);
		step_stage(check, side, verdict->stage, false, verdict->times_us[verdict->stage],
			NULL);
	}
	begin_line(&line, "verdict", side);
	if (verdict->login == LOGIN_HELD)
		buf_put_string(&line, ",\"held\":true");
	buf_put_string(&line, ",\"verdict\":");
	buf_put(&line, buf_bytes(&checked->verdict));
	buf_put_byte(&line, '}');
	line.is_failed |= checked->verdict.is_failed;
	tell(check, &line);
}
