/*
 * What is asked of a table as a whole and not by a key: its entries by their
 * numbers, and expressions that are all tried.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_TURN_H
#define SMTPD_LOOKUP_TURN_H

#include <regex.h>

#include "lookup_store.h"

#define TURN_MAX 4096 /* entries, or expressions, of such a table */

/* Zeros: nothing is known of the store yet. */
struct turn {
	/* Keys, and what stands behind them, in the store's memory. */
	struct slice *entry, *value;
	size_t n_entries;
	bool collected;
	regex_t *regex;
	size_t n_regex;
	bool compiled;
	const char *broken; /* why not all expressions can be tried */
};

/* The store is another, or goes. */
void turn_reset(struct turn *t);

/* Entry i, in the order of the table, is added to value (which may be NULL):
 * its key, and behind a colon its value, since "relay.example:26" is cut there
 * as a line of a file.  TABLE_NO: there are fewer.  *why: set where the table
 * cannot be used. */
enum table_answer turn_entry(struct turn *t, const struct store *s, size_t i,
    struct buf *value, const char **why);

/* NULL, or why text is no expression. */
const char *turn_regex_check(struct slice text);

/* Does an expression match text?  Case never matters.  *why: set if one of
 * them is bad, which makes TABLE_UNKNOWN of no. */
enum table_answer turn_regex(struct turn *t, const struct store *s,
    const char *text, const char **why);

#endif
