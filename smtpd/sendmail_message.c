/*
 * Messages from programs: reading them, their recipients, their author.
 * Runs in sendmail, as whoever calls it.  Never holds a body in memory.
 *
 * SPDX-License-Identifier: ISC
 */
#include "sendmail_message.h"

#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "session_address.h"

#define HEADER_MAX (4 * 1024 * 1024) /* memory for it */
#define LINE_PIECE (16 * 1024)       /* of a line at once */
#define WORD_MAX   60                /* RFC 2047 2: 75 with its frame */

/* ---- lines ---- */

enum got {
	GOT_LINE, /* a line, or the last part of one */
	GOT_PART, /* LINE_PIECE bytes of a line that goes on */
	GOT_END   /* nothing more */
};

struct lines {
	FILE *in;
	bool after_cr; /* an LF now is the rest of a CRLF */
	bool eight;
};

static enum got
next_line(struct lines *l, struct buf *line)
{
	unsigned char byte;
	bool any = false;
	int c;

	buf_drain(line, line->len);
	while ((c = getc_unlocked(l->in)) != EOF) {
		if (c == '\n' && l->after_cr) {
			l->after_cr = false;
			continue;
		}
		any = true;
		l->after_cr = c == '\r';
		if (c == '\r' || c == '\n')
			return GOT_LINE;
		/* No message may hold it (RFC 5322 4.1), and a program that
		 * printed one would lose its mail. */
		if (c == '\0')
			continue;
		byte = (unsigned char)c;
		if (byte > 127)
			l->eight = true;
		buf_add(line, &byte, 1);
		if (line->len >= LINE_PIECE)
			return GOT_PART;
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

static bool
add_field(struct message *m, struct slice text)
{
	struct field *f = arena_alloc(&m->arena, sizeof *f);
	char *copy = arena_copyn(&m->arena, text.p, text.len);

	if (f == NULL || copy == NULL)
		return false;
	f->text = (struct slice){ copy, text.len };
	f->name = field_name(f->text);
	STAILQ_INSERT_TAIL(&m->fields, f, entry);
	return true;
}

static bool
write_body(struct message *m, struct slice text, bool end)
{
	m->size += text.len + (end ? 2 : 0);
	return fwrite(text.p, 1, text.len, m->body) == text.len &&
	    (!end || fwrite("\r\n", 1, 2, m->body) == 2);
}

static bool
is_dot(struct slice line)
{
	return line.len == 1 && line.p[0] == '.';
}

/* A line of an mbox, which some programs pipe in; "From :" is a field. */
static bool
is_from_line(struct slice line)
{
	return line.len >= 5 && memcmp(line.p, "From ", 5) == 0 &&
	    field_name(line) == 0;
}

enum step { STEP_HEADER, STEP_BODY, STEP_END };

/*
 * One line of the header; field collects the one under way.  A line that is
 * neither a field nor its continuation begins the body, and needs no empty
 * line before it.
 */
static enum step
header_line(struct message *m, struct buf *field, struct slice line, bool first,
    bool *ok)
{
	bool more = line.len > 0 && (line.p[0] == ' ' || line.p[0] == '\t') &&
	    field->len > 0;
	bool fits = true;

	if (first && is_from_line(line))
		return STEP_HEADER;
	if (!more && field->len > 0) {
		*ok = add_field(m, text_of(field));
		buf_drain(field, field->len);
	}
	if (!*ok || line.len == 0)
		return STEP_BODY;
	if (!more && field_name(line) == 0) {
		*ok = write_body(m, line, true);
		return STEP_BODY;
	}
	fits = buf_add(field, line.p, line.len) && buf_add(field, "\r\n", 2);
	*ok = *ok && fits;
	return STEP_HEADER;
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
		buf_drain(&line, line.len);
		do {
			got = next_line(l, &piece);
			ok = buf_add(&line, buf_data(&piece), piece.len);
		} while (ok && got == GOT_PART);
		if (got == GOT_END || (!dots && is_dot(text_of(&line))))
			*step = STEP_END;
		else if (ok)
			*step =
			    header_line(m, &field, text_of(&line), first, &ok);
		first = false;
	}
	if (ok && field.len > 0)
		ok = add_field(m, text_of(&field));
	buf_free(&line);
	buf_free(&piece);
	buf_free(&field);
	return ok;
}

static bool
read_body(struct message *m, struct lines *l, bool dots)
{
	struct buf line;
	enum got got;
	bool ok = true, start = true;

	buf_init(&line, 0);
	while (ok && (got = next_line(l, &line)) != GOT_END) {
		if (!dots && start && got == GOT_LINE && is_dot(text_of(&line)))
			break;
		ok = write_body(m, text_of(&line), got == GOT_LINE);
		start = got == GOT_LINE;
	}
	buf_free(&line);
	return ok;
}

const char *
message_read(struct message *m, FILE *in, bool dots, int *status)
{
	struct lines l = { .in = in };
	enum step step;

	*m = (struct message){ 0 };
	arena_init(&m->arena, HEADER_MAX);
	STAILQ_INIT(&m->fields);
	*status = EX_TEMPFAIL;
	if ((m->body = tmpfile()) == NULL)
		return "no temporary file for the message";
	if (!read_header(m, &l, dots, &step)) {
		*status = EX_DATAERR;
		return ferror(m->body) ? "no room for the message" :
					 "the header is too large";
	}
	if (step == STEP_BODY && !read_body(m, &l, dots))
		return "no room for the message";
	if (ferror(in)) {
		*status = EX_IOERR;
		return "standard input cannot be read";
	}
	if (fflush(m->body) != 0)
		return "no room for the message";
	rewind(m->body);
	m->eight = l.eight;
	*status = EX_OK;
	return NULL;
}

void
message_free(struct message *m)
{
	arena_free(&m->arena);
	if (m->body != NULL)
		fclose(m->body);
	*m = (struct message){ 0 };
}

/* ---- fields ---- */

static bool
is_field(const struct field *f, const char *name)
{
	return slice_eqcase((struct slice){ f->text.p, f->name },
	    slice_of(name));
}

static bool
is_one_of(const struct field *f, const char *const *names)
{
	for (; *names != NULL; names++) {
		if (is_field(f, *names))
			return true;
	}
	return false;
}

static struct slice
field_value(const struct field *f)
{
	const char *colon = memchr(f->text.p, ':', f->text.len);
	size_t skip = (size_t)(colon + 1 - f->text.p);

	return (struct slice){ colon + 1, f->text.len - skip };
}

const char *
list_rcpts(struct slice list,
    const char *(*fn)(void *arg, struct slice address), void *arg)
{
	const char *why = NULL;
	struct address a;

	do {
		why = address_next(&list, &a);
		if (why == NULL && a.odd)
			why = "an address with a blank in it";
		if (why == NULL && a.spec.len > 0)
			why = fn(arg, a.spec);
	} while (why == NULL && a.entry.len > 0);
	return why;
}

const char *
message_rcpts(const struct message *m,
    const char *(*fn)(void *arg, struct slice address), void *arg)
{
	static const char *const plain[] = { "To", "Cc", "Bcc", NULL };
	static const char *const resent[] = { "Resent-To", "Resent-Cc",
		"Resent-Bcc", NULL };
	const char *const *names = plain;
	const struct field *f;
	const char *why = NULL;

	STAILQ_FOREACH(f, &m->fields, entry) {
		if (is_one_of(f, resent))
			names = resent;
	}
	STAILQ_FOREACH(f, &m->fields, entry) {
		if (why == NULL && is_one_of(f, names))
			why = list_rcpts(field_value(f), fn, arg);
	}
	return why;
}

/* Adds a full name in front of an address: quoted, or as RFC 2047 writes what
 * is not ASCII; one that is too long for that is left out. */
static bool
put_name(struct buf *out, const char *name)
{
	struct buf word;
	bool eight = false, ok = true;
	const char *p;

	for (p = name; *p != '\0'; p++)
		eight = eight || (unsigned char)*p > 126;
	buf_init(&word, 0);
	for (p = name; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < ' ')
			continue;
		if (eight && (c > 126 || strchr("=?_ \"(),.:;<>@[\\]", c)))
			buf_printf(&word, "=%02X", c);
		else if (!eight && (c == '"' || c == '\\'))
			buf_printf(&word, "\\%c", c);
		else
			buf_add(&word, &c, 1);
	}
	if (eight && word.len <= WORD_MAX)
		ok = buf_printf(out, "=?UTF-8?Q?%.*s?= ", (int)word.len,
		    (const char *)buf_data(&word));
	else if (!eight && word.len > 0)
		ok = buf_printf(out, "\"%.*s\" ", (int)word.len,
		    (const char *)buf_data(&word));
	buf_free(&word);
	return ok;
}

bool
message_add_from(struct message *m, const struct message_sender *who)
{
	const struct field *f;
	struct buf out;
	bool ok;

	STAILQ_FOREACH(f, &m->fields, entry) {
		if (is_field(f, "From"))
			return true;
	}
	buf_init(&out, HEADER_MAX);
	ok = buf_puts(&out, "From: ") && put_name(&out, who->name) &&
	    buf_printf(&out, "<%s>\r\n", who->address) &&
	    add_field(m, text_of(&out));
	buf_free(&out);
	return ok;
}

bool
message_header(const struct message *m, struct buf *out)
{
	const struct field *f;
	bool ok = true;

	STAILQ_FOREACH(f, &m->fields, entry)
		ok = ok && buf_add(out, f->text.p, f->text.len);
	return ok && buf_puts(out, "\r\n");
}
