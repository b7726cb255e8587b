/*
 * The header of a message from a program: whom it names, who it is from, and
 * how it is written again.  Runs in sendmail, as whoever calls it.
 *
 * SPDX-License-Identifier: ISC
 */
#include "sendmail_message.h"

#include <string.h>

#include "bounds.h"
#include "session_address.h"

#define NAME_BYTES 200 /* of a full name */
#define WORD_FULL  44  /* RFC 2047 2: 75, with its frame and a character */

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

/* Behind what stands at i: a quoted string, a literal, a comment, or a byte. */
static size_t
skip_piece(struct slice s, size_t i)
{
	char begin = s.p[i], end = begin == '(' ? ')' : begin;
	unsigned int depth = 1;

	if (begin == '[')
		end = ']';
	else if (begin != '(' && begin != '"')
		return i + 1;
	while (++i < s.len) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == end && --depth == 0)
			return i + 1;
		else if (begin == '(' && s.p[i] == begin)
			depth++;
	}
	return s.len;
}

/*
 * White space and comments may stand around the dots and the at sign of an
 * address in a field (RFC 5322 3.4.1, 4.4), and nowhere in one of an envelope.
 * One that does not fit is left as it is.
 */
static struct slice
without_gaps(struct slice spec, char out[ADDR_MAX])
{
	size_t i, next, n = 0;

	for (i = 0; i < spec.len; i = next) {
		next = skip_piece(spec, i);
		if (spec.p[i] == '(' || slice_is_space(spec.p[i]))
			continue;
		if (next - i > ADDR_MAX - n)
			return spec;
		memcpy(out + n, spec.p + i, next - i);
		n += next - i;
	}
	return (struct slice){ out, n };
}

const char *
list_rcpts(struct slice list,
    const char *(*fn)(void *arg, struct slice address), void *arg)
{
	const char *why = NULL;
	char spec[ADDR_MAX];
	struct address a;

	do {
		why = address_next(&list, &a);
		if (why == NULL && a.odd)
			why = "an address with a blank in it";
		if (why == NULL && a.spec.len > 0)
			why = fn(arg, without_gaps(a.spec, spec));
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

/* ---- From ---- */

/* One character of an encoded word (RFC 2047 4.2). */
static void
put_encoded(struct buf *word, struct slice c)
{
	size_t i;

	if (c.len == 1 && c.p[0] > ' ' && c.p[0] <= '~' &&
	    strchr("=?_\"(),.:;<>@[\\]", c.p[0]) == NULL) {
		buf_add(word, c.p, 1);
		return;
	}
	for (i = 0; i < c.len; i++)
		buf_printf(word, "=%02X", (unsigned char)c.p[i]);
}

/* As RFC 2047 writes what is not ASCII: as many words as it takes, none of
 * which ends inside a character. */
static bool
put_words(struct buf *out, struct slice name)
{
	const char *charset = slice_is_utf8(name) ? "UTF-8" : "UNKNOWN-8BIT";
	struct buf word;
	bool ok = true;
	size_t n;

	buf_init(&word, 0);
	while (name.len > 0) {
		n = slice_utf8(name);
		n = n == 0 ? 1 : n;
		put_encoded(&word, (struct slice){ name.p, n });
		name.p += n;
		name.len -= n;
		if (word.len < WORD_FULL && name.len > 0)
			continue;
		ok = ok &&
		    buf_printf(out, "=?%s?Q?%.*s?=%s", charset, (int)word.len,
			(const char *)buf_data(&word),
			name.len > 0 ? "\r\n " : " ");
		buf_drain(&word, word.len);
	}
	buf_free(&word);
	return ok;
}

static bool
put_quoted(struct buf *out, struct slice name)
{
	bool ok = buf_puts(out, "\"");
	size_t i;

	for (i = 0; i < name.len; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\')
			ok = ok && buf_puts(out, "\\");
		ok = ok && buf_add(out, name.p + i, 1);
	}
	return ok && buf_puts(out, "\" ");
}

/* Adds a full name in front of an address, without what could end its line;
 * one that is longer than any name is left out. */
static bool
put_name(struct buf *out, const char *name)
{
	char clean[NAME_BYTES];
	struct slice s = { clean, 0 };

	for (; *name != '\0'; name++) {
		if ((unsigned char)*name < ' ' || *name == 127)
			continue;
		if (s.len == sizeof clean)
			return true;
		clean[s.len++] = *name;
	}
	s = slice_trim(s);
	if (s.len == 0)
		return true;
	return slice_is_ascii(s) ? put_quoted(out, s) : put_words(out, s);
}

/* ---- what is missing ---- */

static struct field *
find_field(const struct message *m, const char *const *names)
{
	struct field *f;

	STAILQ_FOREACH(f, &m->fields, entry) {
		if (is_one_of(f, names))
			return f;
	}
	return NULL;
}

static struct slice
text_of(const struct buf *b)
{
	return (struct slice){ (const char *)buf_data(b), b->len };
}

/* "From" or "Resent-From", behind a field or at the end. */
static bool
add_author(struct message *m, const char *name,
    const struct message_sender *who, struct field *after)
{
	struct buf out;
	bool ok;

	buf_init(&out, 0);
	ok = buf_printf(&out, "%s: ", name) && put_name(&out, who->name) &&
	    buf_printf(&out, "<%s>\r\n", who->address) &&
	    message_add_field(m, text_of(&out), after);
	buf_free(&out);
	return ok;
}

bool
message_add_from(struct message *m, const struct message_sender *who)
{
	static const char *const from[] = { "From", NULL };

	return find_field(m, from) != NULL || add_author(m, "From", who, NULL);
}

bool
message_add_resent(struct message *m, const struct message_sender *who,
    const char *date)
{
	static const char *const any[] = { "Resent-To", "Resent-Cc",
		"Resent-Bcc", "Resent-From", "Resent-Sender", "Resent-Date",
		"Resent-Message-ID", NULL };
	static const char *const from[] = { "Resent-From", NULL };
	static const char *const when[] = { "Resent-Date", NULL };
	struct field *first = find_field(m, any);
	struct buf out;
	bool ok = true;

	if (first == NULL)
		return true;
	if (find_field(m, from) == NULL)
		ok = add_author(m, "Resent-From", who, first);
	if (ok && find_field(m, when) == NULL) {
		buf_init(&out, 0);
		ok = buf_printf(&out, "Resent-Date: %s\r\n", date) &&
		    message_add_field(m, text_of(&out), first);
		buf_free(&out);
	}
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
