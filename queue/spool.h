/*
 * Mail on disk: files that are the truth, and a journal that makes one flush
 * enough for many of them.  Sessions and schedule know nothing of it but this.
 *
 *   tmp/ID  new/XX/ID  cur/XX/ID  corrupt/ID  journal/0  journal/1  lock
 *
 * The flush runs in a thread of its own.  While it runs, work collects; when
 * it is done the next flush takes all of that.  Answers come from the loop.
 * Contents up to SPOOL_SMALL bytes are written to the journal, the file
 * behind it is not flushed; larger files are flushed themselves, and their
 * folder.  A checkpoint (syncfs of the spool, in another thread) makes the
 * old journal unneeded; its file is kept and written over by a later one.
 *
 * A flush that failed is not tried again as good: its work is told false, the
 * journal is closed where it was last good, and nothing new is accepted until
 * a checkpoint has succeeded.  A checkpoint that failed is not either: what
 * the journal holds is written to the files once more before the next try.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_SPOOL_H
#define QUEUE_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "head.h"
#include "loop.h"
#include "trailer.h"

#define SPOOL_SMALL (64 * 1024) /* bytes of a file that go to the journal */

struct spool;

/* Where a file is. */
enum spool_place { SPOOL_NEW, SPOOL_CUR };

/* Something to be made durable; a member of who waits for it. */
struct spool_work {
	/* From the loop; ok: it would survive a power cut. */
	void (*fn)(struct spool_work *w, bool ok);
};

/* What a record of the journal says about a message, told by the replay and
 * by the walk over the files. */
struct spool_found {
	struct head head; /* states are the file's own */
	struct trailer trailer;
	enum spool_place place;
	bool all_done; /* every recipient is at its end: the file may go */
};

struct spool_hooks {
	/* Once for each message in the journal whose file is whole (made so,
	 * where needed), and once for each file spool_walk() meets. */
	void (*found)(void *arg, const struct spool_found *f);
	/* A message that the journal says is gone. */
	void (*gone)(void *arg, uint64_t id);
	/* All work of a flush was told: commit the index, then answer. */
	void (*batch)(void *arg);
	/* A file was set aside: why. */
	void (*corrupt)(void *arg, uint64_t id, const char *why);
	void *arg;
};

/*
 * Opens the spool in the directory dir ("." in the jail), makes what is
 * missing in it, takes the lock.  NULL and *why: locked, not a directory, no
 * room.  Replay is a step of its own.
 */
struct spool *spool_open(struct loop *l, const char *dir,
    const struct spool_hooks *hooks, const char **why);

/*
 * Replays the journal over the files: afterwards each committed message that
 * is not gone has its file, each state byte is at least as far as the journal
 * says, and the journal is empty (a checkpoint was made).  Idempotent; may be
 * cut off at any point.  False: the disk refuses; why is logged.
 */
bool spool_replay(struct spool *s);

/* The highest id that any file or record has. */
uint64_t spool_last_id(const struct spool *s);

/* True if the journal that was replayed at the start, the one in use or the
 * one before it has seen this id committed: it was answered or would have
 * been. */
bool spool_was_committed(const struct spool *s, uint64_t id);

/* Commits what is open, makes a checkpoint, lets go of the lock. */
void spool_close(struct spool **s);

/* True while new mail can be taken: room on disk, journal in order.  Else
 * *why is a text for a 452. */
bool spool_accepts(struct spool *s, uint64_t size, const char **why);

/*
 * Makes tmp/ID with this head, open for reading and writing, at its end.
 * Returns the descriptor (the caller's), or -1 and errno (EEXIST: a message
 * with this id is there already, wherever).
 */
int spool_create(struct spool *s, struct head *h);

/* tmp/ID of before a restart, checked: head is read into h.  -1: not there,
 * or not whole. */
int spool_reopen(struct spool *s, uint64_t id, struct arena *a, struct head *h);

/*
 * A finished file in tmp/: checked (length, trailer, the sum of a small one),
 * made durable, moved to new/.  settles: recipients of another message (its
 * id) whose state becomes state in the same record, and then in their file,
 * so that a notification and what it is about are one; n_settles may be 0,
 * at most RCPT_MAX.  fd is borrowed until w->fn, where the file is in new/
 * (true) or was removed (false).  False: the journal is out of order now; the
 * file was removed and w->fn will not be called.
 */
struct spool_settle {
	uint64_t id;
	uint32_t n;   /* recipient */
	uint64_t off; /* of its state byte */
	char state;
};
bool spool_commit(struct spool *s, struct spool_work *w, uint64_t id, int fd,
    const struct spool_settle *settles, uint32_t n_settles);

/* Before spool_commit(): all recipients are held from the moment that the
 * message is there.  fd: as of spool_create().  False: the disk refuses. */
bool spool_hold(int fd, struct head *h);

/* Ids up to this one were given out, though no file has them yet: it is known
 * after a crash if what is committed next is. */
void spool_keep_ids(struct spool *s, uint64_t last);

/* Removes tmp/ID. */
void spool_abort(struct spool *s, uint64_t id);

/* Opens a message's file; write: for its state bytes.  -1 and errno. */
int spool_file(struct spool *s, uint64_t id, enum spool_place place,
    bool write);

/* The state byte at off, or -1. */
int spool_state_get(int fd, uint64_t off);

/*
 * Writes the byte now (it survives this process), the journal record rides
 * the next flush, a second away at most; w may be NULL, else it is told and
 * the flush starts at once.  False: even the byte could not be written.
 */
bool spool_state_set(struct spool *s, struct spool_work *w, int fd, uint64_t id,
    uint32_t n, uint64_t off, char state);

/* new/ to cur/, not durable by itself: either place is found. */
bool spool_move_cur(struct spool *s, uint64_t id);

/* Every recipient is at its end: the record rides the next flush, a second
 * away at most, and then the file is removed. */
void spool_gone(struct spool *s, uint64_t id, enum spool_place place);

/* Sets a file aside into corrupt/. */
void spool_corrupt(struct spool *s, uint64_t id, enum spool_place place,
    const char *why);

/*
 * Walks over new/ and cur/ in steps of at most n files, calling hooks.found;
 * false when all were seen.  Starts over after that.
 */
bool spool_walk(struct spool *s, unsigned int n);

/* Removes files in tmp/ with an id below `before` for which keep(arg, id) is
 * false. */
void spool_sweep(struct spool *s, uint64_t before,
    bool (*keep)(void *arg, uint64_t id), void *arg);

/* What was done since the spool was opened. */
struct spool_stats {
	uint64_t messages;    /* committed; of them */
	uint64_t large;       /* flushed as files */
	uint64_t flushes;     /* of the journal */
	uint64_t failed;      /* flushes that were not good */
	uint64_t checkpoints; /* good ones */
	uint64_t rewrites;    /* files written again: a checkpoint had failed */
	uint64_t bytes;       /* written to the journal */
};
void spool_stats(struct spool *s, struct spool_stats *stats);

/*
 * Whether somebody else has the spool in dir.  The lock is not touched, so
 * that asking never keeps a queue out.
 */
bool spool_locked(const char *dir);

/*
 * The lock itself: spool_open() takes it.  Returns its descriptor, -1 and
 * errno (EAGAIN: somebody else has it).
 */
int spool_lock(int dir);

#endif
