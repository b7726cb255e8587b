/*
 * dsn_title.c: whatever a header holds, its title is UTF-8 on one line and in
 * its bounds.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "dsn_title.h"

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	char *copy = fuzz_copy(in, len), title[DSN_TITLE_SIZE];
	size_t i;

	dsn_title((struct slice){ copy, len }, "Subject", title);
	MUST(strlen(title) < sizeof title);
	MUST(slice_is_utf8(slice_of(title)));
	for (i = 0; title[i] != '\0'; i++)
		MUST((unsigned char)title[i] >= ' ' && title[i] != 0x7f);
	free(copy);
	return 0;
}
