/*
 * server.c: the bench's mail server: SMTP and IMAP over TLS, as quick as it can be made simply.
 *
 *	server SMTP-PORT IMAP-PORT CHAIN KEY [no-tickets] [tarpit]
 *
 * Takes every login, has one folder. no-tickets: no session can be resumed. tarpit: after the
 * handshake nothing is said. Listens at all of 127/8, so that each address is a server of its own.
 * Says "ready" on standard output once it listens; ends by TERM. Not here: anything that a real
 * server checks.
 */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/ssl.h>

struct server {
	struct event_base *base;
	SSL_CTX *tls;
	bool is_tarpit;
};

struct client {
	struct bufferevent *stream;
	bool is_imap;
	bool is_greeted;
	bool is_leaving;
	const struct server *server;
};

static void
say(const struct client *client, const char *text)
{
	evbuffer_add(bufferevent_get_output(client->stream), text, strlen(text));
}

static void
drop(struct client *client)
{
	SSL *tls = bufferevent_openssl_get_ssl(client->stream);

	/* Else the session could not be resumed. */
	SSL_set_shutdown(tls, SSL_RECEIVED_SHUTDOWN);
	SSL_shutdown(tls);
	bufferevent_free(client->stream);
	free(client);
}

static void
answer_smtp(struct client *client, const char *line)
{
	if (strncasecmp(line, "EHLO", 4) == 0) {
		say(client, "250-bench.test.example\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n"
			    "250-AUTH PLAIN LOGIN\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n");
	} else if (strncasecmp(line, "AUTH", 4) == 0) {
		say(client, "235 2.7.0 Authentication successful\r\n");
	} else if (strncasecmp(line, "QUIT", 4) == 0) {
		client->is_leaving = true;
		say(client, "221 2.0.0 Bye\r\n");
	} else {
		say(client, "250 2.0.0 Ok\r\n");
	}
}

static void
answer_imap(struct client *client, const char *line)
{
	const char *blank = strchr(line, ' ');
	const char *verb = blank ? blank + 1 : "";
	int tag = blank ? (int)(blank - line) : 0;
	struct evbuffer *out = bufferevent_get_output(client->stream);

	if (strncasecmp(verb, "CAPABILITY", 10) == 0) {
		say(client, "* CAPABILITY IMAP4rev1 SASL-IR LITERAL+ ID IDLE AUTH=PLAIN\r\n");
	} else if (strncasecmp(verb, "EXAMINE", 7) == 0) {
		say(client, "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n"
			    "* OK [PERMANENTFLAGS ()] Read-only mailbox.\r\n* 23 EXISTS\r\n* 0 "
			    "RECENT\r\n"
			    "* OK [UIDVALIDITY 1] UIDs valid\r\n* OK [UIDNEXT 24] Predicted next "
			    "UID\r\n");
	} else if (strncasecmp(verb, "ID", 2) == 0) {
		say(client, "* ID (\"name\" \"bench\")\r\n");
	} else if (strncasecmp(verb, "LOGOUT", 6) == 0) {
		client->is_leaving = true;
		say(client, "* BYE Logging out\r\n");
	}
	evbuffer_add_printf(out, "%.*s OK done.\r\n", tag, line);
}

static void
on_written(struct bufferevent *stream, void *owner)
{
	struct client *client = owner;

	if (client->is_leaving && evbuffer_get_length(bufferevent_get_output(stream)) == 0)
		drop(client);
}

static void
on_read(struct bufferevent *stream, void *owner)
{
	struct client *client = owner;
	char *line;

	while ((line = evbuffer_readln(bufferevent_get_input(stream), NULL, EVBUFFER_EOL_CRLF))) {
		if (!client->is_leaving)
			(client->is_imap ? answer_imap : answer_smtp)(client, line);
		free(line);
	}
}

static void
on_event(struct bufferevent *stream, short what, void *owner)
{
	struct client *client = owner;

	(void)stream;
	if (what & BEV_EVENT_CONNECTED) {
		if (!client->server->is_tarpit)
			say(client, client->is_imap ? "* OK bench ready.\r\n"
						    : "220 bench.test.example ESMTP\r\n");
	} else {
		drop(client);
	}
}

static void
accept_client(const struct server *server, evutil_socket_t fd, bool is_imap)
{
	struct client *client = calloc(1, sizeof(*client));

	client->server = server;
	client->is_imap = is_imap;
	client->stream = bufferevent_openssl_socket_new(server->base, fd, SSL_new(server->tls),
		BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	bufferevent_openssl_set_allow_dirty_shutdown(client->stream, 1);
	bufferevent_setcb(client->stream, on_read, on_written, on_event, client);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

static void
on_smtp(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer, int size,
	void *owner)
{
	(void)listener, (void)peer, (void)size;
	accept_client(owner, fd, false);
}

static void
on_imap(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer, int size,
	void *owner)
{
	(void)listener, (void)peer, (void)size;
	accept_client(owner, fd, true);
}

static struct evconnlistener *
listen_at(struct server *server, const char *port, evconnlistener_cb call)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	return evconnlistener_new_bind(server->base, call, server,
		LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE, 4096, (struct sockaddr *)&at,
		sizeof(at));
}

int
main(int argc, char **argv)
{
	struct server server = { .base = event_base_new() };

	if (argc < 5) {
		fprintf(stderr,
			"usage: server SMTP-PORT IMAP-PORT CHAIN KEY [no-tickets] [tarpit]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	server.tls = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_mode(server.tls, SSL_MODE_RELEASE_BUFFERS);
	if (SSL_CTX_use_certificate_chain_file(server.tls, argv[3]) != 1 ||
		SSL_CTX_use_PrivateKey_file(server.tls, argv[4], SSL_FILETYPE_PEM) != 1) {
		fprintf(stderr, "server: no certificate\n");
		return 2;
	}
	for (int i = 5; i < argc; i++) {
		if (strcmp(argv[i], "no-tickets") == 0) {
			SSL_CTX_set_options(server.tls, SSL_OP_NO_TICKET);
			SSL_CTX_set_num_tickets(server.tls, 0);
			SSL_CTX_set_session_cache_mode(server.tls, SSL_SESS_CACHE_OFF);
		} else if (strcmp(argv[i], "tarpit") == 0) {
			server.is_tarpit = true;
		}
	}
	if (!listen_at(&server, argv[1], on_smtp) || !listen_at(&server, argv[2], on_imap)) {
		perror("server");
		return 2;
	}
	puts("ready");
	fflush(stdout);
	event_base_dispatch(server.base);
	return 0;
}
