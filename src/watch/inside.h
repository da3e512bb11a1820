/*
 * inside.h: what the files of this room share; nobody outside includes it. Layer: watch, pure.
 *
 * One probe's way: its endpoint stands in `due` until its time (schedule.c), in its server's
 * `ready` until limits have room (server.c), then a WATCH_PROBE goes out. watch_login() asks the
 * server's budget and the account's brake (account.c). watch_verdict() books the login (account.c),
 * moves the endpoint's state (state.c), tells (tell.c), keeps rows (rows.c) and plans the next
 * probe (schedule.c).
 */
#ifndef WATCH_INSIDE_H
#define WATCH_INSIDE_H

#include "base/heap.h"
#include "facts/mailbox.h"
#include "watch/watch.h"

#define HASH_NONFATAL_OOM 1 /* an element that found no room has hh.tbl NULL */
#include <uthash.h>

/* Contract 3: "Whatever the secrets, an account is never refused more than 4 times in 15 m and 12
 * times in 1 d". */
#define ACCOUNT_CAPS 2
extern const struct watch_count_rule account_caps[ACCOUNT_CAPS];

#define ACCOUNT_KEY_LEN 32	    /* 128 bits of hash in hex: no user name lies in a row's key */
#define ACCOUNT_MOST_TRIED 16	    /* secrets that an account refused; 12 a day at most */
#define ACCOUNT_MOST_REFUSALS 128   /* of one secret; more than any sane count */
#define RESUMES_MOST 2		    /* contract 3: one login by resume, 2 in 1 h */
#define WAIT_MOST_US (6 * US_PER_H) /* causes.md, W; H7-23 */
#define PEER_KEY_MOST 47	    /* the longest text of an address */
#define SLOW_KEY "slow:" /* and the host: a row of the daemon, of no mailbox by its colon */

struct mailbox;
struct watched;
struct server;
struct peer;
struct account;

enum result {
	RESULT_NONE,
	RESULT_ACCEPTED,
	RESULT_REFUSED,
	RESULT_COUNT
};

/* ---- accounts */

struct refusal {
	wall_t time;
	bool is_supposed; /* a booking that an unclean end left behind; gone with the next accepted
			     login */
};

/* A secret that an account has refused. */
struct tried {
	struct fingerprint fingerprint;
	bool has_cause;
	enum cause cause;
	enum result results[SIDE_COUNT]; /* of each side's last login with it */
	struct refusal *refusals;	 /* oldest first */
	size_t count;
	size_t room;
};

struct brake {
	bool is_open;
	bool is_told;
	wall_t since;
	wall_t next_try;
	unsigned step; /* tries made: index into brake_retry_us */
	bool has_cause;
	enum cause cause;
	bool has_side; /* only this side is held */
	enum side side;
	char mailbox[MAILBOX_NAME_MOST + 1]; /* whose refusal opened it */
};

struct last_login {
	struct fingerprint fingerprint;
	enum result result;
	bool is_proven; /* accepted since this watch began: needs no booking */
};

struct account {
	UT_hash_handle hh;
	char key[ACCOUNT_KEY_LEN + 1];
	struct watched *endpoints; /* linked by account_next */
	struct probe *logins; /* those allowed and not yet judged, and those that wait, in order */
	struct tried *tried;
	size_t tried_count;
	struct last_login last[SIDE_COUNT];
	struct brake brake;
	wall_t resumed[RESUMES_MOST];
	struct {
		struct fingerprint fingerprint;
		wall_t time;
	} booked[SIDE_COUNT]; /* from the store, until watch_restored() */
	size_t booked_count;
	unsigned probes; /* in flight that point here, whatever became of their mailboxes */
	bool has_row;
};

/* ---- servers */

/* Servers that hung last time get half of in_flight at most, so that they never starve the others
 * (H7-10). */
enum turn_kind {
	TURN_WELL,
	TURN_HUNG,
	TURN_COUNT
};

/* Those of a server that wait for their turn. */
enum ready_kind {
	READY_LOGIN, /* that will log in: by the even spacing */
	READY_FREE,  /* in a kept session, or without any login */
	READY_COUNT
};

/* What is asked of one place: a server by its name, or an address by all names there. */
struct budget {
	unsigned connections;
	unsigned logins_per_minute;
	unsigned in_flight;
	uint64_t rate;	     /* probes in 10^9 s, as the settings ask */
	uint64_t login_rate; /* logins in that time, with the sessions that are kept now */
	int64_t mean_us;     /* how long its probes take; -1: not known */
	mono_t next_start;   /* the even spacing of starts */
	mono_t next_login;   /* and of logins */
	struct heap resting; /* kept sessions: connections too; the next to give way on top */
	int64_t *logins; /* when the last logins went out: a ring of logins_per_minute, mono us */
	unsigned logins_room;
	unsigned logins_next;
};

/* An address (IPv6: its /64) that servers are reached at, or the place of one server whose address
 * is not known: without limits of its own, and in no table. */
struct peer {
	UT_hash_handle hh;
	char key[PEER_KEY_MOST + 1];
	struct budget budget;
	size_t owners;		  /* servers and probes; it goes by peers_sweep() */
	struct heap servers;	  /* those with something to start and a connection free, by when */
	struct heap_node turn;	  /* in one of watch.turns while one of them may start */
	enum turn_kind turn_kind; /* which of them */
};

/* rate_limited at a login: half as many for an hour (causes.md). */
struct slowed {
	bool is_open;
	wall_t since;
	wall_t until;
	struct heap_node node; /* in watch.slowed by until */
};

struct server {
	UT_hash_handle hh;
	char *host;
	struct budget budget;
	unsigned logins_allowed; /* as the settings say; budget has what holds now */
	bool has_limits;	 /* of its own: mark of watch_configure() */
	bool is_known;		 /* its limits hold for the name alone: it has no peer */
	size_t owners;		 /* endpoints and probes */
	struct peer *peer;
	struct peer alone; /* where it stands while its address is not known */
	struct heap ready[READY_COUNT];
	struct probe *guests;  /* that wait for their turn, in order; before all of ready */
	struct heap_node turn; /* in peer->servers */
	struct slowed slowed;
	unsigned pacing;	  /* probes in watch.paced */
	bool has_hung;		  /* its last probe ended by a timeout */
	int64_t load;		  /* its part of watch.loads: thousandths of probes at a time */
	enum turn_kind load_kind; /* of which one */
	bool is_waiting;	  /* it asked for time: one tries, the others wait (causes.md) */
	mono_t wait_began;
	mono_t wait_until;
	unsigned waits; /* in a row */
	enum cause wait_cause;
	enum stage wait_stage;
};

/* ---- probes in flight */

enum login_step {
	STEP_BEFORE,  /* has not asked */
	STEP_PACED,   /* waits for the server's budget */
	STEP_WAITING, /* waits for another login of its account */
	STEP_ALLOWED,
	STEP_HELD,
	STEP_ACCEPTED, /* told by watch_login_accepted(): its login is booked, the probe goes on */
	LOGIN_STEP_COUNT
};

struct probe {
	UT_hash_handle hh;
	uint64_t token;
	struct watched *endpoint; /* NULL: removed meanwhile */
	bool is_guest;
	bool is_queued;		  /* a guest that has not begun */
	struct probe *next_guest; /* of its server */
	bool is_stale; /* paused, changed or removed meanwhile: its verdict moves no state */
	enum side side;
	struct server *server;
	struct peer *peer;	 /* where its connection counts */
	struct account *account; /* NULL: no login is made */
	int64_t late_us;	 /* its start */
	mono_t start;
	enum login_step step;
	struct fingerprint fingerprint;
	bool is_booked;
	bool is_try;	   /* the one login that brake_retry allows */
	bool is_permit;	   /* the one login that resume allows */
	bool is_hung;	   /* its server had hung when it began */
	bool uses_session; /* it began in a kept session, of this age: */
	mono_t session_since;
	bool is_deferred; /* it lost that, and its login would have to wait for too long */
	struct heap_node paced;
	struct probe *next_login; /* of its account */
};

/* ---- mailboxes and endpoints */

/* A kept session's place in the resting of a budget. */
struct resting {
	struct heap_node node;
	struct session *session;
};

/* A kept session at rest. */
struct session {
	UT_hash_handle hh;
	uint64_t token; /* of the probe that left it */
	struct watched *endpoint;
	struct peer *peer; /* where its connection counts */
	struct resting by_name;
	struct resting by_address;
	mono_t since; /* when it was opened */
	bool is_over; /* of settings that hold no more: the next probe parts from it, then connects
		       */
};

struct watched {
	struct mailbox *mailbox;
	enum side side;
	struct watch_rules rules;
	uint64_t hash; /* of NAME/side: its phase */
	struct server *server;
	struct account *account;
	struct watched *account_next;

	/* schedule */
	struct heap_node due;
	struct heap_node ready;
	enum ready_kind ready_kind; /* in which of its server's queues it stands, or stood last */
	struct heap_node judge;	    /* when it becomes unknown, at the earliest */
	enum next_reason reason;
	mono_t wanted;	   /* when the next probe is due */
	int64_t queued_us; /* its interval, as stretched, when it came into its server's queue */
	mono_t start;	   /* of the last probe; MONO_NEVER: none yet */
	wall_t last_probe;
	wall_t last_ok;
	unsigned growth; /* the retry is doubled so often */
	struct probe *probe;
	struct session *session; /* NULL: none, or its probe in flight has it */
	bool is_kept;		 /* its sessions are kept: logins are saved */
	uint64_t login_rate;	 /* its part of its server's */
	bool is_first;		 /* no verdict since it was configured, and not off since */
	bool is_slotted;	 /* first, and paced already */
	bool is_asked;
	bool is_again;	 /* wanted at once, while its old probe is still in flight */
	bool has_permit; /* one login by resume */
	bool is_sibling; /* to be tried before the other side's second try */
	mono_t sibling_until;
	uint64_t *requests;
	size_t request_count;

	/* state */
	enum endpoint_state state; /* never ENDPOINT_PAUSED: the mailbox's */
	enum part part;		   /* what is shown: suspect reads as the state before */
	wall_t since;
	wall_t run_since; /* end of the first probe of the present run of failures, or of successes
			     while failing */
	bool has_cause;
	enum cause cause;
	enum stage stage;
	unsigned fails;
	unsigned successes;
	unsigned other_count; /* times in a row that another cause came while failing */
	enum cause other_cause;
	struct ulid incident;
	wall_t incident_since;
	bool is_unknown_told;
	bool has_refusal; /* its last login was refused, with this: */
	struct fingerprint refused;
	bool has_unjudged; /* what keeps it from being judged */
	enum cause unjudged;
	enum stage unjudged_stage;
	wall_t grey_since;
	mono_t judged; /* last judged, or begun */
	int64_t judged_lost_us;
	struct verdict *verdict;
	enum lack lack; /* of its last probe */
};

struct mailbox {
	UT_hash_handle hh;
	uint32_t index;
	char *name;
	char *address;
	struct labels labels;
	bool is_enabled;
	bool is_seen; /* mark of watch_configure() */
	bool is_paused;
	wall_t paused_until;
	struct heap_node pause;	    /* in watch.pauses by wall time */
	struct heap_node pause_cap; /* in watch.pause_caps: it lasts its own length at most */
	enum part parts[SIDE_COUNT];
	enum part counted; /* its class in watch.classes; PART_NONE: not counted */
	wall_t since;
	struct watched *sides[SIDE_COUNT];
};

/* ---- certificates (certificates.c) */

#define LEAVES_MOST 16 /* of one place; more is a farm of servers */
#define LEAF_END_MOST_US (INT64_C(4102444800) * US_PER_S) /* the year 2100: no row says more */

/* One certificate, wherever it is shown. */
struct leaf {
	UT_hash_handle hh;
	uint8_t sha256[32];
	char *authority; /* who signed it */
	wall_t not_after;
	int64_t told_us; /* the nearest step of cert_warn that was told; 0: none */
	size_t places;	 /* that know it */
};

/* One side of a server, and what it showed; the one shown last stands first. */
struct leaf_place {
	UT_hash_handle hh;
	char *key; /* HOST/side */
	struct leaf *known[LEAVES_MOST];
	size_t count;
};

/* Probes that a person waits for. */
struct request {
	UT_hash_handle hh;
	uint64_t id;
	size_t open;
};

/* A row of the store that no configure has claimed yet. */
struct stored {
	UT_hash_handle hh;
	char *key; /* NAME/side, or NAME for the mailbox's own */
	enum row_kind kind;
	bool is_told;		 /* its end was told */
	struct watched endpoint; /* state members alone */
	enum part parts[SIDE_COUNT];
	wall_t since;
	bool is_paused;
	wall_t paused_until; /* of a server: slowed.until */
};

struct trouble_state {
	bool is_open;
	wall_t since;
	char *detail;
};

#define RATE_UNIT INT64_C(1000000000000000) /* us in 10^9 s */

struct watch {
	uint8_t seed[32];
	uint64_t chances;
	struct ulid_source ids;
	uint64_t tokens;
	struct watch_limits limits;
	bool is_configured;
	bool is_restored; /* a run before this one made logins */
	mono_t began;	  /* the first configure */

	struct mailbox **mailboxes;
	uint32_t room;
	uint32_t used;	    /* indexes below it were given out */
	uint32_t free_from; /* none below it is free */
	struct mailbox *by_name;
	struct server *servers;
	struct peer *peers;
	struct account *accounts;
	struct probe *probes;
	struct session *sessions;
	struct request *requests;
	struct stored *stored;
	struct leaf *leaves;
	struct leaf_place *leaf_places;

	mono_t now; /* of the call under way, or the last one */
	wall_t wall;
	int64_t grid_us; /* wall - mono at the first configure: a jump of the wall clock moves no
			    phase (H7-01) */
	/* The time by which logins are held: wall, but never set back, or a clock that is an hour
	 * behind for a moment after a reboot would end what it holds an hour early, and one that
	 * was ahead would keep it for as long (H7-07). */
	wall_t held;
	mono_t expected; /* when a call was expected at the latest: what lies beyond was lost */
	int64_t lost_us;
	bool is_late; /* this call came after such a loss */
	struct heap due;
	struct heap turns[TURN_COUNT];
	struct heap judges;
	struct heap paced;
	struct heap pauses;
	struct heap pause_caps; /* the same mailboxes, by mono */
	struct heap slowed;	/* servers, by wall time */
	mono_t first_next;	/* the next slot for a first probe */
	mono_t sweep_at;	/* when what nobody needs any more is looked for again */
	uint64_t rate;
	unsigned in_flight;
	unsigned ceiling;	   /* in_flight's, below the limit while this machine has no more */
	unsigned memory_ceiling;   /* what memory allows; 0: not known */
	unsigned hung_in_flight;   /* of these at servers that had hung */
	int64_t loads[TURN_COUNT]; /* probes at a time, in thousandths, that servers would have */

	struct watch_command *commands;
	size_t command_first;
	size_t command_count;
	size_t command_room;

	struct trouble_state troubles[TROUBLE_COUNT];
	size_t classes[PART_COUNT];
	size_t suspects;
	size_t incidents_open;
	size_t brakes_open;
	size_t firsts_missing;
	int64_t lacking[LACK_COUNT]; /* endpoints by their lack; of LACK_NONE it says nothing */
	mono_t lacked[LACK_COUNT];   /* when a probe last met it */
	struct watch_figures figures;
};

/* ---- watch.c */

/* Notes the time of a call, and what the machine lost (suspend). */
void watch_enter(struct watch *watch, mono_t now, wall_t wall);
/* Puts a command at the end. False where there is no memory: what it owned is freed. */
bool watch_command(struct watch *watch, const struct watch_command *command);
struct ulid watch_id(struct watch *watch, wall_t wall);
struct mailbox *watch_mailbox(const struct watch *watch, uint32_t index);
static inline bool
mailbox_is_off(const struct mailbox *mailbox)
{
	return mailbox->is_paused || !mailbox->is_enabled;
}

/* ---- schedule.c */

/* The interval that results within the server's limits and limits.in_flight. */
int64_t schedule_interval(
	const struct watch *watch, const struct watched *endpoint, bool *is_stretched);
/* Moves it to this time; it leaves its server's queue. Nothing while a probe is in flight. */
void schedule_at(struct watch *watch, struct watched *endpoint, mono_t at, enum next_reason reason);
void schedule_remove(struct watch *watch, struct watched *endpoint);
/* So many probes at a time, by the settings and by what this machine has. */
unsigned schedule_most(const struct watch *watch);
/* Its next regular turn, by phase. */
void schedule_regular(struct watch *watch, struct watched *endpoint);
void schedule_retry(struct watch *watch, struct watched *endpoint, int64_t least_us);
/* As one that has no verdict yet: at once, paced. */
void schedule_first(struct watch *watch, struct watched *endpoint);
/* The same where many begin at once: spread over half an interval. */
void schedule_first_of_many(struct watch *watch, struct watched *endpoint);
/* Again after a void verdict. */
void schedule_void(struct watch *watch, struct watched *endpoint);
/* The judge's timer, for the watched state. */
void schedule_judge(struct watch *watch, struct watched *endpoint);
/* What a verdict says of this machine's room for probes. */
void schedule_ceiling(struct watch *watch, const struct verdict *verdict);
/* Carries out all that is due. At the end of each call. */
void schedule_pump(struct watch *watch);
mono_t schedule_wake(const struct watch *watch);
void schedule_requests_done(struct watch *watch, struct watched *endpoint);
/* Begins a probe of an endpoint that its server has chosen. */
void schedule_start(struct watch *watch, struct watched *endpoint);

/* ---- budget.c */

/* By how much intervals stretch by its logins, by its connections, in thousandths (1000: not at
 * all). */
int64_t budget_stretch_of_logins(const struct budget *budget);
int64_t budget_stretch_of_connections(const struct budget *budget);
void budget_join(struct budget *budget, uint64_t rate, uint64_t login_rate);
void budget_leave(struct budget *budget, uint64_t rate, uint64_t login_rate);
/* No connection more, unless a kept session gives way. */
bool budget_is_full(const struct budget *budget);
/* When the next probe that logs in may start. */
mono_t budget_start_from(const struct budget *budget);
void budget_started(struct budget *budget, mono_t now);
/* From when on a login may go out; budget_login() notes that one goes now. */
mono_t budget_login_from(struct watch *watch, struct budget *budget);
void budget_login(struct watch *watch, struct budget *budget);
/* None of its logins counts any more. */
bool budget_is_idle(const struct budget *budget, mono_t now);
/* A probe took so long. */
void budget_took(struct budget *budget, int64_t took_us);
void budget_done(struct budget *budget);

/* ---- peer.c */

void peer_init(struct peer *peer);
/* Brings its place in watch.turns up to date. */
void peer_turn(struct watch *watch, struct peer *peer);
/* The server moves to the address of this key; NULL: to its own place. False: no memory, it stays.
 */
bool peer_move(struct watch *watch, struct server *server, const char *key);
/* Answers a probe that is about to connect there: WATCH_CONNECT. */
void peer_ask(struct watch *watch, struct probe *probe, const char *address);
/* Its limits are the largest of the names that are reached there. */
void peers_limits(struct watch *watch);
/* Those that nobody is reached at any more go, once their last logins do not count any more. */
void peers_sweep(struct watch *watch);
void peers_free(struct watch *watch);

/* ---- server.c */

/* Finds or makes; owners is as it was. NULL: no memory */
struct server *server_get(struct watch *watch, const char *host);
void server_free(struct server *server);
/* One owner less; without any it goes. */
void server_drop(struct watch *watch, struct server *server);
void server_limits(struct watch *watch, struct server *server, unsigned connections,
	unsigned logins_per_minute);
/* A host of the table of providers: its limits do not hold for addresses as well (contract 3). */
void server_known(struct watch *watch, struct server *server, bool is_known);
/* By how much intervals stretch there, by its name's budget and its address's, in thousandths. */
int64_t server_stretch_of_logins(const struct server *server);
int64_t server_stretch_of_connections(const struct server *server);
void server_join(struct watch *watch, struct watched *endpoint);
void server_leave(struct watch *watch, struct watched *endpoint);
void server_enqueue(struct watch *watch, struct watched *endpoint);
void server_unqueue(struct watched *endpoint);
/* Brings its place among those that start up to date. */
void server_turn(struct watch *watch, struct server *server);
/* Does the one that is first in its queue log in? */
bool server_first_logs_in(const struct watch *watch, const struct server *server);
/* Starts the one that is first in its queue. */
void server_start(struct watch *watch, struct server *server);
/* A login that was asked for: it goes to its account when the budgets of its server and of the
 * address allow it. Of a probe that lost its kept session and would have to wait for long, it is
 * held: the probe ends void. */
void server_login(struct watch *watch, struct probe *probe);
void server_judged(struct watch *watch, struct server *server, const struct probe *probe,
	const struct verdict *verdict, const struct watched *endpoint);

/* ---- slow.c */

/* It said at a login that there are too many: half as many for an hour, told once. */
void slow_begin(struct watch *watch, struct server *server, const struct verdict *verdict);
/* Those whose hour is over; words: why, NULL: the hour */
void slow_end(struct watch *watch, struct server *server, const char *words);
void slow_due(struct watch *watch);
/* The clock was set back (H7-07). */
void slow_clamp(struct watch *watch);
/* What the store had of it, once the settings name the server. */
void slow_claim(struct watch *watch, struct server *server);

/* ---- guest.c */

/* Begins the first one that waits at this server. */
void guest_start(struct watch *watch, struct server *server);
/* Are its account's logins held for guests with this secret? */
bool guest_is_held(const struct watch *watch, const struct account *account, enum side side,
	struct fingerprint fingerprint);
/* ---- kept.c */

/* Its next probe makes a login. */
bool kept_needs_login(const struct watch *watch, const struct watched *endpoint);
/* Logins in 10^9 s, with or without a kept session. */
uint64_t kept_login_rate(const struct watched *endpoint);
/* What the command to begin a probe says of sessions; which one it is about, or NULL. */
struct session *kept_choose(
	struct watch *watch, const struct watched *endpoint, struct watch_command *command);
/* The command went out. */
void kept_begin(
	struct watch *watch, struct probe *probe, struct session *session, bool uses_session);
/* Its verdict said is_kept, or not; before its next turn is planned. */
void kept_judged(struct watch *watch, const struct probe *probe, bool is_kept, enum login login);
/* Its next turn is planned anew. */
void kept_replan(struct watched *endpoint);
/* The endpoint's session is not to be used any more; its connection is still one of its server's,
 * until the next probe takes its place. */
void kept_expire(struct watched *endpoint);
/* Goodbye to the endpoint's session, where it has one. */
void kept_part(struct watch *watch, struct watched *endpoint);
/* Goodbye to those for which the connections are too few by now. */
void kept_fit(struct watch *watch, struct budget *budget);
/* Goodbye to one, so that another connection finds room. */
void kept_make_room(struct watch *watch, struct budget *budget);
void kept_lost(struct watch *watch, uint64_t token);
void kept_clear(struct watch *watch);

/* ---- account.c */

struct account *account_get(struct watch *watch, struct bytes key);
/* NULL: there is none. */
struct account *account_find(const struct watch *watch, struct bytes key);
/* Frees one that holds nothing and that nobody needs. */
void account_drop(struct watch *watch, struct account *account);
struct account *account_get_hex(struct watch *watch, const char *hex);
void account_free(struct watch *watch, struct account *account);
void account_join(struct account *account, struct watched *endpoint);
void account_leave(struct watch *watch, struct watched *endpoint);
bool account_has_side(const struct account *account, enum side side);
/* For watch_resume(): takes one of the 2 in 1 h. */
bool account_permit(struct watch *watch, struct account *account, int64_t *retry_us);
/* Probes of this endpoint now end before the login (with the secret that it had last). */
bool account_holds(const struct watch *watch, const struct watched *endpoint);
wall_t account_until(const struct watch *watch, const struct account *account);
/* After a configure: brakes whose mailbox is gone are told to end; what nobody needs any more goes.
 */
void account_sweep(struct watch *watch);

/* ---- brake.c */

/* H7-07: what lies in the future (a clock that went back) lasts at most its own length from now on.
 */
void account_clamp(const struct watch *watch, struct account *account);
/* Decides a login that was asked for: WATCH_LEAVE, or it waits. */
void account_login(struct watch *watch, struct probe *probe);
/* Books how a probe's login ended. True: this refusal opened the brake. */
bool account_judged(struct watch *watch, struct probe *probe, const struct verdict *verdict);
/* Decides again those that waited. */
void account_settle(struct watch *watch, struct account *account);

/* ---- account_counts.c */

struct tried *tried_find(const struct account *account, struct fingerprint fingerprint);
struct tried *tried_add(struct account *account, struct fingerprint fingerprint);
void tried_refused(struct tried *tried, wall_t time, bool is_supposed);
void tried_drop(struct account *account, struct tried *tried);
void account_forget_supposed(struct account *account);
/* How many refusals more the counts allow now: of this secret by limits.refused_logins, of the
 * account by its caps. */
unsigned account_room_of_secret(const struct watch *watch, const struct tried *tried);
unsigned account_room_of_caps(const struct watch *watch, const struct account *account);
/* From when on there is room for one. */
wall_t account_room_from(
	const struct watch *watch, const struct account *account, const struct tried *tried);
/* No window reaches back to its last refusal. */
bool tried_is_old(const struct watch *watch, const struct tried *tried);

/* ---- state.c */

/* Moves the endpoint by its verdict, which it takes; is_confirmed: an opening brake confirms. */
void state_judge(
	struct watch *watch, struct watched *endpoint, struct verdict *verdict, bool is_confirmed);
/* An opening brake confirms an endpoint that was refused with its secret. */
void state_confirm(struct watch *watch, struct watched *endpoint);
/* The judge's timer ran out. */
void state_unjudged(struct watch *watch, struct watched *endpoint);
/* Greylisted, and not for so long that it counts as a failure (H2-50)? */
bool state_is_grey(const struct watch *watch, const struct watched *endpoint);
/* No first verdict of it is waited for any more. */
void watch_first_seen(struct watch *watch, struct watched *endpoint);
/* By a pause's end: unknown until a verdict, the incident kept. */
void state_forget(struct watch *watch, struct watched *endpoint);
/* The mailbox's parts after its endpoints moved; told where they changed, by `by` (NULL: by
 * nobody's verdict). */
void mailbox_settle(struct watch *watch, struct mailbox *mailbox, const struct watched *by);
/* The same without telling. */
void mailbox_settle_quietly(struct watch *watch, struct mailbox *mailbox);
void mailbox_uncount(struct watch *watch, struct mailbox *mailbox);

/* ---- certificates.c */

/* Of a verdict that counts: tells what is new of the server's certificate, or that it ends. */
void certificates_seen(
	struct watch *watch, const struct watched *endpoint, const struct verdict *verdict);
void certificates_sweep(struct watch *watch);
/* Each finds or makes; NULL: no memory. */
struct leaf *leaf_get(struct watch *watch, const uint8_t sha256[32], struct bytes authority);
struct leaf_place *leaf_place_get(struct watch *watch, const char *key);
/* In front; there is room. */
void leaf_place_add(struct leaf_place *place, struct leaf *leaf);
void leaf_place_free(struct watch *watch, struct leaf_place *place);

/* ---- lacks.c */

void lacks_seen(struct watch *watch, struct watched *endpoint, const struct verdict *verdict);
/* It is not probed any more. */
void lacks_forget(struct watch *watch, struct watched *endpoint);
/* What is over is told so. After each verdict. */
void lacks_settle(struct watch *watch);

/* ---- tell.c */

/* what: ends, changed, renewed */
void tell_certificate(struct watch *watch, const struct watched *endpoint,
	const struct certificate *certificate, const char *what);

void tell_state(struct watch *watch, const struct mailbox *mailbox, const enum part was[SIDE_COUNT],
	const struct watched *by);
void tell_cause(struct watch *watch, const struct watched *endpoint);
void tell_removed(struct watch *watch, const struct mailbox *mailbox);
void tell_stored_removed(struct watch *watch, const char *name, const enum part was[SIDE_COUNT],
	const struct watched *endpoint);
void tell_brake(struct watch *watch, struct account *account, const struct watched *by);
void tell_brake_end(struct watch *watch, struct account *account, const char *detail);
/* Who did it where nobody asked: a pause that ran out (contract 6: detail says who). */
#define WATCH_ITSELF "mboxwatchd"
/* Of a server that no settings name any more. */
void tell_slowed_gone(struct watch *watch, const char *host);
void tell_slowed(struct watch *watch, enum event_kind kind, const struct server *server,
	const struct verdict *verdict, const char *detail);
void tell_person(struct watch *watch, enum event_kind kind, const struct mailbox *mailbox,
	wall_t until, const char *who, const char *reason);
void tell_trouble(struct watch *watch, enum event_kind kind, enum trouble trouble,
	const struct trouble_state *state);

/* ---- rows.c, rows_read.c */

void row_keep_endpoint(struct watch *watch, const struct watched *endpoint);
void row_keep_mailbox(struct watch *watch, const struct mailbox *mailbox);
/* Forgets it where there is nothing to remember. */
void row_keep_account(struct watch *watch, struct account *account);
void row_keep_certificates(struct watch *watch, const struct leaf_place *place);
void row_keep_trouble(struct watch *watch, enum trouble trouble);
/* "slow:HOST"; its end forgets it. */
void row_keep_slowed(struct watch *watch, const struct server *server);
void row_keep_clean(struct watch *watch);
void row_forget(struct watch *watch, enum row_kind kind, const char *key);
void row_forget_clean(struct watch *watch);
/* NAME/side; free() it. */
char *row_endpoint_key(const char *name, enum side side);
void stored_free(struct watch *watch, struct stored *stored);
struct stored *stored_find(const struct watch *watch, const char *key);

/* ---- ask.c */

/* Nothing of it is probed any more, or again; *by becomes value: what says so (is_paused,
 * is_enabled). */
void mailbox_off(struct watch *watch, struct mailbox *mailbox, bool *by, bool value);
void mailbox_on(struct watch *watch, struct mailbox *mailbox, bool *by, bool value);
/* It ends at its wall time, or after its own length where the clock was set back meanwhile
 * (H7-07). WALL_NONE: when resumed */
void pause_arm(struct watch *watch, struct mailbox *mailbox);
/* A pause ran out. */
void pause_over(struct watch *watch, struct mailbox *mailbox);

/* ---- configure.c */

/* Room for each server in watch.turns and watch.slowed. ERR_MEMORY */
CHECKED enum err configure_room_for_servers(struct watch *watch);
void watched_free(struct watched *endpoint);
void mailbox_free(struct mailbox *mailbox);

#endif
