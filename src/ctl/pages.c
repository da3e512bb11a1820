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

enum exit_status
pages_walk(const struct invocation *invocation, void (*each)(void *user, const json_t *mailbox),
	void *user, json_t **document)
{
	bool *is_met = calloc(invocation->argument_count + 1, sizeof(*is_met));
	struct buf path = { 0 }, after = { 0 };
	enum exit_status status = is_met ? EXIT_FINE : EXIT_REFUSED;
	bool has_more = true;
	unsigned pages = 0;

	while (status == EXIT_FINE && has_more) {
		json_t *page = NULL;
		const json_t *mailbox;
		size_t i;

		buf_clear(&path);
		buf_put_format(&path, "/v1/status?limit=%d", PAGE_MAILBOXES);
		if (after.len > 0) {
			buf_put_string(&path, "&after=");
			url_put(&path, buf_bytes(&after));
		}
		url_put_select(&path, '&', invocation->arguments, invocation->argument_count);
		status = client_json(
			invocation->client, &(struct call){ .path = path.at }, NULL, &page);
		if (status != EXIT_FINE)
			break;
		if (!json_is_array(json_object_get(page, "mailboxes"))) {
			complain("the answer is no status; is another program behind the socket?");
			json_decref(page);
			status = EXIT_REFUSED;
			break;
		}
		json_array_foreach(json_object_get(page, "mailboxes"), i, mailbox)
		{
			note_names(invocation, is_met, mailbox);
			each(user, mailbox);
		}
		buf_clear(&after);
		buf_put(&after, member_text(page, "next"));
		has_more = after.len > 0 && ++pages < PAGES_MOST;
		if (document && !*document) {
			json_object_del(page, "mailboxes");
			*document = json_incref(page);
		}
		json_decref(page);
	}
	if (status == EXIT_FINE)
		status = judge_names(invocation, is_met);
	free(is_met);
	buf_done(&path);
	buf_done(&after);
	return status;
}
