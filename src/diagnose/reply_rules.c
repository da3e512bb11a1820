/*
 * reply_rules.c: which rule a reply falls under (causes.md, "Reply rules"). Layer: diagnose, pure.
 * Not here: the rules (reply_rules.def), what becomes of a rule's cause (reply_cause.c).
 */
#include "diagnose/reply_rules.h"

const struct reply_rule reply_rules_built_in[] = {
#include "diagnose/reply_rules.def"
};
const size_t reply_rules_built_in_count = COUNT_OF(reply_rules_built_in);

bool
reply_is_temporary(const struct server_reply *reply)
{
	if (reply->status == REPLY_SMTP)
		return reply->code / 100 == 4 || reply->enhanced[0] == 4;
	return bytes_equal(bytes_of(reply->response_code), BYTES("UNAVAILABLE"));
}

/* --- code --- */

/* Takes the piece up to the next of ", |" off *rest; empty at the end. */
static struct bytes
next_of_list(struct bytes *rest)
{
	size_t start = 0, end;
	struct bytes piece;

	while (start < rest->len && memchr(" ,|", rest->at[start], 3))
		start++;
	end = start;
	while (end < rest->len && !memchr(" ,|", rest->at[end], 3))
		end++;
	piece = bytes_first(bytes_from(*rest, start), end - start);
	*rest = bytes_from(*rest, end);
	return piece;
}

/* "535", "5xx" */
static bool
is_reply_code(struct bytes item)
{
	return item.len == 3 && item.at[0] >= '2' && item.at[0] <= '5' &&
	       (bytes_equal(bytes_from(item, 1), BYTES("xx")) ||
		       (byte_is_digit(item.at[1]) && byte_is_digit(item.at[2])));
}

static bool
reply_code_fits(struct bytes item, int code)
{
	if (code / 100 != item.at[0] - '0')
		return false;
	return item.at[1] == 'x' || code % 100 == (item.at[1] - '0') * 10 + (item.at[2] - '0');
}

/* "5.7.139", "5.7.x", "5.x.x" -> its three numbers, -1 for x */
static bool
read_enhanced(struct bytes item, int want[3])
{
	for (size_t i = 0; i < 3; i++) {
		struct bytes part = bytes_first(item, bytes_index(item, '.'));
		uint64_t number = 0;

		if ((i < 2) != (part.len < item.len))
			return false;
		if (bytes_equal(part, BYTES("x")))
			want[i] = -1;
		else if (bytes_to_number(part, 999, &number) == ERR_OK)
			want[i] = (int)number;
		else
			return false;
		item = bytes_from(item, part.len + 1);
	}
	return true;
}

static bool
enhanced_fits(const int want[3], const int enhanced[3])
{
	for (size_t i = 0; i < 3; i++) {
		if (want[i] != enhanced[i] && (want[i] >= 0 || enhanced[0] == 0))
			return false;
	}
	return true;
}

static const struct {
	const char *word;
	enum reply_status status;
} status_words[] = {
	{ "NO", REPLY_NO },
	{ "BAD", REPLY_BAD },
	{ "BYE", REPLY_BYE },
};

static bool
status_of(struct bytes item, enum reply_status *out)
{
	for (size_t i = 0; i < COUNT_OF(status_words); i++) {
		if (bytes_equal_nocase(item, bytes_of(status_words[i].word))) {
			*out = status_words[i].status;
			return true;
		}
	}
	return false;
}

static bool
is_response_code(struct bytes item)
{
	return item.len > 2 && item.at[0] == '[' && item.at[item.len - 1] == ']';
}

static bool
code_item_fits(struct bytes item, const struct server_reply *reply)
{
	bool is_temporary = reply_is_temporary(reply) || reply->status == REPLY_BYE;
	enum reply_status status;
	int want[3];

	if (bytes_equal(item, BYTES("temporary")))
		return is_temporary;
	if (bytes_equal(item, BYTES("permanent")))
		return !is_temporary;
	if (is_reply_code(item))
		return reply->status == REPLY_SMTP && reply_code_fits(item, reply->code);
	if (status_of(item, &status))
		return reply->status == status;
	if (is_response_code(item))
		return bytes_equal_nocase(bytes_first(bytes_from(item, 1), item.len - 2),
			bytes_of(reply->response_code));
	return read_enhanced(item, want) && enhanced_fits(want, reply->enhanced);
}

static bool
code_fits(struct bytes code, const struct server_reply *reply)
{
	while (code.len > 0) {
		size_t len = bytes_index(code, '|');
		struct bytes all = bytes_first(code, len), item;
		bool fits = true;

		while (fits && (item = next_of_list(&all)).len > 0)
			fits = code_item_fits(item, reply);
		if (fits)
			return true;
		code = bytes_from(code, len + 1);
	}
	return false;
}

/* --- stage, provider --- */

static bool
list_has(struct bytes list, struct bytes word)
{
	struct bytes item;

	while ((item = next_of_list(&list)).len > 0) {
		if (bytes_equal_nocase(item, word))
			return true;
	}
	return false;
}

/* name is the domain, or in it. */
static bool
is_in_domain(struct bytes name, struct bytes domain)
{
	if (!bytes_ends_nocase(name, domain))
		return false;
	return name.len == domain.len || name.at[name.len - domain.len - 1] == '.' ||
	       name.at[name.len - domain.len - 1] == '@';
}

static bool
is_called(const struct provider *provider, struct bytes name)
{
	return provider && bytes_equal_nocase(bytes_of(provider->name), name);
}

/* A name is a provider's; with a dot in it, a domain. */
static bool
provider_fits(struct bytes provider, const struct reply_question *question)
{
	if (bytes_index(provider, '.') == provider.len)
		return is_called(question->provider, provider) ||
		       is_called(question->software, provider);
	return is_in_domain(question->host, provider) || is_in_domain(question->username, provider);
}

/* --- rules --- */

static bool
place_fits(const struct reply_rule *rule, const struct reply_question *question)
{
	if (rule->protocol &&
		!bytes_equal_nocase(bytes_of(rule->protocol), bytes_of(side_name(question->side))))
		return false;
	if (rule->stage && !list_has(bytes_of(rule->stage), bytes_of(stage_name(question->stage))))
		return false;
	return !rule->provider || provider_fits(bytes_of(rule->provider), question);
}

static bool
rule_fits(const struct reply_rule *rule, const struct reply_question *question,
	const struct reply_words *words)
{
	return place_fits(rule, question) &&
	       (!rule->code || code_fits(bytes_of(rule->code), question->reply)) &&
	       (!rule->words || reply_words_fit(words, bytes_of(rule->words)));
}

bool
reply_rule_fits(const struct reply_rule *rule, const struct reply_question *question)
{
	struct reply_words words;

	reply_words_read(question->text, &words);
	return rule_fits(rule, question, &words);
}

static const struct reply_rule *
find(const struct reply_rule *rules, size_t count, const struct reply_question *question,
	const struct reply_words *words)
{
	for (size_t i = 0; i < count; i++) {
		if (rule_fits(&rules[i], question, words))
			return &rules[i];
	}
	return NULL;
}

const struct reply_rule *
reply_rules_find(const struct reply_rules *own, const struct reply_question *question)
{
	const struct reply_rule *found = NULL;
	struct reply_words words;

	reply_words_read(question->text, &words);
	if (own)
		found = find(own->items, own->count, question, &words);
	return found ? found
		     : find(reply_rules_built_in, reply_rules_built_in_count, question, &words);
}

/* --- what a rule may say --- */

static const char *
stage_fault(struct bytes list)
{
	struct bytes item;
	enum stage stage;

	while ((item = next_of_list(&list)).len > 0) {
		if (stage_from_name(item, &stage) != ERR_OK || stage < STAGE_TLS)
			return "not a stage at which servers reply";
	}
	return NULL;
}

static const char *
code_fault(struct bytes code)
{
	struct bytes item;
	enum reply_status status;
	int want[3];

	while ((item = next_of_list(&code)).len > 0) {
		if (!is_reply_code(item) && !status_of(item, &status) && !is_response_code(item) &&
			!read_enhanced(item, want) && !bytes_equal(item, BYTES("temporary")) &&
			!bytes_equal(item, BYTES("permanent")))
			return "not a code";
	}
	return NULL;
}

const char *
reply_rule_fault(const struct reply_rule *rule, const char **setting)
{
	enum side side;
	const char *fault = NULL;

	*setting = "protocol";
	if (rule->protocol && side_from_name(bytes_of(rule->protocol), &side) != ERR_OK)
		return "not a protocol";
	*setting = "stage";
	if (rule->stage)
		fault = stage_fault(bytes_of(rule->stage));
	if (!fault) {
		*setting = "code";
		fault = rule->code ? code_fault(bytes_of(rule->code)) : NULL;
	}
	if (!fault) {
		*setting = "words";
		fault = rule->words ? reply_words_fault(bytes_of(rule->words)) : NULL;
	}
	return fault;
}

enum side
reply_rule_side(const struct reply_rule *rule)
{
	if (rule->protocol)
		return bytes_equal_nocase(bytes_of(rule->protocol), BYTES("imap")) ? SIDE_IMAP
										   : SIDE_SMTP;
	return rule->example && byte_is_digit(rule->example[0]) ? SIDE_SMTP : SIDE_IMAP;
}

enum stage
reply_rule_stage(const struct reply_rule *rule)
{
	struct bytes list = bytes_of(rule->stage);
	enum stage stage;

	return stage_from_name(next_of_list(&list), &stage) == ERR_OK ? stage : STAGE_AUTH;
}
