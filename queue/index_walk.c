/*
 * Walks over the index, and the facts beside it.  Used by queue and smtpctl.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "index_priv.h"
#include "log.h"

#define ID_N_LEN 12 /* id and number of a recipient at the end of a key */

/* ---- walks ---- */

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

/* ---- facts ---- */

#define FACTS_MAP     ((size_t)1 << 30) /* address space */
#define FACTS_DBS     8                 /* fact, and greylisting's */
#define FACTS_RESERVE (256 * 1024)      /* bytes on disk, from the start */

/* Room for what an operator says when the disk is full: `resume` above all.
 * Without it on a filesystem that cannot, the write says so. */
static void
facts_reserve(MDB_env *env)
{
	mdb_filehandle_t fd;

	if (mdb_env_get_fd(env, &fd) == MDB_SUCCESS)
		(void)!fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, FACTS_RESERVE);
}

static int
facts_env(struct index *ix, const char *path)
{
	unsigned int flags = MDB_NOTLS | (ix->writer ? 0 : MDB_RDONLY);
	MDB_txn *txn;
	int rc;

	if ((rc = mdb_env_create(&ix->facts)) != MDB_SUCCESS)
		return rc;
	rc = mdb_env_set_maxdbs(ix->facts, FACTS_DBS);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_set_mapsize(ix->facts, FACTS_MAP);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_open(ix->facts, path, flags, 0600);
	if (rc == MDB_SUCCESS)
		rc = mdb_txn_begin(ix->facts, NULL, ix->writer ? 0 : MDB_RDONLY,
		    &txn);
	if (rc == MDB_SUCCESS) {
		rc = mdb_dbi_open(txn, "fact", ix->writer ? MDB_CREATE : 0,
		    &ix->fact);
		if (rc == MDB_SUCCESS)
			rc = mdb_txn_commit(txn);
		else
			mdb_txn_abort(txn);
	}
	if (rc == MDB_SUCCESS && ix->writer)
		facts_reserve(ix->facts);
	if (rc != MDB_SUCCESS) {
		mdb_env_close(ix->facts);
		ix->facts = NULL;
	}
	return rc;
}

/* Facts that cannot be read are kept for the operator to look at. */
static bool
set_facts_aside(struct index *ix)
{
	char name[64];

	snprintf(name, sizeof name, "corrupt/facts.%lld",
	    (long long)time(NULL));
	log_warn("facts", "damaged, set aside as %s: holds and pause are lost",
	    name);
	(void)mkdirat(ix->spool, "corrupt", 0700);
	return renameat(ix->spool, "facts", ix->spool, name) == 0 &&
	    mkdirat(ix->spool, "facts", 0700) == 0;
}

bool
index_facts_open(struct index *ix, const char *dir, const char **why)
{
	char path[1024];
	int rc, n = snprintf(path, sizeof path, "%s/facts", dir);

	*why = "the path is too long";
	if (n < 0 || (size_t)n >= sizeof path)
		return false;
	if (ix->writer)
		(void)mkdirat(ix->spool, "facts", 0700);
	rc = facts_env(ix, path);
	/* A reader does without. */
	if (rc != MDB_SUCCESS && !ix->writer)
		return true;
	if ((rc == MDB_INVALID || rc == MDB_CORRUPTED ||
		rc == MDB_VERSION_MISMATCH) &&
	    set_facts_aside(ix))
		rc = facts_env(ix, path);
	*why = mdb_strerror(rc);
	return rc == MDB_SUCCESS;
}

static MDB_val
fact_key(struct index *ix, const char *name)
{
	size_t len = strlen(name), max;

	max = (size_t)mdb_env_get_maxkeysize(ix->facts);
	return (MDB_val){ .mv_size = len < max ? len : max,
		.mv_data = (void *)(uintptr_t)name };
}

bool
index_fact_put(struct index *ix, const char *name, const char *value)
{
	MDB_val key, val;
	MDB_txn *txn;
	int rc;

	if (ix->facts == NULL || !ix->writer || name[0] == '\0')
		return false;
	if (mdb_txn_begin(ix->facts, NULL, 0, &txn) != MDB_SUCCESS)
		return false;
	key = fact_key(ix, name);
	if (value != NULL) {
		val.mv_size = strlen(value);
		val.mv_data = (void *)(uintptr_t)value;
		rc = mdb_put(txn, ix->fact, &key, &val, 0);
	} else
		rc = mdb_del(txn, ix->fact, &key, NULL);
	if (rc != MDB_SUCCESS) {
		mdb_txn_abort(txn);
		return rc == MDB_NOTFOUND;
	}
	return mdb_txn_commit(txn) == MDB_SUCCESS;
}

bool
index_fact_get(struct index *ix, const char *name, char *value, size_t size)
{
	MDB_val key, val;
	MDB_txn *txn;
	bool ok;

	if (ix->facts == NULL || name[0] == '\0' ||
	    mdb_txn_begin(ix->facts, NULL, MDB_RDONLY, &txn) != MDB_SUCCESS)
		return false;
	key = fact_key(ix, name);
	ok = mdb_get(txn, ix->fact, &key, &val) == MDB_SUCCESS &&
	    val.mv_size < size;
	if (ok) {
		memcpy(value, val.mv_data, val.mv_size);
		value[val.mv_size] = '\0';
	}
	mdb_txn_abort(txn);
	return ok;
}
