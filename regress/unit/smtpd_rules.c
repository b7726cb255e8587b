/*
 * smtpd/lookup_rules.c: which rule, and what it says.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include "conf_image.h"
#include "lookup_rules.h"

enum { T_NETS, T_DOMAINS, T_BROKEN };
enum { A_MX, A_HOST, A_NOTLS, A_SIX };

/* The same sort of rules for all cases: each has its own place for a rule. */
struct setup {
	struct conf *conf;
	struct rules rules;
	struct table tables[3];
	conf_str tag;
};

static void
setup(struct setup *s, const struct conf_match *rows, uint32_t n)
{
	struct conf *c = image_new();
	struct conf_entry own[] = {
		{ .key = image_text(c, "192.0.2.5") },
		{ .key = image_text(c, "2001:db8::5") },
	};
	struct conf_action actions[] = {
		[A_MX] = { .port = 25 },
		[A_HOST] = { .host = image_text(c, "Relay.example.net"),
		    .port = 2525 },
		[A_NOTLS] = { .host = image_text(c, "192.0.2.9"),
		    .port = 25,
		    .scheme = SCHEME_SMTP_NOTLS },
		[A_SIX] = { .host = image_text(c, "2001:db8::9"), .port = 26 },
	};

	memset(s, 0, sizeof(*s));
	c->hostname = image_text(c, "mx.example.org");
	s->tag = image_text(c, "inside");
	image_rows(c, &c->local_addr, own, 2, sizeof(own[0]));
	image_rows(c, &c->action, actions, 4, sizeof(actions[0]));
	image_rows(c, &c->match, rows, n, sizeof(rows[0]));
	table_init(&s->tables[T_NETS], "nets");
	table_add(&s->tables[T_NETS], SLICE("10.0.0.0/8"));
	table_add(&s->tables[T_NETS], SLICE("2001:db8::/32"));
	table_ready(&s->tables[T_NETS]);
	table_init(&s->tables[T_DOMAINS], "domains");
	table_add(&s->tables[T_DOMAINS], SLICE("example.org"));
	table_add(&s->tables[T_DOMAINS], SLICE("*.example.org"));
	table_ready(&s->tables[T_DOMAINS]);
	table_init(&s->tables[T_BROKEN], "broken");
	s->conf = c;
	s->rules.conf = c;
	s->rules.tables = s->tables;
}

static void
teardown(struct setup *s)
{
	size_t i;

	for (i = 0; i < 3; i++)
		table_free(&s->tables[i]);
	free(s->conf);
}

/* One rule, one question. */
static const struct {
	const char *name;
	uint8_t from, not_from, for_, not_for;
	uint32_t from_table, for_table;
	uint32_t flags;
	const char *client, *domain;
	enum rule_answer answer;
} cases[] = {
	{ "from local, a stranger", FROM_LOCAL, 0, FOR_ANY, 0, 0, 0, 0,
	    "203.0.113.1", "x.example", RULE_NONE },
	{ "from local, ourselves", FROM_LOCAL, 0, FOR_ANY, 0, 0, 0, FACT_LOCAL,
	    "127.0.0.1", "x.example", RULE_FOUND },
	{ "from local, by the socket", FROM_LOCAL, 0, FOR_ANY, 0, 0, 0,
	    FACT_SOCKET, "", "x.example", RULE_FOUND },
	{ "from local, a notification", FROM_LOCAL, 0, FOR_ANY, 0, 0, 0,
	    FACT_OURS, "", "x.example", RULE_FOUND },
	{ "!from local, a stranger", FROM_LOCAL, 1, FOR_ANY, 0, 0, 0, 0,
	    "203.0.113.1", "x.example", RULE_FOUND },
	{ "!from local, ourselves", FROM_LOCAL, 1, FOR_ANY, 0, 0, 0, FACT_LOCAL,
	    "127.0.0.1", "x.example", RULE_NONE },
	{ "from socket", FROM_SOCKET, 0, FOR_ANY, 0, 0, 0,
	    FACT_SOCKET | FACT_LOCAL, "", "x.example", RULE_FOUND },
	{ "from socket, by loopback", FROM_SOCKET, 0, FOR_ANY, 0, 0, 0,
	    FACT_LOCAL, "127.0.0.1", "x.example", RULE_NONE },
	{ "from any", FROM_ANY, 0, FOR_ANY, 0, 0, 0, 0, "203.0.113.1",
	    "x.example", RULE_FOUND },
	{ "!from any", FROM_ANY, 1, FOR_ANY, 0, 0, 0, 0, "203.0.113.1",
	    "x.example", RULE_NONE },
	{ "from src, in it", FROM_SRC, 0, FOR_ANY, 0, T_NETS, 0, 0, "10.1.2.3",
	    "x.example", RULE_FOUND },
	{ "from src, IPv6", FROM_SRC, 0, FOR_ANY, 0, T_NETS, 0, 0,
	    "2001:db8:1::1", "x.example", RULE_FOUND },
	{ "from src, not in it", FROM_SRC, 0, FOR_ANY, 0, T_NETS, 0, 0,
	    "11.1.2.3", "x.example", RULE_NONE },
	{ "from src, by the socket", FROM_SRC, 0, FOR_ANY, 0, T_NETS, 0,
	    FACT_SOCKET, "", "x.example", RULE_NONE },
	{ "!from src, in it", FROM_SRC, 1, FOR_ANY, 0, T_NETS, 0, 0, "10.1.2.3",
	    "x.example", RULE_NONE },
	{ "!from src, not in it", FROM_SRC, 1, FOR_ANY, 0, T_NETS, 0, 0,
	    "11.1.2.3", "x.example", RULE_FOUND },
	{ "from src, no answer", FROM_SRC, 0, FOR_ANY, 0, T_BROKEN, 0, 0,
	    "10.1.2.3", "x.example", RULE_UNKNOWN },
	{ "!from src, no answer", FROM_SRC, 1, FOR_ANY, 0, T_BROKEN, 0, 0,
	    "10.1.2.3", "x.example", RULE_UNKNOWN },
	{ "from src, no answer, other domain", FROM_SRC, 0, FOR_DOMAIN, 0,
	    T_BROKEN, T_DOMAINS, 0, "10.1.2.3", "x.example", RULE_NONE },
	{ "from src, no table", FROM_SRC, 0, FOR_ANY, 0, CONF_NONE, 0, 0,
	    "10.1.2.3", "x.example", RULE_UNKNOWN },
	{ "for local, our name", FROM_ANY, 0, FOR_LOCAL, 0, 0, 0, 0, "",
	    "MX.example.org", RULE_FOUND },
	{ "for local, localhost", FROM_ANY, 0, FOR_LOCAL, 0, 0, 0, 0, "",
	    "LocalHost", RULE_FOUND },
	{ "for local, other name", FROM_ANY, 0, FOR_LOCAL, 0, 0, 0, 0, "",
	    "example.org", RULE_NONE },
	{ "for local, loopback", FROM_ANY, 0, FOR_LOCAL, 0, 0, 0, 0, "",
	    "[127.0.0.1]", RULE_FOUND },
	{ "for local, loopback 6", FROM_ANY, 0, FOR_LOCAL, 0, 0, 0, 0, "",
	    "[IPv6:::1]", RULE_FOUND },
	{ "for local, own address", FROM_ANY, 0, FOR_LOCAL, 0, 0, 0, 0, "",
	    "[192.0.2.5]", RULE_FOUND },
	{ "for local, own address 6", FROM_ANY, 0, FOR_LOCAL, 0, 0, 0, 0, "",
	    "[IPv6:2001:db8:0::5]", RULE_FOUND },
	{ "for local, other address", FROM_ANY, 0, FOR_LOCAL, 0, 0, 0, 0, "",
	    "[192.0.2.6]", RULE_NONE },
	{ "for local, bad literal", FROM_ANY, 0, FOR_LOCAL, 0, 0, 0, 0, "",
	    "[192.0.2", RULE_NONE },
	{ "!for local", FROM_ANY, 0, FOR_LOCAL, 1, 0, 0, 0, "", "x.example",
	    RULE_FOUND },
	{ "for domain", FROM_ANY, 0, FOR_DOMAIN, 0, 0, T_DOMAINS, 0, "",
	    "EXAMPLE.org", RULE_FOUND },
	{ "for domain, below", FROM_ANY, 0, FOR_DOMAIN, 0, 0, T_DOMAINS, 0, "",
	    "a.example.org", RULE_FOUND },
	{ "for domain, other", FROM_ANY, 0, FOR_DOMAIN, 0, 0, T_DOMAINS, 0, "",
	    "example.net", RULE_NONE },
	{ "!for domain", FROM_ANY, 0, FOR_DOMAIN, 1, 0, T_DOMAINS, 0, "",
	    "example.net", RULE_FOUND },
	{ "for domain, no answer", FROM_ANY, 0, FOR_DOMAIN, 0, 0, T_BROKEN, 0,
	    "", "example.org", RULE_UNKNOWN },
	{ "for domain, no table", FROM_ANY, 0, FOR_DOMAIN, 0, 0, CONF_NONE, 0,
	    "", "example.org", RULE_UNKNOWN },
	{ "for domain, no answer, a stranger", FROM_LOCAL, 0, FOR_DOMAIN, 0, 0,
	    T_BROKEN, 0, "203.0.113.1", "example.org", RULE_NONE },
};

static void
test_cases(void)
{
	struct conf_match m;
	struct facts f;
	struct setup s;
	uint32_t row;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		m = (struct conf_match){ .from = cases[i].from,
			.not_from = cases[i].not_from,
			.for_ = cases[i].for_,
			.not_for = cases[i].not_for,
			.from_table = cases[i].from_table,
			.for_table = cases[i].for_table };
		setup(&s, &m, 1);
		memset(&f, 0, sizeof(f));
		f.flags = cases[i].flags;
		snprintf(f.client, sizeof(f.client), "%s", cases[i].client);
		CHECK(cases[i].name,
		    rules_match(&s.rules, &f, cases[i].domain, &row) ==
			cases[i].answer);
		teardown(&s);
	}
}

static void
test_tags(void)
{
	struct conf_match m[2] = {
		{ .from = FROM_ANY, .for_ = FOR_ANY, .line = 1 },
		{ .from = FROM_ANY, .for_ = FOR_ANY, .line = 2 },
	};
	struct facts f = { 0 };
	struct conf_match *first;
	struct setup s;
	uint32_t row;

	setup(&s, m, 2);
	first = (struct conf_match *)((char *)s.conf + s.conf->match.off);
	CHECK("first rule wins",
	    rules_match(&s.rules, &f, "x", &row) == RULE_FOUND && row == 0);
	first->tag = s.tag;
	CHECK("tag: none",
	    rules_match(&s.rules, &f, "x", &row) == RULE_FOUND && row == 1);
	strcpy(f.tag, "inside");
	CHECK("tag: the same",
	    rules_match(&s.rules, &f, "x", &row) == RULE_FOUND && row == 0);
	strcpy(f.tag, "Inside");
	CHECK("tag: other case",
	    rules_match(&s.rules, &f, "x", &row) == RULE_FOUND && row == 1);
	first->not_tag = 1;
	CHECK("tag: not that",
	    rules_match(&s.rules, &f, "x", &row) == RULE_FOUND && row == 0);
	teardown(&s);
}

/* A rule that cannot be decided does not fall through to the next. */
static void
test_unknown_stops(void)
{
	struct conf_match m[2] = {
		{ .from = FROM_SRC, .from_table = T_BROKEN, .for_ = FOR_ANY },
		{ .from = FROM_ANY, .for_ = FOR_ANY },
	};
	struct facts f = { .client = "10.0.0.1" };
	struct setup s;
	uint32_t row;

	setup(&s, m, 2);
	CHECK("no answer stops",
	    rules_match(&s.rules, &f, "x", &row) == RULE_UNKNOWN && row == 0);
	teardown(&s);
}

static void
test_rcpt(void)
{
	struct conf_match m[] = {
		{ .from = FROM_ANY,
		    .for_ = FOR_DOMAIN,
		    .for_table = T_BROKEN,
		    .line = 7 },
		{ .from = FROM_ANY,
		    .for_ = FOR_ANY,
		    .reject = 1,
		    .action = CONF_NONE },
	};
	struct rcpt_ask ask = { .rcpt = "a\t\001b<c@x.example" };
	struct rcpt_is is;
	struct setup s;

	setup(&s, m, 2);
	rules_rcpt(&s.rules, &ask, &is);
	CHECK("rcpt: table cannot answer",
	    is.outcome.verdict == LATER && is.outcome.code == 451 &&
		is.outcome.ecode[0] == 4 && is.outcome.ecode[1] == 3);
	CHECK("rcpt: names the line",
	    strstr(is.outcome.text, "line 7") != NULL);
	table_ready(&s.tables[T_BROKEN]);
	rules_rcpt(&s.rules, &ask, &is);
	CHECK("rcpt: reject",
	    is.outcome.verdict == NEVER && is.outcome.code == 550 &&
		is.outcome.ecode[0] == 5 && is.outcome.ecode[1] == 7 &&
		is.outcome.ecode[2] == 1);
	CHECK("rcpt: safe words",
	    strstr(is.outcome.text, "<a??b<c@x.example>") != NULL);
	s.conf->match.n = 1;
	rules_rcpt(&s.rules, &ask, &is);
	CHECK("rcpt: no rule, no relay",
	    is.outcome.verdict == NEVER && is.outcome.code == 550 &&
		strstr(is.outcome.text, "relay not permitted") != NULL);
	table_add(&s.tables[T_BROKEN], SLICE("x.example"));
	table_ready(&s.tables[T_BROKEN]);
	rules_rcpt(&s.rules, &ask, &is);
	CHECK("rcpt: accepted",
	    is.outcome.verdict == DONE && is.outcome.code == 250);
	teardown(&s);
}

static const struct {
	const char *rcpt;
	uint32_t action;
	const char *route;
} routes[] = {
	{ "a@Example.ORG", A_MX, "mx:example.org" },
	{ "\"a@b\"@x.example", A_MX, "mx:x.example" },
	{ "Postmaster", A_MX, "mx:mx.example.org" },
	{ "a@[192.0.2.1]", A_MX, "mx:[192.0.2.1]" },
	{ "a@[IPv6:2001:DB8:0::1]", A_MX, "mx:[IPv6:2001:db8::1]" },
	{ "a@x.example", A_HOST, "host:smtp://relay.example.net:2525" },
	{ "a@x.example", A_NOTLS, "host:smtp+notls://192.0.2.9:25" },
	{ "a@x.example", A_SIX, "host:smtp://[2001:db8::9]:26" },
};

static void
test_routes(void)
{
	struct conf_match m = { .from = FROM_LOCAL,
		.for_ = FOR_ANY,
		.line = 3 };
	struct route_ask ask;
	struct route_is is;
	struct setup s;
	size_t i;

	for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		m.action = routes[i].action;
		setup(&s, &m, 1);
		memset(&ask, 0, sizeof(ask));
		ask.facts.flags = FACT_LOCAL;
		snprintf(ask.rcpt, sizeof(ask.rcpt), "%s", routes[i].rcpt);
		rules_route(&s.rules, &ask, &is);
		CHECK(routes[i].route,
		    is.outcome.verdict == DONE &&
			strcmp(is.route, routes[i].route) == 0 &&
			is.action == routes[i].action && is.line == 3 &&
			is.flags == ROUTE_ORIGIN);
		teardown(&s);
	}
}

static void
test_route_trouble(void)
{
	struct conf_match m[] = { { .from = FROM_LOCAL,
	    .for_ = FOR_ANY,
	    .line = 4,
	    .action = CONF_NONE } };
	struct route_ask ask = { .rcpt = "a@x.example" };
	struct conf_match *row;
	struct route_is is;
	struct setup s;

	setup(&s, m, 1);
	row = (struct conf_match *)((char *)s.conf + s.conf->match.off);
	rules_route(&s.rules, &ask, &is);
	CHECK("route: no rule is later",
	    is.outcome.verdict == LATER &&
		strcmp(is.outcome.text, "no rule for this recipient") == 0 &&
		is.action == CONF_NONE);
	ask.facts.flags = FACT_OURS;
	rules_route(&s.rules, &ask, &is);
	CHECK("route: no action is later",
	    is.outcome.verdict == LATER && is.route[0] == '\0');
	row->reject = 1;
	rules_route(&s.rules, &ask, &is);
	CHECK("route: reject", is.outcome.verdict == NEVER);
	row->reject = 0;
	row->action = A_MX;
	row->from = FROM_SRC;
	row->from_table = T_BROKEN;
	rules_route(&s.rules, &ask, &is);
	CHECK("route: no answer is later",
	    is.outcome.verdict == LATER && is.line == 4);
	teardown(&s);
}

/* Who may have a signature. */
static const struct {
	const char *name;
	uint8_t from, not_from;
	uint32_t flags;
	const char *auth;
	uint32_t origin;
} origins[] = {
	{ "origin: from local", FROM_LOCAL, 0, FACT_LOCAL, "", ROUTE_ORIGIN },
	{ "origin: from socket", FROM_SOCKET, 0, FACT_SOCKET, "",
	    ROUTE_ORIGIN },
	{ "origin: from src", FROM_SRC, 0, 0, "", ROUTE_ORIGIN },
	{ "origin: from any", FROM_ANY, 0, 0, "", 0 },
	{ "origin: from any, local", FROM_ANY, 0, FACT_LOCAL, "", 0 },
	{ "origin: !from local", FROM_LOCAL, 1, 0, "", 0 },
	{ "origin: ours", FROM_ANY, 0, FACT_OURS, "", ROUTE_ORIGIN },
	{ "origin: authenticated", FROM_ANY, 0, 0, "joe", ROUTE_ORIGIN },
};

static void
test_origins(void)
{
	struct route_ask ask;
	struct conf_match m;
	struct route_is is;
	struct setup s;
	size_t i;

	for (i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
		m = (struct conf_match){ .from = origins[i].from,
			.not_from = origins[i].not_from,
			.from_table = T_NETS,
			.for_ = FOR_ANY };
		setup(&s, &m, 1);
		memset(&ask, 0, sizeof(ask));
		ask.facts.flags = origins[i].flags;
		strcpy(ask.facts.client, "10.0.0.1");
		strcpy(ask.facts.auth, origins[i].auth);
		strcpy(ask.rcpt, "a@x.example");
		rules_route(&s.rules, &ask, &is);
		CHECK(origins[i].name,
		    is.outcome.verdict == DONE &&
			is.flags == origins[i].origin);
		teardown(&s);
	}
}

int
main(void)
{
	test_cases();
	test_tags();
	test_unknown_stops();
	test_rcpt();
	test_routes();
	test_route_trouble();
	test_origins();
	return unit_end();
}
