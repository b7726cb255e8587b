/*
 * The index from the inside: for index*.c and their tests.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_INDEX_PRIV_H
#define QUEUE_INDEX_PRIV_H

#include <lmdb.h>

#include "index.h"
#include "index_row.h"
#include "index_trust.h"
#include "num.h"

enum index_db {
	DB_MSG,
	DB_RCPT,
	DB_DUE,
	DB_ROUTE,
	DB_FROM,
	DB_TO,
	DB_WAY,
	DB_TOLD,
	DB_COUNT
};

struct index {
	bool writer;
	int spool, dir; /* the spool's directory, and index/ in it */
	struct trust trust;
	msec since; /* when it was opened */
	MDB_env *env;
	MDB_dbi db[DB_COUNT];
	MDB_txn *txn; /* the one that is open, or NULL */
	bool idle;    /* a reader's: reset, to be renewed */
	unsigned int n_commits;
	MDB_env *facts; /* a reader has none if there is none */
	MDB_dbi fact;
};

/* The same as index_open(), in a map of so many bytes. */
struct index *index_open_map(const char *dir, const uint64_t token[2],
    bool fresh, size_t map, bool *empty, const char **why);

/* The transaction to read or write in, opened where needed. */
enum index_error index_txn(struct index *ix);

/* What an error of LMDB means.  A writer's transaction is undone by any but
 * INDEX_NONE. */
enum index_error index_error(struct index *ix, int rc);

/* facts/ below path dir.  False: *why. */
bool index_facts_open(struct index *ix, const char *dir, const char **why);

/* Databases in the facts; create: those that are not there are made.  An error
 * of LMDB, or 0. */
int facts_dbs(MDB_env *env, bool create, const char *const *names, MDB_dbi *dbs,
    size_t n);

static inline MDB_val
index_val(const void *p, size_t len)
{
	return (MDB_val){ .mv_size = len, .mv_data = (void *)(uintptr_t)p };
}

#endif
