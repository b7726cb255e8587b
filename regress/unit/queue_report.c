/*
 * Reports to the domains of authors: rows that are kept, bounds, days that go;
 * XML whatever is in it.
 *
 * As `queue_report put SPOOL` it adds rows to the facts of a spool that is in
 * use, for who tests the programs: lines of standard input are "DAY DOMAIN
 * COUNT TIMES FROM" (DAY: 0 today, -1 before; TIMES: clients, from number FROM on).
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/stat.h>

#include <bsd/string.h>

#include <inttypes.h>
#include <zlib.h>

#include "conf_words.h"
#include "index_priv.h"
#include "log.h"
#include "report_db.h"
#include "report_make.h"
#include "report_note.h"
#include "report_store.h"
#include "unit.h"
#include "unit_dir.h"

/* ---- the store ---- */

struct world {
	char dir[64];
	struct loop *loop;
	struct index *ix;
	struct report_store *store;
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
	w->store = w->ix == NULL ? NULL : report_open(w->loop, w->ix, &why);
	if (w->store == NULL) {
		printf("not ok world: %s\n", why);
		exit(1);
	}
}

static void
world_close(struct world *w)
{
	report_close(&w->store);
	index_close(&w->ix);
	timer_clear(&w->timer);
	loop_free(&w->loop);
}

static void
world_new(struct world *w)
{
	memset(w, 0, sizeof *w);
	strlcpy(w->dir, "/tmp/postern-unit.XXXXXX", sizeof w->dir);
	if (mkdtemp(w->dir) == NULL)
		abort();
	world_open(w);
}

static void
world_end(struct world *w)
{
	world_close(w);
	unit_remove(w->dir);
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

static uint32_t
today(void)
{
	return (uint32_t)(time(NULL) / REPORT_DAY);
}

/* An entry of this day, from client i. */
static struct report_entry
entry_of(uint32_t day, const char *domain, unsigned int i)
{
	struct report_entry e = entry();

	e.day = day;
	strlcpy(e.domain, domain, sizeof e.domain);
	e.row.first = e.row.last = day * REPORT_DAY + i;
	snprintf(e.row.client, sizeof e.row.client, "10.%u.%u.%u",
	    i >> 16 & 255, i >> 8 & 255, i & 255);
	return e;
}

static bool
put(struct world *w, uint32_t day, const char *domain, unsigned int i)
{
	struct report_entry e = entry_of(day, domain, i);

	return report_put(w->store, &e);
}

/* What is written of it. */
static struct report_head
head_of(struct world *w, uint32_t day, const char *domain)
{
	struct report_reader *r;
	struct report_head head;

	r = report_read(w->ix, day, domain, &head);
	if (r == NULL)
		memset(&head, 0, sizeof head);
	report_read_end(&r);
	return head;
}

static bool
count_head(void *arg, const struct report_head_row *row)
{
	unsigned int *n = arg;

	(void)row;
	return ++*n < 1000;
}

static unsigned int
n_heads(struct world *w)
{
	unsigned int n = 0;

	report_heads(w->ix, count_head, &n);
	return n;
}

static void
kept(void)
{
	struct world w;
	struct report_mention *mentions;
	struct report_reader *r;
	struct report_head head;
	struct report_row row;
	uint32_t day = today();
	char name[32];
	unsigned int i;
	size_t n;

	world_new(&w);
	CHECK("store: taken",
	    put(&w, day, "a.test", 1) && put(&w, day, "a.test", 2) &&
		put(&w, day, "a.test", 2) && put(&w, day, "b.test", 1));
	CHECK("store: not written yet", n_heads(&w) == 0);
	run_for(&w, 1300);
	head = head_of(&w, day, "a.test");
	CHECK("store: written within a second, added up",
	    head.rows == 2 && head.messages == 3 &&
		head.first == day * REPORT_DAY + 1 &&
		head.last == day * REPORT_DAY + 2 && head.sent == 0);
	put(&w, day, "a.test", 2);
	world_close(&w);
	world_open(&w);
	head = head_of(&w, day, "a.test");
	CHECK("store: after a restart", head.rows == 2 && head.messages == 4);
	r = report_read(w.ix, day, "a.test", &head);
	n = report_mentions(r, &mentions);
	CHECK("store: the most frequent first",
	    n == 2 && mentions[0].count == 3 && mentions[1].count == 1 &&
		report_read_row(r, &mentions[0].hash, &row) && row.count == 3 &&
		strcmp(row.client, "10.0.0.2") == 0);
	free(mentions);
	report_read_end(&r);
	/* More than are read at once. */
	for (i = 0; i < 600; i++) {
		snprintf(name, sizeof name, "d%u.test", i);
		put(&w, day, name, 1);
	}
	world_close(&w);
	world_open(&w);
	CHECK("store: all domains are walked over", n_heads(&w) == 602);
	world_end(&w);
}

static void
dealt(void)
{
	struct report_head head;
	uint32_t day = today();
	struct world w;
	unsigned int i;

	world_new(&w);
	for (i = 0; i < 300; i++) {
		put(&w, day - 1, "a.test", i);
		put(&w, day - 1, "a.test.b", i);
	}
	put(&w, day, "a.test", 1);
	world_close(&w);
	world_open(&w);
	CHECK("sent: said", report_sent(w.store, day - 1, "a.test"));
	CHECK("sent: of what is not there",
	    report_sent(w.store, day - 1, "c.test"));
	world_close(&w);
	world_open(&w);
	CHECK("sent: its rows are gone",
	    head_of(&w, day - 1, "a.test").rows == 0);
	CHECK("sent: those of others are not",
	    head_of(&w, day - 1, "a.test.b").rows == 300 &&
		head_of(&w, day, "a.test").rows == 1);
	CHECK("sent: nothing is made of what was not there", n_heads(&w) == 3);
	put(&w, day - 1, "a.test", 7);
	world_close(&w);
	world_open(&w);
	head = head_of(&w, day - 1, "a.test");
	CHECK("sent: what comes later is another report",
	    head.rows == 1 && head.messages == 1 && head.sent == 1);
	world_end(&w);
}

static void
swept(void)
{
	uint32_t day = today();
	struct world w;

	world_new(&w);
	put(&w, day - REPORT_DAYS - 1, "old.test", 1);
	put(&w, day - REPORT_DAYS, "a.test", 1);
	put(&w, day, "a.test", 1);
	world_close(&w);
	world_open(&w);
	run_for(&w, 1300);
	CHECK("sweep: days that are too old go", n_heads(&w) == 2);
	CHECK("sweep: the others stay",
	    head_of(&w, day - REPORT_DAYS, "a.test").rows == 1 &&
		head_of(&w, day, "a.test").rows == 1);
	world_end(&w);
}

/* Adds rows beneath a store. */
static int
add_rows(MDB_env *env, uint32_t day, const char *domain, unsigned int from,
    unsigned int to, uint64_t count, const struct report_limits *limits)
{
	uint8_t packed[REPORT_ROW_MAX];
	struct report_change c = { .day = day, .domain = domain };
	struct report_entry e;
	struct report_db db;
	MDB_txn *txn;
	unsigned int i;
	int rc = report_db_open(&db, env, true);

	if (rc != MDB_SUCCESS ||
	    (rc = mdb_txn_begin(env, NULL, 0, &txn)) != MDB_SUCCESS)
		return rc;
	for (i = from; i < to && rc == MDB_SUCCESS; i++) {
		e = entry_of(day, domain, i);
		e.row.count = count;
		c.policy = e.policy;
		c.len = report_pack(&e.row, packed, &c.hash);
		c.packed = packed;
		rc = report_db_add(&db, txn, &c, limits);
	}
	if (rc == MDB_SUCCESS)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

static void
bounded(void)
{
	const struct report_limits one = { 100, 1000, 0 },
				   all = { 1000, 150, 0 };
	const struct report_limits bytes = { 1000, 10000, 128 * 1024 };
	uint8_t packed[REPORT_ROW_MAX];
	struct report_change c = { .domain = "a.test" };
	struct report_entry e;
	struct report_head head;
	uint32_t day = today();
	struct report_db db;
	struct world w;
	MDB_txn *txn;
	int rc;

	world_new(&w);
	add_rows(w.ix->facts, day, "a.test", 0, 130, 1, &one);
	head = head_of(&w, day, "a.test");
	CHECK("bound: a tenth more, without signatures",
	    head.rows == 110 && head.messages == 110);
	CHECK("bound: then they are dropped, and counted",
	    head.shortened == 30 && head.dropped == 20);
	/* The same client with other signatures: one row of both. */
	e = entry_of(day, "a.test", 105);
	e.row.n_dkim = 1;
	c.day = day;
	c.policy = e.policy;
	c.len = report_pack(&e.row, packed, &c.hash);
	c.packed = packed;
	rc = report_db_open(&db, w.ix->facts, true);
	if (rc == MDB_SUCCESS)
		rc = mdb_txn_begin(w.ix->facts, NULL, 0, &txn);
	if (rc == MDB_SUCCESS)
		rc = report_db_add(&db, txn, &c, &one);
	if (rc == MDB_SUCCESS)
		rc = mdb_txn_commit(txn);
	head = head_of(&w, day, "a.test");
	CHECK("bound: merged without signatures",
	    rc == MDB_SUCCESS && head.rows == 110 && head.messages == 111 &&
		head.dropped == 20);
	add_rows(w.ix->facts, day, "b.test", 0, 60, 1, &all);
	head = head_of(&w, day, "b.test");
	CHECK("bound: of all domains",
	    head.rows == 40 && head.dropped == 20 && head.shortened == 0);
	add_rows(w.ix->facts, day, "b.test", 0, 10, 1, &all);
	head = head_of(&w, day, "b.test");
	CHECK("bound: what is there is added to",
	    head.rows == 40 && head.messages == 50);
	add_rows(w.ix->facts, day, "c.test", 0, 10, 1, &all);
	CHECK("bound: where nothing is kept, no head is", n_heads(&w) == 2);
	add_rows(w.ix->facts, day, "d.test", 0, 900, 1, &bytes);
	head = head_of(&w, day, "d.test");
	CHECK("bound: of bytes",
	    head.rows > 100 && head.rows < 800 &&
		head.rows + head.dropped == 900);
	world_end(&w);
}

/* Nothing can be written: it stays in memory, up to a bound, and is added up
 * when it can. */
static void
unwritten(void)
{
	unsigned int i, taken = 0;
	uint32_t day = today();
	struct report_head head;
	struct world w;
	MDB_txn *txn;

	world_new(&w);
	run_for(&w, 1300); /* its first round is done */
	/* As long as this is open nobody else writes. */
	if (mdb_txn_begin(w.ix->facts, NULL, 0, &txn) != MDB_SUCCESS)
		abort();
	put(&w, day, "a.test", 0);
	put(&w, day, "a.test", 1);
	run_for(&w, 1300); /* the thread waits */
	put(&w, day, "a.test", 1);
	for (i = 0; i < REPORT_PENDING_MAX + 100; i++)
		taken += put(&w, day, "a.test", i);
	CHECK("unwritten: what has no room is not taken",
	    taken == REPORT_PENDING_MAX);
	mdb_txn_abort(txn);
	world_close(&w);
	world_open(&w);
	head = head_of(&w, day, "a.test");
	CHECK("unwritten: then it is",
	    head.rows == REPORT_PENDING_MAX &&
		head.messages == REPORT_PENDING_MAX + 3);
	world_end(&w);
}

/* A world whose facts have that much room. */
static void
world_small(struct world *w, size_t map)
{
	const uint64_t token[2] = { 1, 2 };
	const char *why;
	bool empty;

	memset(w, 0, sizeof *w);
	strlcpy(w->dir, "/tmp/postern-unit.XXXXXX", sizeof w->dir);
	if (mkdtemp(w->dir) == NULL)
		abort();
	w->loop = loop_new();
	w->ix = index_open_map(w->dir, token, false, 1 << 24, &empty, &why);
	if (w->ix == NULL)
		abort();
	mdb_env_set_mapsize(w->ix->facts, map);
	w->store = report_open(w->loop, w->ix, &why);
	if (w->store == NULL)
		abort();
}

/* The map is full: what was not written is tried again, and nothing is counted
 * twice. */
static void
full(void)
{
	uint32_t day = today();
	struct report_head head;
	struct world w;
	unsigned int i;

	world_small(&w, 200 * 1024);
	for (i = 0; i < 2000; i++)
		put(&w, day, "a.test", i);
	run_for(&w, 1500);
	CHECK("full: not written", head_of(&w, day, "a.test").rows == 0);
	put(&w, day, "a.test", 7);
	mdb_env_set_mapsize(w.ix->facts, 16 << 20);
	world_close(&w);
	world_open(&w);
	head = head_of(&w, day, "a.test");
	CHECK("full: written when there is room",
	    head.rows == 2000 && head.messages == 2001);
	world_end(&w);
}

/* The map is full of days that are too old: they go, though what is new finds
 * no room. */
static void
full_of_old(void)
{
	const struct report_limits limits = { 100000, 100000, 0 };
	uint32_t day = today(), old = day - REPORT_DAYS - 1;
	struct world w;
	unsigned int i, n = 0;

	world_small(&w, 400 * 1024);
	while (add_rows(w.ix->facts, old, "old.test", n, n + 20, 1, &limits) ==
	    MDB_SUCCESS)
		n += 20;
	CHECK("full of old days", head_of(&w, old, "old.test").rows > 500);
	for (i = 0; i < 3000; i++)
		put(&w, day, "a.test", i);
	run_for(&w, 1500);
	CHECK("full of old days: they go",
	    head_of(&w, old, "old.test").rows == 0);
	CHECK("full of old days: what is too much is not written",
	    head_of(&w, day, "a.test").rows == 0);
	mdb_env_set_mapsize(w.ix->facts, 16 << 20);
	world_close(&w);
	world_open(&w);
	CHECK("full of old days: and is kept",
	    head_of(&w, day, "a.test").rows == 3000);
	world_end(&w);
}

/* ---- the report ---- */

static bool
gather(void *arg, const uint8_t *p, size_t len)
{
	return buf_add(arg, p, len);
}

/* The XML as a text; made is freed. */
static char *
xml_of(struct report_made *made)
{
	struct buf b;
	char *text;

	buf_init(&b, 0);
	if (!report_unzip(made, gather, &b))
		abort();
	buf_add(&b, "", 1);
	text = strdup((const char *)buf_data(&b));
	buf_free(&b);
	buf_free(&made->body);
	return text;
}

static unsigned int
occurs(const char *text, const char *what)
{
	unsigned int n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

static void
made(void)
{
	static const struct report_limits limits = { 1000, 1000, 0 };
	struct report_words words = { 0 };
	struct report_made one, two;
	struct report_entry e;
	uint32_t day = today() - 1;
	struct world w;
	struct buf mail;
	char *xml, *again, *text;

	world_new(&w);
	strlcpy(words.text[REPORT_FROM], "d@mx.test", REPORT_FACT_MAX);
	strlcpy(words.text[REPORT_ORG], "<Us> & M\xc3\xbcller", 64);
	strlcpy(words.text[REPORT_HOST], "mx.test", REPORT_FACT_MAX);
	CHECK("made: of nothing",
	    !report_make(w.ix, &words, day, "a.test", UINT64_MAX, &one));
	add_rows(w.ix->facts, day, "a.test", 0, 50, 1, &limits);
	add_rows(w.ix->facts, day, "a.test", 7, 8, 5, &limits);
	if (!report_make(w.ix, &words, day, "a.test", UINT64_MAX, &one) ||
	    !report_make(w.ix, &words, day, "a.test", UINT64_MAX, &two))
		abort();
	report_mail(&words, day, "a.test", &one, "r@a.test", 1777593600, &mail);
	buf_add(&mail, "", 1);
	text = (char *)(uintptr_t)buf_data(&mail);
	CHECK("mail: subject",
	    strstr(text,
		"\nSubject: Report Domain: a.test\n Submitter: "
		"mx.test\n Report-ID: <") != NULL);
	CHECK("mail: made by a program",
	    strstr(text, "\nAuto-Submitted: auto-generated\n") != NULL);
	CHECK("mail: date",
	    strstr(text, "\nDate: Fri, 01 May 2026 00:00:00 +0000\n") != NULL);
	CHECK("mail: whole",
	    strstr(text, one.id) != NULL &&
		strcmp(text + strlen(text) - 3, "--\n") == 0);
	buf_free(&mail);
	CHECK("made: the same twice",
	    strcmp(one.id, two.id) == 0 && one.rows == 50 &&
		one.messages == 55);
	xml = xml_of(&one);
	again = xml_of(&two);
	CHECK("made: in every byte", strcmp(xml, again) == 0);
	free(again);
	CHECK("made: all records",
	    occurs(xml, "<record>") == 50 && occurs(xml, "<error>") == 0);
	CHECK("made: the most frequent first",
	    strstr(xml, "<source_ip>10.0.0.7</source_ip>\n<count>6</count>") !=
		    NULL &&
		strstr(xml, "<count>6</count>") == strstr(xml, "<count>"));
	CHECK("made: org escaped",
	    strstr(xml,
		"<org_name>&lt;Us&gt; &amp; M\xc3\xbcller</org_name>") != NULL);
	free(xml);
	if (!report_make(w.ix, &words, day, "a.test", 10, &two))
		abort();
	CHECK("made: cut, under another id",
	    two.rows == 10 && two.all == 50 && strcmp(one.id, two.id) != 0);
	xml = xml_of(&two);
	CHECK("made: and says so",
	    occurs(xml, "<record>") == 10 &&
		strstr(xml, "<error>Cut to fit: 10 of 50 records") != NULL);
	free(xml);
	report_sent(w.store, day, "a.test");
	e = entry_of(day, "a.test", 1);
	report_put(w.store, &e);
	world_close(&w);
	world_open(&w);
	if (!report_make(w.ix, &words, day, "a.test", UINT64_MAX, &two))
		abort();
	CHECK("made: a second one of a day has another id",
	    strcmp(one.id, two.id) != 0);
	buf_free(&two.body);
	world_end(&w);
}

/* ---- for tests of the programs ---- */

static int
put_lines(const char *spool)
{
	static const struct report_limits limits = { .of_one =
							 REPORT_OF_ONE_MAX,
		REPORT_MAX,
		REPORT_BYTES_MAX };
	char path[1024], domain[256], line[512];
	unsigned int times, from;
	uint64_t count;
	MDB_env *env;
	int rc, day;

	snprintf(path, sizeof path, "%s/facts", spool);
	if ((rc = mdb_env_create(&env)) != MDB_SUCCESS)
		return 1;
	mdb_env_set_maxdbs(env, 8);
	mdb_env_set_mapsize(env, (size_t)1 << 30);
	rc = mdb_env_open(env, path, MDB_NOTLS, 0600);
	while (rc == MDB_SUCCESS && fgets(line, sizeof line, stdin) != NULL) {
		if (sscanf(line, "%d %255s %" SCNu64 " %u %u", &day, domain,
			&count, &times, &from) != 5)
			return 1;
		rc = add_rows(env, today() + (uint32_t)day, domain, from,
		    from + times, count, &limits);
	}
	if (rc != MDB_SUCCESS)
		fprintf(stderr, "%s: %s\n", path, mdb_strerror(rc));
	mdb_env_close(env);
	return rc == MDB_SUCCESS ? 0 : 1;
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "put") == 0)
		return put_lines(argv[2]);
	log_to_socket(-1, false);
	kept();
	dealt();
	swept();
	bounded();
	unwritten();
	full();
	full_of_old();
	made();
	return unit_end();
}
