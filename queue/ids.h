/*
 * Ids that are given out (id.h).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_IDS_H
#define QUEUE_IDS_H

#include "queue.h"

/* Above all that spool and index know. */
void ids_start(struct queue *qu);
/* For a message with so many recipients, and all that is derived from it. */
uint64_t ids_next(struct queue *qu, uint32_t n_rcpt);
/* For the child of a part of a list, whose own child is tx: durable if that is.
 */
uint64_t ids_fresh(struct tx *tx);

#endif
