/*
 * Why something failed, for a person: a sentence for each cause and what came
 * of it, and who failed for the same reason.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_DSN_REASON_H
#define QUEUE_DSN_REASON_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "dsn.h"

/* What came of it. */
enum reason_kind {
	REASON_REFUSED, /* and that is the end */
	REASON_EXPIRED, /* tried until it was too old */
	REASON_DELAYED,
	REASON_RELAYED,
	REASON_DELIVERED,
	REASON_EXPANDED
};

/*
 * A row of the table.  In a sentence stand for other words:
 *
 *	{a}  the address, or how many there are ("3 addresses")
 *	{d}  its domain, or "their domains"
 *	{s}  the mail server that was asked; {S} with a capital letter
 *	{t}  how long it was tried
 */
struct dsn_reason {
	uint8_t cause; /* enum cause; CAUSES_N: any; over it: dsn_reason.c's */
	uint8_t kind;  /* enum reason_kind */
	/* Of the enhanced code; 0: any. */
	uint8_t subject, detail;
	const char *brief; /* behind a colon in Subject; NULL: nothing */
	const char *one;   /* of one recipient */
	const char *many;  /* of several; NULL: the same */
};

/* The row for a recipient; there always is one. */
const struct dsn_reason *dsn_reason_of(enum dsn_kind kind,
    const struct dsn_rcpt *r);

/* Recipients for which the same sentence and the same words hold. */
struct reason_group {
	const struct dsn_reason *reason;
	uint32_t first, n;
	bool same_domain;
	bool same_words; /* to the letter; else but for each one's address */
};

/*
 * Sorts the recipients of d into groups, of which there are at most n_rcpt:
 * group[i] is filled, of[r] is the group of recipient r.  Returns how many.
 */
uint32_t dsn_reason_groups(const struct dsn *d, struct reason_group *group,
    uint32_t *of);

/* Adds the sentence of a group, without a line end: as UTF-8, with '?' for
 * what is none and for what a terminal obeys.  False: out is full. */
bool dsn_reason_print(struct buf *out, const struct dsn *d,
    const struct reason_group *g);

/* Text from outside, in the same way. */
bool dsn_text(struct buf *out, const char *text);

#endif
