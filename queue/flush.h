/*
 * The threads behind the spool: one writes and flushes the journal, one makes
 * checkpoints.  The loop's thread gives a batch of work and is told through a
 * descriptor when it was flushed; never two batches at once.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_FLUSH_H
#define QUEUE_FLUSH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "journal.h"
#include "spool_file.h"

/* One message, or one state, or ids. */
struct flush_op {
	bool message; /* else a state, in `state`, or: */
	bool ids;     /* those up to id are in use */
	bool ok;      /* told: it would survive a power cut */
	uint64_t id;
	int fd;                  /* borrowed */
	struct spool_work *work; /* may be NULL */
	struct spool_settle *settles;
	uint32_t n_settles;
	struct spool_settle state;
	const char *why; /* told: why a message was not taken, or NULL */
};

struct flush_gone {
	uint64_t id;
	enum spool_place place;
};

/* Given by the loop, filled in by the flush thread, taken back. */
struct flush_batch {
	struct flush_op *ops;
	size_t n_ops, ops_room;
	struct flush_gone *gone;
	size_t n_gone, gone_room;
	uint64_t last_id;
	/* told */
	uint64_t generation; /* of the journal that has it */
	bool ok;             /* the flush was good */
	bool full;           /* something found no room in the journal */
	int error;           /* errno of what failed, and its name */
	const char *failed;
};

/* What was flushed badly, or found no room, and is for the next journal. */
struct flush_kept {
	struct spool_settle *states;
	size_t n_states, states_room;
	struct flush_gone *gone;
	size_t n_gone, gone_room;
	bool lost; /* there were too many: their bytes are in the files only */
};

enum checkpoint {
	CP_NONE,
	CP_ASKED,
	CP_RUNS,
	CP_GOOD,  /* the flush thread has not seen it yet */
	CP_FAILED /* until flush_checkpoint_again() */
};

struct flush {
	const struct spool_dirs *dirs;
	int event; /* eventfd: readable when there is something to take */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t writer, checkpointer;
	bool running;
	/* under the lock */
	bool quit;
	struct flush_batch *todo, *done;
	bool busy;   /* the flush thread is at a batch, or behind it */
	bool broken; /* a flush failed: no batch is good before a checkpoint */
	enum checkpoint checkpoint;
	unsigned int slot; /* that the checkpoint is for */
	int checkpoint_error;
	struct spool_stats stats;
	/* of the flush thread while it is busy, else of the loop's */
	struct journal journal;
	struct flush_kept kept;
};

/* Starts the threads; journal is open.  False: errno. */
bool flush_start(struct flush *f, const struct spool_dirs *dirs);

/* Gives a batch.  The one before it was taken back. */
void flush_give(struct flush *f, struct flush_batch *b);

/* What is new: clears the event.  Returns the batch, or NULL: none is done. */
struct flush_batch *flush_take(struct flush *f);

/* How things stand. */
struct flush_status {
	bool broken;
	enum checkpoint checkpoint;
	int checkpoint_error;
};
void flush_status(struct flush *f, struct flush_status *st);

/* Waits until the flush thread is idle, and no checkpoint runs. */
void flush_wait(struct flush *f);

/* After CP_FAILED: tries again. */
void flush_checkpoint_again(struct flush *f);

/* Ends the threads, which are idle. */
void flush_stop(struct flush *f);

void flush_batch_free(struct flush_batch **b);

#endif
