/*
 * Changes to the facts, on their way to the disk.  The loop never waits for
 * it: they collect in memory, and a thread writes them, flushed, once a
 * second; what a power cut or a crash takes is a second's worth.  What cannot
 * be written now is kept and tried again, as far as memory has room for it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_STORE_H
#define QUEUE_STORE_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lmdb.h>

#include "hash.h"
#include "loop.h"

/* The first member of a change, which is of malloc(). */
struct store_entry {
	struct hash_node node; /* by a seeded hash of its key */
	TAILQ_ENTRY(store_entry) next;
	const uint8_t *key; /* in the change itself */
	size_t key_len;
	bool urgent; /* somebody waits for it: before the others, and soon */
};

struct store_kind {
	const char *what; /* "reports": what cannot be written, for the log */
	msec often;       /* what is old goes so often, where nothing comes */
	size_t room;      /* changes in memory, but for the urgent ones */

	/* In the thread, which only reads the changes; an error of LMDB, or
	 * 0.  In a transaction of its own, before the changes, so that it
	 * makes room also where they find none: removes what is old. */
	int (*sweep)(void *arg, MDB_txn *txn);
	int (*write)(void *arg, MDB_txn *txn, const struct store_entry *e);

	/* In the loop.  was could not be written, and now came meanwhile, of
	 * the same key: becomes both.  NULL: now is what counts. */
	void (*merge)(struct store_entry *now, const struct store_entry *was);
	/* The thread is done; NULL: no matter.  swept: what sweep() did is
	 * written. */
	void (*done)(void *arg, bool swept);
};

struct store;

/* NULL and *why. */
struct store *store_open(struct loop *l, MDB_env *env,
    const struct store_kind *kind, void *arg, const char **why);

/* Writes what there is, once, and ends the thread. */
void store_close(struct store **s);

/* How many more changes there is room for, and how many urgent ones wait. */
size_t store_room(const struct store *s);
size_t store_urgent(const struct store *s);

/* The change of this key that is not yet given to the thread, and may be
 * changed; NULL: there is none. */
struct store_entry *store_pending(const struct store *s, const uint8_t *key,
    size_t len);

/* The newest change of this key that may not be on disk yet. */
const struct store_entry *store_find(const struct store *s, const uint8_t *key,
    size_t len);

/* Takes e over, in the place of a pending one of the same key; there is room
 * for it. */
void store_put(struct store *s, struct store_entry *e);

#endif
