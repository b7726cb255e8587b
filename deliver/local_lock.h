/*
 * Locks of an mbox, in the order of Debian's policy (11.6): fcntl(2) first,
 * then a dot-lock, both bounded.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_LOCAL_LOCK_H
#define DELIVER_LOCAL_LOCK_H

#include <limits.h>

#include "local.h"

struct dot_lock {
	char path[PATH_MAX]; /* empty: not taken */
};

/* fcntl(2) on fd, all of the file.  The lock ends with fd. */
bool lock_fcntl(struct local *l, int fd, const char *path, msec until);

/*
 * path.lock, as liblockfile makes it: a file of another name with our process
 * id, linked to that one.  One of a process that is gone, or of five minutes
 * ago, is taken away.  needed false: where the folder lets us make none it goes
 * without.
 */
bool lock_dot(struct local *l, struct dot_lock *lock, const char *path,
    bool needed, msec until);
void unlock_dot(struct dot_lock *lock);

#endif
