/*
 * finding.h: what happened in a dialogue, before anybody judged it: how far it came, and the reply
 * or the fact that ended it. Made by dialogue (and by probe for what the network did); diagnose
 * makes a cause of it. Layer: facts.
 */
#ifndef FACTS_FINDING_H
#define FACTS_FINDING_H

#include "facts/folder.h"
#include "facts/verdict.h"

enum finding_kind {
	FINDING_DONE,		   /* all went well */
	FINDING_REFUSED,	   /* the server's reply said no: see reply */
	FINDING_BROKEN,		   /* a reply breaks the protocol: see detail */
	FINDING_TOO_LONG,	   /* 64 KiB of line or 1 MiB of probe passed (contract 7) */
	FINDING_UNASKED,	   /* a reply to a command that was not sent yet (H2-10, H2-11) */
	FINDING_STARTTLS_MISSING,  /* demanded by the settings, not offered */
	FINDING_STARTTLS_INJECTED, /* bytes behind the reply to STARTTLS */
	FINDING_PREAUTH_CLEAR,	   /* IMAP PREAUTH in clear where TLS was demanded (H1-09) */
	FINDING_LOGIN_IN_CLEAR,	   /* ours: no secret without TLS unless insecure_auth (H1-37) */
	FINDING_LOGIN_NOT_OFFERED, /* no login here: no AUTH, LOGINDISABLED */
	FINDING_NO_MECHANISM,	   /* offered, but none that we have or that the settings name */
	FINDING_SECRET_UNFIT,	   /* the secret or user name cannot be said in this mechanism */
	FINDING_SECRET_UNREADABLE, /* it is no text that the mechanism's form can be made of */
	FINDING_HELD,		   /* ended before the login as watch asked; all well so far */
	FINDING_OTHER_PROTOCOL, /* detail names it: "POP3", "HTTP", "FTP", "SSH", "SMTP", "IMAP" */
	FINDING_TLS_BYTES,	/* TLS records where clear text was expected (H1-16) */
	FINDING_CLOSED,		/* the peer closed or reset without a word */
	FINDING_TIMEOUT,	/* no complete reply within the stage's or the probe's time */
	FINDING_NOT_DELIVERED,	/* the test message was not found: see detail */
	FINDING_NO_MEMORY,	/* ours: the allocator said no */
	FINDING_COUNT
};

enum reply_status {
	REPLY_NONE,
	REPLY_SMTP, /* code counts */
	REPLY_OK,
	REPLY_NO,
	REPLY_BAD,
	REPLY_BYE,
	REPLY_PREAUTH,
	REPLY_STATUS_COUNT
};

/*
 * The reply that decided, of either protocol. Owned by the finding; secrets are masked already.
 * SMTP: code, enhanced (RFC 3463; 0.0.0 where none). IMAP: status, response_code (upper case, as
 * "AUTHENTICATIONFAILED", without its arguments), code_argument.
 *
 * All texts are kept as verdict.h says: a NUL of the server's cuts nothing (H2-03).
 */
struct server_reply {
	enum reply_status status;
	int code;
	int enhanced[3];
	char *response_code;
	char *code_argument;
	char *text;	    /* the words, without codes, lines joined by LF */
	struct texts lines; /* as they came, VERDICT_MOST_REPLY_LINES at most */
	char *alert; /* IMAP: text of [ALERT] untagged, or a BYE that came beside the tagged reply
		      */
};

#define FINDING_GREETING_MOST ((size_t)512) /* RFC 5321 4.5.3.1.5, of a line */

struct finding {
	enum finding_kind kind;
	enum stage stage;
	enum side side;
	bool is_secret_sent; /* at least one byte made from the secret went out */
	bool is_name_sent;   /* SCRAM: the user name went out, by which alone a server may refuse */
	bool is_login_done;  /* the server accepted it */
	bool is_under_tls;
	enum mechanism used;
	enum mechanism automatic; /* what auth = "auto" would have used here; NONE: nothing */
	struct server_reply reply;
	char *detail;
	char *greeting; /* SMTP: its words, FINDING_GREETING_MOST bytes at most; NULL: none came */
	struct texts capabilities;
	struct texts notes;
	struct folders folders; /* IMAP: those that the server lists, where it refused ours */
};

void server_reply_done(struct server_reply *reply);
/* A zeroed one is empty. */
void finding_done(struct finding *finding);
void finding_detail(struct finding *finding, const char *format, ...) PRINTF_LIKE(2, 3);
void finding_note(struct finding *finding, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
