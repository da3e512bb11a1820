/*
 * smtp.c: the whole SMTP dialogue, from the greeting to the verdict, over any bytes. Layer: tests.
 */
#include "dialogue.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	fuzz_dialogue(SIDE_SMTP, data, len);
	return 0;
}
