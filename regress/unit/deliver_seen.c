/*
 * What is remembered of addresses and families that do not work: for how long,
 * of whom, and how much of it.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>

#include "resolv.h"
#include "seen.h"
#include "unit.h"

#define S 1000 /* a second */
#define M (60 * S)

enum what { BAD, GOOD, TRY, ASK };

/* clang-format off */
/* One address and route "a", from 1 on.  Columns: when, what, of which route;
 * ASK: the state, and how long it stays down. */
static const struct step {
	msec at;
	enum what what;
	const char *route;
	enum seen_state want;
	msec still;
} steps[] = {
	{ 0, ASK, "a", SEEN_WELL, 0 },
	{ 0, TRY, "a", 0, 0 },
	{ 0, ASK, "b", SEEN_WELL, 0 },
	{ 0, BAD, "a", 0, 0 },
	{ 0, ASK, "b", SEEN_DOWN, 1 * M },
	{ 10 * S, ASK, "a", SEEN_DOWN, 50 * S },
	/* Tried beside the other: no doubling. */
	{ 30 * S, BAD, "b", 0, 0 },
	{ 30 * S, ASK, "a", SEEN_DOWN, 1 * M },
	{ 90 * S - 1, ASK, "a", SEEN_DOWN, 1 },
	{ 90 * S, ASK, "a", SEEN_DUE, 0 },
	/* One tries, the others wait. */
	{ 90 * S, TRY, "a", 0, 0 },
	{ 91 * S, ASK, "b", SEEN_DOWN, 59 * S },
	{ 2 * M, BAD, "a", 0, 0 },
	{ 2 * M, ASK, "b", SEEN_DOWN, 2 * M },
	{ 4 * M, ASK, "b", SEEN_DUE, 0 },
	{ 4 * M, BAD, "b", 0, 0 },
	{ 4 * M, ASK, "b", SEEN_DOWN, 4 * M },
	{ 8 * M, BAD, "b", 0, 0 },
	{ 8 * M, ASK, "b", SEEN_DOWN, 8 * M },
	{ 16 * M, BAD, "b", 0, 0 },
	{ 16 * M, ASK, "b", SEEN_DOWN, 15 * M },
	{ 31 * M, BAD, "b", 0, 0 },
	{ 31 * M, ASK, "b", SEEN_DOWN, 15 * M },
	/* Long ago is as never. */
	{ 46 * M + SEEN_FORGET_MS, ASK, "b", SEEN_DUE, 0 },
	{ 47 * M + SEEN_FORGET_MS, ASK, "b", SEEN_WELL, 0 },
	{ 47 * M + SEEN_FORGET_MS, BAD, "b", 0, 0 },
	{ 47 * M + SEEN_FORGET_MS, ASK, "b", SEEN_DOWN, 1 * M },
	{ 47 * M + SEEN_FORGET_MS, GOOD, "b", 0, 0 },
	{ 47 * M + SEEN_FORGET_MS, ASK, "b", SEEN_WELL, 0 },
	{ 47 * M + SEEN_FORGET_MS, GOOD, "b", 0, 0 },
};
/* clang-format on */

static void
addresses(void)
{
	struct seen *s = seen_new(10);
	struct seen_about about;
	enum seen_state state;
	struct dns_server a;
	char name[80];
	size_t i;

	resolv_address(SLICE("192.0.2.1"), 25, &a);
	for (i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		if (steps[i].what == BAD)
			seen_addr_bad(s, &a.ss, steps[i].route, "silent",
			    1 + steps[i].at);
		else if (steps[i].what == GOOD)
			seen_addr_good(s, &a.ss);
		else if (steps[i].what == TRY)
			seen_addr_try(s, &a.ss, 1 + steps[i].at);
		if (steps[i].what != ASK)
			continue;
		state = seen_addr(s, &a.ss, steps[i].route, 1 + steps[i].at,
		    &about);
		snprintf(name, sizeof name, "seen: step %zu", i);
		CHECK(name,
		    state == steps[i].want && about.still == steps[i].still);
	}
	seen_free(&s);
	CHECK("seen: freed", s == NULL);
}

static void
about_what(void)
{
	struct seen *s = seen_new(10);
	struct seen_about about;
	char why[400];
	struct dns_server a;

	memset(why, 'x', sizeof why);
	why[sizeof why - 1] = '\0';
	resolv_address(SLICE("2001:db8::1"), 25, &a);
	seen_addr_bad(s, &a.ss, "mx:a", why, 5000);
	seen_addr(s, &a.ss, "mx:a", 9000, &about);
	CHECK("seen: own, how long ago, why, cut",
	    about.own && about.ago == 4000 &&
		strlen(about.why) == SEEN_WHY_MAX);
	seen_addr(s, &a.ss, "mx:b", 9000, &about);
	CHECK("seen: of another", !about.own);
	seen_addr_bad(s, &a.ss, "mx:b", "no", 9000);
	seen_addr(s, &a.ss, "mx:b", 9000, &about);
	CHECK("seen: the last who found it", about.own);
	seen_free(&s);
}

/* Each is a row of its own. */
static void
keys(void)
{
	static const struct {
		const char *ip;
		uint16_t port;
	} rows[] = { { "192.0.2.1", 25 }, { "192.0.2.1", 26 },
		{ "192.0.2.2", 25 }, { "2001:db8::1", 25 },
		{ "2001:db8::2", 25 }, { "c000:201::", 25 } };
	const size_t n = sizeof rows / sizeof rows[0];
	struct seen *s = seen_new(100);
	struct dns_server a;
	size_t i;
	int well = 0;

	for (i = 0; i < n; i++) {
		resolv_address(slice_of(rows[i].ip), rows[i].port, &a);
		well += seen_addr(s, &a.ss, "r", 1, NULL) == SEEN_WELL;
		seen_addr_bad(s, &a.ss, "r", "no", 1);
	}
	CHECK("seen: by address and port",
	    well == (int)n && seen_count(s) == n);
	seen_family_bad(s, "r", AF_INET, 1);
	seen_family_bad(s, "r", AF_INET6, 1);
	seen_family_bad(s, "q", AF_INET6, 1);
	CHECK("seen: by route and family",
	    seen_count(s) == n + 3 && seen_family(s, "r", AF_INET, 2) &&
		!seen_family(s, "q", AF_INET, 2));
	seen_free(&s);
}

static void
families(void)
{
	struct seen *s = seen_new(10);
	msec t = 1;

	CHECK("seen: a family, nothing known",
	    !seen_family(s, "r", AF_INET6, t));
	seen_family_bad(s, "r", AF_INET6, t);
	CHECK("seen: a family, ten minutes",
	    seen_family(s, "r", AF_INET6, t + SEEN_FAMILY_MS - 1));
	t += SEEN_FAMILY_MS;
	CHECK("seen: then it may be tried",
	    !seen_family(s, "r", AF_INET6, t) &&
		!seen_family(s, "r", AF_INET6, t));
	seen_family_try(s, "r", AF_INET6, t);
	CHECK("seen: by one", seen_family(s, "r", AF_INET6, t));
	seen_family_bad(s, "r", AF_INET6, t);
	CHECK("seen: a family, twenty minutes",
	    seen_family(s, "r", AF_INET6, t + 2 * SEEN_FAMILY_MS - 1) &&
		!seen_family(s, "r", AF_INET6, t + 2 * SEEN_FAMILY_MS));
	t += 2 * SEEN_FAMILY_MS;
	seen_family_bad(s, "r", AF_INET6, t);
	t += 4 * SEEN_FAMILY_MS;
	seen_family_bad(s, "r", AF_INET6, t);
	CHECK("seen: a family, an hour at most",
	    seen_family(s, "r", AF_INET6, t + SEEN_FAMILY_MAX_MS - 1) &&
		!seen_family(s, "r", AF_INET6, t + SEEN_FAMILY_MAX_MS));
	seen_family_good(s, "r", AF_INET6);
	CHECK("seen: a family that works",
	    !seen_family(s, "r", AF_INET6, t + 1) && seen_count(s) == 0);
	seen_free(&s);
}

/* Columns: addresses in order, with + for those that are down; the family that
 * goes last; the order to try them; how many are down. */
static const struct {
	const char *addr[6];
	int family;
	const char *want;
	unsigned int down;
} orders[] = {
	{ { "2001:db8::1", "192.0.2.1", "192.0.2.2" }, 0, "012", 0 },
	{ { "2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2" }, AF_INET6,
	    "1302", 0 },
	{ { "2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2" }, AF_INET,
	    "0213", 0 },
	{ { "+192.0.2.1", "192.0.2.2", "+192.0.2.3", "192.0.2.4" }, 0, "1302",
	    2 },
	{ { "+192.0.2.1", "2001:db8::1", "192.0.2.3" }, AF_INET6, "210", 1 },
	{ { "+192.0.2.1", "+2001:db8::1" }, AF_INET, "01", 2 },
	{ { NULL }, AF_INET, "", 0 },
};

static void
order(void)
{
	struct seen *s;
	struct mx_list list;
	struct dns_server a;
	char name[80], got[8];
	unsigned int i, k, down;

	for (i = 0; i < sizeof orders / sizeof orders[0]; i++) {
		s = seen_new(20);
		memset(&list, 0, sizeof list);
		for (k = 0; orders[i].addr[k] != NULL; k++) {
			name[0] = orders[i].addr[k][0];
			resolv_address(slice_of(orders[i].addr[k] +
					   (name[0] == '+')),
			    25, &a);
			list.addr[k].ss = a.ss;
			list.addr[k].len = a.len;
			list.addr[k].name[0] = (char)('0' + k);
			list.n++;
			if (name[0] == '+')
				seen_addr_bad(s, &a.ss, "r", "no", 1);
		}
		if (orders[i].family != 0)
			seen_family_bad(s, "r", orders[i].family, 1);
		down = seen_order(s, "r", &list, 2);
		for (k = 0; k < list.n; k++)
			got[k] = list.addr[k].name[0];
		got[k] = '\0';
		snprintf(name, sizeof name, "seen: order %u", i);
		CHECK(name,
		    strcmp(got, orders[i].want) == 0 && down == orders[i].down);
		seen_free(&s);
	}
}

/* The longest unused goes first. */
static void
bound(void)
{
	struct seen *s = seen_new(100);
	struct dns_server first, a;
	char ip[32];
	unsigned int i;

	resolv_address(SLICE("192.0.2.1"), 25, &first);
	seen_addr_bad(s, &first.ss, "r", "no", 1);
	for (i = 0; i < 10000; i++) {
		snprintf(ip, sizeof ip, "10.0.%u.%u", i / 256, i % 256);
		resolv_address(slice_of(ip), 25, &a);
		seen_addr_bad(s, &a.ss, "r", "no", 1);
		if (i < 5000)
			seen_addr(s, &first.ss, "r", 1, NULL);
		if (i == 4999)
			CHECK("seen: what is used stays",
			    seen_addr(s, &first.ss, "r", 1, NULL) == SEEN_DOWN);
	}
	CHECK("seen: bounded",
	    seen_count(s) == 100 &&
		seen_addr(s, &first.ss, "r", 1, NULL) == SEEN_WELL &&
		seen_addr(s, &a.ss, "r", 1, NULL) == SEEN_DOWN);
	seen_free(&s);
}

int
main(void)
{
	addresses();
	about_what();
	keys();
	families();
	order();
	bound();
	return unit_end();
}
