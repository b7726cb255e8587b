/*
 * Whether an index on disk is to be believed: index/trust, read before the
 * database is.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_INDEX_TRUST_H
#define QUEUE_INDEX_TRUST_H

#include <stdbool.h>
#include <stdint.h>

struct trust {
	uint64_t token[2];   /* of the parent under which it was made */
	bool clean;          /* closed in order; size and sum say as what */
	bool filled;         /* every file has its rows */
	unsigned int opened; /* times in a row that its writer did not last */
	uint64_t size, sum;  /* of the database's file */
};

/* Writers in a row that may die over one index. */
#define TRUST_OPENED_MAX 5

/* dir: index/.  False: there is none, or it is no good. */
bool trust_read(int dir, struct trust *t);

/* Durable when it returns true. */
bool trust_write(int dir, const struct trust *t);

/* Sets size and sum to what the database's file is now.  False: errno. */
bool trust_measure(int dir, struct trust *t);

/* A clean index that is as it was then. */
bool trust_is_clean(int dir, const struct trust *t);

/* Says in the spool's lock, whose holder we are, that our index may be read;
 * spool: the directory. */
void trust_publish(int spool, const struct trust *t);

/* True if somebody holds the lock and has said so of this index. */
bool trust_published(int spool, const char *dir, const struct trust *t);

#endif
