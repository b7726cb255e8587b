/*
 * The facts beside the index: what files cannot tell.  Used by queue and
 * smtpctl.  Others keep databases of their own in the same file.
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

#define FACTS_MAP     ((size_t)1 << 30) /* address space */
#define FACTS_DBS     8                 /* fact, and those of others */
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

int
facts_dbs(MDB_env *env, bool create, const char *const *names, MDB_dbi *dbs,
    size_t n)
{
	unsigned int flags = create ? MDB_CREATE : 0;
	MDB_txn *txn;
	size_t i;
	int rc;

	rc = mdb_txn_begin(env, NULL, create ? 0 : MDB_RDONLY, &txn);
	if (rc != MDB_SUCCESS)
		return rc;
	for (i = 0; i < n && rc == MDB_SUCCESS; i++)
		rc = mdb_dbi_open(txn, names[i], flags, &dbs[i]);
	if (rc == MDB_SUCCESS)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return rc;
}

static int
facts_env(struct index *ix, const char *path)
{
	static const char *const name = "fact";
	unsigned int flags = MDB_NOTLS | (ix->writer ? 0 : MDB_RDONLY);
	int rc;

	if ((rc = mdb_env_create(&ix->facts)) != MDB_SUCCESS)
		return rc;
	rc = mdb_env_set_maxdbs(ix->facts, FACTS_DBS);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_set_mapsize(ix->facts, FACTS_MAP);
	if (rc == MDB_SUCCESS)
		rc = mdb_env_open(ix->facts, path, flags, 0600);
	if (rc == MDB_SUCCESS)
		rc = facts_dbs(ix->facts, ix->writer, &name, &ix->fact, 1);
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
	return index_val(name, len < max ? len : max);
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
		val = index_val(value, strlen(value));
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
