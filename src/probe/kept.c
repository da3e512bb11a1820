/*
 * kept.c: sessions at rest: logged in, and probed by NOOP at their endpoint's next turn. Layer:
 * probe.
 *
 * Watch says which probe may leave one, which one uses it, and when it is parted from; here is no
 * budget and no clock. What a server sends meanwhile is read within the dialogue's bounds, and says
 * nothing about the mailbox: a session that is lost is reported by its token alone, and its
 * endpoint's next probe opens another (H2-48, H10-02). Not here: the probe that uses one (probe.c).
 */
#include "probe/inside.h"

#include <stdlib.h>

#include "base/log.h"

#define HASH_NONFATAL_OOM 1 /* an element that found no room has hh.tbl NULL */
#include <uthash.h>

struct kept {
	UT_hash_handle hh; /* in probes->kept by token, while it rests */
	uint64_t token;	   /* of the probe that left it */
	struct probes *probes;
	struct kept *previous; /* in probes->parting, when its goodbye is said */
	struct kept *next;
	struct session session;
};

static void
kept_free(struct kept *kept)
{
	session_done(&kept->session);
	free(kept);
}

void
session_done(struct session *session)
{
	stream_free(session->stream);
	dialogue_free(session->dialogue);
	endpoint_free(session->endpoint);
	free(session->address);
	*session = (struct session){ 0 };
}

/* ---- goodbye */

static void
kept_part_from(struct kept *kept, struct bytes goodbye)
{
	struct probes *probes = kept->probes;

	HASH_DEL(probes->kept, kept);
	kept->next = probes->parting;
	if (kept->next)
		kept->next->previous = kept;
	probes->parting = kept;
	probes->parting_count++;
	stream_goodbye(kept->session.stream, goodbye);
}

static void
on_gone(void *owner)
{
	struct kept *kept = owner;
	struct probes *probes = kept->probes;

	if (kept->previous)
		kept->previous->next = kept->next;
	else
		probes->parting = kept->next;
	if (kept->next)
		kept->next->previous = kept->previous;
	probes->parting_count--;
	kept_free(kept);
}

static void
say_logout(struct kept *kept)
{
	struct dialogue_step step = { 0 };

	dialogue_timeout(kept->session.dialogue, &step);
	kept_part_from(kept, step.send);
}

/* ---- at rest */

static void
report_lost(struct kept *kept, const char *why)
{
	log_debug("kept session %llu of %s: %s", (unsigned long long)kept->token,
		kept->session.endpoint->host, why);
	kept->probes->calls.session_lost(kept->probes->owner, kept->token);
}

static void
on_received(void *owner, struct bytes bytes)
{
	struct kept *kept = owner;
	struct dialogue_step step = { 0 };

	dialogue_receive(kept->session.dialogue, bytes, &step);
	if (step.want == DIALOGUE_WANT_REST) {
		stream_rest(kept->session.stream);
		return;
	}
	report_lost(kept, "ended by what the server said");
	kept_part_from(kept, step.send);
}

static void
on_lost(void *owner, int error)
{
	struct kept *kept = owner;

	report_lost(kept, error ? strerror(error) : "closed by the server");
	HASH_DEL(kept->probes->kept, kept);
	kept_free(kept);
}

static void
on_tls_failed(void *owner, const struct tls_failure *why)
{
	struct kept *kept = owner;

	report_lost(kept, why->detail);
	HASH_DEL(kept->probes->kept, kept);
	kept_free(kept);
}

bool
kept_put(struct probes *probes, uint64_t token, struct session *session)
{
	static const struct stream_calls calls = {
		.received = on_received,
		.tls_failed = on_tls_failed,
		.lost = on_lost,
		.gone = on_gone,
	};
	struct kept *kept = calloc(1, sizeof(*kept));

	if (!kept)
		return false;
	kept->token = token;
	kept->probes = probes;
	HASH_ADD(hh, probes->kept, token, sizeof(kept->token), kept);
	if (!kept->hh.tbl) {
		free(kept);
		return false;
	}
	kept->session = *session;
	*session = (struct session){ 0 };
	stream_hand_over(kept->session.stream, &calls, kept);
	stream_rest(kept->session.stream);
	return true;
}

static struct kept *
kept_find(struct probes *probes, uint64_t token)
{
	struct kept *kept;

	HASH_FIND(hh, probes->kept, &token, sizeof(token), kept);
	return kept;
}

bool
kept_take(struct probes *probes, uint64_t token, struct session *out)
{
	struct kept *kept = kept_find(probes, token);

	if (!kept)
		return false;
	HASH_DEL(probes->kept, kept);
	*out = kept->session;
	free(kept);
	return true;
}

/* ---- the end of some, of all */

void
probes_part(struct probes *probes, uint64_t token)
{
	struct kept *kept = kept_find(probes, token);

	if (kept)
		say_logout(kept);
}

void
kept_part_all(struct probes *probes, bool is_told)
{
	struct kept *kept, *next;

	HASH_ITER (hh, probes->kept, kept, next) {
		if (is_told)
			report_lost(kept, "this machine slept");
		say_logout(kept);
	}
}

void
kept_look_for_sleep(struct probes *probes)
{
	int64_t slept_us = probes_suspended_us();

	if (slept_us - probes->slept_us >= SUSPEND_LEAST_US)
		kept_part_all(probes, true);
	probes->slept_us = slept_us;
}

size_t
kept_count(const struct probes *probes)
{
	return HASH_COUNT(probes->kept) + probes->parting_count;
}

void
kept_done(struct probes *probes)
{
	struct kept *kept, *next;

	HASH_ITER (hh, probes->kept, kept, next) {
		HASH_DEL(probes->kept, kept);
		kept_free(kept);
	}
	for (kept = probes->parting; kept; kept = next) {
		next = kept->next;
		kept_free(kept);
	}
	probes->parting = NULL;
	probes->parting_count = 0;
}
