/*
 * Line endings and dots, in and out: the one place that knows them.  Used by
 * session, deliver and sendmail(8).  Never allocates, never guesses: a bare
 * CR or LF is never the end of a message.
 *
 * SPDX-License-Identifier: ISC
 */
#include "smtp_line.h"

#include <string.h>

#include "facts.h"

/* RFC 5321 4.5.3.1.6: 1000 with the CRLF is what every relay must take. */
#define LINE_WIRE 998

/* How far a run of ordinary bytes is looked for at once: a bound, so that
 * content made of nothing but bare LFs costs no more than other content. */
#define RUN_MAX 512

/* ---- commands and replies ---- */

enum smtp_line
smtp_line_get(const uint8_t *in, size_t len, size_t max, struct slice *line,
    size_t *used)
{
	size_t seen = len < max ? len : max, n;
	const uint8_t *lf = seen == 0 ? NULL : memchr(in, '\n', seen);

	*line = (struct slice){ (const char *)in, 0 };
	*used = 0;
	if (lf == NULL) {
		if (len < max)
			return LINE_MORE;
		*used = max;
		return LINE_LONG;
	}
	n = (size_t)(lf - in);
	*used = n + 1;
	line->len = n;
	if (n == 0 || in[n - 1] != '\r')
		return LINE_BARE;
	line->len = n - 1;
	if (memchr(in, '\r', n - 1) != NULL)
		return LINE_BARE;
	return LINE_CRLF;
}

/* ---- content coming in ---- */

enum {
	AT_LINE,   /* CRLF was before this: a dot may be the end */
	AT_DOT,    /* CRLF and a dot */
	AT_DOT_CR, /* CRLF, a dot, CR */
	IN_LINE,   /* a dot means nothing here */
	AFTER_CR   /* in a line, and the last byte was CR */
};

void
smtp_data_init(struct smtp_data *d, enum smtp_form form, size_t max_line,
    size_t max_header)
{
	/* RFC 5321 4.1.1.4: the CRLF that ended DATA is the first of
	 * CRLF.CRLF when the content is empty. */
	*d = (struct smtp_data){ .max_line = max_line,
		.max_header = max_header,
		.form = (uint8_t)form,
		.state = form == FORM_DOTS ? AT_LINE : IN_LINE,
		.in_header = true };
}

/* RFC 5322 4.5.8 lets blanks stand before the colon. */
static bool
is_received(const char *start, size_t len)
{
	static const struct slice name = { "Received", 8 };

	if (len < name.len || !slice_eqcase((struct slice){ start, 8 }, name))
		return false;
	for (start += 8, len -= 8; len > 0; start++, len--) {
		if (*start == ':')
			return true;
		if (*start != ' ' && *start != '\t')
			return false;
	}
	return false;
}

static void
count_header(struct smtp_data *d, size_t n)
{
	d->header += n;
	if (d->header > d->max_header)
		d->seen |= DATA_BIG_HEADER;
}

/* n > 0 bytes of a line, none of them CR or LF. */
static void
put_run(struct smtp_data *d, const uint8_t *p, size_t n, uint8_t *out)
{
	size_t i, room = 0;
	uint8_t any = 0;

	memcpy(out, p, n);
	if (d->line == 0 && p[0] == '.')
		d->content |= CONTENT_DOT;
	for (i = 0; i < n; i++)
		any |= p[i];
	if ((any & 0x80) != 0)
		d->content |=
		    d->in_header ? CONTENT_8BIT | CONTENT_UTF8 : CONTENT_8BIT;
	if (memchr(p, '\0', n) != NULL)
		d->seen |= DATA_NUL;
	if (d->in_header) {
		if (d->line < sizeof d->start)
			room = sizeof d->start - d->line;
		if (room > 0)
			memcpy(d->start + d->line, p, n < room ? n : room);
		count_header(d, n);
	}
	d->line += n;
	d->size += n;
	if (d->line > LINE_WIRE)
		d->content |= CONTENT_LONG;
	if (d->line + 2 > d->max_line)
		d->seen |= DATA_LONG_LINE;
}

/* A line is over. */
static void
end_line(struct smtp_data *d)
{
	size_t have;

	if (d->in_header) {
		have = d->line < sizeof d->start ? d->line : sizeof d->start;
		if (is_received(d->start, have))
			d->hops++;
		count_header(d, 2);
		if (d->line == 0)
			d->in_header = false;
	}
	d->line = 0;
}

/* The end of a line, whatever it was before: CRLF from here on. */
static size_t
put_newline(struct smtp_data *d, uint8_t *out)
{
	out[0] = '\r';
	out[1] = '\n';
	d->size += 2;
	end_line(d);
	return 2;
}

/* Where lines begin that an ending dot may stand on. */
static uint8_t
line_start(const struct smtp_data *d)
{
	return d->form == FORM_DOTS ? AT_LINE : IN_LINE;
}

/* How many of the next bytes are neither CR nor LF. */
static size_t
run_length(const uint8_t *p, size_t len)
{
	const uint8_t *end;

	if (len > RUN_MAX)
		len = RUN_MAX;
	if ((end = memchr(p, '\r', len)) != NULL)
		len = (size_t)(end - p);
	if (len > 0 && (end = memchr(p, '\n', len)) != NULL)
		len = (size_t)(end - p);
	return len;
}

/*
 * One byte in one of the states that a line's end or start is made of.
 * Returns whether the byte is used up; else the new state looks at it again.
 */
static bool
step(struct smtp_data *d, uint8_t c, uint8_t *out, size_t *n)
{
	switch (d->state) {
	case AT_LINE:
		d->state = c == '.' ? AT_DOT : IN_LINE;
		return c == '.';
	case AT_DOT:
		/* RFC 5321 4.5.2: something follows, so the dot goes. */
		d->state = c == '\r' ? AT_DOT_CR : IN_LINE;
		return c == '\r';
	case AT_DOT_CR:
		if (c == '\n') {
			d->done = true;
			return true;
		}
		break;
	case AFTER_CR:
		if (c == '\n') {
			*n += put_newline(d, out + *n);
			d->state = line_start(d);
			return true;
		}
		break;
	}
	/* A bare CR.  What follows it is no place for an ending dot. */
	d->seen |= DATA_BARE_CR;
	*n += put_newline(d, out + *n);
	d->state = IN_LINE;
	return false;
}

/* A byte CR or LF of binary content, which stays as it is: lines are counted,
 * and what no line of text has is told of. */
static void
binary_break(struct smtp_data *d, uint8_t c, uint8_t *out)
{
	bool crlf = c == '\n' && d->state == AFTER_CR;

	*out = c;
	d->size++;
	if (crlf)
		end_line(d);
	else if (c == '\n' || d->state == AFTER_CR)
		d->content |= CONTENT_BINARY;
	d->state = c == '\r' ? AFTER_CR : IN_LINE;
}

static size_t
binary_in(struct smtp_data *d, const uint8_t *in, size_t len, uint8_t *out)
{
	size_t i, run;

	for (i = 0; i < len; i += run) {
		run = 1;
		if (in[i] == '\r' || in[i] == '\n') {
			binary_break(d, in[i], out + i);
			continue;
		}
		if (d->state == AFTER_CR)
			d->content |= CONTENT_BINARY;
		d->state = IN_LINE;
		run = run_length(in + i, len - i);
		put_run(d, in + i, run, out + i);
	}
	/* It is said as a fact; here they are no faults. */
	if ((d->seen & (DATA_NUL | DATA_LONG_LINE)) != 0 ||
	    (d->content & CONTENT_LONG) != 0)
		d->content |= CONTENT_BINARY;
	d->seen &= ~(uint32_t)(DATA_NUL | DATA_LONG_LINE);
	return len;
}

size_t
smtp_data_end(struct smtp_data *d, uint8_t *out)
{
	size_t n = 0;

	if (d->state == AFTER_CR && d->form == FORM_BINARY)
		d->content |= CONTENT_BINARY;
	else if (d->state == AFTER_CR) {
		d->seen |= DATA_BARE_CR;
		n = put_newline(d, out);
	}
	if (d->line > 0 || (d->state == AFTER_CR && d->form == FORM_BINARY))
		d->content |= CONTENT_NO_EOL;
	d->state = IN_LINE;
	d->done = true;
	return n;
}

size_t
smtp_data_in(struct smtp_data *d, const uint8_t *in, size_t len, uint8_t *out,
    size_t *out_len)
{
	size_t i = 0, n = 0, run;

	if (d->form == FORM_BINARY) {
		*out_len = binary_in(d, in, len, out);
		return len;
	}
	while (i < len && !d->done) {
		if (d->state != IN_LINE) {
			if (step(d, in[i], out, &n))
				i++;
			continue;
		}
		if (in[i] == '\r') {
			d->state = AFTER_CR;
			i++;
			continue;
		}
		if (in[i] == '\n') {
			/* RFC 5321 2.3.8: not a line's end, so the state
			 * stays: a dot after it is an ordinary one. */
			d->seen |= DATA_BARE_LF;
			n += put_newline(d, out + n);
			i++;
			continue;
		}
		run = run_length(in + i, len - i);
		put_run(d, in + i, run, out + n);
		n += run;
		i += run;
	}
	*out_len = n;
	return i;
}

size_t
smtp_line_rest(const uint8_t *p, size_t len, bool *was_cr, bool *end)
{
	const uint8_t *lf;
	size_t n = 0;

	while ((lf = memchr(p + n, '\n', len - n)) != NULL) {
		n = (size_t)(lf - p) + 1;
		*end = n > 1 ? lf[-1] == '\r' : *was_cr;
		if (*end || n == len) {
			*was_cr = false;
			return n;
		}
	}
	*end = false;
	*was_cr = p[len - 1] == '\r';
	return len;
}

void
smtp_data_adopt(struct smtp_data *d, const struct smtp_data *made)
{
	d->content = made->content;
	d->in_header = made->in_header;
}

/* ---- content going out ---- */

size_t
smtp_stuff_out(struct smtp_stuff *s, const uint8_t *in, size_t len,
    uint8_t *out)
{
	const uint8_t *lf;
	size_t i = 0, n = 0, run;

	while (i < len) {
		if (!s->mid_line && in[i] == '.')
			out[n++] = '.';
		lf = memchr(in + i, '\n', len - i);
		run = lf == NULL ? len - i : (size_t)(lf - (in + i)) + 1;
		memcpy(out + n, in + i, run);
		if (run > 1)
			s->was_cr = in[i + run - 2] == '\r';
		/* Only CRLF begins a line; the spool holds no other. */
		s->mid_line = lf == NULL || !s->was_cr;
		s->was_cr = in[i + run - 1] == '\r';
		i += run;
		n += run;
	}
	return n;
}

size_t
smtp_stuff_end(struct smtp_stuff *s, uint8_t *out)
{
	static const char end[] = "\r\n.\r\n";
	size_t skip = s->mid_line ? 0 : 2;

	memcpy(out, end + skip, 5 - skip);
	*s = (struct smtp_stuff){ 0 };
	return 5 - skip;
}
