/*
 * mbox: a message is appended whole, or the file is as it was.  Runs in local.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "local.h"
#include "local_lock.h"

#ifndef MAIL_DIR
#define MAIL_DIR "/var/mail"
#endif

#define LOCK_WAIT 60000 /* ms, at most half of what is left */

/* A FIFO does not hold us up before fstat(2) has seen it. */
#define OPEN_FLAGS                                                             \
	(O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

struct mbox {
	struct local *l;
	const char *path;
	int fd;
	bool made; /* it was not there */
	off_t size;
	struct dot_lock dot;
};

/* ---- opening ---- */

static bool
is_fit(struct mbox *m, const struct stat *st)
{
	const char *why = NULL;

	if (!S_ISREG(st->st_mode))
		why = "it is not a regular file";
	else if (st->st_nlink > 1)
		why = "it has other names (hard links)";
	else if (m->l->start.opened == 0 && !local_is_own(m->l, st->st_uid))
		why = "it belongs to another user";
	if (why == NULL)
		return true;
	return local_later(m->l, WIDTH_SITE, CAUSE_CONFIG, "4.2.0",
	    "mailbox %s: %s", m->path, why);
}

/* What is there.  A mailbox of the system is no link at all. */
static int
open_old(const struct mbox *m)
{
	if (m->l->start.take.to.what == LOCAL_MAILBOX)
		return open(m->path, OPEN_FLAGS);
	return local_open_own(m->l, AT_FDCWD, m->path, OPEN_FLAGS, 0);
}

static bool
open_it(struct mbox *m)
{
	m->made = false;
	if (m->l->start.opened != 0) {
		m->fd = LOCAL_FD_OPENED;
		return true;
	}
	m->fd = open_old(m);
	if (m->fd == -1 && errno == ENOENT) {
		m->made = true;
		m->fd = open(m->path, OPEN_FLAGS | O_CREAT | O_EXCL, 0600);
	}
	/* Somebody else was faster. */
	if (m->fd == -1 && m->made && errno == EEXIST)
		m->fd = open_old(m);
	if (m->fd == -1)
		return local_errno(m->l, "opening the mailbox", m->path);
	return true;
}

/* A reader may have put another file there while we waited. */
static bool
is_still_there(const struct mbox *m, const struct stat *st)
{
	struct stat now;

	return stat(m->path, &now) == 0 && now.st_ino == st->st_ino &&
	    now.st_dev == st->st_dev;
}

static void
leave(struct mbox *m)
{
	unlock_dot(&m->dot);
	if (m->fd != -1)
		close(m->fd);
	m->fd = -1;
}

/* Opened, locked, and the file that is at path.  When not, nothing is held. */
static bool
hold(struct mbox *m)
{
	msec now = local_now();
	msec until = now + (m->l->end - now) / 2;
	struct stat st;

	if (until > now + LOCK_WAIT)
		until = now + LOCK_WAIT;
	for (;;) {
		if (!open_it(m))
			return false;
		if (fstat(m->fd, &st) == -1) {
			local_errno(m->l, "looking at", m->path);
			break;
		}
		if (!is_fit(m, &st) ||
		    !lock_fcntl(m->l, m->fd, m->path, until) ||
		    !lock_dot(m->l, &m->dot, m->path,
			m->l->start.take.to.what == LOCAL_MAILBOX &&
			    m->l->start.strict == 0,
			until))
			break;
		if (is_still_there(m, &st))
			return true;
		if (m->l->start.opened != 0 || local_now() >= until) {
			local_later(m->l, WIDTH_SITE, CAUSE_MAILBOX, "4.2.0",
			    "%s was replaced by another file", m->path);
			break;
		}
		leave(m);
	}
	leave(m);
	return false;
}

/* ---- writing ---- */

static bool
put(void *arg, const void *p, size_t len)
{
	struct mbox *m = arg;

	return local_write(m->l, m->fd, p, len, m->path);
}

/* What a crash has cut in the middle gets its end: a message begins behind an
 * empty line. */
static bool
heal(struct mbox *m)
{
	char last[2] = { '\n', '\n' };
	off_t n = m->size < 2 ? m->size : 2;

	if (n == 0)
		return true;
	if (pread(m->fd, last + 2 - n, (size_t)n, m->size - n) != n)
		return local_errno(m->l, "reading", m->path);
	if (last[1] != '\n')
		return put(m, "\n\n", 2);
	return last[0] == '\n' || put(m, "\n", 1);
}

/* "From sender date": the sender is one word. */
static bool
from_line(struct content *c, const struct local *l)
{
	char sender[ADDR_MAX + 1], date[64], line[ADDR_MAX + 80], *s;
	time_t now = time(NULL);
	struct tm tm;

	snprintf(sender, sizeof sender, "%s",
	    l->start.take.sender[0] == '\0' ? "MAILER-DAEMON" :
					      l->start.take.sender);
	for (s = sender; *s != '\0'; s++)
		if ((unsigned char)*s <= ' ' || *s == 127)
			*s = '-';
	if (localtime_r(&now, &tm) == NULL ||
	    strftime(date, sizeof date, "%a %b %e %H:%M:%S %Y", &tm) == 0)
		date[0] = '\0';
	snprintf(line, sizeof line, "From %s %s\n", sender, date);
	return content_add(c, line);
}

static bool
append(struct mbox *m)
{
	struct content c;

	content_start(&c, m->l->again ? COPY_FROM | COPY_AS_IS : COPY_FROM,
	    m->l->start.take.rcpt, put, m);
	if (!heal(m) || !from_line(&c, m->l) || !local_copy(m->l, &c) ||
	    !put(m, "\n", 1))
		return false;
	if (fsync(m->fd) == -1)
		return local_errno(m->l, "flushing", m->path);
	return true;
}

/* The name of a file that we made must survive, too. */
static bool
keep_name(struct mbox *m)
{
	char dir[PATH_MAX], *slash;
	int fd;
	bool good;

	if (!m->made)
		return true;
	snprintf(dir, sizeof dir, "%s", m->path);
	if ((slash = strrchr(dir, '/')) == NULL)
		return true;
	slash[slash == dir ? 1 : 0] = '\0';
	/* A folder that one may write and not read cannot be flushed. */
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return true;
	good = fsync(fd) == 0;
	if (!good)
		local_errno(m->l, "flushing", dir);
	close(fd);
	return good;
}

static void
take_back(struct mbox *m)
{
	if (ftruncate(m->fd, m->size) == 0)
		fsync(m->fd);
}

bool
local_file(struct local *l, const char *path)
{
	struct mbox m = { .l = l, .path = path, .fd = -1 };
	struct stat st;
	bool good;

	if (!hold(&m))
		return false;
	if (fstat(m.fd, &st) == -1) {
		local_errno(l, "looking at", path);
		leave(&m);
		return false;
	}
	m.size = st.st_size;
	good = append(&m) && keep_name(&m);
	if (!good)
		take_back(&m);
	leave(&m);
	return good;
}

bool
local_mbox(struct local *l, const char *user)
{
	const char *lock = strstr(user, ".lock");
	char path[PATH_MAX];

	/* It is one name in that folder, and no lock of another. */
	if (user[0] == '\0' || user[0] == '.' || strchr(user, '/') != NULL ||
	    (lock != NULL && lock[5] == '\0'))
		return local_later(l, WIDTH_SITE, CAUSE_CONFIG, "4.2.0",
		    "%s is no name of a mailbox", user);
	snprintf(path, sizeof path, "%s/%s", MAIL_DIR, user);
	return local_file(l, path);
}
