/*
 * The encoder of quoted-printable.  Used by deliver; keeps no content.
 *
 * SPDX-License-Identifier: ISC
 */
#include "mime_qp.h"

#include <string.h>

/* RFC 2045 6.7 (1), (2). */
static bool
is_literal(uint8_t c)
{
	return c > ' ' && c < 0x7f && c != '=';
}

static size_t
put_one(struct qp *q, uint8_t c, bool literal, uint8_t *out)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned int width = literal ? 1 : 3;
	bool broken = false;
	size_t n = 0;

	/* The last column is left for the soft line break. */
	if (q->col + width > QP_LINE - 1) {
		memcpy(out, "=\r\n", 3);
		n = 3;
		q->col = 0;
		broken = true;
	}
	/* Where a line begins that was none before, nothing may look like a
	 * boundary (RFC 2046 5.1.1). */
	if (literal && broken && c == '-') {
		literal = false;
		width = 3;
	}
	q->col += width;
	if (literal) {
		out[n++] = c;
		return n;
	}
	out[n++] = '=';
	out[n++] = (uint8_t)hex[c >> 4];
	out[n++] = (uint8_t)hex[c & 15];
	return n;
}

/* The blank that waited; last: of its line (RFC 2045 6.7 (3)). */
static size_t
put_blank(struct qp *q, bool last, uint8_t *out)
{
	uint8_t c = (uint8_t)q->blank;

	if (c == 0)
		return 0;
	q->blank = 0;
	return put_one(q, c, !last, out);
}

size_t
qp_put(struct qp *q, const uint8_t *p, size_t n, uint8_t *out)
{
	size_t i, used = 0;

	for (i = 0; i < n; i++) {
		used += put_blank(q, false, out + used);
		if (p[i] == ' ' || p[i] == '\t')
			q->blank = (char)p[i];
		else
			used += put_one(q, p[i], is_literal(p[i]), out + used);
	}
	return used;
}

size_t
qp_end(struct qp *q, bool crlf, uint8_t *out)
{
	size_t used = put_blank(q, true, out);

	if (crlf) {
		memcpy(out + used, "\r\n", 2);
		used += 2;
	}
	q->col = 0;
	return used;
}
