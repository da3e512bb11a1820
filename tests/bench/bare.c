/*
 * bare.c: what the bench measures a probe against: the same SMTP dialogue over OpenSSL on a bare
 * libevent loop, one connection after the other, with nothing of ours around it.
 *
 *	bare PORT TIMES CA-FILE NAME [resume]
 *
 * The certificate is verified against NAME each time. resume: with the session of the one before.
 * Prints the CPU microseconds of one session, user and system together.
 */
#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* What is sent at each reply that ends. */
static const char *const commands[] = { "EHLO bench.test.example\r\n",
	"AUTH PLAIN AGFubkB0ZXN0LmV4YW1wbGUAczNjcmV0\r\n", "NOOP\r\n", "QUIT\r\n" };
enum {
	COMMANDS = sizeof(commands) / sizeof(commands[0])
};

struct run {
	struct event_base *base;
	SSL_CTX *context;
	SSL_SESSION *session;
	const char *name;
	struct sockaddr_in to;
	bool is_resuming;
	int left;
	int fd;
	SSL *tls;
	struct event *event;
	int sent;
	bool is_done;
	char reply[4096];
	size_t length;
};

static void begin(struct run *run);
static void on_ready(evutil_socket_t fd, short events, void *owner);

static int
keep_session(SSL *tls, SSL_SESSION *session)
{
	struct run *run = SSL_get_app_data(tls);

	if (!run->is_resuming)
		return 0;
	SSL_SESSION_free(run->session);
	run->session = session;
	return 1;
}

static void
fail(const char *what)
{
	fprintf(stderr, "bare: %s\n", what);
	exit(1);
}

static void
finish(struct run *run)
{
	SSL_shutdown(run->tls);
	SSL_free(run->tls);
	event_free(run->event);
	close(run->fd);
	if (--run->left > 0)
		begin(run);
	else
		event_base_loopbreak(run->base);
}

/* Does the reply end with a line without "-"? */
static bool
is_whole(const struct run *run)
{
	const char *line = run->reply;
	const char *end;

	while ((end = memchr(line, '\n', run->length - (size_t)(line - run->reply)))) {
		if (line[3] == ' ')
			return true;
		line = end + 1;
	}
	return false;
}

static void
talk(struct run *run)
{
	for (;;) {
		int got = SSL_read(run->tls, run->reply + run->length,
			(int)(sizeof(run->reply) - run->length));

		if (got <= 0)
			return;
		run->length += (size_t)got;
		if (!is_whole(run))
			continue;
		run->length = 0;
		if (run->sent == COMMANDS) {
			run->is_done = true;
			return;
		}
		if (SSL_write(run->tls, commands[run->sent], (int)strlen(commands[run->sent])) <= 0)
			fail("write");
		run->sent++;
	}
}

static void
wait_for(struct run *run, short what)
{

	event_assign(run->event, run->base, run->fd, what, on_ready, run);
	event_add(run->event, NULL);
}

static void
on_ready(evutil_socket_t fd, short events, void *owner)
{
	struct run *run = owner;
	int done;

	(void)fd, (void)events;
	if (!SSL_is_init_finished(run->tls)) {
		done = SSL_connect(run->tls);
		if (done != 1) {
			int want = SSL_get_error(run->tls, done);

			if (want != SSL_ERROR_WANT_READ && want != SSL_ERROR_WANT_WRITE)
				fail("handshake");
			wait_for(run, want == SSL_ERROR_WANT_READ ? EV_READ : EV_WRITE);
			return;
		}
	}
	talk(run);
	if (run->is_done)
		finish(run);
	else
		wait_for(run, EV_READ);
}

static void
begin(struct run *run)
{
	run->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	connect(run->fd, (struct sockaddr *)&run->to, sizeof(run->to));
	run->tls = SSL_new(run->context);
	SSL_set_app_data(run->tls, run);
	SSL_set_tlsext_host_name(run->tls, run->name);
	SSL_set1_host(run->tls, run->name);
	SSL_set_fd(run->tls, run->fd);
	if (run->session)
		SSL_set_session(run->tls, run->session);
	SSL_set_connect_state(run->tls);
	run->sent = 0;
	run->is_done = false;
	run->length = 0;
	run->event = event_new(run->base, run->fd, EV_WRITE, on_ready, run);
	event_add(run->event, NULL);
}

static long
cpu_us(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000L + used.ru_utime.tv_usec +
	       used.ru_stime.tv_usec;
}

int
main(int argc, char **argv)
{
	struct run run = { .base = event_base_new() };
	int times;
	long before;

	if (argc < 5) {
		fprintf(stderr, "usage: bare PORT TIMES CA-FILE NAME [resume]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	times = atoi(argv[2]);
	run.left = times;
	run.name = argv[4];
	run.is_resuming = argc > 5;
	run.to = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(argv[1])) };
	run.to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	run.context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_verify(run.context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(run.context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(
		run.context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(run.context, keep_session);
	if (SSL_CTX_load_verify_locations(run.context, argv[3], NULL) != 1)
		fail("no authority");
	SSL_CTX_set_default_verify_paths(run.context);
	before = cpu_us();
	begin(&run);
	event_base_dispatch(run.base);
	printf("%.1f\n", (double)(cpu_us() - before) / times);
	return 0;
}
