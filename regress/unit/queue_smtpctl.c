/*
 * smtpctl: selectors, JSON, safe text, times.
 *
 * SPDX-License-Identifier: ISC
 */
#include <bsd/string.h>

#include "id.h"
#include "smtpctl.h"
#include "smtpctl_print.h"
#include "unit.h"

/* ---- selectors ---- */

#define ID   "0DZ5KQ2X4M000"
#define ARGS 6

/* Columns: arguments; what the daemon is asked (CTL_BY_NONE: refused), text;
 * whether selector_parse() takes it at all. */
static const struct {
	const char *argv[ARGS];
	enum ctl_by by;
	const char *text;
	uint32_t n;
	int parses;
} selectors[] = {
	{ { "all" }, CTL_BY_ALL, "", CONF_NONE, 1 },
	{ { ID }, CTL_BY_ID, "", CONF_NONE, 1 },
	{ { "0dz5kq2x4m000" }, CTL_BY_ID, "", CONF_NONE, 1 },
	{ { ID ":0" }, CTL_BY_ID, "", 0, 1 },
	{ { ID ":29999" }, CTL_BY_ID, "", 29999, 1 },
	{ { "example.org" }, CTL_BY_DOMAIN, "example.org", CONF_NONE, 1 },
	{ { "@example.org" }, CTL_BY_DOMAIN, "example.org", CONF_NONE, 1 },
	{ { "--domain", "localhost" }, CTL_BY_DOMAIN, "localhost", CONF_NONE,
	    1 },
	{ { "a@example.org" }, CTL_BY_RCPT, "a@example.org", CONF_NONE, 1 },
	{ { "--to", "a@example.org" }, CTL_BY_RCPT, "a@example.org", CONF_NONE,
	    1 },
	{ { "--to", "@example.org" }, CTL_BY_DOMAIN, "example.org", CONF_NONE,
	    1 },
	{ { "--from", "a@example.org" }, CTL_BY_SENDER, "a@example.org",
	    CONF_NONE, 1 },
	{ { "--from", "<>" }, CTL_BY_SENDER, "", CONF_NONE, 1 },
	{ { "--from", "" }, CTL_BY_SENDER, "", CONF_NONE, 1 },
	{ { "mx:example.org" }, CTL_BY_ROUTE, "mx:example.org", CONF_NONE, 1 },
	{ { "host:smtp://relay:25" }, CTL_BY_ROUTE, "host:smtp://relay:25",
	    CONF_NONE, 1 },
	/* only for listings */
	{ { NULL }, CTL_BY_NONE, "", 0, 1 },
	{ { "example.org", "--from", "a@b.example" }, CTL_BY_NONE, "", 0, 1 },
	{ { ID, "--state", "held" }, CTL_BY_NONE, "", 0, 1 },
	{ { "--state", "waiting" }, CTL_BY_NONE, "", 0, 1 },
	/* who that is, only a look at the spool tells */
	{ { "--to-has", "ann" }, CTL_BY_NONE, "", 0, 1 },
	{ { "--from-has", "!ann" }, CTL_BY_NONE, "", 0, 1 },
	{ { ID, "--id-has", "X4M" }, CTL_BY_NONE, "", 0, 1 },
	/* never */
	{ { "--to-has", "" }, CTL_BY_NONE, "", 0, 0 },
	{ { "--to-has", "!" }, CTL_BY_NONE, "", 0, 0 },
	{ { "--to-has", "a", "--to-has", "b" }, CTL_BY_NONE, "", 0, 0 },
	{ { "all", "--to-has", "a" }, CTL_BY_NONE, "", 0, 0 },
	{ { "" }, CTL_BY_NONE, "", 0, 0 },
	{ { "0DZ5KQ2X4M00" }, CTL_BY_NONE, "", 0, 0 },
	{ { ID "0" }, CTL_BY_NONE, "", 0, 0 },
	{ { "ZDZ5KQ2X4M000" }, CTL_BY_NONE, "", 0, 0 },
	{ { ID ":" }, CTL_BY_NONE, "", 0, 0 },
	{ { ID ":x" }, CTL_BY_NONE, "", 0, 0 },
	{ { ID ":-1" }, CTL_BY_NONE, "", 0, 0 },
	{ { ID ":30001" }, CTL_BY_NONE, "", 0, 0 },
	{ { ID ":1:2" }, CTL_BY_NONE, "", 0, 0 },
	{ { ID, ID }, CTL_BY_NONE, "", 0, 0 },
	{ { "ALL" }, CTL_BY_NONE, "", 0, 0 },
	{ { "al" }, CTL_BY_NONE, "", 0, 0 },
	{ { "all", "example.org" }, CTL_BY_NONE, "", 0, 0 },
	{ { "example.org", "example.net" }, CTL_BY_NONE, "", 0, 0 },
	{ { "--to", "nobody" }, CTL_BY_NONE, "", 0, 0 },
	{ { "--to" }, CTL_BY_NONE, "", 0, 0 },
	{ { "--state", "sleeping" }, CTL_BY_NONE, "", 0, 0 },
	{ { "--subject", "x" }, CTL_BY_NONE, "", 0, 0 },
};

static void
test_selectors(void)
{
	char name[128], *argv[ARGS + 1];
	struct ctl_ask ask;
	struct selector s;
	const char *why;
	size_t i;
	int n;

	for (i = 0; i < sizeof selectors / sizeof selectors[0]; i++) {
		snprintf(name, sizeof name, "selector");
		for (n = 0; n < ARGS && selectors[i].argv[n] != NULL; n++) {
			argv[n] = unit_guard(selectors[i].argv[n],
			    strlen(selectors[i].argv[n]) + 1);
			strlcat(name, "_", sizeof name);
			strlcat(name, argv[n], sizeof name);
		}
		memset(&ask, 0, sizeof ask);
		why = selector_parse(n, argv, &s);
		if (!selectors[i].parses) {
			CHECK(name, why != NULL);
			continue;
		}
		if (selectors[i].by == CTL_BY_NONE) {
			CHECK(name,
			    why == NULL && selector_ask(&s, &ask) != NULL);
			continue;
		}
		CHECK(name,
		    why == NULL && selector_ask(&s, &ask) == NULL &&
			ask.by == selectors[i].by && ask.n == selectors[i].n &&
			strcmp(ask.text, selectors[i].text) == 0 &&
			(ask.by == CTL_BY_ID) == (ask.id != 0));
	}
}

static void
test_long_selector(void)
{
	char word[ROUTE_MAX + 64], *argv[] = { word };
	struct ctl_ask ask = { 0 };
	struct selector s;

	memset(word, 'a', sizeof word);
	memcpy(word, "mx:", 3);
	word[ROUTE_MAX] = '\0';
	CHECK("selector_as_long_as_a_route",
	    selector_parse(1, argv, &s) == NULL &&
		selector_ask(&s, &ask) == NULL);
	word[ROUTE_MAX] = 'a';
	word[ROUTE_MAX + 1] = '\0';
	CHECK("selector_longer_than_a_route",
	    selector_parse(1, argv, &s) == NULL &&
		selector_ask(&s, &ask) != NULL);
}

/* Columns: state of the recipient, arguments, whether it is meant. */
static const struct {
	char state;
	const char *argv[ARGS];
	int matches;
} matches[] = {
	{ 'q', { NULL }, 1 },
	{ 'w', { NULL }, 1 },
	{ 'h', { NULL }, 1 },
	{ 'b', { NULL }, 1 },
	{ 'd', { NULL }, 0 },
	{ 'r', { "all" }, 0 },
	{ 'd', { ID }, 0 },
	{ 'd', { ID ":2" }, 1 },
	{ 'q', { ID ":2" }, 1 },
	{ 'q', { ID ":1" }, 0 },
	{ 'd', { "--state", "delivered" }, 1 },
	{ 'q', { "--state", "delivered" }, 0 },
	{ 'w', { "--state", "waiting" }, 1 },
	{ 'H', { "--state", "held" }, 1 },
	{ 'q', { "EXAMPLE.net" }, 1 },
	{ 'q', { "xample.net" }, 0 },
	{ 'q', { "--to", "Bob@example.NET" }, 1 },
	{ 'q', { "--to", "rob@example.net" }, 0 },
	{ 'q', { "--from", "alice@example.org" }, 1 },
	{ 'q', { "--from", "<>" }, 0 },
	{ 'q', { "mx:example.net" }, 1 },
	{ 'q', { "mx:example.org" }, 0 },
	{ 'q', { "example.net", "--from", "alice@example.org" }, 1 },
	{ 'q', { "example.net", "--from", "bob@example.org" }, 0 },
	{ 'q', { "--to-has", "B@EXAMPLE" }, 1 },
	{ 'q', { "--to-has", "alice" }, 0 },
	{ 'q', { "--to-has", "!alice" }, 1 },
	{ 'q', { "--from-has", "alice", "--to-has", "bob" }, 1 },
	{ 'q', { "--from-has", "!alice", "--to-has", "bob" }, 0 },
	{ 'q', { "--id-has", "kq2x" }, 1 },
	{ 'q', { "--id-has", "!kq2x" }, 0 },
	{ 'd', { "--to-has", "bob" }, 0 },
};

static void
test_matches(void)
{
	struct index_msg m = { .sender = "alice@example.org" };
	struct index_rcpt r = { .n = 2,
		.addr = "bob@example.net",
		.route = "mx:example.net" };
	char name[128], *argv[ARGS];
	struct selector s;
	size_t i;
	int n;

	id_parse(ID, &m.id);
	r.id = m.id;
	for (i = 0; i < sizeof matches / sizeof matches[0]; i++) {
		snprintf(name, sizeof name, "match_%c", matches[i].state);
		for (n = 0; n < ARGS && matches[i].argv[n] != NULL; n++) {
			argv[n] = (char *)(uintptr_t)matches[i].argv[n];
			strlcat(name, "_", sizeof name);
			strlcat(name, argv[n], sizeof name);
		}
		r.state = matches[i].state;
		CHECK(name,
		    selector_parse(n, argv, &s) == NULL &&
			selector_match(&s, &m, &r) == matches[i].matches);
	}
}

/* ---- printing ---- */

/* Columns: bytes, JSON, text for a terminal. */
static const struct {
	const char *in, *json, *text;
} strings[] = {
	{ "", "\"\"", "" },
	{ "plain", "\"plain\"", "plain" },
	{ "\"\\\b\f\n\r\t", "\"\\\"\\\\\\b\\f\\n\\r\\t\"", "\"\\?????" },
	{ "\x01\x1b[31m\x7f", "\"\\u0001\\u001b[31m\\u007f\"", "??[31m?" },
	{ "caf\xc3\xa9", "\"caf\xc3\xa9\"", "caf\xc3\xa9" },
	{ "\xe2\x82\xac \xf0\x9f\x93\xac", "\"\xe2\x82\xac \xf0\x9f\x93\xac\"",
	    "\xe2\x82\xac \xf0\x9f\x93\xac" },
	{ "\xc2\x9b", "\"\\u009b\"", "?" },
	/* not UTF-8: alone, cut short, overlong, surrogate, too large */
	{ "a\xff", "\"a\\ufffd\"", "a?" },
	{ "\xc3", "\"\\ufffd\"", "?" },
	{ "\xe2\x82", "\"\\ufffd\\ufffd\"", "??" },
	{ "\xe2\x82z", "\"\\ufffd\\ufffdz\"", "??z" },
	{ "\xc0\x80", "\"\\ufffd\\ufffd\"", "??" },
	{ "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"", "???" },
	{ "\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"", "????" },
	{ "\x80", "\"\\ufffd\"", "?" },
};

static int
buf_is(struct buf *b, const char *want)
{
	int same =
	    b->len == strlen(want) && memcmp(buf_data(b), want, b->len) == 0;

	buf_drain(b, b->len);
	return same;
}

static void
test_strings(void)
{
	struct buf b;
	char name[32];
	const char *in;
	size_t i, len, cut, used;
	int ok;

	buf_init(&b, 0);
	for (i = 0; i < sizeof strings / sizeof strings[0]; i++) {
		len = strlen(strings[i].in);
		in = unit_guard(strings[i].in, len + 1);
		snprintf(name, sizeof name, "json_%zu", i);
		json_string(&b, in);
		CHECK(name, buf_is(&b, strings[i].json));
		snprintf(name, sizeof name, "text_%zu", i);
		print_text(&b, in);
		CHECK(name, buf_is(&b, strings[i].text));
		/* In two pieces it is the same, wherever it is cut. */
		ok = 1;
		for (cut = 0; cut <= len; cut++) {
			buf_puts(&b, "\"");
			used = json_piece(&b, unit_guard(in, cut), cut, false);
			json_piece(&b, unit_guard(in + used, len - used),
			    len - used, true);
			buf_puts(&b, "\"");
			ok &= buf_is(&b, strings[i].json);
		}
		snprintf(name, sizeof name, "pieces_%zu", i);
		CHECK(name, ok);
	}
	print_column(&b, "ab", 4);
	CHECK("column_short", buf_is(&b, "ab   "));
	print_column(&b, "abcd", 4);
	CHECK("column_full", buf_is(&b, "abcd "));
	print_column(&b, "abcdef", 4);
	CHECK("column_over", buf_is(&b, "abcdef "));
	print_column(&b, "\xc3\xa9", 2);
	CHECK("column_counts_characters", buf_is(&b, "\xc3\xa9  "));
	buf_free(&b);
}

static const struct {
	int64_t seconds;
	const char *text;
} spans[] = {
	{ -5, "0s" },
	{ 0, "0s" },
	{ 59, "59s" },
	{ 60, "1m" },
	{ 250, "4m10s" },
	{ 3600, "1h" },
	{ 3605, "1h" },
	{ 7260, "2h1m" },
	{ 86400, "1d" },
	{ 90000, "1d1h" },
	{ 100 * 86400 + 3600, "100d1h" },
	{ INT64_MAX, "106751991167300d15h" },
};

static const struct {
	int64_t when;
	const char *text;
} isos[] = {
	{ 0, "1970-01-01T00:00:00Z" },
	{ 1770091445, "2026-02-03T04:04:05Z" },
	{ 253402300799, "9999-12-31T23:59:59Z" },
	{ 253402300800, "" },
	{ INT64_MAX, "" },
	{ INT64_MIN, "" },
};

static const struct {
	uint64_t bytes;
	const char *text;
} sizes[] = {
	{ 0, "0" },
	{ 1023, "1023" },
	{ 1024, "1.0K" },
	{ 1536, "1.5K" },
	{ 1048575, "1023.9K" },
	{ 1048576, "1.0M" },
	{ UINT64_MAX, "15.9E" },
};

static void
test_numbers(void)
{
	char out[PRINT_TIME], name[64];
	size_t i;

	for (i = 0; i < sizeof spans / sizeof spans[0]; i++) {
		snprintf(name, sizeof name, "span_%s", spans[i].text);
		CHECK(name,
		    strcmp(print_span(spans[i].seconds, out), spans[i].text) ==
			0);
	}
	for (i = 0; i < sizeof isos / sizeof isos[0]; i++) {
		snprintf(name, sizeof name, "iso_%zu", i);
		CHECK(name,
		    strcmp(print_iso(isos[i].when, out), isos[i].text) == 0);
	}
	for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		snprintf(name, sizeof name, "size_%s", sizes[i].text);
		CHECK(name,
		    strcmp(print_size(sizes[i].bytes, out), sizes[i].text) ==
			0);
	}
}

static void
test_next_try(void)
{
	struct next_try unknown = { 0 }, held = { true, true, 500, false };
	struct next_try soon = { true, false, 1250, false };
	struct next_try past = { true, false, 9, false };
	struct next_try trying = { true, false, 9, true };
	char out[PRINT_TIME + 8];

	CHECK("next_none",
	    strcmp(next_try_print(&unknown, 1000, out, sizeof out), "-") == 0);
	CHECK("next_held",
	    strcmp(next_try_print(&held, 1000, out, sizeof out), "held") == 0);
	CHECK("next_in",
	    strcmp(next_try_print(&soon, 1000, out, sizeof out), "in 4m10s") ==
		0);
	CHECK("next_now",
	    strcmp(next_try_print(&past, 1000, out, sizeof out), "now") == 0);
	CHECK("next_trying",
	    strcmp(next_try_print(&trying, 1000, out, sizeof out), "trying") ==
		0);
}

int
main(void)
{
	test_selectors();
	test_long_selector();
	test_matches();
	test_strings();
	test_numbers();
	test_next_try();
	return unit_end();
}
