/* random.h: chance from the kernel. Layer: base. The pure rooms get it as an argument. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include "base/err.h"

/* Fills len bytes; never fails (the process ends where the kernel has no getrandom). */
void random_fill(void *at, size_t len);

#endif
