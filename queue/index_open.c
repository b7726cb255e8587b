/*
 * The index: opened, closed, and its transactions.  Used by queue, and by
 * smtpctl through index_read().  Never syncs its database but at the end,
 * never writes through the map.
 *
 * SPDX-License-Identifier: ISC
 */
#include "index.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "index_priv.h"
#include "log.h"
#include "loop.h"

/* Address space, not memory: ten million messages fit four times over. */
#define MAP_SIZE  (sizeof(size_t) > 4 ? (uint64_t)1 << 36 : (uint64_t)1 << 30)
#define MAP_ALIGN ((uint64_t)1 << 20)
#define PATH_SIZE 1024

#define ENV_FLAGS     (MDB_NOSYNC | MDB_NOTLS | MDB_NORDAHEAD)
#define LASTED        10000 /* ms: a writer who lives so long is well */
#define CHECK_READERS 1024  /* commits between looks for dead readers */

static const char *const db_names[DB_COUNT] = {
	[DB_MSG] = "msg",
	[DB_RCPT] = "rcpt",
	[DB_DUE] = "due",
	[DB_ROUTE] = "route",
	[DB_FROM] = "from",
	[DB_TO] = "to",
	[DB_WAY] = "way",
	[DB_TOLD] = "told",
};

/* ---- transactions ---- */

static void
undo(struct index *ix)
{
	if (ix->txn != NULL)
		mdb_txn_abort(ix->txn);
	ix->txn = NULL;
}

enum index_error
index_error(struct index *ix, int rc)
{
	if (rc == MDB_SUCCESS)
		return INDEX_OK;
	if (rc == MDB_NOTFOUND)
		return INDEX_NONE;
	if (ix->writer)
		undo(ix);
	if (rc == MDB_MAP_FULL || rc == MDB_TXN_FULL || rc == ENOSPC ||
	    rc == EDQUOT || rc == ENOMEM)
		return INDEX_FULL;
	log_warn("index", "error=%s", q(mdb_strerror(rc)));
	return INDEX_BAD;
}

enum index_error
index_txn(struct index *ix)
{
	int rc = 0;

	if (ix->txn == NULL)
		rc = mdb_txn_begin(ix->env, NULL, ix->writer ? 0 : MDB_RDONLY,
		    &ix->txn);
	else if (ix->idle)
		rc = mdb_txn_renew(ix->txn);
	ix->idle = false;
	return index_error(ix, rc);
}

enum index_error
index_commit(struct index *ix)
{
	MDB_txn *txn = ix->txn;
	int rc, dead;

	if (txn == NULL)
		return INDEX_OK;
	/* Committed or not, it is no more. */
	ix->txn = NULL;
	if ((rc = mdb_txn_commit(txn)) != MDB_SUCCESS)
		return index_error(ix, rc);
	/* A smtpctl that was killed would keep old pages for ever. */
	if (++ix->n_commits % CHECK_READERS == 0)
		mdb_reader_check(ix->env, &dead);
	if (ix->trust.opened > 0 && loop_msec() - ix->since > LASTED) {
		ix->trust.opened = 0;
		trust_write(ix->dir, &ix->trust);
	}
	return INDEX_OK;
}

void
index_abort(struct index *ix)
{
	undo(ix);
}

void
index_renew(struct index *ix)
{
	if (ix->txn == NULL || ix->idle)
		return;
	mdb_txn_reset(ix->txn);
	ix->idle = true;
}

/* ---- opening ---- */

static size_t
map_size(void)
{
	uint64_t size = MAP_SIZE;
	struct rlimit r;

	if (getrlimit(RLIMIT_AS, &r) == 0 && r.rlim_cur != RLIM_INFINITY &&
	    r.rlim_cur / 4 < size)
		size = r.rlim_cur / 4;
	size -= size % MAP_ALIGN;
	return size == 0 ? MAP_ALIGN : (size_t)size;
}

/* Below dir; NULL: too long. */
static const char *
path_in(const char *dir, const char *name, char path[PATH_SIZE])
{
	int n = snprintf(path, PATH_SIZE, "%s/%s", dir, name);

	return n < 0 || n >= PATH_SIZE ? NULL : path;
}

static int
open_dbs(struct index *ix)
{
	unsigned int flags = ix->writer ? MDB_CREATE : 0;
	MDB_txn *txn;
	size_t i;
	int rc;

	rc = mdb_txn_begin(ix->env, NULL, ix->writer ? 0 : MDB_RDONLY, &txn);
	if (rc != MDB_SUCCESS)
		return rc;
	for (i = 0; i < DB_COUNT; i++) {
		rc = mdb_dbi_open(txn, db_names[i], flags, &ix->db[i]);
		if (rc != MDB_SUCCESS) {
			mdb_txn_abort(txn);
			return rc;
		}
	}
	return mdb_txn_commit(txn);
}

static int
open_env(struct index *ix, const char *dir, size_t map)
{
	unsigned int flags = ENV_FLAGS | (ix->writer ? 0 : MDB_RDONLY);
	char path[PATH_SIZE];
	int rc;

	if (path_in(dir, "index", path) == NULL)
		return ENAMETOOLONG;
	if ((rc = mdb_env_create(&ix->env)) != MDB_SUCCESS)
		return rc;
	rc = mdb_env_set_maxdbs(ix->env, DB_COUNT);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_set_mapsize(ix->env, map);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_open(ix->env, path, flags, 0600);
	if (rc == MDB_SUCCESS)
		rc = open_dbs(ix);
	if (rc != MDB_SUCCESS) {
		mdb_env_close(ix->env);
		ix->env = NULL;
	}
	return rc;
}

static void
remove_index(struct index *ix)
{
	static const char *const names[] = { "trust", "data.mdb", "lock.mdb" };
	size_t i;

	/* What says that it is good goes first. */
	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		unlinkat(ix->dir, names[i], 0);
}

/* May this writer go on with what is there?  Then ix->trust is its. */
static bool
is_ours(struct index *ix, const uint64_t token[2])
{
	struct trust *t = &ix->trust;

	if (!trust_read(ix->dir, t))
		return false;
	if (t->clean) {
		t->opened = 0;
		return trust_is_clean(ix->dir, t);
	}
	return memcmp(t->token, token, sizeof t->token) == 0 &&
	    t->opened < TRUST_OPENED_MAX;
}

static struct index *
index_new(const char *dir, bool writer)
{
	struct index *ix = xcalloc(1, sizeof *ix);

	ix->writer = writer;
	ix->since = loop_msec();
	ix->dir = -1;
	ix->spool = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ix->spool == -1)
		return ix;
	if (writer)
		(void)mkdirat(ix->spool, "index", 0700);
	ix->dir = openat(ix->spool, "index",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return ix;
}

/* Lets go of all, and marks nothing. */
static struct index *
index_drop(struct index **ixp)
{
	struct index *ix = *ixp;

	undo(ix);
	if (ix->env != NULL)
		mdb_env_close(ix->env);
	if (ix->facts != NULL)
		mdb_env_close(ix->facts);
	if (ix->dir != -1)
		close(ix->dir);
	if (ix->spool != -1)
		close(ix->spool);
	free(ix);
	*ixp = NULL;
	return NULL;
}

struct index *
index_open_map(const char *dir, const uint64_t token[2], bool fresh, size_t map,
    bool *empty, const char **why)
{
	struct index *ix = index_new(dir, true);
	bool keep;
	int rc = 0;

	*why = strerror(errno);
	if (ix->dir == -1)
		return index_drop(&ix);
	keep = !fresh && is_ours(ix, token);
	if (keep) {
		/* Before the first change: it is not clean any more. */
		ix->trust.clean = false;
		ix->trust.opened++;
		memcpy(ix->trust.token, token, sizeof ix->trust.token);
		rc = trust_write(ix->dir, &ix->trust) ? open_env(ix, dir, map) :
							errno;
		keep = rc == MDB_SUCCESS;
	}
	if (!keep) {
		log_event(0, "index", "made anew");
		remove_index(ix);
		ix->trust = (struct trust){ .token = { token[0], token[1] } };
		rc = open_env(ix, dir, map);
		if (rc == MDB_SUCCESS && !trust_write(ix->dir, &ix->trust))
			rc = errno;
	}
	*why = mdb_strerror(rc);
	if (rc != MDB_SUCCESS || !index_facts_open(ix, dir, why))
		return index_drop(&ix);
	trust_publish(ix->spool, &ix->trust);
	*empty = !ix->trust.filled;
	return ix;
}

struct index *
index_open(const char *dir, const uint64_t token[2], bool fresh, bool *empty,
    const char **why)
{
	return index_open_map(dir, token, fresh, map_size(), empty, why);
}

void
index_filled(struct index *ix)
{
	ix->trust.filled = true;
	trust_write(ix->dir, &ix->trust);
}

struct index *
index_read(const char *dir, const char **why)
{
	struct index *ix = index_new(dir, false);
	struct trust *t = &ix->trust;
	int rc;

	*why = "there is none";
	if (ix->dir == -1 || !trust_read(ix->dir, t))
		return index_drop(&ix);
	*why = "it is not to be trusted";
	if (!trust_published(ix->spool, dir, t) && !trust_is_clean(ix->dir, t))
		return index_drop(&ix);
	rc = open_env(ix, dir, map_size());
	*why = mdb_strerror(rc);
	if (rc != MDB_SUCCESS || !index_facts_open(ix, dir, why))
		return index_drop(&ix);
	return ix;
}

void
index_close(struct index **ixp)
{
	struct index *ix = *ixp;
	bool clean;

	if (ix == NULL)
		return;
	clean = ix->writer && index_commit(ix) == INDEX_OK &&
	    mdb_env_sync(ix->env, 1) == MDB_SUCCESS;
	if (clean) {
		mdb_env_close(ix->env);
		ix->env = NULL;
		ix->trust.clean = trust_measure(ix->dir, &ix->trust);
		ix->trust.opened = 0;
		trust_write(ix->dir, &ix->trust);
	}
	index_drop(ixp);
}
