/*
 * The canonical forms that DKIM hashes, relaxed for both parts (RFC 6376
 * 3.4.2, 3.4.4).  Runs in deliver, over content that others wrote; keeps none
 * of the body.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dkim_canon.h"

#include <assert.h>
#include <string.h>

/* Canonical bytes that wait to go out together. */
struct chunk {
	struct dkim_body *body;
	size_t n;
	uint8_t mem[2048];
};

static bool
is_wsp(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static void
chunk_flush(struct chunk *k)
{
	if (k->n != 0)
		k->body->out(k->body->arg, k->mem, k->n);
	k->n = 0;
}

static void
chunk_put(struct chunk *k, uint8_t c)
{
	if (k->n == sizeof(k->mem))
		chunk_flush(k);
	k->mem[k->n++] = c;
}

static void
chunk_add(struct chunk *k, const uint8_t *p, size_t len)
{
	size_t n;

	for (; len > 0; len -= n, p += n) {
		if (k->n == sizeof(k->mem))
			chunk_flush(k);
		n = sizeof(k->mem) - k->n < len ? sizeof(k->mem) - k->n : len;
		memcpy(k->mem + k->n, p, n);
		k->n += n;
	}
}

/* How many bytes from p on are canonical as they are: up to a line end, or
 * white space that is more than one blank inside a line. */
static size_t
plain(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (p[i] > ' ' || (p[i] != '\r' && !is_wsp(p[i])))
			continue;
		if (p[i] != ' ' || i + 1 == len || p[i + 1] == '\r' ||
		    is_wsp(p[i + 1]))
			break;
	}
	return i;
}

/* Bytes that begin with neither white space nor part of a line end: what
 * waited for them goes first. */
static void
put_content(struct chunk *k, const uint8_t *p, size_t len)
{
	struct dkim_body *b = k->body;

	for (; b->crlfs > 0; b->crlfs--) {
		chunk_put(k, '\r');
		chunk_put(k, '\n');
	}
	if (b->wsp)
		chunk_put(k, ' ');
	b->wsp = false;
	b->any = true;
	chunk_add(k, p, len);
}

void
dkim_body_init(struct dkim_body *b,
    void (*out)(void *arg, const uint8_t *p, size_t len), void *arg)
{
	memset(b, 0, sizeof(*b));
	b->out = out;
	b->arg = arg;
}

void
dkim_body_feed(struct dkim_body *b, const uint8_t *p, size_t len)
{
	struct chunk k = { .body = b };
	size_t i, n;

	for (i = 0; i < len; i += n) {
		n = 1;
		if (b->cr && p[i] == '\n') {
			b->cr = b->wsp = false;
			b->crlfs++;
			continue;
		}
		if (b->cr) { /* a bare CR is content like any other */
			b->cr = false;
			put_content(&k, (const uint8_t *)"\r", 1);
		}
		if (p[i] == '\r')
			b->cr = true;
		else if (is_wsp(p[i]))
			b->wsp = true;
		else {
			n = plain(p + i, len - i);
			put_content(&k, p + i, n);
		}
	}
	chunk_flush(&k);
}

void
dkim_body_end(struct dkim_body *b)
{
	struct chunk k = { .body = b };

	if (b->cr)
		put_content(&k, (const uint8_t *)"\r", 1);
	b->cr = false;
	if (b->any) {
		chunk_put(&k, '\r');
		chunk_put(&k, '\n');
	}
	chunk_flush(&k);
}

bool
dkim_canon_field(struct slice field, struct buf *out)
{
	const char *colon = memchr(field.p, ':', field.len);
	const char *end = field.p + field.len;
	const char *p, *name_end;
	uint8_t *room;
	size_t n = 0, value;
	bool wsp = false;

	if (field.len == 0 || colon == NULL)
		return false;
	room = buf_room(out, field.len);
	if (room == NULL)
		return false;
	for (name_end = colon; name_end > field.p; name_end--)
		if (!is_wsp((uint8_t)name_end[-1]))
			break;
	for (p = field.p; p < name_end; p++)
		room[n++] = *p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p;
	room[n++] = ':';
	value = n;

	/* White space is given out when something follows it: so there is
	 * none after the colon and none at the end. */
	for (p = colon + 1; p < end; p++) {
		if (p + 1 < end && p[0] == '\r' && p[1] == '\n') {
			p++;
			continue;
		}
		if (is_wsp((uint8_t)*p)) {
			wsp = true;
			continue;
		}
		if (wsp && n != value)
			room[n++] = ' ';
		wsp = false;
		room[n++] = (uint8_t)*p;
	}
	assert(n <= field.len);
	buf_filled(out, n);
	return true;
}
