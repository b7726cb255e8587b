/*
 * Process: queue.  Runs as _smtpq, root directory the spool.
 * Holds: spool, journal and index; who waits for what, and since when.
 * Asked by: session (tx_data, tx_commit, tx_abort, grey_ask, report_note),
 * control (ctl_ask, limits_ask).
 * Asks: lookup (route_ask, expand_ask), deliver (group_ask), spawn
 * (local_take, report_send).
 * Never: opens a network socket, reads content but a header to be returned.
 *
 * This file: start, stop, peers, and the one place where the index is
 * committed.
 *
 * SPDX-License-Identifier: ISC
 */
#include "queue.h"

#include <bsd/stdlib.h>

#include "bounce_rate.h"
#include "grey_store.h"
#include "log.h"
#include "tx.h"

#define COMMIT_MSEC 10   /* results that come together are committed together */
#define STOP_MSEC   2500 /* for what is made durable to be told */
#define STOP_LOOK   20   /* looked at so often */

/* ---- the index ---- */

/* It cannot be trusted, so the next start makes it again. */
static void
index_bad(struct queue *qu)
{
	if (qu->spoil)
		return;
	log_warn("index", "damaged; it is made again");
	queue_stop(qu, true);
}

bool
queue_index_ok(struct queue *qu, enum index_error e)
{
	switch (e) {
	case INDEX_OK:
		return true;
	case INDEX_NONE:
		return false;
	case INDEX_BAD:
		index_bad(qu);
		return false;
	case INDEX_FULL:
		break;
	}
	/* What was put since the last commit is undone; files and memory have
	 * it, and a walk over the files puts it back. */
	index_abort(qu->index);
	if (!qu->behind)
		log_warn("index", "full; new mail waits outside");
	qu->behind = true;
	restore_walk(qu);
	return false;
}

void
queue_commit(struct queue *qu)
{
	timer_clear(&qu->commit);
	msg_store(qu);
	queue_index_ok(qu, index_commit(qu->index));
}

static void
on_commit(void *arg)
{
	struct queue *qu = arg;

	queue_commit(qu);
	tx_answer(qu);
}

void
queue_changed(struct queue *qu)
{
	if (!qu->commit.set)
		timer_set(qu->p.loop, &qu->commit, COMMIT_MSEC, on_commit, qu);
}

/* ---- work ---- */

static void
on_run(void *arg)
{
	struct queue *qu = arg;

	schedule_asks(qu);
	job_run(qu);
}

void
queue_run_soon(struct queue *qu)
{
	if (!qu->run.set)
		timer_set(qu->p.loop, &qu->run, 0, on_run, qu);
}

/* ---- stop ---- */

static void
finish(struct queue *qu)
{
	timer_clear(&qu->stop);
	timer_clear(&qu->commit);
	timer_clear(&qu->told_timer);
	/* Tells what is still being made durable, so the index comes last. */
	spool_close(&qu->spool);
	msg_store(qu);
	if (qu->spoil && !index_fact_put(qu->index, "rebuild", "1"))
		log_warn("index", "it could not be marked to be made again");
	grey_close(&qu->grey);
	report_stop(qu);
	remember_stop(qu);
	index_close(&qu->index);
	loop_stop(qu->p.loop);
}

static void
on_stop(void *arg)
{
	struct queue *qu = arg;

	/* Jobs outlive us: deliver and spawn name them to the queue that comes;
	 * but who has not had all content yet would have to begin again.  When
	 * all stop, what is not heard now is never heard. */
	if (loop_msec() < qu->stop_at &&
	    (qu->n_flushing > 0 ||
		(qu->p.stopping ? qu->locals.n : qu->locals.n_fed) > 0)) {
		timer_set(qu->p.loop, &qu->stop, STOP_LOOK, on_stop, qu);
		return;
	}
	finish(qu);
}

void
queue_stop(struct queue *qu, bool spoil)
{
	qu->spoil = qu->spoil || spoil;
	if (qu->stopping)
		return;
	qu->stopping = true;
	qu->stop_at = loop_msec() + STOP_MSEC;
	timer_clear(&qu->due_timer);
	timer_clear(&qu->walk);
	timer_set(qu->p.loop, &qu->stop, 0, on_stop, qu);
}

static void
stop(void *self)
{
	queue_stop(self, false);
}

/* ---- peers ---- */

static void
peer_up(void *self, struct ipc_chan *c)
{
	if (c->peer == PROC_DELIVER)
		job_peer_up(self, c);
	if (c->peer == PROC_SPAWN)
		local_peer_up(self, c);
}

static void
peer_down(void *self, struct ipc_chan *c)
{
	if (c->peer == PROC_DELIVER)
		job_peer_down(self, c);
	if (c->peer == PROC_SPAWN)
		local_peer_down(self, c);
	if (c->peer == PROC_SESSION)
		tx_peer_down(self, c);
	if (c->peer == PROC_CONTROL)
		ctl_peer_down(self, c);
}

/* ---- start ---- */

/* Opens the index; true if it is empty and to be filled from the files. */
static bool
open_index(struct queue *qu, const char *dir)
{
	const char *why = NULL;
	char value[8];
	bool empty;

	qu->index = index_open(dir, qu->p.start.token, false, &empty, &why);
	if (qu->index != NULL &&
	    index_fact_get(qu->index, "rebuild", value, sizeof value)) {
		index_close(&qu->index);
		qu->index =
		    index_open(dir, qu->p.start.token, true, &empty, &why);
		if (qu->index != NULL)
			index_fact_put(qu->index, "rebuild", NULL);
	}
	if (qu->index == NULL)
		proc_fail(&qu->p, "queue: the index in the spool: %s", why);
	if (index_fact_get(qu->index, "pause", value, sizeof value))
		qu->paused = true;
	return empty;
}

/* Only where a listener asks.  Without it mail passes. */
static void
open_grey(struct queue *qu)
{
	const struct conf *c = qu->p.conf;
	const char *why = NULL;
	bool wanted = false;
	uint32_t i;

	for (i = 0; i < c->listen.n; i++)
		wanted = wanted || CONF_LISTEN(c, i)->greylist != 0;
	if (!wanted)
		return;
	qu->grey = grey_open(qu->p.loop, qu->index, &why);
	if (qu->grey == NULL)
		log_warn("facts", "no greylisting: error=%s", q(why));
}

static void
start(void *self, struct proc *p)
{
	struct queue *qu = self;
	const char *dir = p->start.jailed != 0 ? "." : p->start.spool;
	const char *why = NULL;
	struct spool_hooks hooks;
	bool empty;

	ways_init(&qu->ways, p->conf, arc4random);
	schedule_start(qu);
	restore_hooks(qu, &hooks);
	qu->spool = spool_open(p->loop, dir, &hooks, &why);
	if (qu->spool == NULL)
		proc_fail(p, "queue: the spool: %s", why);
	empty = open_index(qu, dir);
	open_grey(qu);
	report_start(qu);
	remember_start(qu, dir);
	qu->replaying = true;
	if (!spool_replay(qu->spool))
		proc_fail(p, "queue: the journal cannot be replayed");
	qu->forgot = empty && spool_last_id(qu->spool) != 0;
	restore_replayed(qu);
	queue_commit(qu);
	tx_start(qu);
	job_start(qu);
	bounce_rate_start(qu);
	if (empty)
		restore_walk(qu);
}

/* clang-format off */
static ipc_handler *const handlers[IPC_TYPES] = {
	[IPC_TX_OPEN] = tx_on_open,
	[IPC_TX_RCPT] = tx_on_rcpt,
	[IPC_TX_DATA] = tx_on_data,
	[IPC_TX_COMMIT] = tx_on_commit,
	[IPC_TX_ABORT] = tx_on_abort,
	[IPC_TX_KEEP] = tx_on_keep,
	[IPC_TX_LISTED] = tx_on_listed,
	[IPC_JOB_WANT] = job_on_want,
	[IPC_JOB_SIGNED] = job_on_signed,
	[IPC_JOB_RESULT] = job_on_result,
	[IPC_JOB_END] = job_on_end,
	[IPC_JOB_HELD] = job_on_held,
	[IPC_JOB_LISTED] = job_on_listed,
	[IPC_LOCAL_HELD] = local_on_held,
	[IPC_LOCAL_LISTED] = local_on_listed,
	[IPC_GREY_ASK] = grey_on_ask,
	[IPC_REPORT_NOTE] = report_on_note,
	[IPC_REPORT_SAYS] = report_on_says,
	[IPC_CTL_ASK] = ctl_on_ask,
	[IPC_LIMITS_ASK] = limits_on_ask,
};
/* clang-format on */

static const struct proc_hooks hooks = {
	.kind = PROC_QUEUE,
	.handlers = handlers,
	.start = start,
	.peer_up = peer_up,
	.peer_down = peer_down,
	.stop = stop,
};

int
main(void)
{
	static struct queue self;
	int i;

	TAILQ_INIT(&self.dirty);
	TAILQ_INIT(&self.answers);
	TAILQ_INIT(&self.ctls);
	STAILQ_INIT(&self.unsaved);
	for (i = 0; i <= PROC_MAX; i++)
		TAILQ_INIT(&self.tx_of[i]);
	return proc_main(&self.p, &hooks, &self);
}
