/*
 * Reports to the domains of authors: what of a note is taken, rows and their
 * sums, bounds, days that go; XML whatever is in it.
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
#include "report_store.h"
#include "report_xml.h"
#include "unit.h"
#include "unit_dir.h"

enum { NOW = 1777593600 + 3600 }; /* 2026-05-01 01:00 */

/* ---- notes ---- */

static void
set_dkim(struct report_note *n, const char *const *texts, uint32_t count)
{
	char *p = n->dkim_text;
	uint32_t i;

	for (i = 0; i < count; i++)
		p += strlcpy(p, texts[i], 256) + 1;
	n->n_dkim = count / 2;
	for (i = 0; i < n->n_dkim; i++)
		n->dkim[i] = i == 0 ? RES_PASS : RES_FAIL;
}

static struct report_note
good_note(void)
{
	static const char *const dkim[] = { "Example.ORG", "s1", "esp.test",
		"S2" };
	struct report_note n;

	memset(&n, 0, sizeof n);
	n.when = NOW;
	strlcpy(n.client, "192.0.2.1", sizeof n.client);
	strlcpy(n.author, "News.Example.org", sizeof n.author);
	strlcpy(n.sender, "bounces.example.org", sizeof n.sender);
	strlcpy(n.policy_domain, "Example.org", sizeof n.policy_domain);
	n.p = DMARC_P_REJECT;
	n.sp = DMARC_P_QUARANTINE;
	strlcpy(n.fo, "1:d", sizeof n.fo);
	n.spf = RES_PASS;
	strlcpy(n.spf_domain, "bounces.example.org", sizeof n.spf_domain);
	n.spf_aligned = n.dkim_aligned = 1;
	n.pct = 100;
	set_dkim(&n, dkim, 4);
	return n;
}

static void
takes(void)
{
	struct report_note n = good_note();
	const char *domain, *selector;
	struct report_entry e;

	CHECK("note: good", report_of_note(&n, NOW, &e) == NULL);
	CHECK("note: day, in UTC", e.day == NOW / REPORT_DAY);
	CHECK("note: lower case",
	    strcmp(e.domain, "example.org") == 0 &&
		strcmp(e.row.author, "news.example.org") == 0);
	CHECK("note: policy",
	    e.policy.p == DMARC_P_REJECT && e.policy.sp == DMARC_P_QUARANTINE &&
		e.policy.np == DMARC_P_UNSAID && !e.policy.testing &&
		strcmp(e.policy.fo, "1:d") == 0);
	report_dkim(&e.row, 1, &domain, &selector);
	CHECK("note: signatures",
	    e.row.n_dkim == 2 && strcmp(domain, "esp.test") == 0 &&
		strcmp(selector, "s2") == 0 && e.row.dkim[1] == RES_FAIL);
	CHECK("note: one message",
	    e.row.count == 1 && e.row.first == NOW && e.row.last == NOW);
	n.when = NOW - 100;
	CHECK("note: some moments late",
	    report_of_note(&n, NOW, &e) == NULL && e.row.first == NOW - 100);
	n.when = NOW - 4000;
	CHECK("note: too late is now",
	    report_of_note(&n, NOW, &e) == NULL && e.row.first == NOW);
	n.when = NOW + 1;
	CHECK("note: of a time to come is now",
	    report_of_note(&n, NOW, &e) == NULL && e.row.first == NOW);
	CHECK("note: a clock before 1970", report_of_note(&n, -5, &e) != NULL);
}

/* Columns: what is not as in a good note, and how that is made. */
static void
number_p(struct report_note *n)
{
	n->p = 4;
}
static void
number_np(struct report_note *n)
{
	n->np = 255;
}
static void
number_done(struct report_note *n)
{
	n->disposition = 9;
}
static void
number_override(struct report_note *n)
{
	n->override = OVERRIDE_LOCAL + 1;
}
static void
number_rules(struct report_note *n)
{
	n->rules = 2;
}
static void
number_spf(struct report_note *n)
{
	n->spf = RES_RESULTS;
}
static void
spf_policy(struct report_note *n)
{
	n->spf = RES_POLICY;
}
static void
many_dkim(struct report_note *n)
{
	n->n_dkim = REPORT_DKIM_MAX + 1;
}
static void
huge_dkim(struct report_note *n)
{
	n->n_dkim = UINT32_MAX;
}
static void
dkim_result(struct report_note *n)
{
	n->dkim[1] = RES_SOFTFAIL;
}
static void
dkim_unsaid(struct report_note *n)
{
	n->dkim[0] = RES_UNSAID;
}
static void
dkim_cut(struct report_note *n)
{
	memset(n->dkim_text, 'a', sizeof n->dkim_text - 1);
}
static void
no_domain(struct report_note *n)
{
	n->policy_domain[0] = '\0';
}
static void
slash_domain(struct report_note *n)
{
	strlcpy(n->policy_domain, "../example.org", sizeof n->policy_domain);
}
static void
blank_domain(struct report_note *n)
{
	strlcpy(n->policy_domain, "exa mple.org", sizeof n->policy_domain);
}
static void
dot_domain(struct report_note *n)
{
	strlcpy(n->policy_domain, "example.org.", sizeof n->policy_domain);
}
static void
long_domain(struct report_note *n)
{
	memset(n->policy_domain, 'a', 254);
	n->policy_domain[254] = '\0';
}
static void
utf8_author(struct report_note *n)
{
	strlcpy(n->author, "b\xc3\xbc.example", sizeof n->author);
}
static void
no_client(struct report_note *n)
{
	strlcpy(n->client, "local", sizeof n->client);
}

static void
refuses(void)
{
	static const struct {
		const char *name;
		void (*make)(struct report_note *n);
	} rows[] = {
		{ "p", number_p },
		{ "np", number_np },
		{ "disposition", number_done },
		{ "override", number_override },
		{ "rules", number_rules },
		{ "spf", number_spf },
		{ "spf=policy", spf_policy },
		{ "too many signatures", many_dkim },
		{ "far too many", huge_dkim },
		{ "a result that DKIM has not", dkim_result },
		{ "no result", dkim_unsaid },
		{ "signatures cut short", dkim_cut },
		{ "no domain", no_domain },
		{ "a path", slash_domain },
		{ "a blank in the domain", blank_domain },
		{ "a dot at its end", dot_domain },
		{ "254 bytes of domain", long_domain },
		{ "an author in UTF-8", utf8_author },
		{ "a client without an address", no_client },
	};
	struct report_entry e;
	struct report_note n;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		n = good_note();
		rows[i].make(&n);
		CHECK(rows[i].name, report_of_note(&n, NOW, &e) != NULL);
	}
}

static void
clients(void)
{
	static const char *const rows[][2] = {
		{ "192.0.2.77", "192.0.2.77" },
		{ "::ffff:192.0.2.77", "192.0.2.77" },
		{ "2001:DB8:0:0::1", "2001:db8::1" },
		{ "fe80::1%eth0", "fe80::1" },
	};
	struct report_note n = good_note();
	struct report_entry e;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		strlcpy(n.client, rows[i][0], sizeof n.client);
		CHECK(rows[i][0],
		    report_of_note(&n, NOW, &e) == NULL &&
			strcmp(e.row.client, rows[i][1]) == 0);
	}
}

/* What is said of what was done. */
static void
done(void)
{
	/* Columns: case, author is the policy's, p, sp, np, testing, pct,
	 * rules, aligned, what was done, override; disposition, reason. */
	static const struct {
		const char *name;
		bool own;
		uint8_t p, sp, np, testing, pct, rules, aligned, done, override;
		enum report_disposition disposition;
		enum report_reason reason;
	} rows[] = {
		{ "passes, none is asked for", true, DMARC_P_NONE, 0, 0, 0, 100,
		    0, 1, DMARC_P_NONE, 0, REPORT_DONE_NONE, REASON_NONE },
		{ "passes", true, DMARC_P_REJECT, 0, 0, 0, 100, 0, 1,
		    DMARC_P_NONE, 0, REPORT_DONE_PASS, REASON_NONE },
		{ "passes below, where sp asks for none", false, DMARC_P_REJECT,
		    DMARC_P_NONE, 0, 0, 100, 0, 1, DMARC_P_NONE, 0,
		    REPORT_DONE_NONE, REASON_NONE },
		{ "fails, none is asked for", true, DMARC_P_NONE, 0, 0, 0, 100,
		    0, 0, DMARC_P_NONE, 0, REPORT_DONE_NONE, REASON_NONE },
		{ "fails, is rejected", true, DMARC_P_REJECT, 0, 0, 0, 100, 0,
		    0, DMARC_P_REJECT, 0, REPORT_DONE_REJECT, REASON_NONE },
		{ "fails below, by sp", false, DMARC_P_REJECT,
		    DMARC_P_QUARANTINE, 0, 0, 100, 0, 0, DMARC_P_QUARANTINE, 0,
		    REPORT_DONE_QUARANTINE, REASON_NONE },
		{ "fails below, by np", false, DMARC_P_REJECT, DMARC_P_REJECT,
		    DMARC_P_NONE, 0, 100, 0, 0, DMARC_P_NONE, 0,
		    REPORT_DONE_NONE, REASON_NONE },
		{ "no policy said is none", true, DMARC_P_UNSAID, 0, 0, 0, 100,
		    0, 0, DMARC_P_NONE, 0, REPORT_DONE_NONE, REASON_NONE },
		{ "testing", true, DMARC_P_REJECT, 0, 0, 1, 100, 0, 0,
		    DMARC_P_QUARANTINE, 0, REPORT_DONE_QUARANTINE,
		    REASON_TEST },
		{ "sampled out", true, DMARC_P_REJECT, 0, 0, 0, 10,
		    DMARC_RFC7489, 0, DMARC_P_QUARANTINE, 0,
		    REPORT_DONE_QUARANTINE, REASON_SAMPLED },
		{ "pct is nothing to RFC 9989", true, DMARC_P_REJECT, 0, 0, 0,
		    10, DMARC_RFC9989, 0, DMARC_P_NONE, 0, REPORT_DONE_NONE,
		    REASON_LOCAL },
		{ "excepted", true, DMARC_P_REJECT, 0, 0, 0, 100, 0, 0,
		    DMARC_P_NONE, OVERRIDE_EXCEPT, REPORT_DONE_NONE,
		    REASON_EXCEPT },
		{ "a sealer is trusted", true, DMARC_P_REJECT, 0, 0, 0, 100, 0,
		    0, DMARC_P_NONE, OVERRIDE_ARC, REPORT_DONE_NONE,
		    REASON_ARC },
		{ "less is done", true, DMARC_P_REJECT, 0, 0, 0, 100, 0, 0,
		    DMARC_P_QUARANTINE, OVERRIDE_LOCAL, REPORT_DONE_QUARANTINE,
		    REASON_LOCAL },
		{ "less is done, nobody said why", true, DMARC_P_REJECT, 0, 0,
		    0, 100, 0, 0, DMARC_P_NONE, 0, REPORT_DONE_NONE,
		    REASON_LOCAL },
	};
	struct report_entry e;
	struct report_note n;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		n = good_note();
		if (rows[i].own)
			strlcpy(n.author, n.policy_domain, sizeof n.author);
		n.p = rows[i].p;
		n.sp = rows[i].sp;
		n.np = rows[i].np;
		n.testing = rows[i].testing;
		n.pct = rows[i].pct;
		n.rules = rows[i].rules;
		n.spf_aligned = 0;
		n.dkim_aligned = rows[i].aligned;
		n.disposition = rows[i].done;
		n.override = rows[i].override;
		CHECK(rows[i].name,
		    report_of_note(&n, NOW, &e) == NULL &&
			e.row.disposition == rows[i].disposition &&
			e.row.reason == rows[i].reason);
	}
}

/* ---- rows ---- */

static struct report_entry
entry(void)
{
	struct report_note n = good_note();
	struct report_entry e;

	if (report_of_note(&n, NOW, &e) != NULL)
		abort();
	return e;
}

static void
rows(void)
{
	struct report_entry e = entry();
	uint8_t one[REPORT_ROW_MAX], two[REPORT_ROW_MAX];
	struct report_hash hash, other;
	struct report_row row;
	size_t len, n, wrong = 0;

	len = report_pack(&e.row, one, &hash);
	CHECK("row: and back",
	    report_unpack(unit_guard(one, len), len, &row) &&
		memcmp(&row, &e.row, sizeof row) == 0);
	for (n = 0; n < len; n++)
		wrong += report_unpack(unit_guard(one, n), n, &row);
	CHECK("row: cut short it is none", wrong == 0);
	one[0]++;
	CHECK("row: of another version", !report_unpack(one, len, &row));
	one[0]--;
	e.row.count = 41;
	e.row.first = NOW - 7;
	e.row.last = NOW + 9;
	report_pack(&e.row, two, &other);
	CHECK("row: times and counts are not what it is known by",
	    memcmp(&hash, &other, sizeof hash) == 0);
	report_add(one, two);
	CHECK("row: added up",
	    report_unpack(one, len, &row) && row.count == 42 &&
		row.first == NOW - 7 && row.last == NOW + 9 &&
		report_count(one) == 42);
	e.row.spf = RES_FAIL;
	report_pack(&e.row, two, &other);
	CHECK("row: what is reported is",
	    memcmp(&hash, &other, sizeof hash) != 0);
	memset(&row, 'x', sizeof row);
	row.n_dkim = 1;
	row.disposition = row.reason = row.spf = row.dkim[0] = 0;
	row.client[IP_TEXT_MAX] = row.author[DOMAIN_MAX] = '\0';
	row.sender[DOMAIN_MAX] = row.spf_domain[DOMAIN_MAX] = '\0';
	row.dkim_text[500] = row.dkim_text[1023] = '\0';
	memset(&row.spf_aligned, 1, 1);
	memset(&row.dkim_aligned, 1, 1);
	CHECK("row: the longest", report_pack(&row, two, &other) <= sizeof two);
}

static void
heads(void)
{
	struct report_head h = { .policy = { .p = 3,
				     .np = 1,
				     .aspf_strict = true,
				     .testing = true,
				     .fo = "0:1:d:s" },
		.sent = 2,
		.rows = 3,
		.messages = 4,
		.shortened = 5,
		.dropped = 6,
		.first = 7,
		.last = 8 };
	uint8_t out[REPORT_HEAD_MAX];
	size_t len = report_pack_head(&h, out), n, wrong = 0;
	struct report_head back;

	CHECK("head: and back",
	    report_unpack_head(unit_guard(out, len), len, &back) &&
		memcmp(&back, &h, sizeof h) == 0);
	for (n = 0; n < len; n++)
		wrong += report_unpack_head(unit_guard(out, n), n, &back);
	CHECK("head: cut short it is none", wrong == 0);
	out[1] = 9;
	CHECK("head: with a policy that is none",
	    !report_unpack_head(out, len, &back));
}

static void
keys(void)
{
	struct report_hash hash = { { 1, 2, 3 } }, back;
	char domain[DOMAIN_MAX + 1], longest[DOMAIN_MAX + 1];
	struct report_key key;
	uint32_t day;
	size_t n, wrong = 0;

	report_key(20574, "example.org", &hash, &key);
	CHECK("key: and back",
	    report_key_read(unit_guard(key.bytes, key.len), key.len, true, &day,
		domain, &back) &&
		day == 20574 && strcmp(domain, "example.org") == 0 &&
		memcmp(&hash, &back, sizeof hash) == 0);
	for (n = 0; n < key.len; n++)
		wrong += report_key_read(unit_guard(key.bytes, n), n, true,
		    &day, domain, &back);
	CHECK("key: cut short it is none", wrong == 0);
	CHECK("key: of a row it is of no head",
	    !report_key_read(key.bytes, key.len, false, &day, domain, NULL));
	memset(longest, 'a', DOMAIN_MAX);
	longest[DOMAIN_MAX] = '\0';
	report_key(UINT32_MAX, longest, &hash, &key);
	CHECK("key: the longest", key.len <= sizeof key.bytes);
}

static void
days(void)
{
	char text[REPORT_DAY_TEXT];
	uint32_t day;

	CHECK("day: printed",
	    strcmp(report_day_print(NOW / REPORT_DAY, text), "2026-05-01") ==
		0);
	CHECK("day: and back",
	    report_day_parse("2026-05-01", 0, &day) && day == NOW / REPORT_DAY);
	CHECK("day: yesterday",
	    report_day_parse("yesterday", NOW, &day) &&
		day == NOW / REPORT_DAY - 1);
	CHECK("day: today",
	    report_day_parse("today", NOW, &day) && day == NOW / REPORT_DAY);
	CHECK("day: not one",
	    !report_day_parse("2026-13-01", 0, &day) &&
		!report_day_parse("1969-12-31", 0, &day) &&
		!report_day_parse("2026-05-01x", 0, &day) &&
		!report_day_parse("", 0, &day));
	CHECK("day: one that nobody will see",
	    report_day_print(UINT32_MAX, text)[0] == '\0');
	CHECK("due: after the day, and not long after",
	    report_due(100, "mx.example.org") >= 101 * REPORT_DAY + 10 * 60 &&
		report_due(100, "mx.example.org") <
		    101 * REPORT_DAY + 10 * 60 + 2 * 60 * 60);
	CHECK("due: not for all at once",
	    report_due(100, "mx.example.org") != report_due(100, "mx.b.test"));
}

/* ---- XML ---- */

static void
texts(void)
{
	static const char *const rows[][2] = {
		{ "example.org", "example.org" },
		{ "a<b>&\"c'", "a&lt;b&gt;&amp;&quot;c&apos;" },
		{ "]]><x>", "]]&gt;&lt;x&gt;" },
		{ "M\xc3\xbcller", "M\xc3\xbcller" },
		{ "\xf0\x9f\x93\xa7", "\xf0\x9f\x93\xa7" },
		{ "a\xc3", "a?" },
		{ "\xff\xfe", "??" },
		{ "\xed\xa0\x80", "???" }, /* a surrogate */
		{ "\xef\xbf\xbe", "?" },   /* U+FFFE */
		{ "\xef\xbf\xbd", "\xef\xbf\xbd" },
		{ "\xc0\xbc", "??" }, /* '<', too long */
		{ "\x01\x1b\n\x7f", "????" },
		{ "", "" },
	};
	struct buf b;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		buf_init(&b, 0);
		report_xml_text(&b, rows[i][0]);
		CHECK(rows[i][0],
		    b.len == strlen(rows[i][1]) &&
			memcmp(buf_data(&b), rows[i][1], b.len) == 0);
		buf_free(&b);
	}
}

/* ---- sizes in rua= ---- */

static void
sizes(void)
{
	/* Columns: what stands behind the '!', bytes. */
	static const struct {
		const char *text;
		uint64_t size;
	} cases[] = {
		{ "", 0 },
		{ "!700", 700 },
		{ "!50k", 50 << 10 },
		{ "!10M", 10 << 20 },
		{ "!2g", (uint64_t)2 << 30 },
		{ "!1t", (uint64_t)1 << 40 },
	};
	struct dmarc_record r;
	char text[128];
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		snprintf(text, sizeof text, "v=DMARC1; rua=mailto:a@b.test%s",
		    cases[i].text);
		CHECK(text,
		    dmarc_record_parse(slice_of(text), DMARC_RFC9989, &r) ==
			    NULL &&
			r.n_rua == 1 && r.rua_size[0] == cases[i].size);
	}
	snprintf(text, sizeof text,
	    "v=DMARC1; rua=mailto:a@b.test!99999999999999999999999999999t");
	CHECK("size: more than can be counted",
	    dmarc_record_parse(slice_of(text), DMARC_RFC9989, &r) == NULL &&
		r.rua_size[0] >= (uint64_t)1 << 50);
}

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

/* The map is full: what was not written is tried again, and nothing is counted
 * twice. */
static void
full(void)
{
	const uint64_t token[2] = { 1, 2 };
	uint32_t day = today();
	struct report_head head;
	const char *why;
	struct world w;
	bool empty;
	unsigned int i;

	memset(&w, 0, sizeof w);
	strlcpy(w.dir, "/tmp/postern-unit.XXXXXX", sizeof w.dir);
	if (mkdtemp(w.dir) == NULL)
		abort();
	w.loop = loop_new();
	w.ix = index_open_map(w.dir, token, false, 1 << 24, &empty, &why);
	if (w.ix == NULL)
		abort();
	mdb_env_set_mapsize(w.ix->facts, 200 * 1024);
	w.store = report_open(w.loop, w.ix, &why);
	if (w.store == NULL)
		abort();
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
	takes();
	refuses();
	clients();
	done();
	rows();
	heads();
	keys();
	days();
	texts();
	sizes();
	kept();
	dealt();
	swept();
	bounded();
	unwritten();
	full();
	made();
	return unit_end();
}
