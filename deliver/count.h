/*
 * Connections of which there may be only so many at once: those of a route
 * with a limit of its own, and those of a group (`limit mx`).  Queue has as
 * many jobs of them at once, and gives all to one process; here those that are
 * idle, or say good-bye, are counted too, and a job that would make one too
 * many waits until one of these is gone.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_COUNT_H
#define DELIVER_COUNT_H

#include <sys/queue.h>

#include <stdbool.h>

#include "ipc_table.h"
#include "loop.h"

#define COUNT_OF      2    /* of its route, and of its group */
#define COUNT_QUIT_MS 3000 /* for a good-bye, while another waits for it */

struct count;
struct deliver;

LIST_HEAD(counts, count);

/* What connections of one job are counted by; a member of the job. */
struct count_wait {
	TAILQ_ENTRY(count_wait) entry;
	struct deliver *d;
	struct count *of[COUNT_OF]; /* NULL: nobody counts */
	struct count *waits_for;    /* in its list, or NULL */
	bool has_seat;              /* counted, and no connection has it yet */
	struct timer again;
	void (*fn)(void *arg);
	void *arg;
};

/* For a job that queue gave us. */
void count_init(struct deliver *d, struct count_wait *w,
    const struct job_take *t);

/* True: it may connect now, and count_seat() is to follow.  Else fn is called
 * from the loop when it may, unless count_free() comes before. */
bool count_ask(struct count_wait *w, void (*fn)(void *arg), void *arg);

/* A connection is made: the seat is its own. */
void count_seat(struct count_wait *w);
/* It is closed; of: those that it was counted by. */
void count_leave(struct count *const of[COUNT_OF]);

/* The job goes.  A seat that no connection got is free again. */
void count_free(struct count_wait *w);

#endif
