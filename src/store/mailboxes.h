/*
 * mailboxes.h: mailboxes.db: what was set over the socket. Layer: store, for store.c alone, whose
 * header says what each call gives.
 */
#ifndef STORE_MAILBOXES_H
#define STORE_MAILBOXES_H

#include "store/store.h"

struct mailboxes_file;

/* Touches nothing yet. dir is copied. NULL: no memory */
struct mailboxes_file *mailboxes_file_new(const char *dir);
/* NULL is fine. */
void mailboxes_file_free(struct mailboxes_file *file);
CHECKED enum err mailboxes_file_read(
	struct mailboxes_file *file, store_on_mailbox *on_mailbox, void *owner, struct fault *why);
CHECKED enum err mailboxes_file_write(struct mailboxes_file *file,
	const struct store_change *changes, size_t count, struct fault *why);

#endif
