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
 * conf.match; RULE_UNKNOWN: of the rule that could not be decided.  Rules that
 * ask for results of a message that is not read yet (FACT_VERIFY) are passed
 * over.
 */
enum rule_answer rules_match(struct question *q, const struct envelope *e,
    uint32_t *row);

/* Those that were passed over, in their order: each decides if its results come
 * out as it says, and none before it does. */
#define RULES_OPEN_MAX 64
struct rules_open {
	uint32_t n; /* may be over RULES_OPEN_MAX: some were not kept */
	uint32_t row[RULES_OPEN_MAX];
};

/* The same, and which were passed over. */
enum rule_answer rules_match_open(struct question *q, const struct envelope *e,
    uint32_t *row, struct rules_open *open);

/* Is a recipient refused who comes under this rule? */
bool rules_refuse(const struct conf *conf, uint32_t row,
    const struct envelope *e);

/*
 * What is done with the message (refused, junk, hold) as far as these rules
 * decide, by its results: a hash, the same for all recipients for whom it is
 * the same.  0: it is taken, whatever the results.  row: the one that is sure,
 * or CONF_NONE.
 */
uint64_t rules_effect(const struct conf *conf, const struct rules_open *open,
    uint32_t row, const struct envelope *e);

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
