/*
 * smtp_line_get(): a line is found wherever the input is cut, and nothing
 * that is not CRLF ends a good one.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "smtp_line.h"

static enum smtp_line
get(const uint8_t *in, size_t len, size_t max, struct slice *line, size_t *used)
{
	enum smtp_line r = smtp_line_get(in, len, max, line, used);

	MUST(*used <= len && *used <= max && line->len <= *used);
	MUST(line->p == (const char *)in);
	MUST((r == LINE_MORE) == (*used == 0));
	if (r == LINE_LONG)
		MUST(*used == max && memchr(in, '\n', max) == NULL);
	if (r == LINE_CRLF) {
		MUST(line->len + 2 == *used);
		MUST(memcmp(in + line->len, "\r\n", 2) == 0);
		MUST(line->len == 0 ||
		    (memchr(in, '\r', line->len) == NULL &&
			memchr(in, '\n', line->len) == NULL));
	}
	if (r == LINE_MORE)
		MUST(len < max && (len == 0 || memchr(in, '\n', len) == NULL));
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice line, early;
	size_t max, used, cut, before;
	enum smtp_line r, part;
	uint8_t *copy;

	if (len == 0 || len > 512)
		return 0;
	max = (size_t)in[0] + 2;
	for (in++, len--; len > 0; in += used, len -= used) {
		r = get(in, len, max, &line, &used);
		for (cut = 0; cut <= len; cut += 1 + cut / 8) {
			copy = fuzz_copy(in, cut);
			part = get(copy, cut, max, &early, &before);
			if (cut < used)
				MUST(part == LINE_MORE);
			else
				MUST(part == r && before == used &&
				    early.len == line.len);
			free(copy);
		}
		if (r == LINE_MORE)
			break;
	}
	return 0;
}
