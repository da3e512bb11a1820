/*
 * clear_text.h: which protocol speaks, by its first bytes, where TLS was expected. Layer: probe,
 * pure.
 */
#ifndef PROBE_CLEAR_TEXT_H
#define PROBE_CLEAR_TEXT_H

#include "base/bytes.h"
#include "facts/cause.h"

/*
 * tls_mode where heard begins a greeting of this side's own protocol (H1-14), wrong_protocol where
 * it is another's (H1-17), tls_handshake where nothing is known of it. *protocol: its name, static,
 * or NULL.
 */
enum cause clear_text_cause(enum side side, struct bytes heard, const char **protocol);

#endif
