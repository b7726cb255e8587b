/*
 * What greylisting knows, in spool/facts:
 *
 *   grey     hash of a triplet    -> when it is forgotten, what is known, its
 *                                    texts
 *   greynet  hash of a network    -> the same
 *   greydue  time, which, hash    -> (nothing): who is forgotten next
 *
 * What changes is written by a thread (store.h) and looked for in memory
 * first.  The thread also forgets what is due, and the oldest above GREY_MAX,
 * some at a time.
 *
 * What cannot be read is not known.  Where there is no room for what cannot be
 * written, grey_put() says so, and its caller lets mail pass.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_GREY_STORE_H
#define QUEUE_GREY_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "grey.h"
#include "index.h"
#include "loop.h"

#define GREY_MAX     300000 /* triplets and networks that are known */
#define GREY_PENDING 20000  /* of them in memory, not yet written */

struct grey_store;

/* In the facts of an index that was opened for writing, and is closed after
 * it.  NULL and *why. */
struct grey_store *grey_open(struct loop *l, struct index *ix,
    const char **why);

/* Writes what there is, and ends the thread. */
void grey_close(struct grey_store **s);

/* What is known; zeros: nothing. */
void grey_get(struct grey_store *s, const struct grey_triplet *t,
    struct grey_known *triplet, struct grey_known *net);

/* Keeps it, each until its time.  False: no room. */
bool grey_put(struct grey_store *s, const struct grey_triplet *t,
    const struct grey_known *triplet, int64_t triplet_due,
    const struct grey_known *net, int64_t net_due);

/* ---- for readers (smtpctl) ---- */

/* How many are known. */
void grey_count(struct index *ix, uint64_t *triplets, uint64_t *nets);

/* Each triplet, or with nets each network, in no order; ends when fn returns
 * false.  No transaction is open while fn runs. */
typedef bool grey_fn(void *arg, const struct grey_triplet *t,
    const struct grey_known *k, int64_t due);
void grey_walk(struct index *ix, bool nets, grey_fn *fn, void *arg);

#endif
