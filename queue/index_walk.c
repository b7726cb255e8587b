/*
 * Walks over the index.  Used by queue and smtpctl.
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>

#include "index_priv.h"

#define ID_N_LEN 12 /* id and number of a recipient at the end of a key */

_Static_assert(sizeof((struct index_cursor){ 0 }.key) >= KEY_MAX, "too short");

/* Stands on the first row behind the cursor and below the prefix. */
static int
seek(MDB_cursor *mc, const struct index_cursor *c, const struct key *prefix,
    MDB_val *k, MDB_val *val)
{
	int rc;

	k->mv_size = c->begun ? c->len : prefix->len;
	k->mv_data = c->begun ? (void *)(uintptr_t)c->key :
				(void *)(uintptr_t)prefix->bytes;
	if (k->mv_size == 0)
		return mdb_cursor_get(mc, k, val, MDB_FIRST);
	rc = mdb_cursor_get(mc, k, val, MDB_SET_RANGE);
	if (rc == MDB_SUCCESS && c->begun && k->mv_size == c->len &&
	    memcmp(k->mv_data, c->key, c->len) == 0)
		rc = mdb_cursor_get(mc, k, val, MDB_NEXT);
	return rc;
}

/*
 * The next row whose key is prefix and then tail bytes (copied to out); val
 * is good until the transaction changes.
 */
static enum index_error
next_row(struct index *ix, enum index_db db, struct index_cursor *c,
    const struct key *prefix, size_t tail, uint8_t *out, MDB_val *val)
{
	enum index_error e;
	MDB_cursor *mc;
	MDB_val k;
	int rc;

	if ((e = index_txn(ix)) != INDEX_OK)
		return e;
	rc = mdb_cursor_open(ix->txn, ix->db[db], &mc);
	if (rc != MDB_SUCCESS)
		return index_error(ix, rc);
	rc = seek(mc, c, prefix, &k, val);
	mdb_cursor_close(mc);
	if (rc != MDB_SUCCESS)
		return index_error(ix, rc);
	if (k.mv_size < prefix->len ||
	    memcmp(k.mv_data, prefix->bytes, prefix->len) != 0)
		return INDEX_NONE;
	if (k.mv_size > sizeof c->key)
		return INDEX_BAD;
	memcpy(c->key, k.mv_data, k.mv_size);
	c->len = (uint16_t)k.mv_size;
	c->begun = true;
	if (tail == 0)
		return INDEX_OK;
	if (k.mv_size != prefix->len + tail)
		return INDEX_BAD;
	memcpy(out, c->key + prefix->len, tail);
	return INDEX_OK;
}

enum index_error
index_walk(struct index *ix, struct index_cursor *c, uint64_t *id, uint32_t *n)
{
	const struct key all = { .len = 0 };
	uint8_t tail[ID_N_LEN];
	enum index_error e;
	MDB_val val;

	e = next_row(ix, DB_RCPT, c, &all, sizeof tail, tail, &val);
	if (e != INDEX_OK)
		return e;
	*id = key_get_u64(tail);
	*n = key_get_u32(tail + 8);
	return INDEX_OK;
}

enum index_error
index_walk_due(struct index *ix, struct index_cursor *c, int64_t *next,
    uint64_t *id, uint32_t *n)
{
	const struct key all = { .len = 0 };
	uint8_t tail[8 + ID_N_LEN];
	enum index_error e;
	MDB_val val;

	e = next_row(ix, DB_DUE, c, &all, sizeof tail, tail, &val);
	if (e != INDEX_OK)
		return e;
	*next = key_get_time(tail);
	*id = key_get_u64(tail + 8);
	*n = key_get_u32(tail + 16);
	return INDEX_OK;
}

/* Ends of keys that are an id and a recipient, maybe a byte before them. */
static enum index_error
walk_rcpts(struct index *ix, enum index_db db, struct index_cursor *c,
    const struct key *prefix, size_t before, uint64_t *id, uint32_t *n)
{
	uint8_t tail[1 + ID_N_LEN];
	enum index_error e;
	MDB_val val;

	e = next_row(ix, db, c, prefix, before + ID_N_LEN, tail, &val);
	if (e != INDEX_OK)
		return e;
	*id = key_get_u64(tail + before);
	*n = key_get_u32(tail + before + 8);
	return INDEX_OK;
}

enum index_error
index_walk_route(struct index *ix, struct index_cursor *c, const char *route,
    bool parked, uint64_t *id, uint32_t *n)
{
	struct key prefix = { .len = 0 };

	key_text(&prefix, route, false);
	if (parked)
		key_u8(&prefix, 1);
	return walk_rcpts(ix, DB_ROUTE, c, &prefix, !parked, id, n);
}

enum index_error
index_walk_domain(struct index *ix, struct index_cursor *c, const char *domain,
    uint64_t *id, uint32_t *n)
{
	struct key prefix = { .len = 0 };

	key_text(&prefix, domain, true);
	return walk_rcpts(ix, DB_TO, c, &prefix, 0, id, n);
}

enum index_error
index_walk_sender(struct index *ix, struct index_cursor *c, const char *sender,
    uint64_t *id)
{
	struct key prefix = { .len = 0 };
	uint8_t tail[8];
	enum index_error e;
	MDB_val val;

	key_text(&prefix, sender, true);
	e = next_row(ix, DB_FROM, c, &prefix, sizeof tail, tail, &val);
	if (e == INDEX_OK)
		*id = key_get_u64(tail);
	return e;
}

enum index_error
index_walk_way(struct index *ix, struct index_cursor *c, struct index_way *w)
{
	const struct key all = { .len = 0 };
	enum index_error e;
	MDB_val val;

	e = next_row(ix, DB_WAY, c, &all, 0, NULL, &val);
	if (e == INDEX_OK && !row_unpack_way(val.mv_data, val.mv_size, w))
		return INDEX_BAD;
	return e;
}
