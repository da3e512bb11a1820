/*
 * folder.c: a server's list of folders, kept. Layer: facts.
 */
#include "facts/folder.h"

#include <stdlib.h>

enum err
folders_add(struct folders *folders, const struct folder *folder)
{
	struct folder *items = folders->items;
	char *name;

	if (folders->count == FOLDERS_MOST)
		return ERR_LIMIT;
	/* Room grows by doubling, at each power of two. */
	if ((folders->count & (folders->count - 1)) == 0)
		items = reallocarray(
			items, folders->count ? 2 * folders->count : 1, sizeof(*items));
	if (!items)
		return ERR_MEMORY;
	folders->items = items;
	name = strdup(folder->name);
	if (!name)
		return ERR_MEMORY;
	items[folders->count] = *folder;
	items[folders->count++].name = name;
	return ERR_OK;
}

void
folders_done(struct folders *folders)
{
	for (size_t i = 0; i < folders->count; i++)
		free(folders->items[i].name);
	free(folders->items);
	*folders = (struct folders){ 0 };
}
