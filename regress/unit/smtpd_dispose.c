/*
 * smtpd/lookup_dispose.c: what is done with a message by its results; and
 * recipients between whose rules results will decide (judge_rcpt()).
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include "auth_result.h"
#include "dmarc.h"
#include "question_world.h"

/* T_SPARED has domains of authors, T_GATES clients, T_TRUSTED sealers. */
enum { T_SPARED, T_GATES, T_TRUSTED, T_HERE, T_THERE, TABLES };
enum { A_OUT, A_KNOWN, A_OTHER, ACTIONS };

#define B(name) (1u << RES_##name)
#define RESULTS(s, k, d, a)                                                    \
	((uint32_t)RES_##s | (uint32_t)RES_##k << 4 | (uint32_t)RES_##d << 8 | \
	    (uint32_t)RES_##a << 12)
#define FAILED RESULTS(FAIL, NONE, FAIL, NONE)
#define SEALED RESULTS(FAIL, FAIL, FAIL, PASS)

static const struct world_entry entries[] = {
	{ T_SPARED, "example.org", "" },
	{ T_SPARED, "one.example.net", "" },
	{ T_GATES, "203.0.113.1", "" },
	{ T_TRUSTED, "lists.example", "" },
	{ T_TRUSTED, "relay.example", "" },
	{ T_HERE, "here.example", "" },
	{ T_HERE, "both.example", "" },
	{ T_THERE, "there.example", "" },
	{ 0, NULL, NULL },
};

/* What the configuration says; 0 where nothing else is said: `none`. */
struct acts {
	uint8_t quarantine, reject, no_author;
};
static const struct acts usual = { DMARC_ACT_JUNK, DMARC_ACT_REJECT,
	DMARC_ACT_REJECT };
static const struct acts marks = { DMARC_ACT_MARK, DMARC_ACT_MARK,
	DMARC_ACT_MARK };
static const struct acts holds = { DMARC_ACT_HOLD, DMARC_ACT_HOLD,
	DMARC_ACT_HOLD };
static const struct acts strict = { DMARC_ACT_REJECT, DMARC_ACT_REJECT,
	DMARC_ACT_NONE };
static const struct acts lax = { DMARC_ACT_NONE, DMARC_ACT_JUNK,
	DMARC_ACT_JUNK };

/* Columns: name, configuration, what the domain asks for, results, author,
 * client, sealers ("a b"), tables that cannot answer, verdict, DISPOSE_*, what
 * was applied, why not more. */
static const struct {
	const char *name;
	const struct acts *acts;
	uint32_t disposition, results;
	const char *author, *client, *sealers;
	uint32_t unknown;
	enum verdict verdict;
	uint32_t flags;
	enum conf_dmarc_act applied;
	enum policy_override override;
} policies[] = {
	{ "nothing asked", &usual, DMARC_P_NONE, FAILED, "a.b", "::1", "", 0,
	    DONE, 0, DMARC_ACT_NONE, OVERRIDE_NONE },
	{ "nothing known", &usual, DMARC_P_UNSAID, FAILED, "a.b", "::1", "", 0,
	    DONE, 0, DMARC_ACT_NONE, OVERRIDE_NONE },
	{ "quarantine", &usual, DMARC_P_QUARANTINE, FAILED, "a.b", "::1", "", 0,
	    DONE, DISPOSE_JUNK, DMARC_ACT_JUNK, OVERRIDE_NONE },
	{ "reject", &usual, DMARC_P_REJECT, FAILED, "a.b", "::1", "", 0, NEVER,
	    0, DMARC_ACT_REJECT, OVERRIDE_NONE },
	{ "quarantine, marked", &marks, DMARC_P_QUARANTINE, FAILED, "a.b",
	    "::1", "", 0, DONE, DISPOSE_MARK, DMARC_ACT_MARK, OVERRIDE_LOCAL },
	{ "reject, marked", &marks, DMARC_P_REJECT, FAILED, "a.b", "::1", "", 0,
	    DONE, DISPOSE_MARK, DMARC_ACT_MARK, OVERRIDE_LOCAL },
	{ "quarantine, held", &holds, DMARC_P_QUARANTINE, FAILED, "a.b", "::1",
	    "", 0, DONE, DISPOSE_HOLD, DMARC_ACT_HOLD, OVERRIDE_NONE },
	{ "reject, held", &holds, DMARC_P_REJECT, FAILED, "a.b", "::1", "", 0,
	    DONE, DISPOSE_HOLD, DMARC_ACT_HOLD, OVERRIDE_LOCAL },
	{ "quarantine, refused", &strict, DMARC_P_QUARANTINE, FAILED, "a.b",
	    "::1", "", 0, NEVER, 0, DMARC_ACT_REJECT, OVERRIDE_NONE },
	{ "quarantine, let through", &lax, DMARC_P_QUARANTINE, FAILED, "a.b",
	    "::1", "", 0, DONE, 0, DMARC_ACT_NONE, OVERRIDE_LOCAL },
	{ "reject, junk", &lax, DMARC_P_REJECT, FAILED, "a.b", "::1", "", 0,
	    DONE, DISPOSE_JUNK, DMARC_ACT_JUNK, OVERRIDE_LOCAL },
	/* exceptions */
	{ "except from", &usual, DMARC_P_REJECT, FAILED, "example.org", "::1",
	    "", 0, DONE, 0, DMARC_ACT_NONE, OVERRIDE_EXCEPT },
	{ "except from, below it", &usual, DMARC_P_REJECT, FAILED,
	    "a.b.example.org", "::1", "", 0, DONE, 0, DMARC_ACT_NONE,
	    OVERRIDE_EXCEPT },
	{ "except from, above it", &usual, DMARC_P_REJECT, FAILED,
	    "example.net", "::1", "", 0, NEVER, 0, DMARC_ACT_REJECT,
	    OVERRIDE_NONE },
	{ "except from, ends so", &usual, DMARC_P_REJECT, FAILED,
	    "notexample.org", "::1", "", 0, NEVER, 0, DMARC_ACT_REJECT,
	    OVERRIDE_NONE },
	{ "except from, no answer", &usual, DMARC_P_REJECT, FAILED,
	    "example.org", "::1", "", 1u << T_SPARED, LATER, 0, DMARC_ACT_NONE,
	    OVERRIDE_NONE },
	{ "except src", &usual, DMARC_P_QUARANTINE, FAILED, "a.b",
	    "203.0.113.1", "", 0, DONE, 0, DMARC_ACT_NONE, OVERRIDE_EXCEPT },
	{ "except src, another", &usual, DMARC_P_QUARANTINE, FAILED, "a.b",
	    "203.0.113.2", "", 0, DONE, DISPOSE_JUNK, DMARC_ACT_JUNK,
	    OVERRIDE_NONE },
	{ "except src settles it, whoever cannot answer", &usual,
	    DMARC_P_REJECT, FAILED, "a.b", "203.0.113.1", "", 1u << T_SPARED,
	    DONE, 0, DMARC_ACT_NONE, OVERRIDE_EXCEPT },
	{ "nothing is done, so nobody is asked", &lax, DMARC_P_QUARANTINE,
	    FAILED, "a.b", "::1", "", 1u << T_SPARED | 1u << T_GATES, DONE, 0,
	    DMARC_ACT_NONE, OVERRIDE_LOCAL },
	/* sealers */
	{ "arc trust", &usual, DMARC_P_REJECT, SEALED, "a.b", "::1",
	    "lists.example", 0, DONE, 0, DMARC_ACT_NONE, OVERRIDE_ARC },
	{ "arc trust, all of them", &usual, DMARC_P_REJECT, SEALED, "a.b",
	    "::1", "relay.example lists.example", 0, DONE, 0, DMARC_ACT_NONE,
	    OVERRIDE_ARC },
	{ "arc trust, not all of them", &usual, DMARC_P_REJECT, SEALED, "a.b",
	    "::1", "relay.example other.example", 0, NEVER, 0, DMARC_ACT_REJECT,
	    OVERRIDE_NONE },
	{ "arc trust, not the first", &usual, DMARC_P_REJECT, SEALED, "a.b",
	    "::1", "other.example lists.example", 0, NEVER, 0, DMARC_ACT_REJECT,
	    OVERRIDE_NONE },
	{ "arc trust, below one", &usual, DMARC_P_REJECT, SEALED, "a.b", "::1",
	    "x.lists.example", 0, NEVER, 0, DMARC_ACT_REJECT, OVERRIDE_NONE },
	{ "arc trust, nobody vouches", &usual, DMARC_P_REJECT, SEALED, "a.b",
	    "::1", "", 0, NEVER, 0, DMARC_ACT_REJECT, OVERRIDE_NONE },
	{ "arc trust, no chain that holds", &usual, DMARC_P_REJECT,
	    RESULTS(FAIL, FAIL, FAIL, FAIL), "a.b", "::1", "lists.example", 0,
	    NEVER, 0, DMARC_ACT_REJECT, OVERRIDE_NONE },
	{ "arc trust, no answer", &usual, DMARC_P_REJECT, SEALED, "a.b", "::1",
	    "lists.example", 1u << T_TRUSTED, LATER, 0, DMARC_ACT_NONE,
	    OVERRIDE_NONE },
};

/* `dmarc temperror`.  Columns: name, what it says, acts, at worst, without
 * an author, author, client, sealers, tables that cannot answer, code (0:
 * taken), what was applied. */
#define WAITS  DMARC_TEMPERROR_LATER
#define ACCEPT DMARC_TEMPERROR_ACCEPT
static const struct {
	const char *name;
	uint8_t says;
	const struct acts *acts;
	uint32_t at_worst, no_author;
	const char *author, *client, *sealers;
	uint32_t unknown;
	unsigned int code;
	enum conf_dmarc_act applied;
} doubts[] = {
	{ "in doubt, taken", ACCEPT, &usual, DMARC_P_REJECT, 0, "a.b", "::1",
	    "", 0, 0, DMARC_ACT_NONE },
	{ "in doubt, reject", WAITS, &usual, DMARC_P_REJECT, 0, "a.b", "::1",
	    "", 0, 451, DMARC_ACT_NONE },
	{ "in doubt, quarantine", WAITS, &usual, DMARC_P_QUARANTINE, 0, "a.b",
	    "::1", "", 0, 0, DMARC_ACT_NONE },
	{ "in doubt, quarantine is refused", WAITS, &strict, DMARC_P_QUARANTINE,
	    0, "a.b", "::1", "", 0, 451, DMARC_ACT_NONE },
	{ "in doubt, none", WAITS, &strict, DMARC_P_NONE, 0, "a.b", "::1", "",
	    0, 0, DMARC_ACT_NONE },
	{ "no doubt", WAITS, &strict, DMARC_P_UNSAID, 0, "a.b", "::1", "", 0, 0,
	    DMARC_ACT_NONE },
	{ "in doubt, reject is held", WAITS, &holds, DMARC_P_REJECT, 0, "a.b",
	    "::1", "", 0, 0, DMARC_ACT_NONE },
	{ "in doubt, no author", WAITS, &lax, DMARC_P_REJECT, 1, "a.b", "::1",
	    "", 0, 0, DMARC_ACT_JUNK },
	{ "in doubt, except from", WAITS, &usual, DMARC_P_REJECT, 0,
	    "x.example.org", "::1", "", 0, 0, DMARC_ACT_NONE },
	{ "in doubt, except src", WAITS, &usual, DMARC_P_REJECT, 0, "a.b",
	    "203.0.113.1", "", 0, 0, DMARC_ACT_NONE },
	{ "in doubt, arc trust", WAITS, &usual, DMARC_P_REJECT, 0, "a.b", "::1",
	    "lists.example", 0, 0, DMARC_ACT_NONE },
	{ "in doubt, arc trust, another", WAITS, &usual, DMARC_P_REJECT, 0,
	    "a.b", "::1", "other.example", 0, 451, DMARC_ACT_NONE },
	{ "in doubt, and who is excepted too", WAITS, &usual, DMARC_P_REJECT, 0,
	    "a.b", "::1", "", 1u << T_SPARED, 451, DMARC_ACT_NONE },
};

static struct conf *
new_conf(const struct acts *acts)
{
	struct conf *c = image_new();
	struct conf_action a[ACTIONS];

	c->hostname = image_text(c, "mx.example.org");
	c->sub_addr_delim = '+';
	world_tables(c, TABLES, TABLE_FILE);
	a[A_OUT] = world_action(c, "out", METHOD_RELAY);
	/* Without a table of aliases nobody is known. */
	a[A_KNOWN] = world_action(c, "known", METHOD_RELAY);
	a[A_OTHER] = world_action(c, "other", METHOD_EXPAND_ONLY);
	image_rows(c, &c->action, a, ACTIONS, sizeof(a[0]));
	c->dmarc_quarantine = acts->quarantine;
	c->dmarc_reject = acts->reject;
	c->dmarc_no_author = acts->no_author;
	return c;
}

static void
ask(struct world *w, const struct dispose_ask *m, struct dispose_is *is,
    const char *name)
{
	memset(is, 0xff, sizeof(*is));
	question_ask(&w->questions, judge_dispose, m, sizeof(*m), &w->chan, 9);
	CHECK(name, world_answered(w, IPC_DISPOSE_IS, is, sizeof(*is)));
}

/* "a b" */
static void
put_sealers(struct dispose_ask *m, const char *text)
{
	char *p = m->sealer;

	snprintf(m->sealer, sizeof(m->sealer), "%s", text);
	if (text[0] == '\0')
		return;
	for (m->n_sealer = 1; (p = strchr(p, ' ')) != NULL; m->n_sealer++)
		*p++ = '\0';
}

static void
test_policy(size_t i, uint32_t slow)
{
	struct dispose_ask m = { .disposition = policies[i].disposition,
		.facts = { .results = policies[i].results } };
	struct conf *c = new_conf(policies[i].acts);
	struct dispose_is is;
	struct world w;

	c->dmarc_except_from = T_SPARED;
	c->dmarc_except_src = T_GATES;
	c->arc_trust = T_TRUSTED;
	snprintf(m.author, sizeof(m.author), "%s", policies[i].author);
	snprintf(m.facts.client, sizeof(m.facts.client), "%s",
	    policies[i].client);
	put_sealers(&m, policies[i].sealers);
	world_init(&w, c);
	w.entries = entries;
	w.unknown = policies[i].unknown;
	w.slow = slow;
	ask(&w, &m, &is, policies[i].name);
	CHECK(policies[i].name,
	    is.outcome.verdict == policies[i].verdict &&
		is.flags == policies[i].flags &&
		is.applied == policies[i].applied &&
		is.override == policies[i].override && is.line == 0);
	if (is.outcome.verdict == NEVER)
		CHECK(policies[i].name,
		    is.outcome.code == 550 && is.outcome.ecode[0] == 5 &&
			is.outcome.ecode[1] == 7 && is.outcome.ecode[2] == 1 &&
			strstr(is.outcome.text, "DMARC policy of ") != NULL &&
			strstr(is.outcome.text, policies[i].author) != NULL);
	if (is.outcome.verdict == LATER)
		CHECK(policies[i].name, is.outcome.code == 451);
	world_free(&w);
}

static void
test_doubt(size_t i, uint32_t slow)
{
	struct dispose_ask m = { .disposition = DMARC_P_NONE,
		.at_worst = doubts[i].at_worst,
		.no_author = doubts[i].no_author,
		.facts = { .results = RESULTS(FAIL, NONE, TEMPERROR, PASS) } };
	struct conf *c = new_conf(doubts[i].acts);
	struct dispose_is is;
	struct world w;

	c->dmarc_temperror = doubts[i].says;
	c->dmarc_except_from = T_SPARED;
	c->dmarc_except_src = T_GATES;
	c->arc_trust = T_TRUSTED;
	snprintf(m.author, sizeof(m.author), "%s", doubts[i].author);
	snprintf(m.facts.client, sizeof(m.facts.client), "%s",
	    doubts[i].client);
	put_sealers(&m, doubts[i].sealers);
	world_init(&w, c);
	w.entries = entries;
	w.unknown = doubts[i].unknown;
	w.slow = slow;
	ask(&w, &m, &is, doubts[i].name);
	CHECK(doubts[i].name,
	    is.outcome.verdict == (doubts[i].code == 0 ? DONE : LATER) &&
		is.applied == doubts[i].applied &&
		is.override == OVERRIDE_NONE);
	if (doubts[i].code != 0)
		CHECK(doubts[i].name, is.outcome.code == doubts[i].code);
	if (doubts[i].code != 0 && doubts[i].unknown == 0)
		CHECK(doubts[i].name,
		    is.outcome.ecode[0] == 4 && is.outcome.ecode[1] == 7 &&
			is.outcome.ecode[2] == 0 &&
			strstr(is.outcome.text, "may come from a.b") != NULL);
	world_free(&w);
}

/* A sealer's list that does not end as it says is no trust. */
static void
test_sealers_cut(void)
{
	struct dispose_ask m = { .disposition = DMARC_P_REJECT,
		.author = "a.b",
		.n_sealer = 200,
		.facts = { .client = "::1", .results = SEALED } };
	struct conf *c = new_conf(&usual);
	struct dispose_is is;
	struct world w;
	size_t i;

	c->arc_trust = T_TRUSTED;
	for (i = 0; i + 14 < sizeof(m.sealer); i += 14)
		memcpy(m.sealer + i, "lists.example", 14);
	memset(m.sealer + i, 'x', sizeof(m.sealer) - i);
	world_init(&w, c);
	w.entries = entries;
	ask(&w, &m, &is, "sealers, more than there are");
	CHECK("sealers, more than there are", is.outcome.verdict == NEVER);
	m.n_sealer = (uint32_t)(i / 14);
	ask(&w, &m, &is, "sealers, as many as there are");
	CHECK("sealers, as many as there are",
	    is.outcome.verdict == DONE && is.override == OVERRIDE_ARC);
	world_free(&w);
}

/* Columns: name, act, client, verdict, flags, override. */
static const struct {
	const char *name;
	const struct acts *acts;
	const char *client;
	enum verdict verdict;
	uint32_t flags;
	enum policy_override override;
} authors[] = {
	{ "no author", &usual, "::1", NEVER, 0, OVERRIDE_NONE },
	{ "no author, junk", &lax, "::1", DONE, DISPOSE_JUNK, OVERRIDE_NONE },
	{ "no author, hold", &holds, "::1", DONE, DISPOSE_HOLD, OVERRIDE_NONE },
	{ "no author, mark", &marks, "::1", DONE, DISPOSE_MARK, OVERRIDE_NONE },
	{ "no author, none", &strict, "::1", DONE, 0, OVERRIDE_NONE },
	{ "no author, except src", &usual, "203.0.113.1", DONE, 0,
	    OVERRIDE_EXCEPT },
};

static void
test_no_author(size_t i)
{
	struct dispose_ask m = { .no_author = 1,
		.facts = { .results = RESULTS(NONE, NONE, PERMERROR, NONE) } };
	struct conf *c = new_conf(authors[i].acts);
	struct dispose_is is;
	struct world w;

	c->dmarc_except_src = T_GATES;
	c->dmarc_except_from = T_SPARED;
	snprintf(m.facts.client, sizeof(m.facts.client), "%s",
	    authors[i].client);
	world_init(&w, c);
	w.entries = entries;
	ask(&w, &m, &is, authors[i].name);
	CHECK(authors[i].name,
	    is.outcome.verdict == authors[i].verdict &&
		is.flags == authors[i].flags &&
		is.override == authors[i].override);
	if (is.outcome.verdict == NEVER)
		CHECK(authors[i].name,
		    is.outcome.code == 550 &&
			strstr(is.outcome.text, "author") != NULL);
	world_free(&w);
}

/* ---- rules ---- */

/* The rules of these tests, in their order.  Columns: results wanted of dmarc
 * and of spf (0: any), table of the recipient's domain, what is done: 'o' and
 * 'k' relay by another action, 'x' expand for nobody, 'j' junk, 'h' hold, 'r'
 * reject. */
static const struct {
	uint32_t dmarc, spf;
	uint32_t table;
	char does;
} rules[] = {
	{ B(FAIL), 0, T_HERE, 'r' },               /* line 1 */
	{ 0, B(SOFTFAIL) | B(FAIL), T_HERE, 'j' }, /* 2 */
	{ 0, B(NEUTRAL), T_HERE, 'h' },            /* 3 */
	{ 0, 0, T_HERE, 'o' },                     /* 4 */
	{ B(PASS), 0, T_THERE, 'k' },              /* 5 */
};
enum { RULES = sizeof(rules) / sizeof(rules[0]) };

static void
add_rules(struct conf *c)
{
	struct conf_match m[RULES];
	struct conf_cond conds[4];
	uint32_t i, n;

	for (i = 0; i < RULES; i++) {
		n = 0;
		conds[n++] = (struct conf_cond){ .kind = COND_FROM_ANY,
			.table = CONF_NONE };
		conds[n++] = (struct conf_cond){ .kind = COND_FOR_DOMAIN,
			.table = rules[i].table };
		if (rules[i].dmarc != 0)
			conds[n++] = (struct conf_cond){ .kind = COND_DMARC,
				.table = CONF_NONE,
				.results = rules[i].dmarc };
		if (rules[i].spf != 0)
			conds[n++] = (struct conf_cond){ .kind = COND_SPF,
				.table = CONF_NONE,
				.results = rules[i].spf };
		m[i] = world_match(c, i + 1,
		    rules[i].does == 'r'     ? CONF_NONE :
			rules[i].does == 'k' ? A_KNOWN :
					       A_OUT,
		    conds, n);
		m[i].junk = rules[i].does == 'j';
		m[i].hold = rules[i].does == 'h';
	}
	image_rows(c, &c->match, m, RULES, sizeof(m[0]));
}

/* Columns: name, results, recipient, tables that cannot answer, verdict, line,
 * flags, what the reply has. */
static const struct {
	const char *name;
	uint32_t results;
	const char *rcpt;
	uint32_t unknown;
	enum verdict verdict;
	uint32_t line, flags;
	const char *text;
} decided[] = {
	{ "rules: refused", RESULTS(PASS, NONE, FAIL, NONE), "a@here.example",
	    0, NEVER, 1, 0, "spf=pass dkim=none dmarc=fail arc=none" },
	{ "rules: junk", RESULTS(SOFTFAIL, NONE, NONE, NONE), "a@here.example",
	    0, DONE, 2, DISPOSE_JUNK, "" },
	{ "rules: hold", RESULTS(NEUTRAL, PASS, PASS, NONE), "a@here.example",
	    0, DONE, 3, DISPOSE_HOLD, "" },
	{ "rules: taken", RESULTS(PASS, PASS, PASS, NONE), "a@here.example", 0,
	    DONE, 4, 0, "" },
	{ "rules: nobody looked", 0, "a@here.example", 0, DONE, 4, 0, "" },
	{ "rules: taken by results", RESULTS(PASS, PASS, PASS, NONE),
	    "a@there.example", 0, DONE, 5, 0, "" },
	{ "rules: none left", RESULTS(PASS, PASS, FAIL, NONE),
	    "a@there.example", 0, NEVER, 0, 0, "dmarc=fail" },
	{ "rules: a table that cannot answer", RESULTS(PASS, PASS, PASS, NONE),
	    "a@here.example", 1u << T_HERE, LATER, 0, 0, "cannot answer" },
	{ "rules: a route in an address", RESULTS(PASS, PASS, PASS, NONE),
	    "a%b@there.example", 0, NEVER, 5, 0, "rules" },
};

static void
test_rules(size_t i, uint32_t slow)
{
	struct dispose_ask m = { .facts = { .client = "203.0.113.9",
				     .flags = FACT_VERIFY,
				     .results = decided[i].results },
		.sender = "x@y.example" };
	struct conf *c = new_conf(&usual);
	struct dispose_is is;
	struct world w;

	snprintf(m.rcpt, sizeof(m.rcpt), "%s", decided[i].rcpt);
	add_rules(c);
	world_init(&w, c);
	w.entries = entries;
	w.unknown = decided[i].unknown;
	w.slow = slow;
	ask(&w, &m, &is, decided[i].name);
	CHECK(decided[i].name,
	    is.outcome.verdict == decided[i].verdict &&
		is.line == decided[i].line && is.flags == decided[i].flags &&
		strstr(is.outcome.text, decided[i].text) != NULL);
	world_free(&w);
}

/* What DMARC asks for and what a rule says are both done; a refusal by the
 * policy asks no rule. */
static void
test_both(void)
{
	struct dispose_ask m = { .facts = { .client = "203.0.113.9",
				     .results =
					 RESULTS(NEUTRAL, NONE, NONE, NONE) },
		.disposition = DMARC_P_QUARANTINE,
		.author = "a.b",
		.rcpt = "a@here.example" };
	struct conf *c = new_conf(&usual);
	struct dispose_is is;
	struct world w;

	add_rules(c);
	world_init(&w, c);
	w.entries = entries;
	ask(&w, &m, &is, "both");
	CHECK("both",
	    is.outcome.verdict == DONE &&
		is.flags == (DISPOSE_JUNK | DISPOSE_HOLD) && is.line == 3 &&
		is.applied == DMARC_ACT_JUNK);
	m.disposition = DMARC_P_REJECT;
	w.asked = 0;
	ask(&w, &m, &is, "refused before its rules");
	CHECK("refused before its rules",
	    is.outcome.verdict == NEVER && is.line == 0 && w.asked == 0);
	world_free(&w);
}

/* ---- recipients ---- */

/* Columns: name, flags, results, recipient, verdict, whether results decide. */
static const struct {
	const char *name;
	uint32_t flags, results;
	const char *rcpt;
	enum verdict verdict;
	bool decides;
} rcpts[] = {
	{ "rcpt: taken, and refused perhaps", FACT_VERIFY, 0, "a@here.example",
	    DONE, true },
	{ "rcpt: taken perhaps", FACT_VERIFY, 0, "a@there.example", DONE,
	    true },
	{ "rcpt: taken perhaps, but for its route", FACT_VERIFY, 0,
	    "a%b@there.example", NEVER, false },
	{ "rcpt: nobody's", FACT_VERIFY, 0, "a@nowhere.example", NEVER, false },
	{ "rcpt: not verified", 0, 0, "a@here.example", DONE, false },
	{ "rcpt: not verified, and only by results", 0, 0, "a@there.example",
	    NEVER, false },
	{ "rcpt: known", FACT_VERIFY, RESULTS(PASS, PASS, PASS, PASS),
	    "a@there.example", DONE, false },
};

static void
test_rcpt(size_t i, uint32_t slow)
{
	struct rcpt_ask m = { .facts = { .client = "203.0.113.9",
				  .flags = rcpts[i].flags,
				  .results = rcpts[i].results },
		.sender = "x@y.example" };
	struct conf *c = new_conf(&usual);
	struct rcpt_is is;
	struct world w;

	snprintf(m.rcpt, sizeof(m.rcpt), "%s", rcpts[i].rcpt);
	add_rules(c);
	world_init(&w, c);
	w.entries = entries;
	w.slow = slow;
	question_ask(&w.questions, judge_rcpt, &m, sizeof(m), &w.chan, 9);
	CHECK(rcpts[i].name,
	    world_answered(&w, IPC_RCPT_IS, &is, sizeof(is)) &&
		is.outcome.verdict == rcpts[i].verdict &&
		(is.rules != 0) == rcpts[i].decides);
	world_free(&w);
}

/* Results decide between two actions, of which one knows nobody: he is refused
 * only if both do.  Columns: name, actions by a rule in doubt and by the sure
 * one (CONF_NONE: reject; ACTIONS: there is none), verdict. */
static const struct {
	const char *name;
	uint32_t doubt, sure;
	enum verdict verdict;
} choices[] = {
	{ "choice: both take him", A_OUT, A_KNOWN, DONE },
	{ "choice: the sure one does not know him", A_OUT, A_OTHER, DONE },
	{ "choice: the one in doubt does not", A_OTHER, A_OUT, DONE },
	{ "choice: neither does", A_OTHER, A_OTHER, NEVER },
	{ "choice: refused, or not known", A_OTHER, CONF_NONE, NEVER },
	{ "choice: refused, or taken", A_OUT, CONF_NONE, DONE },
	{ "choice: taken, or nobody's", A_OUT, ACTIONS, DONE },
	{ "choice: refused, or nobody's", CONF_NONE, ACTIONS, NEVER },
	{ "choice: refused, or taken surely", CONF_NONE, A_OUT, DONE },
};

static void
test_choice(size_t i)
{
	struct conf_cond conds[3] = {
		{ .kind = COND_FROM_ANY, .table = CONF_NONE },
		{ .kind = COND_FOR_ANY, .table = CONF_NONE },
		{ .kind = COND_ARC, .table = CONF_NONE, .results = B(PASS) },
	};
	struct rcpt_ask m = { .facts = { .client = "203.0.113.9",
				  .flags = FACT_VERIFY },
		.sender = "x@y.example",
		.rcpt = "a@b.example" };
	struct conf *c = new_conf(&usual);
	struct conf_match rows[2];
	struct rcpt_is is;
	struct world w;

	rows[0] = world_match(c, 1, choices[i].doubt, conds, 3);
	if (choices[i].sure != ACTIONS)
		rows[1] = world_match(c, 2, choices[i].sure, conds, 2);
	image_rows(c, &c->match, rows, choices[i].sure == ACTIONS ? 1 : 2,
	    sizeof(rows[0]));
	world_init(&w, c);
	question_ask(&w.questions, judge_rcpt, &m, sizeof(m), &w.chan, 9);
	CHECK(choices[i].name,
	    world_answered(&w, IPC_RCPT_IS, &is, sizeof(is)) &&
		is.outcome.verdict == choices[i].verdict);
	world_free(&w);
}

int
main(void)
{
	/* All tables answer at once, or later. */
	static const uint32_t slow[] = { 0, (1u << TABLES) - 1 };
	size_t i, j;

	for (j = 0; j < sizeof(slow) / sizeof(slow[0]); j++) {
		for (i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
			test_policy(i, slow[j]);
		for (i = 0; i < sizeof(doubts) / sizeof(doubts[0]); i++)
			test_doubt(i, slow[j]);
		for (i = 0; i < sizeof(decided) / sizeof(decided[0]); i++)
			test_rules(i, slow[j]);
		for (i = 0; i < sizeof(rcpts) / sizeof(rcpts[0]); i++)
			test_rcpt(i, slow[j]);
	}
	for (i = 0; i < sizeof(authors) / sizeof(authors[0]); i++)
		test_no_author(i);
	for (i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		test_choice(i);
	test_sealers_cut();
	test_both();
	return unit_end();
}
