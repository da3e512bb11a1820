/*
 * folder_guess.h: a folder is missing: which of those that the server lists is likely meant? Layer:
 * diagnose, pure.
 */
#ifndef DIAGNOSE_FOLDER_GUESS_H
#define DIAGNOSE_FOLDER_GUESS_H

#include "facts/folder.h"

/*
 * The likeliest, in this order: the same but for capitals; the same below another prefix or with
 * another delimiter ("Sent", "INBOX.Sent"); one for the same use, by the server's word or by its
 * name in one of the languages known ("Sent", "Gesendet"); a near spelling. Never a container, nor
 * a name that cannot be said again. NULL: none is likely, or `wanted` itself is listed.
 */
const struct folder *folder_guess(struct bytes wanted, const struct folders *folders);
/* What `wanted` is listed as, by the very name; NULL: it is not. */
const struct folder *folder_find(struct bytes wanted, const struct folders *folders);

#endif
