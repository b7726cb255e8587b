/*
 * A thread that writes to the facts while the loop goes on: given work, it
 * does it once, and the loop is told.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_WRITER_H
#define QUEUE_WRITER_H

#include <stdbool.h>

#include "loop.h"

struct writer;

/* In the thread: may wait for the disk, calls nothing of the loop's, does not
 * log.  An error of LMDB, or 0. */
typedef int writer_fn(void *arg);
/* In the loop, when it is done; more may be given at once. */
typedef void writer_done(void *arg, int error);

/* NULL and *why. */
struct writer *writer_open(struct loop *l, writer_fn *fn, writer_done *done,
    void *arg, const char **why);

/* What was given is not yet told to be done. */
bool writer_busy(struct writer *w);

/* Does it; not while it is busy.  What fn reads is its until done is told. */
void writer_give(struct writer *w);

/* Waits for what is at work and tells; false: nothing was. */
bool writer_wait(struct writer *w);

/* Waits for what is at work, which nobody is told, and ends the thread. */
void writer_close(struct writer **w);

#endif
