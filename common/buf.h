/*
 * Bytes on their way out, or collected on their way in: a growing buffer with
 * a ceiling.  Bytes are added at the end and taken from the front; an empty
 * buffer holds no memory after buf_trim().
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *mem;
	size_t off; /* first byte in use */
	size_t len; /* bytes in use */
	size_t cap;
	size_t max; /* ceiling for len, 0 for none */
	bool wipe;  /* secrets go through it: nothing of them is left behind */
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);

static inline const uint8_t *
buf_data(const struct buf *b)
{
	return b->mem == NULL ? (const uint8_t *)"" : b->mem + b->off;
}

/* False, and nothing added, at the ceiling. */
bool buf_add(struct buf *b, const void *p, size_t len);
bool buf_puts(struct buf *b, const char *s);
bool buf_printf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for len more bytes at the end: fill it, then buf_filled(n).  NULL at
 * the ceiling. */
uint8_t *buf_room(struct buf *b, size_t len);
void buf_filled(struct buf *b, size_t len);

/* Drops len bytes from the front. */
void buf_drain(struct buf *b, size_t len);

/* Gives the memory of an empty buffer back. */
void buf_trim(struct buf *b);

#endif
