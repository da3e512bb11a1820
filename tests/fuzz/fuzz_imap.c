/*
 * fuzz_imap.c: the whole IMAP dialogue, from the greeting to the verdict, over any bytes. Layer:
 *tests. clang -std=gnu17 -D_GNU_SOURCE -Isrc -g -fsanitize=fuzzer,address,undefined
 *tests/fuzz/fuzz_imap.c …
 */
#include "fuzz_dialogue.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_dialogue(SIDE_IMAP, data, len);
	return 0;
}
