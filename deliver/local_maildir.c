/*
 * Maildir: a message is a file of its own, which is in new/ whole or not at
 * all.  Runs in local.  Never takes a file of another away; what a crash leaves
 * in tmp/ is for the mailbox's readers to clean, as their rules say.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/stat.h>
#include <sys/time.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "local.h"
#include "local_format.h"

#define TRIES        5  /* names, one of which will be free */
#define HOST_IN_NAME 64 /* bytes of our name in a file's */

struct maildir {
	struct local *l;
	char dir[PATH_MAX]; /* where tmp/ is */
	char to[PATH_MAX];  /* where new/ is: dir, or its folder for junk */
	char name[NAME_MAX + 1];
	char tmp[PATH_MAX]; /* the file while it is written */
	int fd;
	off_t size;
};

/* ---- folders ---- */

static bool
join(struct local *l, char out[PATH_MAX], const char *dir, const char *between,
    const char *name)
{
	if (snprintf(out, PATH_MAX, "%s%s%s", dir, between, name) < PATH_MAX)
		return true;
	errno = ENAMETOOLONG;
	return local_errno(l, "looking at", dir);
}

static bool
make_folder(struct local *l, const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) == 0)
		return true;
	if (errno != EEXIST || stat(path, &st) == -1)
		return local_errno(l, "making", path);
	if (S_ISDIR(st.st_mode))
		return true;
	errno = ENOTDIR;
	return local_errno(l, "making", path);
}

/* A home that is not there now (a disk that is not mounted) is not made. */
static bool
is_home_there(struct local *l, const char *home)
{
	struct stat st;

	if (stat(home, &st) == -1)
		return local_errno(l, "looking at the home", home);
	if (S_ISDIR(st.st_mode))
		return true;
	errno = ENOTDIR;
	return local_errno(l, "looking at the home", home);
}

/* path and what is missing above it, but nothing above the home. */
static bool
make_path(struct local *l, const char *path)
{
	const char *home = l->start.take.to.home;
	size_t at = strlen(home);
	char part[PATH_MAX];
	struct stat st;

	if (!join(l, part, path, "", ""))
		return false;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return true;
	if (at > 1 && strncmp(path, home, at) == 0 && path[at] == '/') {
		if (!is_home_there(l, home))
			return false;
	} else
		at = 0;
	for (at++; path[at] != '\0'; at++) {
		if (path[at] != '/' || path[at - 1] == '/')
			continue;
		part[at] = '\0';
		if (stat(part, &st) == -1 && !make_folder(l, part))
			return false;
		part[at] = '/';
	}
	return make_folder(l, path);
}

static bool
make_maildir(struct local *l, const char *dir)
{
	static const char *const parts[] = { "/tmp", "/new", "/cur" };
	char path[PATH_MAX];
	size_t i;

	if (!make_path(l, dir))
		return false;
	for (i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (!join(l, path, dir, parts[i], "") || !make_folder(l, path))
			return false;
	return true;
}

/* A folder of the name of the sub-address, if the user has made one. */
static bool
choose_folder(struct maildir *m)
{
	char ext[ADDR_MAX + 1], path[PATH_MAX];
	struct stat st;
	char *s;

	local_extension(m->l, ext);
	format_clean(ext);
	for (s = ext; *s != '\0'; s++)
		if (*s == '/')
			*s = ':';
	if (ext[0] == '\0' || ext[0] == '.')
		return true;
	if (!join(m->l, path, m->dir, "/.", ext))
		return false;
	if (stat(path, &st) == -1 || !S_ISDIR(st.st_mode))
		return true;
	memcpy(m->dir, path, sizeof m->dir);
	return make_maildir(m->l, m->dir);
}

/* ---- the file ---- */

/* time.MsecPpidR<random>.host: never used before, nor at once by another. */
static void
make_name(struct maildir *m)
{
	char host[HOST_IN_NAME + 1];
	struct timeval now;
	size_t i;

	gettimeofday(&now, NULL);
	snprintf(host, sizeof host, "%.*s", HOST_IN_NAME, m->l->start.hostname);
	/* What a path, or the flags behind a name, would be made of. */
	for (i = 0; host[i] != '\0'; i++)
		if (host[i] == '/' || host[i] == ':' || host[i] == ',' ||
		    (unsigned char)host[i] <= ' ')
			host[i] = '_';
	snprintf(m->name, sizeof m->name, "%lld.M%06ldP%ldR%08x.%s",
	    (long long)now.tv_sec, (long)now.tv_usec, (long)getpid(),
	    (unsigned int)arc4random(), host[0] == '\0' ? "localhost" : host);
}

static bool
create(struct maildir *m)
{
	int i;

	for (i = 0; i < TRIES; i++) {
		make_name(m);
		if (!join(m->l, m->tmp, m->dir, "/tmp/", m->name))
			return false;
		m->fd = open(m->tmp,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (m->fd != -1)
			return true;
		if (errno != EEXIST)
			break;
	}
	return local_errno(m->l, "making", m->tmp);
}

static bool
put(void *arg, const void *p, size_t len)
{
	struct maildir *m = arg;

	m->size += (off_t)len;
	return local_write(m->l, m->fd, p, len, m->tmp);
}

/* The file is durable before it has its name in new/. */
static bool
finish(struct maildir *m)
{
	int fd = m->fd;

	if (fsync(fd) == -1)
		return local_errno(m->l, "flushing", m->tmp);
	m->fd = -1;
	/* NFS and quotas may say it only now. */
	if (close(fd) == -1)
		return local_errno(m->l, "closing", m->tmp);
	return true;
}

/* Never over a file that is there. */
static bool
give_name(struct maildir *m, const char *path)
{
	struct stat st;

	if (link(m->tmp, path) == 0) {
		unlink(m->tmp);
		return true;
	}
	/* A file system without hard links. */
	if ((errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS) &&
	    lstat(path, &st) == -1 && errno == ENOENT &&
	    rename(m->tmp, path) == 0)
		return true;
	return local_errno(m->l, "making", path);
}

static bool
deliver(struct maildir *m)
{
	char path[PATH_MAX], folder[PATH_MAX], name[NAME_MAX + 32];
	int fd;

	/* Readers that count a quota need not look at the file. */
	snprintf(name, sizeof name, "%s,S=%lld", m->name, (long long)m->size);
	if (!join(m->l, folder, m->to, "/new", "") ||
	    !join(m->l, path, folder, "/", name))
		return false;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return local_errno(m->l, "opening", folder);
	if (!give_name(m, path)) {
		close(fd);
		return false;
	}
	if (fsync(fd) == -1) {
		local_errno(m->l, "flushing", folder);
		unlink(path);
		close(fd);
		return false;
	}
	close(fd);
	return true;
}

static bool
choose_junk(struct maildir *m, const char *path, bool spam)
{
	memcpy(m->to, m->dir, sizeof m->to);
	if (m->l->start.junk == 0 ||
	    (!spam && (m->l->start.take.to.flags & LOCAL_JUNK) == 0))
		return true;
	return join(m->l, m->to, path, "/.Junk", "") &&
	    make_maildir(m->l, m->to);
}

bool
local_maildir(struct local *l, const char *path)
{
	struct maildir m = { .l = l, .fd = -1 };
	struct content c;
	bool good;

	if (!join(l, m.dir, path, "", "") || !make_maildir(l, path) ||
	    !choose_folder(&m) || !create(&m))
		return false;
	content_start(&c, l->again ? COPY_AS_IS : 0, l->start.take.rcpt, put,
	    &m);
	good = local_copy(l, &c) && finish(&m) &&
	    choose_junk(&m, path, c.spam) && deliver(&m);
	if (m.fd != -1)
		close(m.fd);
	if (!good)
		unlink(m.tmp);
	return good;
}
