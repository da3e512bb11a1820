/*
 * world.h: servers, accounts and a daemon around the watch, in virtual time. Layer: tests.
 *
 * The executor of watch's commands that is not the daemon: no socket, no thread, no clock. A probe
 * is two events (before its login, its end), a commit of the store one; a kill -9 forgets what was
 * not committed. Everything comes from the seed.
 */
#ifndef SIMULATE_WORLD_H
#define SIMULATE_WORLD_H

#include "base/heap.h"
#include "watch/watch.h"

#define WORD_MOST 64

enum happened {
	HAPPENED_PROBE, /* a probe began */
	HAPPENED_LOGIN, /* a secret arrived at a server */
	HAPPENED_REFUSED,
	HAPPENED_COUNT
};

/* What a server saw. */
struct record {
	enum happened what;
	int64_t at_us; /* since the world began; real time, whatever the wall clock says */
	uint32_t person;
	enum side side;
	uint32_t server;
	bool is_permitted; /* by a resume within the last hour: counts of limits do not bind it */
};

/* What people were told. */
struct told_event {
	int64_t at_us;
	enum event_kind kind;
	char mailbox[WORD_MOST]; /* or the server, where it is of one */
	char state[WORD_MOST];
	char was[WORD_MOST];
	char side[8];
	char cause[32];
	struct ulid id;
	struct ulid incident;
	enum level level;
};

enum mood {
	MOOD_ANSWERS,
	MOOD_REFUSES, /* connections */
	MOOD_HANGS,   /* at the greeting */
	MOOD_PLAYS,   /* outcomes in turn, for each endpoint by itself */
};

#define MOST_TURNS 8
struct outcome {
	enum cause cause;
	enum stage stage;
};

/* A certificate that a server shows. */
struct shown {
	char name[WORD_MOST];
	char authority[WORD_MOST];
	wall_t not_after;
};

/* Where servers are reached; limits hold for it as well. */
struct site {
	char name[WORD_MOST];
	unsigned open; /* connections */
	unsigned most; /* ever */
};

struct place { /* a server */
	char name[WORD_MOST];
	uint32_t site;
	enum mood mood;
	struct outcome turns[MOST_TURNS];
	size_t turn_count;
	int64_t wait_us;		/* it names this time to wait */
	struct shown shown[MOST_TURNS]; /* in turn, as by several backends */
	size_t shown_count;
	size_t shown_next;
	unsigned open; /* connections, of probes in flight and of kept sessions */
};

/* One mailbox and its owner. */
struct person {
	char name[WORD_MOST];
	bool is_there;
	bool is_disabled;
	uint32_t servers[SIDE_COUNT];
	char account[WORD_MOST];
	size_t account_len;
	char secret[WORD_MOST]; /* what the settings have; "gone": its file is not readable */
	char password[SIDE_COUNT][WORD_MOST]; /* what the server takes */
	bool is_off[SIDE_COUNT];     /* logins of this side are switched off at the server */
	bool is_changed[SIDE_COUNT]; /* for the next reload */
	size_t turn[SIDE_COUNT];
	uint64_t in_flight[SIDE_COUNT]; /* token, 0: none */
	/* a loop that asks for probes, and one that changes secrets */
	int64_t ask_every_us;
	int64_t swap_every_us;
	char swaps[32][WORD_MOST];
	size_t swap_count;
	size_t swap_next;
	int64_t last_resume_us;
};

struct world_settings {
	uint64_t seed;
	unsigned mailboxes;
	unsigned servers;
	unsigned addresses; /* of all servers together; 0: each has its own */
	unsigned known;	    /* so many servers, the first ones, are in the table of providers */
	double lost;
	int64_t latency_us;
	int64_t start_us; /* of the day */
	int64_t mono_us;  /* where the monotonic clock stands at the start */
	struct watch_rules rules;
	struct watch_limits limits;
	bool is_loud;
};

struct world;

void world_settings_init(struct world_settings *settings);
struct world *world_new(const struct world_settings *settings);
void world_free(struct world *world);
/* Runs until the wall clock of the story (start of day + real time) says so. */
void world_run_to(struct world *world, int64_t story_us);

/* SERVER shows these, in turn, from now on. */
void world_show(struct world *world, struct place *place, char *names, const char *authority,
	int64_t for_us);
struct person *world_person(struct world *world, const char *name);
struct place *world_place(struct world *world, const char *name);
uint32_t world_person_index(struct world *world, const char *name);
int64_t world_now_us(const struct world *world);

/* Each true where it could be done. */
void world_reload(struct world *world, int64_t interval_us);
void world_restart(struct world *world, bool is_clean);
/* Unclean, and the monotonic clock begins anew. */
void world_reboot(struct world *world);
void world_kill_at_refusals(struct world *world, unsigned count);
void world_move_wall(struct world *world, int64_t by_us);
void world_suspend(struct world *world, int64_t for_us);
/* The kept sessions there are lost; is_seen: by an end that comes at once, else at the next NOOP.
 * place NULL: everywhere. */
void sessions_lose(struct world *world, const struct place *place, bool is_seen);
/* Rows of the store: of accounts, or of a mailbox by its name. */
size_t world_rows(const struct world *world, const char *subject);
size_t sessions_count(const struct world *world, const struct place *place);
void world_mark(struct world *world);
void world_ask_every(struct world *world, struct person *person, int64_t every_us);
void world_swap_every(struct world *world, struct person *person, int64_t every_us);
enum err world_pause(struct world *world, struct person *person, int64_t for_us);
enum err world_resume(struct world *world, struct person *person);
enum err world_probe(struct world *world, struct person *person);
bool world_view(struct world *world, const char *name, struct watch_view *out);

/* "a0", "a1"; NULL: none of this name */
const struct site *world_site(const struct world *world, const char *name);
const struct place *world_place_at(const struct world *world, uint32_t server);
const struct record *world_records(const struct world *world, size_t *count);
const struct told_event *world_told(const struct world *world, size_t *count);
/* When the mark was made, or 0. */
int64_t world_mark_us(const struct world *world);
/* What broke a rule that holds in every story; NULL: nothing did. */
const char *world_broken(const struct world *world);

#endif
