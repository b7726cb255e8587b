/*
 * address_next(): each entry is a piece of the list, behind the one before it,
 * what is found lies in it, and the list comes to its end.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "session_address.h"

static bool
lies_in(struct slice s, struct slice in)
{
	return s.p >= in.p && s.p + s.len <= in.p + in.len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice list = { (const char *)in, len };
	const char *before, *end = list.p + len, *why;
	struct address a;

	do {
		before = list.p;
		why = address_next(&list, &a);
		MUST(list.p + list.len == end);
		MUST(a.entry.p == before && a.entry.p + a.entry.len == list.p);
		if (why != NULL || a.entry.len == 0)
			break;
		MUST(lies_in(a.place, a.entry) && lies_in(a.spec, a.place));
		MUST(a.spec.len > 0 || !a.has_domain);
		if (a.spec.len == 0)
			continue;
		MUST(memchr(" \t\r\n", a.spec.p[0], 4) == NULL);
		MUST(memchr(" \t\r\n", a.spec.p[a.spec.len - 1], 4) == NULL);
	} while (true);
	MUST(why != NULL || list.len == 0);
	return 0;
}
