/*
 * mime_7bit: the same in pieces as at once; nothing but a header keeps a byte
 * over 127; encoding it again changes nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "buf.h"
#include "mime_7bit.h"

static void
keep(void *arg, const uint8_t *p, size_t len)
{
	MUST(buf_add(arg, p, len));
}

/* The first byte of in is the size of the pieces; 0: at once. */
static const char *
convert(const uint8_t *in, size_t len, size_t piece, bool all, struct buf *out,
    bool *again)
{
	struct mime_7bit m;
	const char *why = NULL;
	size_t n, at;
	char *copy;

	buf_init(out, 0);
	mime_7bit_start(&m, "utf-8", all, keep, out);
	for (at = 0; at < len && why == NULL; at += n) {
		n = piece == 0 || len - at < piece ? len - at : piece;
		copy = fuzz_copy((const char *)in + at, n);
		why = mime_7bit_feed(&m, (const uint8_t *)copy, n);
		free(copy);
	}
	if (why == NULL)
		why = mime_7bit_end(&m);
	MUST(!all || !m.mislabelled);
	*again = m.mislabelled;
	mime_7bit_free(&m);
	return why;
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	size_t piece = len > 0 ? in[0] % 16 + 1 : 1, k;
	struct buf whole, parts, twice;
	const char *why, *why2;
	bool again, again2;

	if (len > 0) {
		in++;
		len--;
	}
	for (k = 0; k < 2; k++) {
		why = convert(in, len, 0, k == 1, &whole, &again);
		why2 = convert(in, len, piece, k == 1, &parts, &again2);
		MUST((why == NULL) == (why2 == NULL) && again == again2);
		if (why == NULL) {
			MUST(whole.len == parts.len &&
			    memcmp(buf_data(&whole), buf_data(&parts),
				whole.len) == 0);
			why = convert(buf_data(&whole), whole.len, 0, false,
			    &twice, &again);
			MUST(why == NULL || again == false || k == 0);
			buf_free(&twice);
		}
		buf_free(&whole);
		buf_free(&parts);
	}
	return 0;
}
