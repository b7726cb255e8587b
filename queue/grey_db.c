/*
 * What greylisting knows, in LMDB: written and forgotten.  Used by queue, in
 * a thread that waits for the disk, and by smtpctl to read.
 *
 * SPDX-License-Identifier: ISC
 */
#include "grey_db.h"

#include <stdlib.h>
#include <string.h>

#include "grey_store.h"
#include "index_priv.h"
#include "log.h"

/* Read in one transaction: whoever prints them may be slow, and the file grows
 * for as long as it lasts. */
#define WALK_ROWS 256

int
grey_db_open(struct grey_db *db, MDB_env *env, bool create)
{
	static const char *const names[] = { "grey", "greynet", "greydue" };
	MDB_dbi dbs[GREY_KINDS + 1];
	int rc = facts_dbs(env, create, names, dbs, GREY_KINDS + 1);

	if (rc != MDB_SUCCESS)
		return rc;
	db->env = env;
	memcpy(db->row, dbs, sizeof db->row);
	db->due = dbs[GREY_KINDS];
	return rc;
}

/* ---- writing ---- */

static struct key
due_key(enum grey_of of, const struct grey_key *key, int64_t due)
{
	struct key k = { .len = 0 };

	key_time(&k, due);
	key_u8(&k, (uint8_t)of);
	memcpy(k.bytes + k.len, key->bytes, sizeof key->bytes);
	k.len += sizeof key->bytes;
	return k;
}

static int
del_due(const struct grey_db *db, MDB_txn *txn, enum grey_of of,
    const struct grey_key *key, int64_t due)
{
	struct key k = due_key(of, key, due);
	MDB_val val = index_val(k.bytes, k.len);
	int rc = mdb_del(txn, db->due, &val, NULL);

	return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

int
grey_db_put(const struct grey_db *db, MDB_txn *txn, const struct grey_change *c)
{
	MDB_val key = index_val(c->key.bytes, sizeof c->key.bytes), val;
	struct grey_triplet t;
	struct grey_known k;
	struct key due;
	int64_t old;
	int rc;

	rc = mdb_get(txn, db->row[c->of], &key, &val);
	if (rc == MDB_SUCCESS &&
	    grey_unpack(val.mv_data, val.mv_size, &t, &k, &old))
		rc = del_due(db, txn, c->of, &c->key, old);
	if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND)
		return rc;
	val = index_val(c->row, c->len);
	rc = mdb_put(txn, db->row[c->of], &key, &val, 0);
	if (rc != MDB_SUCCESS)
		return rc;
	due = due_key(c->of, &c->key, c->due);
	key = index_val(due.bytes, due.len);
	val = index_val(NULL, 0);
	return mdb_put(txn, db->due, &key, &val, 0);
}

static size_t
rows_in(const struct grey_db *db, MDB_txn *txn)
{
	MDB_stat st;
	size_t n = 0;
	int i;

	for (i = 0; i < GREY_KINDS; i++) {
		if (mdb_stat(txn, db->row[i], &st) == MDB_SUCCESS)
			n += st.ms_entries;
	}
	return n;
}

int
grey_db_sweep(const struct grey_db *db, MDB_txn *txn, int64_t now,
    unsigned int some, size_t most)
{
	size_t have = rows_in(db, txn);
	MDB_val due, val, key;
	MDB_cursor *c;
	uint8_t *p;
	int rc;

	if ((rc = mdb_cursor_open(txn, db->due, &c)) != MDB_SUCCESS)
		return rc;
	while ((rc = mdb_cursor_get(c, &due, &val, MDB_FIRST)) == MDB_SUCCESS) {
		p = due.mv_data;
		if (have <= most &&
		    (some == 0 || due.mv_size < 8 || key_get_time(p) >= now))
			break;
		if (due.mv_size == 9 + sizeof(struct grey_key) &&
		    p[8] < GREY_KINDS) {
			key = index_val(p + 9, sizeof(struct grey_key));
			rc = mdb_del(txn, db->row[p[8]], &key, NULL);
			have -= rc == MDB_SUCCESS;
			if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND)
				break;
		}
		/* The row went first: its key was in this page. */
		if ((rc = mdb_cursor_del(c, 0)) != MDB_SUCCESS)
			break;
		some -= some > 0;
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

/* ---- reading ---- */

void
grey_count(struct index *ix, uint64_t *triplets, uint64_t *nets)
{
	uint64_t *const n[GREY_KINDS] = { triplets, nets };
	struct grey_db db;
	MDB_txn *txn;
	MDB_stat st;
	int i;

	*triplets = *nets = 0;
	if (ix->facts == NULL ||
	    grey_db_open(&db, ix->facts, false) != MDB_SUCCESS ||
	    mdb_txn_begin(ix->facts, NULL, MDB_RDONLY, &txn) != MDB_SUCCESS)
		return;
	for (i = 0; i < GREY_KINDS; i++) {
		if (mdb_stat(txn, db.row[i], &st) == MDB_SUCCESS)
			*n[i] = st.ms_entries;
	}
	mdb_txn_abort(txn);
}

/* A row, out of its page. */
struct walked {
	struct grey_triplet t;
	struct grey_known k;
	int64_t due;
};

/* The key behind it; false: it was the last that can be. */
static bool
next_key(struct grey_key *key)
{
	size_t i = sizeof key->bytes;

	while (i > 0 && ++key->bytes[--i] == 0)
		;
	return i > 0 || key->bytes[0] != 0;
}

/* The rows from *at on, in a transaction of their own, and where to go on.
 * False: there are none behind them. */
static bool
walk_some(const struct grey_db *db, enum grey_of of, struct grey_key *at,
    struct walked *rows, size_t *n)
{
	MDB_val key = index_val(at->bytes, sizeof at->bytes), val;
	struct walked *w;
	MDB_cursor *c;
	MDB_txn *txn;
	size_t seen;
	int rc;

	*n = 0;
	if (mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn) != MDB_SUCCESS)
		return false;
	if ((rc = mdb_cursor_open(txn, db->row[of], &c)) == MDB_SUCCESS) {
		rc = mdb_cursor_get(c, &key, &val, MDB_SET_RANGE);
		for (seen = 0; rc == MDB_SUCCESS && seen < WALK_ROWS; seen++) {
			w = &rows[*n];
			*n += grey_unpack(val.mv_data, val.mv_size, &w->t,
			    &w->k, &w->due);
			if (key.mv_size == sizeof at->bytes)
				memcpy(at->bytes, key.mv_data, key.mv_size);
			rc = mdb_cursor_get(c, &key, &val, MDB_NEXT);
		}
		mdb_cursor_close(c);
	}
	mdb_txn_abort(txn);
	return rc == MDB_SUCCESS && next_key(at);
}

void
grey_walk(struct index *ix, bool nets, grey_fn *fn, void *arg)
{
	enum grey_of of = nets ? GREY_NET : GREY_TRIPLET;
	struct grey_key at = { { 0 } };
	struct walked *rows;
	struct grey_db db;
	bool more = true;
	size_t i, n;

	if (ix->facts == NULL ||
	    grey_db_open(&db, ix->facts, false) != MDB_SUCCESS)
		return;
	rows = xcalloc(WALK_ROWS, sizeof *rows);
	while (more) {
		more = walk_some(&db, of, &at, rows, &n);
		for (i = 0; i < n; i++) {
			if (!fn(arg, &rows[i].t, &rows[i].k, rows[i].due)) {
				more = false;
				break;
			}
		}
	}
	free(rows);
}
