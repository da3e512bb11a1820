/*
 * fixture.h: settings files in a folder of their own, loaded, and what was told as one text. Layer:
 * tests.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "../unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/settings.h"

struct fixture {
	char folder[64];
	struct settings *settings;
	struct complaints complaints;
	struct buf told; /* a line each, "FOLDER/" left out */
	enum err err;
};

static inline void
fixture_write(struct fixture *f, const char *name, struct bytes text, int mode)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.at ? text.at : "", text.len), text.len);
	assert_int_equal(fchmod(fd, (mode_t)mode), 0);
	close(fd);
}

/* With main.conf, which tests write next or again. */
static inline void
fixture_begin(struct fixture *f)
{
	char path[128];

	*f = (struct fixture){ .folder = "/tmp/mboxwatch-config-XXXXXX" };
	assert_non_null(mkdtemp(f->folder));
	snprintf(path, sizeof(path), "%s/conf.d", f->folder);
	assert_int_equal(mkdir(path, 0700), 0);
}

static inline void
fixture_unload(struct fixture *f)
{
	settings_free(f->settings);
	complaints_done(&f->complaints);
	buf_done(&f->told);
	f->settings = NULL;
}

static inline void
fixture_load(struct fixture *f)
{
	char file[128], conf_d[128];
	struct settings_paths paths = { file, conf_d };
	struct buf line = { 0 };
	size_t skip = strlen(f->folder) + 1;

	fixture_unload(f);
	snprintf(file, sizeof(file), "%s/main.conf", f->folder);
	snprintf(conf_d, sizeof(conf_d), "%s/conf.d", f->folder);
	f->err = settings_load(&paths, &f->settings, &f->complaints);
	buf_put(&f->told, BYTES_NONE);
	for (size_t i = 0; i < f->complaints.count; i++) {
		const char *at, *found;

		complaint_put(&line, &f->complaints.items[i]);
		assert_int_equal(buf_err(&line), ERR_OK);
		for (at = line.at; (found = strstr(at, f->folder)) != NULL; at = found + skip)
			buf_put(&f->told, (struct bytes){ at, (size_t)(found - at) });
		buf_put_string(&f->told, at);
		buf_put_byte(&f->told, '\n');
		buf_clear(&line);
	}
	buf_done(&line);
	assert_int_equal(buf_err(&f->told), ERR_OK);
}

static inline void
fixture_load_text(struct fixture *f, const char *text)
{
	fixture_write(f, "main.conf", bytes_of(text), 0600);
	fixture_load(f);
}

static inline int
fixture_remove(const char *path, const struct stat *about, int kind, struct FTW *place)
{
	return remove(path);
}

static inline void
fixture_end(struct fixture *f)
{
	fixture_unload(f);
	nftw(f->folder, fixture_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* Exactly these lines were told. */
#define assert_told(f, expected)                                                                   \
	do {                                                                                       \
		const char *expected_told_ = (expected);                                           \
                                                                                                   \
		if (strcmp((f)->told.at, expected_told_) != 0)                                     \
			fail_msg("told:\n%s\nand not:\n%s", (f)->told.at, expected_told_);         \
	} while (0)

/* A line that begins and goes on so. */
static inline int
fixture_has(const struct fixture *f, const char *part)
{
	return strstr(f->told.at, part) != NULL;
}

#define assert_told_part(f, part)                                                                  \
	do {                                                                                       \
		if (!fixture_has(f, part))                                                         \
			fail_msg("not told: %s\nbut:\n%s", part, (f)->told.at);                    \
	} while (0)

#endif
