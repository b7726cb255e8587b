/*
 * The header section on its way in, a piece at a time.  Runs in session.  Holds
 * one field at most and no body, and refuses nothing: of our own people's mail
 * what is no header section passes as a body, with the empty line before it
 * that it lacks.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_header.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "session_header_field.h"
#include "smtp_line.h"

/* RFC 5322 2.1.1: no line is longer, so no name is. */
#define NAME_MAX 998

/* Where the next byte stands. */
enum where {
	AT_LINE, /* at the beginning of a line */
	IN_NAME, /* in a line that is not yet known to be a field's */
	IN_FIELD,
	IN_BODY
};

struct header {
	struct header_wish wish;
	size_t max;
	enum where where;
	enum field_way way; /* of the field under way */
	bool open;          /* there is one, and the next line may go on */
	bool was_cr;        /* of smtp_line_rest() */
	bool first;         /* this is the first line */
	struct field_seen seen;
	struct buf held; /* the beginning of a line, or a field */
	size_t name;     /* bytes of the field's name */
};

struct header *
header_new(const struct header_wish *wish, size_t max)
{
	struct header *h = xcalloc(1, sizeof *h);

	h->wish = *wish;
	h->max = max;
	h->first = true;
	buf_init(&h->held, 0);
	return h;
}

void
header_free(struct header **h)
{
	if (*h == NULL)
		return;
	buf_free(&(*h)->held);
	free(*h);
	*h = NULL;
}

bool
header_done(const struct header *h)
{
	return h->where == IN_BODY;
}

struct header_forged
header_forged(const struct header *h)
{
	return h->seen.forged;
}

static struct slice
held_text(const struct header *h)
{
	return (struct slice){ (const char *)buf_data(&h->held), h->held.len };
}

/* What is held passes as it is. */
static bool
let_go(struct header *h, struct buf *out)
{
	bool ok = buf_add(out, buf_data(&h->held), h->held.len);

	buf_drain(&h->held, h->held.len);
	return ok;
}

/* ---- fields ---- */

/* No line of it comes any more. */
static bool
end_field(struct header *h, struct buf *out)
{
	bool ok = true;

	if (h->open && h->way == FIELD_HOLD)
		ok = field_rewrite(&h->wish, held_text(h), h->name, &h->seen,
		    out);
	buf_drain(&h->held, h->held.len);
	h->open = false;
	return ok;
}

/* Bytes of a field, all of one line. */
static bool
field_bytes(struct header *h, const uint8_t *p, size_t len, struct buf *out)
{
	bool ok = true;

	if (h->way == FIELD_HOLD && h->held.len + len > h->max)
		ok = field_too_long(&h->wish, held_text(h), h->name, &h->seen,
		    &h->way, out);
	if (h->way == FIELD_HOLD)
		return buf_add(&h->held, p, len);
	buf_drain(&h->held, h->held.len);
	if (h->way == FIELD_PASS)
		ok = ok && buf_add(out, p, len);
	return ok;
}

/* Its name and colon are held, with what came behind them. */
static bool
begin_field(struct header *h, struct buf *out)
{
	struct slice name = { (const char *)buf_data(&h->held), h->name };

	h->where = IN_FIELD;
	h->open = true;
	h->way = field_way(&h->wish, name, &h->seen);
	if (h->way == FIELD_PASS)
		return let_go(h, out);
	return field_bytes(h, NULL, 0, out);
}

/* ---- the end of the section ---- */

/* An mbox's line in front of a message, which some programs send. */
static bool
is_from_line(const struct header *h)
{
	struct slice s = held_text(h);

	if (!h->first)
		return false;
	while (s.len > 0 && s.p[0] == '>') {
		s.p++;
		s.len--;
	}
	return s.len >= 5 && memcmp(s.p, "From ", 5) == 0;
}

static bool
add_missing(struct header *h, struct buf *out)
{
	return h->wish.stranger ||
	    field_add_missing(&h->wish, h->seen.bits, out);
}

/* What is held is the empty line. */
static bool
end_section(struct header *h, struct buf *out)
{
	h->where = IN_BODY;
	return add_missing(h, out) && let_go(h, out);
}

/*
 * What is held is no field's.  A stranger's passes, and fields may follow: some
 * who read it later pass over such a line.  Of our own it begins the body, and
 * no empty line stood before it.
 */
static bool
no_field(struct header *h, struct buf *out)
{
	if (h->wish.stranger) {
		h->where = IN_FIELD;
		h->way = FIELD_PASS;
		h->open = false;
		return let_go(h, out);
	}
	if (is_from_line(h)) {
		h->where = IN_FIELD;
		h->way = FIELD_DROP;
		h->open = false;
		buf_drain(&h->held, h->held.len);
		return true;
	}
	h->where = IN_BODY;
	return add_missing(h, out) && buf_puts(out, "\r\n") && let_go(h, out);
}

/* ---- lines ---- */

static bool
is_name(char c)
{
	return c > ' ' && c < 127 && c != ':';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

enum line { LINE_UNKNOWN, LINE_FIELD, LINE_EMPTY, LINE_OTHER };

/* What the line is whose beginning is held; end: all of it is.  RFC 5322 2.2,
 * and 4.5.8, which lets blanks stand before the colon. */
static enum line
look(struct header *h, bool end)
{
	struct slice s = held_text(h);
	size_t i = 0;

	while (i < s.len && is_name(s.p[i]))
		i++;
	h->name = i;
	if (i == 0 && s.len == 2 && end)
		return LINE_EMPTY;
	if (i == 0)
		return s.len == 1 && h->was_cr ? LINE_UNKNOWN : LINE_OTHER;
	while (i < s.len && is_blank(s.p[i]))
		i++;
	if (i > NAME_MAX)
		return LINE_OTHER;
	if (i == s.len)
		return LINE_UNKNOWN;
	return s.p[i] == ':' ? LINE_FIELD : LINE_OTHER;
}

/* Bytes of a line that is not yet known. */
static bool
line_bytes(struct header *h, const uint8_t *p, size_t len, bool end,
    struct buf *out)
{
	buf_add(&h->held, p, len);
	switch (look(h, end)) {
	case LINE_FIELD:
		return begin_field(h, out);
	case LINE_EMPTY:
		return end_section(h, out);
	case LINE_OTHER:
		return no_field(h, out);
	case LINE_UNKNOWN:
		break;
	}
	return true;
}

/* c begins a line: does the field go on? */
static bool
begin_line(struct header *h, char c, struct buf *out)
{
	bool more = h->open && is_blank(c);

	h->where = more ? IN_FIELD : IN_NAME;
	return more || end_field(h, out);
}

bool
header_in(struct header *h, const void *bytes, size_t len, struct buf *out)
{
	const uint8_t *p = bytes;
	size_t i = 0, n;
	bool ok = true, end;

	while (ok && i < len && h->where != IN_BODY) {
		if (h->where == AT_LINE)
			ok = begin_line(h, (char)p[i], out);
		n = smtp_line_rest(p + i, len - i, &h->was_cr, &end);
		if (h->where == IN_FIELD)
			ok = ok && field_bytes(h, p + i, n, out);
		else
			ok = ok && line_bytes(h, p + i, n, end, out);
		i += n;
		if (end && h->where != IN_BODY) {
			h->where = AT_LINE;
			h->first = false;
		}
	}
	return ok && buf_add(out, p + i, len - i);
}

/* Content by BDAT may end in the middle of a line; a field needs its end when
 * others follow. */
static bool
end_line(struct header *h, struct buf *out)
{
	const char *newline = h->was_cr ? "\n" : "\r\n";

	return field_bytes(h, (const uint8_t *)newline, strlen(newline), out);
}

bool
header_end(struct header *h, struct buf *out)
{
	bool ok = true;

	if (h->where == IN_NAME)
		ok = no_field(h, out);
	if (h->where == IN_BODY)
		return ok;
	if (h->where == IN_FIELD && !h->wish.stranger)
		ok = ok && end_line(h, out);
	h->where = IN_BODY;
	return ok && end_field(h, out) && add_missing(h, out);
}
