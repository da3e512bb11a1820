/*
 * load.c: settings from their files, at start and for -t. Layer: daemon.
 */
#include "daemon/load.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "net/helo.h"

#define MOST_WARNINGS_LOGGED 20 /* H4-08 */

void
load_log_complaints(const struct complaints *complaints)
{
	size_t warnings = 0;

	for (size_t i = 0; i < complaints->count; i++) {
		struct buf line = { 0 };

		if (complaints->items[i].is_warning && ++warnings > MOST_WARNINGS_LOGGED)
			continue;
		complaint_put(&line, &complaints->items[i]);
		if (line.at && complaints->items[i].is_warning)
			log_warning("%s", line.at);
		else if (line.at)
			log_error("%s", line.at);
		buf_done(&line);
	}
	if (warnings > MOST_WARNINGS_LOGGED)
		log_warning("%zu more warnings: mboxwatchd -t shows all",
			warnings - MOST_WARNINGS_LOGGED);
}

enum exit_status
load_check(const struct settings_paths *paths)
{
	struct complaints complaints = { 0 };
	struct settings *settings = NULL;
	struct buf out = { 0 };
	enum err err = settings_load(paths, &settings, &complaints);
	enum exit_status status = err == ERR_OK ? EXIT_ENDED : EXIT_FAILED;

	for (size_t i = 0; i < complaints.count; i++) {
		complaint_put(&out, &complaints.items[i]);
		buf_put_byte(&out, '\n');
	}
	if (err == ERR_OK)
		settings_put_plan(&out, settings);
	else if (err == ERR_MEMORY)
		buf_put_string(&out, "out of memory\n");
	else
		buf_put_format(&out,
			"%zu fault%s; the daemon would not start with these settings\n",
			complaints.faults, complaints.faults == 1 ? "" : "s");
	if (buf_err(&out) != ERR_OK || fwrite(out.at, 1, out.len, stdout) != out.len ||
		fflush(stdout) != 0)
		status = EXIT_FAILED;
	buf_done(&out);
	complaints_done(&complaints);
	settings_free(settings);
	return status;
}

enum err
load_helo_name(const struct settings *settings, char **out)
{
	*out = settings->helo_name ? NULL : helo_name_of_host();
	return settings->helo_name || *out ? ERR_OK : ERR_MEMORY;
}

enum exit_status
load_settings(struct daemon *daemon)
{
	struct complaints complaints = { 0 };
	enum err err = settings_load(&daemon->paths, &daemon->settings, &complaints);

	load_log_complaints(&complaints);
	complaints_done(&complaints);
	malloc_trim(0); /* what libconfig used for 100,000 mailboxes goes back */
	if (err == ERR_OK)
		err = load_helo_name(daemon->settings, &daemon->helo_name);
	if (err == ERR_MEMORY) {
		log_error("out of memory while the settings were loaded");
		return EXIT_FAILED;
	}
	if (err != ERR_OK)
		return EXIT_SETTINGS;
	log_set_level(daemon->settings->log_level);
	daemon->reloaded = wall_now();
	daemon->is_reload_good = true;
	return EXIT_ENDED;
}

struct probes_settings
load_probes_settings(const struct daemon *daemon)
{
	const struct settings *settings = daemon->settings;

	return (struct probes_settings){
		.helo_name = settings->helo_name ? settings->helo_name : daemon->helo_name,
		.resolvers = settings->resolvers,
		.fingerprint_key = daemon->fingerprint_key,
	};
}
