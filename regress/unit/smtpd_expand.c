/*
 * smtpd/lookup_expand.c, lookup_route.c, lookup_answer.c: what a recipient
 * stands for, where that goes, and what session, queue and smtpctl are told.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include "question_world.h"

enum { T_ALIAS, T_VIRT, T_USERS, T_VDOM, T_REJECT, T_HOSTS, T_BAD, TABLES };
enum { A_OUT, A_ALIAS, A_VIRT, A_FORWARD, A_HOSTS, A_SMART, A_SIX, ACTIONS };

/* The rules, in their order. */
static const struct {
	enum conf_cond_kind from, for_;
	int table; /* of for_ */
	uint32_t action;
} rules[] = {
	{ COND_FROM_ANY, COND_FOR_LOCAL, -1, A_ALIAS },
	{ COND_FROM_ANY, COND_FOR_DOMAIN, T_VDOM, A_VIRT },
	{ COND_FROM_ANY, COND_FOR_DOMAIN, T_REJECT, CONF_NONE },
	{ COND_FROM_ANY, COND_FOR_DOMAIN, T_BAD, A_FORWARD },
	{ COND_FROM_LOCAL, COND_FOR_ANY, -1, A_OUT },
};

#define V "v.example"

static const struct world_entry entries[] = {
	{ T_VDOM, V, "" },
	{ T_VDOM, "xn--bcher-kva.example", "" },
	{ T_REJECT, "bad.example", "" },
	{ T_BAD, "fwd.example", "" },
	{ T_HOSTS, "one.example", "smtp://relay.example.net:2525" },
	{ T_HOSTS, "two.example", "[2001:DB8::9]" },
	{ T_HOSTS, "three.example", "smtps://relay.example.net" },
	{ T_HOSTS, "four.example", "smtp+notls://Relay.example.net" },
	{ T_HOSTS, "five.example", "smtp://x@relay.example.net" },
	{ T_HOSTS, "six.example", "" },
	{ T_HOSTS, "eight.example", "lmtp://relay.example.net" },
	{ T_HOSTS, "nine.example", "smtp+tls://L@[2001:db8:0:0::9]:26" },

	/* users */
	{ T_USERS, "vmail", "1:1:/v" },
	{ WORLD_USERS, "sys", "2:2:/home/sys" },

	/* aliases of `for local` */
	{ T_ALIAS, "root", "joe@out.example" },
	{ T_ALIAS, "postmaster", "root" },
	{ T_ALIAS, "joe+x", "tagged@out.example" },
	{ T_ALIAS, "joe", "joe@out.example" },
	{ T_ALIAS, "team", "a@out.example, b@out.example,c@other.example" },
	{ T_ALIAS, "nested", "team, root, d@out.example" },
	{ T_ALIAS, "dups",
	    "a@out.example, A@OUT.example, \"a\"@out.example, a+1@out.example" },
	{ T_ALIAS, "idn",
	    "a@B\xc3\xbc"
	    "cher.org, a@xn--bcher-kva.org, a@b\xc3\xbc"
	    "CHER.org" },
	{ T_ALIAS, "a", "b" },
	{ T_ALIAS, "b", "a" },
	{ T_ALIAS, "self", "self" },
	{ T_ALIAS, "sys", "sys, x@out.example" },
	{ T_ALIAS, "back", "\\sys" },
	{ T_ALIAS, "circle", "circle@mx.example.org" },
	{ T_ALIAS, "loop-ok", "loop-ok@mx.example.org, x@out.example" },
	{ T_ALIAS, "gone", "error:550 5.1.6 has moved" },
	{ T_ALIAS, "busy", "error:451 4.2.2 come back" },
	{ T_ALIAS, "moved", "error: write to x" },
	{ T_ALIAS, "bad-code", "error:250 fine" },
	{ T_ALIAS, "half", "x@out.example, nobody" },
	{ T_ALIAS, "half-error", "x@out.example, error:554 5.7.1 no" },
	{ T_ALIAS, "mixed", "nobody, gone, error:450 4.2.0 wait" },
	{ T_ALIAS, "mixed-broken", "nobody, broken" },
	{ T_ALIAS, "file", "/var/mail/x" },
	{ T_ALIAS, "pipe", "\"|/bin/x a, b\"" },
	{ T_ALIAS, "include", ":include:/etc/list" },
	{ T_ALIAS, "nonsense", "what is this" },
	{ T_ALIAS, "empty", " , " },
	{ T_ALIAS, "refused", "x@bad.example" },
	{ T_ALIAS, "to-virtual", "one@" V },
	{ T_ALIAS, "to-broken", "x@fwd.example" },

	/* virtual users */
	{ T_VIRT, "one@" V, "one@out.example" },
	{ T_VIRT, "tag+in@" V, "tag@out.example" },
	{ T_VIRT, "tag@" V, "plain@out.example" },
	{ T_VIRT, "bare+in", "bare-tag@out.example" },
	{ T_VIRT, "bare", "bare@out.example" },
	{ T_VIRT, "name@" V, "vuser" },
	{ T_VIRT, "vuser", "vuser@out.example" },
	{ T_VIRT, "box@" V, "vmail" },
	{ T_VIRT, "none@" V, "nobody" },
	{ T_VIRT, "@xn--bcher-kva.example", "catch@out.example" },
	{ T_VIRT, "chain@" V, "one@" V ", two@" V },
	{ T_VIRT, "two@" V, "one@" V ", two@out.example" },
	{ T_VIRT, "loop@" V, "loop2@" V },
	{ T_VIRT, "loop2@" V, "Loop@" V },
	{ 0, NULL, NULL },
};

static struct conf *
new_conf(void)
{
	struct conf *c = image_new();
	struct conf_action a[ACTIONS];
	struct conf_host host = { .name = image_text(c, "Relay.example.net"),
		.port = 2525,
		.scheme = SCHEME_SMTP };
	struct conf_host six = { .name = image_text(c, "2001:db8::9"),
		.port = 26,
		.scheme = SCHEME_SMTP_NOTLS };
	struct conf_match m[sizeof(rules) / sizeof(rules[0])];
	struct conf_cond conds[2];
	size_t i, n = sizeof(rules) / sizeof(rules[0]);

	c->hostname = image_text(c, "mx.example.org");
	c->sub_addr_delim = '+';
	world_tables(c, TABLES, TABLE_FILE);
	a[A_OUT] = world_action(c, "out", METHOD_RELAY);
	a[A_OUT].ttl = 300;
	a[A_ALIAS] = world_action(c, "local", METHOD_EXPAND_ONLY);
	a[A_ALIAS].alias = T_ALIAS;
	a[A_VIRT] = world_action(c, "virtual", METHOD_EXPAND_ONLY);
	a[A_VIRT].virtual_ = T_VIRT;
	a[A_VIRT].userbase = T_USERS;
	a[A_FORWARD] = world_action(c, "forward", METHOD_FORWARD_ONLY);
	a[A_FORWARD].ttl = 60;
	a[A_HOSTS] = world_action(c, "hosts", METHOD_RELAY);
	a[A_HOSTS].domain = T_HOSTS;
	a[A_SMART] = world_action(c, "smart", METHOD_RELAY);
	image_rows(c, &a[A_SMART].host, &host, 1, sizeof(host));
	a[A_SIX] = world_action(c, "six", METHOD_RELAY);
	image_rows(c, &a[A_SIX].host, &six, 1, sizeof(six));
	image_rows(c, &c->action, a, ACTIONS, sizeof(a[0]));
	for (i = 0; i < n; i++) {
		conds[0] = (struct conf_cond){ .kind = (uint8_t)rules[i].from,
			.table = CONF_NONE };
		conds[1] = (struct conf_cond){ .kind = (uint8_t)rules[i].for_,
			.table = rules[i].table < 0 ?
			    CONF_NONE :
			    (uint32_t)rules[i].table };
		m[i] = world_match(c, (uint32_t)(10 + i), rules[i].action,
		    conds, 2);
	}
	image_rows(c, &c->match, m, (uint32_t)n, sizeof(m[0]));
	return c;
}

/* The same for the rule of everything: another action. */
static void
use_action(struct conf *c, uint32_t action)
{
	struct conf_match *m = (struct conf_match *)((char *)c + c->match.off);

	m[c->match.n - 1].action = action;
}

static void
setup(struct world *w)
{
	world_init(w, new_conf());
	w->entries = entries;
	/* `for domain` of T_BAD works, its use as a table of aliases not. */
}

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
		if (used + strlen(g->addr) + 2 >= sizeof(t.targets))
			break;
		used += (size_t)sprintf(t.targets + used, "%s ", g->addr);
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

#define USER_THERE                                                             \
	"451 4.3.5 the .forward file of a user is not read in this version"
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
	    "d@out.example a@out.example b@out.example c@other.example joe@out.example ",
	    "" },
	{ "dups@localhost", false, "a@out.example a+1@out.example ", "" },
	{ "idn@localhost", false, "a@xn--bcher-kva.org ", "" },
	{ "nobody@localhost", false, "", NOBODY },
	{ "\"root@" V "\"@localhost", false, "", NOBODY },
	{ "sys+tag@localhost", false, "", USER_THERE },
	{ "back@localhost", false, "", USER_THERE },
	{ "sys@localhost", false, "", USER_THERE },
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
	{ "file@localhost", false, "",
	    "451 4.3.5 delivery to a file is not in this version" },
	{ "pipe@localhost", false, "",
	    "451 4.3.5 delivery to a program is not in this version" },
	{ "include@localhost", false, "",
	    "451 4.3.5 lists in files of their own are not in this version" },
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
	{ "box@" V, false, "", USER_THERE },
	{ "none@" V, false, "", NOBODY },
	{ "missing@" V, false, "", NOBODY },
	{ "any@b\xc3\xbc"
	  "cher.example",
	    false, "catch@out.example ", "" },
	{ "+@xn--bcher-kva.example", false, "catch@out.example ", "" },
	{ "chain@" V, false, "one@out.example two@out.example ", "" },
	{ "to-virtual@localhost", false, "one@out.example ", "" },
	/* users of the system, without a table */
	{ "sys@fwd.example", false, "", USER_THERE },
	{ "Sys+tag@fwd.example", false, "", USER_THERE },
	{ "nobody@fwd.example", false, "", NOBODY },
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
	ask(&w, 0, "half@localhost");
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
	ask(&w, FACT_EXPANDED, "root@localhost");
	CHECK("expanded: not again", t.verdict == LATER);
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
	CHECK("10,001 are too many",
	    t.verdict == LATER &&
		strcmp(t.outcome,
		    "451 4.2.4 this recipient stands for too many others") ==
		    0);
	made_n = 100000;
	ask(&w, 0, "many@localhost");
	CHECK("100,000 are too many", t.verdict == LATER);

	w.make = millions;
	w.asked = 0;
	ask(&w, 0, "m1999999@localhost");
	CHECK("one of two million",
	    strcmp(t.targets, "box1999999@out.example ") == 0 && w.asked < 5);
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
	    is.line == 14 && is.ttl == 300 && is.flags == ROUTE_ORIGIN &&
		is.outcome.code == 0 &&
		strcmp(is.outcome.text, "rule at test.conf:14") == 0);
	ask_route(&w, 0, "root@localhost", &is);
	CHECK("route: one target is routed directly",
	    is.outcome.verdict == DONE && is.action == A_OUT &&
		strcmp(is.route, "mx:out.example") == 0 &&
		strcmp(is.rcpt, "joe@out.example") == 0 && is.line == 14);
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
		"rule\ttest.conf:14\tmatch from local for any action \"out\"\n"));
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
