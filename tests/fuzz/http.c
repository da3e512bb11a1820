/*
 * http.c: any bytes at the status socket: heads, queries, bodies, pipelined or cut. Layer: tests.
 */
#include "socket.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	int status = fuzz_ask((struct bytes){ (const char *)data, len });

	must(status != 500);
	return 0;
}
