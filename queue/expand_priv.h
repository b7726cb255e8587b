/*
 * Expansions from the inside: expand.c asks whom a recipient stands for, and
 * expand_child.c makes the message to them.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_EXPAND_PRIV_H
#define QUEUE_EXPAND_PRIV_H

#include "queue.h"

/* One recipient's, until its child is given to the spool. */
struct expansion {
	TAILQ_ENTRY(expansion) entry; /* in line, while it waits */
	struct queue *queue;
	struct rcpt *rcpt;
	struct tx *tx;    /* NULL: it waits */
	bool large;       /* longer than a page, as far as is known */
	uint32_t changed; /* so often the list was another one */
	uint64_t sum;
	uint32_t total;
	uint32_t turn; /* which lookup: that one has the rest of the list */
	struct ipc_req ask;
	struct timer soon;
	int from; /* the parent's file, -1: not open */
	uint64_t at, end;
};

/* expand_child.c */

/* Takes a page of recipients into the child, which is e->tx.  NULL, or why
 * these are none. */
const char *expand_add(struct expansion *e, const struct expand_is *is);
/* All of them are there: the child is written, made durable, and its tx told.
 * e may be gone afterwards. */
void expand_build(struct expansion *e);
/* The state of r, whose child has so many recipients and this sender. */
char expand_state(const struct rcpt *r, uint32_t n_rcpt, const char *sender);

/* expand.c */

/* It comes to nothing now, and is tried again by its steps.  e is freed. */
void expand_later(struct expansion *e, const char *ecode, const char *why);
/* It has no tx, or that is somebody else's now. */
void expand_free(struct expansion *e);

#endif
