/*
 * fake.h: a daemon of paper behind the status socket: the looks of watch and settings that control
 * uses, over a table that a test fills, and calls that note what they were asked. Layer: tests.
 */
#ifndef FAKE_H
#define FAKE_H

#include "control/control.h"

#include <event2/event.h>

struct watch {
	struct watch_view *views; /* name NULL: an index of none */
	uint32_t room;
	struct watch_figures figures;
};

struct fake {
	struct event_base *base;
	struct control *control;
	struct watch watch;
	struct settings settings;
	struct verdict *good;
	struct verdict *bad;
	char folder[64];
	char path[96];
	bool is_well;
	/* What was asked for. */
	unsigned probes, pauses, resumes, reloads, tests;
	uint64_t last_request;
	uint64_t requests[64]; /* of probes not done yet */
	size_t request_count;
	bool is_probe_done_at_once;
	int64_t last_for_us;
	char last_who[64];
	char last_reason[64];
	struct told *told;
	int64_t longest_step_us;
};

/* count mailboxes box000000@example.com …: every seventh fails its imap side with bad_credentials.
 */
void fake_start(struct fake *fake, uint32_t count);
void fake_end(struct fake *fake);
#define FAKE_MAILBOXES 20
/* For cmocka: a struct fake of its own for each test, with FAKE_MAILBOXES of which number 5 is
 * named u+tag@example.com. */
int fake_set_up(void **state);
int fake_tear_down(void **state);
/* Another name for mailbox i; not copied. */
void fake_name(struct fake *fake, uint32_t i, const char *name);
/* An event to be kept and followed: number goes into its detail. */
struct told *fake_told(unsigned number, const char *mailbox, const char *detail);

/* Connects; the socket is blocking with a deadline of 5 s. */
int fake_connect(const struct fake *fake);
/* Sends all of request over a connection of its own while the loop turns, reads until it closes or
 * `until` has come (NULL: until closed); the answer with its head, free() it. */
char *fake_ask(struct fake *fake, const char *request);
/* GET path by HTTP/1.1 with Connection: close. */
char *fake_get(struct fake *fake, const char *path);
char *fake_post(struct fake *fake, const char *path, const char *body);
/* Turns the loop for a while. */
void fake_turn(struct fake *fake, int ms);
/* Turns the loop until fd can be read, or 5 s; false: not. */
bool fake_await(struct fake *fake, int fd);
/* The status of an answer; 0: none. */
int answer_status(const char *answer);
/* Behind the head; chunks joined where it is chunked (in place). */
char *answer_body(char *answer);

#endif
