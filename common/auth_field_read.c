/*
 * Authentication-Results (RFC 8601 2.2) as others wrote them, as far as that is
 * needed: to know a field that claims to be ours, and what a sealer of ARC
 * found.  Runs in session, deliver and smtpctl; keeps nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "auth_field.h"

#include <ctype.h>
#include <string.h>

static void
skip(struct slice *in, size_t n)
{
	in->p += n;
	in->len -= n;
}

static bool
next_is(const struct slice *in, char c)
{
	return in->len > 0 && in->p[0] == c;
}

/* Behind a comment: they nest, and have quoted pairs (RFC 5322 3.2.2). */
static void
skip_comment(struct slice *in)
{
	size_t depth = 0;

	do {
		if (in->p[0] == '\\' && in->len > 1)
			skip(in, 1);
		else if (in->p[0] == '(')
			depth++;
		else if (in->p[0] == ')')
			depth--;
		skip(in, 1);
	} while (in->len > 0 && depth > 0);
}

void
auth_field_space(struct slice *in)
{
	while (in->len > 0) {
		if (slice_is_space(in->p[0]))
			skip(in, 1);
		else if (in->p[0] == '(')
			skip_comment(in);
		else
			break;
	}
}

/* A text on its way to a buffer that may be too small for it. */
struct text {
	char *out;
	size_t size, len; /* len: also what did not fit */
};

static void
text_add(struct text *t, char c)
{
	if (t->len + 1 < t->size) {
		/* A NUL would end the text before its end. */
		t->out[t->len] = c == '\0' ? '?' : c;
		t->out[t->len + 1] = '\0';
	}
	t->len++;
}

/* Adds what is within the quotes; behind them. */
static void
take_quoted(struct slice *in, struct text *t)
{
	for (skip(in, 1); in->len > 0 && in->p[0] != '"'; skip(in, 1)) {
		if (in->p[0] == '\\' && in->len > 1)
			skip(in, 1);
		text_add(t, in->p[0]);
	}
	if (in->len > 0)
		skip(in, 1);
}

/*
 * A value: up to white space, a ';' or the end.  Comments within it are left
 * out and quotes taken off, so that what anybody might read as one word is one.
 */
static void
take_value(struct slice *in, struct text *t)
{
	t->len = 0;
	t->out[0] = '\0';
	while (in->len > 0 && in->p[0] != ';' && !slice_is_space(in->p[0])) {
		if (in->p[0] == '(')
			skip_comment(in);
		else if (in->p[0] == '"')
			take_quoted(in, t);
		else {
			text_add(t, in->p[0]);
			skip(in, 1);
		}
	}
}

/* The same as the grammar has it: a token, or a quoted string, and no more. */
static void
take_token(struct slice *in, struct text *t)
{
	t->len = 0;
	t->out[0] = '\0';
	if (next_is(in, '"')) {
		take_quoted(in, t);
		return;
	}
	while (in->len > 0 && !slice_is_space(in->p[0]) &&
	    memchr(";(\"", in->p[0], 3) == NULL) {
		text_add(t, in->p[0]);
		skip(in, 1);
	}
}

/* Adds a keyword in lower case.  False: there is none. */
static bool
take_keyword(struct slice *in, struct text *t)
{
	size_t n = 0;

	while (in->len > 0 &&
	    (isalnum((unsigned char)in->p[0]) || in->p[0] == '-' ||
		in->p[0] == '_')) {
		text_add(t, (char)tolower((unsigned char)in->p[0]));
		skip(in, 1);
		n++;
	}
	return n > 0;
}

/* To the next ';' that is in no comment and no quotes. */
static void
skip_entry(struct slice *in)
{
	char none[1];
	struct text t = { none, sizeof(none), 0 };

	while (in->len > 0 && in->p[0] != ';') {
		if (slice_is_space(in->p[0]))
			skip(in, 1);
		else
			take_value(in, &t);
	}
}

/* CFWS, c, CFWS.  False: c is not next, and only CFWS was skipped. */
static bool
take_sign(struct slice *in, char c)
{
	auth_field_space(in);
	if (!next_is(in, c))
		return false;
	skip(in, 1);
	auth_field_space(in);
	return true;
}

/* A version that we know: there is but one (RFC 8601 2.6).  in is moved behind
 * it. */
static bool
take_version(struct slice *in)
{
	char version[8];
	struct text t = { version, sizeof(version), 0 };

	return take_keyword(in, &t) && strcmp(version, "1") == 0;
}

/* "method [/version] = result". */
static bool
take_method(struct slice *in, struct auth_entry *e)
{
	struct text method = { e->method, sizeof(e->method), 0 };
	struct text result = { e->result, sizeof(e->result), 0 };

	auth_field_space(in);
	if (!take_keyword(in, &method))
		return false;
	if (take_sign(in, '/') && !take_version(in))
		return false;
	return take_sign(in, '=') && take_keyword(in, &result);
}

/*
 * "ptype.property=value" goes to the entry while there is room; "reason=..."
 * and other pairs without a '.' are read over, and so are values that do not
 * fit: half a name is another one.  False: this is neither.
 */
static bool
take_prop(struct slice *in, struct auth_entry *e)
{
	bool typed = false, room = e->n_prop < AUTH_PROPS_MAX;
	unsigned int row = room ? e->n_prop : 0;
	char none[1];
	struct text name = { none, sizeof(none), 0 };
	struct text value = { none, sizeof(none), 0 };

	if (room) {
		name = (struct text){ e->prop[row].name,
			sizeof(e->prop[row].name), 0 };
		value = (struct text){ e->prop[row].value,
			sizeof(e->prop[row].value), 0 };
	}
	if (!take_keyword(in, &name))
		return false;
	if (take_sign(in, '.')) {
		typed = true;
		text_add(&name, '.');
		if (!take_keyword(in, &name))
			return false;
	}
	if (!take_sign(in, '='))
		return false;
	take_value(in, &value);
	if (room && typed && name.len < name.size && value.len < value.size)
		e->n_prop++;
	return true;
}

/* ---- public ---- */

static struct slice
read_id(struct slice value, void (*take)(struct slice *in, struct text *t),
    char out[DOMAIN_MAX + 1])
{
	struct text t = { out, DOMAIN_MAX + 1, 0 };

	auth_field_space(&value);
	take(&value, &t);
	if (t.len > DOMAIN_MAX)
		t.len = 0;
	return (struct slice){ out, t.len };
}

struct slice
auth_field_id(struct slice value, char out[DOMAIN_MAX + 1])
{
	return read_id(value, take_token, out);
}

struct slice
auth_field_id_loose(struct slice value, char out[DOMAIN_MAX + 1])
{
	return read_id(value, take_value, out);
}

struct slice
auth_field_rest(struct slice value)
{
	char none[1];
	struct text t = { none, sizeof(none), 0 };

	auth_field_space(&value);
	take_value(&value, &t);
	auth_field_space(&value);
	if (value.len > 0 && value.p[0] != ';' && !take_version(&value))
		value.len = 0;
	skip_entry(&value);
	if (value.len > 0)
		skip(&value, 1);
	return slice_strip(value);
}

bool
auth_field_entry(struct slice *rest, struct slice *entry)
{
	*rest = slice_strip(*rest);
	if (rest->len == 0)
		return false;
	*entry = *rest;
	skip_entry(rest);
	entry->len -= rest->len;
	*entry = slice_strip(*entry);
	if (rest->len > 0)
		skip(rest, 1);
	return true;
}

bool
auth_field_next(struct slice *rest, struct auth_entry *e)
{
	bool good;

	while (rest->len > 0) {
		memset(e, 0, sizeof(*e));
		good = take_method(rest, e);
		for (auth_field_space(rest);
		     good && rest->len > 0 && rest->p[0] != ';';
		     auth_field_space(rest)) {
			if (!take_prop(rest, e))
				break;
		}
		skip_entry(rest);
		if (rest->len > 0)
			skip(rest, 1);
		if (good)
			return true;
	}
	return false;
}
