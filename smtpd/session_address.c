/*
 * Lists of addresses as people and programs write them.  Runs in session, over
 * the bytes of clients, and in sendmail, as whoever calls it.  Never
 * allocates; whether an address is good is for smtp_addr.c to say.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_address.h"

#include <string.h>

/* Where the reading is. */
struct reader {
	struct slice in;
	size_t i;
	struct address *a;
	/* of the address under way */
	bool any;       /* spec has begun */
	bool joined;    /* what comes next belongs to what is there */
	bool gap;       /* white space or a comment since */
	bool words;     /* two words with nothing between them: a name */
	bool angle;     /* it stood between < and > */
	bool code_word; /* it is one of RFC 2047 */
};

static const char no_end_quote[] = "a quoted string without its end";
static const char no_end_comment[] = "a comment without its end";
static const char no_end_literal[] = "a '[' without its end";
static const char no_end_angle[] = "a '<' without its end";
static const char misplaced[] = "a '<', '>' or ')' that is out of place";
static const char bad_byte[] = "a byte that no address may hold";

/* Behind the comment at i, which may hold others (RFC 5322 3.2.2). */
static const char *
skip_comment(struct reader *r)
{
	unsigned int depth = 0;

	for (; r->i < r->in.len; r->i++) {
		char c = r->in.p[r->i];

		if (c == '\\' && r->i + 1 < r->in.len)
			r->i++;
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0) {
			r->i++;
			return NULL;
		}
	}
	return no_end_comment;
}

/* Behind the quoted string or domain literal at i. */
static const char *
skip_quoted(struct reader *r, char end, const char *why)
{
	for (r->i++; r->i < r->in.len; r->i++) {
		char c = r->in.p[r->i];

		if (c == '\\' && r->i + 1 < r->in.len)
			r->i++;
		else if (c == end) {
			r->i++;
			return NULL;
		}
	}
	return why;
}

/*
 * RFC 2047 2: "=?charset?encoding?text?=", without white space.  Some write
 * commas and the like into its text, where they separate nothing.  Bytes of
 * it, or 0.
 */
static size_t
code_word(struct slice in)
{
	unsigned int marks = 0;
	size_t i;

	if (in.len < 2 || memcmp(in.p, "=?", 2) != 0)
		return 0;
	for (i = 2; i < in.len && !slice_is_space(in.p[i]); i++) {
		if (in.p[i] != '?')
			continue;
		if (marks == 2)
			return i + 1 < in.len && in.p[i + 1] == '=' ? i + 2 : 0;
		marks++;
	}
	return 0;
}

/* An atom: bytes over 127 are letters (RFC 6532 3.2). */
static const char *
skip_atom(struct reader *r)
{
	struct slice rest = { r->in.p + r->i, r->in.len - r->i };
	size_t begin = r->i, len = code_word(rest);

	r->code_word = r->code_word || len > 0;
	for (r->i += len; r->i < r->in.len; r->i++) {
		unsigned char c = (unsigned char)r->in.p[r->i];

		if (c <= ' ' || c == 127 || strchr("()<>[]:;@,.\"", c) != NULL)
			break;
	}
	return r->i == begin ? bad_byte : NULL;
}

/* One piece of an address or of a name: a quoted string, a literal, an atom,
 * a dot, an at sign. */
static const char *
take_piece(struct reader *r)
{
	size_t begin = r->i;
	char c = r->in.p[r->i];
	bool joins = c == '.' || c == '@';
	const char *why = NULL;

	if (joins)
		r->i++;
	else if (c == '"')
		why = skip_quoted(r, '"', no_end_quote);
	else if (c == '[')
		why = skip_quoted(r, ']', no_end_literal);
	else
		why = skip_atom(r);
	if (why != NULL)
		return why;
	if (c == '@')
		r->a->has_domain = true;
	if (!r->any)
		r->a->spec.p = r->in.p + begin;
	else if (r->gap && !joins && !r->joined)
		r->words = true;
	r->a->spec.len = (size_t)(r->in.p + r->i - r->a->spec.p);
	r->any = true;
	r->joined = joins;
	r->gap = false;
	return NULL;
}

/* What was read was a name: of a group, or of who stands in the brackets. */
static void
begin_again(struct reader *r)
{
	r->any = r->joined = r->gap = r->words = r->code_word = false;
	r->a->spec = (struct slice){ r->in.p + r->i, 0 };
	r->a->has_domain = false;
}

/* A source route in front of the address: "@one,@two:" (RFC 5322 4.4). */
static const char *
skip_route(struct reader *r)
{
	while (r->i < r->in.len && slice_is_space(r->in.p[r->i]))
		r->i++;
	if (r->i == r->in.len || r->in.p[r->i] != '@')
		return NULL;
	while (r->i < r->in.len && r->in.p[r->i] != ':') {
		if (strchr("<>\"()", r->in.p[r->i]) != NULL)
			return misplaced;
		r->i++;
	}
	if (r->i == r->in.len)
		return no_end_angle;
	r->i++;
	return NULL;
}

/* What stands between < and >. */
static const char *
take_angle(struct reader *r)
{
	const char *why;
	size_t begin;

	r->i++;
	begin = r->i;
	if ((why = skip_route(r)) != NULL)
		return why;
	begin_again(r);
	while (why == NULL && r->i < r->in.len) {
		char c = r->in.p[r->i];

		if (c == '>')
			break;
		if (slice_is_space(c)) {
			r->gap = true;
			r->i++;
		} else if (c == '(') {
			r->gap = true;
			why = skip_comment(r);
		} else if (strchr(",:;<)]", c) != NULL)
			return misplaced;
		else
			why = take_piece(r);
	}
	if (why != NULL)
		return why;
	if (r->i == r->in.len)
		return no_end_angle;
	r->a->place = (struct slice){ r->in.p + begin, r->i - begin };
	r->i++;
	r->angle = true;
	return NULL;
}

/* A piece behind the brackets is a name that somebody put there. */
static const char *
take_name(struct reader *r)
{
	struct slice spec = r->a->spec;
	bool has_domain = r->a->has_domain, words = r->words;
	const char *why = take_piece(r);

	r->a->spec = spec;
	r->a->has_domain = has_domain;
	r->words = words;
	return why;
}

/* One entry, up to the comma or the end of a group behind it. */
static const char *
take_entry(struct reader *r)
{
	const char *why = NULL;

	while (why == NULL && r->i < r->in.len) {
		char c = r->in.p[r->i];

		if (slice_is_space(c)) {
			r->gap = true;
			r->i++;
		} else if (c == '(') {
			r->gap = true;
			why = skip_comment(r);
		} else if (c == ',' || c == ';') {
			r->i++;
			break;
		} else if (c == ':' && !r->angle) {
			r->i++;
			begin_again(r);
		} else if (c == '<' && !r->angle)
			why = take_angle(r);
		else if (strchr("<>):]", c) != NULL)
			why = misplaced;
		else
			why = r->angle ? take_name(r) : take_piece(r);
	}
	return why;
}

const char *
address_next(struct slice *list, struct address *a)
{
	struct reader r = { .in = *list, .a = a };
	const char *why;

	*a = (struct address){ .spec = { list->p, 0 } };
	why = take_entry(&r);
	a->entry = (struct slice){ list->p, r.i };
	list->p += r.i;
	list->len -= r.i;
	if (!r.angle)
		a->place = a->spec;
	a->odd = r.words || (!r.angle && r.code_word);
	return why;
}
