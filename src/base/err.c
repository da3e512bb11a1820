/*
 * err.c: the words of enum err, and what the system's errno means among them. Layer: base.
 */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const err_names[] = {
	[ERR_OK] = "ok",
	[ERR_MORE] = "more",
	[ERR_AGAIN] = "again",
	[ERR_SYNTAX] = "syntax",
	[ERR_LIMIT] = "limit",
	[ERR_RANGE] = "range",
	[ERR_MEMORY] = "memory",
	[ERR_DESCRIPTORS] = "descriptors",
	[ERR_IO] = "io",
	[ERR_FULL] = "full",
	[ERR_NOT_FOUND] = "not_found",
	[ERR_EXISTS] = "exists",
	[ERR_INVALID] = "invalid",
	[ERR_CONFLICT] = "conflict",
	[ERR_DENIED] = "denied",
	[ERR_BUSY] = "busy",
	[ERR_TIMEOUT] = "timeout",
	[ERR_CLOSED] = "closed",
	[ERR_DAMAGED] = "damaged",
	[ERR_TOO_NEW] = "too_new",
	[ERR_UNSUPPORTED] = "unsupported",
	[ERR_TOO_OFTEN] = "too_often",
};
static_assert(COUNT_OF(err_names) == ERR_COUNT, "a word for each err");

const char *
err_name(enum err err)
{
	if ((size_t)err >= COUNT_OF(err_names) || !err_names[err])
		return "unknown";
	return err_names[err];
}

enum err
err_from_errno(int number)
{
	switch (number) {
	case 0:
		return ERR_OK;
	case EAGAIN:
	case EINPROGRESS:
	case EINTR:
		return ERR_AGAIN;
	case EFBIG:
	case EMSGSIZE:
	case E2BIG:
		return ERR_LIMIT;
	case ERANGE:
	case EOVERFLOW:
		return ERR_RANGE;
	case ENOMEM:
	case ENOBUFS:
		return ERR_MEMORY;
	case EMFILE:
	case ENFILE:
		return ERR_DESCRIPTORS;
	case ENOSPC:
	case EDQUOT:
		return ERR_FULL;
	case ENOENT:
	case ENOTDIR:
	case ESRCH:
		return ERR_NOT_FOUND;
	case EEXIST:
	case ENOTEMPTY:
		return ERR_EXISTS;
	case EINVAL:
	case EISDIR:
	case ELOOP:
	case ENAMETOOLONG:
	case ENXIO:
	case ENODEV:
		return ERR_INVALID;
	case EACCES:
	case EPERM:
	case EROFS:
		return ERR_DENIED;
	case EBUSY:
	case ETXTBSY:
	case EADDRINUSE:
		return ERR_BUSY;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	case EPIPE:
	case ECONNRESET:
	case ECONNABORTED:
	case ECONNREFUSED:
	case ENOTCONN:
		return ERR_CLOSED;
	case ENOSYS:
	case EOPNOTSUPP:
	case EAFNOSUPPORT:
	case EPROTONOSUPPORT:
		return ERR_UNSUPPORTED;
	default:
		return ERR_IO;
	}
}

void
fault_set(struct fault *why, const char *format, ...)
{
	va_list arguments;

	if (!why)
		return; /* the caller wants no words */
	va_start(arguments, format);
	if (vsnprintf(why->text, sizeof(why->text), format, arguments) < 0)
		why->text[0] = '\0';
	va_end(arguments);
}
