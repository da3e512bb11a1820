/*
 * folder.h: a folder as a server lists it. Made by dialogue, judged by diagnose. Layer: facts.
 */
#ifndef FACTS_FOLDER_H
#define FACTS_FOLDER_H

#include "base/bytes.h"

/* What is kept of a server's list. */
#define FOLDERS_MOST ((size_t)1000)

/* What a folder is for (RFC 6154 2), by the server's word or by its name. */
enum folder_use {
	FOLDER_USE_NONE,
	FOLDER_USE_INBOX,
	FOLDER_USE_SENT,
	FOLDER_USE_DRAFTS,
	FOLDER_USE_JUNK,
	FOLDER_USE_TRASH,
	FOLDER_USE_ARCHIVE,
	FOLDER_USE_COUNT
};

struct folder {
	char *name;	      /* UTF-8, as the settings would have it; else as it came */
	bool is_name_unsound; /* it does not code back to itself, so it is only to be shown (H2-32)
			       */
	bool is_container;    /* \Noselect, \NonExistent: it holds folders alone */
	char delimiter;	      /* between the levels; 0: there are none */
	enum folder_use use;  /* as the server says; never INBOX */
};

struct folders {
	struct folder *items;
	size_t count;
};

/* A copy of folder (its name as well) at the end. ERR_MEMORY, ERR_LIMIT */
CHECKED enum err folders_add(struct folders *folders, const struct folder *folder);
void folders_done(struct folders *folders);

#endif
