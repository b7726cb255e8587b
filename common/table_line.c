/*
 * The text form of tables.  Runs in lookup and smtpctl; reads from a
 * descriptor that somebody else opened.
 *
 * SPDX-License-Identifier: ISC
 */
#include "table_line.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "table_key.h"

#define READ_SIZE ((size_t)64 << 10)

static struct slice
from(struct slice s, size_t at)
{
	return (struct slice){ s.p + at, s.len - at };
}

/* ---- one entry ---- */

/* The length of a word whose '"' at i is open, past the one that closes it;
 * 0: none does. */
static size_t
past_quote(struct slice s, size_t i)
{
	for (i++; i < s.len; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i + 1;
	}
	return 0;
}

/* The colon of "key: value" ends a key; those of an IPv6 address, and that
 * of a URL, do not. */
static size_t
key_colon(struct slice word)
{
	const char *colon = memchr(word.p, ':', word.len);
	struct table_net net;
	size_t at;

	if (colon == NULL || table_net_parse(word, &net))
		return word.len;
	at = (size_t)(colon - word.p);
	if (word.p[word.len - 1] == ':' &&
	    table_net_parse((struct slice){ word.p, word.len - 1 }, &net))
		return word.len - 1;
	if (word.len - at > 2 && colon[1] == '/' && colon[2] == '/')
		return word.len;
	return at;
}

/* The key's length, 0: it has none. */
static size_t
key_len(struct slice line)
{
	size_t n = 0, rest;

	if (line.p[0] == '"') {
		if ((n = past_quote(line, 0)) == 0)
			return 0;
		/* What follows is the end, or a domain. */
		for (rest = n; rest < line.len &&
		     !slice_is_space(line.p[rest]) && line.p[rest] != ':';)
			rest++;
		return rest;
	}
	if (line.p[0] == '[') {
		const char *close = memchr(line.p, ']', line.len);

		if (close == NULL)
			return 0;
		n = (size_t)(close - line.p) + 1;
		while (n < line.len && !slice_is_space(line.p[n]) &&
		    line.p[n] != ':')
			n++;
		return n;
	}
	while (n < line.len && !slice_is_space(line.p[n]))
		n++;
	return key_colon((struct slice){ line.p, n });
}

/* Without what stands behind a '#' that has a blank on both sides. */
static struct slice
cut_comment(struct slice s)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (s.p[i] == '"')
			quoted = !quoted;
		if (s.p[i] != '#' || quoted ||
		    (i > 0 && !slice_is_space(s.p[i - 1])) ||
		    (i + 1 < s.len && !slice_is_space(s.p[i + 1])))
			continue;
		s.len = i;
		break;
	}
	return slice_strip(s);
}

static bool
has_control(struct slice s)
{
	size_t i;

	for (i = 0; i < s.len; i++)
		if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') ||
		    s.p[i] == 0x7f)
			return true;
	return false;
}

/* ":include:/path", ":fail: text": the value begins with its colon. */
static bool
is_colon_word(struct slice s)
{
	size_t i = 1;

	while (i < s.len && s.p[i] >= 'a' && s.p[i] <= 'z')
		i++;
	return i > 1 && i < s.len && s.p[i] == ':';
}

static const char *
parse_map(struct slice line, struct table_entry *e)
{
	size_t n = key_len(line);

	if (n == 0)
		return line.p[0] == ':' ? "nothing before the colon" :
					  "a quote or bracket is not closed";
	e->key = (struct slice){ line.p, n };
	line = slice_strip(from(line, n));
	if (line.len > 0 && line.p[0] == ':' && !is_colon_word(line))
		line = slice_strip(from(line, 1));
	e->value = cut_comment(line);
	return NULL;
}

static const char *
parse_passwd(struct slice line, struct table_entry *e)
{
	const char *colon = memchr(line.p, ':', line.len);

	if (colon == NULL || colon == line.p)
		return "not a line of passwd(5)";
	e->key = (struct slice){ line.p, (size_t)(colon - line.p) };
	e->value = from(line, e->key.len + 1);
	return NULL;
}

const char *
table_entry_parse(enum table_text text, struct slice line,
    struct table_entry *e)
{
	const char *why = NULL;

	line = slice_strip(line);
	e->key = e->value = (struct slice){ line.p, 0 };
	if (line.len == 0 || line.p[0] == '#')
		return NULL;
	if (text == TABLE_TEXT_MAP)
		why = parse_map(line, e);
	else if (text == TABLE_TEXT_PASSWD)
		why = parse_passwd(line, e);
	else
		e->key = cut_comment(line);
	if (why == NULL && has_control(line))
		why = "control characters";
	if (why == NULL && e->key.len > TABLE_KEY_MAX) {
		why = "the key is too long";
		e->key.len = 0;
	}
	return why;
}

/* ---- lines ---- */

static void
give(struct table_lines *t, struct slice line, const char *why)
{
	struct table_entry e = { .line = t->begun };

	if (why == NULL) {
		why = table_entry_parse(t->text, line, &e);
		if (why == NULL && e.key.len == 0)
			return;
	}
	t->any = true;
	if (!t->fn(t->arg, &e, why))
		t->enough = true;
}

/* What is joined so far is an entry. */
static void
give_joined(struct table_lines *t)
{
	struct slice line = { (const char *)buf_data(&t->joined),
		t->joined.len };

	if (line.len != 0)
		give(t, line, t->too_long ? "too long" : NULL);
	t->joined.len = 0;
	t->too_long = false;
}

static char
last_of(const struct table_lines *t)
{
	return t->joined.len == 0 ?
	    '\0' :
	    (char)buf_data(&t->joined)[t->joined.len - 1];
}

/*
 * Does this line go on with the entry before it?  After a backslash always.
 * Else an indented one, where aliases(5) has the rest of a list: after a
 * comma or the key's colon, or if it begins with a comma.  Any other line
 * that is indented is an entry: so it is in OpenSMTPD.
 */
static bool
goes_on(const struct table_lines *t, struct slice raw, struct slice line)
{
	char last = last_of(t);

	if (t->text != TABLE_TEXT_MAP || last == '\0')
		return false;
	if (last == '\\')
		return true;
	return slice_is_space(raw.p[0]) &&
	    (last == ',' || last == ':' || line.p[0] == ',');
}

static void
join(struct table_lines *t, struct slice line)
{
	if (last_of(t) == '\\')
		t->joined.len--;
	if (t->joined.len + line.len + 1 > TABLE_ENTRY_MAX) {
		t->too_long = true;
		return;
	}
	if (t->joined.len != 0)
		(void)buf_add(&t->joined, " ", 1);
	(void)buf_add(&t->joined, line.p, line.len);
}

/* Can a line of a map be followed by more of it? */
static bool
may_go_on(const struct table_lines *t, struct slice line)
{
	char last = line.p[line.len - 1];

	return t->text == TABLE_TEXT_MAP &&
	    (last == ',' || last == ':' || last == '\\');
}

static void
take_comment(struct table_lines *t, struct slice line)
{
	/* What OpenSMTPD has to mark a list whose keys have blanks or colons,
	 * before the first of them. */
	if (!t->any && t->joined.len == 0 && t->text == TABLE_TEXT_MAP &&
	    slice_eq(slice_strip(from(line, 1)), SLICE("@list")))
		t->text = TABLE_TEXT_WHOLE;
}

static void
take_line(struct table_lines *t, struct slice raw, const char *next)
{
	struct slice line = slice_strip(raw);

	if (line.len == 0)
		return;
	if (line.p[0] == '#') {
		take_comment(t, line);
		return;
	}
	if (goes_on(t, raw, line)) {
		join(t, line);
		return;
	}
	give_joined(t);
	t->begun = t->line;
	/* The usual line stands alone, and is not copied: it is followed by
	 * one that is not indented. */
	if (t->text != TABLE_TEXT_MAP ||
	    (!may_go_on(t, line) && next != NULL && !slice_is_space(*next)))
		give(t, line, NULL);
	else
		join(t, line);
}

size_t
table_lines_feed(struct table_lines *t, struct slice in, bool end)
{
	const char *p = in.p, *stop = in.p + in.len, *nl;
	struct slice raw;

	while (p < stop && !t->enough) {
		raw = (struct slice){ p, (size_t)(stop - p) };
		nl = memchr(p, '\n', raw.len);
		if (nl == NULL && !end && raw.len <= TABLE_ENTRY_MAX)
			break;
		if (nl != NULL)
			raw.len = (size_t)(nl - p) + 1;
		p += raw.len;
		if (!t->skip) {
			t->line++;
			if (raw.len > TABLE_ENTRY_MAX) {
				give_joined(t);
				t->begun = t->line;
				give(t, raw, "too long");
			} else
				take_line(t, raw, p < stop ? p : NULL);
		}
		t->skip = nl == NULL;
	}
	if (end && !t->enough)
		give_joined(t);
	return (size_t)(p - in.p);
}

void
table_lines_free(struct table_lines *t)
{
	buf_free(&t->joined);
}

/* ---- files ---- */

/* Reads on at *at; a pipe has no place to read at. */
static ssize_t
read_some(int fd, void *p, size_t len, size_t at, bool *is_pipe)
{
	ssize_t n;

	do {
		n = *is_pipe ? read(fd, p, len) : pread(fd, p, len, (off_t)at);
		if (n == -1 && errno == ESPIPE && !*is_pipe) {
			*is_pipe = true;
			errno = EINTR;
		}
	} while (n == -1 && errno == EINTR);
	return n;
}

const char *
table_lines_read(struct table_lines *t, int fd)
{
	bool is_pipe = false, end = false;
	const char *why = NULL;
	size_t total = 0, used;
	struct buf in;
	ssize_t n;

	buf_init(&in, 0);
	in.wipe = t->joined.wipe = t->wipe;
	while (!end && !t->enough) {
		n = read_some(fd, buf_room(&in, READ_SIZE), READ_SIZE, total,
		    &is_pipe);
		if (n == -1) {
			why = strerror(errno);
			break;
		}
		total += (size_t)n;
		if (total > TABLE_FILE_MAX) {
			why = "the file is too large";
			break;
		}
		end = n == 0;
		buf_filled(&in, (size_t)n);
		used = table_lines_feed(t,
		    (struct slice){ (const char *)buf_data(&in), in.len }, end);
		buf_drain(&in, used);
	}
	buf_free(&in);
	return why;
}
