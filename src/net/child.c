/*
 * child.c: posix_spawn, a pipe and a pidfd on the loop. Layer: net.
 *
 * A child is over when its process is: its pidfd is readable then. The pipe's end says nothing, a
 * grandchild may keep it open (H4-20). SIGCHLD belongs to the main loop, so each child is waited
 * for by its own id alone.
 */
#include "net/child.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES 4096
#define READS_A_TURN 16
#define LOOK_MS 20   /* for a child without a pidfd (out of descriptors) */
#define REAP_MS 1000 /* children_free() waits as long for what it killed */

extern char **environ;

struct child {
	struct children *children;
	struct child *next;
	struct child **link;
	char **argv;
	child_ended *ended; /* NULL: nobody asks any more; it is only reaped */
	void *owner;
	pid_t pid; /* 0: not running (yet, or any more) */
	int pidfd;
	int out; /* our end of its stdout; -1: closed */
	struct event exit_event;
	struct event out_event;
	struct event timer; /* the deadline; of one that never ran: the call */
	struct event look;
	struct buf text;
	bool has_line;
	bool is_killed;
	struct child_result result;
};

struct children {
	struct event_base *base;
	int64_t deadline_us;
	struct child *first; /* oldest first */
	struct child **end;
	size_t running;
};

static void start_waiting(struct children *children);

static void
argv_free(char **argv)
{
	for (size_t i = 0; argv && argv[i]; i++)
		free(argv[i]);
	free(argv);
}

static char **
argv_copy(char *const argv[])
{
	size_t count = 0;
	char **copy;

	while (argv[count])
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++) {
		copy[i] = strdup(argv[i]);
		if (!copy[i]) {
			argv_free(copy);
			return NULL;
		}
	}
	return copy;
}

static void
close_out(struct child *child)
{
	if (child->out != -1) {
		event_del(&child->out_event);
		close(child->out);
		child->out = -1;
	}
}

static void
child_free(struct child *child)
{
	struct children *children = child->children;

	*child->link = child->next;
	if (child->next)
		child->next->link = child->link;
	else
		children->end = child->link;
	close_out(child);
	if (child->pidfd != -1) {
		event_del(&child->exit_event);
		close(child->pidfd);
	}
	event_del(&child->timer);
	event_del(&child->look);
	buf_done_wiped(&child->text);
	argv_free(child->argv);
	free(child);
}

static void
child_kill(struct child *child)
{
	child->is_killed = true;
	if (child->pid > 0) {
		kill(-child->pid, SIGKILL); /* the group: it has the leader's id */
		kill(child->pid, SIGKILL);
	}
}

/* Tells the owner, once. */
static void
child_tell(struct child *child)
{
	child_ended *ended = child->ended;

	child->ended = NULL;
	if (ended)
		ended(child->owner, &child->result);
	buf_done_wiped(&child->text);
}

static void
take_line(struct child *child)
{
	child->result.outcome = CHILD_LINE;
	child->result.line = bytes_first_line(buf_bytes(&child->text));
}

/* Reads what is there. A line that is complete is enough: the rest is read and dropped, so that the
 * child may end. */
static void
read_out(struct child *child)
{
	char bytes[READ_BYTES];

	for (int i = 0; child->out != -1 && i < READS_A_TURN; i++) {
		ssize_t got = read(child->out, bytes, sizeof(bytes));

		if (got == -1 && (errno == EAGAIN || errno == EINTR))
			break;
		if (got <= 0) {
			close_out(child);
			break;
		}
		if (!child->has_line) {
			struct bytes view = { bytes, (size_t)got };

			child->has_line = bytes_index(view, '\n') < view.len;
			buf_put(&child->text, view);
		}
		if (buf_err(&child->text) != ERR_OK ||
			(!child->has_line && child->text.len > CHILD_MOST_BYTES)) {
			child->result.outcome =
				buf_err(&child->text) != ERR_OK ? CHILD_NO_MEMORY : CHILD_TOO_MUCH;
			close_out(child);
			child_kill(child);
		}
	}
	bytes_wipe(bytes, sizeof(bytes));
}

static void
on_out(evutil_socket_t fd, short what, void *owner)
{
	(void)fd;
	(void)what;
	read_out(owner);
}

/* True where the process has ended; its status is in the result then. */
static bool
reap(struct child *child)
{
	int status = 0;
	pid_t pid;

	do {
		pid = waitpid(child->pid, &status, WNOHANG);
	} while (pid == -1 && errno == EINTR);
	if (pid == 0)
		return false;
	child->pid = 0;
	child->children->running--;
	if (child->is_killed || pid == -1)
		return true; /* why is known, or (SIGCHLD ignored) cannot be */
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		child->result.outcome = CHILD_LINE;
	else if (WIFEXITED(status))
		child->result =
			(struct child_result){ CHILD_STATUS, WEXITSTATUS(status), BYTES_NONE };
	else
		child->result = (struct child_result){ CHILD_SIGNAL, WTERMSIG(status), BYTES_NONE };
	return true;
}

static void
look_for_exit(struct child *child)
{
	struct children *children = child->children;

	if (!reap(child)) {
		if (child->pidfd == -1)
			event_add(&child->look, &(struct timeval){ 0, LOOK_MS * 1000 });
		return;
	}
	if (child->result.outcome == CHILD_LINE && !child->is_killed)
		read_out(child); /* what it wrote last; a grandchild's later words do not count */
	if (child->result.outcome == CHILD_LINE && !child->is_killed)
		take_line(child);
	child_tell(child);
	child_free(child);
	start_waiting(children);
}

static void
on_exit_event(evutil_socket_t fd, short what, void *owner)
{
	(void)fd;
	(void)what;
	look_for_exit(owner);
}

static void
on_timer(evutil_socket_t fd, short what, void *owner)
{
	struct child *child = owner;
	struct children *children = child->children;

	(void)fd;
	(void)what;
	if (child->pid == 0) {
		child_tell(child); /* never ran */
		child_free(child);
		start_waiting(children);
		return;
	}
	/* Told at once; what SIGKILL does not end at once (a disk that hangs) is reaped later and
	 * keeps its place. */
	child->result.outcome = CHILD_TIMEOUT;
	child_kill(child);
	close_out(child);
	child_tell(child);
}

/* ---- how it is started ---- */

/* Ours without what is meant for this process alone. */
static char **
child_environment(void)
{
	static const char *const ours[] = { "NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_",
		"CREDENTIALS_DIRECTORY=", "JOURNAL_STREAM=", "INVOCATION_ID=", "MBOXWATCH_" };
	size_t count = 0;
	size_t kept = 0;
	char **copy;

	while (environ && environ[count])
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++) {
		bool is_ours = false;

		for (size_t k = 0; k < COUNT_OF(ours); k++)
			is_ours = is_ours || bytes_starts(bytes_of(environ[i]), bytes_of(ours[k]));
		if (!is_ours)
			copy[kept++] = environ[i]; /* borrowed */
	}
	return copy;
}

static int
set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none;
	sigset_t all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	error = posix_spawnattr_setflags(
		attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (error == 0)
		error = posix_spawnattr_setpgroup(attributes, 0);
	if (error == 0)
		error = posix_spawnattr_setsigmask(attributes, &none);
	return error != 0 ? error : posix_spawnattr_setsigdefault(attributes, &all);
}

static int
set_actions(posix_spawn_file_actions_t *actions, int out)
{
	int error = posix_spawn_file_actions_adddup2(actions, out, STDOUT_FILENO);

	if (error == 0)
		error = posix_spawn_file_actions_addopen(
			actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_addopen(
			actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (error == 0)
		error = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	return error != 0 ? error : posix_spawn_file_actions_addchdir_np(actions, "/");
}

/* 0 or an errno; the exec's too. */
static int
spawn(char *const argv[], int out, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char **environment = child_environment();
	int error = environment ? posix_spawnattr_init(&attributes) : ENOMEM;

	if (error != 0) {
		free(environment);
		return error;
	}
	error = posix_spawn_file_actions_init(&actions);
	if (error == 0) {
		error = set_attributes(&attributes);
		if (error == 0)
			error = set_actions(&actions, out);
		if (error == 0)
			error = posix_spawnp(
				pid, argv[0], &actions, &attributes, argv, environment);
		posix_spawn_file_actions_destroy(&actions);
	}
	posix_spawnattr_destroy(&attributes);
	free(environment);
	return error;
}

/* Both ends above 2, so that the child's own descriptors are never in the way. */
static int
open_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) != 0)
		return errno;
	for (int i = 0; i < 2; i++) {
		if (ends[i] <= STDERR_FILENO) {
			int moved = fcntl(ends[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
			int error = errno;

			if (moved == -1) {
				close(ends[0]);
				close(ends[1]);
				return error;
			}
			close(ends[i]);
			ends[i] = moved;
		}
	}
	return fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 ? 0 : errno;
}

static void
fail_to_start(struct child *child, int error)
{
	child->result = (struct child_result){ CHILD_NOT_STARTED, error, BYTES_NONE };
	child->pid = 0;
	event_active(&child->timer, EV_TIMEOUT, 0);
}

static struct timeval
timeval_of(int64_t us)
{
	return (struct timeval){ us / US_PER_S, us % US_PER_S };
}

static void
child_run(struct child *child)
{
	struct children *children = child->children;
	struct timeval deadline = timeval_of(children->deadline_us);
	int ends[2];
	int error = open_pipe(ends);

	if (error != 0) {
		fail_to_start(child, error);
		return;
	}
	error = spawn(child->argv, ends[1], &child->pid);
	close(ends[1]);
	if (error != 0) {
		close(ends[0]);
		fail_to_start(child, error);
		return;
	}
	children->running++;
	child->out = ends[0];
	event_assign(
		&child->out_event, children->base, child->out, EV_READ | EV_PERSIST, on_out, child);
	event_add(&child->out_event, NULL);
	child->pidfd = pidfd_open(child->pid, 0);
	if (child->pidfd != -1) {
		event_assign(&child->exit_event, children->base, child->pidfd, EV_READ | EV_PERSIST,
			on_exit_event, child);
		event_add(&child->exit_event, NULL);
	} else {
		event_add(&child->look, &(struct timeval){ 0, LOOK_MS * 1000 });
	}
	event_add(&child->timer, &deadline);
}

static bool
is_waiting(const struct child *child)
{
	return child->pid == 0 && child->result.outcome == CHILD_OUTCOME_COUNT;
}

static void
start_waiting(struct children *children)
{
	for (struct child *child = children->first; child && children->running < CHILDREN_AT_ONCE;
		child = child->next) {
		if (is_waiting(child)) {
			child->result.outcome = CHILD_TIMEOUT; /* it has its turn */
			child_run(child);
		}
	}
}

enum err
children_new(struct event_base *base, int64_t deadline_us, struct children **out)
{
	struct children *children = calloc(1, sizeof(*children));

	if (!children)
		return ERR_MEMORY;
	children->base = base;
	children->deadline_us = deadline_us;
	children->end = &children->first;
	*out = children;
	return ERR_OK;
}

void
children_free(struct children *children)
{
	if (!children)
		return;
	for (struct child *child = children->first; child; child = child->next)
		child_kill(child);
	while (children->first) {
		struct child *child = children->first;

		for (int ms = 0; child->pid > 0 && ms < REAP_MS && !reap(child); ms++)
			nanosleep(&(struct timespec){ 0, 1000 * 1000 }, NULL);
		child_free(child);
	}
	free(children);
}

enum err
child_start(struct children *children, char *const argv[], child_ended *ended, void *owner,
	struct child **out)
{
	struct child *child = calloc(1, sizeof(*child));

	if (!child || (child->argv = argv_copy(argv)) == NULL) {
		free(child);
		return ERR_MEMORY;
	}
	child->children = children;
	child->ended = ended;
	child->owner = owner;
	child->pidfd = -1;
	child->out = -1;
	child->result.outcome = CHILD_OUTCOME_COUNT;
	evtimer_assign(&child->timer, children->base, on_timer, child);
	evtimer_assign(&child->look, children->base, on_exit_event, child);
	child->link = children->end;
	*children->end = child;
	children->end = &child->next;
	*out = child;
	if (!child->argv[0])
		fail_to_start(child, ENOENT);
	else
		start_waiting(children);
	return ERR_OK;
}

void
child_cancel(struct child *child)
{
	struct children *children = child->children;

	child->ended = NULL;
	if (child->pid == 0) {
		child_free(child);
		start_waiting(children);
		return;
	}
	close_out(child);
	child_kill(child); /* reaped when it ends */
}
