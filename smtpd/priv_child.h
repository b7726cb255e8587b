/*
 * What spawn's children do between fork and exec, and how long those may live
 * that do one thing and end.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_PRIV_CHILD_H
#define SMTPD_PRIV_CHILD_H

#include <sys/types.h>

#include <stddef.h>

#include "loop.h"
#include "verdict.h"

#define PRIV_PATH "PATH=/usr/bin:/bin:/usr/sbin:/sbin"

/* In the child: signals as they are by default, no descriptor of ours but these
 * as its 0 (standard input), 1, 2 and so on, n of them; a group of its own. */
void child_leave(const int *fd, int n);

/* In the child: no more descriptors than programs expect to have. */
void child_limit_files(void);

/* In the child: no file that it executes gives it more rights.  Not for what
 * runs as a user for himself: local does that. */
void child_no_more_rights(void);

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

/* Of n of them: one that does not run, NULL if all do; and each. */
struct helper *helpers_free(struct helper *h, size_t n);
void helpers_kill(struct helper *h, size_t n);
void helpers_forget(struct helper *h, size_t n, pid_t pid);

/* What is answered to who asked for a program; why not: NULL, it was
 * started. */
void started_is(struct outcome *o, const char *why);

#endif
