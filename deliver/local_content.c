/*
 * Content for mailboxes and programs: line ends, the few fields that matter at
 * final delivery.  Runs in local.  Never waits, never allocates, and trusts no
 * byte: all of it is a stranger's.
 *
 * SPDX-License-Identifier: ISC
 */
#include "local_content.h"

#include <string.h>

#include "slice.h"

enum field { FIELD_OTHER, FIELD_RETURN_PATH, FIELD_DELIVERED_TO, FIELD_SPAM };

/* Columns: name, what it is to us. */
static const struct {
	struct slice name;
	enum field field;
} fields[] = {
	{ { "return-path", 11 }, FIELD_RETURN_PATH },
	{ { "delivered-to", 12 }, FIELD_DELIVERED_TO },
	{ { "x-spam", 6 }, FIELD_SPAM },
	{ { "x-spam-flag", 11 }, FIELD_SPAM },
};

static const struct slice from_line = { "From ", 5 };

/* ---- out ---- */

static void
flush(struct content *c)
{
	if (c->out_len != 0 && !c->failed &&
	    !c->put(c->arg, c->out, c->out_len))
		c->failed = true;
	c->out_len = 0;
}

static void
out(struct content *c, const char *p, size_t len)
{
	if (len > sizeof c->out - c->out_len)
		flush(c);
	if (len > sizeof c->out) {
		if (!c->failed && !c->put(c->arg, p, len))
			c->failed = true;
		return;
	}
	memcpy(c->out + c->out_len, p, len);
	c->out_len += len;
}

/* ---- fields ---- */

static bool
is_read(const struct content *c)
{
	return c->field == FIELD_DELIVERED_TO || c->field == FIELD_SPAM;
}

/* More than there is room for is no address and no "yes". */
static void
keep_value(struct content *c, const char *p, size_t len)
{
	if (len > sizeof c->value - c->value_len) {
		c->value_long = true;
		return;
	}
	memcpy(c->value + c->value_len, p, len);
	c->value_len += len;
}

static bool
names_rcpt(const struct content *c, struct slice v)
{
	if (v.len >= 2 && v.p[0] == '<' && v.p[v.len - 1] == '>') {
		v.p++;
		v.len -= 2;
	}
	return slice_eqcase(slice_strip(v), slice_of(c->rcpt));
}

static bool
says_yes(struct slice v)
{
	struct slice word = { v.p, v.len < 3 ? v.len : 3 };

	return slice_eqcase(word, SLICE("yes")) &&
	    (v.len == 3 || slice_is_space(v.p[3]) || v.p[3] == ',' ||
		v.p[3] == ';');
}

/* The field that was open is whole, its continuation lines included. */
static void
field_end(struct content *c)
{
	struct slice v = slice_strip((struct slice){ c->value, c->value_len });

	if (is_read(c) && !c->value_long) {
		if (c->field == FIELD_SPAM)
			c->spam = c->spam || says_yes(v);
		else
			c->loop = c->loop || names_rcpt(c, v);
	}
	c->field = FIELD_OTHER;
	c->value_len = 0;
	c->value_long = false;
}

static enum field
field_of(const struct content *c, struct slice name)
{
	size_t i;

	/* RFC 5322 4.5: blanks before the colon. */
	name = slice_trim(name);
	for (i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (slice_eqcase(name, fields[i].name) &&
		    ((c->how & COPY_AS_IS) == 0 ||
			fields[i].field == FIELD_SPAM))
			return fields[i].field;
	return FIELD_OTHER;
}

/* ---- lines ---- */

/* Bytes of a line that is decided. */
static void
line_text(struct content *c, const char *p, size_t len)
{
	if (len == 0)
		return;
	c->any = true;
	if (is_read(c))
		keep_value(c, p, len);
	if (c->field != FIELD_RETURN_PATH)
		out(c, p, len);
}

/* The line is decided: what was held of it goes on as the rest will. */
static void
decide(struct content *c)
{
	size_t len = c->name_len;

	c->start = false;
	c->name_len = 0;
	if (!c->header && (c->how & COPY_FROM) != 0 && len >= from_line.len &&
	    memcmp(c->name, from_line.p, from_line.len) == 0)
		out(c, ">", 1);
	line_text(c, c->name, len);
}

/* A line that is no field and continues none: the header ended without an
 * empty line. */
static void
header_end(struct content *c)
{
	if (c->header)
		field_end(c);
	c->header = false;
}

/* Whether one more byte is wanted before this line of the header is decided,
 * of which the last held one is b. */
static bool
undecided_field(struct content *c, char b)
{
	struct slice name = { c->name, c->name_len };
	bool blank = b == ' ' || b == '\t';

	if (c->name_len == 1 && blank)
		return false; /* it continues the field before it */
	if (b == ':') {
		field_end(c);
		name.len--;
		c->field = (uint8_t)field_of(c, name);
		/* The value begins behind it. */
		if (c->field != FIELD_RETURN_PATH)
			out(c, c->name, c->name_len);
		c->name_len = 0;
		c->any = true;
		return false;
	}
	if (c->name_len > 1 && !blank &&
	    (c->name[c->name_len - 2] == ' ' ||
		c->name[c->name_len - 2] == '\t')) {
		header_end(c);
		return false;
	}
	if ((unsigned char)b < 33 && !blank) {
		header_end(c);
		return false;
	}
	if (c->name_len < sizeof c->name)
		return true;
	/* None of ours is so long, nor has so many blanks. */
	if (blank)
		header_end(c);
	else
		field_end(c);
	return false;
}

static bool
undecided_text(const struct content *c)
{
	size_t n = c->name_len;

	return (c->how & COPY_FROM) != 0 && n < from_line.len &&
	    memcmp(c->name, from_line.p, n) == 0;
}

/* Bytes of a line, without its end. */
static void
text(struct content *c, const char *p, size_t len)
{
	bool more;

	while (c->start && len != 0) {
		if (!c->header && (c->how & COPY_FROM) == 0) {
			decide(c);
			break;
		}
		c->name[c->name_len++] = *p;
		more = c->header ? undecided_field(c, *p) : undecided_text(c);
		p++;
		len--;
		/* A line that was taken for a field may be a From_ line. */
		if (!more && (c->header || !undecided_text(c)))
			decide(c);
	}
	line_text(c, p, len);
}

static void
newline(struct content *c)
{
	if (c->start) {
		if (c->header) /* empty, or no field */
			header_end(c);
		decide(c);
	}
	if (c->field != FIELD_RETURN_PATH)
		out(c, "\n", 1);
	if (!c->header)
		c->field = FIELD_OTHER;
	c->start = true;
	c->any = false;
}

/* ---- public ---- */

void
content_start(struct content *c, unsigned int how, const char *rcpt,
    content_put *put, void *arg)
{
	memset(c, 0, offsetof(struct content, out));
	c->out_len = 0;
	c->how = how;
	c->rcpt = rcpt;
	c->put = put;
	c->arg = arg;
	c->header = true;
	c->start = true;
}

bool
content_add(struct content *c, const char *words)
{
	out(c, words, strlen(words));
	return !c->failed;
}

bool
content_feed(struct content *c, const void *bytes, size_t len)
{
	const char *p = bytes, *lf;
	size_t n;

	c->in += len;
	while (len != 0 && !c->failed) {
		lf = memchr(p, '\n', len);
		n = lf == NULL ? len : (size_t)(lf - p);
		if (c->cr && (n != 0 || lf == NULL))
			text(c, "\r", 1);
		c->cr = n != 0 && p[n - 1] == '\r';
		text(c, p, n - (c->cr ? 1 : 0));
		if (lf != NULL) {
			newline(c);
			c->cr = false;
			n++;
		}
		p += n;
		len -= n;
	}
	return !c->failed;
}

bool
content_end(struct content *c)
{
	if (c->cr)
		text(c, "\r", 1);
	c->cr = false;
	if (c->any || c->name_len != 0)
		newline(c);
	header_end(c);
	flush(c);
	return !c->failed;
}
