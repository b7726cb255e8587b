/*
 * Work that may take long, in threads: reading a large table, asking NSS.  A
 * fixed number of threads, a bounded queue in front of them.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_WORK_H
#define SMTPD_LOOKUP_WORK_H

#include <bsd/sys/queue.h>

#include <stdbool.h>

#include "loop.h"

/* A member of what it is about, which lives until done was called. */
struct work {
	TAILQ_ENTRY(work) entry;
	/* In a thread: touches nothing but its own owner, logs nothing. */
	void (*run)(struct work *w);
	/* Then, in the loop. */
	void (*done)(struct work *w);
};

struct workers;

/* For the life of the process.  threads: at most so many at once, started
 * when they are needed; waiting: so many more may stand in line. */
struct workers *workers_new(struct loop *l, unsigned int threads,
    unsigned int waiting);

/* False: the line is full (or no thread could be had), and w is not in it. */
bool workers_add(struct workers *ws, struct work *w);

#endif
