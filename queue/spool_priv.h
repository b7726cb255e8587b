/*
 * The spool from the inside: for spool*.c, replay.c and their tests.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_SPOOL_PRIV_H
#define QUEUE_SPOOL_PRIV_H

#include <dirent.h>

#include "flush.h"
#include "idmap.h"
#include "loop.h"

#define SPOOL_FOLDERS 256
#define SPOOL_BATCHES 3 /* collecting, at the flush thread, being told */

struct spool {
	struct loop *loop;
	struct spool_hooks hooks;
	struct spool_dirs dirs;
	int lock;
	bool replayed;
	struct buf head; /* the one being printed */
	uint64_t last_id;
	uint64_t start_id;                 /* last_id when we began */
	uint64_t made[SPOOL_FOLDERS / 64]; /* folders of new/ that are there */

	/* work on its way to disk */
	struct flush flush;
	struct flush_batch *collect; /* the next batch */
	struct flush_batch *given;   /* at the flush thread, or NULL */
	struct flush_batch *spare[SPOOL_BATCHES];
	bool urgent; /* the next batch is to be given as soon as can be */
	bool again;  /* a checkpoint is to be tried again */
	bool broken, failed, full; /* why nothing is accepted */
	msec retry_wait;           /* before a checkpoint is tried again */
	msec states_wait;          /* that states and removals may wait */
	struct watch event;
	struct timer kick, later, retry;

	/* ids seen committed, in this generation of the journal and before */
	struct idmap committed, before;
	uint64_t generation;

	/* room on disk, as of a moment ago */
	msec room_time;
	uint64_t room_bytes, room_inodes;

	/* spool_walk() */
	unsigned int walk_place, walk_folder;
	DIR *walk_dir;
};

/* The same as spool_open(), with other system calls below the journal. */
struct spool *spool_open_with(struct loop *l, const char *dir,
    const struct spool_hooks *hooks, const struct journal_ops *ops,
    const char **why);

/* Tells a test of a change to come. */
static inline void
spool_step(const struct spool *s, const char *what)
{
	if (s->flush.journal.ops->step != NULL)
		s->flush.journal.ops->step(what);
}

/* An empty batch. */
struct flush_batch *spool_batch(struct spool *s);
/* From the loop: the flush or a checkpoint has news. */
void spool_event(int fd, int what, void *arg);
/* Gives what is left and waits, until nothing is. */
void spool_drain(struct spool *s);

/* True if no recipient has anything to wait for. */
bool spool_all_done(const struct head *h);

/* The highest id among the names in tmp/, and with all in new/ and cur/. */
uint64_t spool_scan_last(const struct spool *s, bool all);

/*
 * While the spool is at work, after a checkpoint failed: writes what the
 * journal says into the files that are there once more, so that the next
 * checkpoint has something to flush.  The flush thread has no batch.
 */
void spool_rewrite(struct spool *s);

/* A state byte follows what a notification's record says of it, unless it is
 * further already. */
bool spool_settle_follows(int have, int said);

#endif
