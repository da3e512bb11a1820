/*
 * look_names.c: a certificate was for other names: is the host of one of them at the address that
 * was connected to? Then that is the host to set. Layer: probe.
 *
 * Who presents a certificate chooses its names, so few are asked for, none is connected to, and one
 * is suggested only where it leads to the very address that presented it.
 */
#include "probe/inside.h"

#include <stdlib.h>

#include "config/host.h"

#define NAMES_MOST 5
#define NAMES_MOST_US (10 * US_PER_S) /* for all of them */

static void ask_next(struct probe *probe);

static bool
is_address_of(const struct verdict *verdict, const struct resolve_answer *answer)
{
	bool is_found = false;

	for (size_t i = 0; i < answer->count && !is_found; i++) {
		struct buf text = { 0 };

		address_put(&text, &answer->addresses[i]);
		is_found = buf_err(&text) == ERR_OK && strcmp(text.at, verdict->address) == 0;
		buf_done(&text);
	}
	return is_found;
}

static void
on_answer(void *owner, const struct resolve_answer *answer)
{
	struct probe *probe = owner;
	struct verdict *verdict = probe->verdict;
	const char *name = verdict->tls.certificate->names.items[probe->names_tried - 1];

	probe->query = NULL;
	if (answer->outcome == RESOLVE_FOUND && is_address_of(verdict, answer)) {
		verdict_suggest(verdict, "host", name);
		verdict_note(verdict, "%s leads to the same address", name);
		probe_end(probe);
	} else {
		ask_next(probe);
	}
}

/* A whole host name: no wildcard, no address, not "localhost". */
static bool
is_askable(const char *name)
{
	struct buf host = { 0 };
	struct fault why;
	bool is_address = false;
	bool is_host = !strchr(name, '*') && strchr(name, '.') &&
		       host_put(&host, bytes_of(name), &is_address, &why) == ERR_OK;

	buf_done(&host);
	return is_host && !is_address;
}

/* False: there is none any more. */
static bool
ask(struct probe *probe)
{
	const struct texts *names = &probe->verdict->tls.certificate->names;

	while (probe->names_tried < names->count && probe->names_tried < NAMES_MOST) {
		const char *name = names->items[probe->names_tried++];

		if (is_askable(name) &&
			resolve_start(probe->probes->resolver, name, probe->verdict->family,
				on_answer, probe, &probe->query) == ERR_OK)
			return true;
		probe->query = NULL;
	}
	return false;
}

static void
ask_next(struct probe *probe)
{
	if (!ask(probe))
		probe_end(probe);
}

bool
probe_look_at_names(struct probe *probe)
{
	if (!probe->verdict->address || !probe->verdict->tls.certificate || !ask(probe))
		return false;
	stream_free(probe->stream);
	probe->stream = NULL;
	probe_enter(probe, PROBE_LOOKING);
	probe->ends = probe->stage_ends = mono_add(mono_now(), NAMES_MOST_US);
	probe_arm_timer(probe);
	return true;
}
