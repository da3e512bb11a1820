/*
 * control.c: the status socket as a whole: made, looked after, ended. Layer: control.
 */
#include "control/inside.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A group that is not there lets nobody in, and is no reason to stand still. */
static void
take_admin_group(struct control *control, const char *admin_group)
{
	if (peer_rule_of_group(admin_group, &control->rule) != ERR_OK)
		log_warning(
			"there is no group %s (daemon.admin_group): nobody may change things by it",
			admin_group);
}

static enum err
open_socket(struct control *control, const char *path, struct fault *why)
{
	struct http_start start = {
		.base = control->base,
		.request = routes_request,
		.owner = control,
	};
	enum err err = socket_listen(path, control->socket_group, &control->socket, &start.fd, why);

	if (err != ERR_OK)
		return err;
	err = http_new(&start, &control->http);
	if (err != ERR_OK) {
		close(start.fd);
		socket_remove(&control->socket);
		fault_set(why, "out of memory");
	}
	return err;
}

enum err
control_new(const struct control_start *start, struct control **out, struct fault *why)
{
	struct control *control = calloc(1, sizeof(*control));
	enum err err = ERR_MEMORY;

	if (!control)
		goto broken;
	LIST_INIT(&control->asked);
	LIST_INIT(&control->checks);
	control->base = start->base;
	control->watch = start->watch;
	control->settings = start->settings;
	control->started = start->started;
	control->calls = start->calls;
	control->owner = start->owner;
	if (start->socket_group) {
		control->socket_group = strdup(start->socket_group);
		if (!control->socket_group)
			goto broken;
	}
	if (events_new(start->base, &control->events) != ERR_OK)
		goto broken;
	take_admin_group(control, start->admin_group);
	err = open_socket(control, start->path, why);
	if (err == ERR_OK) {
		*out = control;
		return ERR_OK;
	}
	control_free(control);
	return err;
broken:
	control_free(control);
	fault_set(why, "out of memory");
	return ERR_MEMORY;
}

void
control_free(struct control *control)
{
	if (!control)
		return;
	if (control->http)
		socket_remove(&control->socket);
	http_free(control->http); /* ends what streams and waits */
	asked_free_all(control);
	events_free(control->events);
	free(control->socket_group);
	free(control);
}

void
control_goodbye(struct control *control)
{
	events_goodbye(control->events);
}

bool
control_has_followers(const struct control *control)
{
	return events_are_followed(control->events);
}

void
control_settings(struct control *control, const struct settings *settings)
{
	control->settings = settings;
	take_admin_group(control, settings->admin_group);
}

bool
control_look_after_socket(struct control *control)
{
	struct socket_file made;
	struct fault why;
	enum err err;
	int fd;

	if (socket_is_ours(&control->socket))
		return false;
	err = socket_listen(control->socket.path, control->socket_group, &made, &fd, &why);
	if (err != ERR_OK) {
		log_error("the status socket is gone and could not be made anew: %s", why.text);
		return false;
	}
	if (http_listen(control->http, fd) != ERR_OK) {
		close(fd);
		log_error("the status socket could not be made anew: out of memory");
		return false;
	}
	control->socket = made;
	return true;
}

void
control_told(struct control *control, struct told *told)
{
	events_add(control->events, told);
}
