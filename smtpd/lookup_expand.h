/*
 * What a recipient stands for: the rule for it, the aliases, virtual users
 * and users that its action names, and the rules again for each address that
 * comes out, until nothing but addresses to relay to is left.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_EXPAND_H
#define SMTPD_LOOKUP_EXPAND_H

#include "conf.h"
#include "facts.h"
#include "lookup_question.h"
#include "lookup_rules.h"
#include "verdict.h"

#define EXPAND_DEPTH 50               /* from a name to what it stands for */
#define EXPAND_NODES (4 * EXPAND_MAX) /* names and addresses on the way */

struct target {
	STAILQ_ENTRY(target) entry;
	const char *addr; /* as node_address() has it */
	uint32_t match;   /* row of conf.match that takes it */
	bool expanded;    /* false: the recipient itself */
};

STAILQ_HEAD(targets, target);

struct expansion {
	/* What was asked. */
	const struct facts *facts;
	const char *sender, *rcpt;
	/* The address that rcpt came out of, in a message before this one;
	 * NULL or empty: nobody knows of one. */
	const char *of;
	/* It was accepted once: who may be at fault is the configuration, not
	 * the mail; and the words are for the operator. */
	bool accepted;

	/* The answer; texts are of the question's work, until the pass ends. */
	struct outcome outcome; /* DONE: there are targets; else why not */
	uint32_t match;         /* of the recipient itself, or CONF_NONE */
	struct targets targets; /* no two are the same */
	uint32_t n;
	uint64_t sum; /* XXH3-64 of them in their order */
};

/*
 * Expands; the upper part of x is filled in.  False: a table is awaited, and
 * the lower part is without meaning.
 */
bool expand(struct question *q, struct expansion *x);

#endif
