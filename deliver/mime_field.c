/*
 * Parsing fields of MIME.  Used by deliver on what others wrote; allocates
 * nothing, asks nobody.
 *
 * SPDX-License-Identifier: ISC
 */
#include "mime_field.h"

#include <ctype.h>
#include <string.h>

/* Blanks, line ends and comments (RFC 5322 3.2.2); false: a comment that does
 * not end. */
static bool
skip_cfws(struct slice *s)
{
	unsigned int depth = 0;

	for (; s->len > 0; s->p++, s->len--) {
		if (depth > 0 && *s->p == '\\' && s->len > 1) {
			s->p++;
			s->len--;
		} else if (*s->p == '(')
			depth++;
		else if (depth > 0 && *s->p == ')')
			depth--;
		else if (depth == 0 && !slice_is_space(*s->p))
			break;
	}
	return depth == 0;
}

/* RFC 2045 5.1: token. */
static bool
is_token(char c)
{
	return (unsigned char)c > ' ' && (unsigned char)c < 0x7f &&
	    strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

/* The value of a parameter that should have been quoted, and is not: all
 * readers of mail take it. */
static bool
is_value(char c)
{
	return is_token(c) || (c != '\0' && strchr(")<>@,:\\/[]?=", c) != NULL);
}

/* In lower case if so wanted; false: none, or it is too long. */
static bool
take_token(struct slice *s, char *out, size_t size, bool lower)
{
	size_t n = 0;

	for (; s->len > 0 && is_token(*s->p); s->p++, s->len--) {
		if (n + 1 >= size)
			return false;
		out[n++] = lower ? (char)tolower((unsigned char)*s->p) : *s->p;
	}
	out[n] = '\0';
	return n > 0;
}

static bool
take_value(struct slice *s, char *out, size_t size)
{
	size_t n = 0;

	for (; s->len > 0 && is_value(*s->p); s->p++, s->len--) {
		if (n + 1 >= size)
			return false;
		out[n++] = *s->p;
	}
	out[n] = '\0';
	return n > 0;
}

static bool
take_quoted(struct slice *s, char *out, size_t size)
{
	size_t n = 0;

	for (s->p++, s->len--; s->len > 0 && *s->p != '"'; s->p++, s->len--) {
		if (*s->p == '\r' || *s->p == '\n')
			continue;
		if (*s->p == '\\' && s->len > 1) {
			s->p++;
			s->len--;
		}
		/* What does not fit is no boundary, and nothing else counts. */
		if (n + 1 < size && *s->p != '\0')
			out[n++] = *s->p;
		else
			n = size;
	}
	if (s->len == 0)
		return false;
	s->p++;
	s->len--;
	out[n < size ? n : 0] = '\0';
	return true;
}

static bool
take_char(struct slice *s, char c)
{
	if (s->len == 0 || *s->p != c)
		return false;
	s->p++;
	s->len--;
	return true;
}

/* "; name=value" and what follows; a list that breaks off ends there, as all
 * readers of mail have it. */
static void
take_parameters(struct slice *s, struct mime_type *t)
{
	char name[MIME_WORD_MAX + 1], value[256];
	bool good;

	while (skip_cfws(s) && take_char(s, ';') && skip_cfws(s)) {
		if (!take_token(s, name, sizeof name, true) || !skip_cfws(s) ||
		    !take_char(s, '=') || !skip_cfws(s))
			return;
		value[0] = '\0';
		good = s->len > 0 && *s->p == '"' ?
		    take_quoted(s, value, sizeof value) :
		    take_value(s, value, sizeof value);
		if (!good)
			return;
		if (strcmp(name, "boundary") == 0 && t->boundary[0] == '\0' &&
		    !slice_copy(slice_of(value), t->boundary,
			sizeof t->boundary))
			return;
	}
}

const char *
mime_type_parse(struct slice value, struct mime_type *t)
{
	*t = (struct mime_type){ 0 };
	if (skip_cfws(&value) &&
	    take_token(&value, t->type, sizeof t->type, true) &&
	    skip_cfws(&value) && take_char(&value, '/') && skip_cfws(&value) &&
	    take_token(&value, t->subtype, sizeof t->subtype, true)) {
		take_parameters(&value, t);
		return NULL;
	}
	*t = (struct mime_type){ 0 };
	return "a Content-Type that is none";
}

const char *
mime_encoding_parse(struct slice value, char out[MIME_WORD_MAX + 1])
{
	if (skip_cfws(&value) &&
	    take_token(&value, out, MIME_WORD_MAX + 1, true) &&
	    skip_cfws(&value) && value.len == 0)
		return NULL;
	out[0] = '\0';
	return "a Content-Transfer-Encoding that is none";
}
