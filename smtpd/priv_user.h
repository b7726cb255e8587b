/*
 * Becoming a user, and opening what may be somebody else's.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_PRIV_USER_H
#define SMTPD_PRIV_USER_H

#include <sys/types.h>

#include <limits.h>
#include <stdbool.h>

#include "bounds.h"

/* Somebody to become. */
struct priv_user {
	uid_t uid; /* 0: nobody */
	gid_t gid;
	char name[LOCAL_USER_MAX + 1];
	char home[PATH_MAX];
};

/* A user of the system by name, who is not root; it may wait for NSS.  NULL,
 * or why not. */
const char *user_find(const char *name, struct priv_user *out);

/*
 * In a child: becomes this user for good, never root.  With the groups that
 * the system knows for the name, if it knows that the name has this uid; it
 * may wait for NSS.  False: nothing else is to be done.
 */
bool user_become(const struct priv_user *u);

/* The same, with this group and no other. */
bool user_become_alone(uid_t uid, gid_t gid);

/*
 * Opens a regular file with what open(2) takes, and waits for nobody.  A
 * symbolic link leads only to what belongs to who made it.  NULL, or why not,
 * and errno, which is 0 where the system did not say no; *fd is -1 then.
 */
const char *user_open(const char *path, int flags, mode_t mode, int *fd);

#endif
