/*
 * problem.h: what a route answers where it cannot do what was asked: application/problem+json (RFC
 * 9457). Layer: control.
 */
#ifndef CONTROL_PROBLEM_H
#define CONTROL_PROBLEM_H

#include "control/http.h"

#include "base/escape.h"
#include "config/settings.h"

/* Stable words (contract 5: code), each with its status and title. */
#define PROBLEMS(X)                                                                                \
	X(BAD_REQUEST, "bad_request", 400, "The request cannot be understood")                     \
	X(BAD_JSON, "bad_json", 400, "The body is no JSON object")                                 \
	X(BAD_SELECTOR, "bad_selector", 400, "That is no selector")                                \
	X(FORBIDDEN, "forbidden", 403, "Not allowed")                                              \
	X(NO_SUCH_ROUTE, "no_such_route", 404, "There is nothing at this path")                    \
	X(NO_SUCH_MAILBOX, "no_such_mailbox", 404, "No such mailbox")                              \
	X(NO_SUCH_SINK, "no_such_sink", 404, "No such sink")                                       \
	X(BAD_METHOD, "bad_method", 405, "Not by this method")                                     \
	X(PAUSED, "paused", 409, "The mailbox is paused")                                          \
	X(DISABLED, "disabled", 409, "The mailbox is switched off in the settings")                \
	X(LOGINS_HELD, "logins_held", 409, "Logins are held back")                                 \
	X(IN_FILE, "in_file", 409, "A settings file defines this mailbox")                         \
	X(CONFLICT, "conflict", 409, "Not in this state")                                          \
	X(INVALID, "invalid", 422, "The request's values cannot be used")                          \
	X(SETTINGS_REFUSED, "settings_refused", 422,                                               \
		"The settings were refused; nothing has changed")                                  \
	X(HELD, "held", 429, "Logins are held back")                                               \
	X(BUSY, "busy", 429, "Too many checks at once")                                            \
	X(TOO_OFTEN, "too_often", 429, "Too often")                                                \
	X(INTERNAL, "internal", 500, "That failed here")                                           \
	X(NO_MEMORY, "no_memory", 503, "Out of memory")                                            \
	X(UNWELL, "unwell", 503, "The daemon is not well")

#define X(name, word, status, title) PROBLEM_##name,
enum problem {
	PROBLEMS(X) PROBLEM_COUNT
};
#undef X

struct problem_extra {
	const struct complaint *faults; /* the warnings among them are left out */
	size_t fault_count;
	int64_t retry_us; /* above 0: Retry-After */
};

/* detail: our own words or escaped by their JSON form; NULL: the title's. extra may be NULL. */
void problem_answer(struct exchange *exchange, enum problem problem, const char *detail,
	const struct problem_extra *extra);
/* The JSON in out, or 503 where it found no memory (H6-19); buf_done(out) with it. */
void json_answer(struct exchange *exchange, int status, struct buf *out);
/* 404 of the mailbox that has this name. */
void problem_answer_mailbox(struct exchange *exchange, struct bytes name);
/* 422 with one fault. */
void problem_answer_fault(struct exchange *exchange, const char *setting, const char *message);

#endif
