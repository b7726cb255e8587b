/*
 * Locks that say which recipients are being tried.  Used by queue, which sets
 * them, and smtpctl, which looks.
 *
 * SPDX-License-Identifier: ISC
 */
#include "flying.h"

#include <fcntl.h>

static struct flock
lock_of(short type, uint64_t off)
{
	return (struct flock){ .l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)off,
		.l_len = 1 };
}

void
flying_mark(int fd, uint64_t off)
{
	struct flock lock = lock_of(F_RDLCK, off);

	(void)fcntl(fd, F_OFD_SETLK, &lock);
}

bool
flying_is(int fd, uint64_t off)
{
	/* Any lock is in the way of this one. */
	struct flock lock = lock_of(F_WRLCK, off);

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}
