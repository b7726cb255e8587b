/*
 * index_row.c: a row that is read packs into its bounds and is read again as
 * the same.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "index_row.h"

/* What each row's functions are about. */
union row {
	struct index_msg msg;
	struct index_rcpt rcpt;
	struct index_way way;
};

#define ROW(name)                                                              \
	static bool unpack_##name(const void *in, size_t len, union row *r)    \
	{                                                                      \
		return row_unpack_##name(in, len, &r->name);                   \
	}                                                                      \
	static size_t pack_##name(const union row *r, uint8_t *out)            \
	{                                                                      \
		return row_pack_##name(&r->name, out);                         \
	}
/* clang-format off */
ROW(msg)
ROW(rcpt)
ROW(way)
/* clang-format on */

/* Columns: reads a row, writes it. */
static const struct {
	bool (*unpack)(const void *in, size_t len, union row *r);
	size_t (*pack)(const union row *r, uint8_t *out);
} rows[] = {
	{ unpack_msg, pack_msg },
	{ unpack_rcpt, pack_rcpt },
	{ unpack_way, pack_way },
};

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	union row one, two;
	uint8_t *out, *again;
	size_t kind, n;

	if (len == 0)
		return 0;
	kind = in[0] % (sizeof rows / sizeof rows[0]);
	/* Of the reader's memory only what it fills may count. */
	memset(&one, 0, sizeof one);
	memset(&two, 0, sizeof two);
	if (!rows[kind].unpack(in + 1, len - 1, &one))
		return 0;
	out = malloc(ROW_MAX);
	again = malloc(ROW_MAX);
	n = rows[kind].pack(&one, out);
	MUST(n > 0 && n <= ROW_MAX && n <= len - 1);
	MUST(rows[kind].unpack(out, n, &two));
	MUST(memcmp(&one, &two, sizeof one) == 0);
	MUST(rows[kind].pack(&two, again) == n && memcmp(out, again, n) == 0);
	MUST(!rows[kind].unpack(out, n - 1, &two));
	free(out);
	free(again);
	return 0;
}
