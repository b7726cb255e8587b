/*
 * Memory that dies with its owner: a session, a transaction, a job, a
 * configuration being read.  An arena has a ceiling; at it, allocation
 * returns NULL and the owner says LATER.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_ARENA_H
#define COMMON_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used; /* bytes handed out, with their rounding */
	size_t max;  /* ceiling, 0 for none */
};

/* Nothing is allocated before the first use.  max: ceiling in bytes. */
void arena_init(struct arena *a, size_t max);

/* Frees everything; the arena can be used again. */
void arena_free(struct arena *a);

/* Zeroed, aligned for any type.  NULL at the ceiling. */
void *arena_alloc(struct arena *a, size_t size);

/* Copies, NUL-terminated.  NULL at the ceiling. */
char *arena_copy(struct arena *a, const char *s);
char *arena_copyn(struct arena *a, const char *s, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
