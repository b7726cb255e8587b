/*
 * Tokens of the configuration: their commands run as their users, their files
 * opened for lookup, which reads them.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_PRIV_TOKEN_H
#define SMTPD_PRIV_TOKEN_H

#include <sys/types.h>

#include "priv_child.h"
#include "proc.h"

struct priv_user;

struct token_runs {
	struct proc *proc;
	/* by row of conf.token */
	struct helper *run;
	struct priv_user *user;
};

void token_runs_init(struct token_runs *s, struct proc *p);

/* What cannot be started is said before anybody relies on it, and we end; a
 * file may come later. */
void token_runs_check(struct token_runs *s);

/* token_ask: answered at once. */
void token_runs_ask(struct token_runs *s, struct ipc_chan *from,
    const struct ipc_msg *msg);

void token_runs_kill(struct token_runs *s);

/* pid has ended. */
void token_runs_forget(struct token_runs *s, pid_t pid);

#endif
