/*
 * The sockets of `lmtp` actions, connected as their users.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_PRIV_SOCK_H
#define SMTPD_PRIV_SOCK_H

#include <sys/types.h>

#include "proc.h"

#define SOCK_GROUPS 64

/* Whom the kernel sees: known before, as NSS may make wait. */
struct sock_user {
	const char *why; /* there is nobody like that */
	uid_t uid;       /* 0: as we are */
	gid_t gid;
	gid_t groups[SOCK_GROUPS];
	int n_groups;
};

struct socks {
	struct proc *proc;
	struct sock_user *user; /* by row of conf.action */
};

void socks_init(struct socks *s, struct proc *p);

/* Finds the users; it may wait for NSS. */
void socks_start(struct socks *s);

/* sock_ask: answered at once. */
void socks_ask(struct socks *s, struct ipc_chan *from,
    const struct ipc_msg *msg);

#endif
