/*
 * verdict.h: the result of one probe. Layer: facts.
 *
 * Made by probe on its loop, handed to the main loop whole, freed by verdict_free(). All text
 * members are the verdict's own; text from servers is as it came, escaped only where it is printed.
 */
#ifndef FACTS_VERDICT_H
#define FACTS_VERDICT_H

#include "base/secret.h"
#include "base/time.h"
#include "facts/cause.h"
#include "facts/protocol.h"

#define VERDICT_MOST_REPLY_LINES 16
#define VERDICT_MOST_NAMES 10 /* H1-23 */
#define VERDICT_MOST_NOTES 8
#define VERDICT_MOST_CAPABILITIES 64

struct texts {
	char **items;
	size_t count;
};

/*
 * Text from outside is kept as a string, a NUL inside as C0 80, so that nothing is cut there
 * (H2-03, H1-24); text_put() gives the bytes that came. In JSON that NUL is \u0000: read with
 * JSON_ALLOW_NUL.
 */
/* A copy to keep (free()); NULL where the allocator said no. */
char *text_keep(struct bytes text);
/* A kept text as it came, not escaped. NULL puts nothing. */
void text_put(struct buf *out, const char *kept);
/* "…" of JSON; null for NULL. */
void text_put_json(struct buf *out, const char *kept);

/* A copy of text (text_keep) at the end. ERR_MEMORY, ERR_LIMIT (count is `most` already). */
CHECKED enum err texts_add(struct texts *texts, struct bytes text, size_t most);
/* ["…", "…"] of JSON; [] for NULL. */
void texts_put_json(struct buf *out, const struct texts *texts);
void texts_done(struct texts *texts);

/* One for all verdicts that showed it, on whatever loop; not changed once it is shared. */
struct certificate {
	int more_owners; /* beside the first; atomic; by certificate_hold() and _free() alone */
	char *subject;
	char *issuer;
	struct texts names; /* of subjectAltName, VERDICT_MOST_NAMES at most */
	size_t names_more;  /* how many more there were */
	wall_t not_before;
	wall_t not_after;
	uint8_t sha256[32]; /* of the whole certificate (DER) */
};

/* NULL where the allocator said no. */
struct certificate *certificate_new(void);
/* Another owner; NULL for NULL. */
struct certificate *certificate_hold(struct certificate *certificate);
/* The last owner frees it. NULL is fine. */
void certificate_free(struct certificate *certificate);

/* What was negotiated; has_tls false: the probe never had a finished handshake. A certificate may
 * be there all the same (a handshake that failed by it). */
struct tls_facts {
	bool has_tls;
	bool is_resumed;
	char version[12];
	char cipher[48];
	struct certificate *certificate; /* NULL: none was seen */
};

/* How the login went, for the account's brake. */
enum login {
	LOGIN_NOT_SENT, /* the secret never went out */
	LOGIN_HELD,	/* watch said no: the probe ended before the login, all well so far */
	LOGIN_ACCEPTED,
	LOGIN_REFUSED,	/* a cause with mark B at auth or secret */
	LOGIN_UNJUDGED, /* sent, and answered by neither (lost, temporary) */
	LOGIN_COUNT
};

/* What of ours there was not enough of, where the cause is local_limit. */
enum lack {
	LACK_NONE,
	LACK_DESCRIPTORS,
	LACK_ADDRESS, /* the source address is not on this host, or has no port left (H3-20) */
	LACK_COUNT
};

/* What was sent to be suggested in the place of a setting: {"security": "starttls"}. */
struct suggestion {
	char *setting;
	char *value;
};

struct verdict {
	bool is_ok;
	bool is_kept; /* the session stays open, by the token of this probe */
	bool is_void; /* our own loop lost the time: not judged, run again (contract 7) */
	enum stage stage;
	enum cause cause;
	bool is_transient;
	enum lack lack;
	enum protocol answers; /* with wrong_protocol: which one */
	enum login login;
	struct fingerprint fingerprint; /* of the secret; meaningful from LOGIN_HELD on */
	bool has_fingerprint;
	int64_t wait_us;    /* the server named a time to wait; 0: none */
	char *detail;	    /* NULL: none */
	struct texts reply; /* the server's lines, without line ends, secrets masked */
	char *address;	    /* connected to, "192.0.2.1"; NULL: never connected */
	enum family family;
	int64_t times_us[STAGE_COUNT]; /* by stage; -1: never entered */
	int64_t total_us;
	int64_t waited_us; /* in our own queue, before it began: in no stage's time */
	struct tls_facts tls;
	struct texts capabilities;
	struct suggestion suggest[2];
	size_t suggest_count;
	struct texts notes;
	char *advice; /* what the table of providers says about it, for people; NULL: nothing */
	char *link;   /* the provider's page; NULL: none */
	wall_t began;
	wall_t ended;
};

/* times_us all -1, cause ok, stage config. NULL where the allocator said no. */
struct verdict *verdict_new(void);
/* NULL is fine. */
void verdict_free(struct verdict *verdict);
/* What was learnt of a TLS session that is tried again. */
void verdict_forget_tls(struct verdict *verdict);
/* Sets detail; the old one goes. Where the allocator says no, the detail is none. */
void verdict_detail(struct verdict *verdict, const char *format, ...) PRINTF_LIKE(2, 3);
/* Another value for a setting that was suggested takes its place; what has no room is left out. */
void verdict_suggest(struct verdict *verdict, const char *setting, const char *value);
/* The suggestions as one sentence: Set security to "starttls" and port to 587. Nothing where there
 * is none. */
void verdict_put_suggestion(struct buf *out, const struct verdict *verdict);
/* As in the settings, where a port has no quotes and all else that is suggested has. */
bool suggestion_is_number(const struct suggestion *suggestion);
void verdict_note(struct verdict *verdict, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * VERDICT of contract 5 as JSON. tls is there, its version and cipher null, where a handshake
 * failed by a certificate that we know.
 *   is_whole  with reply, capabilities, tls.cert; without them for /v1/status
 *   next      ready sentences (diagnose/words.h), may be NULL
 */
void verdict_put_json(
	struct buf *out, const struct verdict *verdict, bool is_whole, const struct texts *next);
/* The same verdict from what verdict_put_json(…, true, …) wrote (the store keeps the verdict that
 * began a state). Without login, fingerprint: those are for the brake, when the probe ends. Members
 * that are missing stay as in verdict_new(), unknown ones are passed over. ERR_SYNTAX, ERR_MEMORY
 */
CHECKED enum err verdict_from_json(struct bytes json, struct verdict **out);

#endif
