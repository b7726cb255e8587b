/*
 * The index from the files: what the journal told at the start, and a walk
 * over all files where the index was not to be trusted or lost rows.  Runs in
 * the queue process, beside everything else; never writes to a file.
 *
 * SPDX-License-Identifier: ISC
 */
#include "queue.h"

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include <stdlib.h>
#include <string.h>

#include "index_row.h"
#include "log.h"
#include "tx.h"

#define COMMIT_EVERY 1000  /* files */
#define PACE         100   /* messages that become due in a second */
#define SPREAD       600   /* seconds; more than fit are spread at random */
#define FULL_MSEC    30000 /* the index is full: looked at again then */

uint32_t
restore_open(const struct head *h)
{
	uint32_t n, n_open = 0;

	for (n = 0; n < h->n_rcpt; n++)
		n_open += !rcpt_state_end(h->rcpt[n].state);
	return n_open;
}

/* When one is tried of which no next try is known. */
static int64_t
next_try(struct queue *qu, char state, bool now)
{
	uint64_t wait = now ? 0 : qu->n_restored / PACE;

	if (rcpt_state_owed(state))
		return now_sec();
	if (!rcpt_state_open(state))
		return NEVER_DUE;
	if (wait > SPREAD)
		wait = arc4random_uniform(SPREAD);
	return now_sec() + (int64_t)wait;
}

static void
restore_rcpt(struct queue *qu, const struct head *h, uint32_t n, bool now)
{
	const struct head_rcpt *hr = &h->rcpt[n];
	struct index_rcpt row;

	if (rcpt_find(qu, h->id, n) != NULL)
		return; /* memory knows better */
	if (index_get_rcpt(qu->index, h->id, n, &row) == INDEX_OK) {
		if (row.state == hr->state && row.off == hr->off)
			return;
	} else {
		memset(&row, 0, sizeof row);
		row.id = h->id;
		row.n = n;
		strlcpy(row.addr, hr->addr, sizeof row.addr);
		row_set_params(&row, hr);
	}
	row.off = hr->off;
	row.state = hr->state;
	row.parked = 0;
	row.next = next_try(qu, hr->state, now);
	schedule_put(qu, &row);
}

static void
restore_msg(struct queue *qu, const struct spool_found *f, uint32_t n_open)
{
	struct index_msg im;

	if (index_get_msg(qu->index, f->head.id, &im) == INDEX_OK) {
		if (im.n_open == n_open)
			return;
	} else {
		memset(&im, 0, sizeof im);
		im.id = f->head.id;
		im.arrived = f->head.arrived;
		im.head = f->head.len;
		im.content = f->trailer.content;
		im.trace = f->trailer.trace;
		im.sum = f->trailer.sum;
		im.content_facts = f->trailer.content_facts;
		im.n_rcpt = f->head.n_rcpt;
		im.facts = f->head.facts;
		im.params = f->head.params;
		strlcpy(im.sender, f->head.sender, sizeof im.sender);
		if (f->head.of.addr != NULL)
			strlcpy(im.of, f->head.of.addr, sizeof im.of);
	}
	im.n_open = n_open;
	im.place = (uint8_t)f->place;
	queue_index_ok(qu, index_put_msg(qu->index, &im));
	queue_changed(qu);
}

void
restore_file(struct queue *qu, const struct spool_found *f, bool now)
{
	uint32_t n;

	restore_msg(qu, f, restore_open(&f->head));
	for (n = 0; n < f->head.n_rcpt; n++)
		restore_rcpt(qu, &f->head, n, now);
	qu->n_restored++;
}

/* ---- hooks ---- */

/* So many changes are not kept in one transaction. */
static void
count(struct queue *qu)
{
	if (++qu->n_changes < COMMIT_EVERY)
		return;
	qu->n_changes = 0;
	queue_commit(qu);
}

static void
forget(struct queue *qu, uint64_t id)
{
	struct index_msg im;

	if (index_get_msg(qu->index, id, &im) != INDEX_OK)
		return;
	queue_index_ok(qu, index_del_msg(qu->index, id));
	queue_changed(qu);
	count(qu);
}

/* The journal takes no records while it is replayed. */
static void
done_later(struct queue *qu, uint64_t id)
{
	if (qu->n_done == qu->done_room) {
		qu->done_room = qu->done_room == 0 ? 64 : 2 * qu->done_room;
		qu->done = xrealloc(qu->done, qu->done_room, sizeof *qu->done);
	}
	qu->done[qu->n_done++] = id;
}

void
restore_replayed(struct queue *qu)
{
	uint32_t i;

	qu->replaying = false;
	for (i = 0; i < qu->n_done; i++)
		spool_gone(qu->spool, qu->done[i], SPOOL_NEW);
	free(qu->done);
	qu->done = NULL;
	qu->n_done = qu->done_room = 0;
}

static void
on_found(void *arg, const struct spool_found *f)
{
	struct queue *qu = arg;
	const struct msg *m = msg_find(qu, f->head.id);

	if ((m != NULL && m->gone) || tx_has_id(qu, f->head.id))
		return; /* on its way out, or in */
	if (restore_open(&f->head) == 0) {
		forget(qu, f->head.id);
		if (qu->replaying)
			done_later(qu, f->head.id);
		else
			spool_gone(qu->spool, f->head.id, f->place);
		return;
	}
	/* What was never tried is not put off for a rebuild. */
	restore_file(qu, f, qu->replaying || f->place == SPOOL_NEW);
	count(qu);
}

static void
on_gone(void *arg, uint64_t id)
{
	forget(arg, id);
}

static void
on_corrupt(void *arg, uint64_t id, const char *why)
{
	(void)why;
	forget(arg, id);
}

static void
on_batch(void *arg)
{
	struct queue *qu = arg;

	queue_commit(qu);
	tx_answer(qu);
}

void
restore_hooks(struct queue *qu, struct spool_hooks *hooks)
{
	hooks->found = on_found;
	hooks->gone = on_gone;
	hooks->corrupt = on_corrupt;
	hooks->batch = on_batch;
	hooks->arg = qu;
}

/* ---- the walk ---- */

static void
walk_step(void *arg)
{
	struct queue *qu = arg;

	if (qu->stopping)
		return;
	if (!qu->walking) {
		qu->walking = true;
		qu->behind = false; /* until it is full again */
		qu->n_restored = 0;
		log_event(0, "rebuild", "begun");
	}
	if (spool_walk(qu->spool, SLICE)) {
		timer_set(qu->p.loop, &qu->walk, 0, walk_step, qu);
		return;
	}
	queue_commit(qu);
	qu->walking = false;
	log_event(0, "rebuild", "%s files=%llu",
	    qu->behind ? "incomplete" : "done",
	    (unsigned long long)qu->n_restored);
	if (!qu->behind)
		index_filled(qu->index);
	else
		timer_set(qu->p.loop, &qu->walk, FULL_MSEC, walk_step, qu);
}

void
restore_walk(struct queue *qu)
{
	if (!qu->walking && !qu->walk.set && !qu->stopping)
		timer_set(qu->p.loop, &qu->walk, qu->behind ? FULL_MSEC : 0,
		    walk_step, qu);
}
