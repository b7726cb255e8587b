/*
 * The index: rows, every walk, a full map, and what is not to be trusted.
 *
 * SPDX-License-Identifier: ISC
 */
#include "index.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include <bsd/string.h>

#include "id.h"
#include "index_priv.h"
#include "log.h"
#include "unit.h"
#include "unit_dir.h"

static char dir[64];
static const uint64_t token[2] = { 1, 2 }, other[2] = { 3, 4 };

static struct index *
open_it(const uint64_t t[2], bool fresh, bool *empty)
{
	const char *why = NULL;
	struct index *ix = index_open(dir, t, fresh, empty, &why);

	if (ix == NULL)
		printf("# index_open: %s\n", why);
	return ix;
}

static struct index_msg
a_msg(uint64_t id, const char *sender)
{
	struct index_msg m = { .id = id,
		.arrived = 1763718151123456,
		.head = 300,
		.content = UINT64_MAX,
		.trace = 5,
		.sum = UINT64_C(0x8000000000000001),
		.content_facts = 7,
		.n_rcpt = 2,
		.n_open = 1,
		.place = SPOOL_CUR,
		.facts = { .flags = 6, .uid = UINT32_MAX, .port = 65535 } };

	strlcpy(m.facts.client, "192.0.2.1", sizeof m.facts.client);
	strlcpy(m.sender, sender, sizeof m.sender);
	memset(m.dkim, 'k', SIG_MAX);
	return m;
}

static struct index_rcpt
a_rcpt(uint64_t id, uint32_t n, const char *addr, const char *route,
    int64_t next)
{
	struct index_rcpt r = { .id = id,
		.n = n,
		.off = 123,
		.state = RCPT_WAITING,
		.attempts = 3,
		.next = next,
		.tried = -1,
		.last = { .verdict = LATER,
		    .width = WIDTH_SITE,
		    .code = 450,
		    .ecode = { 4, 2, 1 },
		    .local = 1 } };

	strlcpy(r.addr, addr, sizeof r.addr);
	strlcpy(r.route, route, sizeof r.route);
	strlcpy(r.relay, "mx.example.org[192.0.2.1]:25", sizeof r.relay);
	strlcpy(r.last.text, "try later", sizeof r.last.text);
	return r;
}

/* ---- rows ---- */

static void
rows(void)
{
	struct index_msg m = a_msg(7, "a@example.org"), m2;
	struct index_rcpt r = a_rcpt(7, 1, "b@example.org", "mx:x", -5), r2;
	struct index_way w = { .failures = 9, .next = 1, .since = 2 }, w2;
	uint8_t row[ROW_MAX], *guard;
	size_t len, n, wrong = 0;
	int i;

	len = row_pack_msg(&m, row);
	CHECK("a message",
	    row_unpack_msg(row, len, &m2) && (m2.id = 7) &&
		memcmp(&m, &m2, sizeof m) == 0);
	for (n = 0; n < len; n++)
		wrong += row_unpack_msg(unit_guard(row, n), n, &m2);
	CHECK("cut short anywhere", wrong == 0);
	memset(&m.facts, 'x', sizeof m.facts);
	m.facts.client[IP_TEXT_MAX] = m.facts.helo[HOST_MAX] =
	    m.facts.rdns[HOST_MAX] = m.facts.tag[TAG_MAX] =
		m.facts.auth[ADDR_MAX] = '\0';
	memset(m.sender, 's', ADDR_MAX);
	len = row_pack_msg(&m, row);
	CHECK("the longest",
	    len < ROW_MAX && row_unpack_msg(row, len, &m2) &&
		strlen(m2.sender) == ADDR_MAX);

	len = row_pack_rcpt(&r, row);
	CHECK("a recipient",
	    row_unpack_rcpt(row, len, &r2) && (r2.id = 7) && (r2.n = 1) &&
		memcmp(&r, &r2, sizeof r) == 0);
	wrong = 0;
	for (n = 0; n < len; n++)
		wrong += row_unpack_rcpt(unit_guard(row, n), n, &r2);
	CHECK("cut short anywhere too", wrong == 0);
	row[len] = 0;
	CHECK("and too long", !row_unpack_rcpt(row, len + 1, &r2));
	/* Whatever it is changed to, reading it stays inside. */
	guard = (uint8_t *)unit_guard(row, len);
	for (n = 0; n < len; n++) {
		for (i = 1; i < 256; i++) {
			guard[n] ^= (uint8_t)i;
			row_unpack_rcpt(guard, len, &r2);
			wrong +=
			    strnlen(r2.addr, sizeof r2.addr) == sizeof r2.addr;
			guard[n] ^= (uint8_t)i;
		}
	}
	CHECK("changed bytes", wrong == 0);
	memset(row, 0xff, sizeof row);
	row[0] = 1;
	CHECK("numbers without an end",
	    !row_unpack_rcpt(row, 100, &r2) && !row_unpack_msg(row, 100, &m2) &&
		!row_unpack_way(row, 100, &w2));
	memset(w.route, 'r', ROUTE_MAX);
	len = row_pack_way(&w, row);
	CHECK("a route",
	    row_unpack_way(row, len, &w2) && memcmp(&w, &w2, sizeof w) == 0);
	row[0] = 3;
	CHECK("another version", !row_unpack_way(row, len, &w2));
}

/* What few rows have. */
static void
longer_rows(void)
{
	struct index_rcpt r = a_rcpt(7, 1, "b@example.org", "mx:x", 5), r2;
	struct index_way w = { .failures = 9, .next = 1, .ready = 77 }, w2;
	struct index_msg m = a_msg(7, "a@example.org"), m2;
	uint8_t row[ROW_MAX];
	size_t len, n, wrong = 0, i;

	r.ttl = 3600;
	len = row_pack_rcpt(&r, row);
	CHECK("a ttl",
	    row_unpack_rcpt(row, len, &r2) && (r2.id = 7) && (r2.n = 1) &&
		memcmp(&r, &r2, sizeof r) == 0);
	r.ttl = UINT32_MAX;
	memset(r.target, 't', ADDR_MAX);
	len = row_pack_rcpt(&r, row);
	CHECK("a target",
	    row_unpack_rcpt(row, len, &r2) && (r2.id = 7) && (r2.n = 1) &&
		memcmp(&r, &r2, sizeof r) == 0);
	for (n = 0; n < len; n++)
		wrong += row_unpack_rcpt(unit_guard(row, n), n, &r2);
	r.params.notify = NOTIFY_SUCCESS | NOTIFY_DELAY;
	memset(r.params.orcpt, 'o', ORCPT_MAX);
	len = row_pack_rcpt(&r, row);
	CHECK("parameters of RCPT",
	    row_unpack_rcpt(row, len, &r2) && (r2.id = 7) && (r2.n = 1) &&
		memcmp(&r, &r2, sizeof r) == 0);
	for (n = 0; n < len; n++)
		wrong += row_unpack_rcpt(unit_guard(row, n), n, &r2);
	r = a_rcpt(7, 1, "b@example.org", "mx:x", 5);
	r.params.notify = NOTIFY_NEVER;
	len = row_pack_rcpt(&r, row);
	CHECK("NOTIFY alone",
	    row_unpack_rcpt(row, len, &r2) && (r2.id = 7) && (r2.n = 1) &&
		memcmp(&r, &r2, sizeof r) == 0);
	row[len - 2] = 0x10;
	CHECK("a NOTIFY that does not exist", !row_unpack_rcpt(row, len, &r2));
	m.params.ret = RET_HDRS;
	memset(m.params.envid, 'e', ENVID_MAX);
	len = row_pack_msg(&m, row);
	CHECK("parameters of MAIL",
	    row_unpack_msg(row, len, &m2) && (m2.id = 7) &&
		memcmp(&m, &m2, sizeof m) == 0);
	for (n = 0; n < len; n++)
		wrong += row_unpack_msg(unit_guard(row, n), n, &m2);
	w.n_marks = RATE_MARKS;
	for (i = 0; i < RATE_MARKS; i++) {
		w.mark[i].at = INT64_MAX - (int64_t)i;
		w.mark[i].n = UINT32_MAX;
	}
	memset(w.last.text, 'x', OUTCOME_TEXT_MAX);
	memset(w.route, 'r', ROUTE_MAX);
	len = row_pack_way(&w, row);
	CHECK("a rate",
	    row_unpack_way(row, len, &w2) && memcmp(&w, &w2, sizeof w) == 0);
	for (n = 0; n < len; n++)
		wrong += row_unpack_way(unit_guard(row, n), n, &w2);
	CHECK("cut short anywhere as well", wrong == 0);
	len = row_pack_msg(&m, row);
	row[0] = 3;
	CHECK("no message has more", !row_unpack_msg(row, len, &m2));
	row[0] = 1;
	CHECK("nor without saying so", !row_unpack_msg(row, len, &m2));
}

/* What an outcome is about: in rows that have it; those of before have not. */
static void
about_rows(void)
{
	struct index_rcpt r = a_rcpt(7, 1, "b@example.org", "mx:x", 5), r2;
	struct index_way w = { .failures = 9, .next = 1, .ready = 77 }, w2;
	uint8_t row[ROW_MAX];
	size_t len, n, wrong = 0;

	len = row_pack_rcpt(&r, row);
	CHECK("nothing about it: a row as of old", row[0] == 1);
	r.last.cause = CAUSE_RATE;
	r.last.stage = STAGE_RCPT;
	r.last.after = 300;
	len = row_pack_rcpt(&r, row);
	CHECK("cause, stage and time",
	    row_unpack_rcpt(row, len, &r2) && (r2.id = 7) && (r2.n = 1) &&
		memcmp(&r, &r2, sizeof r) == 0);
	for (n = 0; n < len; n++)
		wrong += row_unpack_rcpt(unit_guard(row, n), n, &r2);
	row[len] = 0;
	wrong += row_unpack_rcpt(row, len + 1, &r2);
	/* The last four bytes: cause, stage, 300 in two. */
	row[len - 4] = CAUSES_N;
	CHECK("a cause that does not exist", !row_unpack_rcpt(row, len, &r2));
	row[len - 4] = CAUSE_DNS;
	row[len - 3] = STAGES_N;
	CHECK("nor a stage", !row_unpack_rcpt(row, len, &r2));
	row[len - 3] = STAGE_NONE;
	CHECK("one is enough",
	    row_unpack_rcpt(row, len, &r2) && r2.last.cause == CAUSE_DNS);
	row[0] = 5;
	CHECK("and no child's", !row_unpack_rcpt(row, len, &r2));
	row[0] = 6;
	CHECK("a version that does not exist", !row_unpack_rcpt(row, len, &r2));
	r.last.cause = r.last.stage = 0;
	r.last.after = UINT32_MAX;
	r.ttl = 9;
	r.params.notify = NOTIFY_NEVER;
	memset(r.target, 't', ADDR_MAX);
	memset(r.params.orcpt, 'o', ORCPT_MAX);
	memset(r.last.text, 'x', OUTCOME_TEXT_MAX);
	len = row_pack_rcpt(&r, row);
	CHECK("with all the rest",
	    row_unpack_rcpt(row, len, &r2) && (r2.id = 7) && (r2.n = 1) &&
		memcmp(&r, &r2, sizeof r) == 0);
	for (n = 0; n < len; n++)
		wrong += row_unpack_rcpt(unit_guard(row, n), n, &r2);

	w.paused = 1;
	len = row_pack_way(&w, row);
	CHECK("a route that makes a pause",
	    row_unpack_way(row, len, &w2) && memcmp(&w, &w2, sizeof w) == 0);
	for (n = 0; n < len; n++)
		wrong += row_unpack_way(unit_guard(row, n), n, &w2);
	row[len - 4] = 2;
	CHECK("or not", !row_unpack_way(row, len, &w2));
	w.last.cause = CAUSE_TLS;
	w.last.stage = STAGE_TLS;
	w.n_marks = 1;
	w.mark[0] = (struct rate_mark){ .at = 5, .n = 6 };
	len = row_pack_way(&w, row);
	CHECK("with what it failed for, and a rate",
	    row_unpack_way(row, len, &w2) && memcmp(&w, &w2, sizeof w) == 0);
	for (n = 0; n < len; n++)
		wrong += row_unpack_way(unit_guard(row, n), n, &w2);
	CHECK("cut short, or too long", wrong == 0);
}

/* What only a child has; rows of before have not. */
static void
child_rows(void)
{
	struct index_rcpt r = a_rcpt(7, 1, "b@example.org", "mx:x", 5), r2;
	struct index_way w = { .failures = 9, .next = 1 }, w2;
	struct index_msg m = a_msg(7, "a@example.org"), m2;
	uint8_t row[ROW_MAX];
	size_t len, n, wrong = 0;

	strlcpy(r.leaf, "m inbox b", sizeof r.leaf);
	len = row_pack_rcpt(&r, row);
	CHECK("a leaf",
	    row_unpack_rcpt(row, len, &r2) && (r2.id = 7) && (r2.n = 1) &&
		memcmp(&r, &r2, sizeof r) == 0);
	for (n = 0; n < len; n++)
		wrong += row_unpack_rcpt(unit_guard(row, n), n, &r2);
	row[len] = 0;
	wrong += row_unpack_rcpt(row, len + 1, &r2);
	r.last.after = UINT32_MAX;
	r.ttl = 9;
	r.params.notify = NOTIFY_NEVER;
	memset(r.target, 't', ADDR_MAX);
	memset(r.params.orcpt, 'o', ORCPT_MAX);
	memset(r.last.text, 'x', OUTCOME_TEXT_MAX);
	memset(r.leaf, 'f', LEAF_TEXT_MAX);
	len = row_pack_rcpt(&r, row);
	CHECK("the longest one, with all the rest",
	    row_unpack_rcpt(row, len, &r2) && (r2.id = 7) && (r2.n = 1) &&
		memcmp(&r, &r2, sizeof r) == 0);
	for (n = 0; n < len; n++)
		wrong += row_unpack_rcpt(unit_guard(row, n), n, &r2);
	strlcpy(r.leaf, "x", sizeof r.leaf);
	len = row_pack_rcpt(&r, row);
	row[len - 2] = 0;
	CHECK("no leaf", !row_unpack_rcpt(row, len - 1, &r2));

	strlcpy(m.of, "team@example.org", sizeof m.of);
	len = row_pack_msg(&m, row);
	CHECK("a child",
	    row_unpack_msg(row, len, &m2) && (m2.id = 7) &&
		memcmp(&m, &m2, sizeof m) == 0);
	for (n = 0; n < len; n++)
		wrong += row_unpack_msg(unit_guard(row, n), n, &m2);
	m.params.ret = RET_HDRS;
	memset(m.params.envid, 'e', ENVID_MAX);
	memset(m.of, 'o', ADDR_MAX);
	memset(m.dkim, 'd', SIG_MAX);
	len = row_pack_msg(&m, row);
	CHECK("of the longest, with all the rest",
	    row_unpack_msg(row, len, &m2) && (m2.id = 7) &&
		memcmp(&m, &m2, sizeof m) == 0);
	for (n = 0; n < len; n++)
		wrong += row_unpack_msg(unit_guard(row, n), n, &m2);
	strlcpy(m.of, "x", sizeof m.of);
	len = row_pack_msg(&m, row);
	row[len - 2] = 0;
	CHECK("of nobody", !row_unpack_msg(row, len - 1, &m2));
	CHECK("cut short or too long, a child's row", wrong == 0);

	len = row_pack_way(&w, row);
	row[0] = 5;
	CHECK("no route is a child", !row_unpack_way(row, len, &w2));
}

static void
keys(void)
{
	struct key a = { .len = 0 }, b = { .len = 0 };
	char long_a[ADDR_MAX + 1], long_b[ADDR_MAX + 1];

	key_time(&a, -1);
	key_time(&b, 0);
	CHECK("times before 1970 come first",
	    memcmp(a.bytes, b.bytes, 8) < 0 && key_get_time(a.bytes) == -1);
	a.len = b.len = 0;
	key_u64(&a, UINT64_C(0x00ffffffffffffff));
	key_u64(&b, UINT64_C(0x0100000000000000));
	CHECK("numbers in their order",
	    memcmp(a.bytes, b.bytes, 8) < 0 &&
		key_get_u64(b.bytes) == UINT64_C(0x0100000000000000));
	memset(long_a, 'A', ADDR_MAX);
	long_a[ADDR_MAX] = '\0';
	memcpy(long_b, long_a, sizeof long_a);
	long_b[ADDR_MAX - 1] = 'B';
	a.len = b.len = 0;
	key_text(&a, long_a, true);
	key_text(&b, long_b, true);
	CHECK("long ones are cut", a.len == TEXT_MAX + 1);
	CHECK("and differ all the same", memcmp(a.bytes, b.bytes, a.len) != 0);
	memset(long_b, 'a', ADDR_MAX);
	b.len = 0;
	key_text(&b, long_b, true);
	CHECK("in lower case", memcmp(a.bytes, b.bytes, a.len) == 0);
}

/* ---- walks ---- */

/* Ids and numbers of a walk as text: "1.0 1.1 2.0". */
static char walked[512];

static void
walked_add(uint64_t id, uint32_t n)
{
	size_t len = strlen(walked);

	snprintf(walked + len, sizeof walked - len, "%s%llu.%u",
	    len == 0 ? "" : " ", (unsigned long long)id, n);
}

static bool
walks_all(struct index *ix, const char *want)
{
	struct index_cursor c = { 0 };
	uint64_t id;
	uint32_t n;

	walked[0] = '\0';
	while (index_walk(ix, &c, &id, &n) == INDEX_OK)
		walked_add(id, n);
	return strcmp(walked, want) == 0;
}

static bool
walks_due(struct index *ix, const char *want)
{
	struct index_cursor c = { 0 };
	int64_t next, before = INT64_MIN;
	uint64_t id;
	uint32_t n;

	walked[0] = '\0';
	while (index_walk_due(ix, &c, &next, &id, &n) == INDEX_OK) {
		walked_add(id, n);
		if (next < before)
			return false;
		before = next;
	}
	return strcmp(walked, want) == 0;
}

static bool
walks_route(struct index *ix, const char *route, bool parked, const char *want)
{
	struct index_cursor c = { 0 };
	uint64_t id;
	uint32_t n;

	walked[0] = '\0';
	while (index_walk_route(ix, &c, route, parked, &id, &n) == INDEX_OK)
		walked_add(id, n);
	return strcmp(walked, want) == 0;
}

static bool
walks_domain(struct index *ix, const char *domain, const char *want)
{
	struct index_cursor c = { 0 };
	uint64_t id;
	uint32_t n;

	walked[0] = '\0';
	while (index_walk_domain(ix, &c, domain, &id, &n) == INDEX_OK)
		walked_add(id, n);
	return strcmp(walked, want) == 0;
}

static bool
walks_sender(struct index *ix, const char *sender, const char *want)
{
	struct index_cursor c = { 0 };
	uint64_t id;

	walked[0] = '\0';
	while (index_walk_sender(ix, &c, sender, &id) == INDEX_OK)
		walked_add(id, 0);
	return strcmp(walked, want) == 0;
}

static void
fill(struct index *ix)
{
	struct index_msg m1 = a_msg(1, "alice@example.org"), m2 = a_msg(2, ""),
			 m3 = a_msg(3, "Alice@Example.org");
	struct index_rcpt r[] = {
		a_rcpt(1, 0, "x@b.example", "mx:b.example", 50),
		a_rcpt(1, 1, "y@a.example", "", 10),
		a_rcpt(2, 0, "z@b.example", "mx:b.example", 40),
		a_rcpt(3, 0, "x@B.Example", "mx:b.examples", 30),
		a_rcpt(3, 1, "w@b.example", "mx:b.example", -20),
	};
	size_t i;

	r[2].parked = PARKED_ROUTE;
	/* Waits for something else: not for its route to take. */
	r[4].parked = PARKED_RATE;
	index_put_msg(ix, &m1);
	index_put_msg(ix, &m2);
	index_put_msg(ix, &m3);
	for (i = 0; i < sizeof r / sizeof r[0]; i++)
		index_put_rcpt(ix, &r[i]);
}

static void
walks(void)
{
	struct index_cursor c = { 0 };
	struct index_rcpt r;
	struct index_msg m;
	uint64_t id, msgs, rcpts;
	struct index *ix;
	uint32_t n;
	bool empty;

	ix = open_it(token, false, &empty);
	CHECK("a new one is empty", ix != NULL && empty);
	CHECK("walks over nothing",
	    walks_all(ix, "") && walks_due(ix, "") &&
		walks_sender(ix, "", "") && index_last_id(ix) == 0);
	fill(ix);
	CHECK("before the commit", walks_all(ix, "1.0 1.1 2.0 3.0 3.1"));
	CHECK("committed", index_commit(ix) == INDEX_OK);
	CHECK("all", walks_all(ix, "1.0 1.1 2.0 3.0 3.1"));
	CHECK("due", walks_due(ix, "3.1 1.1 3.0 2.0 1.0"));
	CHECK("route", walks_route(ix, "mx:b.example", false, "1.0 3.1 2.0"));
	CHECK("parked", walks_route(ix, "mx:b.example", true, "2.0"));
	CHECK("parked for another reason",
	    index_get_rcpt(ix, 3, 1, &r) == INDEX_OK &&
		r.parked == PARKED_RATE);
	CHECK("no route", walks_route(ix, "mx:b.exampl", false, ""));
	CHECK("domain", walks_domain(ix, "b.example", "1.0 2.0 3.0 3.1"));
	CHECK("no domain", walks_domain(ix, "example", ""));
	CHECK("sender", walks_sender(ix, "alice@example.org", "1.0 3.0"));
	CHECK("null sender", walks_sender(ix, "", "2.0"));
	CHECK("last id", index_last_id(ix) == 3);
	index_count(ix, &msgs, &rcpts);
	CHECK("counts", msgs == 3 && rcpts == 5);

	/* A cursor outlives what it stood on. */
	index_walk(ix, &c, &id, &n);
	index_walk(ix, &c, &id, &n);
	index_walk(ix, &c, &id, &n);
	CHECK("deleted",
	    index_del_msg(ix, 2) == INDEX_OK && index_commit(ix) == INDEX_OK);
	CHECK("a cursor goes on",
	    index_walk(ix, &c, &id, &n) == INDEX_OK && id == 3 && n == 0);
	CHECK("with all its keys",
	    walks_all(ix, "1.0 1.1 3.0 3.1") &&
		walks_due(ix, "3.1 1.1 3.0 1.0") &&
		walks_route(ix, "mx:b.example", false, "1.0 3.1") &&
		walks_domain(ix, "b.example", "1.0 3.0 3.1") &&
		walks_sender(ix, "", "") &&
		index_get_msg(ix, 2, &m) == INDEX_NONE);
	CHECK("twice does nothing", index_del_msg(ix, 2) == INDEX_OK);

	/* Old keys go with a change. */
	index_get_rcpt(ix, 1, 0, &r);
	r.next = 5;
	r.parked = 1;
	strlcpy(r.route, "mx:c.example", sizeof r.route);
	index_put_rcpt(ix, &r);
	CHECK("changed",
	    walks_due(ix, "3.1 1.0 1.1 3.0") &&
		walks_route(ix, "mx:b.example", false, "3.1") &&
		walks_route(ix, "mx:c.example", true, "1.0") &&
		walks_domain(ix, "b.example", "1.0 3.0 3.1"));
	r.state = RCPT_HELD;
	index_put_rcpt(ix, &r);
	CHECK("held stays in its lists", walks_due(ix, "3.1 1.0 1.1 3.0"));
	r.state = RCPT_DELIVERED;
	index_put_rcpt(ix, &r);
	CHECK("at its end it leaves them",
	    walks_due(ix, "3.1 1.1 3.0") &&
		walks_route(ix, "mx:c.example", false, "") &&
		walks_domain(ix, "b.example", "3.0 3.1") &&
		walks_all(ix, "1.0 1.1 3.0 3.1"));
	index_abort(ix);
	CHECK("undone", walks_due(ix, "3.1 1.1 3.0 1.0"));
	index_close(&ix);
}

static void
ways_and_facts(void)
{
	struct index_cursor c = { 0 };
	struct index_way w = { .failures = 3, .next = 77 }, back;
	char value[8];
	struct index *ix;
	bool empty;

	ix = open_it(token, true, &empty);
	strlcpy(w.route, "mx:down.example", sizeof w.route);
	CHECK("no route is down",
	    index_get_way(ix, w.route, &back) == INDEX_NONE &&
		index_walk_way(ix, &c, &back) == INDEX_NONE);
	index_put_way(ix, &w);
	memset(w.route, 'w', ROUTE_MAX);
	w.failures = 4;
	index_put_way(ix, &w);
	CHECK("by name",
	    index_get_way(ix, "mx:down.example", &back) == INDEX_OK &&
		back.failures == 3 && back.next == 77);
	c = (struct index_cursor){ 0 };
	CHECK("in a walk",
	    index_walk_way(ix, &c, &back) == INDEX_OK && back.failures == 3 &&
		index_walk_way(ix, &c, &back) == INDEX_OK &&
		strlen(back.route) == ROUTE_MAX &&
		index_walk_way(ix, &c, &back) == INDEX_NONE);
	CHECK("up again",
	    index_del_way(ix, w.route) == INDEX_OK &&
		index_get_way(ix, w.route, &back) == INDEX_NONE);
	CHECK("no fact", !index_fact_get(ix, "pause", value, sizeof value));
	CHECK("a fact",
	    index_fact_put(ix, "pause", "1") &&
		index_fact_get(ix, "pause", value, sizeof value) &&
		strcmp(value, "1") == 0);
	CHECK("too long for who asks", !index_fact_get(ix, "pause", value, 1));
	CHECK("which is no trouble to remove twice",
	    index_fact_put(ix, "hold:x", NULL));
	index_close(&ix);
	ix = open_it(token, true, &empty);
	CHECK("facts outlive the index",
	    empty && index_fact_get(ix, "pause", value, sizeof value));
	index_fact_put(ix, "pause", NULL);
	CHECK("removed", !index_fact_get(ix, "pause", value, sizeof value));
	index_close(&ix);
}

/* ---- trouble ---- */

static void
full(void)
{
	struct index_rcpt r;
	enum index_error e = INDEX_OK;
	const char *why;
	struct index *ix;
	uint64_t id, msgs, rcpts;
	bool empty;

	ix = index_open_map(dir, token, true, 1 << 18, &empty, &why);
	CHECK("a small map", ix != NULL);
	for (id = 1; id < 100000 && e == INDEX_OK; id++) {
		r = a_rcpt(id, 0, "x@example.org", "mx:example.org", 1);
		e = index_put_rcpt(ix, &r);
		if (e == INDEX_OK && id % 10 == 0)
			e = index_commit(ix);
	}
	CHECK("is full at some time", e == INDEX_FULL && id > 20);
	index_count(ix, &msgs, &rcpts);
	CHECK("what was committed stays", rcpts >= 10 && rcpts % 10 == 0);
	CHECK("a row can go",
	    index_del_msg(ix, 1) == INDEX_OK && index_commit(ix) == INDEX_OK);
	index_close(&ix);
}

/* Rows and keys that somebody else has written. */
static void
bad_rows(void)
{
	static const char junk[] = "\x01\xff\xff\xff\xff";
	struct index_cursor c = { 0 };
	struct index_msg m;
	struct index_rcpt r = a_rcpt(1, 0, "x@a.example", "mx:a", 1);
	struct index_way w;
	struct key k = { .len = 0 };
	MDB_val key, val = { sizeof junk - 1, (void *)(uintptr_t)junk };
	struct index *ix;
	bool empty;
	uint64_t id;
	uint32_t n;
	size_t i;

	ix = open_it(token, true, &empty);
	index_put_rcpt(ix, &r);
	key_u64(&k, 1);
	key_u32(&k, 0);
	key = (MDB_val){ 8, k.bytes };
	mdb_put(ix->txn, ix->db[DB_MSG], &key, &val, 0);
	key.mv_size = 12;
	mdb_put(ix->txn, ix->db[DB_RCPT], &key, &val, 0);
	key = (MDB_val){ 5, (void *)(uintptr_t) "mx:a" };
	mdb_put(ix->txn, ix->db[DB_WAY], &key, &val, 0);
	/* Before all others, and of no length that there is. */
	for (i = 0; i < DB_COUNT; i++) {
		key = (MDB_val){ 3, (void *)(uintptr_t) "\0\0\0" };
		if (i != DB_MSG && i != DB_WAY)
			mdb_put(ix->txn, ix->db[i], &key, &val, 0);
	}
	CHECK("a message", index_get_msg(ix, 1, &m) == INDEX_BAD);
	CHECK("a recipient", index_get_rcpt(ix, 1, 0, &r) == INDEX_BAD);
	r = a_rcpt(1, 0, "x@a.example", "mx:a", 1);
	CHECK("is not written over", index_put_rcpt(ix, &r) == INDEX_BAD);
	CHECK("a route",
	    index_get_way(ix, "mx:a", &w) == INDEX_BAD &&
		index_walk_way(ix, &c, &w) == INDEX_BAD);
	CHECK("the walk goes on behind it",
	    index_walk_way(ix, &c, &w) == INDEX_NONE);
	c = (struct index_cursor){ 0 };
	CHECK("a key", index_walk(ix, &c, &id, &n) == INDEX_BAD);
	CHECK("and behind it", index_walk(ix, &c, &id, &n) == INDEX_OK);
	CHECK("all of it can go", index_del_msg(ix, 1) == INDEX_OK);
	index_close(&ix);
}

/* Bytes of a file of the index are changed. */
static void
scribble(const char *name, off_t at, const void *p, size_t len)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_WRONLY);
	if (fd == -1 || pwrite(fd, p, len, at) != (ssize_t)len)
		abort();
	close(fd);
}

/* Opens with one message in it, filled or not. */
static void
with_one(bool filled)
{
	struct index_msg m = a_msg(1, "alice@example.org");
	struct index *ix;
	bool empty;

	ix = open_it(token, true, &empty);
	index_put_msg(ix, &m);
	index_commit(ix);
	if (filled)
		index_filled(ix);
	/* As a killed process leaves it: the pages are written. */
	mdb_env_sync(ix->env, 1);
	mdb_env_close(ix->env);
	mdb_env_close(ix->facts);
	close(ix->dir);
	close(ix->spool);
	free(ix);
}

static bool
has_one(const uint64_t t[2], bool *empty)
{
	struct index *ix = open_it(t, false, empty);
	bool has = ix != NULL && index_last_id(ix) == 1;

	index_close(&ix);
	return has;
}

static void
trust(void)
{
	static const char junk[4096] = "junk";
	struct index *ix;
	const char *why;
	bool empty;
	int i, lock;

	with_one(true);
	CHECK("killed, under the same parent",
	    has_one(token, &empty) && !empty);
	CHECK("closed clean, under another", has_one(other, &empty) && !empty);
	with_one(false);
	CHECK("not filled yet: kept, and said so",
	    has_one(token, &empty) && empty);
	with_one(true);
	CHECK("killed, under another parent", !has_one(other, &empty) && empty);

	with_one(true);
	has_one(token, &empty);
	scribble("index/data.mdb", 8192, junk, sizeof junk);
	CHECK("clean, but changed since", !has_one(token, &empty) && empty);
	with_one(true);
	scribble("index/data.mdb", 0, junk, sizeof junk);
	CHECK("no database", !has_one(token, &empty) && empty);
	with_one(true);
	scribble("index/trust", 10, junk, 20);
	CHECK("no such text", !has_one(token, &empty) && empty);
	for (i = 0; i < TRUST_OPENED_MAX; i++) {
		struct trust t;
		int fd;

		with_one(true);
		fd = open(dir, O_RDONLY);
		ix = NULL;
		lock = openat(fd, "index", O_RDONLY);
		trust_read(lock, &t);
		t.opened = (unsigned int)i + 1;
		trust_write(lock, &t);
		close(lock);
		close(fd);
		CHECK("dies over it again and again",
		    has_one(token, &empty) == (t.opened < TRUST_OPENED_MAX));
	}

	/* Readers. */
	with_one(true);
	CHECK("a reader does not trust it",
	    index_read(dir, &why) == NULL && why != NULL);
	i = open(dir, O_RDONLY);
	lock = spool_lock(i);
	CHECK("nor because of a lock alone", index_read(dir, &why) == NULL);
	ix = open_it(token, false, &empty);
	CHECK("but a writer's", ix != NULL);
	close(lock);
	CHECK("not one that is gone", index_read(dir, &why) == NULL);
	index_close(&ix);
	ix = index_read(dir, &why);
	CHECK("and a clean one", ix != NULL && index_last_id(ix) == 1);
	index_renew(ix);
	CHECK("renewed", index_last_id(ix) == 1);
	index_close(&ix);
	close(i);
}

/* A reader beside a writer sees what was committed before it looked. */
static void
beside(void)
{
	struct index_msg m = a_msg(5, "alice@example.org");
	struct index *ix, *reader;
	const char *why;
	bool empty;
	int d = open(dir, O_RDONLY), lock = spool_lock(d);

	ix = open_it(token, true, &empty);
	reader = index_read(dir, &why);
	CHECK("a reader beside the writer", reader != NULL);
	CHECK("sees nothing yet", index_last_id(reader) == 0);
	index_put_msg(ix, &m);
	index_commit(ix);
	CHECK("keeps its snapshot", index_last_id(reader) == 0);
	index_renew(reader);
	CHECK("until it is renewed", index_last_id(reader) == 5);
	CHECK("and writes no facts", !index_fact_put(reader, "x", "1"));
	index_close(&reader);
	index_close(&ix);
	close(lock);
	close(d);
}

int
main(void)
{
	log_to_stderr("unit", false);
	snprintf(dir, sizeof dir, "/tmp/postern-unit-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return 1;
	rows();
	longer_rows();
	about_rows();
	child_rows();
	keys();
	walks();
	ways_and_facts();
	full();
	bad_rows();
	trust();
	beside();
	unit_remove(dir);
	return unit_end();
}
