/* test_verdict.c: VERDICT of the contract, and the way back. H2-03, H2-19, H1-23, H1-24, H5-22. */
#include "../unit.h"

#include <jansson.h>
#include <locale.h>
#include <stdlib.h>

#include "facts/verdict.h"

#define TEXT(literal)                                                                              \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}

static void
put_json(struct buf *out, const struct verdict *verdict, bool is_whole)
{
	buf_clear(out);
	verdict_put_json(out, verdict, is_whole, NULL);
	assert_int_equal(buf_err(out), ERR_OK);
}

/* A refused login over TLS, with something in every member. */
static struct verdict *
whole_verdict(void)
{
	struct verdict *verdict = verdict_new();
	struct certificate *certificate;

	assert_non_null(verdict);
	verdict->stage = STAGE_AUTH;
	verdict->cause = CAUSE_BAD_CREDENTIALS;
	verdict->is_transient = true;
	verdict->is_void = true;
	verdict->wait_us = 90 * US_PER_S;
	verdict_detail(verdict, "refused by %s", "LOGIN");
	assert_ok(texts_add(&verdict->reply, BYTES("a2 NO [AUTHENTICATIONFAILED] \"no\""),
		VERDICT_MOST_REPLY_LINES));
	verdict->address = strdup("192.0.2.1");
	verdict->family = FAMILY_IPV4;
	verdict->times_us[STAGE_DNS] = 0;
	verdict->times_us[STAGE_CONNECT] = 1499;
	verdict->times_us[STAGE_TLS] = 1500;
	verdict->times_us[STAGE_AUTH] = 2000999;
	verdict->total_us = 2004000;
	verdict->tls.has_tls = true;
	verdict->tls.is_resumed = true;
	memcpy(verdict->tls.version, "TLSv1.3", 8);
	memcpy(verdict->tls.cipher, "TLS_AES_256_GCM_SHA384", 23);
	certificate = verdict->tls.certificate = certificate_new();
	certificate->subject = strdup("CN=imap.example.com");
	certificate->issuer = strdup("CN=Test");
	assert_ok(texts_add(&certificate->names, BYTES("imap.example.com"), VERDICT_MOST_NAMES));
	certificate->names_more = 3;
	certificate->not_before = (wall_t){ 1750000000 * US_PER_S };
	certificate->not_after = (wall_t){ 1780000000 * US_PER_S };
	memset(certificate->sha256, 0xa5, sizeof(certificate->sha256));
	assert_ok(texts_add(&verdict->capabilities, BYTES("IMAP4rev1"), VERDICT_MOST_CAPABILITIES));
	assert_ok(texts_add(&verdict->capabilities, BYTES("IDLE"), VERDICT_MOST_CAPABILITIES));
	verdict_suggest(verdict, "security", "starttls");
	verdict_suggest(verdict, "port", "143");
	verdict_note(verdict, "the clock is %d s off", 7);
	verdict->advice = text_keep(BYTES("Gmail: Turn on 2-Step Verification."));
	verdict->link = text_keep(BYTES("https://help.example/imap"));
	verdict->began = (wall_t){ 1795512600 * US_PER_S };
	verdict->ended = (wall_t){ 1795512602 * US_PER_S + 4 * US_PER_MS };
	return verdict;
}

#define CERT_JSON                                                                                  \
	"{\"subject\":\"CN=imap.example.com\",\"issuer\":\"CN=Test\","                             \
	"\"names\":[\"imap.example.com\"],\"names_more\":3,"                                       \
	"\"not_before\":\"2025-06-15T15:06:40.000Z\",\"not_after\":\"2026-05-28T20:26:40.000Z\","  \
	"\"sha256\":\"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5\"}"
#define HEAD_JSON                                                                                  \
	"{\"ok\":false,\"stage\":\"auth\",\"cause\":\"bad_credentials\",\"transient\":true,"       \
	"\"detail\":\"refused by LOGIN\","
#define TIMES_JSON                                                                                 \
	"\"address\":\"192.0.2.1\",\"family\":\"ipv4\",\"times_ms\":{\"dns\":0,\"connect\":1,"     \
	"\"tls\":2,\"auth\":2001,\"total\":2004},\"tls\":{\"version\":\"TLSv1.3\","                \
	"\"cipher\":\"TLS_AES_256_GCM_SHA384\","
#define NEXT_JSON                                                                                  \
	"\"suggest\":{\"security\":\"starttls\",\"port\":143},\"next\":[],"                        \
	"\"link\":\"https://help.example/imap\","
#define ADVICE_JSON "\"advice\":\"Gmail: Turn on 2-Step Verification.\","
#define TAIL_JSON                                                                                  \
	"\"notes\":[\"the clock is 7 s off\"],\"began\":\"2026-11-24T09:30:00.000Z\","             \
	"\"ended\":\"2026-11-24T09:30:02.004Z\",\"wait_ms\":90000,\"void\":true}"

static void
test_verdict_json_is_that_of_the_contract(void **state)
{
	static const struct {
		const char *name;
		bool is_whole;
		const char *json;
	} rows[] = {
		{ "whole", true,
			HEAD_JSON
			"\"reply\":[\"a2 NO [AUTHENTICATIONFAILED] \\\"no\\\"\"]," TIMES_JSON
			"\"cert\":" CERT_JSON ",\"resumed\":true},"
			"\"capabilities\":[\"IMAP4rev1\",\"IDLE\"]," NEXT_JSON ADVICE_JSON
				TAIL_JSON },
		{ "for /v1/status", false,
			HEAD_JSON TIMES_JSON "\"resumed\":true}," NEXT_JSON TAIL_JSON },
	};
	struct verdict *verdict = whole_verdict();
	struct buf json = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		put_json(&json, verdict, rows[i].is_whole);
		assert_buf_holds(&json, bytes_of(rows[i].json));
	}
	buf_done(&json);
	verdict_free(verdict);
}

/* H5-22: no locale's comma in a number. */
static void
test_verdict_json_knows_no_locale(void **state)
{
	struct verdict *verdict = whole_verdict();
	struct buf plain = { 0 };
	struct buf local = { 0 };

	put_json(&plain, verdict, true);
	if (!setlocale(LC_ALL, "de_DE.UTF-8"))
		unit_row("de_DE.UTF-8 is not installed here");
	put_json(&local, verdict, true);
	setlocale(LC_ALL, "C");
	assert_bytes_equal(buf_bytes(&local), buf_bytes(&plain));
	buf_done(&plain);
	buf_done(&local);
	verdict_free(verdict);
}

static void
test_verdict_begins_empty(void **state)
{
	struct verdict *verdict = verdict_new();
	struct texts next = { 0 };
	struct buf json = { 0 };

	assert_ok(texts_add(&next, BYTES("Wait."), 8));
	verdict_put_json(&json, verdict, true, &next);
	assert_buf_holds(&json,
		BYTES("{\"ok\":false,\"stage\":\"config\",\"cause\":\"ok\",\"transient\":false,"
		      "\"detail\":null,\"reply\":[],\"address\":null,\"family\":null,"
		      "\"times_ms\":{\"total\":0},\"tls\":null,\"capabilities\":[],\"suggest\":{},"
		      "\"next\":[\"Wait.\"],\"notes\":[],\"began\":null,\"ended\":null}"));
	texts_done(&next);
	buf_done(&json);
	verdict_free(verdict);
	verdict_free(NULL);
}

/* A handshake that failed by its certificate: what we know of it is shown. */
static void
test_verdict_shows_a_certificate_without_tls(void **state)
{
	struct verdict *verdict = whole_verdict();
	struct verdict *back = NULL;
	struct buf json = { 0 };
	json_t *whole;

	verdict->tls.has_tls = false;
	verdict->tls.is_resumed = false;
	put_json(&json, verdict, true);
	whole = json_loadb(json.at, json.len, 0, NULL);
	assert_true(json_is_null(json_object_get(json_object_get(whole, "tls"), "version")));
	assert_true(json_is_object(json_object_get(json_object_get(whole, "tls"), "cert")));
	json_decref(whole);
	assert_ok(verdict_from_json(buf_bytes(&json), &back));
	assert_false(back->tls.has_tls);
	assert_true(back->tls.certificate != NULL);
	verdict_free(back);

	put_json(&json, verdict, false);
	assert_non_null(strstr(json.at, "\"tls\":null"));
	buf_done(&json);
	verdict_free(verdict);
}

/* The times come back to the millisecond, so what is written of them is the same again. */
static void
test_verdict_comes_back_the_same(void **state)
{
	struct verdict *verdict = whole_verdict();
	struct verdict *back = NULL;
	struct buf json = { 0 };
	struct buf again = { 0 };

	put_json(&json, verdict, true);
	assert_ok(verdict_from_json(buf_bytes(&json), &back));
	put_json(&again, back, true);
	assert_bytes_equal(buf_bytes(&again), buf_bytes(&json));
	assert_int_equal(back->times_us[STAGE_CONNECT], 1000);
	assert_int_equal(back->times_us[STAGE_GREETING], -1);
	assert_int_equal(back->login, LOGIN_NOT_SENT);
	verdict_free(verdict);
	verdict_free(back);
	buf_done(&json);
	buf_done(&again);
}

static void
test_verdict_bears_what_servers_say(void **state)
{
	static const struct {
		const char *name;
		struct bytes text;
		const char *json; /* within the quotes */
		const char *back; /* where it comes back as something else: what was no UTF-8 */
	} rows[] = {
		{ .name = "H2-03 NUL",
			.text = TEXT("220 a\0b ESMTP"),
			.json = "220 a\\u0000b ESMTP" },
		{ .name = "H2-03 NUL at both ends",
			.text = TEXT("\0\0a\0"),
			.json = "\\u0000\\u0000a\\u0000" },
		{ .name = "H2-19 GBK",
			.text = TEXT("535 \xc7\xeb\xca\xb9"),
			.json = "535 \\u00c7\\u00eb\xca\xb9",
			.back = "535 \xc3\x87\xc3\xab\xca\xb9" },
		{ .name = "H5-22 quote, backslash, LF",
			.text = TEXT("a\"b\\c\nd"),
			.json = "a\\\"b\\\\c\\nd" },
		{ .name = "H8-06 a direction", .text = TEXT("\xe2\x80\xae"), .json = "\\u202e" },
		{ .name = "empty", .text = TEXT(""), .json = "" },
	};
	struct buf json = { 0 };
	struct buf wanted = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdict *verdict = verdict_new();
		struct verdict *back = NULL;

		unit_row(rows[i].name);
		assert_ok(texts_add(&verdict->reply, rows[i].text, VERDICT_MOST_REPLY_LINES));
		verdict->detail = text_keep(rows[i].text);
		put_json(&json, verdict, true);
		buf_clear(&wanted);
		buf_put_format(&wanted, "\"detail\":\"%s\",\"reply\":[\"%s\"]", rows[i].json,
			rows[i].json);
		assert_non_null(strstr(json.at, wanted.at));

		buf_clear(&wanted);
		assert_ok(verdict_from_json(buf_bytes(&json), &back));
		assert_int_equal(back->reply.count, 1);
		text_put(&wanted, back->reply.items[0]);
		assert_bytes_equal(
			buf_bytes(&wanted), rows[i].back ? bytes_of(rows[i].back) : rows[i].text);
		verdict_free(verdict);
		verdict_free(back);
	}
	buf_done(&json);
	buf_done(&wanted);
}

/* Rows of the store: what a later version adds is passed over, what is not ours is refused (H6-08).
 */
static void
test_verdict_reader_is_strict_about_types_alone(void **state)
{
	static const struct {
		const char *name;
		const char *json;
		enum err err;
	} rows[] = {
		{ "nothing in it", "{}", ERR_OK },
		{ "unknown members", "{\"ok\":true,\"link\":\"x\",\"later\":{\"a\":[1]}}", ERR_OK },
		{ "null", "{\"detail\":null,\"stage\":null,\"tls\":null,\"reply\":null}", ERR_OK },
		{ "tls without members", "{\"tls\":{}}", ERR_OK },
		{ "unknown stage's time", "{\"times_ms\":{\"later\":5}}", ERR_OK },
		{ "empty", "", ERR_SYNTAX },
		{ "no object", "[]", ERR_SYNTAX },
		{ "cut", "{\"ok\":true", ERR_SYNTAX },
		{ "two", "{}{}", ERR_SYNTAX },
		{ "ok a number", "{\"ok\":1}", ERR_SYNTAX },
		{ "ok a word", "{\"ok\":\"true\"}", ERR_SYNTAX },
		{ "stage a number", "{\"stage\":8}", ERR_SYNTAX },
		{ "stage of no list", "{\"stage\":\"login\"}", ERR_SYNTAX },
		{ "cause of no list", "{\"cause\":\"wrong_password\"}", ERR_SYNTAX },
		{ "family of no list", "{\"family\":\"ipx\"}", ERR_SYNTAX },
		{ "reply a string", "{\"reply\":\"535\"}", ERR_SYNTAX },
		{ "reply of numbers", "{\"reply\":[535]}", ERR_SYNTAX },
		{ "reply too long",
			"{\"reply\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\","
			"\"\",\"\",\"\",\"\",\"\"]}",
			ERR_SYNTAX },
		{ "times a list", "{\"times_ms\":[]}", ERR_SYNTAX },
		{ "time with a point", "{\"times_ms\":{\"dns\":1.5}}", ERR_SYNTAX },
		{ "time before its start", "{\"times_ms\":{\"dns\":-1}}", ERR_SYNTAX },
		{ "time too long", "{\"times_ms\":{\"total\":9223372036854775}}", ERR_OK },
		{ "time far too long", "{\"times_ms\":{\"total\":9223372036854776}}", ERR_SYNTAX },
		{ "number beyond 64 bits", "{\"wait_ms\":99999999999999999999}", ERR_SYNTAX },
		{ "tls a word", "{\"tls\":\"TLSv1.3\"}", ERR_SYNTAX },
		{ "version too long", "{\"tls\":{\"version\":\"TLSv1.3.3.3.3\"}}", ERR_SYNTAX },
		{ "cert a list", "{\"tls\":{\"cert\":[]}}", ERR_SYNTAX },
		{ "hash too short", "{\"tls\":{\"cert\":{\"sha256\":\"a5\"}}}", ERR_SYNTAX },
		{ "hash of other letters",
			"{\"tls\":{\"cert\":{\"sha256\":\"zza5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"
			"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5\"}}}",
			ERR_SYNTAX },
		{ "a time of no form", "{\"ended\":\"yesterday\"}", ERR_SYNTAX },
		{ "suggest a list", "{\"suggest\":[]}", ERR_SYNTAX },
		{ "suggest of numbers", "{\"suggest\":{\"port\":143}}", ERR_OK },
		{ "suggest of a port that is none", "{\"suggest\":{\"port\":\"99&\"}}",
			ERR_SYNTAX },
		{ "suggest of groups", "{\"suggest\":{\"port\":{}}}", ERR_SYNTAX },
		{ "bytes that are no UTF-8", "{\"detail\":\"\xff\"}", ERR_SYNTAX },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdict *verdict = NULL;

		unit_row(rows[i].name);
		assert_err_equal(verdict_from_json(bytes_of(rows[i].json), &verdict), rows[i].err);
		assert_int_equal(verdict != NULL, rows[i].err == ERR_OK);
		verdict_free(verdict);
	}
}

static void
test_verdict_lists_are_bounded(void **state)
{
	struct verdict *verdict = verdict_new();
	struct texts *names;

	verdict->tls.certificate = certificate_new();
	names = &verdict->tls.certificate->names;
	for (size_t i = 0; i < VERDICT_MOST_NAMES; i++) /* H1-23 */
		assert_ok(texts_add(names, BYTES("a.example"), VERDICT_MOST_NAMES));
	assert_err_equal(texts_add(names, BYTES("b.example"), VERDICT_MOST_NAMES), ERR_LIMIT);
	assert_int_equal(names->count, VERDICT_MOST_NAMES);

	for (int i = 0; i < 2 * VERDICT_MOST_NOTES; i++)
		verdict_note(verdict, "note %d", i);
	assert_int_equal(verdict->notes.count, VERDICT_MOST_NOTES);
	assert_string_equal(verdict->notes.items[VERDICT_MOST_NOTES - 1], "note 7");

	verdict_suggest(verdict, "security", "tls");
	verdict_suggest(verdict, "port", "993");
	verdict_suggest(verdict, "host", "imap.example.com"); /* no room */
	verdict_suggest(verdict, "security", "starttls");     /* in the first one's place */
	assert_int_equal(verdict->suggest_count, 2);
	assert_string_equal(verdict->suggest[0].value, "starttls");
	assert_string_equal(verdict->suggest[1].setting, "port");
	verdict_free(verdict);
}

static void
test_verdict_detail_may_hold_the_old_one(void **state)
{
	struct verdict *verdict = verdict_new();

	verdict_detail(verdict, "self-signed");
	verdict_detail(verdict, "%s, and expired", verdict->detail);
	assert_string_equal(verdict->detail, "self-signed, and expired");
	verdict_free(verdict);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_verdict_json_is_that_of_the_contract),
	cmocka_unit_test(test_verdict_json_knows_no_locale),
	cmocka_unit_test(test_verdict_begins_empty),
	cmocka_unit_test(test_verdict_shows_a_certificate_without_tls),
	cmocka_unit_test(test_verdict_comes_back_the_same),
	cmocka_unit_test(test_verdict_bears_what_servers_say),
	cmocka_unit_test(test_verdict_reader_is_strict_about_types_alone),
	cmocka_unit_test(test_verdict_lists_are_bounded),
	cmocka_unit_test(test_verdict_detail_may_hold_the_old_one),
};
UNIT_MAIN(tests)
