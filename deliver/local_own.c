/*
 * Files that must be the user's own, or root's.  Runs in local.
 *
 * SPDX-License-Identifier: ISC
 */
#include "local.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 8 /* symbolic links, one behind the other */

bool
local_is_own(const struct local *l, uid_t owner)
{
	uid_t uid =
	    l->start.doing == LOCAL_DO_READ ? l->start.text.uid : geteuid();

	return owner == uid || owner == 0 || l->start.strict != 0;
}

/* Where the link goes, if it may be followed: a path, from the folder that
 * holds the link. */
static bool
follow(const struct local *l, int dir, char path[PATH_MAX])
{
	char to[PATH_MAX], *slash = strrchr(path, '/');
	int fd = openat(dir, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	size_t base = slash == NULL ? 0 : (size_t)(slash - path) + 1;
	struct stat st;
	ssize_t n = -1;

	if (fd == -1)
		return false;
	errno = ELOOP;
	if (fstat(fd, &st) == 0 && S_ISLNK(st.st_mode) &&
	    local_is_own(l, st.st_uid))
		n = readlinkat(fd, "", to, sizeof to);
	close(fd);
	if (n <= 0 || (size_t)n >= sizeof to)
		return false;
	if (to[0] == '/')
		base = 0;
	if (base + (size_t)n >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(path + base, to, (size_t)n);
	path[base + (size_t)n] = '\0';
	return true;
}

int
local_open_own(const struct local *l, int dir, const char *path, int flags,
    mode_t mode)
{
	char at[PATH_MAX];
	int fd, i;

	if (strlen(path) >= sizeof at) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(at, path, strlen(path) + 1);
	for (i = 0; i < LINKS_MAX; i++) {
		fd = openat(dir, at,
		    flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		    mode);
		if (fd != -1 || errno != ELOOP || !follow(l, dir, at))
			return fd;
	}
	errno = ELOOP;
	return -1;
}
