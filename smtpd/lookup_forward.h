/*
 * Mail that is sent on: what is said as its sender, and what becomes of
 * notifications to that (SRS, lookup_srs.h).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_FORWARD_H
#define SMTPD_LOOKUP_FORWARD_H

#include "lookup_expand.h"

/*
 * What is said as the sender for this target of x, if the action that takes it
 * has `srs`; out is empty where the sender stays as it is.  False: a table is
 * awaited.
 */
bool forward_sender(struct question *q, const struct expansion *x,
    const struct target *t, char out[ADDR_MAX + 1]);

/* What an address is that came for the rules to judge. */
enum forward_back {
	BACK_NO,    /* nothing of ours: as the rules say */
	BACK_YES,   /* out is whom it was made for */
	BACK_NEVER, /* refused, as in o */
	BACK_LATER  /* likewise */
};

/*
 * Does a sender of ours come back as recipient addr of x?  row: of the rule
 * for it, which does not reject; CONF_NONE: there is none.
 */
enum forward_back forward_back(struct question *q, const struct expansion *x,
    const char *addr, uint32_t row, char out[ADDR_MAX + 1], struct outcome *o);

#endif
