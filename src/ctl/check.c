/*
 * check.c: mboxwatchctl check: by the daemon where one runs, else by itself; printed from the very
 * lines that the socket sends. Layer: ctl.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check/check.h"
#include "config/settings.h"

#define FILE_MOST_BYTES ((size_t)64 * 1024 * 1024)
#define CHECK_DEADLINE_S (20 * 60) /* it waits for limits */

struct checking {
	const struct invocation *invocation;
	json_t *document;
	bool is_broken;
};

/* ---- what comes, from the daemon or from ourselves */

static bool
on_line(void *user, struct bytes line)
{
	struct checking *checking = user;
	struct out *out = checking->invocation->out;
	bool is_json = checking->invocation->options[OPTION_JSON] != NULL;
	json_t *read;

	if (line.len == 0)
		return true;
	read = json_loadb(line.at, line.len, JSON_ALLOW_NUL, NULL);
	if (!read) {
		checking->is_broken = true;
		return false;
	}
	if (json_object_get(read, "step")) {
		if (!is_json)
			check_show_step(out, read);
		json_decref(read);
		return out_flush(out);
	}
	if (is_json)
		out_json(out, line);
	else
		check_show_document(out, read);
	json_decref(checking->document);
	checking->document = read;
	return true;
}

static enum exit_status
judge(struct checking *checking, enum exit_status status)
{
	bool is_held = member_is_true(checking->document, "held");
	bool is_ok = member_is_true(checking->document, "ok");

	if (status == EXIT_FINE && !checking->document && !checking->invocation->out->is_gone) {
		complain(checking->is_broken ? "a step is no JSON" : "the check broke off");
		status = EXIT_REFUSED;
	} else if (status == EXIT_FINE) {
		status = is_ok ? EXIT_FINE : is_held ? EXIT_REFUSED : EXIT_FAILING;
	}
	json_decref(checking->document);
	return status;
}

/* ---- by the daemon */

static struct check_want
want_of(const struct invocation *invocation)
{
	return (struct check_want){
		.is_to_send = invocation->options[OPTION_SEND] != NULL,
		.send_to = invocation->options[OPTION_TO],
		.with_transcript = invocation->options[OPTION_TRANSCRIPT] != NULL,
	};
}

/* The object, with what is wanted beyond it. */
static void
put_wanted(struct buf *out, struct bytes object, const struct check_want *want)
{
	buf_put(out, bytes_first(object, object.len - 1));
	if (want->is_to_send)
		buf_put_string(out, ",\"send\":true");
	if (want->send_to) {
		buf_put_string(out, ",\"to\":");
		json_put_text(out, bytes_of(want->send_to));
	}
	buf_put_byte(out, '}');
}

/* object: of JSON, not an empty one. */
static enum exit_status
ask_daemon(const struct invocation *invocation, struct bytes object, const struct check_want *want)
{
	struct buf body = { 0 };
	struct checking checking = { .invocation = invocation };
	struct call call = {
		.path = want->with_transcript ? "/v1/check?stream=1&transcript=1"
					      : "/v1/check?stream=1",
		.silence_s = CHECK_DEADLINE_S,
		.deadline_s = CHECK_DEADLINE_S,
		.line = on_line,
		.user = &checking,
	};
	struct answer answer = { 0 };
	enum exit_status status = EXIT_REFUSED;

	(void)buf_reserve(&body, object.len + 1024); /* it may hold a secret */
	put_wanted(&body, object, want);
	call.body = body.at;
	if (buf_err(&body) == ERR_OK)
		status = client_call(invocation->client, &call, &answer);
	else
		complain("out of memory");
	buf_done_wiped(&body);
	answer_done(&answer);
	return judge(&checking, status);
}

static enum exit_status
ask_daemon_name(const struct invocation *invocation, struct bytes name)
{
	const struct check_want want = want_of(invocation);
	enum exit_status status;
	struct buf body = { 0 };

	buf_put_string(&body, "{\"name\":");
	json_put_text(&body, name);
	buf_put_byte(&body, '}');
	status = ask_daemon(invocation, buf_bytes(&body), &want);
	buf_done(&body);
	return status;
}

/* ---- by itself */

static enum exit_status
run_alone(const struct invocation *invocation, const struct settings *settings,
	const struct mailbox_settings *mailbox, const struct check_want *want)
{
	struct checking checking = { .invocation = invocation };
	enum exit_status status = alone_check(settings, mailbox, want, on_line, &checking);

	return judge(&checking, status);
}

/* ---- settings */

static void
complain_all(const struct complaints *complaints)
{
	for (size_t i = 0; i < complaints->count; i++) {
		const struct complaint *complaint = &complaints->items[i];
		struct buf line = { 0 };

		if (complaint->is_warning)
			continue;
		if (complaint->file) {
			complaint_put(&line, complaint);
		} else {
			buf_put_format(&line, "%s: ", complaint->setting);
			escape_put(&line, bytes_of(complaint->text), ESCAPE_TERMINAL);
		}
		complain("%s", line.at ? line.at : "");
		buf_done(&line);
	}
}

/* file NULL: the usual ones. NULL: why stands on stderr, but where is_quiet. */
static struct settings *
load(const char *file, bool is_quiet)
{
	struct settings_paths paths = { .file = file };
	struct complaints complaints = { 0 };
	struct settings *settings = NULL;

	if (settings_load(&paths, &settings, &complaints) != ERR_OK && !is_quiet) {
		complain_all(&complaints);
		if (complaints.faults == 0)
			complain("out of memory");
	}
	complaints_done(&complaints);
	return settings;
}

/* Text as a file, for whoever reads files. -1: no room */
static int
file_of(struct bytes text)
{
	int fd = memfd_create("standard input", MFD_CLOEXEC);

	while (fd >= 0 && text.len > 0) {
		ssize_t put = write(fd, text.at, text.len);

		if (put < 0 && errno != EINTR) {
			close(fd);
			return -1;
		}
		text = bytes_from(text, put < 0 ? 0 : (size_t)put);
	}
	return fd;
}

static struct settings *
load_text(struct bytes text)
{
	int fd = file_of(text);
	struct settings *settings = NULL;
	char path[32];

	if (fd < 0) {
		complain("out of memory");
		return NULL;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	settings = load(path, false);
	close(fd);
	return settings;
}

/* For an object that has no file around it: the daemon's, where we may read them, else none. */
static struct settings *
load_around(void)
{
	struct settings *settings = load(NULL, true);

	if (!settings)
		settings = load_text(BYTES("mailboxes = ();\n"));
	if (settings)
		prefixes_done(&settings->deny); /* a person at this host may reach what it can */
	return settings;
}

/* ---- -f: the JSON of the socket */

static bool
has_secret(const json_t *body)
{
	const json_t *smtp = json_object_get(body, "smtp"), *imap = json_object_get(body, "imap");
	const json_t *auth = json_object_get(smtp ? smtp : imap, "auth");

	return json_object_get(smtp, "password") || json_object_get(imap, "password") ||
	       (json_is_string(auth) && strcmp(json_string_value(auth), "none") == 0);
}

/* Into whatever side there is: the other one takes it from there. False: none came. */
static bool
ask_secret(json_t *body)
{
	json_t *side = json_object_get(body, "smtp");
	struct buf secret = { 0 };
	bool is_put = false;

	if (!side)
		side = json_object_get(body, "imap");
	if (ask_line("Password (not shown): ", true, &secret))
		is_put = json_object_set_new(
				 side, "password", json_stringn(secret.at, secret.len)) == 0;
	buf_done_wiped(&secret);
	return is_put;
}

static enum exit_status
check_object_alone(
	const struct invocation *invocation, const json_t *body, const struct check_want *want)
{
	struct settings *settings = load_around();
	struct mailbox_settings *mailbox = NULL;
	struct complaints complaints = { 0 };
	enum exit_status status = EXIT_REFUSED;

	if (settings && settings_of_object(settings, body, &mailbox, &complaints) == ERR_OK)
		status = run_alone(invocation, settings, mailbox, want);
	else
		complain_all(&complaints);
	complaints_done(&complaints);
	mailbox_settings_free(mailbox);
	settings_free(settings);
	return status;
}

/* "send" and "to" of the body count as the options do. False: they are no such thing. */
static bool
take_want(json_t *body, struct check_want *want)
{
	const json_t *send = json_object_get(body, "send"), *to = json_object_get(body, "to");
	bool is_well = (!send || json_is_boolean(send)) && (!to || json_is_string(to));

	if (!is_well)
		complain("send is true or false, to is an address");
	want->is_to_send |= json_is_true(send);
	if (json_is_string(to) && !want->send_to)
		want->send_to = json_string_value(to);
	json_object_del(body, "send");
	return is_well;
}

static enum exit_status
check_object_wanted(
	const struct invocation *invocation, json_t *body, const struct check_want *want)
{
	enum exit_status status;
	char *text;

	if (!has_secret(body) && ask_may() && !ask_secret(body))
		return EXIT_REFUSED;
	if (!client_is_there(invocation->client))
		return check_object_alone(invocation, body, want);
	text = json_dumps(body, JSON_COMPACT);
	if (!text) {
		complain("out of memory");
		return EXIT_REFUSED;
	}
	status = ask_daemon(invocation, bytes_of(text), want);
	explicit_bzero(text, strlen(text));
	free(text);
	return status;
}

static enum exit_status
check_object(const struct invocation *invocation, json_t *body)
{
	struct check_want want = want_of(invocation);
	json_t *to = json_incref(json_object_get(body, "to")); /* want borrows it */
	enum exit_status status = EXIT_REFUSED;

	if (take_want(body, &want)) {
		json_object_del(body, "to");
		status = check_object_wanted(invocation, body, &want);
	}
	json_decref(to);
	return status;
}

static enum exit_status
check_json(const struct invocation *invocation, struct bytes text)
{
	json_error_t error;
	json_t *body = json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES, &error);
	enum exit_status status = EXIT_REFUSED;

	if (json_is_object(body))
		status = check_object(invocation, body);
	else
		complain_outside("the file is no JSON object: ", bytes_of(error.text));
	json_decref(body);
	return status;
}

/* ---- -f: a settings file */

static enum exit_status
check_mailbox(const struct invocation *invocation, const struct settings *settings,
	const struct mailbox_settings *mailbox)
{
	const struct check_want want = want_of(invocation);
	enum exit_status status = EXIT_REFUSED;
	struct buf body = { 0 };
	bool is_less;

	if (!client_is_there(invocation->client))
		return run_alone(invocation, settings, mailbox, &want);
	/* The daemon reads no file for us, so we do. */
	if (!secrets_read(mailbox))
		return EXIT_REFUSED;
	settings_put_object(&body, mailbox, &is_less);
	if (is_less)
		complain("%s: ca_file, proxy and source_address are not handed to the daemon: its "
			 "own count",
			mailbox->name);
	if (buf_err(&body) == ERR_OK)
		status = ask_daemon(invocation, buf_bytes(&body), &want);
	else
		complain("out of memory");
	buf_done_wiped(&body);
	return status;
}

/* Each of its mailboxes; the worst that came of one is what comes of all. */
static enum exit_status
check_settings(const struct invocation *invocation, struct settings *settings)
{
	enum exit_status worst = EXIT_FINE;

	if (!settings)
		return EXIT_REFUSED;
	if (settings->mailbox_count == 0) {
		complain("there is no mailbox in the file");
		worst = EXIT_NO_MAILBOX;
	}
	for (size_t i = 0; i < settings->mailbox_count; i++) {
		enum exit_status status;

		if (i > 0 && !invocation->options[OPTION_JSON])
			out_say(invocation->out, "\n");
		status = check_mailbox(invocation, settings, &settings->mailboxes[i]);
		worst = status > worst ? status : worst;
	}
	settings_free(settings);
	return worst;
}

static bool
read_all(int fd, struct buf *out)
{
	ssize_t got;

	do {
		char *at = out->len < FILE_MOST_BYTES ? buf_reserve(out, 64 * 1024) : NULL;

		if (!at)
			return false;
		got = read(fd, at, 64 * 1024);
		if (got > 0)
			out->len += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	return got == 0;
}

static void
complain_unread(const char *file, int number)
{
	struct buf ours = { 0 };

	buf_put_format(&ours, "cannot be read (%s): ", strerror(number));
	complain_outside(ours.at ? ours.at : "", bytes_of(file));
	buf_done(&ours);
}

static enum exit_status
check_file(const struct invocation *invocation, const char *file)
{
	bool is_stdin = strcmp(file, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum exit_status status = EXIT_REFUSED;
	struct buf text = { 0 };
	bool is_read = fd >= 0 && read_all(fd, &text);

	if (!is_read)
		complain_unread(file, errno);
	else if (text.len > 0 && text.at[0] == '{')
		status = check_json(invocation, buf_bytes(&text));
	else
		status = check_settings(
			invocation, is_stdin ? load_text(buf_bytes(&text)) : load(file, false));
	if (fd >= 0 && !is_stdin)
		close(fd);
	buf_done_wiped(&text);
	return status;
}

/* ---- NAME or ADDRESS */

static enum exit_status
no_such_mailbox(const char *word)
{
	complain_outside("no such mailbox: ", bytes_of(word));
	if (strchr(word, '@'))
		complain("its servers are asked for on a terminal; or write them into a file "
			 "(check -f FILE)");
	return EXIT_NO_MAILBOX;
}

/* {"address":…,"smtp":{"host":…,"password":…},"imap":{"host":…}} by what a person answers. */
static enum exit_status
check_asked(const struct invocation *invocation, const char *address)
{
	struct buf smtp = { 0 }, imap = { 0 };
	enum exit_status status = EXIT_REFUSED;
	json_t *body = NULL;

	if (ask_line("SMTP server: ", false, &smtp) && ask_line("IMAP server: ", false, &imap))
		body = json_pack("{s:s, s:{s:s%}, s:{s:s%}}", "address", address, "smtp", "host",
			smtp.at, smtp.len, "imap", "host", imap.at, imap.len);
	if (body)
		status = check_object(invocation, body);
	json_decref(body);
	buf_done(&smtp);
	buf_done(&imap);
	return status;
}

/* {"address":…,"provider":…,"smtp":{},"imap":{}}: the sides that the provider has. */
static json_t *
body_of_provider(const char *address, const json_t *provider)
{
	json_t *body = json_pack(
		"{s:s, s:O}", "address", address, "provider", json_object_get(provider, "id"));

	for (enum side side = 0; body && side < SIDE_COUNT; side++) {
		if (json_array_size(json_object_get(provider, side_name(side))) > 0)
			json_object_set_new(body, side_name(side), json_object());
	}
	return body;
}

/* What it wants is said before the password is asked for. */
static void
tell_app_password(const json_t *provider)
{
	struct bytes kind = member_text(provider, "app_password");
	struct bytes hint = member_text(provider, "app_password_hint");
	struct buf words = { 0 };

	if (!bytes_equal(kind, BYTES("required")) || hint.len == 0)
		return;
	buf_put(&words, member_text(provider, "name"));
	buf_put_string(&words, " takes an app password alone: ");
	complain_outside(words.at ? words.at : "", hint);
	buf_done(&words);
}

/* A known provider needs the secret alone; of others the servers are asked for too. */
static enum exit_status
check_address(const struct invocation *invocation, const char *address)
{
	json_t *document = NULL, *body = NULL;
	enum exit_status status = providers_document(invocation, &document);
	const json_t *provider =
		status == EXIT_FINE ? provider_of_address(document, bytes_of(address)) : NULL;

	if (status == EXIT_FINE && !provider) {
		status = check_asked(invocation, address);
	} else if (provider && json_array_size(json_object_get(provider, "smtp")) == 0 &&
		   json_array_size(json_object_get(provider, "imap")) == 0) {
		complain_outside(
			"no mail program can log in there: ", member_text(provider, "enable_hint"));
		status = EXIT_REFUSED;
	} else if (provider) {
		tell_app_password(provider);
		body = body_of_provider(address, provider);
		status = body ? check_object(invocation, body) : EXIT_REFUSED;
	}
	json_decref(body);
	json_decref(document);
	return status;
}

struct wanted {
	struct bytes address;
	struct buf name;
};

static void
note_address(void *user, const json_t *mailbox)
{
	struct wanted *wanted = user;

	if (wanted->name.len == 0 &&
		bytes_equal_nocase(member_text(mailbox, "address"), wanted->address))
		buf_put(&wanted->name, member_text(mailbox, "name"));
}

/* The daemon's mailbox of this name, else the first of this address, into out. */
static enum exit_status
find_at_daemon(const struct invocation *invocation, const char *word, struct buf *out)
{
	struct wanted wanted = { .address = bytes_of(word) };
	char *selector = strrchr(word, '@');
	struct invocation walk = *invocation;
	struct buf path = { 0 };
	json_t *page = NULL;
	enum exit_status status;

	buf_put_string(&path, "/v1/status?limit=1&select=");
	url_put(&path, bytes_of(word));
	status = client_json(invocation->client, &(struct call){ .path = path.at }, NULL, &page);
	buf_done(&path);
	if (status == EXIT_FINE && json_array_size(json_object_get(page, "mailboxes")) > 0) {
		buf_put_string(out, word);
	} else if (status == EXIT_FINE && selector) {
		walk.arguments = &selector;
		walk.argument_count = 1;
		status = pages_walk(&walk, note_address, &wanted, NULL);
		buf_put(out, buf_bytes(&wanted.name));
	}
	json_decref(page);
	buf_done(&wanted.name);
	return status;
}

static enum exit_status
check_by_daemon(const struct invocation *invocation, const char *word)
{
	struct buf name = { 0 };
	enum exit_status status = find_at_daemon(invocation, word, &name);

	if (name.len > 0)
		status = ask_daemon_name(invocation, buf_bytes(&name));
	else if (status == EXIT_FINE)
		status = strchr(word, '@') && ask_may() ? check_address(invocation, word)
							: no_such_mailbox(word);
	buf_done(&name);
	return status;
}

static enum exit_status
check_without_daemon(const struct invocation *invocation, const char *word)
{
	bool is_address = strchr(word, '@') != NULL;
	struct settings *settings = load(NULL, is_address && ask_may());
	const struct mailbox_settings *mailbox = NULL;
	const struct check_want want = want_of(invocation);
	enum exit_status status;

	if (!settings && !(is_address && ask_may()))
		return EXIT_REFUSED;
	if (settings)
		mailbox = settings_find(settings, bytes_of(word));
	for (size_t i = 0; settings && !mailbox && i < settings->mailbox_count; i++) {
		if (bytes_equal_nocase(bytes_of(settings->mailboxes[i].address), bytes_of(word)))
			mailbox = &settings->mailboxes[i];
	}
	if (mailbox)
		status = run_alone(invocation, settings, mailbox, &want);
	else if (is_address && ask_may())
		status = check_address(invocation, word);
	else
		status = no_such_mailbox(word);
	settings_free(settings);
	return status;
}

enum exit_status
command_check(const struct invocation *invocation)
{
	const char *file = invocation->options[OPTION_FILE];

	if (!file == (invocation->argument_count == 0)) {
		complain("usage: mboxwatchctl check (NAME | ADDRESS | -f FILE)");
		return EXIT_USAGE;
	}
	if (invocation->options[OPTION_TO] && !invocation->options[OPTION_SEND]) {
		complain("--to says where --send goes; write --send too");
		return EXIT_USAGE;
	}
	if (invocation->options[OPTION_TO] &&
		!check_is_address(bytes_of(invocation->options[OPTION_TO]))) {
		complain_outside("no address: ", bytes_of(invocation->options[OPTION_TO]));
		return EXIT_USAGE;
	}
	if (file)
		return check_file(invocation, file);
	if (client_is_there(invocation->client))
		return check_by_daemon(invocation, invocation->arguments[0]);
	return check_without_daemon(invocation, invocation->arguments[0]);
}
