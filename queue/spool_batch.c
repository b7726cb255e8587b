/*
 * The spool's batches, on the side of the loop: what must be durable is
 * collected here, given to the flush thread, and told when it is back.  Used
 * by queue.  Never waits but in spool_drain().
 *
 * SPDX-License-Identifier: ISC
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "spool_priv.h"

#define OPS_MANY    8192 /* so many states do not wait */
#define CLOSE_TRIES 8    /* batches that closing may bring */

/* ---- batches ---- */

struct flush_batch *
spool_batch(struct spool *s)
{
	struct flush_batch *b;
	size_t i;

	for (i = 0; i < SPOOL_BATCHES; i++) {
		if ((b = s->spare[i]) != NULL) {
			s->spare[i] = NULL;
			return b;
		}
	}
	return xcalloc(1, sizeof *b);
}

static void
batch_put(struct spool *s, struct flush_batch *b)
{
	struct flush_batch keep = { .ops = b->ops,
		.ops_room = b->ops_room,
		.gone = b->gone,
		.gone_room = b->gone_room };
	size_t i;

	for (i = 0; i < b->n_ops; i++)
		free(b->ops[i].settles);
	*b = keep;
	for (i = 0; i < SPOOL_BATCHES; i++) {
		if (s->spare[i] == NULL) {
			s->spare[i] = b;
			return;
		}
	}
	flush_batch_free(&b);
}

static struct flush_op *
op_add(struct spool *s)
{
	struct flush_batch *b = s->collect;
	struct flush_op *op;

	if (b->n_ops == b->ops_room) {
		b->ops_room = b->ops_room == 0 ? 64 : 2 * b->ops_room;
		b->ops = xrealloc(b->ops, b->ops_room, sizeof *b->ops);
	}
	op = &b->ops[b->n_ops++];
	*op = (struct flush_op){ .fd = -1 };
	return op;
}

static void
give(struct spool *s)
{
	if (s->given != NULL)
		return; /* it goes when that one is back */
	timer_clear(&s->kick);
	timer_clear(&s->later);
	s->urgent = false;
	s->given = s->collect;
	s->given->last_id = s->last_id;
	s->collect = spool_batch(s);
	flush_give(&s->flush, s->given);
}

static void
on_timer(void *arg)
{
	struct spool *s = arg;

	s->urgent = true;
	give(s);
}

/* At the end of this turn of the loop, so that all that came in one turn goes
 * in one flush. */
static void
flush_soon(struct spool *s)
{
	s->urgent = true;
	if (s->given == NULL && !s->kick.set)
		timer_set(s->loop, &s->kick, 0, on_timer, s);
}

static void
flush_later(struct spool *s)
{
	if (s->collect->n_ops >= OPS_MANY)
		flush_soon(s);
	else if (!s->later.set)
		timer_set(s->loop, &s->later, s->states_wait, on_timer, s);
}

/* ---- a batch that is back ---- */

bool
spool_settle_follows(int have, int said)
{
	if (rcpt_state_end(have))
		return false;
	return !rcpt_state_owed(have) || rcpt_state_end(said);
}

/* What `said` makes of a recipient that is at `have`: who was held, or freed,
 * while the notification of the delay was made durable stays so. */
static char
settled(int have, char said)
{
	if (said == RCPT_WARNED && have == RCPT_HELD)
		return RCPT_HELD_WARNED;
	if (said == RCPT_HELD_WARNED && have == RCPT_WAITING)
		return RCPT_WARNED;
	return said;
}

/* The states that came with a notification, into the files they are of. */
static void
settle(struct spool *s, const struct flush_op *op)
{
	const struct spool_settle *set;
	enum spool_place place;
	uint64_t open_id = 0;
	int fd = -1, have;
	char state;
	uint32_t i;

	for (i = 0; i < op->n_settles; i++) {
		set = &op->settles[i];
		if (set->id != open_id) {
			if (fd != -1)
				close(fd);
			fd = dirs_find(&s->dirs, set->id, O_RDWR, &place);
			open_id = set->id;
		}
		if (fd == -1)
			continue; /* removed meanwhile */
		have = spool_state_get(fd, set->off);
		if (have == -1 || !spool_settle_follows(have, set->state))
			continue;
		state = settled(have, set->state);
		if (pwrite(fd, &state, 1, (off_t)set->off) != 1)
			log_event(set->id, "spool-state", "error=%s",
			    q(strerror(errno)));
	}
	if (fd != -1)
		close(fd);
}

static void
settle_all(struct spool *s, const struct flush_batch *b)
{
	size_t i;

	for (i = 0; i < b->n_ops; i++)
		if (b->ops[i].ok && b->ops[i].n_settles > 0)
			settle(s, &b->ops[i]);
}

static void
tell(struct spool *s, struct flush_batch *b)
{
	size_t i, n = b->n_ops;
	struct flush_op *op;

	if (b->generation != s->generation) {
		idmap_free(&s->before);
		s->before = s->committed;
		s->committed = (struct idmap){ 0 };
		s->generation = b->generation;
	}
	for (i = 0; i < n; i++) {
		op = &b->ops[i];
		if (op->message && op->ok)
			idmap_put(&s->committed, op->id, 0);
		if (op->why != NULL)
			log_event(op->id, "spool-refused", "why=%s",
			    q(op->why));
		if (op->work != NULL)
			op->work->fn(op->work, op->ok);
	}
	batch_put(s, b);
	if (n > 0)
		s->hooks.batch(s->hooks.arg);
}

static void
on_retry(void *arg)
{
	struct spool *s = arg;

	s->again = true;
	if (s->given != NULL)
		return; /* when it is back */
	s->again = false;
	spool_rewrite(s);
	flush_checkpoint_again(&s->flush);
}

/* Says once what has changed, and keeps checkpoints going.  True: a batch is
 * wanted for it, with or without work. */
static bool
follow(struct spool *s, const struct flush_batch *b)
{
	struct flush_status st;
	bool idle;

	flush_status(&s->flush, &st);
	if (b != NULL) {
		s->full = b->full;
		if (b->failed != NULL)
			log_warn("journal",
			    "nothing is accepted before a checkpoint: call=%s error=%s",
			    b->failed, q(strerror(b->error)));
	}
	if (s->broken && !st.broken)
		log_event(0, "journal", "in order again");
	s->broken = st.broken;
	if (st.checkpoint == CP_FAILED && !s->retry.set && !s->again) {
		log_warn("checkpoint", "failed, is tried again: error=%s",
		    q(strerror(st.checkpoint_error)));
		timer_set(s->loop, &s->retry, s->retry_wait, on_retry, s);
	}
	idle = st.checkpoint == CP_NONE || st.checkpoint == CP_GOOD;
	s->failed = st.checkpoint == CP_FAILED || (s->failed && !idle);
	return st.checkpoint == CP_GOOD || (idle && (s->broken || s->full));
}

void
spool_event(int fd, int what, void *arg)
{
	struct spool *s = arg;
	struct flush_batch *b = flush_take(&s->flush);

	(void)fd;
	(void)what;
	if (b != NULL) {
		s->given = NULL;
		settle_all(s, b);
		if (s->again)
			on_retry(s);
	}
	/* The disk works on while the answers go out. */
	if (follow(s, b) || s->urgent)
		give(s);
	if (b != NULL)
		tell(s, b);
}

/* Gives what is left, until nothing is. */
void
spool_drain(struct spool *s)
{
	struct flush_batch *b;
	struct flush_status st;
	int tries;

	for (tries = 0; tries < CLOSE_TRIES; tries++) {
		give(s);
		flush_wait(&s->flush);
		if ((b = flush_take(&s->flush)) != NULL) {
			s->given = NULL;
			settle_all(s, b);
		}
		follow(s, b);
		if (b != NULL)
			tell(s, b);
		flush_status(&s->flush, &st);
		if (s->collect->n_ops == 0 && s->collect->n_gone == 0 &&
		    (!st.broken || st.checkpoint == CP_FAILED) &&
		    st.checkpoint != CP_GOOD)
			return;
	}
}

/* ---- what must be durable ---- */

bool
spool_commit(struct spool *s, struct spool_work *w, uint64_t id, int fd,
    const struct spool_settle *settles, uint32_t n_settles)
{
	struct flush_op *op;

	assert(s->replayed && n_settles <= RCPT_MAX);
	/* One of before our start may have come in by the journal. */
	if (s->broken || (id <= s->start_id && dirs_has(&s->dirs, id))) {
		dirs_remove_tmp(&s->dirs, id);
		return false;
	}
	op = op_add(s);
	op->message = true;
	op->id = id;
	op->fd = fd;
	op->work = w;
	op->n_settles = n_settles;
	if (n_settles > 0) {
		op->settles = xcalloc(n_settles, sizeof *settles);
		memcpy(op->settles, settles, n_settles * sizeof *settles);
	}
	flush_soon(s);
	return true;
}

void
spool_keep_ids(struct spool *s, uint64_t last)
{
	struct flush_op *op = op_add(s);

	op->ids = true;
	op->id = last;
	if (last > s->last_id)
		s->last_id = last;
	flush_later(s);
}

bool
spool_state_set(struct spool *s, struct spool_work *w, int fd, uint64_t id,
    uint32_t n, uint64_t off, char state)
{
	struct flush_op *op;

	assert(s->replayed && rcpt_state_known(state));
	if (pwrite(fd, &state, 1, (off_t)off) != 1)
		return false;
	op = op_add(s);
	op->id = id;
	op->work = w;
	op->state = (struct spool_settle){ .id = id,
		.n = n,
		.off = off,
		.state = state };
	if (w != NULL)
		flush_soon(s);
	else
		flush_later(s);
	return true;
}

void
spool_gone(struct spool *s, uint64_t id, enum spool_place place)
{
	struct flush_batch *b = s->collect;

	assert(s->replayed);
	if (b->n_gone == b->gone_room) {
		b->gone_room = b->gone_room == 0 ? 64 : 2 * b->gone_room;
		b->gone = xrealloc(b->gone, b->gone_room, sizeof *b->gone);
	}
	b->gone[b->n_gone++] = (struct flush_gone){ id, place };
	flush_later(s);
}
