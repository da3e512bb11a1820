/*
 * fault.h: allocations that fail when a test says so (H6-19). Layer: tests.
 *
 * A program that includes this is linked with FAULT_LINK (tests/local.mk), by which every call of
 * malloc() and its kin in our own code, not in libraries, comes here. fault_json() and
 * fault_sqlite() bring in what those two libraries allocate.
 *
 *	for (fault_begin(&fault); fault_next(&fault);) {
 *		fault_on(); … the call that is tried … fault_off();
 *		… it ended well, or said that memory was short …
 *	}
 *
 * The first turn lets nothing fail, then the first allocation fails, then the second …, until a
 * turn has ended without that any was left to fail; then once more, with all behind the nth failing
 * too.
 */
#ifndef UNIT_FAULT_H
#define UNIT_FAULT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fault_loop {
	unsigned long at; /* the allocation that fails; 0: none */
	bool is_lasting;  /* and all behind it */
	unsigned long turns;
};

static struct {
	bool is_on;
	unsigned long at;
	bool is_lasting;
	unsigned long seen;
	unsigned long failed;
} fault_state;

static inline void
fault_on(void)
{
	fault_state.is_on = true;
}

static inline void
fault_off(void)
{
	fault_state.is_on = false;
}

/* Did any fail in this turn? */
static inline bool
fault_struck(void)
{
	return fault_state.failed > 0;
}

static inline void
fault_begin(struct fault_loop *loop)
{
	*loop = (struct fault_loop){ 0 };
}

static inline bool
fault_next(struct fault_loop *loop)
{
	bool is_first = loop->turns++ == 0;

	fault_off();
	if (!is_first && loop->at > 0 && !fault_struck()) {
		if (loop->is_lasting)
			return false;
		loop->is_lasting = true;
		loop->at = 0;
	}
	if (!is_first)
		loop->at++;
	fault_state.at = loop->at;
	fault_state.is_lasting = loop->is_lasting;
	fault_state.seen = fault_state.failed = 0;
	return true;
}

/* Whether this allocation is one to fail. */
static bool
fault_strikes(void)
{
	if (!fault_state.is_on || fault_state.at == 0)
		return false;
	fault_state.seen++;
	if (fault_state.seen != fault_state.at &&
		!(fault_state.is_lasting && fault_state.seen > fault_state.at))
		return false;
	fault_state.failed++;
	return true;
}

/* ---- ld --wrap */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__real_strndup(const char *text, size_t most);
char *__wrap_strndup(const char *text, size_t most);
int __wrap_vasprintf(char **out, const char *format, va_list arguments);
int __real_vasprintf(char **out, const char *format, va_list arguments);
int __wrap_asprintf(char **out, const char *format, ...);

void *
__wrap_malloc(size_t size)
{
	return fault_strikes() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return fault_strikes() ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *old, size_t size)
{
	return fault_strikes() ? NULL : __real_realloc(old, size);
}

void *
__wrap_reallocarray(void *old, size_t count, size_t size)
{
	return fault_strikes() ? NULL : __real_reallocarray(old, count, size);
}

char *
__wrap_strdup(const char *text)
{
	return fault_strikes() ? NULL : __real_strdup(text);
}

char *
__wrap_strndup(const char *text, size_t most)
{
	return fault_strikes() ? NULL : __real_strndup(text, most);
}

int
__wrap_vasprintf(char **out, const char *format, va_list arguments)
{
	/* *out is undefined then: whoever frees it shall be seen. */
	if (fault_strikes()) {
		memset(out, 0x5a, sizeof(*out));
		return -1;
	}
	return __real_vasprintf(out, format, arguments);
}

int
__wrap_asprintf(char **out, const char *format, ...)
{
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = __wrap_vasprintf(out, format, arguments);
	va_end(arguments);
	return len;
}

/* ---- libraries that take their allocator from us; each before their first use */

#ifdef JANSSON_VERSION
static inline void
fault_json(void)
{
	json_set_alloc_funcs(__wrap_malloc, free);
}
#endif

#ifdef SQLITE_VERSION
static sqlite3_mem_methods fault_sqlite_methods;

static void *
fault_sqlite_malloc(int size)
{
	return fault_strikes() ? NULL : fault_sqlite_methods.xMalloc(size);
}

static void *
fault_sqlite_realloc(void *old, int size)
{
	return fault_strikes() ? NULL : fault_sqlite_methods.xRealloc(old, size);
}

static inline int
fault_sqlite(void)
{
	sqlite3_mem_methods methods;
	int code = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &fault_sqlite_methods);

	if (code != SQLITE_OK)
		return code;
	methods = fault_sqlite_methods;
	methods.xMalloc = fault_sqlite_malloc;
	methods.xRealloc = fault_sqlite_realloc;
	return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
}
#endif

#endif
