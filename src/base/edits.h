/*
 * edits.h: how far two words are apart. Layer: base.
 */
#ifndef BASE_EDITS_H
#define BASE_EDITS_H

#include <stddef.h>
#include <stdint.h>

#define EDITS_MOST_LETTERS ((size_t)128)

/*
 * How many letters must be put in, left out, changed or swapped with their neighbour to make one of
 * the other (optimal string alignment). Letters are compared as they are: fold them first. Words of
 * more letters than EDITS_MOST_LETTERS are SIZE_MAX apart.
 */
size_t edits_between(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count);

#endif
