/*
 * status.c: GET /v1/status: the counts, then the mailboxes, worst first, made as the reader takes
 * them (H5-08). Layer: control.
 */
#include "control/inside.h"

#include "base/escape.h"

#include <stdlib.h>

struct status {
	struct control *control;
	struct select *select;
	struct walk walk;
	bool is_begun;
	uint64_t limit;
	uint64_t given;
	struct buf cursor; /* behind the last one given, where it was the last of its page */
};

static void
put_head(const struct control *control, struct buf *out)
{
	struct watch_counts counts;

	watch_counts(control->watch, &counts);
	buf_put_string(out, "{\"version\":\"" PACKAGE_VERSION "\",\"started\":");
	wall_put_json(out, control->started);
	buf_put_string(out, ",\"reloaded\":");
	wall_put_json(out, control->settings->loaded);
	buf_put_format(out,
		",\"counts\":{\"total\":%zu,\"ok\":%zu,\"failing\":%zu,\"unknown\":%zu,\"paused\":%"
		"zu,"
		"\"suspect\":%zu}",
		counts.total, counts.ok, counts.failing, counts.unknown, counts.paused,
		counts.suspect);
	buf_put_string(out, ",\"uplink\":\"ok\",\"outages\":[],\"mailboxes\":[");
}

static void
put_end(struct status *status, struct buf *out, bool has_more)
{
	buf_put_byte(out, ']');
	if (has_more) {
		buf_put_string(out, ",\"next\":");
		json_put_text(out, buf_bytes(&status->cursor));
	}
	buf_put_string(out, "}\n");
}

static void
put_one(struct status *status, struct buf *out, const struct watch_view *view)
{
	if (status->given++ > 0)
		buf_put_byte(out, ',');
	buf_put_byte(out, '\n');
	view_put_mailbox(status->control, out, view, false);
	if (status->given == status->limit)
		walk_put_cursor(&status->walk, &status->cursor);
}

static enum stream_step
status_next(void *user, struct buf *out)
{
	struct status *status = user;
	mono_t end = mono_add(mono_now(), HTTP_SLICE_US);
	struct watch_view view;
	uint32_t mailbox;

	if (!status->is_begun)
		put_head(status->control, out);
	status->is_begun = true;
	while (out->len < HTTP_SLICE_BYTES && mono_is_before(mono_now(), end)) {
		enum walk_step step = WALK_END;

		if (status->limit > 0)
			step = walk_next(&status->walk, end, &mailbox, &view);
		if (step == WALK_AGAIN)
			break;
		if (step == WALK_END || status->given == status->limit) {
			put_end(status, out, step == WALK_FOUND);
			return STREAM_END;
		}
		put_one(status, out, &view);
	}
	return out->len > 0 ? STREAM_MORE : STREAM_AGAIN;
}

static void
status_end(void *user)
{
	struct status *status = user;

	walk_done(&status->walk);
	select_free(status->select);
	buf_done(&status->cursor);
	free(status);
}

static const struct stream_calls status_calls = { status_next, status_end };

/* limit and after of the query; false: answered. */
static bool
read_page(const struct request *request, struct status *status)
{
	struct bytes value;
	bool is_good = true;

	status->limit = UINT64_MAX;
	if (request_param(request, "limit", &value)) {
		is_good = bytes_to_number(value, UINT32_MAX, &status->limit) == ERR_OK;
		status->walk.is_paged = true;
		if (!is_good)
			problem_answer(
				request->exchange, PROBLEM_BAD_REQUEST, "limit is a number.", NULL);
	}
	if (is_good && request_param(request, "after", &value)) {
		is_good = walk_after(&status->walk, value) == ERR_OK;
		if (!is_good)
			problem_answer(request->exchange, PROBLEM_BAD_REQUEST,
				"after is the `next` of the page before, or a mailbox's name.",
				NULL);
	}
	return is_good;
}

void
status_answer(const struct request *request)
{
	struct control *control = request->control;
	struct status *status = calloc(1, sizeof(*status));

	if (!status) {
		request_answer_memory(request);
		return;
	}
	status->control = control;
	if (request_select(request, &status->select) != ERR_OK) {
		status_end(status);
	} else if (walk_start(&status->walk, control->watch, status->select) != ERR_OK) {
		status_end(status);
		request_answer_memory(request);
	} else if (!read_page(request, status)) {
		status_end(status);
	} else {
		exchange_stream(
			request->exchange, 200, "application/json", false, &status_calls, status);
	}
}
