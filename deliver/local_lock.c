/*
 * Locks of an mbox.  Runs in local.
 *
 * SPDX-License-Identifier: ISC
 */
#include "local_lock.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AGAIN 250 /* ms between two tries */
#define STALE 300 /* s: who holds a lock for longer touches it */

/* The mailbox is somebody else's now: a reader, a delivery. */
static bool
is_locked(struct local *l, const char *path)
{
	if (local_ended())
		return local_later(l, WIDTH_SITE, CAUSE_SYSTEM, "4.3.2",
		    "it was told to end");
	return local_later(l, WIDTH_SITE, CAUSE_MAILBOX, "4.2.0",
	    "%s is locked by another program", path);
}

/* Until the next try; false: there is none. */
static bool
again(const struct local *l, msec until)
{
	if (until > l->end)
		until = l->end;
	if (local_now() >= until || local_ended())
		return false;
	local_wait(l, -1, 0, local_now() + AGAIN);
	return !local_ended();
}

bool
lock_fcntl(struct local *l, int fd, const char *path, msec until)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	while (fcntl(fd, F_SETLK, &all) == -1) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return local_errno(l, "locking", path);
		if (!again(l, until))
			return is_locked(l, path);
	}
	return true;
}

/* ---- the dot-lock ---- */

/* Our file, not yet the lock.  Its time is what the folder's own clock says.
 * -1: errno. */
static int
make_own(const char *path)
{
	char pid[24];
	int fd, keep;
	int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    0644);
	if (fd == -1)
		return -1;
	/* umask(2) may have said otherwise, and readers look who has it. */
	if (fchmod(fd, 0644) == -1 || write(fd, pid, (size_t)n) != n) {
		keep = errno == 0 ? ENOSPC : errno;
		close(fd);
		unlink(path);
		errno = keep;
		return -1;
	}
	return fd;
}

/* Behind the number of a process: nothing, or ":host" of ours, as Dovecot has
 * it.  Another host's processes are not known. */
static bool
is_here(const char *text)
{
	char host[HOST_MAX + 1] = "";
	size_t n = strcspn(text, "\n");

	if (n == 0)
		return true;
	return gethostname(host, HOST_MAX) == 0 && text[0] == ':' &&
	    n - 1 == strlen(host) && memcmp(text + 1, host, n - 1) == 0;
}

/* What stands in a lock: a process that is gone. */
static bool
holder_is_gone(const char *path)
{
	char text[24 + HOST_MAX] = "", *end;
	long pid;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;

	if (fd == -1)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	errno = 0;
	pid = strtol(text, &end, 10);
	if (errno != 0 || end == text || pid <= 0 || pid > INT_MAX ||
	    !is_here(end))
		return false;
	return kill((pid_t)pid, 0) == -1 && errno == ESRCH;
}

/* A lock that nobody holds any more is taken away. */
static void
break_stale(const char *lock, time_t now)
{
	struct stat st;

	if (lstat(lock, &st) == -1 || !S_ISREG(st.st_mode))
		return;
	if (st.st_mtime + STALE < now || holder_is_gone(lock))
		unlink(lock);
}

/* One try.  1: it is ours; 0: somebody's; -1: errno. */
static int
try_lock(const char *own, const char *lock)
{
	struct stat st;
	int fd = make_own(own), got = 0, keep = 0;

	if (fd == -1)
		return -1;
	/* Over NFS link(2) may fail and have succeeded: links are counted. */
	if (link(own, lock) == -1)
		keep = errno;
	if (fstat(fd, &st) == 0 && st.st_nlink == 2)
		got = 1;
	else if (keep == EEXIST)
		break_stale(lock, st.st_mtime);
	else
		got = -1;
	close(fd);
	unlink(own);
	errno = keep;
	return got;
}

static bool
may_go_without(void)
{
	return errno == EACCES || errno == EPERM || errno == EROFS;
}

bool
lock_dot(struct local *l, struct dot_lock *lock, const char *path, bool needed,
    msec until)
{
	char own[PATH_MAX], name[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int dir = slash == NULL ? 0 : (int)(slash - path) + 1, got;

	lock->path[0] = '\0';
	if (snprintf(name, sizeof name, "%s.lock", path) >= (int)sizeof name ||
	    snprintf(own, sizeof own, "%.*s.lk%ld.%llx", dir, path,
		(long)getpid(),
		(unsigned long long)local_now()) >= (int)sizeof own) {
		errno = ENAMETOOLONG;
		return local_errno(l, "locking", path);
	}
	while ((got = try_lock(own, name)) != 1) {
		if (got == -1 && !needed && may_go_without())
			return true;
		if (got == -1)
			return local_errno(l, "making the lock", name);
		if (!again(l, until))
			return is_locked(l, path);
	}
	memcpy(lock->path, name, sizeof lock->path);
	return true;
}

void
unlock_dot(struct dot_lock *lock)
{
	if (lock->path[0] != '\0')
		unlink(lock->path);
	lock->path[0] = '\0';
}
