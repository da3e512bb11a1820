/*
 * datagram.h: a non-blocking datagram socket to a local service, made anew when it went away.
 * Layer: alert, for the sinks.
 *
 * sd_journal_send() and syslog() wait for a stalled receiver, for good where journald was stopped;
 * this never does.
 */
#ifndef ALERT_DATAGRAM_H
#define ALERT_DATAGRAM_H

#include "alert/sink.h"

struct datagram {
	struct sink sink;
	char path[108]; /* of sockaddr_un */
};

/* The socket's path must fit; ERR_INVALID where not. Opens nothing yet. */
CHECKED enum err datagram_init(struct datagram *datagram, const char *path);
void datagram_done(struct datagram *datagram);
/*
 * Sends one datagram; one that is too large for the socket goes as a sealed memory file where
 * may_be_file (the journal's protocol). ERR_AGAIN: the receiver's queue is full. ERR_CLOSED,
 * ERR_NOT_FOUND, ERR_DENIED: it is not there.
 */
CHECKED enum err datagram_send(
	struct datagram *datagram, struct bytes message, bool may_be_file, struct fault *why);

#endif
