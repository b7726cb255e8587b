/*
 * smtpd/lookup_rules.c: each condition, plain and negated, and which rule.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include "auth_result.h"
#include "question_world.h"

enum { T_IN, T_OUT, T_BROKEN, T_SLOW, TABLES };
enum { NONE = -1 };

/* Everybody's facts: enough that each condition has something to look at. */
struct client {
	uint32_t flags;
	const char *ip, *helo, *rdns, *tag, *auth, *sender, *rcpt;
	bool expanded;
};

static const struct client stranger = { FACT_FCRDNS, "203.0.113.1",
	"Mail.example", "mail.example", "", "", "Joe@a.example",
	"ann@b.example", false };
static const struct client here = { FACT_LOCAL, "127.0.0.1", "me", "me", "in",
	"", "", "root@mx.example.org", false };
static const struct client socket_ = { FACT_LOCAL | FACT_SOCKET, "", "", "", "",
	"", "me@b.example", "x@[192.0.2.5]", false };
static const struct client ours = { FACT_OURS, "", "", "", "", "", "",
	"joe@localhost", false };
static const struct client user = { FACT_TLS | FACT_ESMTP, "203.0.113.9", "pc",
	"", "sub", "joe", "joe@b.example", "x@c.example", false };
static const struct client user_at = { FACT_TLS, "203.0.113.9", "pc", "", "",
	"joe@b.example", "joe@b.example", "x@c.example", false };
static const struct client liar = { 0, "203.0.113.1", "Mail.example",
	"mail.example", "", "", "Joe@a.example", "ann@b.example", false };
static const struct client doubt = { FACT_RDNS_DOUBT, "203.0.113.2", "pc", "",
	"", "", "joe@a.example", "ann@b.example", false };
static const struct client nameless = { FACT_LOCAL, "127.0.0.1", "me", "", "",
	"", "", "root@mx.example.org", false };
/* What an alias made of the stranger's and of the user's mail. */
static const struct client alias = { 0, "203.0.113.1", "Mail.example",
	"mail.example", "", "", "Joe@a.example", "bob@c.example", true };
static const struct client user_alias = { FACT_TLS, "203.0.113.9", "pc", "", "",
	"joe", "joe@b.example", "bob@c.example", true };

#define ANY SERVICES

/* One condition beside `from any for any`.  Columns: name, condition, regex,
 * table, client, answer and the answer of its negation, what the table was
 * asked (ANY: it was not). */
static const struct {
	const char *name;
	enum conf_cond_kind kind;
	bool regex;
	int table;
	const struct client *client;
	enum rule_answer is, not_;
	enum conf_service service;
	const char *key;
} cases[] = {
	{ "from any", COND_FROM_ANY, 0, NONE, &stranger, RULE_FOUND, RULE_NONE,
	    ANY, "" },
	{ "from any, alias", COND_FROM_ANY, 0, NONE, &alias, RULE_FOUND,
	    RULE_NONE, ANY, "" },
	{ "from local, stranger", COND_FROM_LOCAL, 0, NONE, &stranger,
	    RULE_NONE, RULE_FOUND, ANY, "" },
	{ "from local, own address", COND_FROM_LOCAL, 0, NONE, &here,
	    RULE_FOUND, RULE_NONE, ANY, "" },
	{ "from local, socket", COND_FROM_LOCAL, 0, NONE, &socket_, RULE_FOUND,
	    RULE_NONE, ANY, "" },
	{ "from local, notification", COND_FROM_LOCAL, 0, NONE, &ours,
	    RULE_FOUND, RULE_NONE, ANY, "" },
	{ "from local, alias", COND_FROM_LOCAL, 0, NONE, &alias, RULE_FOUND,
	    RULE_NONE, ANY, "" },
	{ "from socket", COND_FROM_SOCKET, 0, NONE, &socket_, RULE_FOUND,
	    RULE_NONE, ANY, "" },
	{ "from socket, by loopback", COND_FROM_SOCKET, 0, NONE, &here,
	    RULE_NONE, RULE_FOUND, ANY, "" },
	{ "from socket, notification", COND_FROM_SOCKET, 0, NONE, &ours,
	    RULE_FOUND, RULE_NONE, ANY, "" },
	{ "from socket, alias", COND_FROM_SOCKET, 0, NONE, &alias, RULE_NONE,
	    RULE_NONE, ANY, "" },
	{ "from src, in it", COND_FROM_SRC, 0, T_IN, &stranger, RULE_FOUND,
	    RULE_NONE, SERVICE_NETADDR, "203.0.113.1" },
	{ "from src, not in it", COND_FROM_SRC, 0, T_OUT, &stranger, RULE_NONE,
	    RULE_FOUND, SERVICE_NETADDR, "203.0.113.1" },
	{ "from src, no answer", COND_FROM_SRC, 0, T_BROKEN, &stranger,
	    RULE_UNKNOWN, RULE_UNKNOWN, SERVICE_NETADDR, "203.0.113.1" },
	{ "from src, awaited", COND_FROM_SRC, 0, T_SLOW, &stranger, RULE_FOUND,
	    RULE_NONE, SERVICE_NETADDR, "203.0.113.1" },
	{ "from src, regex", COND_FROM_SRC, 1, T_IN, &stranger, RULE_FOUND,
	    RULE_NONE, SERVICE_REGEX, "203.0.113.1" },
	{ "from src, socket", COND_FROM_SRC, 0, T_OUT, &socket_, RULE_NONE,
	    RULE_FOUND, SERVICE_NETADDR, "local" },
	{ "from src, alias", COND_FROM_SRC, 0, T_OUT, &alias, RULE_NONE,
	    RULE_FOUND, SERVICE_NETADDR, "local" },
	{ "from src, no table", COND_FROM_SRC, 0, NONE, &stranger, RULE_UNKNOWN,
	    RULE_UNKNOWN, ANY, "" },
	{ "from rdns", COND_FROM_RDNS, 0, NONE, &stranger, RULE_FOUND,
	    RULE_NONE, ANY, "" },
	{ "from rdns, none", COND_FROM_RDNS, 0, NONE, &user, RULE_NONE,
	    RULE_FOUND, ANY, "" },
	{ "from rdns, none, table", COND_FROM_RDNS, 0, T_IN, &user, RULE_NONE,
	    RULE_FOUND, ANY, "" },
	{ "from rdns, doubt", COND_FROM_RDNS, 0, NONE, &doubt, RULE_UNKNOWN,
	    RULE_UNKNOWN, ANY, "" },
	{ "from rdns, doubt, table", COND_FROM_RDNS, 0, T_IN, &doubt,
	    RULE_UNKNOWN, RULE_UNKNOWN, ANY, "" },
	{ "from rdns, that does not lead back", COND_FROM_RDNS, 0, NONE, &liar,
	    RULE_FOUND, RULE_NONE, ANY, "" },
	{ "from rdns, that does not lead back, table", COND_FROM_RDNS, 0, T_IN,
	    &liar, RULE_NONE, RULE_FOUND, ANY, "" },
	{ "from rdns, here", COND_FROM_RDNS, 0, T_IN, &nameless, RULE_FOUND,
	    RULE_NONE, SERVICE_DOMAIN, "localhost" },
	{ "from rdns, socket", COND_FROM_RDNS, 0, T_IN, &socket_, RULE_NONE,
	    RULE_FOUND, ANY, "" },
	{ "from rdns, table", COND_FROM_RDNS, 0, T_IN, &stranger, RULE_FOUND,
	    RULE_NONE, SERVICE_DOMAIN, "mail.example" },
	{ "from rdns, regex", COND_FROM_RDNS, 1, T_OUT, &stranger, RULE_NONE,
	    RULE_FOUND, SERVICE_REGEX, "mail.example" },
	{ "from rdns, alias", COND_FROM_RDNS, 0, T_IN, &alias, RULE_NONE,
	    RULE_NONE, ANY, "" },
	{ "from auth", COND_FROM_AUTH, 0, NONE, &user, RULE_FOUND, RULE_NONE,
	    ANY, "" },
	{ "from auth, nobody", COND_FROM_AUTH, 0, NONE, &stranger, RULE_NONE,
	    RULE_FOUND, ANY, "" },
	{ "from auth, alias", COND_FROM_AUTH, 0, NONE, &alias, RULE_NONE,
	    RULE_FOUND, ANY, "" },
	{ "from auth, alias of a user's mail", COND_FROM_AUTH, 0, NONE,
	    &user_alias, RULE_FOUND, RULE_NONE, ANY, "" },
	{ "from auth, table", COND_FROM_AUTH, 0, T_IN, &user, RULE_FOUND,
	    RULE_NONE, SERVICE_STRING, "joe" },
	{ "from auth, table of addresses", COND_FROM_AUTH, 0, T_OUT, &user_at,
	    RULE_NONE, RULE_FOUND, SERVICE_MAILADDR, "joe@b.example" },
	{ "from auth, regex", COND_FROM_AUTH, 1, T_IN, &user_at, RULE_FOUND,
	    RULE_NONE, SERVICE_REGEX, "joe@b.example" },
	{ "from auth, nobody, table", COND_FROM_AUTH, 0, T_IN, &stranger,
	    RULE_NONE, RULE_FOUND, ANY, "" },
	{ "from mail-from", COND_FROM_MAIL_FROM, 0, T_IN, &stranger, RULE_FOUND,
	    RULE_NONE, SERVICE_MAILADDR, "Joe@a.example" },
	{ "from mail-from, not in it", COND_FROM_MAIL_FROM, 0, T_OUT, &user,
	    RULE_NONE, RULE_FOUND, SERVICE_MAILADDR, "joe@b.example" },
	{ "from mail-from, regex, null sender", COND_FROM_MAIL_FROM, 1, T_IN,
	    &ours, RULE_FOUND, RULE_NONE, SERVICE_REGEX, "" },
	{ "for any", COND_FOR_ANY, 0, NONE, &stranger, RULE_FOUND, RULE_NONE,
	    ANY, "" },
	{ "for local, our name", COND_FOR_LOCAL, 0, NONE, &here, RULE_FOUND,
	    RULE_NONE, ANY, "" },
	{ "for local, localhost", COND_FOR_LOCAL, 0, NONE, &ours, RULE_FOUND,
	    RULE_NONE, ANY, "" },
	{ "for local, our address", COND_FOR_LOCAL, 0, NONE, &socket_,
	    RULE_FOUND, RULE_NONE, ANY, "" },
	{ "for local, another", COND_FOR_LOCAL, 0, NONE, &stranger, RULE_NONE,
	    RULE_FOUND, ANY, "" },
	{ "for domain", COND_FOR_DOMAIN, 0, T_IN, &stranger, RULE_FOUND,
	    RULE_NONE, SERVICE_DOMAIN, "b.example" },
	{ "for domain, not in it", COND_FOR_DOMAIN, 0, T_OUT, &stranger,
	    RULE_NONE, RULE_FOUND, SERVICE_DOMAIN, "b.example" },
	{ "for domain, regex", COND_FOR_DOMAIN, 1, T_IN, &stranger, RULE_FOUND,
	    RULE_NONE, SERVICE_REGEX, "b.example" },
	{ "for domain, no answer", COND_FOR_DOMAIN, 0, T_BROKEN, &stranger,
	    RULE_UNKNOWN, RULE_UNKNOWN, SERVICE_DOMAIN, "b.example" },
	{ "for rcpt-to", COND_FOR_RCPT_TO, 0, T_IN, &stranger, RULE_FOUND,
	    RULE_NONE, SERVICE_MAILADDR, "ann@b.example" },
	{ "for rcpt-to, regex", COND_FOR_RCPT_TO, 1, T_OUT, &stranger,
	    RULE_NONE, RULE_FOUND, SERVICE_REGEX, "ann@b.example" },
	{ "auth", COND_AUTH, 0, NONE, &user, RULE_FOUND, RULE_NONE, ANY, "" },
	{ "auth, nobody", COND_AUTH, 0, NONE, &here, RULE_NONE, RULE_FOUND, ANY,
	    "" },
	{ "auth, table", COND_AUTH, 0, T_OUT, &user, RULE_NONE, RULE_FOUND,
	    SERVICE_STRING, "joe" },
	{ "auth, regex", COND_AUTH, 1, T_IN, &user, RULE_FOUND, RULE_NONE,
	    SERVICE_REGEX, "joe" },
	{ "helo", COND_HELO, 0, T_IN, &stranger, RULE_FOUND, RULE_NONE,
	    SERVICE_DOMAIN, "Mail.example" },
	{ "helo, regex", COND_HELO, 1, T_OUT, &stranger, RULE_NONE, RULE_FOUND,
	    SERVICE_REGEX, "Mail.example" },
	{ "mail-from", COND_MAIL_FROM, 0, T_IN, &stranger, RULE_FOUND,
	    RULE_NONE, SERVICE_MAILADDR, "Joe@a.example" },
	{ "mail-from, regex", COND_MAIL_FROM, 1, T_OUT, &stranger, RULE_NONE,
	    RULE_FOUND, SERVICE_REGEX, "Joe@a.example" },
	{ "mail-from, no answer", COND_MAIL_FROM, 0, T_BROKEN, &stranger,
	    RULE_UNKNOWN, RULE_UNKNOWN, SERVICE_MAILADDR, "Joe@a.example" },
	{ "rcpt-to", COND_RCPT_TO, 0, T_OUT, &stranger, RULE_NONE, RULE_FOUND,
	    SERVICE_MAILADDR, "ann@b.example" },
	{ "rcpt-to, regex", COND_RCPT_TO, 1, T_IN, &stranger, RULE_FOUND,
	    RULE_NONE, SERVICE_REGEX, "ann@b.example" },
	{ "tag", COND_TAG, 0, T_IN, &here, RULE_FOUND, RULE_NONE,
	    SERVICE_STRING, "in" },
	{ "tag, another", COND_TAG, 0, T_OUT, &user, RULE_NONE, RULE_FOUND,
	    SERVICE_STRING, "sub" },
	{ "tag, none", COND_TAG, 0, T_OUT, &stranger, RULE_NONE, RULE_FOUND,
	    SERVICE_STRING, "" },
	{ "tag, regex", COND_TAG, 1, T_IN, &user, RULE_FOUND, RULE_NONE,
	    SERVICE_REGEX, "sub" },
	{ "tls", COND_TLS, 0, NONE, &user, RULE_FOUND, RULE_NONE, ANY, "" },
	{ "tls, without", COND_TLS, 0, NONE, &stranger, RULE_NONE, RULE_FOUND,
	    ANY, "" },
};

/* All that anybody asks about is in T_IN and T_SLOW. */
static bool
in_tables(uint32_t table, const char *key, struct buf *value)
{
	(void)key;
	(void)value;
	return table == T_IN || table == T_SLOW;
}

static struct conf *
new_conf(void)
{
	struct conf *c = image_new();
	struct conf_action a;
	struct conf_entry own[] = {
		{ .key = image_text(c, "192.0.2.5") },
		{ .key = image_text(c, "2001:db8::5") },
	};

	c->hostname = image_text(c, "mx.example.org");
	c->sub_addr_delim = '+';
	image_rows(c, &c->local_addr, own, 2, sizeof(own[0]));
	world_tables(c, TABLES, TABLE_FILE);
	a = world_action(c, "out", METHOD_RELAY);
	image_rows(c, &c->action, &a, 1, sizeof(a));
	return c;
}

static void
fill(struct facts *f, const struct client *c)
{
	memset(f, 0, sizeof(*f));
	f->flags = c->flags;
	snprintf(f->client, sizeof(f->client), "%s", c->ip);
	snprintf(f->helo, sizeof(f->helo), "%s", c->helo);
	snprintf(f->rdns, sizeof(f->rdns), "%s", c->rdns);
	snprintf(f->tag, sizeof(f->tag), "%s", c->tag);
	snprintf(f->auth, sizeof(f->auth), "%s", c->auth);
}

/* What a judge of this test looks at, and what it found. */
static struct {
	struct envelope e;
	struct facts facts;
	enum rule_answer is;
	uint32_t row;
	unsigned int passes;
} t;

static bool
judge(struct question *q)
{
	t.passes++;
	t.row = CONF_NONE;
	t.is = rules_match(q, &t.e, &t.row);
	return t.is != RULE_WAIT;
}

static enum rule_answer
ask(struct world *w, const struct client *c)
{
	fill(&t.facts, c);
	t.e = (struct envelope){ .facts = &t.facts,
		.sender = c->sender,
		.rcpt = c->rcpt,
		.expanded = c->expanded };
	t.passes = 0;
	w->make = in_tables;
	w->unknown = 1u << T_BROKEN;
	w->slow = 1u << T_SLOW;
	question_ask(&w->questions, judge, "", 1, NULL, 0);
	while (w->questions.n > 0)
		event_base_loop(w->loop->base, EVLOOP_ONCE);
	return t.is;
}

static void
test_case(size_t i, bool negated)
{
	struct conf_cond conds[3] = {
		{ .kind = COND_FROM_ANY, .table = CONF_NONE },
		{ .kind = COND_FOR_ANY, .table = CONF_NONE },
		{ .kind = (uint8_t)cases[i].kind,
		    .regex = cases[i].regex,
		    .not_ = negated,
		    .table = cases[i].table == NONE ?
			CONF_NONE :
			(uint32_t)cases[i].table },
	};
	struct conf *c = new_conf();
	struct conf_match m = world_match(c, 7, 0, conds, 3);
	char name[128];
	struct world w;

	image_rows(c, &c->match, &m, 1, sizeof(m));
	world_init(&w, c);
	w.service = ANY;
	snprintf(name, sizeof(name), "%s%s", negated ? "!" : "", cases[i].name);
	CHECK(name,
	    ask(&w, cases[i].client) ==
		    (negated ? cases[i].not_ : cases[i].is) &&
		w.service == cases[i].service &&
		strcmp(w.key, cases[i].key) == 0);
	world_free(&w);
}

static void
test_cases(void)
{
	bool seen[CONDS] = { false };
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		test_case(i, false);
		test_case(i, true);
		seen[cases[i].kind] = true;
	}
	for (i = 0; i < CONDS; i++)
		CHECK("each condition is tried",
		    seen[i] || (i >= COND_SPF && i <= COND_ARC));
}

/* ---- results ---- */

#define B(name) (1u << RES_##name)
/* Of spf, dkim, dmarc, arc. */
#define RESULTS(s, k, d, a)                                                    \
	((uint32_t)RES_##s | (uint32_t)RES_##k << 4 | (uint32_t)RES_##d << 8 | \
	    (uint32_t)RES_##a << 12)

/* One condition in a rule of its own, beside nothing.  DOUBT: passed over, and
 * remembered.  Columns: condition, what it wants, FACT_*, results, the answer
 * and that of its negation. */
enum { NO, YES, DOUBT };
static const struct {
	const char *name;
	enum conf_cond_kind kind;
	uint32_t wants, flags, results;
	int is, not_;
} results[] = {
	{ "spf pass", COND_SPF, B(PASS), 0, RESULTS(PASS, FAIL, FAIL, FAIL),
	    YES, NO },
	{ "spf pass, fails", COND_SPF, B(PASS), 0,
	    RESULTS(FAIL, PASS, PASS, PASS), NO, YES },
	{ "spf, of several", COND_SPF, B(NONE) | B(SOFTFAIL), 0,
	    RESULTS(SOFTFAIL, PASS, PASS, PASS), YES, NO },
	{ "dkim none", COND_DKIM, B(NONE), 0, RESULTS(PASS, NONE, FAIL, NONE),
	    YES, NO },
	{ "dkim policy", COND_DKIM, B(POLICY), FACT_VERIFY,
	    RESULTS(PASS, POLICY, FAIL, NONE), YES, NO },
	{ "dmarc fail", COND_DMARC, B(FAIL), FACT_VERIFY,
	    RESULTS(PASS, PASS, FAIL, PASS), YES, NO },
	{ "dmarc temperror is no failure", COND_DMARC, B(FAIL), 0,
	    RESULTS(FAIL, FAIL, TEMPERROR, FAIL), NO, YES },
	{ "arc pass", COND_ARC, B(PASS), 0, RESULTS(FAIL, FAIL, FAIL, PASS),
	    YES, NO },
	{ "arc pass, none", COND_ARC, B(PASS), 0,
	    RESULTS(FAIL, FAIL, FAIL, NONE), NO, YES },
	{ "nobody looked", COND_SPF, B(PASS), 0, 0, NO, NO },
	{ "nobody looked, dmarc", COND_DMARC, B(NONE), 0, 0, NO, NO },
	{ "nobody looked at that", COND_ARC, B(PASS), 0,
	    RESULTS(PASS, PASS, PASS, UNSAID), NO, NO },
	{ "nobody looked at that, though it was to be", COND_ARC, B(PASS),
	    FACT_VERIFY, RESULTS(PASS, PASS, PASS, UNSAID), NO, NO },
	{ "not known yet", COND_SPF, B(PASS), FACT_VERIFY, 0, DOUBT, DOUBT },
	{ "not known yet, dkim", COND_DKIM, B(FAIL), FACT_VERIFY, 0, DOUBT,
	    DOUBT },
	{ "not known yet, dmarc", COND_DMARC, B(FAIL), FACT_VERIFY, 0, DOUBT,
	    DOUBT },
	{ "not known yet, arc", COND_ARC, B(NONE), FACT_VERIFY, 0, DOUBT,
	    DOUBT },
};

static struct rules_open open_;

static bool
judge_open(struct question *q)
{
	t.passes++;
	t.row = CONF_NONE;
	t.is = rules_match_open(q, &t.e, &t.row, &open_);
	return t.is != RULE_WAIT;
}

static enum rule_answer
ask_open(struct world *w, uint32_t flags, uint32_t got)
{
	fill(&t.facts, &stranger);
	t.facts.flags |= flags;
	t.facts.results = got;
	t.e = (struct envelope){ .facts = &t.facts,
		.sender = stranger.sender,
		.rcpt = stranger.rcpt };
	w->make = in_tables;
	w->unknown = 1u << T_BROKEN;
	w->slow = 1u << T_SLOW;
	question_ask(&w->questions, judge_open, "", 1, NULL, 0);
	while (w->questions.n > 0)
		event_base_loop(w->loop->base, EVLOOP_ONCE);
	return t.is;
}

static int
answer_of(const struct world *w, enum rule_answer a)
{
	(void)w;
	if (open_.n == 1 && open_.row[0] == 0 && a == RULE_NONE)
		return DOUBT;
	return a == RULE_FOUND && open_.n == 0 ? YES :
	    a == RULE_NONE && open_.n == 0     ? NO :
						 -1;
}

static void
test_results(void)
{
	char name[128];
	struct world w;
	struct conf *c;
	size_t i;
	int not_;

	for (i = 0; i < 2 * sizeof(results) / sizeof(results[0]); i++) {
		struct conf_cond cond = { .kind = (uint8_t)results[i / 2].kind,
			.not_ = i % 2,
			.table = CONF_NONE,
			.results = results[i / 2].wants };
		struct conf_match m;

		not_ = i % 2;
		c = new_conf();
		m = world_match(c, 7, 0, &cond, 1);
		image_rows(c, &c->match, &m, 1, sizeof(m));
		world_init(&w, c);
		snprintf(name, sizeof(name), "results: %s%s", not_ ? "!" : "",
		    results[i / 2].name);
		CHECK(name,
		    answer_of(&w,
			ask_open(&w, results[i / 2].flags,
			    results[i / 2].results)) ==
			(not_ ? results[i / 2].not_ : results[i / 2].is));
		world_free(&w);
	}
}

/* A rule in doubt beside a condition of another kind: what that says counts. */
static void
test_doubt_beside(void)
{
	static const struct {
		const char *name;
		uint32_t table;
		enum rule_answer is;
		uint32_t n;
	} beside[] = {
		{ "doubt, beside a yes", T_IN, RULE_NONE, 1 },
		{ "doubt, beside a no", T_OUT, RULE_NONE, 0 },
		{ "doubt, beside a table that cannot answer", T_BROKEN,
		    RULE_UNKNOWN, 0 },
		{ "doubt, beside a table that is awaited", T_SLOW, RULE_NONE,
		    1 },
	};
	struct conf_match m;
	struct world w;
	struct conf *c;
	size_t i;

	for (i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
		struct conf_cond conds[2] = {
			{ .kind = COND_DMARC,
			    .table = CONF_NONE,
			    .results = B(FAIL) },
			{ .kind = COND_FOR_DOMAIN, .table = beside[i].table },
		};

		c = new_conf();
		m = world_match(c, 7, 0, conds, 2);
		image_rows(c, &c->match, &m, 1, sizeof(m));
		world_init(&w, c);
		CHECK(beside[i].name,
		    ask_open(&w, FACT_VERIFY, 0) == beside[i].is &&
			open_.n == beside[i].n);
		world_free(&w);
	}
}

/* ---- what recipients have in common ---- */

/* A rule, as one letter for what it wants ('-' nothing: it is sure; 'f' dmarc
 * fail, 'F' not so, 's' spf pass, 'n' dkim none) and one for what it does: 'a'
 * and 'b' an action, 'j' junk, 'h' hold, 'r' reject. */
static void
add_rule(struct conf *c, struct conf_match *m, const char *rule, uint32_t line)
{
	struct conf_cond conds[2] = {
		{ .kind = COND_FROM_ANY, .table = CONF_NONE },
	};
	static const struct {
		char letter;
		enum conf_cond_kind kind;
		bool not_;
		uint32_t results;
	} wants[] = {
		{ 'f', COND_DMARC, false, B(FAIL) },
		{ 'F', COND_DMARC, true, B(FAIL) },
		{ 's', COND_SPF, false, B(PASS) },
		{ 'n', COND_DKIM, false, B(NONE) },
	};
	uint32_t n = 1;
	size_t i;

	for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		if (wants[i].letter == rule[0])
			conds[n++] =
			    (struct conf_cond){ .kind = (uint8_t)wants[i].kind,
				    .not_ = wants[i].not_,
				    .table = CONF_NONE,
				    .results = wants[i].results };
	}
	*m = world_match(c, line, rule[1] == 'r' ? CONF_NONE : 0, conds, n);
	m->junk = rule[1] == 'j';
	m->hold = rule[1] == 'h';
}

/* rules: "fj -a". */
static uint64_t
effect_of(const char *rules, uint32_t flags)
{
	struct conf *c = new_conf();
	struct conf_match m[RULES_OPEN_MAX + 8];
	struct world w;
	uint64_t effect;
	uint32_t n = 0;

	for (; *rules != '\0'; rules += rules[2] == ' ' ? 3 : 2) {
		add_rule(c, &m[n], rules, n + 1);
		n++;
	}
	image_rows(c, &c->match, m, n, sizeof(m[0]));
	world_init(&w, c);
	ask_open(&w, flags, 0);
	effect = rules_effect(c, &open_, t.row, &t.e);
	world_free(&w);
	return effect;
}

/* Columns: rules of two recipients, whether a message can be for both. */
static const struct {
	const char *name, *a, *b;
	bool same;
} effects[] = {
	{ "the same", "fj -a", "fj -a", true },
	{ "other rules that do the same", "fr -a", "fr -b", true },
	{ "another action in doubt", "fa -a", "-a", true },
	{ "junk or not", "fj -a", "-a", false },
	{ "hold or not", "fh -a", "-a", false },
	{ "reject or not", "fr -a", "-a", false },
	{ "junk or hold", "fj -a", "fh -a", false },
	{ "junk or reject", "fj -a", "fr -a", false },
	{ "by another result", "fj -a", "sj -a", false },
	{ "by the opposite", "fj -a", "Fj -a", false },
	{ "in another order", "fj sr -a", "sr fj -a", false },
	{ "what decides nothing at the end", "fj sa -a", "fj -a", true },
	{ "what spares from what follows", "sa fj -a", "fj -a", false },
	{ "what is sure is junk", "-j", "-a", false },
	{ "what is sure is junk, for both", "-j", "-j", true },
	{ "what is sure is the same as what is in doubt", "fj -j", "-j", true },
	{ "nothing is sure", "sa", "sa -a", false },
	{ "nothing is sure, or it is refused", "sa", "sa -r", true },
};

static void
test_effects(void)
{
	char many[3 * (RULES_OPEN_MAX + 4) + 1] = "";
	size_t i;

	for (i = 0; i < sizeof(effects) / sizeof(effects[0]); i++)
		CHECK(effects[i].name,
		    (effect_of(effects[i].a, FACT_VERIFY) ==
			effect_of(effects[i].b, FACT_VERIFY)) ==
			effects[i].same);
	CHECK("whatever they are", effect_of("fa sb -a", FACT_VERIFY) == 0);
	CHECK("they decide", effect_of("fj -a", FACT_VERIFY) != 0);
	CHECK("not verified", effect_of("fj -a", 0) == 0);
	CHECK("not verified, and junk", effect_of("fj -j", 0) != 0);
	for (i = 0; i < RULES_OPEN_MAX + 2; i++)
		memcpy(many + 3 * i, "fa ", 4);
	memcpy(many + 3 * i, "-a", 3);
	CHECK("too many to be sure of", effect_of(many, FACT_VERIFY) != 0);
}

/* Several rules and several conditions. */
static void
test_order(void)
{
	struct conf_cond any[2] = {
		{ .kind = COND_FROM_ANY, .table = CONF_NONE },
		{ .kind = COND_FOR_ANY, .table = CONF_NONE },
	};
	struct conf_cond tls[2] = {
		{ .kind = COND_FROM_ANY, .table = CONF_NONE },
		{ .kind = COND_TLS, .table = CONF_NONE },
	};
	/* A table that cannot answer and one that says no, either way. */
	struct conf_cond no[2] = {
		{ .kind = COND_FROM_SRC, .table = T_BROKEN },
		{ .kind = COND_FOR_DOMAIN, .table = T_OUT },
	};
	struct conf_cond unknown[2] = {
		{ .kind = COND_FOR_DOMAIN, .table = T_IN },
		{ .kind = COND_FROM_SRC, .table = T_BROKEN },
	};
	struct conf *c = new_conf();
	struct conf_match m[4];
	struct world w;

	m[0] = world_match(c, 1, 0, tls, 2);
	m[1] = world_match(c, 2, 0, no, 2);
	m[2] = world_match(c, 3, 0, any, 2);
	m[3] = world_match(c, 4, 0, any, 2);
	image_rows(c, &c->match, m, 4, sizeof(m[0]));
	world_init(&w, c);
	CHECK("the first that holds",
	    ask(&w, &user) == RULE_FOUND && t.row == 0);
	CHECK("a no settles it, whoever cannot answer",
	    ask(&w, &stranger) == RULE_FOUND && t.row == 2);
	world_free(&w);

	c = new_conf();
	m[0] = world_match(c, 1, 0, unknown, 2);
	m[1] = world_match(c, 2, 0, any, 2);
	image_rows(c, &c->match, m, 2, sizeof(m[0]));
	world_init(&w, c);
	CHECK("no answer does not fall through",
	    ask(&w, &stranger) == RULE_UNKNOWN && t.row == 0);
	world_free(&w);
}

/* A condition that says no for nothing is asked before a program is. */
static void
test_cost(void)
{
	struct conf_cond conds[2] = {
		{ .kind = COND_FROM_SRC, .table = T_SLOW },
		{ .kind = COND_FOR_DOMAIN, .table = T_OUT },
	};
	struct conf *c = new_conf();
	struct conf_table *rows;
	struct conf_match m;
	struct world w;

	rows = (struct conf_table *)((char *)c + c->table.off);
	rows[T_SLOW].kind = TABLE_PROC;
	m = world_match(c, 1, 0, conds, 2);
	image_rows(c, &c->match, &m, 1, sizeof(m));
	world_init(&w, c);
	CHECK("a program is asked last",
	    ask(&w, &stranger) == RULE_NONE && w.asked == 1 &&
		w.table == T_OUT && t.passes == 1);
	world_free(&w);
}

/* Who may have a signature.  Columns: name, condition, negated, client,
 * whether. */
static const struct {
	const char *name;
	enum conf_cond_kind kind;
	bool not_;
	const struct client *client;
	bool origin;
} origins[] = {
	{ "origin: from local", COND_FROM_LOCAL, 0, &here, true },
	{ "origin: from socket", COND_FROM_SOCKET, 0, &socket_, true },
	{ "origin: from src", COND_FROM_SRC, 0, &stranger, true },
	{ "origin: from any", COND_FROM_ANY, 0, &stranger, false },
	{ "origin: from any, local", COND_FROM_ANY, 0, &here, false },
	{ "origin: !from local", COND_FROM_LOCAL, 1, &stranger, false },
	{ "origin: from mail-from", COND_FROM_MAIL_FROM, 0, &stranger, false },
	{ "origin: ours", COND_FROM_ANY, 0, &ours, true },
	{ "origin: authenticated", COND_FROM_ANY, 0, &user, true },
	{ "origin: alias of a stranger's", COND_FROM_LOCAL, 0, &alias, false },
	{ "origin: alias of a user's", COND_FROM_LOCAL, 0, &user_alias, true },
};

static void
test_origins(void)
{
	struct conf_cond cond;
	struct envelope e;
	struct conf_match m;
	struct facts f;
	struct conf *c;
	size_t i;

	for (i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
		c = new_conf();
		cond = (struct conf_cond){ .kind = (uint8_t)origins[i].kind,
			.not_ = origins[i].not_,
			.table = CONF_NONE };
		m = world_match(c, 1, 0, &cond, 1);
		image_rows(c, &c->match, &m, 1, sizeof(m));
		fill(&f, origins[i].client);
		e = (struct envelope){ .facts = &f,
			.sender = origins[i].client->sender,
			.rcpt = origins[i].client->rcpt,
			.expanded = origins[i].client->expanded };
		CHECK(origins[i].name,
		    rules_origin(c, 0, &e) == origins[i].origin);
		free(c);
	}
}

/* Columns: text, whether it is an address of this host. */
static const struct {
	const char *ip;
	bool own;
} addrs[] = {
	{ "127.0.0.1", true },
	{ "127.9.9.9", true },
	{ "::1", true },
	{ "192.0.2.5", true },
	{ "::ffff:192.0.2.5", true },
	{ "2001:db8:0::5", true },
	{ "192.0.2.6", false },
	{ "2001:db8::6", false },
	{ "", false },
	{ "localhost", false },
};

int
main(void)
{
	struct conf *c = new_conf();
	size_t i;

	test_cases();
	test_results();
	test_doubt_beside();
	test_effects();
	test_order();
	test_cost();
	test_origins();
	for (i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++)
		CHECK("own address",
		    rules_own_addr(c, addrs[i].ip) == addrs[i].own);
	free(c);
	return unit_end();
}
