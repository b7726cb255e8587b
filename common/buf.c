/*
 * Growing buffers with a ceiling.  Used by every process.
 *
 * SPDX-License-Identifier: ISC
 */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define BUF_MIN 512

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void
buf_free(struct buf *b)
{
	/* What was drained or moved is wiped already. */
	if (b->wipe && b->mem != NULL)
		explicit_bzero(b->mem + b->off, b->len);
	free(b->mem);
	*b = (struct buf){ .max = b->max, .wipe = b->wipe };
}

/* What is in use to the front. */
static void
move_down(struct buf *b)
{
	memmove(b->mem, b->mem + b->off, b->len);
	if (b->wipe)
		explicit_bzero(b->mem + b->len, b->off);
	b->off = 0;
}

/* realloc() would leave the old bytes where they were. */
static void
grow(struct buf *b, size_t cap)
{
	uint8_t *old = b->mem;

	if (!b->wipe || old == NULL) {
		b->mem = xrealloc(old, cap, 1);
	} else {
		b->mem = xcalloc(1, cap);
		memcpy(b->mem, old, b->len);
		explicit_bzero(old, b->len);
		free(old);
	}
	b->cap = cap;
}

uint8_t *
buf_room(struct buf *b, size_t len)
{
	size_t need, cap;

	if (__builtin_add_overflow(b->len, len, &need))
		return NULL;
	if (b->max != 0 && need > b->max)
		return NULL;
	if (b->off + b->len + len > b->cap && b->off > 0)
		move_down(b);
	if (need > b->cap) {
		cap = b->cap == 0 ? BUF_MIN : b->cap;
		while (cap < need)
			cap += cap / 2;
		if (b->max != 0 && cap > b->max)
			cap = b->max;
		grow(b, cap);
	}
	if (b->mem == NULL) {
		b->mem = xcalloc(1, BUF_MIN);
		b->cap = BUF_MIN;
	}
	return b->mem + b->off + b->len;
}

void
buf_filled(struct buf *b, size_t len)
{
	b->len += len;
}

bool
buf_add(struct buf *b, const void *p, size_t len)
{
	uint8_t *room;

	if ((room = buf_room(b, len)) == NULL)
		return false;
	if (len != 0)
		memcpy(room, p, len);
	b->len += len;
	return true;
}

bool
buf_puts(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

bool
buf_printf(struct buf *b, const char *fmt, ...)
{
	char small[512], *large;
	va_list ap;
	bool ok;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof small, fmt, ap);
	va_end(ap);
	if (n < 0)
		return false;
	if ((size_t)n < sizeof small)
		return buf_add(b, small, (size_t)n);
	large = xcalloc(1, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(large, (size_t)n + 1, fmt, ap);
	va_end(ap);
	ok = buf_add(b, large, (size_t)n);
	free(large);
	return ok;
}

void
buf_drain(struct buf *b, size_t len)
{
	if (b->wipe && b->mem != NULL)
		explicit_bzero(b->mem + b->off, len < b->len ? len : b->len);
	if (len >= b->len) {
		b->off = 0;
		b->len = 0;
		return;
	}
	b->off += len;
	b->len -= len;
}

void
buf_trim(struct buf *b)
{
	if (b->len == 0)
		buf_free(b);
}
