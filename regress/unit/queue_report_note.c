/*
 * Reports to the domains of authors: what of a note is taken, rows and their
 * sums as bytes, days, texts in XML, sizes.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>

#include "dmarc.h"
#include "report_day.h"
#include "report_note.h"
#include "report_xml.h"
#include "unit.h"

/* ---- notes ---- */

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

int
main(void)
{
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
	return unit_end();
}
