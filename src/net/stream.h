/*
 * stream.h: one connection on a loop: bytes in and out, in clear and, after stream_start_tls(),
 * under TLS. Layer: net.
 *
 * Calls come from the loop, never from inside a function of this file. In a call the owner may do
 * anything to the stream, stream_free() included.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "net/tls.h"

#define STREAM_GOODBYE_US US_PER_S /* H2-34: a goodbye never waits out a stage */

struct event_base;
struct stream;

struct stream_calls {
	/* Handed over as they come; borrowed. */
	void (*received)(void *owner, struct bytes bytes);
	void (*tls_started)(void *owner);
	/* The handshake failed, or a session that stood did; nothing more comes. */
	void (*tls_failed)(void *owner, const struct tls_failure *why);
	/* The peer closed (error 0) or the socket broke (errno); nothing more comes. */
	void (*lost)(void *owner, int error);
	/* What stream_goodbye() began is over, the descriptor closed: free it. */
	void (*gone)(void *owner);
};

/* Takes over fd (connected, non-blocking) where it succeeds. ERR_MEMORY */
CHECKED enum err stream_new(struct event_base *base, int fd, const struct stream_calls *calls,
	void *owner, struct stream **out);
/* Closes at once, by RST where bytes of ours still wait (H2-08). NULL is fine. */
void stream_free(struct stream *stream);
/* Queued and sent as the peer takes it; the copy is wiped when it is out. ERR_MEMORY */
CHECKED enum err stream_send(struct stream *stream, struct bytes bytes);
/* Bytes of ours that have not gone out. */
bool stream_is_stuck(const struct stream *stream);
/* As tls_new(); ERR_CONFLICT: bytes of ours still wait to go out in clear. */
CHECKED enum err stream_start_tls(struct stream *stream, struct tls_library *library,
	const struct tls_settings *settings, struct fault *why);
/* True where the peer sent something that was not read yet (before TLS begins: an injection). */
bool stream_has_unread(const struct stream *stream);
/* From now on it calls another owner. */
void stream_hand_over(struct stream *stream, const struct stream_calls *calls, void *owner);
/* It will be quiet for long: gives back the memory that only traffic needs. */
void stream_rest(struct stream *stream);
/* Nothing is read until it is lifted. */
void stream_pause(struct stream *stream, bool is_paused);
/* Sends bytes (may be none), close_notify and FIN, reads and drops until the peer's end, one second
 * at most; then gone. Where the peer does not take what went before, it is only closed. */
void stream_goodbye(struct stream *stream, struct bytes bytes);
/* The TLS session, NULL in clear. Borrowed. */
struct tls *stream_tls(const struct stream *stream);

#endif
