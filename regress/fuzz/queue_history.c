/*
 * history_line_parse(): what it takes is printed again as it was understood.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "history.h"

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	char *copy = fuzz_copy((const char *)in, len);
	struct history_row row, again;
	struct slice line;
	struct buf b;

	if (history_line_parse((struct slice){ copy, len }, &row) == NULL) {
		buf_init(&b, HISTORY_LINE_MAX);
		MUST(history_line_print(&row, &b));
		line = (struct slice){ (const char *)buf_data(&b), b.len - 1 };
		MUST(history_line_parse(line, &again) == NULL);
		MUST(memcmp(&row, &again, sizeof row) == 0);
		buf_free(&b);
	}
	free(copy);
	return 0;
}
