/*
 * The canonical forms that DKIM hashes (RFC 6376 3.4).  Runs in session,
 * deliver and smtpctl, over content that others wrote; keeps none of the body.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dkim_canon.h"

#include <endian.h>

#include <assert.h>
#include <string.h>

/* Canonical bytes that wait to go out together. */
struct chunk {
	struct dkim_body *body;
	size_t n;
	uint8_t mem[2048];
};

/* A run of this many bytes goes out from where it is. */
enum { RUN_MIN = 256 };

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
chunk_add(struct chunk *k, const void *p, size_t len)
{
	if (len > sizeof(k->mem) - k->n || len >= RUN_MIN)
		chunk_flush(k);
	if (len >= RUN_MIN) {
		k->body->out(k->body->arg, p, len);
		return;
	}
	memcpy(k->mem + k->n, p, len);
	k->n += len;
}

/* Bytes that begin with neither white space (in relaxed form) nor part of a
 * line end: what waited for them goes first. */
static void
put_content(struct chunk *k, const void *p, size_t len)
{
	struct dkim_body *b = k->body;

	for (; b->crlfs > 0; b->crlfs--)
		chunk_add(k, "\r\n", 2);
	if (b->wsp)
		chunk_add(k, " ", 1);
	b->wsp = false;
	b->any = true;
	chunk_add(k, p, len);
}

/* ---- relaxed ---- */

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The high bit of each byte of x that is c, and no other bit. */
static uint64_t
bytes_equal(uint64_t x, uint8_t c)
{
	const uint64_t low = EACH(0x7f);

	x ^= EACH(c);
	return ~(((x & low) + low) | x | low);
}

/*
 * How many bytes from p on are canonical as they are, as far as whole words of
 * the machine tell: no CR, no tab, and no blank but single ones with something
 * behind.
 */
static size_t
plain_words(const uint8_t *p, size_t len)
{
	uint64_t x, blank, stop;
	size_t i = 0;

	while (len - i >= sizeof(x)) {
		memcpy(&x, p + i, sizeof(x));
		x = le64toh(x);
		blank = bytes_equal(x, ' ');
		stop = bytes_equal(x, '\r') | bytes_equal(x, '\t');
		/* The byte behind a blank is one further up. */
		stop |= blank & (blank | stop) >> 8;
		if (stop != 0)
			return i + (size_t)__builtin_ctzll(stop) / 8;
		/* A blank at the end of a word begins the next one. */
		i += sizeof(x) - (blank >> 63);
	}
	return i;
}

/* The same to its end, line ends included: up to white space that is not a
 * single blank inside a line, a CR that ends no line, or an empty line. */
static size_t
plain(const uint8_t *p, size_t len)
{
	size_t i = 0;

	for (;;) {
		i += plain_words(p + i, len - i);
		if (i == len)
			break;
		if (p[i] == '\r') {
			if (len - i < 3 || p[i + 1] != '\n' ||
			    p[i + 2] == '\r' || is_wsp(p[i + 2]))
				break;
			i += 2;
		} else if (is_wsp(p[i])) {
			if (p[i] != ' ' || i + 1 == len || p[i + 1] == '\r' ||
			    is_wsp(p[i + 1]))
				break;
			i++;
		} else
			i++;
	}
	return i;
}

static void
feed_relaxed(struct dkim_body *b, const uint8_t *p, size_t len)
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
			put_content(&k, "\r", 1);
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

/* ---- simple ---- */

/* Everything is canonical but line ends at the end. */
static void
feed_simple(struct dkim_body *b, const uint8_t *p, size_t len)
{
	struct chunk k = { .body = b };
	uint64_t crlfs = 0;
	bool cr = false;

	if (len == 0)
		return;
	if (b->cr) {
		b->cr = false;
		if (p[0] == '\n') {
			b->crlfs++;
			p++;
			len--;
		} else
			put_content(&k, "\r", 1);
	}
	if (len > 0 && p[len - 1] == '\r') {
		cr = true;
		len--;
	}
	for (; len >= 2 && memcmp(p + len - 2, "\r\n", 2) == 0; len -= 2)
		crlfs++;
	if (len > 0)
		put_content(&k, p, len);
	b->crlfs += crlfs;
	b->cr = cr;
	chunk_flush(&k);
}

/* ---- the body ---- */

void
dkim_body_init(struct dkim_body *b, enum dkim_canon_form form,
    void (*out)(void *arg, const uint8_t *p, size_t len), void *arg)
{
	memset(b, 0, sizeof(*b));
	b->form = form;
	b->out = out;
	b->arg = arg;
}

void
dkim_body_feed(struct dkim_body *b, const uint8_t *p, size_t len)
{
	if (b->form == CANON_SIMPLE)
		feed_simple(b, p, len);
	else
		feed_relaxed(b, p, len);
}

void
dkim_body_end(struct dkim_body *b)
{
	struct chunk k = { .body = b };

	if (b->cr)
		put_content(&k, "\r", 1);
	b->cr = false;
	if (b->any || b->form == CANON_SIMPLE)
		chunk_add(&k, "\r\n", 2);
	chunk_flush(&k);
}

/* ---- fields ---- */

static bool
field_simple(struct slice field, struct buf *out)
{
	if (field.len >= 2 && memcmp(field.p + field.len - 2, "\r\n", 2) == 0)
		field.len -= 2;
	return buf_add(out, field.p, field.len);
}

bool
dkim_canon_field(enum dkim_canon_form form, struct slice field, struct buf *out)
{
	const char *end = field.p + field.len;
	const char *colon, *p, *name_end;
	uint8_t *room;
	size_t n = 0, value;
	bool wsp = false;

	if (field.len == 0 || (colon = memchr(field.p, ':', field.len)) == NULL)
		return false;
	if (form == CANON_SIMPLE)
		return field_simple(field, out);
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
