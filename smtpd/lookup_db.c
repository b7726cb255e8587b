/*
 * Tables in LMDB, as smtpctl makemap writes them.  The file is checked and
 * copied to memory before LMDB sees it: LMDB believes what it reads, and a
 * file that is written over or cut while it is mapped would take the process
 * with it.  So one transaction serves for the store's life.  Runs in lookup;
 * never writes.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/mman.h>

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "lookup_store.h"
#include "table_file.h"

struct store_db {
	struct store s;
	int copy;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
};

/* ---- asking ---- */

/* The text of a value: what stands before its NUL. */
static struct slice
value_text(const MDB_val *v)
{
	const char *p = v->mv_data;
	const char *nul = memchr(p, '\0', v->mv_size);

	return (struct slice){ p,
		nul == NULL ? v->mv_size : (size_t)(nul - p) };
}

/* Is it a further form of an entry that has another key? */
static bool
is_also(const MDB_val *v)
{
	return v->mv_size >= 2 &&
	    ((const uint8_t *)v->mv_data)[v->mv_size - 1] == TABLE_FILE_ALSO;
}

static enum table_answer
get(const struct store_db *db, void *key, size_t len, struct slice *value)
{
	MDB_val k = { len, key }, v;
	int rc = mdb_get(db->txn, db->dbi, &k, &v);

	if (rc == MDB_NOTFOUND)
		return TABLE_NO;
	if (rc != 0)
		return TABLE_UNKNOWN;
	*value = value_text(&v);
	return TABLE_YES;
}

static enum table_answer
db_get(const struct store *s, struct slice key, struct slice *value)
{
	const struct store_db *db = (const struct store_db *)(const void *)s;

	return get(db, (void *)(uintptr_t)key.p, key.len, value);
}

static enum table_answer
db_net(const struct store *s, const struct table_net *addr, struct slice *value)
{
	const struct store_db *db = (const struct store_db *)(const void *)s;
	uint8_t key[1 + sizeof(struct table_net)] = { TABLE_FILE_NET };
	struct table_net want = *addr;
	enum table_answer a;
	int bits;

	for (bits = addr->bits; bits >= 0; bits--) {
		if (!s->has_bits[addr->family == 6][bits])
			continue;
		table_net_mask(&want, (unsigned int)bits);
		memcpy(key + 1, &want, sizeof(want));
		a = get(db, key, sizeof(key), value);
		if (a != TABLE_NO)
			return a;
	}
	return TABLE_NO;
}

/* What begins with first, or (0) every entry. */
static bool
walk(const struct store_db *db, uint8_t first, store_fn *fn, void *arg)
{
	/* No folded key begins with a lesser byte than a blank. */
	uint8_t from = first != 0 ? first : ' ';
	MDB_val k = { 1, &from }, v;
	MDB_cursor *c;
	int rc;

	if (mdb_cursor_open(db->txn, db->dbi, &c) != 0)
		return false;
	for (rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE); rc == 0;
	     rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		struct slice key = { k.mv_data, k.mv_size };

		if (first != 0 && (uint8_t)key.p[0] != first)
			break;
		if (first == 0 && is_also(&v))
			continue;
		if (first != 0) {
			key.p++;
			key.len--;
		}
		if (!fn(arg, key, value_text(&v)))
			break;
	}
	mdb_cursor_close(c);
	return rc == 0 || rc == MDB_NOTFOUND;
}

static bool
db_each(const struct store *s, bool globs, store_fn *fn, void *arg)
{
	return walk((const struct store_db *)(const void *)s,
	    globs ? TABLE_FILE_GLOB : 0, fn, arg);
}

static void
db_free(struct store *s)
{
	struct store_db *db = (struct store_db *)(void *)s;

	if (db->txn != NULL)
		mdb_txn_abort(db->txn);
	if (db->env != NULL)
		mdb_env_close(db->env);
	if (db->copy != -1)
		close(db->copy);
	free(db);
}

static const struct store_ops db_ops = { db_get, db_net, db_each, db_free };

/* ---- opening ---- */

static bool
note_glob(void *arg, struct slice key, struct slice value)
{
	struct store *s = arg;

	(void)key;
	(void)value;
	s->has_globs = true;
	return false;
}

static bool
note_net(void *arg, struct slice key, struct slice value)
{
	struct store *s = arg;
	struct table_net net;

	(void)value;
	if (key.len != sizeof(net))
		return true;
	memcpy(&net, key.p, sizeof(net));
	if ((net.family == 4 && net.bits <= 32) ||
	    (net.family == 6 && net.bits <= 128))
		s->has_bits[net.family == 6][net.bits] = true;
	return true;
}

static int
open_env(struct store_db *db)
{
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", db->copy);
	if ((rc = mdb_env_create(&db->env)) != 0 ||
	    (rc = mdb_env_open(db->env, path,
		 MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK, 0)) != 0 ||
	    (rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &db->txn)) != 0)
		return rc;
	return mdb_dbi_open(db->txn, NULL, 0, &db->dbi);
}

const char *
store_db_open(int fd, struct store **out)
{
	struct store_db *db = xcalloc(1, sizeof(*db));
	struct store *s = &db->s;
	const char *why = NULL;
	uint64_t n = 0;
	int rc;

	s->ops = &db_ops;
	db->copy = memfd_create("table", MFD_CLOEXEC);
	if (db->copy == -1)
		why = strerror(errno);
	if (why == NULL)
		why = table_file_copy(fd, db->copy, &n);
	if (why == NULL && (rc = open_env(db)) != 0)
		why = mdb_strerror(rc);
	if (why == NULL &&
	    (!walk(db, TABLE_FILE_GLOB, note_glob, s) ||
		!walk(db, TABLE_FILE_NET, note_net, s)))
		why = "LMDB cannot read it";
	if (why != NULL) {
		store_free(&s);
		return why;
	}
	s->n = (size_t)n;
	s->bytes = (size_t)lseek(db->copy, 0, SEEK_END);
	*out = s;
	return NULL;
}
