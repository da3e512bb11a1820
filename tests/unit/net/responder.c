/* responder.c: questions of one name, answers by hand (RFC 1035 4). Layer: tests. */
#include "responder.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct responder {
	_Atomic(const struct responder_row *) rows;
	pthread_t thread;
	int fd;
	atomic_size_t queries;
	atomic_bool is_over;
};

struct message {
	uint8_t bytes[4096];
	size_t len;
};

static void
put16(struct message *message, unsigned number)
{
	message->bytes[message->len++] = (uint8_t)(number >> 8);
	message->bytes[message->len++] = (uint8_t)number;
}

static void
put_record(struct message *message, int type, const void *data, size_t len)
{
	put16(message, 0xc00c); /* the name asked for */
	put16(message, (unsigned)type);
	put16(message, 1);
	put16(message, 0x7fff); /* TTL */
	put16(message, 0xffff);
	put16(message, (unsigned)len);
	memcpy(message->bytes + message->len, data, len);
	message->len += len;
}

static size_t
encode_name(const char *name, uint8_t *out)
{
	size_t len = 0;

	while (*name) {
		size_t label = strcspn(name, ".");

		out[len++] = (uint8_t)label;
		memcpy(out + len, name, label);
		len += label;
		name += label + (name[label] == '.');
	}
	out[len++] = 0;
	return len;
}

static unsigned
put_answers(struct message *message, const struct responder_row *row, int type)
{
	char copy[2048];
	unsigned count = 0;
	uint8_t name[256];

	if (row->alias) {
		put_record(message, 5, name, encode_name(row->alias, name));
		count++;
	}
	snprintf(copy, sizeof(copy), "%s", row->addresses ? row->addresses : "");
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
		uint8_t address[16];

		if (inet_pton(type == 28 ? AF_INET6 : AF_INET, word, address) == 1) {
			put_record(message, type, address, type == 28 ? 16 : 4);
			count++;
		}
	}
	return count;
}

/* The question's name and type; its end, or 0. */
static size_t
read_question(const struct message *query, char *name, int *type)
{
	size_t at = 12;
	size_t len = 0;

	while (at < query->len && query->bytes[at] != 0) {
		size_t label = query->bytes[at++];

		if (at + label >= query->len || len + label + 2 > 256) {
			return 0;
		}
		memcpy(name + len, query->bytes + at, label);
		len += label;
		name[len++] = '.';
		at += label;
	}
	name[len > 0 ? len - 1 : 0] = '\0';
	if (at + 5 > query->len) {
		return 0;
	}
	*type = query->bytes[at + 1] << 8 | query->bytes[at + 2];
	return at + 5;
}

static void
respond(struct responder *responder, const struct message *query, const struct sockaddr_in *from)
{
	const struct responder_row *row;
	struct message reply = { { 0 }, 0 };
	char name[260];
	int type = 0;
	size_t end = read_question(query, name, &type);
	unsigned count = 0;
	int code = 3;

	for (row = responder->rows; row->name; row++) {
		if (strcasecmp(row->name, name) == 0 && (row->type == 0 || row->type == type)) {
			code = row->code;
			break;
		}
	}
	if (end == 0 || code == -1) {
		return;
	}
	memcpy(reply.bytes, query->bytes, end);
	reply.len = end;
	reply.bytes[2] = 0x81;
	reply.bytes[3] = (uint8_t)(0x80 | code);
	memset(reply.bytes + 6, 0, 6);
	if (row->name) {
		count = put_answers(&reply, row, type);
	}
	reply.bytes[6] = (uint8_t)(count >> 8);
	reply.bytes[7] = (uint8_t)count;
	sendto(responder->fd, reply.bytes, reply.len, 0, (const struct sockaddr *)from,
		sizeof(*from));
}

static void *
serve(void *owner)
{
	struct responder *responder = owner;

	while (!responder->is_over) {
		struct message query;
		struct sockaddr_in from;
		socklen_t from_len = sizeof(from);
		ssize_t got = recvfrom(responder->fd, query.bytes, sizeof(query.bytes), 0,
			(struct sockaddr *)&from, &from_len);

		if (got > 12) {
			query.len = (size_t)got;
			responder->queries++;
			respond(responder, &query, &from);
		}
	}
	return NULL;
}

static struct responder *
start(const struct responder_row *rows, struct sockaddr_in address, int *port)
{
	struct responder *responder = calloc(1, sizeof(*responder));
	socklen_t len = sizeof(address);

	responder->rows = rows;
	responder->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(responder->fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 0, 20000 },
		sizeof(struct timeval));
	if (bind(responder->fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
		getsockname(responder->fd, (struct sockaddr *)&address, &len) != 0 ||
		pthread_create(&responder->thread, NULL, serve, responder) != 0) {
		abort();
	}
	*port = ntohs(address.sin_port);
	return responder;
}

struct responder *
responder_start(const struct responder_row *rows, int *port)
{
	return start(rows,
		(struct sockaddr_in){
			.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) },
		port);
}

struct responder *
responder_start_at(const struct responder_row *rows, const char *address, int port)
{
	return start(rows,
		(struct sockaddr_in){ .sin_family = AF_INET,
			.sin_port = htons((uint16_t)port),
			.sin_addr.s_addr = inet_addr(address) },
		&port);
}

void
responder_say(struct responder *responder, const struct responder_row *rows)
{
	responder->rows = rows;
}

size_t
responder_queries(struct responder *responder)
{
	return responder->queries;
}

void
responder_stop(struct responder *responder)
{
	responder->is_over = true;
	pthread_join(responder->thread, NULL);
	close(responder->fd);
	free(responder);
}
