/*
 * Greylisting: what makes a triplet, who has to wait, clocks that jump, and
 * what is kept over restarts, without room, and above the bound.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/stat.h>

#include <bsd/string.h>

#include "grey_db.h"
#include "grey_store.h"
#include "index_priv.h"
#include "unit.h"
#include "unit_dir.h"

static const struct grey_times times = { .delay = 300,
	.window = 3600,
	.keep = 86400 };

/* ---- triplets ---- */

static void
nets(void)
{
	static const char *const rows[][2] = {
		{ "192.0.2.77", "192.0.2.0/24" },
		{ "192.0.2.0", "192.0.2.0/24" },
		{ "255.255.255.255", "255.255.255.0/24" },
		{ "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64" },
		{ "::1", "::/64" },
		{ "::ffff:192.0.2.77", "192.0.2.0/24" },
		{ "local", "local" },
		{ "", "" },
	};
	struct grey_triplet t;
	struct grey_ask ask;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		memset(&ask, 0, sizeof ask);
		strlcpy(ask.client, rows[i][0], sizeof ask.client);
		grey_triplet_of(&ask, &t);
		CHECK(rows[i][0], strcmp(t.net, rows[i][1]) == 0);
	}
}

static void
senders(void)
{
	static const char *const rows[][2] = {
		{ "Alice@Example.ORG", "alice@example.org" },
		{ "", "" },
		{ "alice+tag@example.org", "alice@example.org" },
		{ "bounce-1234-joe=a.test@lists.test",
		    "bounce-#-joe=a.test@lists.test" },
		{ "12345@lists.test", "#@lists.test" },
		{ "joe99@example.org", "joe99@example.org" },
		{ "1.2.x@example.org", "#.#.x@example.org" },
		{ "list@host1.example.org", "list@host1.example.org" },
		{ "SRS0=hash=TT=example.net=alice@fwd.test",
		    "example.net=alice@fwd.test" },
		{ "SRS0+hash=TT=example.net=alice@fwd.test",
		    "example.net=alice@fwd.test" },
		{ "SRS1=hash=fwd.test==opaque=tt=b.test=x@two.test",
		    "fwd.test==opaque=tt=b.test=x@two.test" },
		{ "prvs=0123456789=alice@example.org", "alice@example.org" },
		{ "prvs=alice@example.org", "prvs=alice@example.org" },
		{ "SRS0=@x", "srs0=@x" },
		{ "+@x", "@x" },
		{ "no-domain-1", "no-domain-1" },
		{ "\"a b\"@x.test", "\"a b\"@x.test" },
	};
	struct grey_triplet t;
	struct grey_ask ask;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		memset(&ask, 0, sizeof ask);
		strlcpy(ask.sender, rows[i][0], sizeof ask.sender);
		grey_triplet_of(&ask, &t);
		CHECK(rows[i][0], strcmp(t.sender, rows[i][1]) == 0);
	}
	memset(&ask, 0, sizeof ask);
	memset(ask.sender, '1', ADDR_MAX);
	memset(ask.rcpt, 'A', ADDR_MAX);
	grey_triplet_of(&ask, &t);
	CHECK("the longest recipient",
	    strlen(t.rcpt) == ADDR_MAX && t.rcpt[0] == 'a');
}

/* ---- judging ---- */

enum { T0 = 1000000000 };

static void
judges(void)
{
	struct grey_known t = { 0 }, net = { 0 };
	uint32_t wait;
	int i;

	CHECK("new: waits",
	    !grey_judge(&times, T0, &t, &net, &wait) && wait == 300 &&
		t.first == T0);
	CHECK("too soon",
	    !grey_judge(&times, T0 + 299, &t, &net, &wait) && wait == 1);
	CHECK("in time",
	    grey_judge(&times, T0 + 300, &t, &net, &wait) && net.n == 1);
	CHECK("known from now on",
	    grey_judge(&times, T0 + 301, &t, &net, &wait) && net.n == 1);
	CHECK("until it was away for long",
	    grey_judge(&times, T0 + 300 + 86399, &t, &net, &wait));
	CHECK("from the last time on",
	    grey_judge(&times, T0 + 300 + 2 * 86398, &t, &net, &wait));
	CHECK("too long",
	    !grey_judge(&times, T0 + 10 * 86400, &t, &net, &wait) &&
		wait == 300 && net.n == 0);
	t = (struct grey_known){ .first = T0 };
	CHECK("behind the window it is new",
	    !grey_judge(&times, T0 + 3600, &t, &net, &wait) &&
		t.first == T0 + 3600);
	memset(&net, 0, sizeof net);
	for (i = 0; i < GREY_PASSES; i++) {
		t = (struct grey_known){ .first = T0 };
		grey_judge(&times, T0 + 300, &t, &net, &wait);
	}
	memset(&t, 0, sizeof t);
	CHECK("a network that passed often need not wait",
	    net.n == GREY_PASSES &&
		grey_judge(&times, T0 + 301, &t, &net, &wait) && t.first == 0);
	CHECK("but for so long",
	    !grey_judge(&times, T0 + 300 + 86400, &t, &net, &wait));
}

static void
clocks(void)
{
	struct grey_known t = { .first = T0 }, net = { 0 };
	uint32_t wait;

	CHECK("put back: it begins again",
	    !grey_judge(&times, T0 - 5000, &t, &net, &wait) && wait == 300 &&
		t.first == T0 - 5000);
	CHECK("and ends", grey_judge(&times, T0 - 4700, &t, &net, &wait));
	t.last = net.last = T0 + 1000000;
	CHECK("passed in a time to come",
	    grey_judge(&times, T0, &t, &net, &wait) && t.last == T0);
	CHECK("put forward: another delay",
	    !grey_judge(&times, T0 + 100000000, &t, &net, &wait) &&
		wait == 300);
	CHECK("and no more than that",
	    grey_judge(&times, T0 + 100000300, &t, &net, &wait));
}

/* ---- rows ---- */

static void
row(void)
{
	struct grey_triplet t = { "192.0.2.0/24", "a@x.test", "b@y.test" }, u;
	struct grey_known k = { 1, 2, 3 }, l;
	uint8_t out[GREY_ROW_MAX];
	size_t len = grey_pack(&t, &k, 77, out), n, wrong = 0;
	int64_t due;

	CHECK("row: and back",
	    grey_unpack(unit_guard(out, len), len, &u, &l, &due) && due == 77 &&
		memcmp(&t, &u, sizeof t) == 0 && l.first == 1 && l.last == 2 &&
		l.n == 3);
	for (n = 0; n < len; n++)
		wrong += grey_unpack(unit_guard(out, n), n, &u, &l, &due);
	CHECK("row: cut short it is none", wrong == 0);
	out[0]++;
	CHECK("row: of another version", !grey_unpack(out, len, &u, &l, &due));
	memset(t.sender, 'a', ADDR_MAX);
	memset(t.rcpt, 'b', ADDR_MAX);
	memset(t.net, 'c', IP_TEXT_MAX);
	CHECK("row: the longest",
	    grey_pack(&t, &k, INT64_MAX, out) <= sizeof out);
}

/* ---- the store ---- */

struct world {
	char dir[64];
	struct loop *loop;
	struct index *ix;
	struct grey_store *store;
	struct timer timer;
};

static void
world_open(struct world *w)
{
	const uint64_t token[2] = { 1, 2 };
	const char *why;
	bool empty;

	w->loop = loop_new();
	w->ix = index_open_map(w->dir, token, false, 1 << 24, &empty, &why);
	w->store = w->ix == NULL ? NULL : grey_open(w->loop, w->ix, &why);
	if (w->store == NULL) {
		printf("not ok world: %s\n", why);
		exit(1);
	}
}

static void
world_close(struct world *w)
{
	grey_close(&w->store);
	index_close(&w->ix);
	timer_clear(&w->timer);
	loop_free(&w->loop);
}

static void
on_stop(void *arg)
{
	struct world *w = arg;

	loop_stop(w->loop);
}

static void
run_for(struct world *w, msec ms)
{
	timer_set(w->loop, &w->timer, ms, on_stop, w);
	loop_run(w->loop);
}

static struct grey_triplet
triplet(unsigned int i)
{
	struct grey_triplet t = { "192.0.2.0/24", "s@x.test", "" };

	snprintf(t.rcpt, sizeof t.rcpt, "r%u@y.test", i);
	return t;
}

static bool
known(struct world *w, unsigned int i, int64_t first)
{
	struct grey_triplet t = triplet(i);
	struct grey_known k, net;

	grey_get(w->store, &t, &k, &net);
	return k.first == first;
}

static bool
put(struct world *w, unsigned int i, int64_t first, int64_t due, uint32_t n)
{
	struct grey_triplet t = triplet(i);
	struct grey_known k = { .first = first }, net = { .n = n, .last = n };

	return grey_put(w->store, &t, &k, due, &net, due);
}

static uint64_t
stored(struct world *w)
{
	uint64_t triplets, networks;

	grey_count(w->ix, &triplets, &networks);
	return triplets * 1000 + networks;
}

static bool
count_row(void *arg, const struct grey_triplet *t, const struct grey_known *k,
    int64_t due)
{
	int *n = arg;

	*n += t->rcpt[0] == 'r' && k->first > 0 && due > 0;
	return *n < 2;
}

static void
kept(void)
{
	struct world w = { .dir = "/tmp/postern-unit.XXXXXX" };
	int64_t future = (int64_t)time(NULL) + 1000;
	int n = 0;

	if (mkdtemp(w.dir) == NULL)
		abort();
	world_open(&w);
	CHECK("nothing is known", known(&w, 1, 0));
	CHECK("kept", put(&w, 1, 11, future, 0) && known(&w, 1, 11));
	CHECK("not written yet", stored(&w) == 0);
	run_for(&w, 1300);
	CHECK("written within a second", stored(&w) == 1000);
	CHECK("known still", known(&w, 1, 11));
	put(&w, 1, 12, future, 7);
	CHECK("what changed counts", known(&w, 1, 12));
	put(&w, 2, 13, future, 7);
	put(&w, 3, 14, future, 8);
	world_close(&w);
	world_open(&w);
	CHECK("after a restart",
	    known(&w, 1, 12) && known(&w, 2, 13) && known(&w, 3, 14) &&
		stored(&w) == 3001);
	grey_walk(w.ix, false, count_row, &n);
	CHECK("walked, and ended when told", n == 2);
	/* Of the past: the next round forgets them. */
	put(&w, 1, 12, 1, 0);
	put(&w, 2, 13, 2, 0);
	world_close(&w);
	world_open(&w);
	run_for(&w, 1300);
	CHECK("what is due is forgotten",
	    known(&w, 1, 0) && known(&w, 2, 0) && known(&w, 3, 14) &&
		stored(&w) == 1001);
	world_close(&w);
	unit_remove(w.dir);
}

/* What LMDB says of its readers: a line for each, with a "-" in the place of
 * a transaction that is over. */
static int
find_reader(const char *line, void *arg)
{
	bool *found = arg;

	if (strstr(line, "txnid") == NULL && strchr(line, '-') == NULL &&
	    strstr(line, "no active") == NULL)
		*found = true;
	return 0;
}

struct walk {
	struct index *ix;
	int n;
	bool read; /* a transaction was open */
};

static bool
look_row(void *arg, const struct grey_triplet *t, const struct grey_known *k,
    int64_t due)
{
	struct walk *walk = arg;

	walk->n += t->rcpt[0] == 'r' && k->first > 0 && due > 0;
	(void)mdb_reader_list(walk->ix->facts, find_reader, &walk->read);
	return true;
}

/* A reader that takes its time keeps pages from being used again. */
static void
walked(void)
{
	enum { ROWS = 1000 };
	struct world w = { .dir = "/tmp/postern-unit.XXXXXX" };
	int64_t future = (int64_t)time(NULL) + 1000;
	struct walk walk = { 0 };
	unsigned int i;

	if (mkdtemp(w.dir) == NULL)
		abort();
	world_open(&w);
	for (i = 0; i < ROWS; i++)
		put(&w, i, 11, future, 0);
	world_close(&w);
	world_open(&w);
	walk.ix = w.ix;
	grey_walk(w.ix, false, look_row, &walk);
	CHECK("walked whole", walk.n == ROWS);
	CHECK("and no transaction is open meanwhile", !walk.read);
	world_close(&w);
	unit_remove(w.dir);
}

/* The oldest go first where there are too many. */
static void
bounded(void)
{
	struct world w = { .dir = "/tmp/postern-unit.XXXXXX" };
	int64_t future = (int64_t)time(NULL) + 1000;
	MDB_txn *txn;
	struct grey_db db;
	unsigned int i;
	int rc;

	if (mkdtemp(w.dir) == NULL)
		abort();
	world_open(&w);
	for (i = 0; i < 100; i++)
		put(&w, i, 1 + i, future + i, 0);
	world_close(&w);
	world_open(&w);
	rc = grey_db_open(&db, w.ix->facts, true);
	if (rc == MDB_SUCCESS)
		rc = mdb_txn_begin(w.ix->facts, NULL, 0, &txn);
	if (rc == MDB_SUCCESS)
		rc = grey_db_sweep(&db, txn, 0, 10, 40);
	if (rc == MDB_SUCCESS)
		rc = mdb_txn_commit(txn);
	CHECK("the oldest above the bound go",
	    rc == MDB_SUCCESS && stored(&w) == 40000 && known(&w, 59, 0) &&
		known(&w, 60, 61));
	world_close(&w);
	unit_remove(w.dir);
}

/* Nothing can be written: it stays in memory, up to a bound. */
static void
unwritten(void)
{
	struct world w = { .dir = "/tmp/postern-unit.XXXXXX" };
	int64_t future = (int64_t)time(NULL) + 1000;
	unsigned int i, taken = 0;
	MDB_txn *txn;

	if (mkdtemp(w.dir) == NULL)
		abort();
	world_open(&w);
	run_for(&w, 1300); /* its first round is done */
	/* As long as this is open nobody else writes. */
	if (mdb_txn_begin(w.ix->facts, NULL, 0, &txn) != MDB_SUCCESS)
		abort();
	put(&w, 1, 11, future, 0);
	run_for(&w, 1300);
	CHECK("known while it is being written", known(&w, 1, 11));
	put(&w, 1, 12, future, 0);
	CHECK("and what came since counts", known(&w, 1, 12));
	for (i = 2; i < 2 * GREY_PENDING; i++)
		taken += put(&w, i, i, future, 0);
	CHECK("no more than there is room for",
	    taken > 0 && taken < GREY_PENDING);
	mdb_txn_abort(txn);
	world_close(&w);
	world_open(&w);
	CHECK("nothing of it is lost",
	    known(&w, 1, 12) && known(&w, 2, 2) &&
		stored(&w) == ((uint64_t)taken + 1) * 1000);
	world_close(&w);
	unit_remove(w.dir);
}

/* Rows that are none are not known, and are written over. */
static void
damaged(void)
{
	struct world w = { .dir = "/tmp/postern-unit.XXXXXX" };
	int64_t future = (int64_t)time(NULL) + 1000;
	struct grey_triplet t = triplet(1);
	MDB_val key, val = { 3, (char[]){ "xyz" } };
	struct grey_key k;
	struct grey_db db;
	MDB_txn *txn;

	if (mkdtemp(w.dir) == NULL)
		abort();
	world_open(&w);
	put(&w, 1, 11, future, 0);
	world_close(&w);
	world_open(&w);
	grey_key(&t, false, &k);
	key = (MDB_val){ sizeof k.bytes, k.bytes };
	if (grey_db_open(&db, w.ix->facts, true) != MDB_SUCCESS ||
	    mdb_txn_begin(w.ix->facts, NULL, 0, &txn) != MDB_SUCCESS ||
	    mdb_put(txn, db.row[GREY_TRIPLET], &key, &val, 0) != MDB_SUCCESS ||
	    mdb_txn_commit(txn) != MDB_SUCCESS)
		abort();
	CHECK("a damaged row is not known", known(&w, 1, 0));
	put(&w, 1, 12, future, 0);
	world_close(&w);
	world_open(&w);
	CHECK("and is written over", known(&w, 1, 12));
	world_close(&w);
	unit_remove(w.dir);
}

int
main(void)
{
	nets();
	senders();
	judges();
	clocks();
	row();
	kept();
	walked();
	bounded();
	unwritten();
	damaged();
	return unit_end();
}
