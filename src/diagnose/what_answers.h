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
 * another protocol. Else the verdict stays. For a port of another number, tried by a person's
 * wish, suggest_port is that number; 0: the endpoint's own.
 */
void diagnose_answer_to_tls(const struct endpoint *endpoint, const struct answer *answer,
	uint16_t suggest_port, struct verdict *verdict);

#endif
