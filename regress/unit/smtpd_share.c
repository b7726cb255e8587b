/*
 * Places that clients share: nobody has more than are left, who comes newly
 * has one at once, each in his turn, and nothing is lost or kept.
 *
 * SPDX-License-Identifier: ISC
 */
#include "share.h"

#include "unit.h"

enum { PLACES = 16, ROOM = 64, WANTS = 200 };

static struct want {
	struct share_place place;
	char client[48];
	unsigned int called; /* in which order; 0: not */
} want[WANTS];
static unsigned int n_called;
static struct share *share;

static void
on_place(void *arg)
{
	struct want *w = arg;

	w->called = ++n_called;
}

static enum share_is
wants(unsigned int i, const char *client)
{
	memset(&want[i], 0, sizeof want[i]);
	snprintf(want[i].client, sizeof want[i].client, "%s", client);
	return share_take(share, &want[i].place, client, on_place, &want[i]);
}

static void
leave_all(void)
{
	unsigned int i;

	share_hold(share);
	for (i = 0; i < WANTS; i++)
		share_leave(&want[i].place);
	share_go_on(share);
	n_called = 0;
}

/* So many of n wants of a client are at once, and wait. */
static void
test_one(const char *name, unsigned int from, unsigned int n,
    const char *client, unsigned int at_once, unsigned int wait)
{
	unsigned int i, has[SHARE_TAKEN + 1] = { 0 };

	for (i = from; i < from + n; i++)
		has[wants(i, client)]++;
	CHECK(name,
	    has[SHARE_TAKEN] == at_once && has[SHARE_WAIT] == wait &&
		has[SHARE_NONE] == n - at_once - wait);
}

static void
test_shares(void)
{
	unsigned int i, called;

	/* ROOM / 2 in all: as much as it leaves. */
	test_one("one client has half", 0, 40, "192.0.2.1", 8, 24);
	test_one("the next has half of the rest", 40, 10, "192.0.2.2", 4, 6);
	test_one("an address of IPv6 is a client", 50, 1, "2001:db8::1", 1, 0);
	test_one("so are all of its /64", 51, 3, "2001:db8::2:3", 1, 2);
	test_one("another /64 is another", 54, 1, "2001:db8:0:1::1", 1, 0);
	test_one("who has no address is one too", 55, 2, "", 1, 1);
	test_one("until none is left", 61, 2, "192.0.2.4", 0, 2);
	CHECK("all are counted",
	    share_count(share) == 32 + 10 + 1 + 3 + 1 + 2 + 2);
	called = n_called;
	share_leave(&want[0].place);
	CHECK("who has none is first",
	    called == 0 && n_called == 1 && want[61].called == 1);
	for (i = 1; i < 8; i++)
		share_leave(&want[i].place);
	CHECK("then those who have fewest",
	    want[8].called != 0 && want[56].called != 0 &&
		want[62].called != 0 && want[44].called == 0);
	leave_all();
	CHECK("nothing is left", share_count(share) == 0);
}

static void
test_order(void)
{
	unsigned int i, bad = 0;

	for (i = 0; i < 20; i++)
		wants(i, "192.0.2.1");
	for (i = 0; i < 12; i++)
		share_leave(&want[i].place);
	for (i = 8; i < 20; i++)
		bad += want[i].called != i - 7;
	CHECK("of one client the first is first", bad == 0);
	share_leave(&want[19].place);
	share_leave(&want[19].place);
	CHECK("to leave twice is nothing", share_count(share) == 7);
	leave_all();
}

/* Who is given a place leaves at once, and takes others with him. */
static void
on_leave(void *arg)
{
	struct want *w = arg;

	n_called++;
	share_leave(&w->place);
	if (w > want)
		share_leave(&w[-1].place);
}

static void
test_within(void)
{
	unsigned int i;

	for (i = 0; i < 30; i++) {
		wants(i, "192.0.2.1");
		want[i].place.fn = on_leave;
	}
	share_leave(&want[0].place);
	CHECK("ended while it is given",
	    n_called > 0 && share_count(share) < 8);
	leave_all();
	CHECK("... and all went", share_count(share) == 0);
}

/* By chance: the bounds hold at each step, and nobody waits for nothing. */
static void
test_chance(void)
{
	unsigned int step, i, j, taken, own, bad = 0, n, seed = 7;
	char client[48];

	for (step = 0; step < 20000; step++) {
		seed = seed * 1103515245 + 12345;
		i = seed / 65536 % WANTS;
		if (want[i].place.share != NULL)
			share_leave(&want[i].place);
		else {
			snprintf(client, sizeof client, "192.0.2.%u",
			    seed / 4096 % 9);
			(void)wants(i, client);
		}
		for (i = taken = n = 0; i < WANTS; i++) {
			n += want[i].place.share != NULL;
			taken +=
			    want[i].place.share != NULL && want[i].place.taken;
		}
		bad += taken > PLACES || n > ROOM || n != share_count(share);
		for (i = 0; i < WANTS; i++) {
			if (want[i].place.share == NULL || want[i].place.taken)
				continue;
			for (j = own = 0; j < WANTS; j++)
				own += want[j].place.share != NULL &&
				    want[j].place.taken &&
				    strcmp(want[j].client, want[i].client) == 0;
			bad += own < PLACES - taken;
		}
	}
	leave_all();
	CHECK("by chance", bad == 0 && share_count(share) == 0);
}

int
main(void)
{
	share = share_new(PLACES, ROOM);
	test_shares();
	test_order();
	test_within();
	test_chance();
	share_free(&share);
	share_free(&share);
	return unit_end();
}
