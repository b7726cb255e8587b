/*
 * Mail that is sent on.  Runs in lookup; opens nothing to anybody: an address
 * is turned back only if its hash is ours, and only for notifications.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_forward.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "log.h"
#include "lookup_node.h"
#include "lookup_srs.h"
#include "smtp_addr.h"

static bool
relays(const struct conf *c, uint32_t row)
{
	const struct conf_match *m = CONF_MATCH(c, row);

	return m->action != CONF_NONE &&
	    CONF_ACTION(c, m->action)->method == METHOD_RELAY;
}

/* ---- the sender ---- */

/*
 * Is it somebody here: would a notification to the sender be delivered by an
 * action that does not relay?  Then what is said of his domain is said of us.
 * A table that cannot answer makes a stranger of him, who hears of what becomes
 * of his mail all the same.  False: a table is awaited.
 */
static bool
find_home(struct question *q, const struct expansion *x, const char *sender,
    bool *home)
{
	struct facts facts = *x->facts;
	struct envelope e = { .facts = &facts,
		.sender = "",
		.rcpt = sender,
		.expanded = true };
	const struct conf *c = q->all->conf;
	bool traced = q->traced;
	enum rule_answer a;
	uint32_t row;

	*home = false;
	/* What was found of the mail is nothing about the notification. */
	facts.results = 0;
	facts.flags &= ~(uint32_t)FACT_VERIFY;
	/* Its steps are not those of the recipient. */
	q->traced = false;
	a = rules_match(q, &e, &row);
	q->traced = traced;
	if (a == RULE_FOUND)
		*home = !CONF_MATCH(c, row)->reject && !relays(c, row);
	return a != RULE_WAIT;
}

/*
 * The domain that the mail was sent to: its MX are we.  Of what came out of an
 * alias in a message before this one, that of the alias.  Where the world
 * knows no such domain, or nobody knows it any more, our name does.
 */
static void
find_domain(const struct conf *c, const struct expansion *x,
    char out[DOMAIN_MAX + 1])
{
	const char *name = conf_text(c, c->hostname), *rcpt = x->rcpt;
	char addr[ADDR_MAX + 1];
	const char *domain;

	if ((x->facts->flags & FACT_EXPANDED) != 0)
		rcpt = x->of == NULL ? "" : x->of;
	if (node_address(slice_of(rcpt), name, addr) == NULL) {
		domain = smtp_addr_domain(addr);
		if (domain[0] != '[' && strcasecmp(domain, "localhost") != 0)
			name = domain;
	}
	(void)slice_copy(slice_of(name), out, DOMAIN_MAX + 1);
}

static void
log_not(const char *why, const char *domain, const char *sender)
{
	log_warn("srs-not", "error=%s domain=%s sender=%s", q(why), q(domain),
	    q(sender));
}

bool
forward_sender(struct question *q, const struct expansion *x,
    const struct target *t, char out[ADDR_MAX + 1])
{
	const struct conf *c = q->all->conf;
	const struct conf_action *a =
	    CONF_ACTION(c, CONF_MATCH(c, t->match)->action);
	bool forwarded = t->expanded || (x->facts->flags & FACT_EXPANDED) != 0;
	struct srs srs = srs_of(c, time(NULL));
	char sender[ADDR_MAX + 1], domain[DOMAIN_MAX + 1];
	const char *why;
	bool home;

	out[0] = '\0';
	if (!a->srs || srs.key == NULL || !forwarded ||
	    node_address(slice_of(x->sender), "", sender) != NULL)
		return true;
	if (!find_home(q, x, sender, &home))
		return false;
	if (home) {
		question_note(q, "srs", &a->at, "<%s> is of this host", sender);
		return true;
	}
	find_domain(c, x, domain);
	if ((why = srs_encode(&srs, sender, domain, out)) != NULL) {
		question_note(q, "srs", &a->at, "<%s> stays as it is: %s",
		    sender, why);
		log_not(why, domain, sender);
		return true;
	}
	question_note(q, "srs", &a->at, "the sender is said to be <%s>", out);
	return true;
}

/* ---- back ---- */

static enum forward_back
refuse(struct outcome *o, enum verdict v, const char *ecode, enum cause cause,
    const char *text)
{
	outcome_set(o, v, WIDTH_RCPT, v == LATER ? 451 : 550, ecode, "%s",
	    text);
	outcome_of_us(o, cause, STAGE_LOOKUP);
	return v == LATER ? BACK_LATER : BACK_NEVER;
}

enum forward_back
forward_back(struct question *q, const struct expansion *x, const char *addr,
    uint32_t row, char out[ADDR_MAX + 1], struct outcome *o)
{
	const struct conf *c = q->all->conf;
	struct srs srs = srs_of(c, time(NULL));
	enum srs_answer a = srs_decode(&srs, addr, out);
	bool notice = x->sender[0] == '\0';

	/* It was good when it was accepted. */
	if (a == SRS_OLD && x->accepted)
		a = SRS_GOOD;
	if (a == SRS_NONE ||
	    ((a == SRS_BAD || !notice) && (row == CONF_NONE || relays(c, row))))
		return BACK_NO;
	if (a == SRS_DOUBT)
		return refuse(o, LATER, "4.3.0", CAUSE_SYSTEM,
		    "cannot check now whom this address was made for");
	/* Who has seen one could send anything to who it was made for, and it
	 * would come from us.  Good or bad: nobody finds out by asking. */
	if (!notice)
		return refuse(o, NEVER, "5.7.1", CAUSE_POLICY,
		    "this address is for notifications alone, from the null sender");
	if (a == SRS_BAD && x->accepted)
		return refuse(o, LATER, "4.3.5", CAUSE_CONFIG,
		    "the secret that this address was made with is gone");
	if (a == SRS_BAD)
		return refuse(o, NEVER, "5.1.1", CAUSE_MAILBOX,
		    "no such address: its hash is not of this host");
	if (a == SRS_OLD)
		return refuse(o, NEVER, "5.4.7", CAUSE_MAILBOX,
		    "the time for notifications to this address is over");
	question_note(q, "srs", NULL, "%s was made for <%s>", addr, out);
	return BACK_YES;
}
