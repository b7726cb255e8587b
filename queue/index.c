/*
 * The index: rows written, and read by key.  Used by queue, and by smtpctl to
 * read.
 *
 * SPDX-License-Identifier: ISC
 */
#include "index.h"

#include <assert.h>
#include <string.h>

#include "index_priv.h"
#include "smtp_addr.h"

/* ---- rows ---- */

static int
put_key(struct index *ix, enum index_db db, const struct key *k,
    const void *row, size_t len)
{
	MDB_val key = index_val(k->bytes, k->len), val = index_val(row, len);

	return mdb_put(ix->txn, ix->db[db], &key, &val, 0);
}

/* A key that is not there need not go. */
static int
del_key(struct index *ix, enum index_db db, const struct key *k)
{
	MDB_val key = index_val(k->bytes, k->len);
	int rc = mdb_del(ix->txn, ix->db[db], &key, NULL);

	return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

static int
get_key(struct index *ix, enum index_db db, const struct key *k, MDB_val *val)
{
	MDB_val key = index_val(k->bytes, k->len);

	return mdb_get(ix->txn, ix->db[db], &key, val);
}

static bool
same_key(const struct key *a, const struct key *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static struct key
msg_key(uint64_t id)
{
	struct key k = { .len = 0 };

	key_u64(&k, id);
	return k;
}

static struct key
rcpt_key(uint64_t id, uint32_t n)
{
	struct key k = { .len = 0 };

	key_u64(&k, id);
	key_u32(&k, n);
	return k;
}

static struct key
from_key(const struct index_msg *m)
{
	struct key k = { .len = 0 };

	key_text(&k, m->sender, true);
	key_u64(&k, m->id);
	return k;
}

/* Where a recipient stands beside rcpt. */
struct places {
	struct key due, route, to; /* of length 0: not there */
};

static void
places_of(const struct index_rcpt *r, struct places *p)
{
	p->due.len = p->route.len = p->to.len = 0;
	if (rcpt_state_end(r->state))
		return;
	key_time(&p->due, r->next);
	key_u64(&p->due, r->id);
	key_u32(&p->due, r->n);
	key_text(&p->to, smtp_addr_domain(r->addr), true);
	key_u64(&p->to, r->id);
	key_u32(&p->to, r->n);
	if (r->route[0] == '\0')
		return;
	key_text(&p->route, r->route, false);
	key_u8(&p->route, r->parked == PARKED_ROUTE);
	key_u64(&p->route, r->id);
	key_u32(&p->route, r->n);
}

static int
replace_key(struct index *ix, enum index_db db, const struct key *old,
    const struct key *new)
{
	int rc;

	if (same_key(old, new))
		return MDB_SUCCESS;
	if (old->len > 0 && (rc = del_key(ix, db, old)) != MDB_SUCCESS)
		return rc;
	return new->len > 0 ? put_key(ix, db, new, NULL, 0) : MDB_SUCCESS;
}

static int
replace_places(struct index *ix, const struct places *old,
    const struct places *new)
{
	int rc = replace_key(ix, DB_DUE, &old->due, &new->due);

	if (rc == MDB_SUCCESS)
		rc = replace_key(ix, DB_ROUTE, &old->route, &new->route);
	if (rc == MDB_SUCCESS)
		rc = replace_key(ix, DB_TO, &old->to, &new->to);
	return rc;
}

enum index_error
index_put_msg(struct index *ix, const struct index_msg *m)
{
	struct key key = msg_key(m->id), from = from_key(m), old_from;
	uint8_t row[ROW_MAX];
	struct index_msg old;
	enum index_error e;
	MDB_val val;
	int rc;

	assert(ix->writer);
	if ((e = index_txn(ix)) != INDEX_OK)
		return e;
	rc = get_key(ix, DB_MSG, &key, &val);
	if (rc == MDB_SUCCESS &&
	    row_unpack_msg(val.mv_data, val.mv_size, &old)) {
		old.id = m->id;
		old_from = from_key(&old);
		rc = replace_key(ix, DB_FROM, &old_from, &from);
	} else if (rc == MDB_SUCCESS || rc == MDB_NOTFOUND)
		rc = put_key(ix, DB_FROM, &from, NULL, 0);
	if (rc == MDB_SUCCESS)
		rc = put_key(ix, DB_MSG, &key, row, row_pack_msg(m, row));
	return index_error(ix, rc);
}

enum index_error
index_put_rcpt(struct index *ix, const struct index_rcpt *r)
{
	struct key key = rcpt_key(r->id, r->n);
	struct places was = { .due.len = 0 }, is;
	uint8_t row[ROW_MAX];
	struct index_rcpt old;
	enum index_error e;
	MDB_val val;
	int rc;

	assert(ix->writer);
	if ((e = index_txn(ix)) != INDEX_OK)
		return e;
	rc = get_key(ix, DB_RCPT, &key, &val);
	if (rc == MDB_SUCCESS) {
		/* Nobody knows any more where it stands. */
		if (!row_unpack_rcpt(val.mv_data, val.mv_size, &old))
			return INDEX_BAD;
		old.id = r->id;
		old.n = r->n;
		places_of(&old, &was);
	}
	if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND)
		return index_error(ix, rc);
	places_of(r, &is);
	rc = replace_places(ix, &was, &is);
	if (rc == MDB_SUCCESS)
		rc = put_key(ix, DB_RCPT, &key, row, row_pack_rcpt(r, row));
	return index_error(ix, rc);
}

enum index_error
index_get_msg(struct index *ix, uint64_t id, struct index_msg *m)
{
	struct key key = msg_key(id);
	enum index_error e;
	MDB_val val;

	if ((e = index_txn(ix)) != INDEX_OK)
		return e;
	e = index_error(ix, get_key(ix, DB_MSG, &key, &val));
	if (e == INDEX_OK && !row_unpack_msg(val.mv_data, val.mv_size, m))
		e = INDEX_BAD;
	m->id = id;
	return e;
}

enum index_error
index_get_rcpt(struct index *ix, uint64_t id, uint32_t n, struct index_rcpt *r)
{
	struct key key = rcpt_key(id, n);
	enum index_error e;
	MDB_val val;

	if ((e = index_txn(ix)) != INDEX_OK)
		return e;
	e = index_error(ix, get_key(ix, DB_RCPT, &key, &val));
	if (e == INDEX_OK && !row_unpack_rcpt(val.mv_data, val.mv_size, r))
		e = INDEX_BAD;
	r->id = id;
	r->n = n;
	return e;
}

/* All recipients of a message, and where they stand. */
static int
del_rcpts(struct index *ix, uint64_t id)
{
	static const struct places nowhere;
	struct key key = rcpt_key(id, 0);
	MDB_val k = index_val(key.bytes, key.len), val;
	struct index_rcpt r;
	struct places was;
	MDB_cursor *c;
	int rc;

	if ((rc = mdb_cursor_open(ix->txn, ix->db[DB_RCPT], &c)) != MDB_SUCCESS)
		return rc;
	rc = mdb_cursor_get(c, &k, &val, MDB_SET_RANGE);
	while (rc == MDB_SUCCESS && k.mv_size == key.len &&
	    key_get_u64(k.mv_data) == id) {
		if (row_unpack_rcpt(val.mv_data, val.mv_size, &r)) {
			r.id = id;
			r.n = key_get_u32((uint8_t *)k.mv_data + 8);
			places_of(&r, &was);
			rc = replace_places(ix, &was, &nowhere);
		}
		if (rc == MDB_SUCCESS)
			rc = mdb_cursor_del(c, 0);
		if (rc == MDB_SUCCESS)
			rc = mdb_cursor_get(c, &k, &val, MDB_NEXT);
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? MDB_SUCCESS : rc;
}

enum index_error
index_del_msg(struct index *ix, uint64_t id)
{
	struct key key = msg_key(id), from;
	struct index_msg m;
	enum index_error e;
	MDB_val val;
	int rc;

	assert(ix->writer);
	if ((e = index_txn(ix)) != INDEX_OK)
		return e;
	rc = get_key(ix, DB_MSG, &key, &val);
	if (rc == MDB_SUCCESS && row_unpack_msg(val.mv_data, val.mv_size, &m)) {
		m.id = id;
		from = from_key(&m);
		rc = del_key(ix, DB_FROM, &from);
	}
	if (rc == MDB_SUCCESS || rc == MDB_NOTFOUND)
		rc = del_key(ix, DB_MSG, &key);
	if (rc == MDB_SUCCESS)
		rc = del_rcpts(ix, id);
	return index_error(ix, rc);
}

/* ---- routes ---- */

static struct key
way_key(const char *route)
{
	struct key k = { .len = 0 };

	key_text(&k, route, false);
	return k;
}

enum index_error
index_put_way(struct index *ix, const struct index_way *w)
{
	struct key key = way_key(w->route);
	uint8_t row[ROW_MAX];
	enum index_error e;

	assert(ix->writer);
	if ((e = index_txn(ix)) != INDEX_OK)
		return e;
	return index_error(ix,
	    put_key(ix, DB_WAY, &key, row, row_pack_way(w, row)));
}

enum index_error
index_get_way(struct index *ix, const char *route, struct index_way *w)
{
	struct key key = way_key(route);
	enum index_error e;
	MDB_val val;

	if ((e = index_txn(ix)) != INDEX_OK)
		return e;
	e = index_error(ix, get_key(ix, DB_WAY, &key, &val));
	if (e == INDEX_OK && !row_unpack_way(val.mv_data, val.mv_size, w))
		e = INDEX_BAD;
	return e;
}

enum index_error
index_del_way(struct index *ix, const char *route)
{
	struct key key = way_key(route);
	enum index_error e;

	assert(ix->writer);
	if ((e = index_txn(ix)) != INDEX_OK)
		return e;
	return index_error(ix, del_key(ix, DB_WAY, &key));
}

/* ---- the whole ---- */

uint64_t
index_last_id(struct index *ix)
{
	MDB_cursor *c;
	MDB_val k, val;
	uint64_t id = 0;

	if (index_txn(ix) != INDEX_OK ||
	    mdb_cursor_open(ix->txn, ix->db[DB_MSG], &c) != MDB_SUCCESS)
		return 0;
	if (mdb_cursor_get(c, &k, &val, MDB_LAST) == MDB_SUCCESS &&
	    k.mv_size == sizeof id)
		id = key_get_u64(k.mv_data);
	mdb_cursor_close(c);
	return id;
}

void
index_count(struct index *ix, uint64_t *messages, uint64_t *rcpts)
{
	MDB_stat st;

	*messages = *rcpts = 0;
	if (index_txn(ix) != INDEX_OK)
		return;
	if (mdb_stat(ix->txn, ix->db[DB_MSG], &st) == MDB_SUCCESS)
		*messages = st.ms_entries;
	if (mdb_stat(ix->txn, ix->db[DB_DUE], &st) == MDB_SUCCESS)
		*rcpts = st.ms_entries;
}
