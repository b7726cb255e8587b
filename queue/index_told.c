/*
 * The index: how often addresses were told.  Used by queue.  A row:
 *
 *	version, slot, until, number of marks; of each its time and number
 *
 * as bytes of 1, 8, 8, 1; 8, 4 each, big-endian.
 *
 * SPDX-License-Identifier: ISC
 */
#include "index_told.h"

#include <assert.h>
#include <string.h>

#include "index_priv.h"

#define VERSION  1
#define HEAD_LEN (1 + 8 + 8 + 1)
#define MARK_LEN (8 + 4)

static uint8_t *
put_bytes(uint8_t *p, uint64_t v, size_t n)
{
	while (n-- > 0)
		*p++ = (uint8_t)(v >> (8 * n));
	return p;
}

static size_t
pack(const struct index_told *t, uint8_t *out)
{
	uint8_t *p = out;
	uint32_t i;

	assert(t->n_marks <= RATE_MARKS);
	p = put_bytes(p, VERSION, 1);
	p = put_bytes(p, (uint64_t)t->slot, 8);
	p = put_bytes(p, (uint64_t)t->until, 8);
	p = put_bytes(p, t->n_marks, 1);
	for (i = 0; i < t->n_marks; i++) {
		p = put_bytes(p, (uint64_t)t->mark[i].at, 8);
		p = put_bytes(p, t->mark[i].n, 4);
	}
	return (size_t)(p - out);
}

/* False: not such a row. */
static bool
unpack(const uint8_t *p, size_t len, struct index_told *t)
{
	uint32_t i;

	if (len < HEAD_LEN || p[0] != VERSION || p[17] > RATE_MARKS ||
	    len != HEAD_LEN + p[17] * (size_t)MARK_LEN)
		return false;
	t->slot = (int64_t)key_get_u64(p + 1);
	t->until = (int64_t)key_get_u64(p + 9);
	t->n_marks = p[17];
	p += HEAD_LEN;
	for (i = 0; i < t->n_marks; i++, p += MARK_LEN) {
		t->mark[i].at = (int64_t)key_get_u64(p);
		t->mark[i].n = key_get_u32(p + 8);
	}
	return true;
}

enum index_error
index_get_told(struct index *ix, struct index_told *t)
{
	struct key key = { .len = 0 };
	enum index_error e;
	MDB_val k, val;

	key_text(&key, t->to, true);
	t->slot = t->until = 0;
	t->n_marks = 0;
	if ((e = index_txn(ix)) != INDEX_OK)
		return e;
	k = index_val(key.bytes, key.len);
	e = index_error(ix, mdb_get(ix->txn, ix->db[DB_TOLD], &k, &val));
	if (e == INDEX_OK && !unpack(val.mv_data, val.mv_size, t))
		e = INDEX_BAD;
	return e;
}

enum index_error
index_put_told(struct index *ix, const struct index_told *t)
{
	uint8_t row[HEAD_LEN + RATE_MARKS * MARK_LEN];
	struct key key = { .len = 0 };
	enum index_error e;
	MDB_val k, val;

	assert(ix->writer);
	key_text(&key, t->to, true);
	if ((e = index_txn(ix)) != INDEX_OK)
		return e;
	k = index_val(key.bytes, key.len);
	val = index_val(row, pack(t, row));
	return index_error(ix, mdb_put(ix->txn, ix->db[DB_TOLD], &k, &val, 0));
}

/* Stands at the row that c remembers, or the one behind it. */
static int
seek(MDB_cursor *mc, struct index_cursor *c, MDB_val *k, MDB_val *val)
{
	if (!c->begun)
		return mdb_cursor_get(mc, k, val, MDB_FIRST);
	*k = index_val(c->key, c->len);
	return mdb_cursor_get(mc, k, val, MDB_SET_RANGE);
}

/* c remembers the row behind the one that was looked at. */
static int
sweep_one(MDB_cursor *mc, struct index_cursor *c, int64_t now)
{
	struct index_told t = { .slot = 0 };
	MDB_val k, val;
	int rc;

	if ((rc = seek(mc, c, &k, &val)) != MDB_SUCCESS)
		return rc;
	if (!unpack(val.mv_data, val.mv_size, &t) || t.until <= now)
		rc = mdb_cursor_del(mc, 0);
	/* Where one was deleted, this is the one behind it. */
	if (rc == MDB_SUCCESS)
		rc = mdb_cursor_get(mc, &k, &val, MDB_NEXT);
	if (rc != MDB_SUCCESS)
		return rc;
	assert(k.mv_size <= sizeof c->key);
	memcpy(c->key, k.mv_data, k.mv_size);
	c->len = (uint16_t)k.mv_size;
	c->begun = true;
	return MDB_SUCCESS;
}

enum index_error
index_sweep_told(struct index *ix, struct index_cursor *c, int64_t now)
{
	enum index_error e;
	MDB_cursor *mc;
	int rc;

	assert(ix->writer);
	if ((e = index_txn(ix)) != INDEX_OK)
		return e;
	rc = mdb_cursor_open(ix->txn, ix->db[DB_TOLD], &mc);
	if (rc == MDB_SUCCESS) {
		rc = sweep_one(mc, c, now);
		mdb_cursor_close(mc);
	}
	if (rc != MDB_SUCCESS)
		memset(c, 0, sizeof *c);
	return index_error(ix, rc);
}
