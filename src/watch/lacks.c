/*
 * lacks.c: probes that could not be made for a lack of ours (verdict.h: enum lack), told as one
 * `trouble` however many there are. Layer: watch, pure. The endpoints are not judged meanwhile:
 * state.c.
 */
#include "watch/inside.h"

/* Bursts of probes meet one lack again and again: it is over when none has met it for so long. */
#define LACK_OVER_US (10 * US_PER_M)

static const enum trouble troubles[LACK_COUNT] = {
	[LACK_DESCRIPTORS] = TROUBLE_DESCRIPTORS,
	[LACK_ADDRESS] = TROUBLE_ADDRESS,
};

bool
watch_knows_trouble(enum trouble kind)
{
	for (enum lack lack = LACK_NONE + 1; lack < LACK_COUNT; lack++) {
		if (troubles[lack] == kind)
			return true;
	}
	return false;
}

static void
note(struct watch *watch, struct watched *endpoint, enum lack lack)
{
	watch->lacking[endpoint->lack]--;
	watch->lacking[lack]++;
	endpoint->lack = lack;
}

void
lacks_seen(struct watch *watch, struct watched *endpoint, const struct verdict *verdict)
{
	enum lack lack = verdict->lack;

	if (verdict->is_void)
		return; /* it says nothing of us either */
	note(watch, endpoint, lack);
	if (lack == LACK_NONE)
		return;
	watch->lacked[lack] = watch->now;
	watch_trouble(watch, watch->wall, troubles[lack], verdict->detail);
}

void
lacks_forget(struct watch *watch, struct watched *endpoint)
{
	note(watch, endpoint, LACK_NONE);
}

/* After a restart no end is told before each endpoint was tried. */
void
lacks_settle(struct watch *watch)
{
	for (enum lack lack = LACK_NONE + 1; lack < LACK_COUNT; lack++) {
		if (watch->lacking[lack] == 0 && watch->firsts_missing == 0 &&
			mono_since(watch->now, watch->lacked[lack]) >= LACK_OVER_US)
			watch_trouble_end(watch, watch->wall, troubles[lack]);
	}
}
