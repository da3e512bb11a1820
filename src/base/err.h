/*
 * err.h: why a call of ours failed. Layer: base.
 * Not here: what is wrong with a mailbox; that is a cause (facts/cause.h) and belongs in a verdict.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

/* The result of such a function must be looked at. */
#define CHECKED __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
/* The struct that holds `member`, of which pointer is the address. */
#define CONTAINER_OF(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

enum err {
	ERR_OK,
	ERR_MORE,	 /* nothing wrong: more bytes are needed */
	ERR_AGAIN,	 /* would block; try when the descriptor is ready */
	ERR_SYNTAX,	 /* what was read is not of the form it should have */
	ERR_LIMIT,	 /* a named bound was passed */
	ERR_RANGE,	 /* a number or time out of its range */
	ERR_MEMORY,	 /* the allocator said no */
	ERR_DESCRIPTORS, /* EMFILE, ENFILE: out of descriptors */
	ERR_IO,		 /* read, write, sync failed */
	ERR_FULL,	 /* no room on the disk */
	ERR_NOT_FOUND,
	ERR_EXISTS,
	ERR_INVALID,  /* a caller's or user's value that cannot be used */
	ERR_CONFLICT, /* the thing is in a state that does not allow this */
	ERR_DENIED,   /* permission */
	ERR_BUSY,     /* somebody else holds it */
	ERR_TIMEOUT,  /* a deadline passed */
	ERR_CLOSED,   /* the other side is gone */
	ERR_DAMAGED,  /* a file of ours is not what we wrote */
	ERR_TOO_NEW,  /* a file written by a later version */
	ERR_UNSUPPORTED,
	ERR_TOO_OFTEN, /* refused for now: a rate is used up */
	ERR_COUNT
};

/* A word for logs; never NULL. */
const char *err_name(enum err err);

/* ERR_… for an errno of the system. */
enum err err_from_errno(int number);

/* Why, in words for people: filled by a wrapper that met a library's own error, last argument. */
struct fault {
	char text[256];
};

void fault_set(struct fault *why, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
