/*
 * What each child process does first and last: takes its configuration from
 * the parent (descriptor 3), its log socket (descriptor 4), is jailed, gets
 * its peers, runs its loop, and ends when the parent does or says so.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_PROC_H
#define COMMON_PROC_H

#include "conf.h"
#include "ipc.h"
#include "loop.h"

enum { PROC_FD_PARENT = 3, PROC_FD_LOG = 4 };

struct early;

struct proc {
	struct loop *loop;
	const struct conf *conf;
	struct proc_start start;
	struct ipc_chan parent;
	/* By kind and instance, those that proc_peer named; one that went
	 * stays, without a socket. */
	struct ipc_chan *peer[PROC_KINDS][PROC_MAX];
	const struct proc_hooks *hooks;
	void *self;
	bool gone;           /* proc_go was seen */
	bool drained;        /* the parent was told so */
	bool stopping;       /* draining because all of us will stop */
	struct early *early; /* peers that came before it */
};

struct proc_hooks {
	enum proc_kind kind;
	/* By message type; those of the parent are proc.c's own, but for
	 * PROC_LISTEN and PROC_FILE. */
	ipc_handler *const *handlers;
	/* As root, before the jail: load what will not be reachable.  May be
	 * NULL, as may each of the following. */
	void (*pre_jail)(void *self, struct proc *p);
	/* Jailed; peers, sockets and files were handed over. */
	void (*start)(void *self, struct proc *p);
	/* A channel got a socket: new, or again after the peer's death. */
	void (*peer_up)(void *self, struct ipc_chan *c);
	void (*peer_down)(void *self, struct ipc_chan *c);
	/* Finish what is open, then call loop_stop(); the parent waits some
	 * seconds.  NULL: stops at once. */
	void (*stop)(void *self);
	/* A newer generation is at work: take nothing new, and call
	 * proc_drained(), now and when nothing is left.  Or p->stopping; it may
	 * be called again for that.  NULL: nothing ever is left. */
	void (*drain)(void *self);
};

/* Runs the process; returns its exit status. */
int proc_main(struct proc *p, const struct proc_hooks *hooks, void *self);

/* What we were given cannot be used: tells the parent, which says it and
 * (at the first start) ends.  Does not return. */
_Noreturn void proc_fail(struct proc *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* So much is left to do for a process that drains; 0: the parent will say
 * stop, and it is not said again. */
void proc_drained(struct proc *p, uint32_t left);

/* The channel to the n-th process of a kind (n modulo their number), NULL if
 * we were given none. */
struct ipc_chan *proc_chan(struct proc *p, enum proc_kind kind, unsigned int n);

#endif
