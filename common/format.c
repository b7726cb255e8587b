/*
 * Format specifiers, as they are written.  Runs in the parent, which checks
 * them, and in local, which knows what they stand for; borrows what it is
 * given.
 *
 * SPDX-License-Identifier: ISC
 */
#include "format.h"

#include <string.h>

/* ---- a template ---- */

const char *
format_next(const char **at, struct format_piece *p)
{
	const char *in = *at, *close;

	p->is_spec = in[0] == '%' && in[1] == '{';
	p->byte = in[0];
	if (!p->is_spec) {
		*at += in[0] == '%' && in[1] == '%' ? 2 : 1;
		return NULL;
	}
	if ((close = strchr(in, '}')) == NULL)
		return "a format has no closing brace";
	p->spec.p = in + 2;
	p->spec.len = (size_t)(close - p->spec.p);
	*at = close + 1;
	return NULL;
}

bool
format_is_mda(struct slice spec)
{
	return slice_eqcase(spec, SLICE("mda"));
}

/* ---- slices ---- */

/* "-12": from the front of in.  False: none there. */
static bool
number(struct slice *in, int *out)
{
	bool minus = in->len != 0 && in->p[0] == '-';
	size_t at = minus ? 1 : 0, first = at;

	*out = 0;
	for (; at < in->len && in->p[at] >= '0' && in->p[at] <= '9'; at++)
		if ((*out = *out * 10 + (in->p[at] - '0')) > FORMAT_VALUE_MAX)
			return false;
	if (at == first)
		return false;
	if (minus)
		*out = -*out;
	in->p += at;
	in->len -= at;
	return true;
}

/* What stands between the brackets: "n", "n:m", "n:", ":m". */
static const char *
range(struct slice in, struct format_spec *s)
{
	static const char why[] = "bad numbers in brackets in a format";

	if (in.len == 0)
		return why;
	if (in.p[0] != ':' && !number(&in, &s->from))
		return why;
	if (in.len == 0) {
		s->to = s->from;
		return NULL;
	}
	if (in.p[0] != ':')
		return why;
	in.p++;
	in.len--;
	if (in.len != 0 && !number(&in, &s->to))
		return why;
	return in.len == 0 ? NULL : why;
}

/* ---- words ---- */

static const char *const names[] = {
#define X(name, word) word,
	FORMAT_NAMES(X)
#undef X
};

static const char *const modifiers[] = {
#define X(name, word) word,
	FORMAT_MODIFIERS(X)
#undef X
};

/* Its place among n words; n: it is none of them. */
static size_t
word_of(struct slice s, const char *const *words, size_t n)
{
	size_t i;

	for (i = 0; i < n && !slice_eqcase(s, slice_of(words[i])); i++)
		;
	return i;
}

bool
format_modifier(struct slice *rest, enum format_modifier *m)
{
	const size_t n = sizeof(modifiers) / sizeof(modifiers[0]);
	const char *bar;
	struct slice word = *rest;
	size_t i;

	if (rest->len == 0)
		return false;
	if ((bar = memchr(word.p, '|', word.len)) != NULL)
		word.len = (size_t)(bar - word.p);
	if ((i = word_of(word, modifiers, n)) == n)
		return false;
	*m = (enum format_modifier)i;
	rest->p += word.len + (bar != NULL);
	rest->len -= word.len + (bar != NULL);
	return true;
}

/* Whether they are all known: none is empty, and none is missing at the end. */
static bool
are_modifiers(struct slice in)
{
	enum format_modifier m;

	if (in.len == 0 || in.p[in.len - 1] == '|')
		return false;
	while (format_modifier(&in, &m))
		;
	return in.len == 0;
}

const char *
format_spec(struct slice in, struct format_spec *out)
{
	const size_t n = sizeof(names) / sizeof(names[0]);
	struct slice name = in, inner;
	const char *why, *close;
	size_t i;

	*out = (struct format_spec){ .to = FORMAT_VALUE_MAX };
	for (name.len = 0; name.len < in.len; name.len++)
		if (in.p[name.len] == '[' || in.p[name.len] == ':')
			break;
	in.p += name.len;
	in.len -= name.len;
	if ((i = word_of(name, names, n)) == n)
		return "unknown format";
	out->name = (enum format_name)i;
	if (in.len != 0 && in.p[0] == '[') {
		if ((close = memchr(in.p, ']', in.len)) == NULL)
			return "a bracket is not closed in a format";
		inner.p = in.p + 1;
		inner.len = (size_t)(close - inner.p);
		if ((why = range(inner, out)) != NULL)
			return why;
		in.len -= inner.len + 2;
		in.p = close + 1;
	}
	if (in.len == 0)
		return NULL;
	if (in.p[0] != ':')
		return "unknown format";
	out->modifiers = (struct slice){ in.p + 1, in.len - 1 };
	return are_modifiers(out->modifiers) ? NULL :
					       "unknown modifier in a format";
}
