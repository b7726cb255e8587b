/*
 * The database of greylisting, for grey_store.c and grey_db.c.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_GREY_DB_H
#define QUEUE_GREY_DB_H

#include <lmdb.h>

#include "grey_row.h"

enum grey_of { GREY_TRIPLET, GREY_NET, GREY_KINDS };

struct grey_db {
	MDB_env *env;
	MDB_dbi row[GREY_KINDS], due;
};

/* Opens what is there; create: makes it.  An error of LMDB, or 0. */
int grey_db_open(struct grey_db *db, MDB_env *env, bool create);

/* One row to be written. */
struct grey_change {
	enum grey_of of;
	struct grey_key key;
	int64_t due;
	size_t len;
	const uint8_t *row;
};

/* In a transaction: replaces a row. */
int grey_db_put(const struct grey_db *db, MDB_txn *txn,
    const struct grey_change *c);

/* In a transaction: removes rows whose time was before now, `some` at most,
 * and then the oldest until `most` are left. */
int grey_db_sweep(const struct grey_db *db, MDB_txn *txn, int64_t now,
    unsigned int some, size_t most);

#endif
