/*
 * what_answers.h: what a port is, by what came where something else was expected: the other TLS
 * mode, or another protocol. Layer: diagnose, pure.
 */
#ifndef DIAGNOSE_WHAT_ANSWERS_H
#define DIAGNOSE_WHAT_ANSWERS_H

#include "facts/endpoint.h"
#include "facts/verdict.h"

/*
 * Clear text came where TLS was begun. Begun at once: tls_mode with what to set where it is this
 * side's own protocol (H1-14), wrong_protocol where it is another one (H1-17), else tls_handshake.
 * After STARTTLS it is neither mode nor protocol: tls_handshake (H1-03).
 *   heard   the server's first bytes, as many as there are
 *   detail  in words, heard in it and escaped: "answered in clear: …"
 */
void diagnose_clear_text(const struct endpoint *endpoint, struct bytes heard, const char *detail,
	struct verdict *verdict);

/* What one more connection found, up to the greeting and without a login. */
struct answer {
	bool is_tls;	    /* it speaks TLS there, whatever its certificate is worth */
	struct bytes heard; /* the first bytes, in clear or under TLS; may be none */
};

/*
 * A port was silent in clear; here is how it answers to TLS. Where it speaks TLS the verdict
 * becomes tls_mode/greeting with what to set (H1-15), or wrong_protocol where what speaks there is
 * another protocol. Else the verdict stays.
 */
void diagnose_answer_to_tls(
	const struct endpoint *endpoint, const struct answer *answer, struct verdict *verdict);

/* The port to try where the endpoint's own cannot be connected to, and how it is spoken to. */
struct other_port {
	uint16_t port;
	enum security security;
};

/* The usual port of the endpoint's mode; where that is its own, the other of the pair (465 and 587,
 * 993 and 143). */
struct other_port diagnose_other_port(const struct endpoint *endpoint);
/* What answers there: suggested where it is this side's protocol, else noted. The cause stays.
 * answer NULL: nothing could be connected to. */
void diagnose_answer_of_other_port(
	const struct endpoint *endpoint, const struct answer *answer, struct verdict *verdict);

#endif
