/*
 * A configuration put together by hand, for unit tests that need one without
 * the parser: texts and rows in one piece of memory, as conf.h describes.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef CONF_IMAGE_H
#define CONF_IMAGE_H

#include <stdlib.h>
#include <string.h>

#include "conf.h"

enum { IMAGE_SIZE = 1 << 17, IMAGE_POOL = 1 << 16 };

/* At its end: bytes of rows. */
static inline uint32_t *
image_used(struct conf *c)
{
	return (uint32_t *)(void *)((char *)c + IMAGE_SIZE - sizeof(uint32_t));
}

/* Rows are added behind the struct, texts in the upper half.  Never freed. */
static inline struct conf *
image_new(void)
{
	struct conf *c = calloc(1, IMAGE_SIZE);

	if (c == NULL)
		abort();
	c->magic = CONF_MAGIC;
	c->size = IMAGE_SIZE;
	c->pool.off = IMAGE_POOL;
	c->pool.n = 1; /* the empty text */
	c->limit_except = c->grey_except = CONF_NONE;
	c->dmarc_except_from = c->dmarc_except_src = c->arc_trust = CONF_NONE;
	*image_used(c) = (sizeof(*c) + 15) / 16 * 16;
	return c;
}

static inline conf_str
image_text(struct conf *c, const char *s)
{
	conf_str at = c->pool.n;
	size_t len = strlen(s) + 1;

	if (len == 1)
		return 0;
	if (at + len > IMAGE_SIZE - IMAGE_POOL - sizeof(uint32_t))
		abort();
	memcpy((char *)c + IMAGE_POOL + at, s, len);
	c->pool.n += (uint32_t)len;
	return at;
}

/* All rows of a span at once. */
static inline void
image_rows(struct conf *c, struct conf_span *span, const void *rows, uint32_t n,
    size_t size)
{
	uint32_t *used = image_used(c);

	if (*used + n * size > IMAGE_POOL)
		abort();
	memcpy((char *)c + *used, rows, n * size);
	span->off = *used;
	span->n = n;
	*used = (uint32_t)((*used + n * size + 15) / 16 * 16);
}

#endif
