/*
 * smtpd/lookup_expand.c, lookup_route.c, lookup_answer.c: what a recipient
 * stands for, where that goes, and what session, queue and smtpctl are told.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include "expand_world.h"

/* ---- expansion ---- */

/* What the judge of this test found. */
static struct {
	struct facts facts;
	const char *rcpt;
	bool accepted;
	unsigned int passes;
	char outcome[OUTCOME_TEXT_MAX + 64];
	enum verdict verdict;
	char targets[4096]; /* each with a blank behind */
	uint32_t n;
	uint64_t sum;
	char rules[4096]; /* line of each target's rule, likewise */
} t;

static const char *const kinds[] = {
	[TARGET_ADDRESS] = "",
	[TARGET_USER] = "user:",
	[TARGET_MAILBOX] = "box:",
	[TARGET_PIPE] = "pipe:",
	[TARGET_FILE] = "file:",
	[TARGET_NOTHING] = "nobody:",
	[TARGET_LIST] = "list:",
};

static bool
judge(struct question *q)
{
	struct expansion x = { .facts = &t.facts,
		.sender = "joe@sender.example",
		.rcpt = t.rcpt,
		.accepted = t.accepted };
	struct target *g;
	size_t used = 0, lines = 0;

	t.passes++;
	if (!expand(q, &x))
		return false;
	outcome_print(&x.outcome, t.outcome, sizeof(t.outcome));
	t.verdict = x.outcome.verdict;
	t.n = x.n;
	t.sum = x.sum;
	t.targets[0] = t.rules[0] = '\0';
	if (x.outcome.verdict != DONE)
		return true;
	STAILQ_FOREACH(g, &x.targets, entry) {
		if (used + strlen(g->addr) + 16 >= sizeof(t.targets))
			break;
		used += (size_t)sprintf(t.targets + used, "%s%s ",
		    kinds[g->kind], g->addr);
		lines += (size_t)sprintf(t.rules + lines, "%u ",
		    CONF_MATCH(q->all->conf, g->match)->at.line);
	}
	return true;
}

static void
ask(struct world *w, uint32_t flags, const char *rcpt)
{
	memset(&t.facts, 0, sizeof(t.facts));
	t.facts.flags = flags;
	t.rcpt = rcpt;
	t.passes = 0;
	question_ask(&w->questions, judge, "", 1, NULL, 0);
	while (w->questions.n > 0)
		event_base_loop(w->loop->base, EVLOOP_ONCE);
}

#define NOBODY "550 5.1.1 no such user here"
#define CIRCLE "550 5.4.6 aliases that go in a circle and come to nothing"

/* Columns: recipient, from this host, targets, or the outcome if there are
 * none. */
static const struct {
	const char *rcpt;
	bool local;
	const char *targets, *outcome;
} cases[] = {
	/* relay, refused, nothing */
	{ "x@out.example", true, "x@out.example ", "" },
	{ "X@OUT.Example", true, "X@out.example ", "" },
	{ "x@B\xc3\xbc"
	  "cher.org",
	    true, "x@xn--bcher-kva.org ", "" },
	{ "x@out.example", false, "",
	    "550 5.7.1 relay not permitted: <x@out.example>" },
	{ "x@bad.example", true, "",
	    "550 5.7.1 recipient refused by the rules here: <x@bad.example>" },
	{ "not an address", true, "", "550 5.1.3 not an address" },
	{ "a\001b@x", true, "", "550 5.1.3 not an address" },
	/* aliases */
	{ "root@mx.example.org", false, "joe@out.example ", "" },
	{ "ROOT@MX.Example.ORG", false, "joe@out.example ", "" },
	{ "root@localhost", false, "joe@out.example ", "" },
	{ "root", false, "joe@out.example ", "" },
	{ "postmaster", false, "joe@out.example ", "" },
	{ "\"root\"@localhost", false, "joe@out.example ", "" },
	{ "joe@localhost", false, "joe@out.example ", "" },
	{ "joe+x@localhost", false, "tagged@out.example ", "" },
	{ "Joe+X@localhost", false, "tagged@out.example ", "" },
	{ "joe+y@localhost", false, "joe@out.example ", "" },
	{ "+joe@localhost", false, "", NOBODY },
	{ "team@localhost", false,
	    "a@out.example b@out.example c@other.example ", "" },
	{ "nested@localhost", false,
	    "a@out.example b@out.example c@other.example joe@out.example d@out.example ",
	    "" },
	{ "dups@localhost", false, "a@out.example a+1@out.example ", "" },
	{ "idn@localhost", false, "a@xn--bcher-kva.org ", "" },
	{ "nobody@localhost", false, "", NOBODY },
	{ "\"root@" V "\"@localhost", false, "", NOBODY },
	{ "ann@localhost", false, "", NOBODY },
	{ "sys+tag@localhost", false, "", NOBODY },
	{ "back@localhost", false, "", NOBODY },
	{ "sys@localhost", false, "", NOBODY },
	{ "empty@localhost", false, "", NOBODY },
	/* loops */
	{ "a@localhost", false, "", CIRCLE },
	{ "self@localhost", false, "", NOBODY },
	{ "circle@mx.example.org", false, "", CIRCLE },
	{ "loop-ok@mx.example.org", false, "x@out.example ", "" },
	{ "loop@" V, false, "", CIRCLE },
	/* errors and what is not there */
	{ "gone@localhost", false, "", "550 5.1.6 has moved" },
	{ "busy@localhost", false, "", "451 4.2.2 come back" },
	{ "moved@localhost", false, "", "550 5.2.1 write to x" },
	{ "bad-code@localhost", false, "",
	    "451 4.3.5 an error that a table has for this recipient has a wrong code" },
	{ "half@localhost", false, "", NOBODY },
	{ "half-error@localhost", false, "", "554 5.7.1 no" },
	{ "mixed@localhost", false, "", "450 4.2.0 wait" },
	{ "refused@localhost", false, "",
	    "550 5.7.1 recipient refused by the rules here: <refused@localhost>" },
	{ "fail@localhost", false, "", "550 5.2.1 no such person, ever" },
	{ "fail-code@localhost", false, "", "554 5.7.1 go away" },
	{ "unknown@localhost", false, "",
	    "550 5.2.1 this mailbox takes no mail" },
	{ "defer@localhost", false, "", "451 4.2.1 moving, sorry" },
	{ "hole@localhost", false, "nobody:hole@localhost ", "" },
	{ "some-hole@localhost", false, "nobody:some-hole@localhost ", "" },
	{ "with-hole@localhost", false, "x@out.example ", "" },
	{ "with-fail@localhost", false, "", "550 5.2.1 no such person, ever" },
	/* of this host */
	{ "file@localhost", false, "file:file@localhost ", "" },
	{ "pipe@localhost", false, "pipe:pipe@localhost ", "" },
	{ "no-command@localhost", false, "",
	    "451 4.3.5 what this recipient stands for cannot be understood" },
	{ "relative@localhost", false, "",
	    "451 4.3.5 what this recipient stands for cannot be understood" },
	{ "ann@box.example", false, "user:ann@box.example ", "" },
	{ "Ann@Box.example", false, "user:Ann@box.example ", "" },
	{ "ann+x@box.example", false, "user:ann+x@box.example ", "" },
	{ "root@box.example", false, "joe@out.example ", "" },
	{ "toor@box.example", false, "user:toor@box.example ", "" },
	{ "nosuch@box.example", false, "", NOBODY },
	{ "\"a/b\"@box.example", false, "", NOBODY },
	{ "\"-x\"@box.example", false, "", NOBODY },
	{ "pair@box.example", false,
	    "user:ann@box.example user:bob@box.example ", "" },
	{ "back@box.example", false, "box:sys@box.example ", "" },
	{ "sys@box.example", false, "user:sys@box.example x@out.example ", "" },
	{ "mixed-kinds@box.example", false,
	    "user:ann@box.example x@out.example file:mixed-kinds@box.example pipe:mixed-kinds@box.example box:bob@box.example ",
	    "" },
	{ "kept@box.example", false, "",
	    "550 5.7.1 recipient refused by the rules here: <kept@box.example>" },
	{ "nonsense@localhost", false, "",
	    "451 4.3.5 what this recipient stands for cannot be understood" },
	/* virtual users, in the order of the look-ups */
	{ "one@" V, false, "one@out.example ", "" },
	{ "ONE@V.EXAMPLE", false, "one@out.example ", "" },
	{ "tag+in@" V, false, "tag@out.example ", "" },
	{ "tag+out@" V, false, "plain@out.example ", "" },
	{ "bare+in@" V, false, "bare-tag@out.example ", "" },
	{ "bare+out@" V, false, "bare@out.example ", "" },
	{ "bare@" V, false, "bare@out.example ", "" },
	{ "name@" V, false, "vuser@out.example ", "" },
	{ "box@" V, false, "", NOBODY },
	{ "none@" V, false, "", NOBODY },
	{ "missing@" V, false, "", NOBODY },
	{ "any@b\xc3\xbc"
	  "cher.example",
	    false, "catch@out.example ", "" },
	{ "+@xn--bcher-kva.example", false, "catch@out.example ", "" },
	{ "chain@" V, false, "one@out.example two@out.example ", "" },
	{ "to-virtual@localhost", false, "one@out.example ", "" },
	/* users of the system, without a table */
	{ "sys@fwd.example", false, "user:sys@fwd.example ", "" },
	{ "Sys+tag@fwd.example", false, "user:Sys+tag@fwd.example ", "" },
	{ "nosuch@fwd.example", false, "", NOBODY },
};

/* All cases, with tables that answer at once or later. */
static void
test_cases(uint32_t slow, const char *how)
{
	char name[256];
	struct world w;
	size_t i, k;

	setup(&w);
	w.slow = slow;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ask(&w, cases[i].local ? FACT_LOCAL : 0, cases[i].rcpt);
		snprintf(name, sizeof(name), "%s: %s", how, cases[i].rcpt);
		for (k = 0; name[k] != '\0'; k++)
			name[k] = name[k] < ' ' ? '?' : name[k];
		CHECK(name,
		    strcmp(t.targets, cases[i].targets) == 0 &&
			(cases[i].targets[0] != '\0' ?
				t.verdict == DONE :
				strcmp(t.outcome, cases[i].outcome) == 0));
		CHECK("nothing is left waiting",
		    w.waiting == 0 && w.questions.n == 0);
	}
	world_free(&w);
}

/* The catch-all of everything comes after that of the domain, and not for
 * user names. */
static bool
with_at(uint32_t table, const char *key, struct buf *value)
{
	if (table != T_VIRT || strcmp(key, "@") != 0)
		return false;
	return buf_puts(value, "all@out.example");
}

static void
test_catch_all(void)
{
	struct world w;

	setup(&w);
	w.make = with_at;
	ask(&w, 0, "missing@" V);
	CHECK("catch-all", strcmp(t.targets, "all@out.example ") == 0);
	ask(&w, 0, "any@xn--bcher-kva.example");
	CHECK("catch-all of the domain first",
	    strcmp(t.targets, "catch@out.example ") == 0);
	ask(&w, 0, "none@" V);
	CHECK("no catch-all for a user name", strcmp(t.outcome, NOBODY) == 0);
	world_free(&w);
}

/* A table that cannot answer makes it later, and who knows better waits. */
static void
test_unknown(void)
{
	struct world w;

	setup(&w);
	w.unknown = 1u << T_ALIAS;
	ask(&w, 0, "root@localhost");
	CHECK("no aliases: later",
	    t.verdict == LATER && strncmp(t.outcome, "451 4.3.0", 9) == 0);
	CHECK("a stranger hears of no file",
	    strstr(t.outcome, "test.conf") == NULL);
	t.accepted = true;
	ask(&w, 0, "root@localhost");
	CHECK("the operator does", strstr(t.outcome, "test.conf:50") != NULL);
	t.accepted = false;
	w.unknown = 1u << WORLD_USERS;
	ask(&w, 0, "sys@fwd.example");
	CHECK("users not known: later, never nobody", t.verdict == LATER);
	w.unknown = 1u << T_VDOM;
	ask(&w, 0, "one@" V);
	CHECK("rule not known: later", t.verdict == LATER);
	ask(&w, 0, "to-virtual@localhost");
	CHECK("rule of a target not known: later", t.verdict == LATER);
	w.unknown = 0;
	t.accepted = true;
	ask(&w, 0, "x@nowhere.example");
	CHECK("accepted, and no rule: later",
	    strcmp(t.outcome, "451 4.3.5 no rule for this recipient") == 0);
	t.accepted = false;
	world_free(&w);
}

/* What came out of an alias is not expanded again, but goes on. */
static void
test_expanded(void)
{
	struct world w;

	setup(&w);
	ask(&w, FACT_EXPANDED, "x@out.example");
	CHECK("expanded: as from here",
	    strcmp(t.targets, "x@out.example ") == 0);
	world_free(&w);
}

/* ---- much of it ---- */

static uint32_t made_n;

/* "n17" stands for "n18", the last for the first. */
static bool
circle(uint32_t table, const char *key, struct buf *value)
{
	if (table != T_ALIAS || key[0] != 'n')
		return false;
	return buf_printf(value, "n%lu",
	    (strtoul(key + 1, NULL, 10) + 1) % made_n);
}

/* "many" stands for made_n addresses. */
static bool
many(uint32_t table, const char *key, struct buf *value)
{
	uint32_t i;

	if (table != T_ALIAS || strcmp(key, "many") != 0)
		return false;
	for (i = 0; i < made_n; i++) {
		if (!buf_printf(value, "u%u@out.example,", i))
			return false;
	}
	return true;
}

/* Two million names, each for an address of its own. */
static bool
millions(uint32_t table, const char *key, struct buf *value)
{
	unsigned long n;

	if (table != T_ALIAS || key[0] != 'm')
		return false;
	n = strtoul(key + 1, NULL, 10);
	return n < 2000000 && buf_printf(value, "box%lu@out.example", n);
}

/* "all" stands for made_n names, which are all aliases. */
static bool
names(uint32_t table, const char *key, struct buf *value)
{
	uint32_t i;

	if (table != T_ALIAS)
		return false;
	if (strcmp(key, "all") != 0)
		return millions(table, key, value);
	for (i = 0; i < made_n; i++) {
		if (!buf_printf(value, "m%u,", i))
			return false;
	}
	return true;
}

static void
test_bounds(void)
{
	struct world w;

	setup(&w);
	w.make = circle;
	made_n = 10000;
	ask(&w, 0, "n0@localhost");
	CHECK("a circle of 10,000",
	    strcmp(t.outcome,
		"550 5.4.6 aliases that go too deep, or in a circle") == 0);
	CHECK("... costs no more than its depth", w.asked < 100);
	made_n = 40;
	ask(&w, 0, "n0@localhost");
	CHECK("a circle of 40", strcmp(t.outcome, CIRCLE) == 0);

	w.make = many;
	made_n = EXPAND_MAX;
	ask(&w, 0, "many@localhost");
	CHECK("10,000 addresses", t.verdict == DONE && t.n == EXPAND_MAX);
	made_n = EXPAND_MAX + 1;
	ask(&w, 0, "many@localhost");
	CHECK("10,001 may come in, and are many messages",
	    t.verdict == DONE && t.n == EXPAND_MAX);
	made_n = 40000;
	ask(&w, 0, "many@localhost");
	CHECK("40,000 likewise", t.verdict == DONE);

	w.make = millions;
	w.asked = 0;
	ask(&w, 0, "m1999999@localhost");
	CHECK("one of two million",
	    strcmp(t.targets, "box1999999@out.example ") == 0 && w.asked < 10);
	w.make = names;
	made_n = EXPAND_MAX;
	ask(&w, 0, "all@localhost");
	CHECK("10,000 aliases in one", t.verdict == DONE && t.n == EXPAND_MAX);
	/* By a program: many questions at once, so that passes are few. */
	w.slow = 1u << T_ALIAS;
	made_n = 3000;
	ask(&w, 0, "all@localhost");
	CHECK("3,000 aliases of a program", t.verdict == DONE && t.n == 3000);
	CHECK("... in few passes", t.passes < 3000 / QUESTION_WAITS + 10);
	world_free(&w);
}

/* ---- routes ---- */

/* Columns: recipient, action of the rule for everything, verdict, route. */
static const struct {
	const char *rcpt;
	uint32_t action;
	enum verdict verdict;
	const char *route;
} routes[] = {
	{ "a@Example.ORG", A_OUT, DONE, "mx:example.org" },
	{ "\"a@b\"@x.example", A_OUT, DONE, "mx:x.example" },
	{ "a@B\xc3\x9c"
	  "CHER.org",
	    A_OUT, DONE, "mx:xn--bcher-kva.org" },
	{ "a@[192.0.2.1]", A_OUT, DONE, "mx:[192.0.2.1]" },
	{ "a@[IPv6:2001:DB8:0::1]", A_OUT, DONE, "mx:[IPv6:2001:db8::1]" },
	{ "a@x.example", A_SMART, DONE, "host:smtp://relay.example.net:2525" },
	{ "a@x.example", A_SIX, DONE, "host:smtp+notls://[2001:db8::9]:26" },
	{ "a@one.example", A_HOSTS, DONE,
	    "host:smtp://relay.example.net:2525" },
	{ "a@two.example", A_HOSTS, DONE, "host:smtp://[2001:db8::9]:25" },
	{ "a@three.example", A_HOSTS, DONE,
	    "host:smtps://relay.example.net:465" },
	{ "a@four.example", A_HOSTS, DONE,
	    "host:smtp+notls://relay.example.net:25" },
	{ "a@five.example", A_HOSTS, DONE,
	    "host:smtp://x@relay.example.net:25" },
	{ "a@six.example", A_HOSTS, LATER, "" },
	{ "a@seven.example", A_HOSTS, LATER, "" },
	{ "a@eight.example", A_HOSTS, LATER, "" },
	{ "a@nine.example", A_HOSTS, DONE,
	    "host:smtp+tls://L@[2001:db8::9]:26" },
};

static void
ask_route(struct world *w, uint32_t flags, const char *rcpt,
    struct route_is *is)
{
	struct route_ask m;

	memset(&m, 0, sizeof(m));
	m.facts.flags = flags;
	snprintf(m.sender, sizeof(m.sender), "joe@sender.example");
	snprintf(m.rcpt, sizeof(m.rcpt), "%s", rcpt);
	question_ask(&w->questions, judge_route, &m, sizeof(m), &w->chan, 7);
	memset(is, 0xff, sizeof(*is));
	CHECK("a route is answered",
	    world_answered(w, IPC_ROUTE_IS, is, sizeof(*is)));
}

static void
test_routes(void)
{
	struct route_is is;
	struct world w;
	char name[128];
	size_t i;

	for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		setup(&w);
		use_action(w.conf, routes[i].action);
		w.slow = i % 2 == 0 ? 0 : 1u << T_HOSTS;
		ask_route(&w, FACT_LOCAL, routes[i].rcpt, &is);
		snprintf(name, sizeof(name), "route of %s: %s", routes[i].rcpt,
		    routes[i].route);
		CHECK(name,
		    is.outcome.verdict == routes[i].verdict &&
			strcmp(is.route, routes[i].route) == 0 &&
			is.rcpt[0] == '\0' &&
			is.action ==
			    (routes[i].verdict == DONE ? routes[i].action :
							 CONF_NONE));
		world_free(&w);
	}
}

static void
test_route_answers(void)
{
	struct route_is is;
	struct world w;

	setup(&w);
	ask_route(&w, FACT_LOCAL, "x@out.example", &is);
	CHECK("route: line, ttl, origin",
	    is.line == 16 && is.ttl == 300 && is.flags == ROUTE_ORIGIN &&
		is.outcome.code == 0 &&
		strcmp(is.outcome.text, "rule at test.conf:16") == 0);
	ask_route(&w, 0, "root@localhost", &is);
	CHECK("route: one target is routed directly",
	    is.outcome.verdict == DONE && is.action == A_OUT &&
		strcmp(is.route, "mx:out.example") == 0 &&
		strcmp(is.rcpt, "joe@out.example") == 0 && is.line == 16);
	CHECK("route: and is a stranger's", is.flags == 0);
	ask_route(&w, 0, "team@localhost", &is);
	CHECK("route: several expand",
	    is.outcome.verdict == DONE && is.flags == ROUTE_EXPANDS &&
		is.action == A_ALIAS && is.route[0] == '\0' && is.line == 10);
	ask_route(&w, FACT_LOCAL, "nobody@localhost", &is);
	CHECK("route: never",
	    is.outcome.verdict == NEVER && is.outcome.code == 0 &&
		is.outcome.ecode[0] == 5 && is.action == CONF_NONE);
	ask_route(&w, 0, "x@nowhere.example", &is);
	CHECK("route: no rule", is.outcome.verdict == LATER && is.line == 0);
	w.unknown = 1u << T_VDOM;
	ask_route(&w, 0, "x@nowhere.example", &is);
	CHECK("route: a rule that cannot be decided",
	    is.outcome.verdict == LATER && is.line == 11);
	world_free(&w);
}

static void
test_rcpt_answer(void)
{
	struct rcpt_ask m;
	struct rcpt_is is;
	struct world w;

	setup(&w);
	memset(&m, 0, sizeof(m));
	snprintf(m.rcpt, sizeof(m.rcpt), "team@localhost");
	question_ask(&w.questions, judge_rcpt, &m, sizeof(m), &w.chan, 1);
	CHECK("rcpt: accepted",
	    world_answered(&w, IPC_RCPT_IS, &is, sizeof(is)) &&
		is.outcome.verdict == DONE && is.outcome.code == 250);
	snprintf(m.rcpt, sizeof(m.rcpt), "gone@localhost");
	question_ask(&w.questions, judge_rcpt, &m, sizeof(m), &w.chan, 2);
	CHECK("rcpt: error:",
	    world_answered(&w, IPC_RCPT_IS, &is, sizeof(is)) &&
		is.outcome.verdict == NEVER && is.outcome.code == 550 &&
		strcmp(is.outcome.text, "has moved") == 0);
	world_free(&w);
}

/* ---- pages ---- */

static bool
ask_expand(struct world *w, const char *rcpt, uint64_t sum, uint32_t from,
    struct expand_is *is)
{
	struct expand_ask m;

	memset(&m, 0, sizeof(m));
	m.sum = sum;
	m.from = from;
	snprintf(m.rcpt, sizeof(m.rcpt), "%s", rcpt);
	question_ask(&w->questions, judge_expand, &m, sizeof(m), &w->chan, 9);
	return world_answered(w, IPC_EXPAND_IS, is, sizeof(*is));
}

static void
test_pages(void)
{
	struct expand_is is;
	uint32_t got = 0, k, pages = 0, once = 0;
	uint64_t sum = 0;
	bool good = true;
	const char *p;
	char want[64];
	struct world w;

	setup(&w);
	w.make = many;
	made_n = EXPAND_MAX;
	do {
		good = good && ask_expand(&w, "many@localhost", sum, got, &is);
		good = good && is.outcome.verdict == DONE && is.from == got &&
		    is.total == EXPAND_MAX && is.n > 0 &&
		    (sum == 0 || is.sum == sum);
		sum = is.sum;
		for (k = 0, p = is.text; good && k < is.n; k++) {
			snprintf(want, sizeof(want), "u%u@out.example",
			    got + k);
			good = strcmp(p, want) == 0;
			p += strlen(p) + 1;
			good = good && *p == '\0'; /* no leaf */
			p++;
		}
		got += is.n;
		if (pages++ == 0)
			once = w.asked;
	} while (good && got < EXPAND_MAX);
	CHECK("10,000 addresses in pages", good && got == EXPAND_MAX);
	CHECK("... expanded once", w.asked == once && pages > 50);
	CHECK("behind the end is nothing",
	    ask_expand(&w, "many@localhost", sum, EXPAND_MAX, &is) &&
		is.n == 0 && is.total == EXPAND_MAX && is.sum == sum);

	/* The table changes on the way. */
	made_n = 20;
	answers_stale(&w.answers);
	CHECK("the sum says that it has changed",
	    ask_expand(&w, "many@localhost", sum, 40, &is) && is.sum != sum &&
		is.total == 20 && is.n == 0);
	CHECK("and what it is now",
	    ask_expand(&w, "many@localhost", 0, 0, &is) && is.n == 20);
	CHECK("why not",
	    ask_expand(&w, "nobody@localhost", 0, 0, &is) &&
		is.outcome.verdict == NEVER && is.total == 0 && is.n == 0);
	CHECK("one alone",
	    ask_expand(&w, "root@localhost", 0, 0, &is) && is.total == 1 &&
		strcmp(is.text, "joe@out.example") == 0);
	world_free(&w);
}

/* ---- why ---- */

/* All steps; false: the answer was not as it should be. */
static bool
ask_explain(struct world *w, const char *client, uint32_t flags,
    const char *rcpt, struct buf *out, struct outcome *o)
{
	struct explain_ask m;
	struct explain_is is;
	unsigned int pages = 0;

	memset(&m, 0, sizeof(m));
	m.facts.flags = flags;
	snprintf(m.facts.client, sizeof(m.facts.client), "%s", client);
	snprintf(m.rcpt, sizeof(m.rcpt), "%s", rcpt);
	do {
		question_ask(&w->questions, judge_explain, &m, sizeof(m),
		    &w->chan, 3);
		if (!world_answered(w, IPC_EXPLAIN_IS, &is, sizeof(is)) ||
		    (is.next != 0 && is.next <= m.page))
			return false;
		buf_puts(out, is.text);
		m.page = is.next;
	} while (is.next != 0 && ++pages < 1000);
	*o = is.outcome;
	return true;
}

static bool
has(const struct buf *b, const char *text)
{
	return memmem(buf_data(b), b->len, text, strlen(text)) != NULL;
}

static void
test_explain(void)
{
	struct outcome o;
	struct world w;
	struct buf b;

	setup(&w);
	buf_init(&b, 0);
	CHECK("explain: answered",
	    ask_explain(&w, "", FACT_LOCAL, "one@" V, &b, &o) &&
		o.verdict == DONE);
	CHECK("explain: rule that said no",
	    has(&b, "tried\ttest.conf:10\tno: for local\n"));
	CHECK("explain: rule",
	    has(&b,
		"rule\ttest.conf:11\tmatch from any for domain <t3> action \"virtual\"\n"));
	CHECK("explain: table and value",
	    has(&b,
		"alias\ttest.conf:2\t<t1> \"one@" V "\" is one@out.example\n"));
	CHECK("explain: rule of the target",
	    has(&b,
		"rule\ttest.conf:16\tmatch from local for any action \"out\"\n"));
	CHECK("explain: target",
	    has(&b,
		"target\ttest.conf:50\t0 1 mx:out.example one@out.example\n"));

	buf_drain(&b, b.len);
	CHECK("explain: refused",
	    ask_explain(&w, "203.0.113.1", 0, "x@out.example", &b, &o) &&
		o.verdict == NEVER && has(&b, "never\t\t550 5.7.1 relay"));
	buf_drain(&b, b.len);
	CHECK("explain: an address of this host is here",
	    ask_explain(&w, "127.0.0.1", 0, "x@out.example", &b, &o) &&
		o.verdict == DONE);
	buf_drain(&b, b.len);
	w.unknown = 1u << T_VIRT;
	CHECK("explain: later",
	    ask_explain(&w, "", 0, "one@" V, &b, &o) && o.verdict == LATER &&
		has(&b, "table\ttest.conf:2\t<t1> cannot answer"));
	w.unknown = 0;
	w.slow = ~0u;
	buf_drain(&b, b.len);
	CHECK("explain: steps stand once, however often it was judged",
	    ask_explain(&w, "", 0, "to-virtual@localhost", &b, &o) &&
		o.verdict == DONE);
	CHECK("explain: ... which they do",
	    memmem(buf_data(&b), b.len, "target\t", 7) != NULL &&
		memmem((const char *)memmem(buf_data(&b), b.len, "target\t",
			   7) +
			1,
		    (size_t)(buf_data(&b) + b.len -
			(const uint8_t *)memmem(buf_data(&b), b.len, "target\t",
			    7)) -
			1,
		    "target\t", 7) == NULL);
	w.slow = 0;
	w.make = many;
	made_n = EXPAND_MAX;
	buf_drain(&b, b.len);
	CHECK("explain: 10,000, in pages",
	    ask_explain(&w, "", 0, "many@localhost", &b, &o) &&
		o.verdict == DONE);
	CHECK("explain: bounded, and says so",
	    b.len < 2 * QUESTION_TRACE_MAX &&
		has(&b, "more\t\tsteps that are not shown\n") &&
		has(&b, "more\t\t9900 addresses that are not shown\n"));
	buf_free(&b);
	world_free(&w);
}

int
main(void)
{
	test_cases(0, "at once");
	test_cases(~0u, "later");
	test_cases(1u << T_ALIAS | 1u << WORLD_USERS, "some later");
	test_catch_all();
	test_unknown();
	test_expanded();
	test_bounds();
	test_routes();
	test_route_answers();
	test_rcpt_answer();
	test_pages();
	test_explain();
	return unit_end();
}
