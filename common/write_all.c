/*
 * Writing the whole of something.  Used where that may wait: in tools, in
 * local, and for files.
 *
 * SPDX-License-Identifier: ISC
 */
#include "write_all.h"

#include <errno.h>
#include <unistd.h>

bool
write_all(int fd, const void *p, size_t len)
{
	const char *at = p;
	ssize_t n;

	while (len > 0) {
		n = write(fd, at, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}
