/*
 * Deliveries on this host: a job of one recipient, of which spawn starts a
 * process that we write the message to and that says what became of it.  A part
 * of queue.h.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_LOCAL_JOB_H
#define QUEUE_LOCAL_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc.h"
#include "way.h"

#define LOCAL_MAX 50 /* deliveries at once, of all routes */

struct queue;
struct job;
struct local;

/* A spawn process. */
struct spawner {
	struct ipc_chan *chan; /* NULL: never seen */
	bool listed;           /* has said what it runs */
	bool serves;           /* its configuration is ours: it may be asked */
};

/* What runs, and by whom. */
struct locals {
	struct spawner spawner[PROC_MAX];
	uint32_t n;
	uint32_t n_fed; /* of them, whose content is not written whole yet */
	uint32_t held[WAY_TRUSTS]; /* of them, by what was known of the route */
	int copy[2]; /* a pipe, empty: answers are looked at in it */
};

void local_start(struct queue *qu);

/* What job j needs to be done here, as lookup said it; a copy, as short as its
 * texts. */
struct local *local_new(struct queue *qu, struct job *j,
    const struct local_to *to);
/* With it ends what the job may still write or hear. */
void local_free(struct local **l);

/* The route whose turn it is.  False: no route, or no place. */
bool local_turn(struct queue *qu, struct way **w);
/* j runs, as far as its route knows.  Takes fd, its message's file, over. */
void local_begin(struct queue *qu, struct job *j, int fd);

/* How the recipients of a job are delivered, for the log; a constant. */
const char *local_method(const struct queue *qu, const struct job *j);

/* The answer to this job is recorded: spawn may forget it. */
void local_noted(struct ipc_chan *spawn, uint64_t job);

void local_peer_up(struct queue *qu, struct ipc_chan *c);
void local_peer_down(struct queue *qu, struct ipc_chan *c);
/* Each spawn that is here has said what it runs. */
bool local_all_listed(const struct queue *qu);
ipc_handler local_on_held, local_on_listed;

#endif
