/*
 * values.h: what the judges of one value share (values.c, values_net.c), and nobody else.
 * Layer: config.
 */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include "config/load.h"

/* What is judged: a value, its place and its row. */
struct judged {
	struct load *load;
	const struct setting_row *row;
	const config_setting_t *at;
	const char *path;
	struct slot *out;
};

#define FAULT(judged, format, ...)                                                                 \
	load_fault((judged)->load, (judged)->at, (judged)->path, "%s: " format, (judged)->path,    \
		##__VA_ARGS__)

/* "a text in quotes" */
const char *type_words(const config_setting_t *at);
bool is_sequence(const config_setting_t *at);
/* A text of valid UTF-8 without control characters, 1 to `most` bytes; borrowed from libconfig.
 * False: it was told, with `form` as what would be right. H4-06, H4-25 */
bool read_text(struct judged *j, const config_setting_t *at, size_t most, const char *form,
	struct bytes *out);

/* False: it was told what is wrong. */
bool check_host(struct judged *j);
bool check_source(struct judged *j);
bool check_proxy(struct judged *j);
bool check_helo(struct judged *j);
bool check_resolvers(struct judged *j);
bool check_prefixes(struct judged *j);
bool check_words(struct judged *j);

#endif
