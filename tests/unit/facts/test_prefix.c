/* test_prefix.c: which addresses lie in which ranges (H3-09). */
#include "../unit.h"

#include <arpa/inet.h>

#include "facts/prefix.h"

static void
address_of(const char *text, uint8_t out[16])
{
	char mapped[64];

	snprintf(mapped, sizeof(mapped), "%s%s", strchr(text, ':') ? "" : "::ffff:", text);
	assert_int_equal(inet_pton(AF_INET6, mapped, out), 1);
}

static void
test_prefixes_hold_what_lies_in_them(void **state)
{
	static const struct {
		const char *prefix, *address;
		bool is_held;
	} rows[] = {
		{ "loopback", "127.0.0.1", true },
		{ "loopback", "127.255.255.255", true },
		{ "loopback", "128.0.0.0", false },
		{ "loopback", "::1", true },
		{ "loopback", "::2", false },
		{ "loopback", "64:ff9b::7f00:1", true },
		{ "loopback", "64:ff9b::8000:1", false },
		{ "loopback", "2002:7f00:1::", true },
		{ "linklocal", "169.254.169.254", true },
		{ "linklocal", "fe80::1", true },
		{ "linklocal", "febf::1", true },
		{ "linklocal", "fec0::1", false },
		{ "private", "10.0.0.1", true },
		{ "private", "172.16.0.1", true },
		{ "private", "172.32.0.1", false },
		{ "private", "192.168.1.1", true },
		{ "private", "100.64.0.1", true },
		{ "private", "fd00::1", true },
		{ "private", "198.51.100.1", false },
		{ "unspecified", "0.0.0.0", true },
		{ "unspecified", "::", true },
		{ "multicast", "224.0.0.1", true },
		{ "multicast", "ff02::1", true },
		{ "192.0.2.0/25", "192.0.2.127", true },
		{ "192.0.2.0/25", "192.0.2.128", false },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "0.0.0.0/0", "192.0.2.1", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::/0", "192.0.2.1", true },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct prefixes prefixes = { 0 };
		uint8_t address[16];

		unit_row(rows[i].address);
		address_of(rows[i].address, address);
		assert_ok(prefixes_add(&prefixes, bytes_of(rows[i].prefix)));
		assert_int_equal(prefixes_hold(&prefixes, address), rows[i].is_held);
		prefixes_done(&prefixes);
	}
}

static void
test_prefixes_are_of_one_form(void **state)
{
	static const char *const wrong[] = { "", "local", "10.0.0.0/", "10.0.0.0/33", "10.0.0/8",
		"2001:db8::/129", "10.0.0.0/-1", "10.0.0.0/8/8", "example.com", "/8", " 10.0.0.1" };

	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct prefixes prefixes = { 0 };

		unit_row(wrong[i]);
		assert_err_equal(prefixes_add(&prefixes, bytes_of(wrong[i])), ERR_SYNTAX);
		prefixes_done(&prefixes);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_prefixes_hold_what_lies_in_them),
	cmocka_unit_test(test_prefixes_are_of_one_form),
};

UNIT_MAIN(tests)
