/*
 * socket.c: see socket.h. Layer: tests.
 */
#include "socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static struct fake fake;

static void
end(void)
{
	fake_end(&fake);
}

static void
begin(void)
{
	fake_start(&fake, 4);
	fake.is_probe_done_at_once = true;
	atexit(end);
}

/* Until the daemon has closed. The client has said all, so it soon does. */
static int
read_answer(int fd)
{
	char answer[16 * 1024], first[16] = "";
	size_t len = 0;

	for (;;) {
		ssize_t got = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);

		if (got == 0 || (got < 0 && errno != EAGAIN))
			break;
		if (got < 0)
			event_base_loop(fake.base, EVLOOP_ONCE);
		for (ssize_t i = 0; i < got && len < sizeof(first) - 1; i++)
			first[len++] = answer[i];
	}
	return len >= 12 ? atoi(first + 9) : 0;
}

int
fuzz_ask(struct bytes request)
{
	int fd, status;

	if (!fake.base)
		begin();
	fd = fake_connect(&fake);
	/* More than the socket's buffer holds is more than a head may have. */
	(void)!send(fd, request.at, request.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	status = read_answer(fd);
	close(fd);
	event_base_loop(fake.base, EVLOOP_NONBLOCK);
	return status;
}
