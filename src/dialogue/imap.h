/*
 * imap.h: what the files of an IMAP session share. Layer: dialogue, pure. For imap*.c alone.
 *
 *	imap.c             the states, in the order a session lives
 *	imap_receive.c     what comes: which response answers what
 *	imap_capability.c  what the server says that it can
 *	imap_login.c       AUTHENTICATE and LOGIN
 *	imap_list.c        LIST, where the folder is refused
 *	imap_errand.c      what a check does beyond a probe
 *	imap_command.c     tags, quoting, folder names
 *	imap_end.c         the reply that decided
 *	imap_response.c    bytes -> responses
 */
#ifndef DIALOGUE_IMAP_H
#define DIALOGUE_IMAP_H

#include "dialogue/dialogue_private.h"
#include "dialogue/imap_response.h"

enum imap_state {
	IMAP_GREETING,
	IMAP_CAPABILITY,
	IMAP_STARTTLS,
	IMAP_ID_UNKNOWN,   /* ID where no login comes */
	IMAP_ASK_LOGIN,	   /* the owner is asked for the secret */
	IMAP_AUTHENTICATE, /* the command, or its SASL exchange */
	IMAP_LOGIN,	   /* the command, or its literals */
	IMAP_ID,
	IMAP_SELECT,
	IMAP_LIST, /* the folder was refused: which ones are there? */
	IMAP_LAST, /* a check: when did mail last come? */
	IMAP_NOOP,
	/* A check that has sent a message looks for it, and deletes it. */
	IMAP_FIND_FOLDERS, /* where would junk be? */
	IMAP_FIND_OPEN,
	IMAP_FIND,
	IMAP_FIND_PAUSE,
	IMAP_FIND_SELECT,
	IMAP_FIND_MARK,
	IMAP_FIND_EXPUNGE,
	IMAP_STATE_COUNT
};

struct imap {
	struct dialogue base;
	enum imap_state state;
	struct imap_reader reader;
	unsigned tags; /* how many were given out */
	char tag[16];  /* of the command in hand; "" before the first */
	bool is_greeted;
	bool is_preauth;
	/* What the server says that it can. */
	bool has_capabilities;
	bool is_capability_asked;
	bool has_starttls;
	bool has_logindisabled;
	bool has_sasl_ir;
	bool has_literal_plus;
	bool has_literal_minus;
	bool has_id;
	bool has_uidplus;
	struct sasl_offer offer;
	/* The login. */
	bool is_by_command;    /* LOGIN, not AUTHENTICATE */
	size_t arguments_said; /* of LOGIN's two */
	bool is_literal_due;   /* "{n}" was said for the next one: its bytes wait for "+" */
	/* Untagged status responses since the last command, joined by LF. */
	struct buf beside;
	bool has_bye;
	struct server_reply bye;
	/* The errand. */
	bool has_last;
	char *junk; /* the folder for it, as the server calls it; NULL: none */
	bool is_in_junk;
	unsigned looks;
	uint32_t uid; /* of the message; 0: not found */
	bool is_uid_sure;
};

static inline struct imap *
imap_of(struct dialogue *dialogue)
{
	return CONTAINER_OF(dialogue, struct imap, base);
}

/* ---- imap.c */

/* The one place that assigns a state; says what belongs to it. */
void imap_enter(struct imap *d, enum imap_state state);
void imap_on_greeting(struct imap *d, const struct imap_response *response);
/* The tagged response to the command in hand. */
void imap_on_done(struct imap *d, const struct imap_response *response);

/* ---- imap_receive.c: of struct dialogue_protocol */

void imap_receive(struct dialogue *dialogue, struct bytes received);
void imap_lost(struct dialogue *dialogue);

/* ---- imap_capability.c */

void imap_forget_capabilities(struct imap *d);
/* capability-data: words; a new list takes the place of the old one (RFC 9051 7.2.2). */
void imap_read_capabilities(struct imap *d, struct bytes words);
/* The same list in a response code, in a greeting or behind a login; nothing where there is none.
 */
void imap_read_code_capabilities(struct imap *d, const struct imap_response *response);

/* ---- imap_login.c */

/* Asks for the secret, or ends where no login can be made. */
void imap_choose_login(struct imap *d);
void imap_ask_login(struct imap *d);
/* Of struct dialogue_protocol: the secret is there. */
void imap_login(struct dialogue *dialogue);
void imap_say_authenticate(struct imap *d);
void imap_say_login(struct imap *d);
void imap_on_continuation(struct imap *d, const struct imap_response *response);
void imap_on_login(struct imap *d, const struct imap_response *response);

/* ---- imap_list.c */

/* Is this refusal of a folder one that a list of folders may explain? */
bool imap_may_list(const struct imap_response *response);
void imap_say_list(struct imap *d);
/* One line of a list: its name as the server calls it; false: none that can be read. */
bool imap_take_listed(struct bytes data, struct folder *folder, struct buf *name);
/* Data of the list. */
void imap_read_list(struct imap *d, struct bytes data);
/* The tagged response to LIST, of whatever status: the session ends by the refusal before it. */
void imap_on_list(struct imap *d, const struct imap_response *response);
/* The session is over while the list comes: true where it ended by the refusal before it. */
bool imap_end_listing(struct imap *d, enum goodbye goodbye);

/* ---- imap_errand.c: what each state of it says, and what it does with the answer */

bool imap_may_look_at_last(const struct imap *d);
/* A message was sent, and is to be looked for. */
bool imap_is_sent(const struct imap *d);
void imap_say_last(struct imap *d);
void imap_read_last(struct imap *d, struct bytes data);
void imap_on_last(struct imap *d, const struct imap_response *response);
void imap_say_folders(struct imap *d);
void imap_read_junk(struct imap *d, struct bytes data);
void imap_on_folders(struct imap *d, const struct imap_response *response);
void imap_say_find_open(struct imap *d);
void imap_on_find_open(struct imap *d, const struct imap_response *response);
void imap_say_find(struct imap *d);
void imap_read_found(struct imap *d, struct bytes data);
void imap_on_find(struct imap *d, const struct imap_response *response);
void imap_begin_pause(struct imap *d);
/* Of struct dialogue_protocol. */
void imap_pause_over(struct dialogue *dialogue);
void imap_say_find_select(struct imap *d);
void imap_say_mark(struct imap *d);
void imap_say_expunge(struct imap *d);
void imap_on_deleting(struct imap *d, const struct imap_response *response);

/* ---- imap_command.c */

/* Begins a command: a new tag, and nothing remembered of the one before. */
void imap_put_tag(struct imap *d, struct buf *line);
/* A whole command but its tag. */
void imap_say(struct imap *d, const char *command);
/* quoted = DQUOTE *QUOTED-CHAR DQUOTE: 7 bit, no CR, LF, NUL (RFC 3501 9). */
bool imap_is_quotable(struct bytes text);
void imap_put_quoted(struct buf *line, struct bytes text);
/* An atom where the name is plainly one, else quoted. */
void imap_put_folder(struct buf *line, struct bytes name);

/* ---- imap_end.c */

void imap_end(struct imap *d, enum finding_kind kind);
/* By a response that says no, or that fits nothing; it is kept. */
void imap_end_refused(struct imap *d, const struct imap_response *response);
void imap_end_broken(struct imap *d, const struct imap_response *response, const char *why);
/* What a BYE says beside a refusal may name the lock that the refusal does not (H2-23). */
void imap_take_bye_as_alert(struct imap *d);
/* By the BYE that was remembered. */
void imap_end_leaving(struct imap *d);
/* The response into the finding, with the lines beside it; into reply alone. */
void imap_keep_reply(struct imap *d, const struct imap_response *response);
void imap_fill_reply(
	struct imap *d, struct server_reply *reply, const struct imap_response *response);

#endif
