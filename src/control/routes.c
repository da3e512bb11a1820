/*
 * routes.c: which paths there are, by which methods, for whom (contract 5). Layer: control.
 */
#include "control/inside.h"

#include "facts/mailbox.h"

static const struct route {
	enum method method; /* GET serves HEAD too */
	const char *path;   /* "*": the name of a mailbox */
	bool is_changing;
	route_handler *handle;
} routes[] = {
	{ METHOD_GET, "/v1/status", false, status_answer },
	{ METHOD_GET, "/v1/mailboxes/*", false, read_mailbox },
	{ METHOD_PUT, "/v1/mailboxes/*", true, change_put },
	{ METHOD_DELETE, "/v1/mailboxes/*", true, change_remove },
	{ METHOD_GET, "/v1/events", false, events_answer },
	{ METHOD_GET, "/v1/causes", false, read_causes },
	{ METHOD_GET, "/v1/providers", false, read_providers },
	{ METHOD_GET, "/healthz", false, read_health },
	{ METHOD_GET, "/metrics", false, metrics_answer },
	{ METHOD_POST, "/v1/mailboxes/*/probe", true, change_probe },
	{ METHOD_POST, "/v1/mailboxes/*/pause", true, change_pause },
	{ METHOD_POST, "/v1/mailboxes/*/resume", true, change_resume },
	{ METHOD_POST, "/v1/probe", true, change_probe_many },
	{ METHOD_POST, "/v1/check", true, change_check },
	{ METHOD_POST, "/v1/reload", true, change_reload },
	{ METHOD_POST, "/v1/test-alert", true, change_test_alert },
};

static const char *const method_words[METHOD_COUNT] = {
	[METHOD_GET] = "GET, HEAD",
	[METHOD_POST] = "POST",
	[METHOD_PUT] = "PUT",
	[METHOD_DELETE] = "DELETE",
};

/* ---- finding */

static bool
path_fits(const char *pattern, const struct path *path, struct bytes *name)
{
	struct bytes rest = bytes_of(pattern);

	for (size_t i = 0; i < path->count; i++) {
		struct bytes segment = buf_bytes(&path->segments[i]);
		struct bytes wanted;

		if (rest.len == 0)
			return false;
		rest = bytes_from(rest, 1); /* the slash */
		wanted = bytes_first(rest, bytes_index(rest, '/'));
		rest = bytes_from(rest, wanted.len);
		if (bytes_equal(wanted, BYTES("*")) && segment.len > 0)
			*name = segment;
		else if (!bytes_equal(wanted, segment))
			return false;
	}
	return rest.len == 0;
}

static bool
method_fits(const struct route *route, enum method method)
{
	return route->method == method || (route->method == METHOD_GET && method == METHOD_HEAD);
}

/* NULL: the request has been answered. */
static const struct route *
find_route(struct request *request, const struct path *path)
{
	enum method method = exchange_method(request->exchange);
	struct buf allowed = { 0 };

	for (size_t i = 0; i < COUNT_OF(routes); i++) {
		if (!path_fits(routes[i].path, path, &request->name))
			continue;
		if (method_fits(&routes[i], method)) {
			buf_done(&allowed);
			return &routes[i];
		}
		if (allowed.len > 0)
			buf_put_string(&allowed, ", ");
		buf_put_string(&allowed, method_words[routes[i].method]);
	}
	if (buf_err(&allowed) != ERR_OK) {
		request_answer_memory(request);
	} else if (allowed.len > 0 && request->name.at && !mailbox_name_is_valid(request->name)) {
		problem_answer(request->exchange, PROBLEM_NO_SUCH_MAILBOX, NULL, NULL);
	} else if (allowed.len > 0) {
		exchange_header(request->exchange, "Allow", allowed.at);
		problem_answer(request->exchange, PROBLEM_BAD_METHOD, NULL, NULL);
	} else {
		problem_answer(request->exchange, PROBLEM_NO_SUCH_ROUTE, NULL, NULL);
	}
	buf_done(&allowed);
	return NULL;
}

/* ---- the query */

/* Where a parameter is decoded. There is room for the whole query, so that no look at it is short
 * of memory: a selector that was left out would mean all mailboxes (H6-19). */
struct params {
	struct buf name;
	struct buf value;
};

/* ERR_SYNTAX, ERR_MEMORY */
static enum err
params_read(struct params *params, struct bytes query)
{
	enum err err = ERR_OK;

	buf_reserve(&params->name, query.len + 1);
	buf_reserve(&params->value, query.len + 1);
	if (buf_err(&params->name) != ERR_OK || buf_err(&params->value) != ERR_OK)
		return ERR_MEMORY;
	while (err == ERR_OK)
		err = query_next(&query, &params->name, &params->value);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static void
params_done(struct params *params)
{
	buf_done(&params->name);
	buf_done(&params->value);
}

static bool
next_param(const struct request *request, struct bytes *rest, const char *wanted)
{
	struct params *params = request->params;

	while (query_next(rest, &params->name, &params->value) == ERR_OK) {
		if (bytes_equal(buf_bytes(&params->name), bytes_of(wanted)))
			return true;
	}
	return false;
}

bool
request_param(const struct request *request, const char *name, struct bytes *out)
{
	struct bytes rest = exchange_query(request->exchange);

	if (!next_param(request, &rest, name))
		return false;
	*out = buf_bytes(&request->params->value);
	return true;
}

bool
request_flag(const struct request *request, const char *name)
{
	struct bytes value;

	return request_param(request, name, &value) && !bytes_equal(value, BYTES("0")) &&
	       !bytes_equal(value, BYTES("false"));
}

void
request_answer_memory(const struct request *request)
{
	problem_answer(request->exchange, PROBLEM_NO_MEMORY, NULL, NULL);
}

enum err
request_select(const struct request *request, struct select **out)
{
	struct bytes rest = exchange_query(request->exchange);
	struct select *select = NULL;
	struct fault why;
	enum err err = select_new(&select);

	while (err == ERR_OK && next_param(request, &rest, "select"))
		err = select_add(select, buf_bytes(&request->params->value), &why);
	if (err == ERR_OK) {
		*out = select;
		return ERR_OK;
	}
	select_free(select);
	if (err == ERR_MEMORY)
		request_answer_memory(request);
	else
		problem_answer(request->exchange, PROBLEM_BAD_SELECTOR, why.text, NULL);
	return err;
}

/* ---- the door */

/* Whatever the path: who may not change anything learns nothing by trying (contract 5, H5-09). */
static bool
may_do(struct request *request)
{
	enum method method = exchange_method(request->exchange);

	if (peer_of(exchange_fd(request->exchange), &request->control->rule, &request->peer) !=
		ERR_OK)
		request->peer.may_change = false;
	if (method == METHOD_GET || method == METHOD_HEAD || request->peer.may_change)
		return true;
	problem_answer(request->exchange, PROBLEM_FORBIDDEN,
		"Changing is for root, the daemon's user and the members of daemon.admin_group.",
		NULL);
	return false;
}

static void
route(struct request *request, const struct path *path)
{
	const struct route *found = find_route(request, path);

	if (!found)
		return;
	if (request->name.at && !mailbox_name_is_valid(request->name) &&
		found->handle == change_put) {
		problem_answer_fault(request->exchange, "name",
			"A name has 1 to 64 of A-Z a-z 0-9 . _ @ + -, a letter, a digit or _ "
			"first.");
		return;
	}
	if (request->name.at && !mailbox_name_is_valid(request->name)) {
		problem_answer(request->exchange, PROBLEM_NO_SUCH_MAILBOX,
			"No mailbox can have this name.", NULL);
		return;
	}
	if (found->is_changing)
		peer_name(&request->peer);
	found->handle(request);
}

void
routes_request(void *control, struct exchange *exchange)
{
	struct params params = { 0 };
	struct request request = { .control = control, .exchange = exchange, .params = &params };
	struct path path;
	enum err err;

	if (!may_do(&request))
		return;
	err = path_parse(exchange_path(exchange), &path);
	if (err == ERR_OK)
		err = params_read(&params, exchange_query(exchange));
	if (err == ERR_MEMORY)
		request_answer_memory(&request);
	else if (err == ERR_LIMIT)
		problem_answer(exchange, PROBLEM_NO_SUCH_ROUTE, NULL, NULL);
	else if (err != ERR_OK)
		problem_answer(exchange, PROBLEM_BAD_REQUEST,
			"A % stands before no two hex digits, or for a control.", NULL);
	else
		route(&request, &path);
	params_done(&params);
	path_done(&path);
}
