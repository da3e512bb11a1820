/*
 * test_memory.c: the nth allocation fails while settings are loaded, n growing until none does
 * (H6-19): they are refused, or all is as it was written. A value that found no memory may be
 * called a fault; nothing of the settings is used then.
 */
#include "fixture.h"

#include "../fault.h"

static const char text[] =
	"daemon = { threads = 2; resolvers = [\"192.0.2.53\"]; deny_addresses = [\"10.0.0.0/8\"]; "
	"};\n"
	"defaults = { interval = \"5m\"; labels = { owner = \"acme\"; };\n"
	"  proxy = \"socks5://ann:open@proxy.example.com:1080\"; };\n"
	"limits = { refused_logins = [\"2/1h\"]; };\n"
	"servers = ( { host = \"imap.example.com\"; connections = 4; } );\n"
	"mailboxes = ( { name = \"ann\"; address = \"ann@example.com\"; \n"
	"  smtp = { host = \"smtp.example.com\"; port = 587; mail_from = \"a@example.com\"; "
	"password = \"x\"; };\n"
	"  imap = { host = \"b\xc3\xbc"
	"cher.example\"; password = \"x\"; mailbox = \"Entw\xc3\xbcrfe\"; }; } );\n"
	"rules = ( { words = \"parked\"; cause = \"account_suspended\"; example = \"NO parked\"; } "
	");\n";

static void
load(struct fixture *f)
{
	char file[128];
	const struct settings_paths paths = { file, NULL };

	snprintf(file, sizeof(file), "%s/main.conf", f->folder);
	fault_on();
	f->err = settings_load(&paths, &f->settings, &f->complaints);
	fault_off();
}

static void
test_settings_bear_each_allocation_that_fails_H6_19(void **state)
{
	struct fault_loop loop;
	struct fixture f;
	size_t complaints = 0, servers = 0;

	(void)state;
	fixture_begin(&f);
	fixture_write(&f, "main.conf", bytes_of(text), 0600);
	for (fault_begin(&loop); fault_next(&loop);) {
		load(&f);
		if (loop.at == 0)
			complaints = f.complaints.count;
		if (loop.at == 0 && f.err == ERR_OK)
			servers = f.settings->server_count; /* and those of providers */
		if (f.err == ERR_OK) {
			assert_int_equal(f.settings->mailbox_count, 1);
			assert_int_equal(f.settings->server_count, servers);
			assert_int_equal(f.settings->rules->count, 1);
			assert_string_equal(f.settings->mailboxes[0].sides[SIDE_IMAP]->host,
				"xn--bcher-kva.example");
			assert_int_equal(f.complaints.count, complaints);
		} else if ((f.err != ERR_MEMORY && f.err != ERR_INVALID) || !fault_struck()) {
			fail_msg("allocation %lu%s: %s: %s", loop.at, loop.is_lasting ? " on" : "",
				err_name(f.err),
				f.complaints.count ? f.complaints.items[0].text : "");
		}
		fixture_unload(&f);
	}
	print_message("# %lu turns\n", loop.turns);
	fixture_end(&f);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_settings_bear_each_allocation_that_fails_H6_19),
};

UNIT_MAIN(tests)
