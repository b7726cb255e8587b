/*
 * The match rules, asked when a recipient comes in and again at each attempt
 * to deliver: what is kept with a message are facts, not decisions.  Runs in
 * lookup; changes nothing, and where a table cannot answer it says so.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_rules.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <xxhash.h>

#include "auth_result.h"
#include "conf_print.h"
#include "smtp_addr.h"

/* ---- this host ---- */

bool
rules_own_addr(const struct conf *conf, const char *ip)
{
	static const uint8_t loopback6[16] = { [15] = 1 };
	struct table_net net, own;
	uint32_t i;

	if (!table_addr_parse(ip, &net))
		return false;
	if (net.family == 4 && net.addr[0] == 127)
		return true;
	if (net.family == 6 && memcmp(net.addr, loopback6, 16) == 0)
		return true;
	for (i = 0; i < conf->local_addr.n; i++) {
		const struct conf_entry *e =
		    CONF_ENTRY(conf, conf->local_addr, i);

		if (table_addr_parse(conf_text(conf, e->key), &own) &&
		    memcmp(&own, &net, sizeof(net)) == 0)
			return true;
	}
	return false;
}

static bool
own_domain(const struct conf *conf, const char *domain)
{
	char ip[IP_TEXT_MAX + 1];

	if (strcasecmp(domain, "localhost") == 0 ||
	    strcasecmp(domain, conf_text(conf, conf->hostname)) == 0 ||
	    strcasecmp(domain, conf_mail_name(conf)) == 0)
		return true;
	return smtp_literal_parse(slice_of(domain), ip) == NULL &&
	    rules_own_addr(conf, ip);
}

/* ---- conditions ---- */

static enum table_answer
yes_or_no(bool truth)
{
	return truth ? TABLE_YES : TABLE_NO;
}

/* By the socket, or made here: such have no address. */
static bool
no_client(const struct envelope *e)
{
	return e->expanded ||
	    (e->facts->flags & (FACT_SOCKET | FACT_OURS)) != 0;
}

static enum table_answer
ask(struct question *q, const struct conf_cond *c, enum conf_service service,
    const char *key)
{
	const char *value;

	if (c->table == CONF_NONE)
		return TABLE_UNKNOWN;
	return question_table(q, c->table, c->regex ? SERVICE_REGEX : service,
	    key, &value);
}

static enum table_answer
cond_any(struct question *q, const struct conf_cond *c,
    const struct envelope *e)
{
	(void)q;
	(void)c;
	(void)e;
	return TABLE_YES;
}

static enum table_answer
cond_from_local(struct question *q, const struct conf_cond *c,
    const struct envelope *e)
{
	(void)q;
	(void)c;
	return yes_or_no(no_client(e) || (e->facts->flags & FACT_LOCAL) != 0);
}

static enum table_answer
cond_from_socket(struct question *q, const struct conf_cond *c,
    const struct envelope *e)
{
	(void)q;
	(void)c;
	return yes_or_no(no_client(e) && !e->expanded);
}

static enum table_answer
cond_from_src(struct question *q, const struct conf_cond *c,
    const struct envelope *e)
{
	return ask(q, c, SERVICE_NETADDR,
	    no_client(e) ? "local" : e->facts->client);
}

/* Whoever owns a network gives its addresses what names he likes: one of a
 * table must lead back to the address. */
static enum table_answer
cond_from_rdns(struct question *q, const struct conf_cond *c,
    const struct envelope *e)
{
	const struct facts *f = e->facts;
	const char *rdns = f->rdns;

	if (no_client(e))
		return TABLE_NO;
	/* This host knows its own name. */
	if (rdns[0] == '\0' && (f->flags & FACT_LOCAL) != 0)
		rdns = "localhost";
	else if ((f->flags & FACT_RDNS_DOUBT) != 0)
		return TABLE_UNKNOWN;
	if (rdns[0] == '\0')
		return TABLE_NO;
	if (c->table == CONF_NONE)
		return TABLE_YES;
	if ((f->flags & (FACT_FCRDNS | FACT_LOCAL)) == 0)
		return TABLE_NO;
	return ask(q, c, SERVICE_DOMAIN, rdns);
}

static enum table_answer
cond_auth(struct question *q, const struct conf_cond *c,
    const struct envelope *e)
{
	const char *user = e->facts->auth;

	if (user[0] == '\0')
		return TABLE_NO;
	if (c->table == CONF_NONE)
		return TABLE_YES;
	return ask(q, c,
	    strchr(user, '@') != NULL ? SERVICE_MAILADDR : SERVICE_STRING,
	    user);
}

static enum table_answer
cond_mail_from(struct question *q, const struct conf_cond *c,
    const struct envelope *e)
{
	return ask(q, c, SERVICE_MAILADDR, e->sender);
}

static enum table_answer
cond_rcpt_to(struct question *q, const struct conf_cond *c,
    const struct envelope *e)
{
	return ask(q, c, SERVICE_MAILADDR, e->rcpt);
}

static enum table_answer
cond_for_local(struct question *q, const struct conf_cond *c,
    const struct envelope *e)
{
	(void)c;
	return yes_or_no(own_domain(q->all->conf, smtp_addr_domain(e->rcpt)));
}

static enum table_answer
cond_for_domain(struct question *q, const struct conf_cond *c,
    const struct envelope *e)
{
	return ask(q, c, SERVICE_DOMAIN, smtp_addr_domain(e->rcpt));
}

static enum table_answer
cond_helo(struct question *q, const struct conf_cond *c,
    const struct envelope *e)
{
	return ask(q, c, SERVICE_DOMAIN, e->facts->helo);
}

static enum table_answer
cond_tag(struct question *q, const struct conf_cond *c,
    const struct envelope *e)
{
	return ask(q, c, SERVICE_STRING, e->facts->tag);
}

static enum table_answer
cond_tls(struct question *q, const struct conf_cond *c,
    const struct envelope *e)
{
	(void)q;
	(void)c;
	return yes_or_no((e->facts->flags & FACT_TLS) != 0);
}

/* ---- conditions of results ---- */

enum { METHODS = CONDS - COND_SPF };
static_assert((int)METHODS == BY_METHODS &&
	(int)COND_DKIM == (int)COND_SPF + BY_DKIM &&
	(int)COND_DMARC == (int)COND_SPF + BY_DMARC &&
	(int)COND_ARC == (int)COND_SPF + BY_ARC,
    "a condition for each method");

static bool
is_of_results(const struct conf_cond *c)
{
	return c->kind >= COND_SPF && c->kind < CONDS;
}

/* They will be known when the content is. */
static bool
is_in_doubt(const struct conf_cond *c, const struct facts *f)
{
	return is_of_results(c) && f->results == 0 &&
	    (f->flags & FACT_VERIFY) != 0;
}

static enum table_answer
cond_results(struct question *q, const struct conf_cond *c,
    const struct envelope *e)
{
	enum auth_method m = (enum auth_method)(c->kind - COND_SPF);
	enum auth_result r = auth_result_get(e->facts->results, m);

	(void)q;
	return yes_or_no((c->results & 1u << r) != 0);
}

/* Nobody looked, and nobody will: neither it nor its negation holds. */
static bool
is_unsaid(const struct conf_cond *c, const struct facts *f)
{
	return is_of_results(c) &&
	    auth_result_get(f->results,
		(enum auth_method)(c->kind - COND_SPF)) == RES_UNSAID;
}

static const char *const cond_words[CONDS] = {
#define X(name, words) [COND_##name] = (words),
	CONF_CONDS(X)
#undef X
};

/* Columns: of_peer (it speaks of who is at the other end: what came out of an
 * expansion has nobody there, so neither it nor its negation holds),
 * function.  By enum conf_cond_kind. */
static const struct {
	bool of_peer;
	enum table_answer (*fn)(struct question *q, const struct conf_cond *c,
	    const struct envelope *e);
} cond_rows[CONDS] = {
	[COND_FROM_ANY] = { false, cond_any },
	[COND_FROM_LOCAL] = { false, cond_from_local },
	[COND_FROM_SOCKET] = { true, cond_from_socket },
	[COND_FROM_AUTH] = { false, cond_auth },
	[COND_FROM_MAIL_FROM] = { false, cond_mail_from },
	[COND_FROM_RDNS] = { true, cond_from_rdns },
	[COND_FROM_SRC] = { false, cond_from_src },
	[COND_FOR_ANY] = { false, cond_any },
	[COND_FOR_LOCAL] = { false, cond_for_local },
	[COND_FOR_DOMAIN] = { false, cond_for_domain },
	[COND_FOR_RCPT_TO] = { false, cond_rcpt_to },
	[COND_AUTH] = { false, cond_auth },
	[COND_HELO] = { false, cond_helo },
	[COND_MAIL_FROM] = { false, cond_mail_from },
	[COND_RCPT_TO] = { false, cond_rcpt_to },
	[COND_TAG] = { false, cond_tag },
	[COND_TLS] = { false, cond_tls },
	[COND_SPF] = { false, cond_results },
	[COND_DKIM] = { false, cond_results },
	[COND_DMARC] = { false, cond_results },
	[COND_ARC] = { false, cond_results },
};

static enum table_answer
cond_holds(struct question *q, const struct conf_cond *c,
    const struct envelope *e)
{
	enum table_answer a;

	if (c->kind >= CONDS)
		return TABLE_UNKNOWN;
	if (e->expanded && cond_rows[c->kind].of_peer)
		return TABLE_NO;
	if (is_unsaid(c, e->facts))
		return TABLE_NO;
	a = cond_rows[c->kind].fn(q, c, e);
	if (!c->not_ || a == TABLE_UNKNOWN || a == TABLE_WAIT)
		return a;
	return a == TABLE_YES ? TABLE_NO : TABLE_YES;
}

/* What asking costs: nothing, memory, another process. */
enum { COST_NONE, COST_MEMORY, COST_PROGRAM, COSTS };

static int
cond_cost(const struct conf *conf, const struct conf_cond *c)
{
	if (c->table == CONF_NONE)
		return COST_NONE;
	return CONF_TABLE(conf, c->table)->kind == TABLE_PROC ? COST_PROGRAM :
								COST_MEMORY;
}

/* ---- rules ---- */

/* "!from src <nets>", as it is written. */
static void
cond_print(const struct conf *conf, const struct conf_cond *c, struct buf *out)
{
	buf_puts(out, c->not_ ? "!" : "");
	buf_puts(out, c->kind < CONDS ? cond_words[c->kind] : "?");
	conf_print_table(out, conf, c->regex ? "regex" : "", c->table);
	conf_print_results(out, c->results);
}

static void
note_no(struct question *q, const struct conf_match *m,
    const struct conf_cond *c)
{
	struct buf text;

	if (!q->traced)
		return;
	buf_init(&text, QUESTION_NOTE_MAX);
	cond_print(q->all->conf, c, &text);
	question_note(q, "tried", &m->at, "no: %.*s", (int)text.len,
	    (const char *)buf_data(&text));
	buf_free(&text);
}

static void
note_rule(struct question *q, const char *step, const struct conf_match *m)
{
	const struct conf *conf = q->all->conf;
	struct buf text;
	uint32_t i;

	if (!q->traced)
		return;
	buf_init(&text, QUESTION_NOTE_MAX);
	buf_puts(&text, "match");
	for (i = 0; i < m->cond.n; i++) {
		buf_puts(&text, " ");
		cond_print(conf, CONF_COND(conf, m->cond, i), &text);
	}
	conf_print_flag(&text, "junk", m->junk);
	conf_print_flag(&text, "hold", m->hold);
	if (m->reject || m->action == CONF_NONE)
		buf_puts(&text, " reject");
	else
		buf_printf(&text, " action \"%s\"",
		    conf_text(conf, CONF_ACTION(conf, m->action)->name));
	question_note(q, step, &m->at, "%.*s", (int)text.len,
	    (const char *)buf_data(&text));
	buf_free(&text);
}

/* One part that says no settles it, also where another cannot answer or is in
 * doubt; those that cost least are asked first.  *doubt: it holds if results,
 * which are not known yet, are as it says. */
static enum table_answer
rule_holds(struct question *q, const struct conf_match *m,
    const struct envelope *e, bool *doubt)
{
	const struct conf *conf = q->all->conf;
	enum table_answer a, all = TABLE_YES;
	const struct conf_cond *c;
	uint32_t i;
	int cost;

	*doubt = false;
	for (cost = 0; cost < COSTS; cost++) {
		for (i = 0; i < m->cond.n; i++) {
			c = CONF_COND(conf, m->cond, i);
			if (cond_cost(conf, c) != cost)
				continue;
			if (is_in_doubt(c, e->facts)) {
				*doubt = true;
				continue;
			}
			a = cond_holds(q, c, e);
			if (a == TABLE_NO)
				note_no(q, m, c);
			if (a == TABLE_NO || a == TABLE_WAIT)
				return a;
			if (a == TABLE_UNKNOWN)
				all = TABLE_UNKNOWN;
		}
	}
	return all;
}

enum rule_answer
rules_match_open(struct question *q, const struct envelope *e, uint32_t *row,
    struct rules_open *open)
{
	const struct conf *conf = q->all->conf;
	const struct conf_match *m;
	enum table_answer a;
	uint32_t i;
	bool doubt;

	*open = (struct rules_open){ 0 };
	for (i = 0; i < conf->match.n; i++) {
		m = CONF_MATCH(conf, i);
		a = rule_holds(q, m, e, &doubt);
		if (a == TABLE_NO)
			continue;
		if (a == TABLE_WAIT)
			return RULE_WAIT;
		if (a == TABLE_YES && doubt) {
			if (open->n < RULES_OPEN_MAX)
				open->row[open->n] = i;
			open->n++;
			continue;
		}
		*row = i;
		note_rule(q, a == TABLE_YES ? "rule" : "unknown", m);
		return a == TABLE_YES ? RULE_FOUND : RULE_UNKNOWN;
	}
	question_note(q, "rule", NULL, "no rule is for <%s>", e->rcpt);
	return RULE_NONE;
}

enum rule_answer
rules_match(struct question *q, const struct envelope *e, uint32_t *row)
{
	struct rules_open open;

	return rules_match_open(q, e, row, &open);
}

/* ---- what becomes of it ---- */

/* What a rule does with the whole message; bits. */
enum { EFFECT_REFUSE = 1, EFFECT_JUNK = 2, EFFECT_HOLD = 4 };

bool
rules_refuse(const struct conf *conf, uint32_t row, const struct envelope *e)
{
	const struct conf_match *m = CONF_MATCH(conf, row);

	if (m->reject || m->action == CONF_NONE)
		return true;
	return CONF_ACTION(conf, m->action)->method == METHOD_RELAY &&
	    rules_routed(conf, row, e);
}

static uint32_t
effect_of(const struct conf *conf, uint32_t row, const struct envelope *e)
{
	const struct conf_match *m;

	if (row == CONF_NONE || rules_refuse(conf, row, e))
		return EFFECT_REFUSE;
	m = CONF_MATCH(conf, row);
	return (m->junk ? EFFECT_JUNK : 0) | (m->hold ? EFFECT_HOLD : 0);
}

/* A rule in doubt: what it wants of each method, and what it does. */
static uint64_t
hash_of(const struct conf *conf, uint32_t row, uint32_t effect, uint64_t before)
{
	const struct conf_match *m = CONF_MATCH(conf, row);
	uint32_t want[2 * METHODS + 1] = { 0 };
	const struct conf_cond *c;
	uint32_t i;

	for (i = 0; i < m->cond.n; i++) {
		c = CONF_COND(conf, m->cond, i);
		if (!is_of_results(c))
			continue;
		want[2 * (c->kind - COND_SPF)] = c->results;
		want[2 * (c->kind - COND_SPF) + 1] = c->not_;
	}
	want[2 * METHODS] = effect;
	return XXH3_64bits_withSeed(want, sizeof(want), before);
}

uint64_t
rules_effect(const struct conf *conf, const struct rules_open *open,
    uint32_t row, const struct envelope *e)
{
	uint32_t i, n = open->n, last = effect_of(conf, row, e);
	uint64_t hash;

	if (n > RULES_OPEN_MAX)
		n = RULES_OPEN_MAX;
	/* Those before the one that is sure, and do the same, decide
	 * nothing; unless there are more of which nothing is known. */
	while (open->n <= RULES_OPEN_MAX && n > 0 &&
	    effect_of(conf, open->row[n - 1], e) == last)
		n--;
	if (n == 0 && (last & (EFFECT_JUNK | EFFECT_HOLD)) == 0)
		return 0;
	hash = XXH3_64bits(&last, sizeof(last));
	for (i = 0; i < n; i++)
		hash = hash_of(conf, open->row[i],
		    effect_of(conf, open->row[i], e), hash);
	return hash + (hash == 0);
}

bool
rules_origin(const struct conf *conf, uint32_t row, const struct envelope *e)
{
	static const bool names_senders[CONDS] = {
		[COND_FROM_LOCAL] = true,
		[COND_FROM_SOCKET] = true,
		[COND_FROM_AUTH] = true,
		[COND_FROM_SRC] = true,
	};
	const struct conf_match *m = CONF_MATCH(conf, row);
	const struct facts *f = e->facts;
	uint32_t i;

	if ((f->flags & (FACT_OURS | FACT_SOCKET)) != 0 || f->auth[0] != '\0')
		return true;
	/* What an alias here sends on may be a stranger's. */
	if (e->expanded && (f->flags & (FACT_LOCAL | FACT_SOCKET)) == 0)
		return false;
	for (i = 0; i < m->cond.n; i++) {
		const struct conf_cond *c = CONF_COND(conf, m->cond, i);

		if (!c->not_ && c->kind < CONDS && names_senders[c->kind])
			return true;
	}
	return false;
}

bool
rules_routed(const struct conf *conf, uint32_t row, const struct envelope *e)
{
	const char *domain = smtp_addr_domain(e->rcpt);

	if (e->expanded || rules_origin(conf, row, e) ||
	    (e->facts->flags & (FACT_LOCAL | FACT_SOCKET | FACT_SUBMIT)) != 0)
		return false;
	return strcspn(e->rcpt, "%!@") + 1 < (size_t)(domain - e->rcpt);
}
