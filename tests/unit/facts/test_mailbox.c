/* test_mailbox.c: names, the words of states, sites and accounts. H4-26, H7-16. */
#include "../unit.h"

#include "facts/mailbox.h"

#define LETTERS_32 "abcdefghijklmnopqrstuvwxyz012345"
#define TEXT(literal)                                                                              \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}

static void
test_mailbox_names_are_those_of_the_contract(void **state)
{
	static const struct {
		const char *name;
		struct bytes text;
		bool is_valid;
	} rows[] = {
		{ "a word", TEXT("support"), true },
		{ "an address", TEXT("ann.b+c@mail-1.example.com"), true },
		{ "a digit first", TEXT("1and1"), true },
		{ "_ first", TEXT("_ops"), true },
		{ "one letter", TEXT("A"), true },
		{ "dots inside", TEXT("a..b"), true },
		{ "64 bytes", TEXT(LETTERS_32 LETTERS_32), true },
		{ "H4-26 65 bytes", TEXT(LETTERS_32 LETTERS_32 "x"), false },
		{ "H4-26 empty", TEXT(""), false },
		{ "H4-26 - first", TEXT("-x"), false },
		{ "H4-26 .", TEXT("."), false },
		{ "H4-26 ..", TEXT(".."), false },
		{ ". first", TEXT(".a"), false },
		{ "@ first", TEXT("@example.com"), false },
		{ "H4-26 a/b", TEXT("a/b"), false },
		{ "H4-26 a letter beyond ASCII", TEXT("\xc3\xbc"), false },
		{ "blank", TEXT("a b"), false },
		{ "NUL", TEXT("a\0b"), false },
		{ "LF behind", TEXT("a\n"), false },
		{ "= and quote", TEXT("a=\"b"), false },
		{ "colon, as selectors have", TEXT("state:ok"), false },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		assert_int_equal(mailbox_name_is_valid(rows[i].text), rows[i].is_valid);
	}
}

static void
test_mailbox_state_reads_as_in_the_contract(void **state)
{
	static const struct {
		const char *name;
		enum part parts[SIDE_COUNT];
		struct bytes words;
		enum part class;
	} rows[] = {
		{ "both ok", { PART_OK, PART_OK }, TEXT("ok"), PART_OK },
		{ "both unknown", { PART_UNKNOWN, PART_UNKNOWN }, TEXT("unknown"), PART_UNKNOWN },
		{ "paused", { PART_PAUSED, PART_PAUSED }, TEXT("paused"), PART_PAUSED },
		{ "paused, one side", { PART_NONE, PART_PAUSED }, TEXT("paused"), PART_PAUSED },
		{ "both failing", { PART_FAILING, PART_FAILING },
			TEXT("smtp failing, imap failing"), PART_FAILING },
		{ "one fails", { PART_OK, PART_FAILING }, TEXT("smtp ok, imap failing"),
			PART_FAILING },
		{ "one unknown", { PART_UNKNOWN, PART_OK }, TEXT("smtp unknown, imap ok"),
			PART_UNKNOWN },
		{ "failing before unknown", { PART_UNKNOWN, PART_FAILING },
			TEXT("smtp unknown, imap failing"), PART_FAILING },
		{ "smtp alone", { PART_OK, PART_NONE }, TEXT("smtp ok"), PART_OK },
		{ "imap alone", { PART_NONE, PART_FAILING }, TEXT("imap failing"), PART_FAILING },
		{ "imap alone, unknown", { PART_NONE, PART_UNKNOWN }, TEXT("imap unknown"),
			PART_UNKNOWN },
	};
	struct buf words = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		mailbox_state_put(&words, rows[i].parts);
		assert_buf_holds(&words, rows[i].words);
		assert_int_equal(mailbox_state_class(rows[i].parts), rows[i].class);
	}
	buf_done(&words);
}

static void
test_mailbox_site_is_the_registrable_domain(void **state)
{
	static const struct {
		const char *name;
		struct bytes host;
		struct bytes site;
	} rows[] = {
		{ "a name", TEXT("imap.example.com"), TEXT("example.com") },
		{ "H7-16 the other side", TEXT("smtp.example.com"), TEXT("example.com") },
		{ "H7-16 case and final dot", TEXT("IMAP.example.com."), TEXT("example.com") },
		{ "H7-16 mail.a.co.uk", TEXT("mail.a.co.uk"), TEXT("a.co.uk") },
		{ "H7-16 mail.b.co.uk", TEXT("mail.b.co.uk"), TEXT("b.co.uk") },
		{ "the domain itself", TEXT("example.com"), TEXT("example.com") },
		{ "deep", TEXT("a.b.c.example.com"), TEXT("example.com") },
		{ "A-label", TEXT("imap.xn--bcher-kva.example"), TEXT("xn--bcher-kva.example") },
		{ "a public suffix", TEXT("co.uk"), TEXT("co.uk") },
		{ "one label", TEXT("LOCALHOST"), TEXT("localhost") },
		{ "IPv4", TEXT("192.0.2.7"), TEXT("192.0.2.7") },
		{ "IPv6", TEXT("2001:DB8:0::7"), TEXT("2001:db8::7") },
		{ "IPv6 with a zone", TEXT("fe80::1%eth0"), TEXT("fe80::1%eth0") },
		{ "a dot alone", TEXT("."), TEXT(".") },
		{ "empty", TEXT(""), TEXT("") },
		{ "none at all", { NULL, 0 }, TEXT("") },
	};
	struct buf site = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		assert_ok(site_of_host(rows[i].host, &site));
		assert_buf_holds(&site, rows[i].site);
	}
	buf_done(&site);
}

static void
test_mailbox_account_is_user_and_site(void **state)
{
	static const struct {
		const char *name;
		struct bytes username;
		struct bytes host;
		struct bytes key;
	} rows[] = {
		{ "an address", TEXT("ann@example.com"), TEXT("imap.example.com"),
			TEXT("ann@example.com\0example.com") },
		{ "H7-16 case, other side", TEXT("Ann@Example.COM"), TEXT("SMTP.example.com."),
			TEXT("ann@example.com\0example.com") },
		{ "H7-16 another site", TEXT("ann"), TEXT("mail.b.co.uk"), TEXT("ann\0b.co.uk") },
		{ "letters beyond ASCII", TEXT("M\xc3\x9cLLER"), TEXT("example.com"),
			TEXT("m\xc3\xbcller\0example.com") },
		{ "the same, decomposed", TEXT("MU\xcc\x88LLER"), TEXT("example.com"),
			TEXT("m\xc3\xbcller\0example.com") },
		{ "H2-12 I is i in every locale", TEXT("INFO"), TEXT("example.com"),
			TEXT("info\0example.com") },
		{ "no UTF-8: ASCII alone", TEXT("M\xdcLLER"), TEXT("example.com"),
			TEXT("m\xdcller\0example.com") },
		{ "no user name", TEXT(""), TEXT("example.com"), TEXT("\0example.com") },
		{ "at an address", TEXT("Ann"), TEXT("192.0.2.7"),
			TEXT("ann\0"
			     "192.0.2.7") },
	};
	struct buf key = { 0 };

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unit_row(rows[i].name);
		assert_ok(account_key(rows[i].username, rows[i].host, &key));
		assert_buf_holds(&key, rows[i].key);
	}
	buf_done(&key);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_mailbox_names_are_those_of_the_contract),
	cmocka_unit_test(test_mailbox_state_reads_as_in_the_contract),
	cmocka_unit_test(test_mailbox_site_is_the_registrable_domain),
	cmocka_unit_test(test_mailbox_account_is_user_and_site),
};
UNIT_MAIN(tests)
