/*
 * The trailer: what is printed is read back, and nothing else is.
 *
 * SPDX-License-Identifier: ISC
 */
#include "trailer.h"
#include "unit.h"

static const struct trailer rows[] = {
	{ 0, 0, 0, 0 },
	{ 1, 2, 3, 4 },
	{ 4096, 312, 5, 0x0123456789abcdef },
	{ UINT64_MAX, 99999999999, UINT32_MAX, UINT64_MAX },
};

static int
same(const struct trailer *a, const struct trailer *b)
{
	return a->content == b->content && a->trace == b->trace &&
	    a->content_facts == b->content_facts && a->sum == b->sum;
}

static void
test_round_trip(void)
{
	char name[64], zeros[TRAILER_LEN] = "";
	struct trailer t;
	size_t i;
	char *out;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		out = unit_guard(zeros, TRAILER_LEN);
		trailer_print(&rows[i], out);
		snprintf(name, sizeof name, "round trip %zu", i);
		CHECK(name,
		    trailer_parse(out, TRAILER_LEN, &t) == NULL &&
			same(&t, &rows[i]));
		CHECK("one line",
		    out[TRAILER_LEN - 1] == '\n' &&
			memchr(out, '\n', TRAILER_LEN - 1) == NULL &&
			memchr(out, '\0', TRAILER_LEN) == NULL);
	}
}

static void
test_cut(void)
{
	char line[TRAILER_LEN];
	struct trailer t;
	size_t len;
	int ok = 1;

	trailer_print(&rows[2], line);
	for (len = 0; len < TRAILER_LEN; len++)
		ok =
		    ok && trailer_parse(unit_guard(line, len), len, &t) != NULL;
	CHECK("cut short", ok);
	CHECK("too long",
	    trailer_parse(unit_guard(line, TRAILER_LEN), TRAILER_LEN + 1, &t) !=
		NULL);
}

/* No byte can be another than it is, but for a digit that is another digit. */
static void
test_damage(void)
{
	char line[TRAILER_LEN], was;
	struct trailer t;
	size_t i;
	int c, ok = 1;

	trailer_print(&rows[2], line);
	for (i = 0; i < TRAILER_LEN; i++) {
		was = line[i];
		for (c = 0; c < 256; c++) {
			line[i] = (char)c;
			if (line[i] == was ||
			    trailer_parse(line, TRAILER_LEN, &t) != NULL)
				continue;
			ok = ok && !same(&t, &rows[2]) &&
			    ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
		}
		line[i] = was;
	}
	CHECK("damage is seen", ok);
	/* 20 nines are more than 64 bits. */
	memset(line + strlen("postern-end content "), '9', 20);
	CHECK("overflow", trailer_parse(line, TRAILER_LEN, &t) != NULL);
}

int
main(void)
{
	test_round_trip();
	test_cut();
	test_damage();
	return unit_end();
}
