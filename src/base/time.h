/*
 * time.h: two kinds of time that the compiler keeps apart. Layer: base.
 *
 * mono_t: CLOCK_BOOTTIME, goes on in suspend, begins at 0 with the machine: deadlines, schedule.
 * wall_t: UTC since 1970: what is shown and stored. Both in microseconds.
 */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include "base/buf.h"

typedef struct {
	int64_t us;
} mono_t;

typedef struct {
	int64_t us;
} wall_t;

#define US_PER_MS INT64_C(1000)
#define US_PER_S INT64_C(1000000)
#define US_PER_M (60 * US_PER_S)
#define US_PER_H (60 * US_PER_M)
#define US_PER_D (24 * US_PER_H)

#define MONO_NEVER ((mono_t){ INT64_MAX })
#define WALL_NONE ((wall_t){ 0 })

mono_t mono_now(void);
wall_t wall_now(void);
/* Sleeps in this thread; only where nothing else waits for it (the end). */
void mono_sleep(int64_t us);

static inline mono_t
mono_add(mono_t time, int64_t us)
{
	return time.us == INT64_MAX || us > INT64_MAX - time.us ? MONO_NEVER
								: (mono_t){ time.us + us };
}

static inline int64_t
mono_since(mono_t later, mono_t earlier)
{
	return later.us - earlier.us;
}

static inline bool
mono_is_before(mono_t a, mono_t b)
{
	return a.us < b.us;
}

static inline wall_t
wall_add(wall_t time, int64_t us)
{
	int64_t sum;

	if (__builtin_add_overflow(time.us, us, &sum))
		return (wall_t){ us > 0 ? INT64_MAX : INT64_MIN };
	return (wall_t){ sum };
}

static inline bool
wall_is_set(wall_t time)
{
	return time.us != 0;
}

/* 2026-11-24T09:30:00.123Z (contract 1: JSON). */
void wall_put_ms(struct buf *out, wall_t time);
/* The same as JSON: in quotes, null where it is not set. */
void wall_put_json(struct buf *out, wall_t time);
/* 2026-11-24T09:30:00Z (contract 6: the line). */
void wall_put_s(struct buf *out, wall_t time);
/* In the system's zone, for tables: "11-24 09:30:00", with the year where it is another than now's.
 */
void wall_put_local(struct buf *out, wall_t time, wall_t now);
/* RFC 3339 in any offset. ERR_SYNTAX */
CHECKED enum err wall_parse(struct bytes text, wall_t *out);

/*
 * A duration of the settings: "90s", "5m", "1h30m", "2d"; units d h m s ms, each once, in this
 * order; a number alone is seconds. ERR_SYNTAX, ERR_RANGE (above 100 years). H4-04
 */
CHECKED enum err duration_parse(struct bytes text, int64_t *out_us);
/* The shortest such form: 90 s -> "1m30s"; below a second "250ms"; 0 -> "0s". */
void duration_put(struct buf *out, int64_t us);
/* For people, two units at most, cut: "3d 4h", "17m", "40s". */
void duration_put_short(struct buf *out, int64_t us);

#endif
