/*
 * Tag lists (RFC 6376 3.2, RFC 8616).  Used by session, deliver, guard and
 * smtpctl on text that others wrote; allocates and keeps nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dkim_tags.h"

#include <string.h>

#include "base64.h"

enum { LETTERS = 64 }; /* of base64, at once */

static bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* tag-name = ALPHA *ALNUMPUNC */
static bool
is_name(struct slice s)
{
	size_t i;

	if (s.len == 0 || !is_alpha(s.p[0]))
		return false;
	for (i = 1; i < s.len; i++)
		if (!is_alpha(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '_')
			return false;
	return true;
}

/* VALCHAR and white space, and what is not ASCII in UTF-8. */
static bool
is_value(struct slice s)
{
	bool ascii = true;
	size_t i;

	for (i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c > 127)
			ascii = false;
		else if ((c < ' ' && !slice_is_space(s.p[i])) || c == 127)
			return false;
	}
	return ascii || slice_is_utf8(s);
}

const char *
tags_parse(struct slice in, struct tags *t)
{
	const char *semi, *equal;
	struct slice spec, name;
	unsigned int i;

	t->n = 0;
	while (in.len > 0) {
		semi = memchr(in.p, ';', in.len);
		spec = (struct slice){ in.p,
			semi == NULL ? in.len : (size_t)(semi - in.p) };
		in.p += spec.len + (semi != NULL);
		in.len -= spec.len + (semi != NULL);
		spec = slice_strip(spec);
		if (spec.len == 0 && semi == NULL && t->n > 0)
			break; /* white space behind the last ';' */
		equal = spec.len == 0 ? NULL : memchr(spec.p, '=', spec.len);
		if (equal == NULL)
			return "a tag without a value";
		name = slice_strip((struct slice){ spec.p,
		    (size_t)(equal - spec.p) });
		if (!is_name(name))
			return "a tag with a bad name";
		for (i = 0; i < t->n; i++)
			if (slice_eq(t->tag[i].name, name))
				return "a tag that is there twice";
		if (t->n == TAGS_MAX)
			return "too many tags";
		t->tag[t->n].name = name;
		spec.len -= (size_t)(equal + 1 - spec.p);
		spec.p = equal + 1;
		if (!is_value(spec))
			return "a tag with a byte that no value has";
		t->tag[t->n++].value = slice_strip(spec);
	}
	return t->n == 0 ? "no tag" : NULL;
}

const struct slice *
tags_get(const struct tags *t, const char *name)
{
	unsigned int i;

	for (i = 0; i < t->n; i++)
		if (slice_eq(t->tag[i].name, slice_of(name)))
			return &t->tag[i].value;
	return NULL;
}

/* Some letters of base64, decoded and added; *end: they were padded. */
static const char *
add_letters(const char *letters, size_t n, struct buf *out, bool *end)
{
	uint8_t bytes[BASE64_BYTES(LETTERS)];
	const char *why;
	size_t len;

	if (n > 0 && *end)
		return "base64 that goes on behind its end";
	why = base64_parse(BASE64_PLAIN, (struct slice){ letters, n }, bytes,
	    sizeof(bytes), &len);
	if (why != NULL)
		return why;
	*end = len < n / 4 * 3;
	return buf_add(out, bytes, len) ? NULL : "base64 that is too long";
}

const char *
tags_base64(struct slice value, struct buf *out)
{
	char letters[LETTERS];
	const char *why;
	size_t i, n = 0;
	bool end = false;

	for (i = 0; i < value.len; i++) {
		if (slice_is_space(value.p[i]))
			continue;
		letters[n++] = value.p[i];
		if (n < LETTERS)
			continue;
		if ((why = add_letters(letters, n, out, &end)) != NULL)
			return why;
		n = 0;
	}
	return add_letters(letters, n, out, &end);
}

const char *
tags_number(struct slice value, unsigned int digits, uint64_t *n)
{
	uint64_t sum = 0;
	size_t i;

	if (value.len == 0)
		return "no number";
	if (value.len > digits)
		return "a number that is too long";
	for (i = 0; i < value.len; i++) {
		if (!is_digit(value.p[i]))
			return "not a number";
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)(value.p[i] - '0'),
			&sum))
			sum = UINT64_MAX;
	}
	*n = sum;
	return NULL;
}

bool
tags_member(struct slice *rest, struct slice *member)
{
	const char *colon;

	if (rest->p == NULL)
		return false;
	colon = rest->len == 0 ? NULL : memchr(rest->p, ':', rest->len);
	if (colon == NULL) {
		*member = slice_strip(*rest);
		*rest = (struct slice){ NULL, 0 };
		return true;
	}
	*member =
	    slice_strip((struct slice){ rest->p, (size_t)(colon - rest->p) });
	rest->len -= (size_t)(colon + 1 - rest->p);
	rest->p = colon + 1;
	return true;
}
