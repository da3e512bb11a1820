/*
 * words.h: the closed lists of words that the program talks in; each from a table that also gives
 * the words outside (settings, JSON, the line, metrics). Layer: facts.
 *
 * For each list X: X_name(value) gives its word (never NULL; "?" outside the list),
 * X_from_name(bytes, &out) the value or ERR_NOT_FOUND.
 */
#ifndef FACTS_WORDS_H
#define FACTS_WORDS_H

#include "base/bytes.h"

#define STAGES(X)                                                                                  \
	X(CONFIG, "config")                                                                        \
	X(SECRET, "secret")                                                                        \
	X(DNS, "dns")                                                                              \
	X(CONNECT, "connect")                                                                      \
	X(TLS, "tls")                                                                              \
	X(GREETING, "greeting")                                                                    \
	X(CAPABILITY, "capability")                                                                \
	X(STARTTLS, "starttls")                                                                    \
	X(AUTH, "auth")                                                                            \
	X(SELECT, "select")                                                                        \
	X(NOOP, "noop")                                                                            \
	X(MAIL, "mail")                                                                            \
	X(RCPT, "rcpt")                                                                            \
	X(DATA, "data")                                                                            \
	X(DELIVERY, "delivery")                                                                    \
	X(DONE, "done")

#define SIDES(X)                                                                                   \
	X(SMTP, "smtp")                                                                            \
	X(IMAP, "imap")

#define SECURITIES(X)                                                                              \
	X(TLS, "tls")                                                                              \
	X(STARTTLS, "starttls")                                                                    \
	X(NONE, "none")

#define FAMILIES(X)                                                                                \
	X(ANY, "any")                                                                              \
	X(IPV4, "ipv4")                                                                            \
	X(IPV6, "ipv6")

#define MECHANISMS(X)                                                                              \
	X(AUTO, "auto")                                                                            \
	X(PLAIN, "plain")                                                                          \
	X(LOGIN, "login")                                                                          \
	X(CRAM_MD5, "cram-md5")                                                                    \
	X(SCRAM_SHA_1, "scram-sha-1")                                                              \
	X(SCRAM_SHA_256, "scram-sha-256")                                                          \
	X(XOAUTH2, "xoauth2")                                                                      \
	X(OAUTHBEARER, "oauthbearer")                                                              \
	X(NONE, "none")

/* Contract 1: state of an endpoint. */
#define ENDPOINT_STATES(X)                                                                         \
	X(UNKNOWN, "unknown")                                                                      \
	X(OK, "ok")                                                                                \
	X(SUSPECT, "suspect")                                                                      \
	X(FAILING, "failing")                                                                      \
	X(PAUSED, "paused")

/* Contract 6: what one side says in a mailbox's state and in the line. */
#define PARTS(X)                                                                                   \
	X(NONE, "none")                                                                            \
	X(UNKNOWN, "unknown")                                                                      \
	X(OK, "ok")                                                                                \
	X(FAILING, "failing")                                                                      \
	X(PAUSED, "paused")

/* Contract 6: syslog priorities that events have, and their words. */
#define LEVELS(X)                                                                                  \
	X(CRITICAL, "critical")                                                                    \
	X(ERROR, "error")                                                                          \
	X(WARNING, "warning")                                                                      \
	X(NOTICE, "notice")                                                                        \
	X(INFO, "info")

#define TROUBLES(X)                                                                                \
	X(STATE, "state")                                                                          \
	X(SINK, "sink")                                                                            \
	X(LOOP, "loop")                                                                            \
	X(DESCRIPTORS, "descriptors")                                                              \
	X(CLOCK, "clock")                                                                          \
	X(SECRETS, "secrets")                                                                      \
	X(SOCKET, "socket")   /* the status socket's file was gone */                              \
	X(ADDRESS, "address") /* a source_address that is not here, or has no port left */

/* Why an endpoint's next probe comes when it does: shown as next_reason. */
#define NEXT_REASONS(X)                                                                            \
	X(FIRST, "first")	  /* never probed since start, or its settings changed */          \
	X(INTERVAL, "interval")	  /* its regular turn */                                           \
	X(STRETCHED, "stretched") /* its regular turn, at an interval that limits stretched */     \
	X(RETRY, "retry")	  /* suspect, failing or recovering */                             \
	X(WAIT, "wait")		  /* the server asked for time */                                  \
	X(HELD, "held")		  /* logins are held: probes go up to the login */                 \
	X(ASKED, "asked")	  /* a person asked for it */                                      \
	X(VOID, "void")		  /* the last one was void and runs again */                       \
	X(PROBING, "probing")	  /* one is under way */                                           \
	X(QUEUED, "queued")	  /* due, waiting for a slot within limits */                      \
	X(PAUSED, "paused")	  /* none while paused */

#define WORDS_ENUM(prefix, name) prefix##_##name,
#define WORDS_DECLARE(type)                                                                        \
	const char *type##_name(enum type value);                                                  \
	CHECKED enum err type##_from_name(struct bytes name, enum type *out)

#define X(name, word) STAGE_##name,
enum stage {
	STAGES(X) STAGE_COUNT
};
#undef X
#define X(name, word) SIDE_##name,
enum side {
	SIDES(X) SIDE_COUNT
};
#undef X
#define X(name, word) SECURITY_##name,
enum security {
	SECURITIES(X) SECURITY_COUNT
};
#undef X
#define X(name, word) FAMILY_##name,
enum family {
	FAMILIES(X) FAMILY_COUNT
};
#undef X
#define X(name, word) MECHANISM_##name,
enum mechanism {
	MECHANISMS(X) MECHANISM_COUNT
};
#undef X
#define X(name, word) ENDPOINT_##name,
enum endpoint_state {
	ENDPOINT_STATES(X) ENDPOINT_STATE_COUNT
};
#undef X
#define X(name, word) PART_##name,
enum part {
	PARTS(X) PART_COUNT
};
#undef X
#define X(name, word) LEVEL_##name,
enum level {
	LEVELS(X) LEVEL_COUNT
};
#undef X
#define X(name, word) TROUBLE_##name,
enum trouble {
	TROUBLES(X) TROUBLE_COUNT
};
#undef X
#define X(name, word) NEXT_##name,
enum next_reason {
	NEXT_REASONS(X) NEXT_REASON_COUNT
};
#undef X

WORDS_DECLARE(stage);
WORDS_DECLARE(side);
WORDS_DECLARE(security);
WORDS_DECLARE(family);
WORDS_DECLARE(mechanism);
WORDS_DECLARE(endpoint_state);
WORDS_DECLARE(part);
WORDS_DECLARE(level);
WORDS_DECLARE(trouble);
WORDS_DECLARE(next_reason);

/* The port that belongs to a side and mode, and the mode that belongs to a port (contract 3). */
uint16_t port_of_security(enum side side, enum security security);
enum security security_of_port(uint16_t port);
/* syslog's number: critical 2 ... info 6. */
int level_priority(enum level level);

#endif
