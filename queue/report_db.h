/*
 * The database of reports, for report_store.c and report_db.c.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_REPORT_DB_H
#define QUEUE_REPORT_DB_H

#include <lmdb.h>

#include "report_row.h"

struct report_db {
	MDB_env *env;
	MDB_dbi row, head;
};

/* Rows that there may be. */
struct report_limits {
	uint64_t of_one; /* of a domain and day; a tenth more without
			  * signatures */
	uint64_t all;
	uint64_t bytes; /* of the pages of all of them; 0: no bound */
};

/* Opens what is there; create: makes it.  An error of LMDB, or 0. */
int report_db_open(struct report_db *db, MDB_env *env, bool create);

/* Messages that are alike. */
struct report_change {
	uint32_t day;
	const char *domain;
	struct report_policy policy;
	struct report_hash hash;
	size_t len;
	const uint8_t *packed; /* a row, as report_pack() made it */
};

/*
 * In a transaction: adds the messages to what is known of their day.  Above
 * the limit of a domain they are told apart by their signatures no more, above
 * that they are counted and dropped; of a domain that nothing is kept of, not
 * even counted.
 */
int report_db_add(const struct report_db *db, MDB_txn *txn,
    const struct report_change *c, const struct report_limits *limits);

/* In a transaction: they were reported, or nobody wants to have them. */
int report_db_sent(const struct report_db *db, MDB_txn *txn, uint32_t day,
    const char *domain);

/* In a transaction: removes what is of days before that one, `some` rows at
 * most.  *n: domains and days of them that were never reported. */
int report_db_sweep(const struct report_db *db, MDB_txn *txn, uint32_t day,
    unsigned int some, unsigned int *n);

#endif
