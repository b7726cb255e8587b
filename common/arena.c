/*
 * Arenas: memory that dies with its owner.  Used by every process.
 *
 * SPDX-License-Identifier: ISC
 */
#include "arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define BLOCK_SIZE 2048 /* a session needs a few hundred bytes */
#define ALIGN      16

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	/* Maximal alignment; the memory handed out starts here. */
	_Alignas(ALIGN) unsigned char mem[];
};

void
arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){ .max = max };
}

void
arena_free(struct arena *a)
{
	struct arena_block *b, *next;

	for (b = a->blocks; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	a->blocks = NULL;
	a->used = 0;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b = a->blocks;
	size_t room;
	void *p;

	if (__builtin_add_overflow(size, (size_t)ALIGN - 1, &size))
		return NULL;
	size &= ~((size_t)ALIGN - 1);
	if (a->max != 0 && (size > a->max || a->used > a->max - size))
		return NULL;
	if (b == NULL || b->size - b->used < size) {
		room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
		b = xcalloc(1, sizeof *b + room);
		b->size = room;
		b->next = a->blocks;
		a->blocks = b;
	}
	p = b->mem + b->used;
	b->used += size;
	a->used += size;
	return p;
}

char *
arena_copyn(struct arena *a, const char *s, size_t len)
{
	char *p = arena_alloc(a, len + 1);

	if (p != NULL && len != 0)
		memcpy(p, s, len);
	return p;
}

char *
arena_copy(struct arena *a, const char *s)
{
	return arena_copyn(a, s, strlen(s));
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || (p = arena_alloc(a, (size_t)n + 1)) == NULL)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}
