/*
 * smtpctl(8), run once a day to send reports to the domains of authors.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_PRIV_REPORT_H
#define SMTPD_PRIV_REPORT_H

#include <sys/types.h>

#include <stdint.h>

#include "priv_child.h"
#include "priv_user.h"
#include "proc.h"

struct report_run {
	struct proc *proc;
	const char *own;       /* the folder of our programs */
	struct priv_user user; /* the spool's, uid 0: as we are */
	struct helper helper;
	struct ipc_chan *asker; /* NULL: who asked is gone */
	uint64_t question;
};

/* own is not yet known, but stays where it is. */
void report_run_init(struct report_run *r, struct proc *p, const char *own);

/* The user that it needs; it may wait for NSS. */
void report_run_start(struct report_run *r);

/* report_send: answered when it has ended, or could not be begun. */
void report_run_ask(struct report_run *r, struct ipc_chan *from,
    const struct ipc_msg *msg);

void report_run_kill(struct report_run *r);

/* Nobody waits for it any more; it goes on. */
void report_run_gone(struct report_run *r, const struct ipc_chan *c);

/* pid has ended, with this exit status, or -1. */
void report_run_forget(struct report_run *r, pid_t pid, int status);

#endif
