/*
 * body.c: the JSON bodies of requests that change something, and what is wrong with them. Layer:
 * control.
 */
#include "control/inside.h"
#include "facts/json.h"

#include <stdio.h>

/* So many values a body may have: 1 MiB of small ones would be read for 40 ms, and nobody needs
 * more (H5-13). Text may hold commas too, and is far from that many. */
#define BODY_MOST_COMMAS 10000

const char *const body_no_members[] = { NULL };

/* A member that a route does not have is a mistake that must not go unseen: {"form":"2h"} would
 * pause for ever. */
static bool
members_are_known(const struct request *request, json_t *body, const char *const *members)
{
	const char *name;
	json_t *value;

	json_object_foreach(body, name, value)
	{
		const char *const *member = members;

		while (*member && strcmp(*member, name) != 0)
			member++;
		if (!*member) {
			problem_answer_fault(
				request->exchange, name, "There is no such member here.");
			return false;
		}
	}
	return true;
}

static bool
has_too_many_values(struct bytes text)
{
	size_t commas = 0;

	for (size_t i = 0; i < text.len; i++)
		commas += text.at[i] == ',';
	return commas > BODY_MOST_COMMAS;
}

json_t *
body_read(const struct request *request, const char *const *members)
{
	struct bytes text = exchange_body(request->exchange);
	json_error_t error;
	json_t *body;

	if (bytes_trim(text).len == 0) {
		body = json_object();
		if (!body)
			request_answer_memory(request);
		return body;
	}
	if (has_too_many_values(text)) {
		problem_answer(request->exchange, PROBLEM_BAD_JSON,
			"More values than any request has.", NULL);
		return NULL;
	}
	body = json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES, &error);
	if (!body && json_lacked_memory(&error)) {
		request_answer_memory(request);
		return NULL;
	}
	if (!json_is_object(body)) {
		problem_answer(request->exchange, PROBLEM_BAD_JSON,
			body ? "It is not an object." : error.text, NULL);
		json_decref(body);
		return NULL;
	}
	if (members && !members_are_known(request, body, members)) {
		json_decref(body);
		return NULL;
	}
	return body;
}

bool
body_text(const struct request *request, json_t *body, const char *name, size_t most,
	const char **out)
{
	json_t *value = json_object_get(body, name);

	*out = NULL;
	if (!value || json_is_null(value))
		return true;
	if (!json_is_string(value) || json_string_length(value) > most) {
		problem_answer_fault(request->exchange, name, "It is a text, and not that long.");
		return false;
	}
	*out = json_string_value(value);
	return true;
}

bool
body_duration(const struct request *request, json_t *body, const char *name, int64_t *out_us)
{
	json_t *value = json_object_get(body, name);
	enum err err = ERR_SYNTAX;

	*out_us = 0;
	if (!value || json_is_null(value))
		return true;
	if (json_is_string(value)) {
		err = duration_parse(bytes_of(json_string_value(value)), out_us);
	} else if (json_is_integer(value)) {
		char text[24];

		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
		err = duration_parse(bytes_of(text), out_us);
	}
	if (err == ERR_OK && *out_us > 0)
		return true;
	problem_answer_fault(request->exchange, name,
		"It is a duration above 0, as \"2h\" or \"1h30m\", or a number of seconds.");
	return false;
}
