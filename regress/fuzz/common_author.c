/*
 * common/author.c: domains of a From field within their bounds, and an author
 * that is a name.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "author.h"

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len }, rest;
	char domain[DOMAIN_MAX + 1], again[DOMAIN_MAX + 1];
	struct mail_field field = { .name = SLICE("From"), .value = all };
	struct mail_read m = { .field = &field, .n_field = 1 };
	unsigned int fields;
	enum author_is is;
	size_t before;

	for (rest = all; before = rest.len, author_next(&rest, domain);) {
		MUST(rest.len < before);
		MUST(domain[0] != '\0' && strlen(domain) <= DOMAIN_MAX);
	}
	is = author_find(&m, &fields, domain);
	MUST(fields == 1 && (is == AUTHOR_ONE) == (domain[0] != '\0'));
	if (is == AUTHOR_ONE)
		MUST(author_name(slice_of(domain), again) &&
		    strcmp(domain, again) == 0);
	return 0;
}
