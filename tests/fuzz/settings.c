/*
 * settings.c: settings files, from their bytes to all faults or a daemon's settings. Layer: tests.
 *
 * What stands before the first form feed is the main file, what follows it a file of rules.d. What
 * includes and paths in it name is read from this machine; the seeds name nothing there is.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/settings.h"

/* What libconfig 1.5 forgets where a text cannot be parsed (tests/lsan.supp). */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

static char folder[64], main_path[96], conf_path[96], rules_path[96];

static int
drop(const char *path, const struct stat *about, int kind, struct FTW *place)
{
	return remove(path);
}

static void
drop_folder(void)
{
	nftw(folder, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static void
make_folder(void)
{
	char rules[96];

	snprintf(folder, sizeof(folder), "%s/mboxwatch-fuzz-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	must(mkdtemp(folder));
	atexit(drop_folder);
	snprintf(main_path, sizeof(main_path), "%s/main.conf", folder);
	snprintf(conf_path, sizeof(conf_path), "%s/conf.d", folder);
	snprintf(rules, sizeof(rules), "%s/rules.d", folder);
	snprintf(rules_path, sizeof(rules_path), "%s/rules.d/fuzz.conf", folder);
	must(mkdir(conf_path, 0700) == 0 && mkdir(rules, 0700) == 0);
}

static void
write_file(const char *path, struct bytes text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	must(fd >= 0 && write(fd, text.at, text.len) == (ssize_t)text.len);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes rest = { (const char *)data, len };
	struct complaints complaints = { 0 };
	struct settings *settings = NULL;
	struct buf line = { 0 };
	enum err err;

	if (folder[0] == '\0')
		make_folder();
	write_file(main_path, fuzz_part(&rest, '\f'));
	write_file(rules_path, rest);
	err = settings_load(
		&(struct settings_paths){ main_path, conf_path }, &settings, &complaints);
	must((err == ERR_OK) == (settings != NULL));
	must((err == ERR_OK) == (complaints.faults == 0));
	for (size_t i = 0; i < complaints.count; i++) {
		complaint_put(&line, &complaints.items[i]);
		must(buf_err(&line) == ERR_OK && line.len > 0);
		must(bytes_index(buf_bytes(&line), '\n') == line.len);
		buf_clear(&line);
	}
	buf_done(&line);
	settings_free(settings);
	complaints_done(&complaints);
	return 0;
}
