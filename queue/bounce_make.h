/*
 * A notification as a message of ours, for bounce.c.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_BOUNCE_MAKE_H
#define QUEUE_BOUNCE_MAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "dsn.h"
#include "queue.h"

/* One notification while it is composed. */
struct notice {
	struct msg *msg;
	enum dsn_kind kind;
	struct rcpt_list rcpts;
	uint32_t n; /* of them */
};

/* The state of a recipient in `state` when the sender was told of it. */
char bounce_told_state(enum dsn_kind kind, char state);

/* Writes it and starts the commit; tx has its id.  False: it came to nothing
 * (errno), and what there was of it is gone. */
bool bounce_make(struct queue *qu, const struct notice *no, struct tx *tx);

#endif
