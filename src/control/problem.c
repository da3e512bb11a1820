/*
 * problem.c: problem+json (RFC 9457). Layer: control.
 */
#include "control/problem.h"

#include <stdio.h>

static const struct problem_row {
	const char *word;
	int status;
	const char *title;
	const char *detail; /* where there is nothing better to say */
} problem_rows[] = {
#define X(name, word, status, title) [PROBLEM_##name] = { word, status, title, title "." },
	PROBLEMS(X)
#undef X
};

static void
put_member(struct buf *out, const char *name, const char *value)
{
	buf_put_format(out, ",\"%s\":", name);
	json_put_text(out, bytes_of(value));
}

static void
put_faults(struct buf *out, const struct problem_extra *extra)
{
	const char *between = "";

	buf_put_string(out, ",\"faults\":[");
	for (size_t i = 0; extra && i < extra->fault_count; i++) {
		const struct complaint *fault = &extra->faults[i];

		if (fault->is_warning)
			continue;
		buf_put_format(out, "%s{\"setting\":", between);
		json_put_text(out, bytes_of(fault->setting));
		put_member(out, "message", fault->text);
		if (fault->file)
			put_member(out, "file", fault->file);
		if (fault->line > 0)
			buf_put_format(out, ",\"line\":%d", fault->line);
		buf_put_byte(out, '}');
		between = ",";
	}
	buf_put_byte(out, ']');
}

void
problem_answer(struct exchange *exchange, enum problem problem, const char *detail,
	const struct problem_extra *extra)
{
	const struct problem_row *row = &problem_rows[problem];
	struct buf out = { 0 };

	buf_put_format(&out,
		"{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\"",
		row->title, row->status, row->word);
	put_member(&out, "detail", detail ? detail : row->detail);
	put_faults(&out, extra);
	buf_put_string(&out, "}\n");
	if (extra && extra->retry_us > 0) {
		char after[24];

		snprintf(after, sizeof(after), "%lld",
			(long long)((extra->retry_us + US_PER_S - 1) / US_PER_S));
		exchange_header(exchange, "Retry-After", after);
	}
	/* Without memory the status is said all the same. */
	exchange_answer(exchange, row->status, "application/problem+json",
		out.is_failed ? BYTES_NONE : buf_bytes(&out));
	buf_done(&out);
}

void
json_answer(struct exchange *exchange, int status, struct buf *out)
{
	if (out->is_failed)
		problem_answer(exchange, PROBLEM_NO_MEMORY, NULL, NULL);
	else
		exchange_answer(exchange, status, "application/json", buf_bytes(out));
	buf_done(out);
}

void
problem_answer_mailbox(struct exchange *exchange, struct bytes name)
{
	char detail[160];

	snprintf(detail, sizeof(detail), "There is no mailbox %.*s.", BYTES_ARG(name));
	problem_answer(exchange, PROBLEM_NO_SUCH_MAILBOX, detail, NULL);
}

void
problem_answer_fault(struct exchange *exchange, const char *setting, const char *message)
{
	char name[64], text[256];
	struct complaint fault = { .setting = name, .text = text };

	snprintf(name, sizeof(name), "%s", setting);
	snprintf(text, sizeof(text), "%s", message);
	problem_answer(exchange, PROBLEM_INVALID, message,
		&(struct problem_extra){ .faults = &fault, .fault_count = 1 });
}
