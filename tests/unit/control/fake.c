/*
 * fake.c: see fake.h. Layer: tests.
 */
#include "fake.h"

#include "base/ulid.h"
#include "facts/mailbox.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* ---- watch and settings, as far as control looks at them */

uint32_t
watch_room(const struct watch *watch)
{
	return watch->room;
}

bool
watch_view(const struct watch *watch, uint32_t mailbox, struct watch_view *out)
{
	if (mailbox >= watch->room || !watch->views[mailbox].name)
		return false;
	*out = watch->views[mailbox];
	return true;
}

bool
watch_find(const struct watch *watch, struct bytes name, uint32_t *out)
{
	uint64_t number;

	/* Most have their index in their name. */
	if (bytes_starts(name, BYTES("box")) &&
		bytes_to_number(bytes_from(name, 3), UINT32_MAX, &number) == ERR_OK &&
		number < watch->room && watch->views[number].name &&
		bytes_equal(bytes_of(watch->views[number].name), name)) {
		*out = (uint32_t)number;
		return true;
	}
	for (uint32_t i = 0; i < watch->room; i++) {
		if (watch->views[i].name && bytes_equal(bytes_of(watch->views[i].name), name)) {
			*out = i;
			return true;
		}
	}
	return false;
}

void
watch_counts(const struct watch *watch, struct watch_counts *out)
{
	*out = (struct watch_counts){ .in_flight = 3, .incidents_open = 2, .brakes_open = 1 };
	for (uint32_t i = 0; i < watch->room; i++) {
		enum part state;

		if (!watch->views[i].name)
			continue;
		state = mailbox_state_class(watch->views[i].parts);
		out->total++;
		out->ok += state == PART_OK;
		out->failing += state == PART_FAILING;
		out->unknown += state == PART_UNKNOWN;
		out->paused += state == PART_PAUSED;
	}
}

const struct watch_figures *
watch_figures(const struct watch *watch)
{
	return &watch->figures;
}

const struct mailbox_settings *
settings_find(const struct settings *settings, struct bytes name)
{
	for (size_t i = 0; i < settings->mailbox_count; i++) {
		if (bytes_equal(bytes_of(settings->mailboxes[i].name), name))
			return &settings->mailboxes[i];
	}
	return NULL;
}

/* Checks have tests of their own (tests/e2e/test_check.py). */
enum err
settings_of_object(const struct settings *settings, const json_t *object,
	struct mailbox_settings **out, struct complaints *complaints)
{
	return ERR_MEMORY;
}

enum err
settings_judge_put(
	const struct settings *settings, const json_t *object, struct complaints *complaints)
{
	return ERR_MEMORY;
}

struct sealed_mailbox *
settings_take_put(struct bytes name, json_t *object)
{
	return NULL;
}

void
mailbox_settings_free(struct mailbox_settings *mailbox)
{
}

void
settings_for_review(const struct mailbox_settings *mailbox, struct review_mailbox *out)
{
	*out = (struct review_mailbox){ 0 };
}

/* ---- calls */

static enum err
on_probe(void *owner, uint32_t mailbox, uint64_t request, struct fault *why)
{
	struct fake *fake = owner;

	if (fake->watch.views[mailbox].is_paused || !fake->watch.views[mailbox].is_enabled) {
		fault_set(why, "it is paused");
		return ERR_CONFLICT;
	}
	if (fake->watch.views[mailbox].sides[SIDE_IMAP].brake.is_open) {
		fault_set(why, "logins are held until noon");
		return ERR_CONFLICT;
	}
	fake->probes++;
	fake->last_request = request;
	if (fake->is_probe_done_at_once)
		control_probe_done(fake->control, request);
	else if (fake->request_count < COUNT_OF(fake->requests))
		fake->requests[fake->request_count++] = request;
	return ERR_OK;
}

static void
note(struct fake *fake, const char *who, const char *reason)
{
	snprintf(fake->last_who, sizeof(fake->last_who), "%s", who);
	snprintf(fake->last_reason, sizeof(fake->last_reason), "%s", reason ? reason : "");
}

static enum err
on_pause(void *owner, uint32_t mailbox, int64_t for_us, const char *who, const char *reason,
	struct fault *why)
{
	struct fake *fake = owner;
	struct watch_view *view = &fake->watch.views[mailbox];

	if (!view->is_enabled) {
		fault_set(why, "it is switched off");
		return ERR_CONFLICT;
	}
	fake->pauses++;
	fake->last_for_us = for_us;
	note(fake, who, reason);
	view->is_paused = true;
	view->paused_until = for_us ? wall_add(wall_now(), for_us) : WALL_NONE;
	view->parts[SIDE_SMTP] = view->parts[SIDE_IMAP] = PART_PAUSED;
	return ERR_OK;
}

static enum err
on_resume(void *owner, uint32_t mailbox, const char *who, const char *reason, int64_t *retry_us,
	struct fault *why)
{
	struct fake *fake = owner;
	struct watch_view *view = &fake->watch.views[mailbox];

	note(fake, who, reason);
	if (++fake->resumes > 2) {
		*retry_us = 1500 * US_PER_MS;
		fault_set(why, "twice an hour");
		return ERR_TOO_OFTEN;
	}
	view->is_paused = false;
	view->parts[SIDE_SMTP] = view->parts[SIDE_IMAP] = PART_UNKNOWN;
	return ERR_OK;
}

static void
on_reload(void *owner, uint64_t request, const char *who)
{
	struct fake *fake = owner;

	fake->reloads++;
	fake->last_request = request;
	note(fake, who, NULL);
	if (fake->is_probe_done_at_once)
		control_reload_done(fake->control, request, ERR_OK, NULL,
			&(struct watch_changes){ .changed = 1, .unchanged = 2 });
}

static enum err
on_test_alert(void *owner, const char *sink, const char *who, const struct told **told)
{
	struct fake *fake = owner;

	if (sink && strcmp(sink, "journal") != 0)
		return ERR_NOT_FOUND;
	fake->tests++;
	note(fake, who, NULL);
	if (!fake->told)
		fake->told = fake_told(7, "support", "a test");
	*told = fake->told;
	return ERR_OK;
}

static void
on_health(void *owner, struct control_health *out)
{
	struct fake *fake = owner;

	out->is_well = fake->is_well;
	snprintf(out->why, sizeof(out->why), "state cannot be written");
}

static void
on_metrics(void *owner, struct buf *out, bool with_process)
{
	buf_put_string(out, "mboxwatch_sink_queue{sink=\"journal\"} 0\n");
	if (with_process)
		buf_put_string(out, "process_open_fds 9\n");
}

static const struct control_calls calls = {
	.probe = on_probe,
	.pause = on_pause,
	.resume = on_resume,
	.reload = on_reload,
	.test_alert = on_test_alert,
	.health = on_health,
	.metrics = on_metrics,
};

/* ---- life */

static struct verdict *
verdict_of(bool is_ok)
{
	struct verdict *verdict = verdict_new();

	assert(verdict);
	verdict->is_ok = is_ok;
	verdict->stage = is_ok ? STAGE_DONE : STAGE_AUTH;
	verdict->cause = is_ok ? CAUSE_OK : CAUSE_BAD_CREDENTIALS;
	verdict->times_us[STAGE_CONNECT] = 12 * US_PER_MS;
	verdict->times_us[STAGE_AUTH] = 30 * US_PER_MS;
	verdict->total_us = 55 * US_PER_MS;
	verdict->address = strdup("192.0.2.1");
	verdict->family = FAMILY_IPV4;
	verdict->tls.has_tls = true;
	strcpy(verdict->tls.version, "TLSv1.3");
	strcpy(verdict->tls.cipher, "TLS_AES_256_GCM_SHA384");
	verdict->tls.certificate = certificate_new();
	verdict->tls.certificate->subject = strdup("CN=imap.example.com");
	verdict->tls.certificate->issuer = strdup("CN=Example CA");
	verdict->tls.certificate->not_after = wall_add(wall_now(), 40 * US_PER_D);
	if (!is_ok) {
		verdict_detail(verdict, "refused as \"%s\"", "user");
		assert(texts_add(&verdict->reply,
			       BYTES("a1 NO [AUTHENTICATIONFAILED] \033[2J\xe2\x80\xaeInvalid"),
			       16) == ERR_OK);
	}
	return verdict;
}

static void
fill_side(struct fake *fake, struct watch_endpoint_view *side, bool is_failing)
{
	wall_t now = wall_now();

	side->is_present = true;
	side->host = "imap.example.com";
	side->state = is_failing ? ENDPOINT_FAILING : ENDPOINT_OK;
	side->since = wall_add(now, -2 * US_PER_H);
	side->last_probe = wall_add(now, -20 * US_PER_S);
	side->last_ok = is_failing ? wall_add(now, -3 * US_PER_H) : side->last_probe;
	side->next_probe = wall_add(now, 40 * US_PER_S);
	side->next_reason = is_failing ? NEXT_RETRY : NEXT_INTERVAL;
	side->interval_us = 5 * US_PER_M;
	side->verdict = is_failing ? fake->bad : fake->good;
	side->has_cause = is_failing;
	side->cause = is_failing ? CAUSE_BAD_CREDENTIALS : CAUSE_OK;
	side->stage = is_failing ? STAGE_AUTH : STAGE_DONE;
	side->fails = is_failing ? 7 : 0;
	if (is_failing)
		side->incident.bytes[15] = 42;
}

static void
fill(struct fake *fake, uint32_t i)
{
	static const struct labels labels = { .items = { { (char *)"owner", (char *)"ac\"me" } },
		.count = 1 };
	struct watch_view *view = &fake->watch.views[i];
	char text[64];

	snprintf(text, sizeof(text), "box%06u", i);
	view->name = strdup(text);
	snprintf(text, sizeof(text), "box%06u@example.com", i);
	view->address = strdup(text);
	view->is_enabled = true;
	view->since = wall_add(wall_now(), -2 * US_PER_H);
	view->labels = &labels;
	fill_side(fake, &view->sides[SIDE_SMTP], false);
	fill_side(fake, &view->sides[SIDE_IMAP], i % 7 == 3);
	view->parts[SIDE_SMTP] = PART_OK;
	view->parts[SIDE_IMAP] = i % 7 == 3 ? PART_FAILING : PART_OK;
}

void
fake_name(struct fake *fake, uint32_t i, const char *name)
{
	free((char *)fake->watch.views[i].name);
	fake->watch.views[i].name = strdup(name);
}

void
fake_start(struct fake *fake, uint32_t count)
{
	struct control_start start = { .calls = &calls };
	struct fault why;

	signal(SIGPIPE, SIG_IGN); /* as the daemon does: libevent writes without MSG_NOSIGNAL */
	*fake = (struct fake){ .is_well = true };
	fake->base = event_base_new();
	fake->good = verdict_of(true);
	fake->bad = verdict_of(false);
	fake->watch.views = calloc(count + 1, sizeof(*fake->watch.views));
	fake->watch.room = count;
	for (uint32_t i = 0; i < count; i++)
		fill(fake, i);
	fake->settings.loaded = wall_now();
	strcpy(fake->folder, "/tmp/mboxwatch-unit-XXXXXX");
	assert(mkdtemp(fake->folder));
	snprintf(fake->path, sizeof(fake->path), "%s/status.sock", fake->folder);
	start.base = fake->base;
	start.path = fake->path;
	start.watch = &fake->watch;
	start.settings = &fake->settings;
	start.started = wall_now();
	start.owner = fake;
	if (control_new(&start, &fake->control, &why) != ERR_OK) {
		fprintf(stderr, "%s\n", why.text);
		abort();
	}
}

void
fake_end(struct fake *fake)
{
	control_free(fake->control);
	for (uint32_t i = 0; i < fake->watch.room; i++) {
		free((char *)fake->watch.views[i].name);
		free((char *)fake->watch.views[i].address);
	}
	free(fake->watch.views);
	verdict_free(fake->good);
	verdict_free(fake->bad);
	told_free(fake->told);
	event_base_free(fake->base);
	unlink(fake->path);
	rmdir(fake->folder);
}

int
fake_set_up(void **state)
{
	struct fake *fake = malloc(sizeof(*fake));

	if (!fake)
		return -1;
	fake_start(fake, FAKE_MAILBOXES);
	fake_name(fake, 5, "u+tag@example.com"); /* H5-12 */
	*state = fake;
	return 0;
}

int
fake_tear_down(void **state)
{
	fake_end(*state);
	free(*state);
	return 0;
}

struct told *
fake_told(unsigned number, const char *mailbox, const char *detail)
{
	struct told *told = calloc(1, sizeof(*told));
	struct buf json = { 0 };
	char id[ULID_TEXT_LEN + 1];

	assert(told);
	for (size_t i = 0; i < 4; i++)
		told->id.bytes[12 + i] = (uint8_t)(number >> 8 * (3 - i));
	told->kind = EVENT_STATE;
	told->time = (wall_t){ INT64_C(1795478400) * US_PER_S + number * US_PER_S };
	ulid_text(told->id, id);
	buf_put_format(&json, "{\"id\":\"%s\",\"time\":\"", id);
	wall_put_ms(&json, told->time);
	buf_put_format(&json,
		"\",\"event\":\"state\",\"mailbox\":\"%s\",\"smtp\":\"ok\",\"imap\":\"failing\","
		"\"labels\":{\"owner\":\"acme\"},\"cause\":\"bad_credentials\",\"server\":\"imap."
		"example.com\","
		"\"level\":\"error\",\"text\":\"%s: %s\"}",
		mailbox, mailbox, detail);
	told->json = buf_take(&json);
	told->line = strdup("msg=\"x\"");
	return told;
}

/* ---- a client in the same thread */

/* Of this thread's processor: the machine may be busy with others. */
static int64_t
cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

void
fake_turn(struct fake *fake, int ms)
{
	mono_t end = mono_add(mono_now(), ms * US_PER_MS);

	do {
		int64_t before_us = cpu_us(), took_us;

		/* One pass: without ONCE it goes on while anything is due. */
		event_base_loop(fake->base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
		took_us = cpu_us() - before_us;
		if (took_us > fake->longest_step_us)
			fake->longest_step_us = took_us;
		if (ms > 0)
			usleep(200);
	} while (mono_is_before(mono_now(), end));
}

int
fake_connect(const struct fake *fake)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval deadline = { 5, 0 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert(fd >= 0);
	strcpy(address.sun_path, fake->path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

bool
fake_await(struct fake *fake, int fd)
{
	mono_t end = mono_add(mono_now(), 5 * US_PER_S);
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	while (mono_is_before(mono_now(), end)) {
		fake_turn(fake, 0);
		if (poll(&pollfd, 1, 1) > 0)
			return true;
	}
	return false;
}

char *
fake_ask(struct fake *fake, const char *request)
{
	int fd = fake_connect(fake);
	size_t len = strlen(request), sent = 0;
	struct buf answer = { 0 };
	ssize_t got = 1;

	assert(fd >= 0);
	while (sent < len) {
		ssize_t now = send(fd, request + sent, len - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (now > 0)
			sent += (size_t)now;
		else if (errno != EAGAIN)
			break;
		fake_turn(fake, 0);
	}
	while (got > 0 && fake_await(fake, fd)) {
		char *at = buf_reserve(&answer, 65536);

		assert(at);
		got = recv(fd, at, 65536, MSG_DONTWAIT);
		if (got > 0) {
			answer.len += (size_t)got;
			answer.at[answer.len] = '\0';
		}
	}
	close(fd);
	fake_turn(fake, 0);
	buf_put_string(&answer, "");
	return buf_take(&answer);
}

char *
fake_get(struct fake *fake, const char *path)
{
	struct buf request = { 0 };
	char *answer;

	buf_put_format(&request, "GET %s HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n", path);
	answer = fake_ask(fake, request.at);
	buf_done(&request);
	return answer;
}

char *
fake_post(struct fake *fake, const char *path, const char *body)
{
	struct buf request = { 0 };
	char *answer;

	buf_put_format(&request,
		"POST %s HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
		path, strlen(body));
	buf_put_string(&request, body);
	answer = fake_ask(fake, request.at);
	buf_done(&request);
	return answer;
}

int
answer_status(const char *answer)
{
	int status = 0;

	return sscanf(answer, "HTTP/1.1 %d ", &status) == 1 ? status : 0;
}

char *
answer_body(char *answer)
{
	char *body = strstr(answer, "\r\n\r\n");
	char *from, *to;

	if (!body)
		return answer + strlen(answer);
	body += 4;
	if (!strcasestr(answer, "Transfer-Encoding: chunked"))
		return body;
	for (from = to = body;;) {
		char *text;
		size_t len = strtoul(from, &text, 16);

		if (text == from || len == 0 || strlen(text) < len + 2)
			break;
		memmove(to, text + 2, len);
		to += len;
		from = text + 2 + len + 2;
	}
	*to = '\0';
	return body;
}
