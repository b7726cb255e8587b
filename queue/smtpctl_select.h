/*
 * Selectors: which recipients a command of smtpctl(8) is about.  One language
 * for all verbs; a listing may add filters to it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_SMTPCTL_SELECT_H
#define QUEUE_SMTPCTL_SELECT_H

#include <stdbool.h>
#include <stdint.h>

#include "index.h"
#include "ipc_table.h"

enum selector_part { HAS_ID, HAS_RCPT, HAS_SENDER, SELECTOR_PARTS };

/* A recipient must fit everything that is set. */
struct selector {
	bool all;    /* `all` was written */
	bool has_id; /* id, and n unless it is CONF_NONE */
	uint64_t id;
	uint32_t n;
	const char *domain; /* of the recipient; NULL: any, as below */
	const char *sender; /* "" is the null sender */
	const char *rcpt;
	const char *route;
	const char *state; /* name of a state */
	/* A part of it, by enum selector_part; "!" in front: what has it not. */
	const char *has[SELECTOR_PARTS];
};

/*
 * Reads the arguments of a verb: words (all, ID, ID:n, route, domain,
 * @domain, address) and options (--domain, --from, --to, --route, --state,
 * each with a value behind it).  Texts point into argv.  NULL, or why not.
 */
const char *selector_parse(int argc, char **argv, struct selector *s);

/* What the daemon is asked: exactly one thing must be named.  NULL, or why
 * it cannot be said in one question. */
const char *selector_ask(const struct selector *s, struct ctl_ask *ask);

/* True if a part of something was named: who is meant only a listing knows. */
bool selector_has(const struct selector *s);

/* True if nothing was said at all. */
bool selector_empty(const struct selector *s);

/* True if something was named that may not be there: an id, an address, a
 * domain, a route, a state. */
bool selector_names(const struct selector *s);

/*
 * Whether a recipient is meant.  Without a state, recipients that are at
 * their end are not, unless their id was given with a number.
 */
bool selector_match(const struct selector *s, const struct index_msg *m,
    const struct index_rcpt *r);

/* "waiting", "held", ...; "?" for a byte that is no state. */
const char *state_name(int state);

#endif
