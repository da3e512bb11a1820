/*
 * errand.h: what a check asks of a probe beyond an ordinary one. Layer: facts.
 *
 * Never changed once a probe has it, and shared: owners are counted atomically.
 */
#ifndef FACTS_ERRAND_H
#define FACTS_ERRAND_H

#include <stdbool.h>

struct errand {
	int owners;	    /* atomic; by errand_hold() and errand_free() alone */
	bool looks_at_last; /* IMAP: when did mail last come? It marks nothing */
	/* SMTP: a message is sent; IMAP: it is looked for, and deleted. NULL: none. */
	char *from;
	char *to;
	char *message_id; /* with its brackets; our own, and of this message alone */
	char *message;	  /* SMTP: as it goes out, lines by CRLF, none of them begins with '.' */
};

/* One owner, the members its caller's to set. NULL where the allocator said no. */
struct errand *errand_new(void);
/* NULL gives NULL. */
struct errand *errand_hold(struct errand *errand);
/* NULL is fine. */
void errand_free(struct errand *errand);

#endif
