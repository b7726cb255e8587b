/*
 * Rows of reports, in LMDB: written and forgotten.  Used by queue, in a thread
 * that waits for the disk, and by smtpctl to read.
 *
 * SPDX-License-Identifier: ISC
 */
#include "report_db.h"

#include <stdlib.h>
#include <string.h>

#include "index_priv.h"
#include "log.h"
#include "report_store.h"

int
report_db_open(struct report_db *db, MDB_env *env, bool create)
{
	static const char *const names[] = { "report", "reporthead" };
	MDB_dbi dbs[2];
	int rc = facts_dbs(env, create, names, dbs, 2);

	if (rc == MDB_SUCCESS)
		*db = (struct report_db){ env, dbs[0], dbs[1] };
	return rc;
}

/* ---- heads ---- */

/* What is known; zeros: nothing, or nothing that can be read. */
static int
get_head(const struct report_db *db, MDB_txn *txn, const struct report_key *key,
    struct report_head *head)
{
	MDB_val k = index_val(key->bytes, key->len), val;
	int rc = mdb_get(txn, db->head, &k, &val);

	if (rc != MDB_SUCCESS ||
	    !report_unpack_head(val.mv_data, val.mv_size, head))
		memset(head, 0, sizeof *head);
	return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

static int
put_head(const struct report_db *db, MDB_txn *txn, const struct report_key *key,
    const struct report_head *head)
{
	uint8_t packed[REPORT_HEAD_MAX];
	MDB_val k = index_val(key->bytes, key->len), val;

	val = index_val(packed, report_pack_head(head, packed));
	return mdb_put(txn, db->head, &k, &val, 0);
}

/* ---- rows ---- */

static uint64_t
bytes_of(const MDB_stat *st)
{
	return (st->ms_branch_pages + st->ms_leaf_pages +
		   st->ms_overflow_pages) *
	    (uint64_t)st->ms_psize;
}

/* Is there room for one more?  Who forges makes each message a row, and as
 * long as one can be; others have their facts in the same file. */
static bool
is_full(const struct report_db *db, MDB_txn *txn,
    const struct report_limits *limits)
{
	MDB_stat row, head;

	if (mdb_stat(txn, db->row, &row) != MDB_SUCCESS ||
	    mdb_stat(txn, db->head, &head) != MDB_SUCCESS)
		return false;
	return row.ms_entries >= limits->all ||
	    (limits->bytes != 0 &&
		bytes_of(&row) + bytes_of(&head) >= limits->bytes);
}

/* A row, to be added to what is there. */
struct adding {
	const struct report_change *change;
	struct report_hash hash;
	uint8_t packed[REPORT_ROW_MAX];
	size_t len;
	bool is_new;
};

/* *a: with what is there of the same hash. */
static int
look(const struct report_db *db, MDB_txn *txn, struct adding *a)
{
	struct report_key key;
	struct report_row row;
	MDB_val k, val;
	int rc;

	report_key(a->change->day, a->change->domain, &a->hash, &key);
	k = index_val(key.bytes, key.len);
	rc = mdb_get(txn, db->row, &k, &val);
	a->is_new =
	    rc != MDB_SUCCESS || !report_unpack(val.mv_data, val.mv_size, &row);
	if (!a->is_new)
		report_add(a->packed, val.mv_data);
	return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

/* The same without signatures. */
static void
shorten(struct adding *a)
{
	struct report_row row;

	if (!report_unpack(a->packed, a->len, &row))
		return;
	row.n_dkim = 0;
	a->len = report_pack(&row, a->packed, &a->hash);
}

static int
put_row(const struct report_db *db, MDB_txn *txn, const struct adding *a)
{
	struct report_key key;
	MDB_val k, val = index_val(a->packed, a->len);

	report_key(a->change->day, a->change->domain, &a->hash, &key);
	k = index_val(key.bytes, key.len);
	return mdb_put(txn, db->row, &k, &val, 0);
}

int
report_db_add(const struct report_db *db, MDB_txn *txn,
    const struct report_change *c, const struct report_limits *limits)
{
	struct adding a = { .change = c, .hash = c->hash, .len = c->len };
	uint64_t n = report_count(c->packed);
	struct report_head head;
	struct report_row row;
	struct report_key key;
	int rc;

	if (!report_unpack(c->packed, c->len, &row))
		return MDB_SUCCESS;
	report_key(c->day, c->domain, NULL, &key);
	memcpy(a.packed, c->packed, c->len);
	if ((rc = get_head(db, txn, &key, &head)) != MDB_SUCCESS ||
	    (rc = look(db, txn, &a)) != MDB_SUCCESS)
		return rc;
	if (a.is_new && head.rows >= limits->of_one) {
		shorten(&a);
		head.shortened += n;
		if ((rc = look(db, txn, &a)) != MDB_SUCCESS)
			return rc;
	}
	if (a.is_new &&
	    (is_full(db, txn, limits) ||
		head.rows >= limits->of_one + limits->of_one / 10)) {
		if (head.rows == 0)
			return MDB_SUCCESS;
		head.dropped += n;
		return put_head(db, txn, &key, &head);
	}
	if ((rc = put_row(db, txn, &a)) != MDB_SUCCESS)
		return rc;
	head.policy = c->policy;
	head.rows += a.is_new;
	head.messages += n;
	if (head.first == 0 || row.first < head.first)
		head.first = row.first;
	if (row.last > head.last)
		head.last = row.last;
	return put_head(db, txn, &key, &head);
}

/* Those of one domain and day. */
static int
del_rows(const struct report_db *db, MDB_txn *txn, const struct report_key *key)
{
	MDB_cursor *mc;
	MDB_val k, val;
	int rc;

	if ((rc = mdb_cursor_open(txn, db->row, &mc)) != MDB_SUCCESS)
		return rc;
	for (;;) {
		k = index_val(key->bytes, key->len);
		rc = mdb_cursor_get(mc, &k, &val, MDB_SET_RANGE);
		if (rc != MDB_SUCCESS || k.mv_size <= key->len ||
		    memcmp(k.mv_data, key->bytes, key->len) != 0 ||
		    (rc = mdb_cursor_del(mc, 0)) != MDB_SUCCESS)
			break;
	}
	mdb_cursor_close(mc);
	return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

int
report_db_sent(const struct report_db *db, MDB_txn *txn, uint32_t day,
    const char *domain)
{
	struct report_head head, next = { 0 };
	struct report_key key;
	int rc;

	report_key(day, domain, NULL, &key);
	if ((rc = get_head(db, txn, &key, &head)) != MDB_SUCCESS ||
	    (head.rows == 0 && head.dropped == 0))
		return rc;
	if ((rc = del_rows(db, txn, &key)) != MDB_SUCCESS)
		return rc;
	/* Kept for as long as the day is: the next report of it, if there is
	 * one, has another id. */
	next.policy = head.policy;
	next.sent = head.sent + 1;
	return put_head(db, txn, &key, &next);
}

/* From the front of a database, what is of days before that one. */
static int
sweep(MDB_txn *txn, MDB_dbi dbi, uint32_t day, unsigned int *some,
    unsigned int *unsent)
{
	struct report_head head;
	MDB_cursor *mc;
	MDB_val k, val;
	int rc;

	if ((rc = mdb_cursor_open(txn, dbi, &mc)) != MDB_SUCCESS)
		return rc;
	while (*some > 0 &&
	    (rc = mdb_cursor_get(mc, &k, &val, MDB_FIRST)) == MDB_SUCCESS &&
	    (k.mv_size < 4 || key_get_u32(k.mv_data) < day)) {
		if (unsent != NULL &&
		    report_unpack_head(val.mv_data, val.mv_size, &head))
			*unsent += head.rows > 0;
		if ((rc = mdb_cursor_del(mc, 0)) != MDB_SUCCESS)
			break;
		(*some)--;
	}
	mdb_cursor_close(mc);
	return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

int
report_db_sweep(const struct report_db *db, MDB_txn *txn, uint32_t day,
    unsigned int some, unsigned int *n)
{
	int rc = sweep(txn, db->row, day, &some, NULL);

	return rc != MDB_SUCCESS ? rc : sweep(txn, db->head, day, &some, n);
}

/* ---- reading: heads ---- */

/* Read in one transaction: whoever prints them may be slow, and the file grows
 * for as long as it lasts. */
#define HEADS_AT_ONCE 256

/* The heads behind *at, which is moved.  False: there are none behind them. */
static bool
some_heads(const struct report_db *db, struct report_key *at,
    struct report_head_row *rows, size_t *n)
{
	MDB_val k = index_val(at->bytes, at->len), val;
	struct report_head_row *row;
	MDB_cursor *mc;
	MDB_txn *txn;
	size_t seen;
	int rc;

	*n = 0;
	if (mdb_txn_begin(db->env, NULL, MDB_RDONLY, &txn) != MDB_SUCCESS)
		return false;
	if ((rc = mdb_cursor_open(txn, db->head, &mc)) == MDB_SUCCESS) {
		rc = mdb_cursor_get(mc, &k, &val,
		    at->len == 0 ? MDB_FIRST : MDB_SET_RANGE);
		if (rc == MDB_SUCCESS && k.mv_size == at->len &&
		    memcmp(k.mv_data, at->bytes, at->len) == 0)
			rc = mdb_cursor_get(mc, &k, &val, MDB_NEXT);
		for (seen = 0; rc == MDB_SUCCESS && seen < HEADS_AT_ONCE;
		     seen++) {
			row = &rows[*n];
			*n += report_key_read(k.mv_data, k.mv_size, false,
				  &row->day, row->domain, NULL) &&
			    report_unpack_head(val.mv_data, val.mv_size,
				&row->head);
			at->len = k.mv_size < sizeof at->bytes ?
			    k.mv_size :
			    sizeof at->bytes;
			memcpy(at->bytes, k.mv_data, at->len);
			rc = mdb_cursor_get(mc, &k, &val, MDB_NEXT);
		}
		mdb_cursor_close(mc);
	}
	mdb_txn_abort(txn);
	return rc == MDB_SUCCESS;
}

void
report_heads(struct index *ix, report_head_fn *fn, void *arg)
{
	struct report_key at = { .len = 0 };
	struct report_head_row *rows;
	struct report_db db;
	bool more = true;
	size_t i, n;

	if (ix->facts == NULL ||
	    report_db_open(&db, ix->facts, false) != MDB_SUCCESS)
		return;
	rows = xcalloc(HEADS_AT_ONCE, sizeof *rows);
	while (more) {
		more = some_heads(&db, &at, rows, &n);
		for (i = 0; i < n; i++) {
			if (!fn(arg, &rows[i])) {
				more = false;
				break;
			}
		}
	}
	free(rows);
}

/* ---- reading: rows ---- */

struct report_reader {
	struct report_db db;
	MDB_txn *txn;
	uint32_t day;
	const char *domain;
};

struct report_reader *
report_read(struct index *ix, uint32_t day, const char *domain,
    struct report_head *head)
{
	struct report_reader *r;
	struct report_db db;
	struct report_key key;
	MDB_txn *txn;

	if (ix->facts == NULL ||
	    report_db_open(&db, ix->facts, false) != MDB_SUCCESS ||
	    mdb_txn_begin(ix->facts, NULL, MDB_RDONLY, &txn) != MDB_SUCCESS)
		return NULL;
	report_key(day, domain, NULL, &key);
	if (get_head(&db, txn, &key, head) != MDB_SUCCESS || head->rows == 0) {
		mdb_txn_abort(txn);
		return NULL;
	}
	r = xcalloc(1, sizeof *r);
	*r = (struct report_reader){ db, txn, day, domain };
	return r;
}

static int
by_count(const void *a, const void *b)
{
	const struct report_mention *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return memcmp(x->hash.bytes, y->hash.bytes, sizeof x->hash.bytes);
}

size_t
report_mentions(struct report_reader *r, struct report_mention **out)
{
	char domain[DOMAIN_MAX + 1];
	struct report_key key;
	struct report_mention *all = NULL;
	struct report_row row;
	size_t n = 0, room = 0;
	MDB_val k, val;
	MDB_cursor *mc;
	uint32_t day;
	int rc;

	*out = NULL;
	report_key(r->day, r->domain, NULL, &key);
	k = index_val(key.bytes, key.len);
	if (mdb_cursor_open(r->txn, r->db.row, &mc) != MDB_SUCCESS)
		return 0;
	rc = mdb_cursor_get(mc, &k, &val, MDB_SET_RANGE);
	for (; rc == MDB_SUCCESS && k.mv_size > key.len &&
	     memcmp(k.mv_data, key.bytes, key.len) == 0;
	     rc = mdb_cursor_get(mc, &k, &val, MDB_NEXT)) {
		if (n == room) {
			room = room == 0 ? 64 : 2 * room;
			all = xrealloc(all, room, sizeof *all);
		}
		if (!report_unpack(val.mv_data, val.mv_size, &row) ||
		    !report_key_read(k.mv_data, k.mv_size, true, &day, domain,
			&all[n].hash))
			continue;
		all[n++].count = row.count;
	}
	mdb_cursor_close(mc);
	if (n > 0)
		qsort(all, n, sizeof *all, by_count);
	*out = all;
	return n;
}

bool
report_read_row(struct report_reader *r, const struct report_hash *hash,
    struct report_row *row)
{
	struct report_key key;
	MDB_val k, val;

	report_key(r->day, r->domain, hash, &key);
	k = index_val(key.bytes, key.len);
	return mdb_get(r->txn, r->db.row, &k, &val) == MDB_SUCCESS &&
	    report_unpack(val.mv_data, val.mv_size, row);
}

void
report_read_end(struct report_reader **rp)
{
	struct report_reader *r = *rp;

	if (r == NULL)
		return;
	*rp = NULL;
	mdb_txn_abort(r->txn);
	free(r);
}
