/*
 * The lock of the spool: one queue at a time.  Used by queue and smtpctl.
 *
 * An open file description lock, because it can be asked for without being
 * taken: smtpctl's question never keeps a starting queue out, which a lock of
 * flock(2), taken to try, would.
 *
 * SPDX-License-Identifier: ISC
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "spool.h"

int
spool_lock(int dir)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd, e;

	fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
	    0600);
	if (fd == -1)
		return -1;
	/* What stands in it is of who had it last: see index_open(). */
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0 && ftruncate(fd, 0) == 0)
		return fd;
	e = errno == EACCES ? EAGAIN : errno;
	close(fd);
	errno = e;
	return -1;
}

bool
spool_locked(const char *dir)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int top, fd;
	bool locked;

	if ((top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		return false;
	fd = openat(top, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	close(top);
	if (fd == -1)
		return false;
	locked = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	close(fd);
	return locked;
}
