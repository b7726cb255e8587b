/*
 * The match rules: who may send to whom, and what is done with it.  The same
 * answer serves when a recipient comes in and at each attempt to deliver.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_RULES_H
#define SMTPD_LOOKUP_RULES_H

#include "conf.h"
#include "facts.h"
#include "lookup_question.h"

/* What the conditions of a rule look at. */
struct envelope {
	const struct facts *facts;
	const char *sender; /* "" for the null sender */
	const char *rcpt;   /* as node_address() has it */
	/* The recipient came out of an alias here: whatever the facts say, it
	 * comes from this host. */
	bool expanded;
};

enum rule_answer {
	RULE_UNKNOWN, /* a table that matters cannot answer */
	RULE_NONE,    /* no rule is for this */
	RULE_FOUND,
	RULE_WAIT /* a table is awaited */
};

/*
 * The first rule for this envelope.  RULE_FOUND: *row is the row of
 * conf.match; RULE_UNKNOWN: of the rule that could not be decided.
 */
enum rule_answer rules_match(struct question *q, const struct envelope *e,
    uint32_t *row);

/* May what this rule takes be signed: is the rule, and the envelope, not a
 * stranger's? */
bool rules_origin(const struct conf *conf, uint32_t row,
    const struct envelope *e);

/*
 * Is it a stranger's recipient, with the way that it is to go written into it:
 * "user%host@", "host!user@", or "user@host" in quotes?  Who it is relayed to
 * might follow that, because it comes from us.
 */
bool rules_routed(const struct conf *conf, uint32_t row,
    const struct envelope *e);

/* Is it an address of this host? */
bool rules_own_addr(const struct conf *conf, const char *ip);

#endif
