/*
 * Pace: what each cause and width asks of a route and of a recipient, and when
 * a recipient is tried again.
 *
 * SPDX-License-Identifier: ISC
 */
#include "pace.h"

#include <stdbool.h>
#include <string.h>

#include "unit.h"

static struct outcome
failure(enum verdict v, enum cause cause, enum width width, uint32_t after)
{
	struct outcome o;

	memset(&o, 0, sizeof o);
	o.verdict = (uint8_t)v;
	o.cause = (uint8_t)cause;
	o.width = (uint8_t)width;
	o.after = after;
	return o;
}

/* Columns: name, cause, width, what the route does, the recipient. */
static const struct {
	const char *name;
	enum cause cause;
	enum width width;
	enum pace_route route;
	enum pace_rcpt rcpt;
} rows[] = {
	{ "a full mailbox is its own", CAUSE_MAILBOX, WIDTH_RCPT, PACE_KEEP,
	    PACE_OWN },
	{ "a rate that is said to each tires", CAUSE_RATE, WIDTH_RCPT,
	    PACE_TIRE, PACE_OWN },
	{ "... of a message too", CAUSE_RATE, WIDTH_MESSAGE, PACE_TIRE,
	    PACE_OWN },
	{ "421 for the rate: a pause", CAUSE_RATE, WIDTH_STREAM, PACE_PAUSE,
	    PACE_OWN },
	{ "the same as a greeting, nobody was asked for", CAUSE_RATE,
	    WIDTH_SITE, PACE_PAUSE, PACE_PARK },
	{ "who takes nothing from us as a greeting is down", CAUSE_REPUTATION,
	    WIDTH_SITE, PACE_DOWN, PACE_PARK },
	{ "likewise by policy", CAUSE_POLICY, WIDTH_SITE, PACE_DOWN,
	    PACE_PARK },
	{ "what they think of us is said of each", CAUSE_REPUTATION, WIDTH_RCPT,
	    PACE_TIRE, PACE_OWN },
	{ "a message they do not like", CAUSE_CONTENT, WIDTH_MESSAGE, PACE_KEEP,
	    PACE_OWN },
	{ "not even where they hang up", CAUSE_CONTENT, WIDTH_STREAM, PACE_KEEP,
	    PACE_OWN },
	{ "no connection", CAUSE_NETWORK, WIDTH_SITE, PACE_DOWN, PACE_PARK },
	{ "a broken one", CAUSE_NETWORK, WIDTH_STREAM, PACE_SHRINK, PACE_OWN },
	{ "one that broke within a message", CAUSE_NETWORK, WIDTH_MESSAGE,
	    PACE_TIRE, PACE_OWN },
	{ "no DNS", CAUSE_DNS, WIDTH_SITE, PACE_DOWN, PACE_PARK },
	{ "no TLS", CAUSE_TLS, WIDTH_SITE, PACE_DOWN, PACE_PARK },
	{ "our login", CAUSE_CONFIG, WIDTH_SITE, PACE_DOWN, PACE_PARK },
	{ "their disk is full, at MAIL", CAUSE_SYSTEM, WIDTH_MESSAGE, PACE_TIRE,
	    PACE_OWN },
	{ "nobody said why", CAUSE_NONE, WIDTH_STREAM, PACE_SHRINK, PACE_OWN },
	{ "nobody said why, of all", CAUSE_NONE, WIDTH_SITE, PACE_DOWN,
	    PACE_PARK },
};

static void
check_rules(void)
{
	struct outcome o;
	struct pace p;
	size_t i;
	unsigned int c;
	bool good = true, bad = true;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		o = failure(LATER, rows[i].cause, rows[i].width, 0);
		p = pace_of(&o);
		CHECK(rows[i].name,
		    p.route == rows[i].route && p.rcpt == rows[i].rcpt);
		o.verdict = i % 2 == 0 ? DONE : NEVER;
		p = pace_of(&o);
		good = good && p.route == PACE_KEEP && p.rcpt == PACE_OWN;
	}
	CHECK("what is over asks for nothing", good);
	for (c = 0; c < CAUSES_N; c++) {
		o = failure(LATER, c, WIDTH_SITE, 0);
		p = pace_of(&o);
		bad = bad && p.route >= PACE_PAUSE && p.rcpt == PACE_PARK;
		o.width = WIDTH_RCPT;
		p = pace_of(&o);
		bad = bad && p.route <= PACE_TIRE && p.rcpt == PACE_OWN;
	}
	CHECK("a site is always the route's, a recipient never", bad);
	o = failure(LATER, CAUSE_RATE, WIDTH_MESSAGE, 0);
	o.local = 1;
	CHECK("our own trouble with one is not the route's",
	    pace_of(&o).route == PACE_KEEP);
	o.width = WIDTH_SITE;
	CHECK("that with a host is", pace_of(&o).route == PACE_PAUSE);
	o = failure(LATER, CAUSE_RATE, WIDTH_RCPT, 0);
	snprintf(o.text, sizeof o.text, "GreyListed, see http://x.test/");
	CHECK("a greylist is about one sender and recipient",
	    pace_of(&o).route == PACE_KEEP && pace_of(&o).rcpt == PACE_OWN);
	o.width = WIDTH_MESSAGE;
	CHECK("behind the content too", pace_of(&o).route == PACE_KEEP);
	o.width = WIDTH_STREAM;
	CHECK("but not for who may not even begin",
	    pace_of(&o).route == PACE_PAUSE);
	o = failure(LATER, 200, 200, 0);
	CHECK("numbers that nobody knows do not matter",
	    pace_of(&o).route == PACE_KEEP);
}

static void
check_seconds(void)
{
	struct outcome o = failure(LATER, CAUSE_RATE, WIDTH_RCPT, 0);
	uint32_t low = UINT32_MAX, high = 0, r, s;

	CHECK("not asked: the step", pace_seconds(&o, 77, 1, 5) == 77);
	o.after = 300;
	for (r = 0; r < 1000; r++) {
		s = pace_seconds(&o, 77, 1, r);
		low = s < low ? s : low;
		high = s > high ? s : high;
	}
	CHECK("never sooner than it asks", low == 301);
	CHECK("and not much later", high > 310 && high <= 331);
	o.after = 6 * 3600;
	CHECK("not much later in hours too",
	    pace_seconds(&o, 77, 1, UINT32_MAX) <= 6 * 3600 + 61);
	CHECK("sooner than the step, if it asks for that",
	    pace_seconds(&o, 100000, 1, 0) == 6 * 3600 + 1);
	o.after = 1;
	CHECK("believed some times",
	    pace_seconds(&o, 1000, PACE_ASKED, 0) == 2);
	CHECK("then the steps hold, if they are longer",
	    pace_seconds(&o, 1000, PACE_ASKED + 1, 0) == 1000);
	o.after = 300;
	CHECK("but never sooner than it asks",
	    pace_seconds(&o, 77, 1000, 0) == 301);
	o.verdict = NEVER;
	CHECK("what is over has no time", pace_seconds(&o, 77, 1, 0) == 77);
}

int
main(void)
{
	check_rules();
	check_seconds();
	return unit_end();
}
