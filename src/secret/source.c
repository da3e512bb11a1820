/*
 * source.c: asks for secrets and what commands printed, kept by argument vector. Layer: secret.
 *
 * Every ask is answered by its own event on a later turn, whatever its kind, so that an owner has
 * one path.
 */
#include "secret/source.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/seal.h"

/* One command, by its argument vector; lives while asked for or while its secret is kept. */
struct command {
	struct secret_sources *sources;
	struct command *next;
	struct buf key;	     /* the arguments, each with its NUL */
	struct child *child; /* NULL: not running */
	unsigned generation; /* of sources, when it was started */
	struct secret *kept;
	mono_t ran;
};

struct secret_ask {
	struct secret_sources *sources;
	struct secret_ask *next;
	struct secret_ask **link;
	struct command *command; /* whose run it waits for; NULL: the answer is ready */
	struct event told;
	secret_answered *answered;
	void *owner;
	struct secret_answer answer; /* secret: held by the ask */
};

struct secret_sources {
	struct event_base *base;
	struct children *children;
	struct command *commands;
	struct secret_ask *asks;
	unsigned generation;
};

static void
ask_free(struct secret_ask *ask)
{
	*ask->link = ask->next;
	if (ask->next)
		ask->next->link = ask->link;
	event_del(&ask->told);
	secret_free(ask->answer.secret);
	free(ask);
}

static void
on_told(evutil_socket_t fd, short what, void *owner)
{
	struct secret_ask *ask = owner;
	secret_answered *answered = ask->answered;
	void *asker = ask->owner;
	struct secret_answer answer = ask->answer;

	(void)fd;
	(void)what;
	ask->answer.secret = NULL;
	ask_free(ask);
	answered(asker, &answer);
	secret_free(answer.secret);
}

/* The ask is answered on the next turn by what stands in it. */
static void
tell(struct secret_ask *ask)
{
	ask->command = NULL;
	event_active(&ask->told, EV_TIMEOUT, 0);
}

static void fail(struct secret_ask *ask, enum cause cause, const char *format, ...)
	PRINTF_LIKE(3, 4);

static void
fail(struct secret_ask *ask, enum cause cause, const char *format, ...)
{
	va_list arguments;

	ask->answer.cause = cause;
	va_start(arguments, format);
	vsnprintf(ask->answer.detail, sizeof(ask->answer.detail), format, arguments);
	va_end(arguments);
	tell(ask);
}

/* ---- values, files, credentials ---- */

/* Why the first line is no secret. */
static const char *
unfit(struct bytes line)
{
	return line.len == 0 ? "empty" : "a NUL byte in it";
}

static void
ask_file(struct secret_ask *ask, const char *what, const char *path)
{
	struct buf whole = { 0 };
	enum err err = file_read(path, SECRET_MOST_BYTES, &whole);
	struct bytes line = bytes_first_line(buf_bytes(&whole));

	if (err == ERR_DESCRIPTORS || err == ERR_MEMORY)
		fail(ask, CAUSE_LOCAL_LIMIT, "%s: %s", path, err_name(err));
	else if (err != ERR_OK)
		fail(ask, CAUSE_SECRET_UNAVAILABLE, "%s %s: %s", what, path,
			err == ERR_LIMIT ? "longer than 64 KiB" : file_why_unreadable(err));
	else if (secret_new(line, &ask->answer.secret) != ERR_OK)
		fail(ask, CAUSE_SECRET_UNAVAILABLE, "%s %s: %s", what, path, unfit(line));
	else
		tell(ask);
	buf_done_wiped(&whole);
}

/* H4-24: a name, never a way out of the directory. */
static bool
is_credential_name(const char *name)
{
	return name[0] != '\0' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       !strchr(name, '/');
}

static void
ask_credential(struct secret_ask *ask, const char *name)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	struct buf path = { 0 };

	if (!is_credential_name(name)) {
		fail(ask, CAUSE_SECRET_UNAVAILABLE, "credential: a name is wanted, not a path");
		return;
	}
	if (!directory || directory[0] != '/') {
		fail(ask, CAUSE_SECRET_UNAVAILABLE,
			"credential %s: CREDENTIALS_DIRECTORY is not set (LoadCredential= in the "
			"unit)",
			name);
		return;
	}
	buf_put_format(&path, "%s/%s", directory, name);
	if (buf_err(&path) == ERR_OK)
		ask_file(ask, "credential", path.at);
	else
		fail(ask, CAUSE_LOCAL_LIMIT, "out of memory");
	buf_done(&path);
}

/* H5-15: a key that is lost, or another's, takes its mailboxes' secrets with it until it is back.
 */
static void
ask_sealed(struct secret_ask *ask, const struct secret_source *source)
{
	const struct sealed *sealed = source->sealed;
	struct fault why = { "" };
	struct seal_key key;
	enum err err;

	if (!source->path) {
		fail(ask, CAUSE_SECRET_UNAVAILABLE, "sealed, and daemon.state_key_file is not set");
		return;
	}
	err = seal_key_read(source->path, &key, &why);
	if (err == ERR_DESCRIPTORS || err == ERR_MEMORY) {
		fail(ask, CAUSE_LOCAL_LIMIT, "state_key_file %s", why.text);
		return;
	}
	if (err != ERR_OK) {
		fail(ask, CAUSE_SECRET_UNAVAILABLE, "sealed: state_key_file %s", why.text);
		return;
	}
	err = unseal_secret(
		&key, buf_bytes(&sealed->bytes), buf_bytes(&sealed->bound), &ask->answer.secret);
	bytes_wipe(&key, sizeof(key));
	if (err == ERR_OK)
		tell(ask);
	else if (err == ERR_MEMORY)
		fail(ask, CAUSE_LOCAL_LIMIT, "out of memory");
	else
		fail(ask, CAUSE_SECRET_UNAVAILABLE,
			"sealed under another key than that in state_key_file %s", source->path);
}

/* ---- commands ---- */

static bool
is_asked_for(const struct command *command)
{
	for (const struct secret_ask *ask = command->sources->asks; ask; ask = ask->next) {
		if (ask->command == command)
			return true;
	}
	return false;
}

static void
command_free(struct command *command)
{
	struct command **link = &command->sources->commands;

	while (*link != command)
		link = &(*link)->next;
	*link = command->next;
	if (command->child)
		child_cancel(command->child);
	secret_free(command->kept);
	buf_done(&command->key);
	free(command);
}

static void
put_key(struct buf *out, char *const argv[])
{
	for (size_t i = 0; argv[i]; i++)
		buf_put(out, (struct bytes){ argv[i], strlen(argv[i]) + 1 });
}

static struct command *
command_of(struct secret_sources *sources, char *const argv[])
{
	struct buf key = { 0 };
	struct command *command;

	put_key(&key, argv);
	for (command = sources->commands; command; command = command->next) {
		if (bytes_equal(buf_bytes(&command->key), buf_bytes(&key))) {
			buf_done(&key);
			return command;
		}
	}
	command = buf_err(&key) == ERR_OK ? calloc(1, sizeof(*command)) : NULL;
	if (!command) {
		buf_done(&key);
		return NULL;
	}
	command->sources = sources;
	command->key = key;
	command->next = sources->commands;
	sources->commands = command;
	return command;
}

static void
fail_by_result(struct secret_ask *ask, const char *name, const struct child_result *result)
{
	switch (result->outcome) {
	case CHILD_LINE:
		fail(ask, CAUSE_SECRET_UNAVAILABLE, "%s printed %s", name,
			result->line.len == 0 ? "no line" : "a NUL byte");
		break;
	case CHILD_STATUS:
		fail(ask, CAUSE_SECRET_UNAVAILABLE, "%s exited with status %d", name,
			result->number);
		break;
	case CHILD_SIGNAL:
		fail(ask, CAUSE_SECRET_UNAVAILABLE, "%s died by signal %d", name, result->number);
		break;
	case CHILD_TIMEOUT:
		fail(ask, CAUSE_SECRET_UNAVAILABLE, "%s did not end within 10 s", name);
		break;
	case CHILD_TOO_MUCH:
		fail(ask, CAUSE_SECRET_UNAVAILABLE,
			"%s printed more than 64 KiB without a line end", name);
		break;
	case CHILD_NOT_STARTED:
		fail(ask,
			result->number == EAGAIN || result->number == ENOMEM ||
					result->number == EMFILE || result->number == ENFILE
				? CAUSE_LOCAL_LIMIT
				: CAUSE_SECRET_UNAVAILABLE,
			"%s could not be started: %s", name, strerror(result->number));
		break;
	case CHILD_NO_MEMORY:
	case CHILD_OUTCOME_COUNT:
		fail(ask, CAUSE_LOCAL_LIMIT, "%s: out of memory", name);
		break;
	}
}

static void
on_child_ended(void *owner, const struct child_result *result)
{
	struct command *command = owner;
	struct secret_sources *sources = command->sources;
	struct secret *secret = NULL;

	command->child = NULL;
	if (result->outcome == CHILD_LINE && secret_new(result->line, &secret) != ERR_OK)
		secret = NULL;
	for (struct secret_ask *ask = sources->asks; ask; ask = ask->next) {
		if (ask->command != command)
			continue;
		if (secret) {
			ask->answer.secret = secret_hold(secret);
			tell(ask);
		} else {
			fail_by_result(ask, command->key.at, result);
		}
	}
	if (secret && command->generation == sources->generation) {
		secret_free(command->kept);
		command->kept = secret;
		command->ran = mono_now();
		return;
	}
	secret_free(secret);
	if (!command->kept || command->generation != sources->generation)
		command_free(command);
}

static void
ask_command(struct secret_ask *ask, char *const argv[], bool is_fresh)
{
	struct secret_sources *sources = ask->sources;
	struct command *command = command_of(sources, argv);

	if (!command) {
		fail(ask, CAUSE_LOCAL_LIMIT, "out of memory");
		return;
	}
	if (command->kept && !is_fresh && !command->child &&
		mono_since(mono_now(), command->ran) < SECRET_COMMAND_KEPT_US) {
		ask->answer.secret = secret_hold(command->kept);
		ask->answer.is_kept = true;
		tell(ask);
		return;
	}
	if (!command->child) {
		command->generation = sources->generation;
		if (child_start(sources->children, argv, on_child_ended, command,
			    &command->child) != ERR_OK) {
			command->child = NULL;
			fail(ask, CAUSE_LOCAL_LIMIT, "out of memory");
			if (!command->kept)
				command_free(command);
			return;
		}
	}
	ask->command = command;
}

/* ---- the owner's side ---- */

enum err
secret_sources_new(struct event_base *base, struct children *children, struct secret_sources **out)
{
	struct secret_sources *sources = calloc(1, sizeof(*sources));

	if (!sources)
		return ERR_MEMORY;
	sources->base = base;
	sources->children = children;
	*out = sources;
	return ERR_OK;
}

void
secret_sources_free(struct secret_sources *sources)
{
	if (!sources)
		return;
	while (sources->asks)
		ask_free(sources->asks);
	while (sources->commands)
		command_free(sources->commands);
	free(sources);
}

void
secret_sources_forget(struct secret_sources *sources)
{
	struct command *next;

	sources->generation++;
	for (struct command *command = sources->commands; command; command = next) {
		next = command->next;
		secret_free(command->kept);
		command->kept = NULL;
		if (!command->child && !is_asked_for(command))
			command_free(command);
	}
}

enum err
secret_ask(struct secret_sources *sources, const struct secret_source *source, bool is_fresh,
	secret_answered *answered, void *owner, struct secret_ask **out)
{
	struct secret_ask *ask = calloc(1, sizeof(*ask));

	if (!ask)
		return ERR_MEMORY;
	ask->sources = sources;
	ask->answered = answered;
	ask->owner = owner;
	ask->answer.cause = CAUSE_OK;
	event_assign(&ask->told, sources->base, -1, 0, on_told, ask);
	ask->next = sources->asks;
	ask->link = &sources->asks;
	if (ask->next)
		ask->next->link = &ask->next;
	sources->asks = ask;
	*out = ask;
	switch (source->kind) {
	case SECRET_VALUE:
		ask->answer.secret = secret_hold(source->value);
		tell(ask);
		break;
	case SECRET_FILE:
		ask_file(ask, "password_file", source->path);
		break;
	case SECRET_CREDENTIAL:
		ask_credential(ask, source->path);
		break;
	case SECRET_SEALED:
		ask_sealed(ask, source);
		break;
	case SECRET_COMMAND:
		ask_command(ask, source->argv, is_fresh);
		break;
	case SECRET_NONE:
	case SECRET_KIND_COUNT:
		fail(ask, CAUSE_SECRET_UNAVAILABLE, "the settings name no secret");
		break;
	}
	return ERR_OK;
}

void
secret_ask_cancel(struct secret_ask *ask)
{
	ask_free(ask); /* a command goes on: what it prints is kept for the next ask */
}
