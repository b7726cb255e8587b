/*
 * What greylisting knows, between the loop and the disk.  Used by queue.
 *
 * SPDX-License-Identifier: ISC
 */
#include "grey_store.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bsd/stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "grey_db.h"
#include "hash.h"
#include "index_priv.h"
#include "log.h"
#include "writer.h"

#define WRITE_MSEC 1000  /* what collects is written so often */
#define AGAIN_MSEC 10000 /* after that failed */
#define SWEEP_MSEC 60000 /* due rows go, also where nothing comes */
#define SWEEP_SOME 1000  /* so many at a time */

struct grey_entry {
	struct hash_node node; /* by a seeded hash of its key */
	STAILQ_ENTRY(grey_entry) entry;
	struct grey_change change;
	uint8_t row[];
};

STAILQ_HEAD(grey_list, grey_entry);

/* Some changes. */
struct grey_batch {
	struct grey_list list;
	struct hash hash;
	uint64_t seed; /* strangers choose the keys */
};

struct grey_store {
	struct loop *loop;
	struct grey_db db;
	MDB_txn *read; /* reset between questions */
	struct timer timer;
	struct writer *writer;
	bool warned;
	struct grey_batch pending; /* the loop's */
	/* Of the thread while it writes, which only reads it: the loop may
	 * look into it. */
	struct grey_batch flying;
};

/* ---- batches ---- */

static uint64_t
hash_of(const struct grey_batch *b, const struct grey_key *key)
{
	return XXH3_64bits_withSeed(key->bytes, sizeof key->bytes, b->seed);
}

static struct grey_entry *
batch_find(const struct grey_batch *b, enum grey_of of,
    const struct grey_key *key)
{
	struct hash_node *node = hash_get(&b->hash, hash_of(b, key));
	struct grey_entry *e;

	for (; node != NULL; node = hash_more(node)) {
		e = (struct grey_entry *)node;
		if (e->change.of == of &&
		    memcmp(&e->change.key, key, sizeof *key) == 0)
			return e;
	}
	return NULL;
}

static void
batch_add(struct grey_batch *b, struct grey_entry *e)
{
	STAILQ_INSERT_TAIL(&b->list, e, entry);
	hash_add(&b->hash, &e->node, hash_of(b, &e->change.key));
}

static void
batch_drop(struct grey_batch *b, struct grey_entry *e)
{
	STAILQ_REMOVE(&b->list, e, grey_entry, entry);
	hash_del(&b->hash, &e->node);
	free(e);
}

static void
batch_init(struct grey_batch *b)
{
	memset(b, 0, sizeof *b);
	STAILQ_INIT(&b->list);
	arc4random_buf(&b->seed, sizeof b->seed);
}

static void
batch_free(struct grey_batch *b)
{
	struct grey_entry *e;

	while ((e = STAILQ_FIRST(&b->list)) != NULL) {
		STAILQ_REMOVE_HEAD(&b->list, entry);
		free(e);
	}
	hash_free(&b->hash);
	batch_init(b);
}

/* ---- the thread ---- */

static int
write_batch(void *arg)
{
	const struct grey_store *s = arg;
	const struct grey_entry *e;
	MDB_txn *txn;
	int rc;

	rc = mdb_txn_begin(s->db.env, NULL, 0, &txn);
	if (rc != MDB_SUCCESS)
		return rc;
	STAILQ_FOREACH(e, &s->flying.list, entry) {
		rc = grey_db_put(&s->db, txn, &e->change);
		if (rc != MDB_SUCCESS)
			break;
	}
	if (rc == MDB_SUCCESS)
		rc = grey_db_sweep(&s->db, txn, (int64_t)time(NULL), SWEEP_SOME,
		    GREY_MAX);
	if (rc == MDB_SUCCESS)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

/* ---- the loop's side ---- */

static void
give(struct grey_store *s)
{
	s->flying = s->pending;
	/* An empty list ends in itself. */
	if (STAILQ_EMPTY(&s->pending.list))
		STAILQ_INIT(&s->flying.list);
	batch_init(&s->pending);
	writer_give(s->writer);
}

/* It was not written: all but what has changed again since. */
static void
take_back(struct grey_store *s)
{
	struct grey_entry *e;

	while ((e = STAILQ_FIRST(&s->flying.list)) != NULL) {
		STAILQ_REMOVE_HEAD(&s->flying.list, entry);
		hash_del(&s->flying.hash, &e->node);
		if (s->pending.hash.n >= GREY_PENDING ||
		    batch_find(&s->pending, e->change.of, &e->change.key) !=
			NULL)
			free(e);
		else
			batch_add(&s->pending, e);
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
	struct grey_store *s = arg;

	if (error != MDB_SUCCESS)
		take_back(s);
	batch_free(&s->flying);
	if (error != MDB_SUCCESS && !s->warned)
		log_warn("facts", "greylisting cannot be written: error=%s",
		    q(mdb_strerror(error)));
	s->warned = error != MDB_SUCCESS;
	timer_set(s->loop, &s->timer,
	    s->warned                          ? AGAIN_MSEC :
		STAILQ_EMPTY(&s->pending.list) ? SWEEP_MSEC :
						 WRITE_MSEC,
	    on_time, s);
}

/* ---- looking ---- */

/* The transaction to read in; NULL: there is none now. */
static MDB_txn *
begin_read(struct grey_store *s)
{
	int rc;

	if (s->read == NULL)
		rc = mdb_txn_begin(s->db.env, NULL, MDB_RDONLY, &s->read);
	else
		rc = mdb_txn_renew(s->read);
	return rc == MDB_SUCCESS ? s->read : NULL;
}

static void
look(struct grey_store *s, const struct grey_triplet *t, enum grey_of of,
    MDB_txn *txn, struct grey_known *k)
{
	const struct grey_entry *e;
	struct grey_triplet there;
	struct grey_key key;
	MDB_val val, name;
	bool good = false;
	int64_t due;

	grey_key(t, of == GREY_NET, &key);
	e = batch_find(&s->pending, of, &key);
	if (e == NULL)
		e = batch_find(&s->flying, of, &key);
	name = (MDB_val){ sizeof key.bytes, key.bytes };
	if (e != NULL)
		good = grey_unpack(e->row, e->change.len, &there, k, &due);
	else if (txn != NULL &&
	    mdb_get(txn, s->db.row[of], &name, &val) == MDB_SUCCESS)
		good = grey_unpack(val.mv_data, val.mv_size, &there, k, &due);
	if (!good)
		memset(k, 0, sizeof *k);
}

void
grey_get(struct grey_store *s, const struct grey_triplet *t,
    struct grey_known *triplet, struct grey_known *net)
{
	MDB_txn *txn = begin_read(s);

	look(s, t, GREY_TRIPLET, txn, triplet);
	look(s, t, GREY_NET, txn, net);
	if (txn != NULL)
		mdb_txn_reset(txn);
}

/* ---- keeping ---- */

static void
keep(struct grey_store *s, const struct grey_triplet *t, enum grey_of of,
    const struct grey_known *k, int64_t due)
{
	struct grey_triplet alone = { 0 };
	uint8_t row[GREY_ROW_MAX];
	struct grey_entry *e, *old;
	size_t len;

	memcpy(alone.net, t->net, sizeof alone.net);
	len = grey_pack(of == GREY_NET ? &alone : t, k, due, row);
	e = xcalloc(1, sizeof *e + len);
	memcpy(e->row, row, len);
	e->change = (struct grey_change){ .of = of,
		.due = due,
		.len = len,
		.row = e->row };
	grey_key(t, of == GREY_NET, &e->change.key);
	old = batch_find(&s->pending, of, &e->change.key);
	if (old != NULL)
		batch_drop(&s->pending, old);
	batch_add(&s->pending, e);
}

bool
grey_put(struct grey_store *s, const struct grey_triplet *t,
    const struct grey_known *triplet, int64_t triplet_due,
    const struct grey_known *net, int64_t net_due)
{
	bool first = STAILQ_EMPTY(&s->pending.list);

	if (s->pending.hash.n + 2 > GREY_PENDING)
		return false;
	if (triplet->first != 0)
		keep(s, t, GREY_TRIPLET, triplet, triplet_due);
	if (net->n != 0)
		keep(s, t, GREY_NET, net, net_due);
	if (first && !s->warned && !writer_busy(s->writer))
		timer_set(s->loop, &s->timer, WRITE_MSEC, on_time, s);
	return true;
}

/* ---- life ---- */

struct grey_store *
grey_open(struct loop *l, struct index *ix, const char **why)
{
	struct grey_store *s = xcalloc(1, sizeof *s);
	int rc;

	s->loop = l;
	batch_init(&s->pending);
	batch_init(&s->flying);
	rc = grey_db_open(&s->db, ix->facts, true);
	if (rc != MDB_SUCCESS) {
		*why = mdb_strerror(rc);
		free(s);
		return NULL;
	}
	s->writer = writer_open(l, write_batch, on_done, s, why);
	if (s->writer == NULL) {
		free(s);
		return NULL;
	}
	timer_set(l, &s->timer, WRITE_MSEC, on_time, s);
	return s;
}

void
grey_close(struct grey_store **sp)
{
	struct grey_store *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	/* What flies, then what is left, once. */
	writer_wait(s->writer);
	if (!STAILQ_EMPTY(&s->pending.list))
		give(s);
	writer_close(&s->writer);
	timer_clear(&s->timer);
	if (s->read != NULL)
		mdb_txn_abort(s->read);
	batch_free(&s->pending);
	batch_free(&s->flying);
	free(s);
}
