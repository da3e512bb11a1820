/*
 * complaint.h: noting faults and warnings with their place. Layer: config.
 */
#ifndef CONFIG_COMPLAINT_H
#define CONFIG_COMPLAINT_H

#include "config/settings.h"

/* So many are kept; 10,000 faults and 50,000 warnings are all told (H4-08), a file made of faults
 * fills no memory. */
#define COMPLAINTS_MOST ((size_t)250000)

struct place {
	const char *file;
	int line;
};

/* setting: "mailboxes.support.imap.port", or NULL. Text from the files goes in as it is:
 * complaint_put() escapes. */
void complaint_note(struct complaints *complaints, bool is_warning, struct place place,
	const char *setting, const char *format, ...) PRINTF_LIKE(5, 6);
void complaint_note_list(struct complaints *complaints, bool is_warning, struct place place,
	const char *setting, const char *format, va_list arguments)
	__attribute__((format(printf, 5, 0)));

/* Of one load, in the order in which files are read. */
void complaints_sort(struct complaints *complaints, const char *first_file);

#endif
