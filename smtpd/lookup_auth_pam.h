/*
 * Passwords of the system's users, by PAM in a process of its own for each,
 * which spawn starts.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_AUTH_PAM_H
#define SMTPD_LOOKUP_AUTH_PAM_H

#include "io.h"
#include "ipc.h"
#include "loop.h"

#define PAM_MAX  16    /* checks at once */
#define PAM_MSEC 15000 /* for one of them */

/* That a password is not the user's is said at a multiple of this: PAM is
 * quicker with who is not known at all. */
#define PAM_STEP_MSEC 1000

/* All checks; zeros but for loop and spawn. */
struct pams {
	struct loop *loop;
	struct ipc_chan *spawn; /* NULL: not there yet */
	unsigned int n;
};

/* DONE: it is his password; NEVER: it is not; LATER: nobody knows. */
typedef void pam_fn(void *arg, enum verdict v);

/* A check; a member of who asks.  Zeros: none. */
struct pam_check {
	struct pams *pams; /* NULL: none is under way */
	struct ipc_req req;
	struct io io;
	msec began;
	struct timer told; /* it is known, and not yet said */
	pam_fn *fn;
	void *arg;
	const char *user, *password; /* the asker's, until fn is called */
};

/* Calls fn once, later, unless cancelled.  False: too many are under way, or
 * there is nobody to ask. */
bool pam_check(struct pams *ps, struct pam_check *c, const char *user,
    const char *password, pam_fn *fn, void *arg);

void pam_cancel(struct pam_check *c);

#endif
