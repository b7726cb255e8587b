/*
 * What greylisting knows, between the loop and the disk.  Used by queue.
 *
 * SPDX-License-Identifier: ISC
 */
#include "grey_store.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "grey_db.h"
#include "index_priv.h"
#include "log.h"
#include "store.h"

#define SWEEP_MSEC 60000 /* due rows go, also where nothing comes */
#define SWEEP_SOME 1000  /* so many at a time */

struct change {
	struct store_entry entry;
	struct grey_change row;
	uint8_t key[1 + sizeof(struct grey_key)]; /* which, and its key */
	uint8_t packed[];
};

struct grey_store {
	struct grey_db db;
	MDB_txn *read; /* reset between questions */
	struct store *store;
};

static void
change_key(enum grey_of of, const struct grey_key *key,
    uint8_t out[1 + sizeof(struct grey_key)])
{
	out[0] = (uint8_t)of;
	memcpy(out + 1, key->bytes, sizeof key->bytes);
}

/* ---- the thread ---- */

static int
sweep(void *arg, MDB_txn *txn)
{
	const struct grey_store *s = arg;

	return grey_db_sweep(&s->db, txn, (int64_t)time(NULL), SWEEP_SOME,
	    GREY_MAX);
}

static int
write_row(void *arg, MDB_txn *txn, const struct store_entry *e)
{
	const struct grey_store *s = arg;

	return grey_db_put(&s->db, txn, &((const struct change *)e)->row);
}

static const struct store_kind kind = {
	.what = "greylisting",
	.often = SWEEP_MSEC,
	.room = GREY_PENDING,
	.sweep = sweep,
	.write = write_row,
};

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
	uint8_t name[1 + sizeof(struct grey_key)];
	const struct change *c;
	struct grey_triplet there;
	struct grey_key key;
	MDB_val at, val;
	bool good = false;
	int64_t due;

	grey_key(t, of == GREY_NET, &key);
	change_key(of, &key, name);
	c = (const struct change *)store_find(s->store, name, sizeof name);
	at = index_val(key.bytes, sizeof key.bytes);
	if (c != NULL)
		good = grey_unpack(c->packed, c->row.len, &there, k, &due);
	else if (txn != NULL &&
	    mdb_get(txn, s->db.row[of], &at, &val) == MDB_SUCCESS)
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
	uint8_t packed[GREY_ROW_MAX];
	struct change *c;
	size_t len;

	memcpy(alone.net, t->net, sizeof alone.net);
	len = grey_pack(of == GREY_NET ? &alone : t, k, due, packed);
	c = xcalloc(1, sizeof *c + len);
	memcpy(c->packed, packed, len);
	c->row = (struct grey_change){ .of = of,
		.due = due,
		.len = len,
		.row = c->packed };
	grey_key(t, of == GREY_NET, &c->row.key);
	change_key(of, &c->row.key, c->key);
	c->entry.key = c->key;
	c->entry.key_len = sizeof c->key;
	store_put(s->store, &c->entry);
}

bool
grey_put(struct grey_store *s, const struct grey_triplet *t,
    const struct grey_known *triplet, int64_t triplet_due,
    const struct grey_known *net, int64_t net_due)
{
	if (store_room(s->store) < 2)
		return false;
	if (triplet->first != 0)
		keep(s, t, GREY_TRIPLET, triplet, triplet_due);
	if (net->n != 0)
		keep(s, t, GREY_NET, net, net_due);
	return true;
}

/* ---- life ---- */

struct grey_store *
grey_open(struct loop *l, struct index *ix, const char **why)
{
	struct grey_store *s = xcalloc(1, sizeof *s);
	int rc;

	rc = grey_db_open(&s->db, ix->facts, true);
	if (rc == MDB_SUCCESS)
		s->store = store_open(l, ix->facts, &kind, s, why);
	else
		*why = mdb_strerror(rc);
	if (s->store == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

void
grey_close(struct grey_store **sp)
{
	struct grey_store *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	store_close(&s->store);
	if (s->read != NULL)
		mdb_txn_abort(s->read);
	free(s);
}
