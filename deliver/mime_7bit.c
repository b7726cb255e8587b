/*
 * Converts 8-bit content to 7-bit, line by line.  Used by deliver, over
 * content that others wrote.  Never touches what is signed or encrypted inside
 * of the message (RFC 1847 2.1): such content is refused instead.
 *
 * SPDX-License-Identifier: ISC
 */
#include "mime_7bit.h"

#include <string.h>

/* A line up to here is looked at as a whole: longer than any boundary, and
 * than a line of a field that counts. */
#define LINE_KEEP  1024
#define FIELD_KEEP ((size_t)16384)
#define PIECE      512

static void
put(struct mime_7bit *m, const void *p, size_t len)
{
	if (len > 0)
		m->out(m->arg, p, len);
}

static void
put_text(struct mime_7bit *m, const char *text)
{
	put(m, text, strlen(text));
}

static void
refuse(struct mime_7bit *m, const char *why)
{
	if (m->why == NULL)
		m->why = why;
}

static bool
is_8bit(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (p[i] > 0x7f)
			return true;
	}
	return false;
}

/* ---- what the header said ---- */

/* Behind the colon. */
static struct slice
value_of(const struct buf *field)
{
	const char *p = (const char *)buf_data(field);
	const char *colon = memchr(p, ':', field->len);

	if (colon == NULL)
		return (struct slice){ p, 0 };
	return (struct slice){ colon + 1,
		field->len - (size_t)(colon + 1 - p) };
}

enum encoding { ENC_NONE, ENC_7BIT, ENC_8BIT, ENC_QP, ENC_BASE64, ENC_OTHER };

/* Columns: word, what it is. */
static const struct {
	const char *word;
	enum encoding encoding;
} encodings[] = {
	{ "7bit", ENC_7BIT },
	{ "8bit", ENC_8BIT },
	{ "binary", ENC_8BIT },
	{ "quoted-printable", ENC_QP },
	{ "base64", ENC_BASE64 },
};

static enum encoding
encoding_of(const struct mime_7bit *m)
{
	char word[MIME_WORD_MAX + 1];
	size_t i;

	if (m->encoding.len == 0)
		return ENC_NONE;
	if (mime_encoding_parse(value_of(&m->encoding), word) != NULL)
		return ENC_OTHER;
	for (i = 0; i < sizeof encodings / sizeof encodings[0]; i++) {
		if (strcmp(word, encodings[i].word) == 0)
			return encodings[i].encoding;
	}
	return ENC_OTHER;
}

/* RFC 2045 5.2, RFC 2046 5.1.5: what it is where nothing is said. */
static void
type_of(const struct mime_7bit *m, struct mime_type *t)
{
	if (m->type.len > 0 && mime_type_parse(value_of(&m->type), t) == NULL)
		return;
	*t = (struct mime_type){ "text", "plain", "" };
	if (m->digest && m->type.len == 0)
		*t = (struct mime_type){ "message", "rfc822", "" };
}

enum built {
	BUILT_LEAF,
	BUILT_MULTI,
	BUILT_SEALED,  /* nothing in it may change */
	BUILT_MESSAGE, /* a message in it */
};

/* Columns: type, subtype (NULL: any other), how it is built.  RFC 2046 5.2.1,
 * RFC 6532 3.7; RFC 1847; RFC 2046 5.2: other messages are 7-bit, but those of
 * RFC 6533 may have any encoding. */
static const struct {
	const char *type, *subtype;
	enum built built;
} builds[] = {
	{ "multipart", "signed", BUILT_SEALED },
	{ "multipart", "encrypted", BUILT_SEALED },
	{ "multipart", NULL, BUILT_MULTI },
	{ "message", "rfc822", BUILT_MESSAGE },
	{ "message", "global", BUILT_MESSAGE },
	{ "message", "global-headers", BUILT_LEAF },
	{ "message", "global-delivery-status", BUILT_LEAF },
	{ "message", "global-disposition-notification", BUILT_LEAF },
	{ "message", NULL, BUILT_SEALED },
};

static enum built
built_of(const struct mime_type *t)
{
	size_t i;

	for (i = 0; i < sizeof builds / sizeof builds[0]; i++) {
		if (strcmp(t->type, builds[i].type) == 0 &&
		    (builds[i].subtype == NULL ||
			strcmp(t->subtype, builds[i].subtype) == 0))
			return builds[i].built;
	}
	return BUILT_LEAF;
}

/* ---- the end of a header ---- */

static void
begin_entity(struct mime_7bit *m, bool whole, bool digest)
{
	m->in_header = true;
	m->whole = whole;
	m->digest = digest;
	m->version = m->typed = false;
	m->field = FIELD_OTHER;
	buf_drain(&m->type, m->type.len);
	buf_drain(&m->encoding, m->encoding.len);
}

static void
put_encoding(struct mime_7bit *m, const char *name)
{
	put_text(m, "Content-Transfer-Encoding: ");
	put_text(m, name);
	put_text(m, "\r\n");
}

static void
put_old_encoding(struct mime_7bit *m)
{
	put(m, buf_data(&m->encoding), m->encoding.len);
}

/* A leaf: how its body goes out. */
static void
begin_leaf(struct mime_7bit *m, enum encoding e)
{
	/* A message of one part without a word on it is what was 8-bit. */
	bool encode = e == ENC_8BIT || (m->all && e <= ENC_7BIT) ||
	    (e <= ENC_7BIT && m->whole && m->nested == 0);

	if (!encode) {
		put_old_encoding(m);
		m->body = e == ENC_QP ? MIME_ESCAPED : MIME_KEEP;
		return;
	}
	/* RFC 2045 4, 5.1: where no part says that this is MIME. */
	if (m->whole && !m->version)
		put_text(m, "MIME-Version: 1.0\r\n");
	if (m->whole && !m->typed) {
		put_text(m, "Content-Type: text/plain; charset=");
		put_text(m, m->charset);
		put_text(m, "\r\n");
	}
	put_encoding(m, "quoted-printable");
	m->body = MIME_QP;
}

static void
begin_multi(struct mime_7bit *m, const struct mime_type *t)
{
	struct mime_multi *multi;

	if (t->boundary[0] == '\0' || m->depth == MIME_DEPTH) {
		refuse(m,
		    t->boundary[0] == '\0' ? "a multipart without a boundary" :
					     "parts in too many others");
		return;
	}
	multi = &m->multi[m->depth++];
	memcpy(multi->boundary, t->boundary, sizeof multi->boundary);
	multi->digest = strcmp(t->subtype, "digest") == 0;
	multi->parts = multi->lost = false;
	multi->nested = m->nested;
	m->body = MIME_BETWEEN;
}

/* The empty line is not given out yet. */
static void
end_header(struct mime_7bit *m)
{
	enum encoding e = encoding_of(m);
	enum built built;
	struct mime_type t;

	type_of(m, &t);
	built = built_of(&t);
	m->in_header = false;
	if (built == BUILT_LEAF) {
		begin_leaf(m, e);
		return;
	}
	/* RFC 2045 6.4: nothing but 7bit, 8bit and binary, of which the
	 * first will be true. */
	if (e == ENC_8BIT)
		put_encoding(m, "7bit");
	else
		put_old_encoding(m);
	m->body = MIME_KEEP;
	if (built == BUILT_MULTI && (e == ENC_QP || e == ENC_BASE64))
		refuse(m, "a multipart that is encoded as a whole");
	else if (built == BUILT_MULTI)
		begin_multi(m, &t);
}

/* The header of a message in this one follows its empty line. */
static void
begin_inner(struct mime_7bit *m)
{
	enum encoding e = encoding_of(m);
	struct mime_type t;

	type_of(m, &t);
	if (built_of(&t) != BUILT_MESSAGE || e == ENC_QP || e == ENC_BASE64)
		return;
	if (++m->nested > MIME_DEPTH) {
		refuse(m, "messages in too many others");
		return;
	}
	begin_entity(m, true, false);
}

/* ---- lines of a header ---- */

/* Columns: name, what it is to us. */
static const struct {
	const char *name;
	int field;
} names[] = {
	{ "content-type", FIELD_TYPE },
	{ "content-transfer-encoding", FIELD_ENCODING },
};

static struct slice
name_of(const uint8_t *p, size_t n)
{
	struct slice all = { (const char *)p, n };
	const char *colon = memchr(p, ':', n);

	if (colon == NULL)
		return (struct slice){ all.p, 0 };
	return slice_trim((struct slice){ all.p, (size_t)(colon - all.p) });
}

static void
begin_field(struct mime_7bit *m, const uint8_t *p, size_t n)
{
	struct slice name = name_of(p, n);
	size_t i;

	m->field = FIELD_OTHER;
	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (slice_eqcase(name, slice_of(names[i].name)))
			m->field = names[i].field;
	}
	if (slice_eqcase(name, SLICE("mime-version")))
		m->version = true;
	/* RFC 2045 says once: the first is what counts, here and there. */
	if (m->field == FIELD_TYPE && m->typed)
		m->field = FIELD_OTHER;
	m->typed = m->typed || m->field == FIELD_TYPE;
	if (m->field == FIELD_ENCODING && m->encoding.len > 0)
		refuse(m, "two fields that tell of its encoding");
}

/* Of a line of a header; first: its beginning, last: its end is there. */
static void
header_piece(struct mime_7bit *m, const uint8_t *p, size_t n, bool first,
    bool last)
{
	struct buf *keep;

	if (first && !(n > 0 && (*p == ' ' || *p == '\t')))
		begin_field(m, p, n);
	if (m->field != FIELD_ENCODING) {
		put(m, p, n);
		if (last)
			put_text(m, "\r\n");
	}
	if (m->field == FIELD_OTHER)
		return;
	keep = m->field == FIELD_TYPE ? &m->type : &m->encoding;
	if (!buf_add(keep, p, n) || (last && !buf_puts(keep, "\r\n")))
		refuse(m, "a field of MIME that is too long");
}

/* ---- lines of a body ---- */

static void
keep_piece(struct mime_7bit *m, const uint8_t *p, size_t n)
{
	if (is_8bit(p, n)) {
		m->mislabelled = !m->all;
		refuse(m, "8-bit bytes in a part that must not change");
	}
	put(m, p, n);
}

/* Nobody reads it, so its 8-bit bytes may go; unless no part follows. */
static void
between_piece(struct mime_7bit *m, const uint8_t *p, size_t n)
{
	uint8_t out[PIECE];
	size_t i, part;

	if (m->depth > 0 && is_8bit(p, n))
		m->multi[m->depth - 1].lost = true;
	for (; n > 0; p += part, n -= part) {
		part = n < sizeof out ? n : sizeof out;
		for (i = 0; i < part; i++)
			out[i] = p[i] > 0x7f ? '?' : p[i];
		put(m, out, part);
	}
}

static void
qp_piece(struct mime_7bit *m, const uint8_t *p, size_t n)
{
	uint8_t out[QP_ROOM(PIECE)];
	size_t part;

	for (; n > 0; p += part, n -= part) {
		part = n < PIECE ? n : PIECE;
		put(m, out, qp_put(&m->qp, p, part, out));
	}
}

/* What is quoted-printable already, but for bytes that forgot to be. */
static void
escape_piece(struct mime_7bit *m, const uint8_t *p, size_t n)
{
	static const char hex[] = "0123456789ABCDEF";
	uint8_t out[3] = { '=' };
	size_t i, from = 0;

	for (i = 0; i < n; i++) {
		if (p[i] <= 0x7f)
			continue;
		put(m, p + from, i - from);
		out[1] = (uint8_t)hex[p[i] >> 4];
		out[2] = (uint8_t)hex[p[i] & 15];
		put(m, out, sizeof out);
		from = i + 1;
	}
	put(m, p + from, n - from);
}

static void
body_piece(struct mime_7bit *m, const uint8_t *p, size_t n, bool last)
{
	static void (*const pieces[])(struct mime_7bit *, const uint8_t *,
	    size_t) = {
		[MIME_KEEP] = keep_piece,
		[MIME_QP] = qp_piece,
		[MIME_ESCAPED] = escape_piece,
		[MIME_BETWEEN] = between_piece,
	};
	uint8_t end[QP_ROOM(0)];

	pieces[m->body](m, p, n);
	if (!last)
		return;
	if (m->body == MIME_QP)
		put(m, end, qp_end(&m->qp, true, end));
	else
		put_text(m, "\r\n");
}

/* ---- lines ---- */

/* RFC 2046 5.1.1: "--" boundary, "--" if it is the last, and blanks. */
static bool
is_boundary(const char *boundary, const uint8_t *p, size_t n, bool *last)
{
	size_t len = strlen(boundary);

	if (n < len + 2 || memcmp(p, "--", 2) != 0 ||
	    memcmp(p + 2, boundary, len) != 0)
		return false;
	p += len + 2;
	n -= len + 2;
	*last = n >= 2 && memcmp(p, "--", 2) == 0;
	if (*last) {
		p += 2;
		n -= 2;
	}
	while (n > 0 && (*p == ' ' || *p == '\t')) {
		p++;
		n--;
	}
	return n == 0;
}

/* All multiparts deeper than that are over. */
static void
end_multis(struct mime_7bit *m, unsigned int depth)
{
	const struct mime_multi *multi;

	for (; m->depth > depth; m->depth--) {
		multi = &m->multi[m->depth - 1];
		if (multi->lost && !multi->parts)
			refuse(m, "a multipart in which no part is found");
	}
}

/* The end of a part, and of all that it stands in up to the one whose boundary
 * it is. */
static bool
boundary_line(struct mime_7bit *m, const uint8_t *p, size_t n)
{
	unsigned int i = m->depth;
	struct mime_multi *multi;
	bool last;

	while (i > 0 && !is_boundary(m->multi[i - 1].boundary, p, n, &last))
		i--;
	if (i == 0)
		return false;
	/* A header that ends without its empty line: there is no body. */
	if (m->in_header)
		end_header(m);
	multi = &m->multi[i - 1];
	put(m, p, n);
	put_text(m, "\r\n");
	m->qp = (struct qp){ 0 };
	m->nested = multi->nested;
	multi->parts = multi->parts || !last;
	end_multis(m, last ? i - 1 : i);
	m->body = MIME_BETWEEN;
	m->in_header = false;
	if (!last)
		begin_entity(m, false, multi->digest);
	return true;
}

/* A piece of a line, without its CRLF; first: its beginning; last: the CRLF
 * follows. */
static void
take(struct mime_7bit *m, const uint8_t *p, size_t n, bool first, bool last)
{
	if (first && last && m->depth > 0 && n > 2 && *p == '-' &&
	    boundary_line(m, p, n))
		return;
	if (!m->in_header) {
		body_piece(m, p, n, last);
		return;
	}
	if (first && last && n == 0) {
		end_header(m);
		put_text(m, "\r\n");
		begin_inner(m);
		return;
	}
	header_piece(m, p, n, first, last);
}

void
mime_7bit_start(struct mime_7bit *m, const char *charset, bool all,
    void (*out)(void *arg, const uint8_t *p, size_t len), void *arg)
{
	memset(m, 0, sizeof *m);
	m->out = out;
	m->arg = arg;
	m->charset = charset;
	m->all = all;
	buf_init(&m->line, LINE_KEEP + 2);
	buf_init(&m->type, FIELD_KEEP);
	buf_init(&m->encoding, FIELD_KEEP);
	begin_entity(m, true, false);
}

/* The line that is kept, as far as it is there. */
static void
take_kept(struct mime_7bit *m, size_t n, bool last)
{
	take(m, buf_data(&m->line), n, !m->inside, last);
	buf_drain(&m->line, n);
	m->inside = !last;
}

/* One step of the pieces: as many bytes of p as make a line, or fill what is
 * kept of one. */
static size_t
step(struct mime_7bit *m, const uint8_t *p, size_t len)
{
	size_t room = LINE_KEEP + 2 - m->line.len;
	const uint8_t *nl;
	size_t n;

	if (len > room)
		len = room;
	nl = memchr(p, '\n', len);
	n = nl == NULL ? len : (size_t)(nl - p) + 1;
	/* Never at its ceiling: n is at most the room. */
	(void)buf_add(&m->line, p, n);
	p = buf_data(&m->line);
	len = m->line.len;
	if (len >= 2 && p[len - 1] == '\n' && p[len - 2] == '\r') {
		take_kept(m, len - 2, true);
		buf_drain(&m->line, 2);
	} else if (len >= LINE_KEEP)
		/* A CR may be half of the line's end. */
		take_kept(m, len - 1, false);
	return n;
}

const char *
mime_7bit_feed(struct mime_7bit *m, const uint8_t *p, size_t len)
{
	size_t n;

	for (; len > 0 && m->why == NULL; p += n, len -= n)
		n = step(m, p, len);
	return m->why;
}

const char *
mime_7bit_end(struct mime_7bit *m)
{
	uint8_t end[QP_ROOM(0)];
	bool last;

	if (m->why != NULL)
		return m->why;
	if (m->line.len > 0) {
		/* A last boundary may have no line end. */
		last = !m->inside && !m->in_header && m->depth > 0 &&
		    boundary_line(m, buf_data(&m->line), m->line.len);
		/* A field has its end, whatever follows. */
		if (!last)
			take_kept(m, m->line.len, m->in_header);
	}
	if (m->in_header)
		end_header(m);
	else if (m->body == MIME_QP)
		put(m, end, qp_end(&m->qp, false, end));
	end_multis(m, 0);
	return m->why;
}

void
mime_7bit_free(struct mime_7bit *m)
{
	buf_free(&m->line);
	buf_free(&m->type);
	buf_free(&m->encoding);
}
