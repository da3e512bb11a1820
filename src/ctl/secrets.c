/*
 * secrets.c: the secrets of settings that a person hands over, read as the daemon would read them.
 * Layer: ctl.
 */
#include "ctl/ctl.h"

#include <event2/event.h>
#include <stdlib.h>

#include "config/settings.h"
#include "secret/source.h"

struct reading {
	struct event_base *base;
	struct endpoint *endpoint;
	bool is_read;
};

static void
on_secret(void *owner, const struct secret_answer *answer)
{
	struct reading *reading = owner;
	struct secret_source *source = &reading->endpoint->secret;

	if (answer->cause != CAUSE_OK) {
		complain_outside(side_name(reading->endpoint->side)[0] == 's' ? "smtp: " : "imap: ",
			bytes_of(answer->detail));
	} else {
		source->value = secret_hold(answer->secret);
		source->kind = SECRET_VALUE;
		reading->is_read = true;
	}
	event_base_loopbreak(reading->base);
}

static bool
read_one(struct event_base *base, struct secret_sources *sources, struct endpoint *endpoint)
{
	struct reading reading = { .base = base, .endpoint = endpoint };
	struct secret_ask *ask;

	if (endpoint->secret.kind == SECRET_VALUE || endpoint->secret.kind == SECRET_NONE)
		return true;
	if (secret_ask(sources, &endpoint->secret, true, on_secret, &reading, &ask) != ERR_OK) {
		complain("out of memory");
		return false;
	}
	event_base_dispatch(base);
	return reading.is_read;
}

bool
secrets_read(const struct mailbox_settings *mailbox)
{
	struct event_base *base = event_base_new();
	struct children *children = NULL;
	struct secret_sources *sources = NULL;
	bool is_read = base && children_new(base, CHILD_DEADLINE_US, &children) == ERR_OK &&
		       secret_sources_new(base, children, &sources) == ERR_OK;

	if (!is_read)
		complain("out of memory");
	for (size_t side = 0; is_read && side < SIDE_COUNT; side++) {
		if (mailbox->sides[side])
			is_read = read_one(base, sources, mailbox->sides[side]);
	}
	secret_sources_free(sources);
	children_free(children);
	if (base)
		event_base_free(base);
	return is_read;
}
