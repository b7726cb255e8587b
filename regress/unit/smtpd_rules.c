/*
 * smtpd/lookup_rules.c: each condition, plain and negated, and which rule.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

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
		CHECK("each condition is tried", seen[i]);
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
	test_order();
	test_cost();
	test_origins();
	for (i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++)
		CHECK("own address",
		    rules_own_addr(c, addrs[i].ip) == addrs[i].own);
	free(c);
	return unit_end();
}
