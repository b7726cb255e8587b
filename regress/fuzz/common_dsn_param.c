/*
 * dsn_param.c: what is read is in its bounds, and what is printed of it is read
 * again as the same.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "dsn_param.h"

static void
try_orcpt(const char *text)
{
	char type[ORCPT_TYPE_MAX], addr[ORCPT_MAX + 1], narrow[ORCPT_MAX + 1];
	char again[ORCPT_MAX + 1], other[ORCPT_TYPE_MAX];

	if (orcpt_7bit(text, narrow))
		MUST(!has_8bit(narrow));
	if (!orcpt_decode(text, type, addr)) {
		MUST(type[0] == '\0');
		return;
	}
	MUST(strlen(type) < ORCPT_TYPE_MAX && strlen(addr) <= ORCPT_MAX);
	/* What an address may be comes out as it went in. */
	if (strlen(addr) <= ADDR_MAX && orcpt_of(addr, narrow)) {
		MUST(!has_8bit(narrow));
		MUST(orcpt_decode(narrow, other, again));
		if (!has_8bit(addr))
			MUST(strcmp(addr, again) == 0);
	}
}

static void
try_words(struct slice in)
{
	char text[NOTIFY_TEXT_MAX];
	uint8_t value, again;

	if (notify_parse(in, &value) == NULL) {
		notify_print(value, text);
		MUST(notify_parse(slice_of(text), &again) == NULL &&
		    again == value);
	}
	if (ret_parse(in, &value) == NULL)
		MUST(ret_parse(slice_of(ret_name(value)), &again) == NULL &&
		    again == value);
	if (body_parse(in, &value) == NULL)
		MUST(body_parse(slice_of(body_name(value)), &again) == NULL &&
		    again == value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	char *copy = fuzz_copy(in, len), *text;
	struct slice all = { copy, len };
	char out[ENVID_MAX + 1];

	try_words(all);
	if (xtext_decode(all, out, sizeof out))
		MUST(strlen(out) <= len);
	text = malloc(len + 1);
	memcpy(text, in, len);
	text[len] = '\0';
	try_orcpt(text);
	free(text);
	free(copy);
	return 0;
}
