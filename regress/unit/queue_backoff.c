/*
 * When to try again, and when to warn: steps, ceiling, jitter, warnings.
 *
 * SPDX-License-Identifier: ISC
 */
#include "backoff.h"

#include "unit.h"

static const struct conf_step steps[] = { { 300, 2 }, { 900, 1 }, { 3600, 1 } };
static const struct conf_step tiny[] = { { 1, 1 } };

/* Columns: name, steps, their number, ceiling, failures, seconds. */
static const struct {
	const char *name;
	const struct conf_step *steps;
	uint32_t n, max, failures, want;
} rows[] = {
	{ "first step", steps, 3, 14400, 1, 300 },
	{ "first step is used twice", steps, 3, 14400, 2, 300 },
	{ "second step", steps, 3, 14400, 3, 900 },
	{ "last step", steps, 3, 14400, 4, 3600 },
	{ "last step doubled", steps, 3, 14400, 5, 7200 },
	{ "ceiling", steps, 3, 14400, 6, 14400 },
	{ "ceiling holds for ever", steps, 3, 14400, UINT32_MAX, 14400 },
	{ "ceiling below the first step", steps, 3, 60, 1, 60 },
	{ "no failure counts as one", steps, 3, 14400, 0, 300 },
	{ "no steps: the default", NULL, 0, 14400, 1, BACKOFF_DEFAULT },
	{ "no steps: doubled", NULL, 0, 14400, 2, 2 * BACKOFF_DEFAULT },
	{ "no ceiling: the default one", steps, 3, 0, 99, BACKOFF_MAX },
	{ "one second", tiny, 1, 60, 1, 1 },
	{ "one second doubled", tiny, 1, 60, 4, 8 },
};

static void
check_steps(void)
{
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct backoff b = { rows[i].steps, rows[i].n, rows[i].max };

		CHECK(rows[i].name,
		    backoff_step(&b, rows[i].failures) == rows[i].want);
	}
}

static void
check_jitter(void)
{
	struct backoff b = { steps, 3, 14400 }, short_ = { tiny, 1, 60 };
	struct backoff few = { tiny, 1, 0 };
	uint32_t low = UINT32_MAX, high = 0, top = 0, zero = 1, s, r;
	bool bad = false;

	for (r = 0; r < 5000; r++) {
		s = backoff_seconds(&b, 1, r);
		low = s < low ? s : low;
		high = s > high ? s : high;
		s = backoff_seconds(&b, 50, r);
		top = s > top ? s : top;
		zero &= backoff_seconds(&short_, 1, r) >= 1;
	}
	CHECK("jitter goes down to -15 %", low == 255);
	CHECK("jitter goes up to +15 %", high == 345);
	CHECK("jitter stays below the ceiling", top <= 14400 && top > 14000);
	for (few.max = 1; few.max <= 10; few.max++) {
		for (r = 0; r < 5; r++) {
			s = backoff_seconds(&few, 50, r);
			bad |= s > few.max || (few.max <= 3 && s < few.max);
		}
	}
	CHECK("a ceiling of a few seconds is reached", !bad);
	CHECK("never less than a second", zero);
	CHECK("the largest random number",
	    backoff_seconds(&b, 1, UINT32_MAX) <= 345);
}

static void
check_warnings(void)
{
	static const uint32_t warn[CONF_WARN_MAX] = { 60, 600, 0, 0 };
	static const uint32_t none[CONF_WARN_MAX] = { 0 };
	static const uint32_t full[CONF_WARN_MAX] = { 1, 2, 3, 4 };

	CHECK("first warning is next",
	    backoff_warn_next(warn, 1000, 1000) == 1060);
	CHECK("at its time the second is next",
	    backoff_warn_next(warn, 1000, 1060) == 1600);
	CHECK("none after the last", backoff_warn_next(warn, 1000, 1600) == 0);
	CHECK("none configured", backoff_warn_next(none, 1000, 0) == 0);
	CHECK("all four", backoff_warn_next(full, 1000, 1003) == 1004);
	CHECK("none after all four", backoff_warn_next(full, 1000, 1004) == 0);
	CHECK("not one yet", backoff_warn_last(warn, 1000, 1059) == 0);
	CHECK("the first", backoff_warn_last(warn, 1000, 1060) == 60);
	CHECK("the last", backoff_warn_last(warn, 1000, 5000) == 600);
	CHECK("the last of four", backoff_warn_last(full, 1000, 5000) == 4);
	CHECK("the last of none", backoff_warn_last(none, 1000, 5000) == 0);
	CHECK("not due yet", !backoff_warn_due(warn, 1000, 1000, 1059));
	CHECK("due", backoff_warn_due(warn, 1000, 1000, 1060));
	CHECK("told already", !backoff_warn_due(warn, 1000, 1060, 1500));
	CHECK("the second one due", backoff_warn_due(warn, 1000, 1060, 1600));
	CHECK("two at once are one", backoff_warn_due(warn, 1000, 0, 9999));
}

int
main(void)
{
	check_steps();
	check_jitter();
	check_warnings();
	return unit_end();
}
