/*
 * What will be reported, between the loop and the disk.  Used by queue.
 *
 * SPDX-License-Identifier: ISC
 */
#include "report_store.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "hash.h"
#include "index_priv.h"
#include "log.h"
#include "report_db.h"
#include "writer.h"

#define WRITE_MSEC 1000   /* what collects is written so often */
#define SENT_MSEC  20     /* ... if somebody waits for it */
#define AGAIN_MSEC 10000  /* after that failed */
#define SWEEP_MSEC 600000 /* old days go, also where nothing comes */
#define SWEEP_SOME 5000   /* rows at a time */
#define SENT_MAX   1024   /* that wait to be forgotten */

/* Messages that are alike. */
struct entry {
	struct hash_node node; /* by a seeded hash of its key */
	STAILQ_ENTRY(entry) next;
	struct report_key key;
	uint32_t day;
	char domain[DOMAIN_MAX + 1];
	struct report_policy policy;
	struct report_hash hash;
	size_t len;
	uint8_t packed[];
};

/* Rows that go, before any is added. */
struct sent {
	STAILQ_ENTRY(sent) next;
	uint32_t day;
	char domain[DOMAIN_MAX + 1];
};

struct batch {
	STAILQ_HEAD(, entry) list;
	STAILQ_HEAD(, sent) sent;
	struct hash hash;
	uint32_t n_sent;
	uint64_t seed; /* strangers choose the keys */
};

struct report_store {
	struct loop *loop;
	struct report_db db;
	struct writer *writer;
	struct timer timer;
	bool warned;
	struct batch pending; /* the loop's */
	struct batch flying;  /* of the thread while it writes */
	unsigned int expired; /* the thread's: days that nobody had */
};

/* ---- batches ---- */

static uint64_t
hash_of(const struct batch *b, const struct report_key *key)
{
	return XXH3_64bits_withSeed(key->bytes, key->len, b->seed);
}

static struct entry *
batch_find(const struct batch *b, const struct report_key *key)
{
	struct hash_node *node = hash_get(&b->hash, hash_of(b, key));
	struct entry *e;

	for (; node != NULL; node = hash_more(node)) {
		e = (struct entry *)node;
		if (e->key.len == key->len &&
		    memcmp(e->key.bytes, key->bytes, key->len) == 0)
			return e;
	}
	return NULL;
}

static void
batch_add(struct batch *b, struct entry *e)
{
	STAILQ_INSERT_TAIL(&b->list, e, next);
	hash_add(&b->hash, &e->node, hash_of(b, &e->key));
}

static void
batch_init(struct batch *b)
{
	memset(b, 0, sizeof *b);
	STAILQ_INIT(&b->list);
	STAILQ_INIT(&b->sent);
	arc4random_buf(&b->seed, sizeof b->seed);
}

static void
batch_free(struct batch *b)
{
	struct entry *e;
	struct sent *s;

	while ((e = STAILQ_FIRST(&b->list)) != NULL) {
		STAILQ_REMOVE_HEAD(&b->list, next);
		free(e);
	}
	while ((s = STAILQ_FIRST(&b->sent)) != NULL) {
		STAILQ_REMOVE_HEAD(&b->sent, next);
		free(s);
	}
	hash_free(&b->hash);
	batch_init(b);
}

static bool
batch_is_empty(const struct batch *b)
{
	return b->hash.n == 0 && b->n_sent == 0;
}

/* An empty batch takes what is in the other, which is empty then. */
static void
batch_move(struct batch *to, struct batch *from)
{
	batch_free(to);
	STAILQ_CONCAT(&to->list, &from->list);
	STAILQ_CONCAT(&to->sent, &from->sent);
	to->hash = from->hash;
	to->n_sent = from->n_sent;
	to->seed = from->seed;
	batch_init(from);
}

/* ---- the thread ---- */

static uint32_t
oldest_day(void)
{
	int64_t day = (int64_t)time(NULL) / REPORT_DAY - REPORT_DAYS;

	return day > 0 ? (uint32_t)day : 0;
}

static int
write_rows(struct report_store *s, MDB_txn *txn)
{
	static const struct report_limits limits = { REPORT_OF_ONE_MAX,
		REPORT_MAX, REPORT_BYTES_MAX };
	const struct entry *e;
	const struct sent *sent;
	int rc = MDB_SUCCESS;

	/* First: what was not written yet was not in the report. */
	STAILQ_FOREACH(sent, &s->flying.sent, next) {
		rc = report_db_sent(&s->db, txn, sent->day, sent->domain);
		if (rc != MDB_SUCCESS)
			return rc;
	}
	STAILQ_FOREACH(e, &s->flying.list, next) {
		const struct report_change change = { e->day, e->domain,
			e->policy, e->hash, e->len, e->packed };

		rc = report_db_add(&s->db, txn, &change, &limits);
		if (rc != MDB_SUCCESS)
			return rc;
	}
	return rc;
}

static int
write_batch(void *arg)
{
	struct report_store *s = arg;
	MDB_txn *txn;
	int rc;

	s->expired = 0;
	rc = mdb_txn_begin(s->db.env, NULL, 0, &txn);
	if (rc != MDB_SUCCESS)
		return rc;
	rc = write_rows(s, txn);
	if (rc == MDB_SUCCESS)
		rc = report_db_sweep(&s->db, txn, oldest_day(), SWEEP_SOME,
		    &s->expired);
	if (rc == MDB_SUCCESS)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

/* ---- the loop's side ---- */

static void
give(struct report_store *s)
{
	batch_move(&s->flying, &s->pending);
	writer_give(s->writer);
}

static void
on_time(void *arg)
{
	give(arg);
}

/* The batch is written that long after the first of it has come. */
static void
soon(struct report_store *s, msec ms)
{
	if (!s->warned && !writer_busy(s->writer))
		timer_set(s->loop, &s->timer, ms, on_time, s);
}

/* It was not written: what has come since is added to it. */
static void
take_back(struct report_store *s)
{
	struct batch late;
	struct entry *e, *same;

	batch_init(&late);
	batch_move(&late, &s->pending);
	batch_move(&s->pending, &s->flying);
	while ((e = STAILQ_FIRST(&late.list)) != NULL) {
		STAILQ_REMOVE_HEAD(&late.list, next);
		same = batch_find(&s->pending, &e->key);
		if (same != NULL) {
			report_add(same->packed, e->packed);
			free(e);
		} else if (s->pending.hash.n < REPORT_PENDING_MAX)
			batch_add(&s->pending, e);
		else
			free(e);
	}
	STAILQ_CONCAT(&s->pending.sent, &late.sent);
	s->pending.n_sent += late.n_sent;
	hash_free(&late.hash);
}

static void
on_done(void *arg, int error)
{
	struct report_store *s = arg;

	if (error != MDB_SUCCESS)
		take_back(s);
	batch_free(&s->flying);
	if (error != MDB_SUCCESS && !s->warned)
		log_warn("facts", "reports cannot be written: error=%s",
		    q(mdb_strerror(error)));
	else if (s->expired > 0)
		log_warn("report-expired", "domains=%u", s->expired);
	s->warned = error != MDB_SUCCESS;
	if (s->warned)
		timer_set(s->loop, &s->timer, AGAIN_MSEC, on_time, s);
	else if (batch_is_empty(&s->pending))
		timer_set(s->loop, &s->timer, SWEEP_MSEC, on_time, s);
	else
		soon(s, s->pending.n_sent > 0 ? SENT_MSEC : WRITE_MSEC);
}

bool
report_put(struct report_store *s, const struct report_entry *in)
{
	bool first = batch_is_empty(&s->pending);
	uint8_t packed[REPORT_ROW_MAX];
	struct report_hash hash;
	struct report_key key;
	struct entry *e;
	size_t len;

	len = report_pack(&in->row, packed, &hash);
	report_key(in->day, in->domain, &hash, &key);
	if ((e = batch_find(&s->pending, &key)) != NULL) {
		report_add(e->packed, packed);
		e->policy = in->policy;
		return true;
	}
	if (s->pending.hash.n >= REPORT_PENDING_MAX)
		return false;
	e = xcalloc(1, sizeof *e + len);
	e->key = key;
	e->day = in->day;
	strlcpy(e->domain, in->domain, sizeof e->domain);
	e->policy = in->policy;
	e->hash = hash;
	e->len = len;
	memcpy(e->packed, packed, len);
	batch_add(&s->pending, e);
	if (first)
		soon(s, WRITE_MSEC);
	return true;
}

bool
report_sent(struct report_store *s, uint32_t day, const char *domain)
{
	struct sent *sent;

	if (s->pending.n_sent >= SENT_MAX)
		return false;
	sent = xcalloc(1, sizeof *sent);
	sent->day = day;
	strlcpy(sent->domain, domain, sizeof sent->domain);
	STAILQ_INSERT_TAIL(&s->pending.sent, sent, next);
	if (s->pending.n_sent++ == 0)
		soon(s, SENT_MSEC);
	return true;
}

/* ---- life ---- */

struct report_store *
report_open(struct loop *l, struct index *ix, const char **why)
{
	struct report_store *s = xcalloc(1, sizeof *s);
	int rc;

	s->loop = l;
	batch_init(&s->pending);
	batch_init(&s->flying);
	rc = report_db_open(&s->db, ix->facts, true);
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
report_close(struct report_store **sp)
{
	struct report_store *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	/* What flies, then what is left, once. */
	writer_wait(s->writer);
	if (!batch_is_empty(&s->pending))
		give(s);
	writer_close(&s->writer);
	timer_clear(&s->timer);
	batch_free(&s->pending);
	batch_free(&s->flying);
	free(s);
}
