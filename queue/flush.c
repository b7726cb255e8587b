/*
 * The threads behind the spool.  Used by queue.
 *
 * The flush thread goes round like this: a checkpoint that is due is begun;
 * the batch is written and flushed; its messages move to new/; the loop is
 * told; files of messages that are gone are removed.  So whatever a
 * generation of the journal says is in the files before its checkpoint
 * begins, but for settles, which the loop writes before it gives the next
 * batch.
 *
 * Neither thread logs, or calls anything of the loop's.
 *
 * SPDX-License-Identifier: ISC
 */
#include "flush.h"

#include <sys/eventfd.h>

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "spool_read.h"

#define KEPT_MAX ((size_t)1 << 18) /* states, and gone messages */

/* ---- what is kept for the next journal ---- */

static void
keep_state(struct flush_kept *k, const struct spool_settle *state)
{
	if (k->n_states == KEPT_MAX) {
		k->lost = true;
		return;
	}
	if (k->n_states == k->states_room) {
		k->states_room = k->states_room == 0 ? 64 : 2 * k->states_room;
		k->states =
		    xrealloc(k->states, k->states_room, sizeof *k->states);
	}
	k->states[k->n_states++] = *state;
}

/* A file that is forgotten here is met again at the next start. */
static void
keep_gone(struct flush_kept *k, const struct flush_gone *gone)
{
	if (k->n_gone == KEPT_MAX)
		return;
	if (k->n_gone == k->gone_room) {
		k->gone_room = k->gone_room == 0 ? 64 : 2 * k->gone_room;
		k->gone = xrealloc(k->gone, k->gone_room, sizeof *k->gone);
	}
	k->gone[k->n_gone++] = *gone;
}

/* ---- checkpoints ---- */

static void
ask_checkpoint(struct flush *f, unsigned int slot)
{
	pthread_mutex_lock(&f->lock);
	assert(f->checkpoint == CP_NONE);
	f->slot = slot;
	f->checkpoint = CP_ASKED;
	pthread_cond_broadcast(&f->wake);
	pthread_mutex_unlock(&f->lock);
}

/* True once for each checkpoint that was good. */
static bool
take_good(struct flush *f, bool *idle)
{
	bool good;

	pthread_mutex_lock(&f->lock);
	good = f->checkpoint == CP_GOOD;
	if (good)
		f->checkpoint = CP_NONE;
	*idle = f->checkpoint == CP_NONE;
	pthread_mutex_unlock(&f->lock);
	return good;
}

static void
set_broken(struct flush *f, bool broken)
{
	pthread_mutex_lock(&f->lock);
	f->broken = broken;
	pthread_mutex_unlock(&f->lock);
}

/* Begins, ends and follows checkpoints.  False: nothing can be written. */
static bool
checkpoint_step(struct flush *f, uint64_t last_id)
{
	struct journal *j = &f->journal;
	bool idle, good = take_good(f, &idle);
	unsigned int slot = j->cur;

	if (f->broken && good && j->slot[slot].retired && !f->kept.lost) {
		journal_begin(j, last_id);
		set_broken(f, false);
		return true;
	}
	if (!idle)
		return !f->broken;
	if (f->broken) {
		f->kept.lost = false;
		ask_checkpoint(f, slot);
		return false;
	}
	if (journal_long(j)) {
		journal_begin(j, last_id);
		ask_checkpoint(f, slot);
	}
	return true;
}

static void *
checkpointer(void *arg)
{
	struct flush *f = arg;
	const uint64_t one = 1;
	int error;

	pthread_mutex_lock(&f->lock);
	for (;;) {
		while (!f->quit && f->checkpoint != CP_ASKED)
			pthread_cond_wait(&f->wake, &f->lock);
		if (f->quit)
			break;
		f->checkpoint = CP_RUNS;
		pthread_mutex_unlock(&f->lock);
		error = 0;
		if (f->journal.ops->syncfs(f->dirs->journal) == -1 ||
		    !journal_retire(&f->journal, f->slot))
			error = errno;
		pthread_mutex_lock(&f->lock);
		f->checkpoint = error == 0 ? CP_GOOD : CP_FAILED;
		f->checkpoint_error = error;
		f->stats.checkpoints += error == 0;
		pthread_cond_broadcast(&f->wake);
		if (write(f->event, &one, sizeof one) == -1)
			continue; /* it is readable already */
	}
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* ---- a batch ---- */

/* A large file: flushed itself, its name in tmp/ too, before the record. */
static enum journal_added
add_large(struct flush *f, struct flush_op *op, bool *tmp_flushed)
{
	struct journal *j = &f->journal;
	uint64_t size;

	if ((op->why = spool_check_large(op->fd, op->id, &size)) != NULL)
		return ADD_BAD;
	if (j->ops->fdatasync(op->fd) == -1 ||
	    (!*tmp_flushed && fsync(f->dirs->tmp) == -1)) {
		op->why = strerror(errno);
		return ADD_BAD;
	}
	*tmp_flushed = true;
	return journal_add(j, REC_LARGE, op->id, size, op->settles,
	    op->n_settles);
}

static enum journal_added
add_message(struct flush *f, struct flush_op *op, bool *tmp_flushed,
    uint64_t *large)
{
	enum journal_added added;

	added = journal_add_file(&f->journal, op->id, op->fd, op->settles,
	    op->n_settles, &op->why);
	if (added != ADD_LARGE)
		return added;
	added = add_large(f, op, tmp_flushed);
	*large += added == ADDED;
	return added;
}

/* How much of what is kept went into the batch. */
struct went {
	size_t states, gone;
	uint64_t messages, large;
};

/* In order: what was kept, the batch, and last what is gone. */
static void
add_all(struct flush *f, struct flush_batch *b, struct went *w)
{
	struct flush_kept *k = &f->kept;
	bool tmp_flushed = false;
	enum journal_added added;
	struct flush_op *op;
	size_t i;

	for (; w->states < k->n_states; w->states++)
		if (journal_add(&f->journal, REC_STATE, k->states[w->states].id,
			0, &k->states[w->states], 1) != ADDED)
			break;
	for (i = 0; i < b->n_ops; i++) {
		op = &b->ops[i];
		added = op->message ?
		    add_message(f, op, &tmp_flushed, &w->large) :
		    journal_add(&f->journal, REC_STATE, op->id, 0, &op->state,
			!op->ids);
		op->ok = added == ADDED;
		b->full = b->full || added == ADD_FULL;
		w->messages += op->message && op->ok;
	}
	for (; w->gone < k->n_gone; w->gone++)
		if (journal_add(&f->journal, REC_GONE, k->gone[w->gone].id, 0,
			NULL, 0) != ADDED)
			break;
	b->full = b->full || w->states < k->n_states || w->gone < k->n_gone;
}

/* The files follow what the journal says now. */
static void
settle_files(struct flush *f, struct flush_batch *b)
{
	struct flush_op *op;
	size_t i;

	for (i = 0; i < b->n_ops; i++) {
		op = &b->ops[i];
		if (!op->message) {
			if (!op->ok && !op->ids)
				keep_state(&f->kept, &op->state);
			continue;
		}
		if (op->ok && !dirs_commit(f->dirs, op->id)) {
			op->ok = false;
			op->why = strerror(errno);
			/* Its record must not bring it back. */
			keep_gone(&f->kept,
			    &(struct flush_gone){ .id = op->id });
		}
		if (!op->ok)
			dirs_remove_tmp(f->dirs, op->id);
	}
}

/* The batch is not in the journal: nothing of it, if some of it is. */
static void
refuse(struct flush_batch *b)
{
	size_t i;

	for (i = 0; i < b->n_ops; i++)
		b->ops[i].ok = false;
}

static void
tell(struct flush *f, struct flush_batch *b, const struct went *w)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&f->lock);
	f->done = b;
	f->stats.bytes = f->journal.bytes;
	if (b->ok) {
		f->stats.flushes = f->journal.flushes;
		f->stats.messages += w->messages;
		f->stats.large += w->large;
	} else
		f->stats.failed += b->failed != NULL;
	pthread_cond_broadcast(&f->wake);
	pthread_mutex_unlock(&f->lock);
	if (write(f->event, &one, sizeof one) == -1)
		return; /* it is readable already */
}

/* Removes the files of messages that are gone, and forgets what was kept. */
static void
forget(struct flush *f, const struct went *w)
{
	struct flush_kept *k = &f->kept;
	size_t i;

	for (i = 0; i < w->gone; i++) {
		if (f->journal.ops->step != NULL)
			f->journal.ops->step("gone");
		dirs_remove(f->dirs, k->gone[i].place, k->gone[i].id);
	}
	if (w->gone > 0)
		memmove(k->gone, k->gone + w->gone,
		    (k->n_gone - w->gone) * sizeof *k->gone);
	k->n_gone -= w->gone;
}

static void
work_off(struct flush *f, struct flush_batch *b)
{
	struct flush_kept *k = &f->kept;
	struct went w = { 0 };
	size_t i;

	for (i = 0; i < b->n_gone; i++)
		keep_gone(k, &b->gone[i]);
	b->ok = checkpoint_step(f, b->last_id);
	b->generation = f->journal.generation;
	if (b->ok) {
		add_all(f, b, &w);
		b->ok = journal_flush(&f->journal);
		if (!b->ok) {
			b->error = f->journal.error;
			b->failed = f->journal.failed;
			set_broken(f, true);
		}
	}
	if (!b->ok) {
		refuse(b);
		w = (struct went){ 0 };
	}
	if (w.states > 0)
		memmove(k->states, k->states + w.states,
		    (k->n_states - w.states) * sizeof *k->states);
	k->n_states -= w.states;
	settle_files(f, b);
	tell(f, b, &w);
	/* From here on the batch is the loop's. */
	forget(f, &w);
}

static void *
writer(void *arg)
{
	struct flush *f = arg;
	struct flush_batch *b;

	pthread_mutex_lock(&f->lock);
	for (;;) {
		while (!f->quit && f->todo == NULL)
			pthread_cond_wait(&f->wake, &f->lock);
		if (f->todo == NULL)
			break;
		b = f->todo;
		f->todo = NULL;
		f->busy = true;
		pthread_mutex_unlock(&f->lock);
		work_off(f, b);
		pthread_mutex_lock(&f->lock);
		f->busy = false;
		pthread_cond_broadcast(&f->wake);
	}
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* ---- the loop's side ---- */

bool
flush_start(struct flush *f, const struct spool_dirs *dirs)
{
	sigset_t all, old;
	int e;

	f->dirs = dirs;
	f->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->event == -1)
		return false;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->wake, NULL);
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	e = pthread_create(&f->writer, NULL, writer, f);
	f->running = e == 0;
	if (e == 0) {
		e = pthread_create(&f->checkpointer, NULL, checkpointer, f);
		if (e != 0) {
			pthread_mutex_lock(&f->lock);
			f->quit = true;
			pthread_cond_broadcast(&f->wake);
			pthread_mutex_unlock(&f->lock);
			pthread_join(f->writer, NULL);
			f->running = false;
		}
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (e != 0)
		close(f->event);
	errno = e;
	return e == 0;
}

void
flush_give(struct flush *f, struct flush_batch *b)
{
	pthread_mutex_lock(&f->lock);
	assert(f->todo == NULL && f->done == NULL);
	f->todo = b;
	pthread_cond_broadcast(&f->wake);
	pthread_mutex_unlock(&f->lock);
}

struct flush_batch *
flush_take(struct flush *f)
{
	struct flush_batch *b;
	uint64_t n;

	if (read(f->event, &n, sizeof n) == -1 && errno != EAGAIN)
		fatal("eventfd: %s", strerror(errno));
	pthread_mutex_lock(&f->lock);
	b = f->done;
	f->done = NULL;
	pthread_mutex_unlock(&f->lock);
	return b;
}

void
flush_status(struct flush *f, struct flush_status *st)
{
	pthread_mutex_lock(&f->lock);
	st->broken = f->broken;
	st->checkpoint = f->checkpoint;
	st->checkpoint_error = f->checkpoint_error;
	pthread_mutex_unlock(&f->lock);
}

void
flush_wait(struct flush *f)
{
	pthread_mutex_lock(&f->lock);
	while (f->busy || f->todo != NULL || f->checkpoint == CP_ASKED ||
	    f->checkpoint == CP_RUNS)
		pthread_cond_wait(&f->wake, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

void
flush_checkpoint_again(struct flush *f)
{
	pthread_mutex_lock(&f->lock);
	assert(f->checkpoint == CP_FAILED);
	f->checkpoint = CP_ASKED;
	pthread_cond_broadcast(&f->wake);
	pthread_mutex_unlock(&f->lock);
}

void
flush_stop(struct flush *f)
{
	if (!f->running)
		return;
	pthread_mutex_lock(&f->lock);
	f->quit = true;
	pthread_cond_broadcast(&f->wake);
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->writer, NULL);
	pthread_join(f->checkpointer, NULL);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->wake);
	close(f->event);
	free(f->kept.states);
	free(f->kept.gone);
	f->running = false;
}

void
flush_batch_free(struct flush_batch **b)
{
	size_t i;

	if (*b == NULL)
		return;
	for (i = 0; i < (*b)->n_ops; i++)
		free((*b)->ops[i].settles);
	free((*b)->ops);
	free((*b)->gone);
	free(*b);
	*b = NULL;
}
