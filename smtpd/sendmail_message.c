/*
 * Messages from programs: reading them.  Runs in sendmail, as whoever calls
 * it.  Never holds a large body in memory.
 *
 * SPDX-License-Identifier: ISC
 */
#include "sendmail_message.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sysexits.h>

#define HEADER_MAX (4 * 1024 * 1024) /* memory for it */
#define BEGIN_MAX  (256 * 1024)      /* of a body in memory */
#define LINE_PIECE (16 * 1024)       /* of a line at once */

/* ---- lines ---- */

enum got {
	GOT_LINE, /* a line, or the last part of one */
	GOT_PART, /* LINE_PIECE bytes at most of a line that goes on */
	GOT_END   /* nothing more */
};

struct lines {
	FILE *in;
	bool after_cr; /* an LF now is the rest of a CRLF */
	bool inside;   /* of a line: the last was a part */
	bool eight;
	uint64_t nuls; /* bytes that were dropped */
};

/* Whoever shares our standard input may have made it return at once. */
static int
next_byte(FILE *in)
{
	struct pollfd fd = { .fd = fileno(in), .events = POLLIN };
	int c;

	while ((c = getc_unlocked(in)) == EOF && ferror(in) &&
	    errno == EAGAIN) {
		clearerr(in);
		(void)poll(&fd, 1, -1);
	}
	return c;
}

static enum got
next_line(struct lines *l, struct buf *line)
{
	bool any = l->inside;
	unsigned char byte;
	size_t n = 0;
	int c;

	l->inside = false;
	buf_drain(line, line->len);
	while ((c = next_byte(l->in)) != EOF) {
		if (c == '\n' && l->after_cr) {
			l->after_cr = false;
			continue;
		}
		any = true;
		l->after_cr = c == '\r';
		if (c == '\r' || c == '\n')
			return GOT_LINE;
		byte = (unsigned char)c;
		if (byte > 127)
			l->eight = true;
		/* No message may hold it (RFC 5322 4.1), and a program that
		 * printed one would lose its mail. */
		if (byte == '\0')
			l->nuls++;
		else
			buf_add(line, &byte, 1);
		if (++n >= LINE_PIECE) {
			l->inside = true;
			return GOT_PART;
		}
	}
	return any ? GOT_LINE : GOT_END;
}

static struct slice
text_of(const struct buf *b)
{
	return (struct slice){ (const char *)buf_data(b), b->len };
}

/* ---- reading ---- */

/* Bytes of the field's name, 0 if the line does not begin a field (RFC 5322
 * 2.2: printable, no blanks; 4.5 lets blanks stand before the colon). */
static size_t
field_name(struct slice line)
{
	size_t i = 0, name;

	while (i < line.len && line.p[i] > ' ' && line.p[i] < 127 &&
	    line.p[i] != ':')
		i++;
	name = i;
	while (i < line.len && (line.p[i] == ' ' || line.p[i] == '\t'))
		i++;
	return i < line.len && line.p[i] == ':' ? name : 0;
}

bool
message_add_field(struct message *m, struct slice text, struct field *after)
{
	struct field *f = arena_alloc(&m->arena, sizeof *f);
	char *copy = arena_copyn(&m->arena, text.p, text.len);

	if (f == NULL || copy == NULL)
		return false;
	f->text = (struct slice){ copy, text.len };
	f->name = field_name(f->text);
	if (after == NULL)
		STAILQ_INSERT_TAIL(&m->fields, f, entry);
	else
		STAILQ_INSERT_AFTER(&m->fields, after, f, entry);
	return true;
}

static bool
write_bytes(struct message *m, const char *p, size_t len)
{
	m->size += len;
	if (m->rest == NULL && buf_add(&m->begin, p, len))
		return true;
	if (m->rest == NULL && (m->rest = tmpfile()) == NULL)
		return false;
	return fwrite(p, 1, len, m->rest) == len;
}

static bool
write_body(struct message *m, struct slice text, bool end)
{
	return write_bytes(m, text.p, text.len) &&
	    (!end || write_bytes(m, "\r\n", 2));
}

static bool
is_dot(struct slice line)
{
	return line.len == 1 && line.p[0] == '.';
}

/* A line of an mbox, perhaps quoted, which some programs pipe in; "From :" is a
 * field. */
static bool
is_from_line(struct slice line)
{
	while (line.len > 0 && line.p[0] == '>') {
		line.p++;
		line.len--;
	}
	return line.len >= 5 && memcmp(line.p, "From ", 5) == 0 &&
	    field_name(line) == 0;
}

enum step { STEP_HEADER, STEP_BODY, STEP_END };

/* A line, or its first part, that goes on the field before it. */
static bool
is_folded(const struct buf *field, struct slice line)
{
	return line.len > 0 && (line.p[0] == ' ' || line.p[0] == '\t') &&
	    field->len > 0;
}

/*
 * One line of the header; field collects the one under way.  A line that is
 * neither a field nor its continuation begins the body, and needs no empty
 * line before it; whole: it is not its first part only.
 */
static enum step
header_line(struct message *m, struct buf *field, struct slice line, bool first,
    bool whole, bool *ok)
{
	bool more = is_folded(field, line), fits;

	if (first && is_from_line(line))
		return STEP_HEADER;
	if (!more && field->len > 0) {
		*ok = message_add_field(m, text_of(field), NULL);
		buf_drain(field, field->len);
	}
	if (!*ok || line.len == 0)
		return STEP_BODY;
	if (!more && field_name(line) == 0) {
		*ok = write_body(m, line, whole);
		return STEP_BODY;
	}
	fits = buf_add(field, line.p, line.len) && buf_add(field, "\r\n", 2);
	*ok = *ok && fits;
	return STEP_HEADER;
}

/*
 * A line that can be one of the header, into line: whole, however long.  Of
 * one that can not, the first part is enough.  False: too large.
 */
static bool
read_header_line(struct lines *l, const struct buf *field, struct buf *line,
    struct buf *piece, enum got *got)
{
	bool ok;

	buf_drain(line, line->len);
	do {
		*got = next_line(l, piece);
		ok = buf_add(line, buf_data(piece), piece->len) &&
		    l->nuls < HEADER_MAX;
	} while (ok && *got == GOT_PART &&
	    (line->len == 0 || is_folded(field, text_of(line)) ||
		field_name(text_of(line)) > 0));
	return ok;
}

static bool
read_header(struct message *m, struct lines *l, bool dots, enum step *step)
{
	struct buf line, field, piece;
	enum got got = GOT_LINE;
	bool ok = true, first = true;

	buf_init(&line, HEADER_MAX);
	buf_init(&piece, 0);
	buf_init(&field, HEADER_MAX);
	*step = STEP_HEADER;
	while (ok && *step == STEP_HEADER) {
		ok = read_header_line(l, &field, &line, &piece, &got);
		if (got == GOT_END || (!dots && is_dot(text_of(&line))))
			*step = STEP_END;
		else if (ok)
			*step = header_line(m, &field, text_of(&line), first,
			    got == GOT_LINE, &ok);
		/* There may be several. */
		first = first && is_from_line(text_of(&line));
	}
	if (ok && field.len > 0)
		ok = message_add_field(m, text_of(&field), NULL);
	buf_free(&line);
	buf_free(&piece);
	buf_free(&field);
	return ok;
}

/* Whether another line may follow; asks for the limit when the body leaves
 * our memory, which most never do. */
static const char *
may_go_on(uint64_t size, const struct message_how *how, bool *asked,
    uint64_t *max, int *status)
{
	if (!*asked && how->limit != NULL && size > BEGIN_MAX) {
		*asked = true;
		*status = EX_TEMPFAIL;
		if (!how->limit(how->arg, max))
			return "nobody says how large a message may be";
	}
	*status = EX_UNAVAILABLE;
	if (*max != 0 && size > *max)
		return "the message is larger than smtpd takes";
	return NULL;
}

static const char *
read_body(struct message *m, struct lines *l, const struct message_how *how,
    int *status)
{
	bool start = !l->inside, asked = false, ok = true;
	const char *why = NULL;
	uint64_t max = 0;
	struct buf line;
	enum got got;

	buf_init(&line, 0);
	while (why == NULL && (got = next_line(l, &line)) != GOT_END) {
		if (!how->dots && start && got == GOT_LINE &&
		    is_dot(text_of(&line)))
			break;
		ok = write_body(m, text_of(&line), got == GOT_LINE);
		start = got == GOT_LINE;
		if (ok)
			why = may_go_on(m->size + l->nuls, how, &asked, &max,
			    status);
		else {
			*status = EX_TEMPFAIL;
			why = "no room for the message";
		}
	}
	buf_free(&line);
	return why;
}

const char *
message_read(struct message *m, FILE *in, const struct message_how *how,
    int *status)
{
	struct lines l = { .in = in };
	const char *why = NULL;
	enum step step;

	*m = (struct message){ 0 };
	arena_init(&m->arena, HEADER_MAX);
	buf_init(&m->begin, BEGIN_MAX);
	STAILQ_INIT(&m->fields);
	if (!read_header(m, &l, how->dots, &step)) {
		*status = EX_DATAERR;
		return "the header is too large";
	}
	if (step == STEP_BODY)
		why = read_body(m, &l, how, status);
	if (why != NULL)
		return why;
	if (ferror(in)) {
		*status = EX_NOINPUT;
		return "standard input cannot be read";
	}
	if (m->rest != NULL && fflush(m->rest) != 0) {
		*status = EX_TEMPFAIL;
		return "no room for the message";
	}
	m->eight = l.eight;
	message_rewind(m);
	*status = EX_OK;
	return NULL;
}

void
message_rewind(struct message *m)
{
	m->read = 0;
	if (m->rest != NULL)
		rewind(m->rest);
}

size_t
message_body(struct message *m, void *p, size_t len, bool *ok)
{
	size_t left = m->begin.len - m->read;

	*ok = true;
	if (left > 0) {
		len = len < left ? len : left;
		memcpy(p, buf_data(&m->begin) + m->read, len);
		m->read += len;
		return len;
	}
	if (m->rest == NULL)
		return 0;
	len = fread(p, 1, len, m->rest);
	*ok = !ferror(m->rest);
	return len;
}

void
message_free(struct message *m)
{
	arena_free(&m->arena);
	buf_free(&m->begin);
	if (m->rest != NULL)
		fclose(m->rest);
	*m = (struct message){ 0 };
}
