/*
 * test_folder_guess.c: which folder is meant, over lists of real servers.
 */
#include "../unit.h"

#include "diagnose/folder_guess.h"

/* A list in short: "delimiter names…", a name with ! is a container, with ? unsound, with $ \Sent,
 * with % \Junk. */
static void
make(const char *list, struct folders *out)
{
	struct bytes rest = bytes_from(bytes_of(list), 1);

	while (rest.len > 0) {
		size_t end = bytes_index(rest, ',');
		struct folder folder = { .delimiter = list[0] };
		char name[1024];
		size_t len = end;

		for (bool is_mark = true; is_mark && len > 0;) {
			char last = rest.at[len - 1];

			folder.is_container |= last == '!';
			folder.is_name_unsound |= last == '?';
			if (last == '$' || last == '%')
				folder.use = last == '$' ? FOLDER_USE_SENT : FOLDER_USE_JUNK;
			is_mark = strchr("!?$%", last) != NULL;
			len -= is_mark;
		}
		assert_true(len < sizeof(name));
		memcpy(name, rest.at, len);
		name[len] = '\0';
		folder.name = name;
		assert_int_equal(folders_add(out, &folder), ERR_OK);
		rest = bytes_from(rest, end + 1);
	}
}

#define CPANEL ".INBOX,INBOX.Sent$,INBOX.spam%,INBOX.Trash"
#define GMAIL "/INBOX,[Gmail]!,[Gmail]/All Mail,[Gmail]/Spam%,[Gmail]/Sent Mail$"
#define OUTLOOK "/INBOX,Archiv,Gesendete Elemente,Junk-E-Mail,Entwürfe"

static void
test_the_likeliest_of_a_list(void **state)
{
	static const struct {
		const char *name, *wanted, *list, *guess;
	} rows[] = {
		{ "INBOX as prefix, cPanel", "Sent", CPANEL, "INBOX.Sent" },
		{ "the other way round", "INBOX.Sent", "/INBOX,Sent$,Drafts", "Sent" },
		{ "another delimiter", "INBOX/Sent", CPANEL, "INBOX.Sent" },
		{ "two levels", "Work/2026", "/INBOX,INBOX.Work.2026,INBOX/Work", NULL },
		{ "two levels, dots", "Work/2026", ".INBOX,INBOX.Work,INBOX.Work.2026",
			"INBOX.Work.2026" },
		{ "capitals", "sent", "/INBOX,Sent", "Sent" },
		{ "capitals beyond ASCII", "ENTWÜRFE", OUTLOOK, "Entwürfe" },
		{ "capitals, Cyrillic", "входящие письма", "/Входящие Письма", "Входящие Письма" },
		{ "capitals, Polish", "wysŁane", "/Wysłane", "Wysłane" },
		{ "Gmail, by level", "Sent Mail", GMAIL, "[Gmail]/Sent Mail" },
		{ "Gmail, by use", "Sent", GMAIL, "[Gmail]/Sent Mail" },
		{ "Gmail, Spam for Junk", "Junk", GMAIL, "[Gmail]/Spam" },
		{ "a container is none", "[Gmail]", GMAIL, NULL },
		{ "German by English", "Sent Items", OUTLOOK, "Gesendete Elemente" },
		{ "English by German", "Gesendet", "/INBOX,Sent", "Sent" },
		{ "French", "Envoyés", ".INBOX,INBOX.Sent", "INBOX.Sent" },
		{ "French, as it is listed", "Sent", "/INBOX,Éléments envoyés",
			"Éléments envoyés" },
		{ "Italian", "Sent", "/INBOX,Posta inviata", "Posta inviata" },
		{ "the inbox in German", "Posteingang", OUTLOOK, "INBOX" },
		{ "the inbox is not below it", "Posteingang", "/INBOX/Inbox", NULL },
		{ "the flag before the name", "Junk", "/INBOX,Spam,Verdacht%", "Verdacht" },
		{ "flagged for something else", "Junk", "/INBOX,Spam$", NULL },
		{ "a letter swapped", "INBXO", "/INBOX,Sent", "INBOX" },
		{ "a letter left out", "Achive", "/INBOX,Archive", "Archive" },
		{ "three letters", "Rexhnunken 2205", "/INBOX,Rechnungen 2025", NULL },
		{ "two letters", "Rechnunken 2026x", "/INBOX,Rechnungen 2026", "Rechnungen 2026" },
		{ "two letters of a short name", "Sand", "/INBOX,Set", NULL },
		{ "the nearer one", "Suport", "/Report,Support,Export", "Support" },
		{ "near, below INBOX", "Suport", ".INBOX,INBOX.Support", "INBOX.Support" },
		{ "one letter says nothing", "AB", "/AC", NULL },
		{ "nothing alike", "Nowhere", CPANEL, NULL },
		{ "H2-32", "Sent", "/INBOX,Sent Items?$", NULL },
		{ "Noselect", "Sent", "/INBOX,sent!", NULL },
		{ "listed itself, a container", "Work", ".Work!,INBOX.Work", "INBOX.Work" },
		{ "listed itself", "Sent", "/Sent,sent", NULL },
		{ "an empty list", "Sent", "/", NULL },
		{ "an empty name", "", CPANEL, NULL },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct folders folders = { 0 };
		const struct folder *guess;

		unit_row(rows[i].name);
		make(rows[i].list, &folders);
		guess = folder_guess(bytes_of(rows[i].wanted), &folders);
		assert_string_equal(
			guess ? guess->name : "none", rows[i].guess ? rows[i].guess : "none");
		folders_done(&folders);
	}
}

/* H2-32: whatever the bytes, and however long. */
static void
test_long_and_broken_names(void **state)
{
	static const char *const names[] = { "\xc3", "\xe2\x82", "\xf0\x9f\x93", "\xff\xfe", "/",
		"//", "././.", "INBOX.", "INBOX/" };
	char name[1000];

	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	for (size_t i = 0; i <= COUNT_OF(names); i++) {
		const char *wanted = i < COUNT_OF(names) ? names[i] : name;
		struct folders folders = { 0 };
		struct folder folder = { .delimiter = '.' };

		for (size_t j = 0; j <= COUNT_OF(names); j++) {
			folder.name = (char *)(uintptr_t)(j < COUNT_OF(names) ? names[j] : name);
			assert_int_equal(folders_add(&folders, &folder), ERR_OK);
		}
		assert_null(folder_guess(bytes_of(wanted), &folders)); /* listed itself */
		folders.count--;
		(void)folder_guess(bytes_of("INBOX.aaaaaaaaaaaaaaaa"), &folders);
		folders.count++;
		folders_done(&folders);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_the_likeliest_of_a_list),
	cmocka_unit_test(test_long_and_broken_names),
};

UNIT_MAIN(tests)
