/*
 * Reading a server's replies.  Used by deliver.  Never allocates, never lets
 * a byte through to a log or a notification that is not printable.
 *
 * SPDX-License-Identifier: ISC
 */
#include "client_reply.h"

#include <string.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Up to three digits from the front of s; -1 if there is none. */
static int
number(struct slice *s)
{
	int n = 0, digits = 0;

	while (digits < 3 && s->len > 0 && is_digit(s->p[0])) {
		n = n * 10 + (s->p[0] - '0');
		s->p++;
		s->len--;
		digits++;
	}
	return digits == 0 ? -1 : n;
}

/*
 * RFC 2034 4: "5.1.1 words".  One whose class is not that of the code is
 * just words.  On success s is what follows it.
 */
static bool
enhanced(struct slice *s, unsigned int code, uint16_t ecode[3])
{
	struct slice rest = *s;
	int part[3], i;

	for (i = 0; i < 3; i++) {
		if (i > 0) {
			if (rest.len == 0 || rest.p[0] != '.')
				return false;
			rest.p++;
			rest.len--;
		}
		if ((part[i] = number(&rest)) == -1)
			return false;
	}
	if (rest.len > 0 && rest.p[0] != ' ' && rest.p[0] != '\t')
		return false;
	if ((unsigned int)part[0] != code / 100)
		return false;
	for (i = 0; i < 3; i++)
		ecode[i] = (uint16_t)part[i];
	*s = slice_trim(rest);
	return true;
}

/* Adds words to the text, cleaned. */
static void
add_text(struct client_reply *r, struct slice words)
{
	size_t n = strlen(r->text), i;

	if (n > 0 && words.len > 0 && n < OUTCOME_TEXT_MAX)
		r->text[n++] = ' ';
	for (i = 0; i < words.len && n < OUTCOME_TEXT_MAX; i++) {
		char c = words.p[i];

		if (c == '\t')
			c = ' ';
		r->text[n++] = c >= ' ' && c <= '~' ? c : '?';
	}
	r->text[n] = '\0';
}

const char *
client_reply_skip(struct client_reply *r, size_t len)
{
	r->bytes += len;
	return r->bytes > REPLY_BYTES_MAX ? "a reply without end" : NULL;
}

const char *
client_reply_line(struct client_reply *r, struct slice line, struct slice *text)
{
	struct slice rest = line;
	const char *why;
	uint16_t ecode[3];
	bool more;
	int code;

	*text = (struct slice){ line.p, 0 };
	if (++r->lines > REPLY_LINES_MAX)
		return "a reply without end";
	if ((why = client_reply_skip(r, line.len + 2)) != NULL)
		return why;
	if (line.len < 3 || !is_digit(line.p[0]) || !is_digit(line.p[1]) ||
	    !is_digit(line.p[2]))
		return "a reply without a code";
	code = number(&rest);
	if (code < 200 || code > 599)
		return "a reply with a code that does not exist";
	more = rest.len > 0 && rest.p[0] == '-';
	if (rest.len > 0 && !more && rest.p[0] != ' ' && rest.p[0] != '\t')
		return "a reply without a code";
	/* RFC 5321 4.2.1: the code is the same in all lines. */
	if (r->lines > 1 && (unsigned int)code != r->code)
		return "a reply with differing codes";
	r->code = (unsigned int)code;
	if (rest.len > 0) {
		rest.p++;
		rest.len--;
	}
	*text = rest;
	rest = slice_trim(rest);
	if (enhanced(&rest, r->code, ecode) && r->ecode[0] == 0)
		memcpy(r->ecode, ecode, sizeof ecode);
	add_text(r, rest);
	r->done = !more;
	return NULL;
}
