/*
 * Lists of addresses as people and programs write them (RFC 5322 3.4, with
 * what 4.4 still allows).  Runs in sendmail, as whoever calls it.  Never
 * allocates; whether an address is good is for smtp_addr.c to say.
 *
 * SPDX-License-Identifier: ISC
 */
#include "sendmail_address.h"

#include <stdbool.h>
#include <string.h>

/* Steps over a comment, which may hold others; false: it has no end. */
static bool
skip_comment(struct slice in, size_t *i)
{
	unsigned int depth = 0;

	for (; *i < in.len; (*i)++) {
		if (in.p[*i] == '\\')
			(*i)++;
		else if (in.p[*i] == '(')
			depth++;
		else if (in.p[*i] == ')' && --depth == 0) {
			(*i)++;
			return true;
		}
	}
	return false;
}

/* Steps over what stands between a quote or bracket and its end. */
static bool
skip_quoted(struct slice in, size_t *i, char end)
{
	for ((*i)++; *i < in.len; (*i)++) {
		if (in.p[*i] == '\\')
			(*i)++;
		else if (in.p[*i] == end) {
			(*i)++;
			return true;
		}
	}
	return false;
}

/* Steps over a word: anything without a blank, quoted parts included. */
static bool
skip_word(struct slice in, size_t *i)
{
	while (*i < in.len && !slice_is_space(in.p[*i]) &&
	    strchr("(<>,;:", in.p[*i]) == NULL) {
		if (in.p[*i] == '"') {
			if (!skip_quoted(in, i, '"'))
				return false;
		} else if (in.p[*i] == '[') {
			if (!skip_quoted(in, i, ']'))
				return false;
		} else
			(*i)++;
	}
	return true;
}

/* What stands between < and >, without a source route. */
static bool
take_angle(struct slice in, size_t *i, struct slice *address)
{
	size_t from = *i + 1;
	const char *colon;

	for ((*i)++; *i < in.len && in.p[*i] != '>';) {
		if (in.p[*i] == '"') {
			if (!skip_quoted(in, i, '"'))
				return false;
		} else
			(*i)++;
	}
	if (*i >= in.len)
		return false;
	*address = slice_strip((struct slice){ in.p + from, *i - from });
	(*i)++;
	if (address->len > 0 && address->p[0] == '@' &&
	    (colon = memchr(address->p, ':', address->len)) != NULL) {
		address->len -= (size_t)(colon + 1 - address->p);
		address->p = colon + 1;
		*address = slice_strip(*address);
	}
	return true;
}

/* One entry of the list, up to the comma after it.  *found: it had an
 * address. */
static const char *
take_entry(struct slice in, size_t *i, struct slice *address, bool *found)
{
	unsigned int words = 0;
	bool angle = false;
	size_t from;

	*found = false;
	while (*i < in.len) {
		char c = in.p[*i];

		from = *i;
		if (slice_is_space(c)) {
			(*i)++;
		} else if (c == '(') {
			if (!skip_comment(in, i))
				return "a comment without its end";
		} else if (c == ',' || c == ';') {
			(*i)++;
			break;
		} else if (c == ':') {
			/* What was read is the name of a group. */
			words = 0;
			(*i)++;
		} else if (c == '<') {
			if (angle || !take_angle(in, i, address))
				return "a '<' that is out of place";
			angle = true;
		} else if (c == '>' || c == '\0' || !skip_word(in, i)) {
			return "an address that cannot be read";
		} else if (!angle && ++words == 1)
			*address = (struct slice){ in.p + from, *i - from };
	}
	if (!angle && words > 1)
		return "an address with a blank in it";
	*found = angle || words == 1;
	return NULL;
}

const char *
address_next(struct slice *list, struct slice *address)
{
	const char *why = NULL;
	bool found = false;
	size_t i;

	while (why == NULL && !found && list->len > 0) {
		i = 0;
		why = take_entry(*list, &i, address, &found);
		if (i > list->len)
			i = list->len;
		list->p += i;
		list->len -= i;
		/* "<>" is nobody. */
		found = found && address->len > 0;
	}
	if (!found)
		*address = (struct slice){ list->p, 0 };
	return why;
}
