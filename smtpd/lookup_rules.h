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
#include "ipc_table.h"
#include "lookup_table.h"

struct rules {
	const struct conf *conf;
	struct table *tables; /* by row of conf.table */
};

enum rule_answer {
	RULE_UNKNOWN, /* a table that matters cannot answer */
	RULE_NONE,    /* no rule is for this */
	RULE_FOUND
};

/*
 * The first rule for a recipient at domain from where facts say.  RULE_FOUND:
 * *row is the row of conf.match; RULE_UNKNOWN: of the rule that could not be
 * decided.
 */
enum rule_answer rules_match(const struct rules *r, const struct facts *facts,
    const char *domain, uint32_t *row);

/* May this recipient come in?  Fills all of is. */
void rules_rcpt(const struct rules *r, const struct rcpt_ask *ask,
    struct rcpt_is *is);

/* Where does this recipient go now?  Fills all of is. */
void rules_route(const struct rules *r, const struct route_ask *ask,
    struct route_is *is);

#endif
