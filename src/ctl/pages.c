/*
 * pages.c: the mailboxes of a selection, a page at a time, so that 100,000 of them never lie in
 * memory at once. Layer: ctl.
 */
#include "ctl/ctl.h"

#include <stdlib.h>

#define PAGE_MAILBOXES 1000
#define PAGES_MOST 1000 /* a hostile daemon could turn over for ever */

/* Notes that a selector that is a name has met its mailbox. */
static void
note_names(const struct invocation *invocation, bool *is_met, const json_t *mailbox)
{
	for (size_t i = 0; i < invocation->argument_count; i++)
		is_met[i] = is_met[i] || bytes_equal(bytes_of(invocation->arguments[i]),
						 member_text(mailbox, "name"));
}

static enum exit_status
judge_names(const struct invocation *invocation, const bool *is_met)
{
	enum exit_status status = EXIT_FINE;

	for (size_t i = 0; i < invocation->argument_count; i++) {
		if (is_met[i] || !selector_is_name(invocation->arguments[i]))
			continue;
		complain_outside("no such mailbox: ", bytes_of(invocation->arguments[i]));
		status = EXIT_NO_MAILBOX;
	}
	return status;
}

/* One page behind `after`, which then says where the next begins. */
static enum exit_status
walk_page(const struct invocation *invocation, size_t most, struct buf *after, bool *is_met,
	void (*each)(void *user, const json_t *mailbox), void *user, json_t **document)
{
	struct call call = { .is_over = invocation->is_over, .user = invocation->is_over_user };
	struct buf path = { 0 };
	json_t *page = NULL;
	const json_t *mailbox;
	enum exit_status status;
	size_t i;

	buf_put_format(&path, "/v1/status?limit=%zu", most);
	if (after->len > 0) {
		buf_put_string(&path, "&after=");
		url_put(&path, buf_bytes(after));
	}
	url_put_select(&path, '&', invocation->arguments, invocation->argument_count);
	call.path = path.at;
	status = client_json(invocation->client, &call, NULL, &page);
	buf_done(&path);
	if (status != EXIT_FINE)
		return status;
	if (!json_is_array(json_object_get(page, "mailboxes"))) {
		complain("the answer is no status; is another program behind the socket?");
		json_decref(page);
		return EXIT_REFUSED;
	}
	json_array_foreach(json_object_get(page, "mailboxes"), i, mailbox)
	{
		note_names(invocation, is_met, mailbox);
		each(user, mailbox);
	}
	buf_clear(after);
	buf_put(after, member_text(page, "next"));
	if (document && !*document) {
		json_object_del(page, "mailboxes");
		*document = json_incref(page);
	}
	json_decref(page);
	return EXIT_FINE;
}

enum exit_status
pages_walk(const struct invocation *invocation, void (*each)(void *user, const json_t *mailbox),
	void *user, json_t **document)
{
	bool *is_met = calloc(invocation->argument_count + 1, sizeof(*is_met));
	struct buf after = { 0 };
	enum exit_status status = is_met ? EXIT_FINE : EXIT_REFUSED;
	bool has_more = true;

	for (unsigned pages = 0; status == EXIT_FINE && has_more && pages < PAGES_MOST; pages++) {
		status =
			walk_page(invocation, PAGE_MAILBOXES, &after, is_met, each, user, document);
		has_more = after.len > 0;
	}
	if (status == EXIT_FINE)
		status = judge_names(invocation, is_met);
	free(is_met);
	buf_done(&after);
	return status;
}

enum exit_status
pages_first(const struct invocation *invocation, size_t most,
	void (*each)(void *user, const json_t *mailbox), void *user, json_t **document)
{
	bool *is_met = calloc(invocation->argument_count + 1, sizeof(*is_met));
	struct buf after = { 0 };
	enum exit_status status = EXIT_REFUSED;

	if (is_met)
		status = walk_page(invocation, most, &after, is_met, each, user, document);
	free(is_met);
	buf_done(&after);
	return status;
}
