/*
 * The walk up the tree of the DNS from a domain (RFC 9989 4.10): which names
 * are asked, and what follows from the records that were found there.
 *
 *	dmarc_walk_begin(&w, domain)
 *	while (w.at != NULL)
 *		dmarc_walk_step(&w, what is at _dmarc.AT)
 *	dmarc_walk_organization(&w), dmarc_walk_policy(&w)
 *	dmarc_walk_free(&w)
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_DMARC_WALK_H
#define COMMON_DMARC_WALK_H

#include "dmarc.h"

#define DMARC_WALK_MAX 8 /* queries of one walk */

struct dmarc_walk {
	const char *start; /* the text stays until the end */
	const char *at;    /* to be asked, within start; NULL: it is over */
	unsigned int queries, n;
	/* n records, that of the longest name first. */
	struct {
		const char *name; /* within start */
		struct dmarc_record *record;
	} found[DMARC_WALK_MAX];
};

/* domain: "a.example", no dot at its end. */
void dmarc_walk_begin(struct dmarc_walk *w, const char *domain);

/* What there is at w->at: a copy is made; NULL: no record, or several. */
void dmarc_walk_step(struct dmarc_walk *w, const struct dmarc_record *record);

void dmarc_walk_free(struct dmarc_walk *w);

/* The Organizational Domain, within start, of a walk that is over. */
const char *dmarc_walk_organization(const struct dmarc_walk *w);

/* The record of the start itself; NULL: it has none. */
const struct dmarc_record *dmarc_walk_own(const struct dmarc_walk *w);

/* The record that applies to the start, and whose it is: its own, else that of
 * the Organizational Domain, else of the Public Suffix Domain (4.10.1).  NULL:
 * there is none. */
const struct dmarc_record *dmarc_walk_policy(const struct dmarc_walk *w,
    const char **name);

#endif
