/*
 * The trailer of a spool file, printed and read.  Used by session, queue,
 * deliver and smtpctl.  Never reads past what it is given.
 *
 *   postern-end content N trace N facts X xxh3 X
 *
 * One line of 96 bytes: every field has its full width and one spelling.
 *
 * SPDX-License-Identifier: ISC
 */
#include "trailer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TRACE_MAX UINT64_C(99999999999) /* eleven digits */

void
trailer_print(const struct trailer *t, char *out)
{
	char line[TRAILER_LEN + 1];
	int n;

	assert(t->trace <= TRACE_MAX);
	n = snprintf(line, sizeof line,
	    "postern-end content %020" PRIu64 " trace %011" PRIu64
	    " facts %08" PRIx32 " xxh3 %016" PRIx64 "\n",
	    t->content, t->trace, t->content_facts, t->sum);
	assert(n == TRAILER_LEN);
	memcpy(out, line, TRAILER_LEN);
}

/* Reads n digits of the base at *p and steps over them. */
static bool
digits(const char **p, unsigned int n, unsigned int base, uint64_t *v)
{
	static const char all[] = "0123456789abcdef";
	const char *at;

	*v = 0;
	for (; n > 0; n--, (*p)++) {
		at = memchr(all, **p, base);
		if (at == NULL || __builtin_mul_overflow(*v, base, v) ||
		    __builtin_add_overflow(*v, (uint64_t)(at - all), v))
			return false;
	}
	return true;
}

const char *
trailer_parse(const char *in, size_t len, struct trailer *t)
{
	uint64_t facts;
	/* Columns: the words before the number, digits, base, where to. */
	const struct {
		const char *word;
		unsigned int n, base;
		uint64_t *v;
	} fields[] = {
		{ "postern-end content ", 20, 10, &t->content },
		{ " trace ", 11, 10, &t->trace },
		{ " facts ", 8, 16, &facts },
		{ " xxh3 ", 16, 16, &t->sum },
	};
	const char *p = in;
	size_t i, n;

	*t = (struct trailer){ 0 };
	if (len != TRAILER_LEN)
		return "trailer: cut short";
	for (i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		n = strlen(fields[i].word);
		if (memcmp(p, fields[i].word, n) != 0)
			return "trailer: not one";
		p += n;
		if (!digits(&p, fields[i].n, fields[i].base, fields[i].v))
			return "trailer: not a number";
	}
	if (*p != '\n')
		return "trailer: no end";
	t->content_facts = (uint32_t)facts;
	return NULL;
}
