/*
 * file.h: reading small files and writing them whole. Layer: base.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"

/*
 * Puts the whole of a regular file into out; never waits on a FIFO or a device (opened
 * non-blocking, judged by fstat).
 *   most  bytes; a longer file is ERR_LIMIT (nothing is put)
 * ERR_NOT_FOUND, ERR_DENIED, ERR_INVALID (no regular file), ERR_IO, ERR_DESCRIPTORS, ERR_MEMORY
 */
CHECKED enum err file_read(const char *path, size_t most, struct buf *out);
/* Why file_read() did not, in words: "no such file". Of ERR_LIMIT the caller knows better words. */
const char *file_why_unreadable(enum err err);
/* Writes a new file beside it, syncs, renames over. mode e.g. 0600. */
CHECKED enum err file_write_whole(const char *path, struct bytes content, int mode);
/* Close-on-exec and non-blocking, both. */
CHECKED enum err fd_prepare(int fd);

#endif
