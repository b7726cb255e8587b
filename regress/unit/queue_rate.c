/*
 * Rates: never more than so many in any window, by a clock that the test
 * turns; over a restart, with a clock that goes back, and when nothing is
 * known of the past.
 *
 * SPDX-License-Identifier: ISC
 */
#include "rate.h"

#include "unit.h"

#define SENT_MAX 20000

static int64_t sent[SENT_MAX];
static int n_sent;

static uint32_t
next_random(void)
{
	static uint64_t state = 42;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33);
}

/* True if no window of what was sent has more than max. */
static int
kept(uint32_t max, int64_t window)
{
	int i, first = 0;

	for (i = 0; i < n_sent; i++) {
		while (sent[i] - sent[first] >= window)
			first++;
		if (i - first + 1 > (int)max)
			return 0;
	}
	return 1;
}

/* Sends as much as may be from one time to another, looking every step ms. */
static void
send_all(struct rate *r, int64_t from, int64_t to, int64_t step)
{
	int64_t now;

	for (now = from; now < to; now += step) {
		while (rate_left(r, now) > 0 && n_sent < SENT_MAX) {
			rate_add(r, now);
			sent[n_sent++] = now;
		}
	}
}

/* Columns: name, messages, seconds, the clock's step in ms. */
static const struct {
	const char *name;
	uint32_t max, per;
	int64_t step;
} rows[] = {
	{ "one in a second", 1, 1, 10 },
	{ "ten in a second", 10, 1, 7 },
	{ "32 in a minute", 32, 60, 100 },
	{ "33 in a minute", 33, 60, 100 },
	{ "a thousand in an hour", 1000, 3600, 900 },
	{ "many in a second", 4000, 1, 1 },
	{ "one in a day", 1, 86400, 60000 },
};

static void
greedy(void)
{
	const int64_t start = 1763718151000;
	struct rate r;
	size_t i;
	int64_t window, windows;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		window = (int64_t)rows[i].per * 1000;
		windows = rows[i].max > 1000 ? 3 : 10;
		n_sent = 0;
		rate_init(&r, rows[i].max, rows[i].per);
		send_all(&r, start, start + windows * window, rows[i].step);
		CHECK(rows[i].name, kept(rows[i].max, window));
		CHECK("and not much less",
		    n_sent >= (int)((uint32_t)(windows - 1) * rows[i].max));
	}
}

/* Bursts and pauses at random, saved and loaded at random. */
static void
ragged(void)
{
	struct rate_mark marks[RATE_MARKS];
	uint32_t n, round, max, per;
	int64_t now = 1763718151000;
	int bad = 0, reloads = 0;
	struct rate r;

	for (round = 0; round < 200; round++) {
		max = 1 + next_random() % 100;
		per = 1 + next_random() % 60;
		rate_init(&r, max, per);
		n_sent = 0;
		while (n_sent < 500) {
			now += next_random() % (per * 100);
			for (n = next_random() % (max + 1); n > 0; n--) {
				if (rate_left(&r, now) == 0)
					break;
				rate_add(&r, now);
				sent[n_sent++] = now;
			}
			if (next_random() % 16 == 0) {
				n = rate_save(&r, marks);
				rate_init(&r, max, per);
				rate_load(&r, marks, n, now);
				reloads++;
			}
			if (rate_left(&r, now) == 0)
				now = rate_next(&r, now);
		}
		bad += !kept(max, (int64_t)per * 1000);
	}
	CHECK("never too many, whatever the pace", bad == 0);
	CHECK("over many restarts", reloads > 100);
}

/* What is saved when a mark begins holds until the next one begins. */
static void
restart(void)
{
	struct rate_mark marks[RATE_MARKS];
	int64_t now = 1763718151000;
	struct rate r, s;
	uint32_t n = 0;
	int i, bad = 0, marked = 0;

	rate_init(&r, 100, 60);
	for (i = 0; i < 100; i++) {
		now += 10;
		if (rate_add(&r, now)) {
			n = rate_save(&r, marks);
			marked++;
		}
		rate_init(&s, 100, 60);
		rate_load(&s, marks, n, now);
		bad += rate_left(&s, now) > rate_left(&r, now);
	}
	CHECK("a queue that is killed never forgets one", bad == 0);
	CHECK("and does not write for each", marked == 25);
	CHECK("none is left", rate_left(&r, now) == 0);
	CHECK("until the first of them leaves",
	    rate_next(&r, now) == 1763718151000 + 40 + 60000);
	rate_init(&s, 10, 60);
	rate_load(&s, marks, n, now);
	CHECK("less is allowed now: it waits for most of them",
	    rate_left(&s, now) == 0 && rate_next(&s, now) > now + 59000);
}

static void
clock_back(void)
{
	int64_t now = 1763718151000, day = 86400000;
	struct rate r;
	int i;

	rate_init(&r, 10, 60);
	for (i = 0; i < 10; i++)
		rate_add(&r, now + i * 1000);
	CHECK("the clock goes back a day: nothing is forgotten",
	    rate_left(&r, now - day) == 0);
	CHECK("nor is there a day to wait",
	    rate_next(&r, now - day) == now - day - 9000 + 60000);
	CHECK("and it goes on", rate_left(&r, now - day + 51000) == 1);
}

static void
unknown_past(void)
{
	int64_t now = 1763718151000;
	struct rate r;

	rate_init(&r, 60, 3600);
	rate_assume(&r, now);
	CHECK("nothing known: none now", rate_left(&r, now) == 0);
	CHECK("the first ones soon",
	    rate_next(&r, now) <= now + 3600000 / 30 &&
		rate_next(&r, now) > now);
	CHECK("half of them after half the time",
	    rate_left(&r, now + 1800000) >= 28 &&
		rate_left(&r, now + 1800000) <= 32);
	CHECK("all after all of it", rate_left(&r, now + 3600000) == 60);
	rate_init(&r, UINT32_MAX, UINT32_MAX);
	rate_assume(&r, now);
	CHECK("the largest numbers", rate_left(&r, now) == 0);
	rate_init(&r, 1, 1);
	CHECK("an empty one", rate_empty(&r, now));
	rate_add(&r, now);
	CHECK("not any more", !rate_empty(&r, now + 999));
	CHECK("and again", rate_empty(&r, now + 1000));
}

/* Rows of an index that is no good do no harm. */
static void
bad_rows(void)
{
	struct rate_mark marks[RATE_MARKS];
	int64_t now = 1763718151000;
	struct rate r;
	int i;

	for (i = 0; i < RATE_MARKS; i++)
		marks[i] =
		    (struct rate_mark){ .at = INT64_MAX - i, .n = UINT32_MAX };
	rate_init(&r, 100, 60);
	rate_load(&r, marks, RATE_MARKS, now);
	CHECK("marks of the future", rate_left(&r, now) == 0);
	CHECK("are over in time", rate_left(&r, now + 60000) == 100);
	rate_load(&r, marks, 1000, now);
	CHECK("too many of them", r.n == RATE_MARKS);
}

int
main(void)
{
	greedy();
	ragged();
	restart();
	clock_back();
	unknown_past();
	bad_rows();
	return unit_end();
}
