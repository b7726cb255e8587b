/*
 * Ids that are given out, and never again: of now, above all that were.  Runs
 * in the queue process.
 *
 * SPDX-License-Identifier: ISC
 */
#include "ids.h"

#include "id.h"
#include "tx.h"

void
ids_start(struct queue *qu)
{
	uint64_t spool = spool_last_id(qu->spool);
	uint64_t index = index_last_id(qu->index);

	qu->last_id = spool > index ? spool : index;
	/* Of the last one it is not known how many it had kept. */
	if (qu->last_id != 0)
		qu->last_id = id_last(qu->last_id, RCPT_MAX);
	qu->first_id = ids_next(qu, 0);
}

uint64_t
ids_next(struct queue *qu, uint32_t n_rcpt)
{
	uint64_t id = id_now() & ~(ID_STEP - 1);

	if (id <= qu->last_id)
		id = (qu->last_id & ~(ID_STEP - 1)) + ID_STEP;
	qu->last_id = id_last(id, n_rcpt);
	return id;
}

uint64_t
ids_fresh(struct tx *tx)
{
	uint64_t id = ids_next(tx->queue, 0), low = tx->head.id % ID_STEP;

	tx->fresh_last = id_last(id, 0);
	/* The child of a notification, whose kind they tell, keeps its lower
	 * bits. */
	return low == 0 ? id : id + ID_STEP + low;
}
