/*
 * What is done with a message whose results are known: what DMARC asks for, as
 * `dmarc` and `arc trust` have it, then the rules of its recipients.  Runs in
 * lookup; what it cannot know is LATER, never a refusal.
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>

#include "auth_result.h"
#include "dmarc.h"
#include "log.h"
#include "lookup_answer.h"
#include "lookup_forward.h"
#include "lookup_node.h"
#include "lookup_rules.h"

static void
refuse(struct dispose_is *is, const char *why, const char *of)
{
	outcome_set(&is->outcome, NEVER, WIDTH_MESSAGE, 550, "5.7.1", "%s%s",
	    why, of);
	outcome_of_us(&is->outcome, CAUSE_POLICY, STAGE_LOOKUP);
}

static void
later(struct dispose_is *is)
{
	outcome_set(&is->outcome, LATER, WIDTH_MESSAGE, 451, "4.3.0",
	    "a table that is needed for this message cannot answer now");
	outcome_of_us(&is->outcome, CAUSE_CONFIG, STAGE_LOOKUP);
}

/* ---- DMARC ---- */

/* The domain, or one that it is below. */
static enum table_answer
has_author(struct question *q, const char *author)
{
	uint32_t table = q->all->conf->dmarc_except_from;
	enum table_answer a, all = TABLE_NO;
	const char *domain = author, *value;

	if (table == CONF_NONE || author[0] == '\0')
		return TABLE_NO;
	for (;;) {
		a = question_table(q, table, SERVICE_DOMAIN, domain, &value);
		if (a == TABLE_YES || a == TABLE_WAIT)
			return a;
		if (a == TABLE_UNKNOWN)
			all = a;
		if ((domain = strchr(domain, '.')) == NULL || *++domain == '\0')
			return all;
	}
}

static enum table_answer
has_client(struct question *q, const struct facts *f)
{
	uint32_t table = q->all->conf->dmarc_except_src;
	const char *value;

	if (table == CONF_NONE)
		return TABLE_NO;
	return question_table(q, table, SERVICE_NETADDR,
	    (f->flags & FACT_SOCKET) != 0 ? "local" : f->client, &value);
}

/* Each of those who sealed since the author was vouched for. */
static enum table_answer
has_sealers(struct question *q, const struct dispose_ask *ask)
{
	uint32_t i, table = q->all->conf->arc_trust;
	enum table_answer a, all = TABLE_YES;
	const char *at = ask->sealer, *end = at + sizeof(ask->sealer);
	const char *value;

	if (table == CONF_NONE || ask->n_sealer == 0 ||
	    auth_result_get(ask->facts.results, BY_ARC) != RES_PASS)
		return TABLE_NO;
	for (i = 0; i < ask->n_sealer; i++) {
		if (at >= end || memchr(at, 0, (size_t)(end - at)) == NULL)
			return TABLE_NO;
		a = *at == '\0' ?
		    TABLE_NO :
		    question_table(q, table, SERVICE_DOMAIN, at, &value);
		if (a == TABLE_NO || a == TABLE_WAIT)
			return a;
		if (a == TABLE_UNKNOWN)
			all = a;
		at += strlen(at) + 1;
	}
	return all;
}

/* *is: the first that holds; UNKNOWN only where none does.  WAIT: as
 * everywhere. */
static enum table_answer
find_exception(struct question *q, const struct dispose_ask *ask,
    enum policy_override *out)
{
	const struct {
		enum table_answer a;
		enum policy_override is;
	} all[] = {
		{ has_client(q, &ask->facts), OVERRIDE_EXCEPT },
		{ ask->no_author ? TABLE_NO : has_author(q, ask->author),
		    OVERRIDE_EXCEPT },
		{ ask->no_author ? TABLE_NO : has_sealers(q, ask),
		    OVERRIDE_ARC },
	};
	enum table_answer found = TABLE_NO;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i].a == TABLE_YES || all[i].a == TABLE_WAIT) {
			*out = all[i].is;
			return all[i].a;
		}
		if (all[i].a == TABLE_UNKNOWN)
			found = TABLE_UNKNOWN;
	}
	return found;
}

/* Less than the domain asks for (RFC 9990 3.1.1). */
static bool
is_less(enum conf_dmarc_act act, uint32_t asked)
{
	if (asked == DMARC_P_REJECT)
		return act != DMARC_ACT_REJECT;
	return asked == DMARC_P_QUARANTINE &&
	    (act == DMARC_ACT_NONE || act == DMARC_ACT_MARK);
}

static enum conf_dmarc_act
act_by_policy(const struct conf *c, uint32_t asked)
{
	if (asked == DMARC_P_REJECT)
		return (enum conf_dmarc_act)c->dmarc_reject;
	if (asked == DMARC_P_QUARANTINE)
		return (enum conf_dmarc_act)c->dmarc_quarantine;
	return DMARC_ACT_NONE;
}

/* What is done by its configuration; exceptions come later. */
static enum conf_dmarc_act
act_of(const struct conf *c, const struct dispose_ask *ask)
{
	return ask->no_author != 0 ? (enum conf_dmarc_act)c->dmarc_no_author :
				     act_by_policy(c, ask->disposition);
}

/* Whether it waits until it is known if it is to be refused. */
static bool
has_to_wait(const struct conf *c, const struct dispose_ask *ask)
{
	return c->dmarc_temperror == DMARC_TEMPERROR_LATER &&
	    ask->no_author == 0 &&
	    act_by_policy(c, ask->at_worst) == DMARC_ACT_REJECT;
}

static void
apply(const struct dispose_ask *ask, enum conf_dmarc_act act,
    struct dispose_is *is)
{
	static const uint32_t flags[] = {
		[DMARC_ACT_MARK] = DISPOSE_MARK,
		[DMARC_ACT_JUNK] = DISPOSE_JUNK,
		[DMARC_ACT_HOLD] = DISPOSE_HOLD,
		[DMARC_ACT_REJECT] = 0,
	};

	is->applied = act;
	is->flags |= flags[act];
	if (act != DMARC_ACT_REJECT)
		return;
	if (ask->no_author != 0)
		refuse(is, "refused: its From field does not name one author",
		    "");
	else
		refuse(is, "refused by the DMARC policy of ", ask->author);
}

/* RFC 7372 has no code for this: 4.7.24 is of SPF alone. */
static void
defer(const struct dispose_ask *ask, struct dispose_is *is)
{
	outcome_set(&is->outcome, LATER, WIDTH_MESSAGE, 451, "4.7.0",
	    "the DNS cannot say now whether this may come from %s, try later",
	    ask->author);
	outcome_of_us(&is->outcome, CAUSE_POLICY, STAGE_LOOKUP);
}

/* False: a table is awaited. */
static bool
judge_policy(struct question *q, const struct dispose_ask *ask,
    struct dispose_is *is)
{
	enum conf_dmarc_act act = act_of(q->all->conf, ask);
	enum policy_override override = OVERRIDE_NONE;
	bool wait = has_to_wait(q->all->conf, ask);

	/* Where nothing is done there is nothing to be spared. */
	if (act != DMARC_ACT_NONE || wait) {
		switch (find_exception(q, ask, &override)) {
		case TABLE_WAIT:
			return false;
		case TABLE_UNKNOWN:
			later(is);
			return true;
		case TABLE_YES:
			/* What nobody could ask for is not overridden. */
			is->override = wait ? OVERRIDE_NONE : override;
			return true;
		case TABLE_NO:
			break;
		}
	}
	if (wait) {
		defer(ask, is);
		return true;
	}
	if (ask->no_author == 0 && is_less(act, ask->disposition))
		is->override = OVERRIDE_LOCAL;
	apply(ask, act, is);
	return true;
}

/* ---- rules ---- */

static void
refuse_by_rules(const struct dispose_ask *ask, struct dispose_is *is)
{
	char results[AUTH_RESULTS_TEXT];

	auth_results_print(ask->facts.results, results);
	refuse(is,
	    results[0] == '\0' ? "message refused by the rules here" :
				 "message refused by the rules here: ",
	    results);
}

/* A recipient that no rule is for was taken all the same if it is a sender
 * that was rewritten here. */
static bool
came_back(struct question *q, const struct envelope *e)
{
	struct expansion x = { .facts = e->facts,
		.sender = e->sender,
		.rcpt = e->rcpt };
	char addr[ADDR_MAX + 1];
	struct outcome o;

	return forward_back(q, &x, e->rcpt, CONF_NONE, addr, &o) != BACK_NO;
}

/* False: a table is awaited. */
static bool
judge_rules(struct question *q, const struct dispose_ask *ask,
    struct dispose_is *is)
{
	const struct conf *c = q->all->conf;
	struct facts facts = ask->facts;
	char rcpt[ADDR_MAX + 1];
	struct envelope e = { .facts = &facts,
		.sender = ask->sender,
		.rcpt = rcpt };
	const struct conf_match *m;
	uint32_t row = CONF_NONE;

	/* What is not known now will not be. */
	facts.flags &= ~(uint32_t)FACT_VERIFY;
	if (node_address(slice_of(ask->rcpt), conf_mail_name(c), rcpt) != NULL)
		return true;
	switch (rules_match(q, &e, &row)) {
	case RULE_WAIT:
		return false;
	case RULE_UNKNOWN:
		later(is);
		return true;
	case RULE_NONE:
		if (!came_back(q, &e))
			refuse_by_rules(ask, is);
		return true;
	case RULE_FOUND:
		break;
	}
	m = CONF_MATCH(c, row);
	is->line = m->at.line;
	if (rules_refuse(c, row, &e)) {
		refuse_by_rules(ask, is);
		return true;
	}
	is->flags |=
	    (m->junk ? DISPOSE_JUNK : 0) | (m->hold ? DISPOSE_HOLD : 0);
	return true;
}

/* ---- the whole ---- */

static void
log_refused(const struct dispose_ask *ask, const struct dispose_is *is)
{
	log_debug("not accepted: line=%u verdict=%s author=%s rcpt=%s",
	    is->line, verdict_name(is->outcome.verdict), q(ask->author),
	    q(ask->rcpt));
}

bool
judge_dispose(struct question *q)
{
	const struct dispose_ask *ask = q->ask;
	struct dispose_is is;

	memset(&is, 0, sizeof(is));
	outcome_set(&is.outcome, DONE, WIDTH_MESSAGE, 250, "2.0.0",
	    "message ok");
	if (!judge_policy(q, ask, &is))
		return false;
	if (is.outcome.verdict == DONE && ask->rcpt[0] != '\0' &&
	    !judge_rules(q, ask, &is))
		return false;
	if (is.outcome.verdict != DONE)
		log_refused(ask, &is);
	dispose_is_send(q->from, q->id, &is, -1);
	return true;
}
