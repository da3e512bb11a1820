/*
 * requests.c: bodies of requests that change something. Layer: tests. The first line is the path
 * with its query, the rest the body.
 */
#include "socket.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes rest = { (const char *)data, len };
	struct bytes path = fuzz_part(&rest, '\n');
	struct buf request = { 0 };
	int status;

	buf_put_string(&request, "POST /v1/");
	buf_put(&request, path);
	buf_put_format(&request,
		" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n",
		rest.len);
	buf_put(&request, rest);
	status = fuzz_ask(buf_bytes(&request));
	must(status != 500);
	buf_done(&request);
	return 0;
}
