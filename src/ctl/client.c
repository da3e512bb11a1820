/*
 * client.c: libcurl over the daemon's UNIX socket. Layer: ctl.
 * What answers there may be anything (H5-24): every answer is bounded in bytes and in time, and
 * told apart: nobody there, not allowed, refused, broken.
 */
#include "ctl/ctl.h"

#include <curl/curl.h>
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define HEAD_MOST_BYTES ((size_t)256 * 1024)
#define CONNECT_MS 5000L
#define SILENCE_S 20
#define DEADLINE_S 120
#define STATUS_GROUP "mboxwatch-status"

struct client {
	CURL *curl;
	const char *path;
	struct out *problems; /* who gets a refusal's document too; NULL: nobody */
};

/* One answer as it comes in. */
struct intake {
	const struct call *call;
	struct client *client;
	struct answer *answer;
	struct buf line;
	size_t head_bytes;
	bool is_enough; /* the reader of the lines wants no more */
	bool is_too_much;
};

struct client *
client_new(const char *path, struct out *problems)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client || curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK ||
		!(client->curl = curl_easy_init())) {
		free(client);
		return NULL;
	}
	client->path = path;
	client->problems = problems;
	return client;
}

void
client_free(struct client *client)
{
	if (!client)
		return;
	curl_easy_cleanup(client->curl);
	curl_global_cleanup();
	free(client);
}

void
answer_done(struct answer *answer)
{
	buf_done(&answer->body);
}

/* ---- urls */

void
url_put(struct buf *out, struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		char byte = text.at[i];

		if (byte_is_letter(byte) || byte_is_digit(byte) || (byte && strchr("-._~@", byte)))
			buf_put_byte(out, byte);
		else
			buf_put_format(out, "%%%02X", (unsigned char)byte);
	}
}

void
url_put_select(struct buf *out, char between, char *const *selectors, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		buf_put_format(out, "%cselect=", between);
		url_put(out, bytes_of(selectors[i]));
		between = '&';
	}
}

/* ---- intake */

static size_t
on_head(char *at, size_t size, size_t count, void *user)
{
	struct intake *intake = user;

	intake->head_bytes += size * count;
	intake->is_too_much = intake->head_bytes > HEAD_MOST_BYTES;
	return intake->is_too_much ? 0 : size * count;
}

/* Hands over whole lines; what is behind the last one is kept. */
static void
take_lines(struct intake *intake, struct bytes bytes)
{
	while (bytes.len > 0 && !intake->is_enough && !intake->is_too_much) {
		size_t end = bytes_index(bytes, '\n');

		buf_put(&intake->line, bytes_first(bytes, end));
		intake->is_too_much = intake->line.len > LINE_MOST_ANSWER_BYTES;
		if (end == bytes.len)
			return;
		intake->is_enough =
			!intake->call->line(intake->call->user, buf_bytes(&intake->line));
		buf_clear(&intake->line);
		bytes = bytes_from(bytes, end + 1);
	}
}

static size_t
on_body(char *at, size_t size, size_t count, void *user)
{
	struct intake *intake = user;
	struct bytes bytes = { at, size * count };
	long status = 0;

	curl_easy_getinfo(intake->client->curl, CURLINFO_RESPONSE_CODE, &status);
	if (intake->call->line && status / 100 == 2) {
		take_lines(intake, bytes);
	} else {
		intake->is_too_much = intake->answer->body.len + bytes.len > ANSWER_MOST_BYTES;
		if (!intake->is_too_much)
			buf_put(&intake->answer->body, bytes);
	}
	if (intake->is_enough || intake->is_too_much || intake->answer->body.is_failed)
		return 0; /* less than came: curl ends it */
	return bytes.len;
}

static int
on_progress(void *user, curl_off_t to_read, curl_off_t was_read, curl_off_t to_send,
	curl_off_t was_sent)
{
	const struct intake *intake = user;

	return intake->call->is_over(intake->call->user); /* not 0: curl breaks off */
}

/* ---- what went wrong */

/* Who may not open the socket is told the group that may (H5-10). */
static void
complain_denied(const char *path)
{
	const char *name = STATUS_GROUP;
	const struct group *group;
	struct stat stat_of;

	/* Nobody is sent into root's group; one without rights on the socket would not help. */
	if (stat(path, &stat_of) == 0 && stat_of.st_gid != 0 && (stat_of.st_mode & S_IWGRP) &&
		(group = getgrgid(stat_of.st_gid)))
		name = group->gr_name;
	complain_outside("may not open ", bytes_of(path));
	complain("members of the group %s may (usermod -aG %s USER, then a new login)", name, name);
}

/* The errno of a connection made and closed; 0: somebody listens. */
static int
try_connection(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int number = ENAMETOOLONG;

	if (strlen(path) < sizeof(address.sun_path)) {
		memcpy(address.sun_path, path, strlen(path));
		number = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
	}
	if (fd >= 0)
		close(fd);
	return number;
}

bool
client_is_there(const struct client *client)
{
	int number = try_connection(client->path);

	return number != ENOENT && number != ECONNREFUSED && number != ENOTDIR;
}

/* Why there was no connection: what the system says to one of our own. */
static enum exit_status
complain_no_connection(const char *path)
{
	int number = try_connection(path);

	if (number == 0)
		number = EAGAIN; /* by now there is */
	if (number == EACCES || number == EPERM) {
		complain_denied(path);
		return EXIT_REFUSED;
	}
	complain_outside("no daemon at ", bytes_of(path));
	complain("%s; is mboxwatchd running? (--socket PATH, $MBOXWATCH_SOCKET)", strerror(number));
	return EXIT_NO_DAEMON;
}

static enum exit_status
judge_transfer(const struct intake *intake, CURLcode code)
{
	const char *path = intake->client->path;

	if (code == CURLE_OK || intake->is_enough)
		return EXIT_FINE;
	if (code == CURLE_COULDNT_CONNECT)
		return complain_no_connection(path);
	if (intake->is_too_much)
		complain("the answer is longer than any of a daemon");
	else if (code == CURLE_OPERATION_TIMEDOUT)
		complain("no answer in time");
	else if (code == CURLE_OUT_OF_MEMORY || intake->answer->body.is_failed)
		complain("out of memory");
	else
		complain("the answer broke off: %s", curl_easy_strerror(code));
	return EXIT_REFUSED;
}

static void
complain_faults(const json_t *problem)
{
	const json_t *faults = json_object_get(problem, "faults");
	const json_t *fault;
	size_t i;

	json_array_foreach(faults, i, fault)
	{
		struct buf line = { 0 };
		struct bytes file = member_text(fault, "file");

		if (file.len > 0) {
			escape_put(&line, file, ESCAPE_TERMINAL);
			if (member_number(fault, "line") > 0)
				buf_put_format(
					&line, ":%lld", (long long)member_number(fault, "line"));
			buf_put_string(&line, ": ");
		} else if (member_text(fault, "setting").len > 0) {
			escape_put(&line, member_text(fault, "setting"), ESCAPE_TERMINAL);
			buf_put_string(&line, ": ");
		}
		complain_outside(line.at ? line.at : "", member_text(fault, "message"));
		buf_done(&line);
	}
}

/* What is no plain refusal, and whose detail says all that the title says. */
static const struct problem_row {
	const char *code;
	enum exit_status status;
} problem_rows[] = {
	{ "no_such_mailbox", EXIT_NO_MAILBOX },
	{ "no_such_sink", EXIT_REFUSED },
	{ "bad_selector", EXIT_USAGE },
	{ "conflict", EXIT_REFUSED },
	{ "paused", EXIT_REFUSED },
	{ "disabled", EXIT_REFUSED },
	{ "logins_held", EXIT_REFUSED },
	{ "held", EXIT_REFUSED },
};

static const struct problem_row *
find_problem(struct bytes code)
{
	for (size_t i = 0; i < COUNT_OF(problem_rows); i++) {
		if (bytes_equal(code, bytes_of(problem_rows[i].code)))
			return &problem_rows[i];
	}
	return NULL;
}

/* problem+json in words. */
static enum exit_status
complain_problem(const struct client *client, const struct call *call, const struct answer *answer)
{
	json_t *problem =
		json_loadb(answer->body.at ? answer->body.at : "", answer->body.len, 0, NULL);
	struct bytes title = member_text(problem, "title"), detail = member_text(problem, "detail");
	const struct problem_row *row = find_problem(member_text(problem, "code"));
	struct buf words = { 0 };

	if (call->about)
		buf_put_format(&words, "%s: ", call->about);
	if (!bytes_starts(detail, title) && (!row || detail.len == 0)) {
		buf_put(&words, title);
		if (title.len > 0 && detail.len > 0)
			buf_put_string(&words, ": ");
	}
	buf_put(&words, detail);
	if (title.len == 0 && detail.len == 0)
		buf_put_format(&words, "the daemon answered %ld", answer->status);
	complain_outside("", buf_bytes(&words));
	complain_faults(problem);
	if (problem && client->problems)
		out_json(client->problems, buf_bytes(&answer->body));
	buf_done(&words);
	json_decref(problem);
	return row ? row->status : EXIT_REFUSED;
}

/* ---- calls */

static void
set_up(struct intake *intake, const char *url, struct curl_slist *headers)
{
	const struct call *call = intake->call;
	CURL *curl = intake->client->curl;
	long deadline_s = call->deadline_s < 0 ? 0
			  : call->deadline_s   ? call->deadline_s
					       : DEADLINE_S;

	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, intake->client->path);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever $http_proxy says */
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, deadline_s);
	if (call->deadline_s >= 0) {
		curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
			(long)(call->silence_s ? call->silence_s : SILENCE_S));
	}
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, intake);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, intake);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	if (call->is_over) {
		curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
		curl_easy_setopt(curl, CURLOPT_XFERINFODATA, intake);
		curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	}
	if (call->body)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body);
	if (call->method)
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
}

enum exit_status
client_call(struct client *client, const struct call *call, struct answer *out)
{
	struct intake intake = { .call = call, .client = client, .answer = out };
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	struct buf url = { 0 };
	enum exit_status status;

	*out = (struct answer){ 0 };
	buf_put_format(&url, "http://d%s", call->path);
	if (!headers || url.is_failed) {
		complain("out of memory");
		status = EXIT_REFUSED;
		goto out;
	}
	set_up(&intake, url.at, call->body ? headers : NULL);
	status = judge_transfer(&intake, curl_easy_perform(client->curl));
	curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &out->status);
	if (status == EXIT_FINE && out->status / 100 != 2)
		status = complain_problem(client, call, out);
	else if (status == EXIT_FINE && intake.line.len > 0)
		(void)call->line(call->user, buf_bytes(&intake.line));
out:
	buf_done(&intake.line);
	buf_done(&url);
	curl_slist_free_all(headers);
	return status;
}

enum exit_status
client_json(struct client *client, const struct call *call, struct answer *answer, json_t **out)
{
	struct answer own;
	struct answer *into = answer ? answer : &own;
	enum exit_status status = client_call(client, call, into);
	json_error_t error;

	if (status == EXIT_FINE) {
		*out = json_loadb(
			into->body.at ? into->body.at : "", into->body.len, JSON_ALLOW_NUL, &error);
		if (!*out) {
			complain_outside("the answer is no JSON: ", bytes_of(error.text));
			status = EXIT_REFUSED;
		}
	}
	if (!answer)
		answer_done(&own);
	return status;
}
