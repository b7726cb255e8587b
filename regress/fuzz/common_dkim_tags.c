/*
 * dkim_tags.c: what is read of a list is in it, names once each, and base64
 * and numbers stay within their bounds.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "base64.h"
#include "dkim_tags.h"

static int
is_within(struct slice part, struct slice all)
{
	return part.len == 0 ||
	    (part.p >= all.p && part.p + part.len <= all.p + all.len);
}

/* Decoded and printed again it is the same, white space aside. */
static void
must_be_base64(struct slice value, const struct buf *bytes)
{
	char *again = malloc(BASE64_LEN(bytes->len) + 1);
	const char *p = again;
	size_t i;

	MUST(again != NULL);
	base64_print(BASE64_PLAIN, buf_data(bytes), bytes->len, again);
	for (i = 0; i < value.len; i++)
		if (!slice_is_space(value.p[i]))
			MUST(*p++ == value.p[i]);
	MUST(*p == '\0');
	free(again);
}

static void
try_value(struct slice value)
{
	struct slice rest = value, member;
	struct buf bytes;
	uint64_t n = 1;
	size_t left;

	buf_init(&bytes, 100);
	if (tags_base64(value, &bytes) == NULL)
		must_be_base64(value, &bytes);
	MUST(bytes.len <= 100);
	buf_free(&bytes);
	if (tags_number(value, 3, &n) == NULL)
		MUST(n <= 999 && value.len >= 1 && value.len <= 3);
	while (left = rest.len, tags_member(&rest, &member)) {
		MUST(is_within(member, value));
		MUST(member.len == 0 ||
		    memchr(member.p, ':', member.len) == NULL);
		MUST(rest.p == NULL || rest.len < left);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { fuzz_copy(in, len), len };
	struct tags t;
	unsigned int i;
	char name[512];

	if (tags_parse(all, &t) == NULL) {
		MUST(t.n >= 1 && t.n <= TAGS_MAX);
		for (i = 0; i < t.n; i++) {
			MUST(is_within(t.tag[i].name, all));
			MUST(is_within(t.tag[i].value, all));
			if (slice_copy(t.tag[i].name, name, sizeof name))
				MUST(tags_get(&t, name) == &t.tag[i].value);
			try_value(t.tag[i].value);
		}
	}
	try_value(all);
	free((void *)all.p);
	return 0;
}
