/*
 * test_pin.c: how cert_sha256 may be written (H1-30).
 */
#include "../unit.h"

#include "config/pin.h"

#define HEX "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff"

static const uint8_t whole[PIN_BYTES] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
	0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
	0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };

static void
test_a_pin_is_hex_or_base64(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		enum err err;
	} rows[] = {
		{ "hex", HEX, ERR_OK },
		{ "with colons",
			"00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"
			"00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
			ERR_OK },
		{ "base64", "ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=", ERR_OK },
		{ "without padding", "ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8", ERR_SYNTAX },
		{ "base64 of 20 bytes", "ABEiM0RVZneImaq7zN3u/wARIjM=", ERR_SYNTAX },
		{ "one digit more", HEX "0", ERR_SYNTAX },
		{ "too short", "00112233445566", ERR_SYNTAX },
		{ "a colon behind", HEX ":", ERR_SYNTAX },
		{ "empty", "", ERR_SYNTAX },
		{ "no digit", "0x112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
			ERR_SYNTAX },
	};

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint8_t pin[PIN_BYTES] = { 7 };

		unit_row(rows[i].name);
		assert_err_equal(pin_parse(bytes_of(rows[i].text), pin), rows[i].err);
		if (rows[i].err == ERR_OK)
			assert_memory_equal(pin, whole, PIN_BYTES);
		else
			assert_int_equal(pin[0], 7);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_a_pin_is_hex_or_base64),
};

int
main(void)
{
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
