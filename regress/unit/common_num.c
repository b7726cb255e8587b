/*
 * Numbers, sizes, times, ids and slices.
 *
 * SPDX-License-Identifier: ISC
 */
#include "bounds.h"
#include "id.h"
#include "num.h"
#include "slice.h"
#include "unit.h"
#include "verdict.h"

/* Columns: text, parser, minimum, maximum, NULL or why, value. */
struct row {
	const char *text;
	const char *(*parse)(const char *, uint64_t, uint64_t, uint64_t *);
	uint64_t min, max;
	const char *why;
	uint64_t value;
};

static const struct row rows[] = {
	{ "0", num_parse, 0, 9, NULL, 0 },
	{ "9", num_parse, 0, 9, NULL, 9 },
	{ "10", num_parse, 0, 9, "too large", 0 },
	{ "3", num_parse, 4, 9, "too small", 0 },
	{ "", num_parse, 0, 9, "not a number", 0 },
	{ "-1", num_parse, 0, 9, "not a number", 0 },
	{ "+1", num_parse, 0, 9, "not a number", 0 },
	{ " 1", num_parse, 0, 9, "not a number", 0 },
	{ "1 ", num_parse, 0, 9, "not a number", 0 },
	{ "0x1", num_parse, 0, 9, "not a number", 0 },
	{ "18446744073709551615", num_parse, 0, UINT64_MAX, NULL, UINT64_MAX },
	{ "18446744073709551616", num_parse, 0, UINT64_MAX, "too large", 0 },
	{ "35M", num_parse_size, 0, UINT64_MAX, NULL, 35 << 20 },
	{ "1k", num_parse_size, 0, UINT64_MAX, NULL, 1024 },
	{ "2G", num_parse_size, 0, UINT64_MAX, NULL, 2ull << 30 },
	{ "7", num_parse_size, 0, UINT64_MAX, NULL, 7 },
	{ "7T", num_parse_size, 0, UINT64_MAX, "not a size", 0 },
	{ "7MB", num_parse_size, 0, UINT64_MAX, "not a size", 0 },
	{ "18446744073709551615G", num_parse_size, 0, UINT64_MAX, "too large",
	    0 },
	{ "30s", num_parse_time, 0, UINT64_MAX, NULL, 30 },
	{ "5m", num_parse_time, 0, UINT64_MAX, NULL, 300 },
	{ "1h30m", num_parse_time, 0, UINT64_MAX, NULL, 5400 },
	{ "4d", num_parse_time, 0, UINT64_MAX, NULL, 345600 },
	{ "1w", num_parse_time, 0, 100, "too large", 0 },
	{ "30", num_parse_time, 0, UINT64_MAX,
	    "a time needs a unit: s, m, h, d or w", 0 },
	{ "", num_parse_time, 0, UINT64_MAX, "not a time", 0 },
	{ "h", num_parse_time, 0, UINT64_MAX, "not a time", 0 },
	{ "5m5", num_parse_time, 0, UINT64_MAX,
	    "a time needs a unit: s, m, h, d or w", 0 },
};

static void
test_numbers(void)
{
	const struct row *r;
	const char *why;
	char name[80];
	uint64_t v;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		r = &rows[i];
		v = 12345;
		why = r->parse(unit_guard(r->text, strlen(r->text) + 1), r->min,
		    r->max, &v);
		snprintf(name, sizeof name, "num %zu '%s'", i, r->text);
		if (r->why == NULL)
			CHECK(name, why == NULL && v == r->value);
		else
			CHECK(name,
			    why != NULL && strcmp(why, r->why) == 0 &&
				v == 12345);
	}
}

static void
test_ids(void)
{
	static const char *const bad[] = { "", "0", "000000000000",
		"00000000000000", "G000000000000", "000000000000U",
		"00000 0000000", "0000000000000x" };
	char a[ID_LEN + 1], b[ID_LEN + 1];
	uint64_t id = id_now(), back;
	size_t i;

	CHECK("id: low bits are free", (id & 0xffff) == 0);
	CHECK("id: round trip", id_parse(id_print(id, a), &back) && back == id);
	CHECK("id: sorts by time",
	    strcmp(id_print(id, a), id_print(id + ID_STEP, b)) < 0);
	CHECK("id: highest",
	    id_parse(id_print(UINT64_MAX, a), &back) && back == UINT64_MAX);
	CHECK("id: lower case", id_parse("0abcdefghjkmn", &back));
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK("id: refused",
		    !id_parse(unit_guard(bad[i], strlen(bad[i]) + 1), &back));
}

/* The ids of all that two messages in a row can have made of them are
 * different: each message, its notifications, the children, theirs. */
static void
test_derived_ids(void)
{
	const uint64_t first = UINT64_C(0x0123456789ab0000);
	const uint32_t k = 3;
	uint64_t second = id_last(first, k) + 1, id[2] = { first, second };
	uint64_t seen[64], notice, child;
	size_t n = 0, i, j, same = 0;
	uint32_t r, m;

	for (m = 0; m < 2; m++) {
		seen[n++] = id[m];
		notice = id[m] | 1; /* one stands for all: low bits stay */
		seen[n++] = notice;
		seen[n++] = id_child(notice, 0);
		for (r = 0; r < k; r++) {
			child = id_child(id[m], r);
			seen[n++] = child;
			notice = child | 1;
			seen[n++] = notice;
			seen[n++] = id_child(notice, 0);
		}
	}
	for (i = 0; i < n; i++)
		for (j = 0; j < i; j++)
			same += seen[i] / ID_STEP == seen[j] / ID_STEP &&
			    (seen[i] == seen[j] || seen[i] / 2 != seen[j] / 2);
	CHECK("id: derived ones differ", same == 0 && n == 24);
	CHECK("id: a child has low bits for its notifications",
	    id_child(first, RCPT_MAX - 1) % ID_STEP == 0);
	CHECK("id: a child of a notification keeps its low bits",
	    id_child(first | 65535, 0) % ID_STEP == 65535);
	CHECK("id: all are inside what was kept",
	    id_child(id_child(first, k - 1) | 65535, 0) == id_last(first, k));
	CHECK("id: the next message comes behind", second % ID_STEP == 0);
}

static void
test_slices(void)
{
	char out[4];

	CHECK("slice: case", slice_eqcase(SLICE("aBc"), SLICE("AbC")));
	CHECK("slice: only ASCII case",
	    !slice_eqcase(SLICE("\xc4"), SLICE("\xe4")));
	CHECK("slice: lengths", !slice_eq(SLICE("ab"), SLICE("abc")));
	CHECK("slice: trim",
	    slice_eq(slice_trim(SLICE(" \t a b\t")), SLICE("a b")));
	CHECK("slice: fits", slice_copy(SLICE("abc"), out, sizeof out));
	CHECK("slice: does not fit",
	    !slice_copy(SLICE("abcd"), out, sizeof out) && out[0] == '\0');
	CHECK("slice: NUL", !slice_copy(SLICE("a\0b"), out, sizeof out));
}

static void
test_outcomes(void)
{
	struct outcome o = { 0 };
	char out[64];

	CHECK("outcome: zero is later", o.verdict == LATER);
	outcome_set(&o, NEVER, WIDTH_RCPT, 550, "5.1.1", "no %s here", "bob");
	CHECK("outcome: printed",
	    strcmp(outcome_print(&o, out, sizeof out),
		"550 5.1.1 no bob here") == 0);
	outcome_set(&o, LATER, WIDTH_SITE, 0, NULL, "silence");
	CHECK("outcome: no codes",
	    strcmp(outcome_print(&o, out, sizeof out), "silence") == 0);
	outcome_set(&o, NEVER, WIDTH_RCPT, 554, "5.7.999", "x");
	CHECK("outcome: three digits", o.ecode[2] == 999);
}

int
main(void)
{
	test_numbers();
	test_ids();
	test_derived_ids();
	test_slices();
	test_outcomes();
	return unit_end();
}
