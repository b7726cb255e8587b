/*
 * What spawn's children do between fork and exec, and how long those may live
 * that do one thing and end.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_PRIV_CHILD_H
#define SMTPD_PRIV_CHILD_H

#include <sys/types.h>

#include "loop.h"

#define PRIV_PATH "PATH=/usr/bin:/bin:/usr/sbin:/sbin"

/* In the child: signals as they are by default, no descriptor of ours but
 * these as its standard input, output and error; a group of its own. */
void child_leave(int in, int out, int err);

/* In the child: it does not outlive us, however we end.  Not before it has
 * become another user, which makes the kernel forget. */
void child_die_with(pid_t parent);

/* A child that does one thing and ends. */
struct helper {
	pid_t pid; /* 0: none */
	struct timer life;
};

/* It runs: for so long, and no longer. */
void helper_began(struct helper *h, struct loop *l, pid_t pid, msec life);

/* With its group, if it runs. */
void helper_kill(struct helper *h);

/* pid has ended. */
void helper_forget(struct helper *h, pid_t pid);

#endif
