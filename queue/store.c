/*
 * Changes to the facts, between the loop and the disk.  Used by queue.
 *
 * SPDX-License-Identifier: ISC
 */
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "log.h"
#include "writer.h"

#define WRITE_MSEC  1000  /* what collects is written so often */
#define URGENT_MSEC 20    /* ... if somebody waits for it */
#define AGAIN_MSEC  10000 /* after that failed */

/* Some changes, those first that are urgent. */
struct batch {
	TAILQ_HEAD(, store_entry) list;
	struct hash hash;
	size_t n_urgent;
	uint64_t seed; /* strangers choose the keys */
};

struct store {
	const struct store_kind *kind;
	void *arg;
	struct loop *loop;
	MDB_env *env;
	struct timer timer;
	struct writer *writer;
	bool warned;
	struct batch pending; /* the loop's */
	/* Of the thread while it writes, which only reads it: the loop may
	 * look into it. */
	struct batch flying;
	bool swept; /* the thread's */
};

/* ---- batches ---- */

static uint64_t
hash_of(const struct batch *b, const uint8_t *key, size_t len)
{
	return XXH3_64bits_withSeed(key, len, b->seed);
}

static struct store_entry *
batch_find(const struct batch *b, const uint8_t *key, size_t len)
{
	struct hash_node *node = hash_get(&b->hash, hash_of(b, key, len));
	struct store_entry *e;

	for (; node != NULL; node = hash_more(node)) {
		e = (struct store_entry *)node;
		if (e->key_len == len && memcmp(e->key, key, len) == 0)
			return e;
	}
	return NULL;
}

static void
batch_add(struct batch *b, struct store_entry *e)
{
	if (e->urgent)
		TAILQ_INSERT_HEAD(&b->list, e, next);
	else
		TAILQ_INSERT_TAIL(&b->list, e, next);
	b->n_urgent += e->urgent;
	hash_add(&b->hash, &e->node, hash_of(b, e->key, e->key_len));
}

static void
batch_drop(struct batch *b, struct store_entry *e)
{
	TAILQ_REMOVE(&b->list, e, next);
	b->n_urgent -= e->urgent;
	hash_del(&b->hash, &e->node);
	free(e);
}

static void
batch_init(struct batch *b)
{
	memset(b, 0, sizeof *b);
	TAILQ_INIT(&b->list);
	arc4random_buf(&b->seed, sizeof b->seed);
}

static void
batch_free(struct batch *b)
{
	struct store_entry *e;

	while ((e = TAILQ_FIRST(&b->list)) != NULL) {
		TAILQ_REMOVE(&b->list, e, next);
		free(e);
	}
	hash_free(&b->hash);
	batch_init(b);
}

/* ---- the thread ---- */

static int
write_changes(struct store *s, MDB_txn *txn)
{
	const struct store_entry *e;
	int rc = MDB_SUCCESS;

	TAILQ_FOREACH(e, &s->flying.list, next) {
		rc = s->kind->write(s->arg, txn, e);
		if (rc != MDB_SUCCESS)
			break;
	}
	return rc;
}

static int
sweep(struct store *s, MDB_txn *txn)
{
	return s->kind->sweep(s->arg, txn);
}

static int
in_txn(struct store *s, int (*fn)(struct store *s, MDB_txn *txn))
{
	MDB_txn *txn;
	int rc;

	rc = mdb_txn_begin(s->env, NULL, 0, &txn);
	if (rc != MDB_SUCCESS)
		return rc;
	rc = fn(s, txn);
	if (rc == MDB_SUCCESS)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

static int
write_batch(void *arg)
{
	struct store *s = arg;
	int swept = in_txn(s, sweep), rc = in_txn(s, write_changes);

	s->swept = swept == MDB_SUCCESS;
	return rc != MDB_SUCCESS ? rc : swept;
}

/* ---- the loop's side ---- */

static void
give(struct store *s)
{
	s->flying = s->pending;
	/* A list's first and last know where its head is. */
	TAILQ_INIT(&s->flying.list);
	TAILQ_CONCAT(&s->flying.list, &s->pending.list, next);
	batch_init(&s->pending);
	writer_give(s->writer);
}

/* It was not written: with what has come since. */
static void
take_back(struct store *s)
{
	struct store_entry *e, *now;

	while ((e = TAILQ_FIRST(&s->flying.list)) != NULL) {
		TAILQ_REMOVE(&s->flying.list, e, next);
		hash_del(&s->flying.hash, &e->node);
		now = batch_find(&s->pending, e->key, e->key_len);
		if (now == NULL && (e->urgent || store_room(s) > 0)) {
			batch_add(&s->pending, e);
			continue;
		}
		if (now != NULL && s->kind->merge != NULL)
			s->kind->merge(now, e);
		free(e);
	}
}

static void
on_time(void *arg)
{
	give(arg);
}

static void
on_done(void *arg, int error)
{
	struct store *s = arg;
	msec next = WRITE_MSEC;

	if (error != MDB_SUCCESS)
		take_back(s);
	batch_free(&s->flying);
	if (error != MDB_SUCCESS && !s->warned)
		log_warn("facts", "%s cannot be written: error=%s",
		    s->kind->what, q(mdb_strerror(error)));
	s->warned = error != MDB_SUCCESS;
	if (s->kind->done != NULL)
		s->kind->done(s->arg, s->swept);
	if (s->warned)
		next = AGAIN_MSEC;
	else if (TAILQ_EMPTY(&s->pending.list))
		next = s->kind->often;
	else if (s->pending.n_urgent > 0)
		next = URGENT_MSEC;
	timer_set(s->loop, &s->timer, next, on_time, s);
}

size_t
store_room(const struct store *s)
{
	size_t n = s->pending.hash.n - s->pending.n_urgent;

	return n < s->kind->room ? s->kind->room - n : 0;
}

size_t
store_urgent(const struct store *s)
{
	return s->pending.n_urgent;
}

struct store_entry *
store_pending(const struct store *s, const uint8_t *key, size_t len)
{
	return batch_find(&s->pending, key, len);
}

const struct store_entry *
store_find(const struct store *s, const uint8_t *key, size_t len)
{
	const struct store_entry *e = batch_find(&s->pending, key, len);

	return e != NULL ? e : batch_find(&s->flying, key, len);
}

void
store_put(struct store *s, struct store_entry *e)
{
	struct store_entry *old = batch_find(&s->pending, e->key, e->key_len);
	bool first = e->urgent ? s->pending.n_urgent == 0 :
				 TAILQ_EMPTY(&s->pending.list);

	if (old != NULL)
		batch_drop(&s->pending, old);
	batch_add(&s->pending, e);
	/* All are written that long after the first of them has come. */
	if (first && !s->warned && !writer_busy(s->writer))
		timer_set(s->loop, &s->timer,
		    e->urgent ? URGENT_MSEC : WRITE_MSEC, on_time, s);
}

/* ---- life ---- */

struct store *
store_open(struct loop *l, MDB_env *env, const struct store_kind *kind,
    void *arg, const char **why)
{
	struct store *s = xcalloc(1, sizeof *s);

	s->kind = kind;
	s->arg = arg;
	s->loop = l;
	s->env = env;
	batch_init(&s->pending);
	batch_init(&s->flying);
	s->writer = writer_open(l, write_batch, on_done, s, why);
	if (s->writer == NULL) {
		free(s);
		return NULL;
	}
	timer_set(l, &s->timer, WRITE_MSEC, on_time, s);
	return s;
}

void
store_close(struct store **sp)
{
	struct store *s = *sp;

	*sp = NULL;
	/* What flies, then what is left, once. */
	writer_wait(s->writer);
	if (!TAILQ_EMPTY(&s->pending.list))
		give(s);
	writer_close(&s->writer);
	timer_clear(&s->timer);
	batch_free(&s->pending);
	batch_free(&s->flying);
	free(s);
}
