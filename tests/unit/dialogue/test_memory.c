/*
 * test_memory.c: the nth allocation of a dialogue fails, n growing until none does (H6-19): the
 * verdict is local_limit, or what it would have been; nothing between, and no secret in it.
 */
#include "../unit.h"

#include "../fault.h"

#include "diagnose/diagnose.h"
#include "dialogue/dialogue.h"

#define SECRET "s3cret-of-ann"

static const struct talk {
	const char *name;
	enum side side;
	enum security security;
	enum mechanism mechanism;
	struct bytes says[12]; /* the server, a piece a turn */
	enum cause cause;
	enum stage stage;
} talks[] = {
	{ "SMTP, STARTTLS, PLAIN, envelope refused", SIDE_SMTP, SECURITY_STARTTLS, MECHANISM_AUTO,
		{ BYTES("220 mx ESMTP\r\n"), BYTES("250-mx\r\n250 STARTTLS\r\n"),
			BYTES("220 go on\r\n"), BYTES("250-mx\r\n250-SIZE 9\r\n250 AUTH PLAIN\r\n"),
			BYTES("235 ok\r\n"), BYTES("250 ok\r\n"), BYTES("250 ok\r\n"),
			BYTES("550-5.1.1 nobody\r\n550 5.1.1 here\r\n") },
		CAUSE_RECIPIENT_REJECTED, STAGE_RCPT },
	{ "SMTP, LOGIN, refused with the secret", SIDE_SMTP, SECURITY_TLS, MECHANISM_LOGIN,
		{ BYTES("220 mx\r\n"), BYTES("250 AUTH=LOGIN\r\n"), BYTES("334 VXNlcm5hbWU6\r\n"),
			BYTES("334 UGFzc3dvcmQ6\r\n"), BYTES("535 5.7.8 not " SECRET "\r\n") },
		CAUSE_BAD_CREDENTIALS, STAGE_AUTH },
	{ "SMTP, PLAIN, refused, and the words say why", SIDE_SMTP, SECURITY_TLS, MECHANISM_PLAIN,
		{ BYTES("220 mx\r\n"), BYTES("250 AUTH PLAIN\r\n"),
			BYTES("535-5.7.8 Too many login attempts,\r\n535 5.7.8 try later\r\n") },
		CAUSE_RATE_LIMITED, STAGE_AUTH },
	{ "SMTP, cut off in a refusal", SIDE_SMTP, SECURITY_TLS, MECHANISM_PLAIN,
		{ BYTES("554-5.7.1 client host blocked by our list\r\n554-5.7.1 see") },
		CAUSE_IP_BLOCKED, STAGE_GREETING },
	{ "SMTP, CRAM-MD5, accepted", SIDE_SMTP, SECURITY_TLS, MECHANISM_CRAM_MD5,
		{ BYTES("220 mx\r\n"), BYTES("250 AUTH CRAM-MD5\r\n"),
			BYTES("334 PDE4OTYuNjk3MUB4Pg==\r\n"), BYTES("235 ok\r\n"),
			BYTES("250 ok\r\n"), BYTES("250 ok\r\n"), BYTES("250 ok\r\n"),
			BYTES("250 ok\r\n") },
		CAUSE_OK, STAGE_DONE },
	{ "SMTP, SCRAM, a lie", SIDE_SMTP, SECURITY_TLS, MECHANISM_SCRAM_SHA_256,
		{ BYTES("220 mx\r\n"), BYTES("250 AUTH SCRAM-SHA-256\r\n"),
			BYTES("334 cj1yT3ByTkdmd0ViZVJXZ2JORWtxT3gscz1RU1hDUitRNnNlazhiZjkyLGk9NDA5"
			      "Ng==\r\n"),
			BYTES("334 dj1BQUFB\r\n") },
		CAUSE_PROTOCOL_ERROR, STAGE_AUTH },
	{ "SMTP, another protocol", SIDE_SMTP, SECURITY_NONE, MECHANISM_AUTO,
		{ BYTES("SSH-2.0-OpenSSH_9.2p1\r\n") }, CAUSE_WRONG_PROTOCOL, STAGE_GREETING },
	{ "IMAP, PLAIN, all well", SIDE_IMAP, SECURITY_TLS, MECHANISM_PLAIN,
		{ BYTES("* OK [CAPABILITY IMAP4rev1 ID SASL-IR AUTH=PLAIN] ready\r\n"),
			BYTES("* ID NIL\r\na1 OK done\r\n"), BYTES("a2 OK [CAPABILITY X] in\r\n"),
			BYTES("* 3 EXISTS\r\n* LIST (\\X) \"/\" {3}\r\na b\r\na3 OK done\r\n"),
			BYTES("* OK [ALERT] soon full\r\na4 OK done\r\n") },
		CAUSE_OK, STAGE_DONE },
	{ "IMAP, LOGIN, refused", SIDE_IMAP, SECURITY_STARTTLS, MECHANISM_AUTO,
		{ BYTES("* OK hello\r\n"), BYTES("* CAPABILITY IMAP4rev1 STARTTLS\r\na1 OK x\r\n"),
			BYTES("a2 OK go on\r\n"), BYTES("* CAPABILITY IMAP4rev1\r\na3 OK x\r\n"),
			BYTES("* OK [ALERT] call " SECRET
			      "\r\na4 NO [AUTHENTICATIONFAILED] no\r\n") },
		CAUSE_BAD_CREDENTIALS, STAGE_AUTH },
	{ "IMAP, refused, and an alert says why", SIDE_IMAP, SECURITY_TLS, MECHANISM_PLAIN,
		{ BYTES("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"),
			BYTES("* NO [ALERT] Too many simultaneous connections\r\n"
			      "a1 NO [ALERT] Login failed\r\n") },
		CAUSE_TOO_MANY_CONNECTIONS, STAGE_AUTH },
	{ "IMAP, no such folder", SIDE_IMAP, SECURITY_TLS, MECHANISM_PLAIN,
		{ BYTES("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\r\n"),
			BYTES("a1 OK in\r\n"), BYTES("a2 NO [NONEXISTENT] it is not there\r\n") },
		CAUSE_FOLDER_MISSING, STAGE_SELECT },
	{ "IMAP, BYE", SIDE_IMAP, SECURITY_TLS, MECHANISM_AUTO,
		{ BYTES("* BYE [UNAVAILABLE] too many connections\r\n") },
		CAUSE_TOO_MANY_CONNECTIONS, STAGE_GREETING },
};

struct end {
	enum cause cause;
	enum stage stage;
	enum login login;
	bool is_transient;
};

static struct endpoint *
endpoint_of(const struct talk *talk)
{
	struct endpoint *endpoint = endpoint_new(talk->side);

	assert_non_null(endpoint);
	endpoint->security = talk->security;
	endpoint->mechanism = talk->mechanism;
	endpoint->insecure_auth = true;
	free(endpoint->username);
	free(endpoint->folder);
	endpoint->username = strdup("ann");
	endpoint->folder = strdup("Entw\xc3\xbcrfe");
	endpoint->mail_from = strdup("ann@example.com");
	endpoint->rcpt_to = strdup("bob@example.com");
	return endpoint;
}

/* With allocations failing as they are set to fail. */
static void
go_on(struct dialogue *dialogue, struct secret *secret, const struct talk *talk, size_t *turn,
	struct dialogue_step *step)
{
	struct digest salted = { { 0 } };

	switch (step->want) {
	case DIALOGUE_WANT_TLS:
		dialogue_tls_started(dialogue, step);
		return;
	case DIALOGUE_WANT_LOGIN:
		dialogue_login(dialogue, secret, step);
		return;
	case DIALOGUE_WANT_KEY:
		dialogue_key(dialogue, &salted, step);
		return;
	default:
		break;
	}
	if (*turn < COUNT_OF(talk->says) && talk->says[*turn].len > 0)
		dialogue_receive(dialogue, talk->says[(*turn)++], step);
	else
		dialogue_closed(dialogue, step);
}

static void
shows_no_secret(struct bytes text)
{
	for (size_t i = 0; i + sizeof(SECRET) - 1 <= text.len; i++)
		assert_false(bytes_starts(bytes_from(text, i), BYTES(SECRET)));
}

static void
judge(const struct endpoint *endpoint, struct dialogue *dialogue, struct end *end)
{
	struct verdict *verdict = verdict_new();
	struct finding finding;

	assert_non_null(verdict);
	shows_no_secret(dialogue_transcript(dialogue));
	fault_on();
	dialogue_take_finding(dialogue, &finding);
	diagnose_finding(endpoint, &finding, verdict);
	fault_off();
	*end = (struct end){ verdict->cause, verdict->stage, verdict->login,
		verdict->is_transient };
	for (size_t i = 0; i < verdict->reply.count; i++)
		shows_no_secret(bytes_of(verdict->reply.items[i]));
	if (verdict->detail)
		shows_no_secret(bytes_of(verdict->detail));
	verdict_free(verdict);
}

/* False: it was not even begun. */
static bool
run(const struct talk *talk, struct end *end)
{
	struct endpoint *endpoint = endpoint_of(talk);
	const struct dialogue_settings settings = { .endpoint = endpoint,
		.helo_name = BYTES("watch.example.net"),
		.version = BYTES("0.1.0"),
		.nonce = BYTES("rOprNGfwEbeRWgbNEkqO"),
		.is_traced = true };
	struct dialogue *dialogue = NULL;
	struct dialogue_step step;
	struct secret *secret;
	size_t turn = 0;
	enum err err;

	assert_ok(secret_new(BYTES(SECRET), &secret));
	fault_on();
	err = dialogue_new(&settings, &dialogue);
	if (err == ERR_OK) {
		dialogue_start(dialogue, &step);
		while (step.want != DIALOGUE_WANT_END)
			go_on(dialogue, secret, talk, &turn, &step);
	}
	fault_off();
	if (err == ERR_OK)
		judge(endpoint, dialogue, end);
	else
		assert_err_equal(err, ERR_MEMORY);
	dialogue_free(dialogue);
	secret_free(secret);
	endpoint_free(endpoint);
	return err == ERR_OK;
}

static void
test_dialogue_bears_each_allocation_that_fails_H6_19(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(talks); i++) {
		struct fault_loop loop;
		struct end well = { 0 }, end;

		unit_row(talks[i].name);
		for (fault_begin(&loop); fault_next(&loop);) {
			if (!run(&talks[i], &end))
				continue;
			if (loop.at == 0) {
				well = end;
				assert_string_equal(
					cause_name(well.cause), cause_name(talks[i].cause));
				assert_string_equal(
					stage_name(well.stage), stage_name(talks[i].stage));
			}
			if (end.cause == CAUSE_LOCAL_LIMIT)
				continue;
			if (end.cause != well.cause || end.stage != well.stage ||
				end.login != well.login || end.is_transient != well.is_transient)
				fail_msg("allocation %lu%s: %s/%s, not %s/%s", loop.at,
					loop.is_lasting ? " on" : "", cause_name(end.cause),
					stage_name(end.stage), cause_name(well.cause),
					stage_name(well.stage));
		}
		print_message("# %lu turns: %s/%s\n", loop.turns, cause_name(well.cause),
			stage_name(well.stage));
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_dialogue_bears_each_allocation_that_fails_H6_19),
};

UNIT_MAIN(tests)
