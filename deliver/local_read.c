/*
 * A user's file of addresses: ~/.forward, an :include: list.  Runs in local, as
 * that user; root's .forward was opened for us.  It is read only if nobody but
 * the user (or root) can have written it.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "local.h"

static bool
unsafe(struct local *l, const char *what, const char *why)
{
	return local_later(l, WIDTH_RCPT, CAUSE_CONFIG, "4.3.5", "%s: %s", what,
	    why);
}

static bool
none(struct local *l)
{
	return local_never(l, CAUSE_NONE, NULL, "there is no such file");
}

/* A group of the user's name and number, with nobody else in it, is the user:
 * so does a system with groups of users (USERGROUPS of adduser.conf(5)) whose
 * umask lets them write. */
static bool
is_own_group(const struct local *l, gid_t gid)
{
	const struct text_ask *t = &l->start.text;
	const struct group *g;
	size_t i;

	if (gid != t->gid || (g = getgrgid(gid)) == NULL ||
	    strcmp(g->gr_name, t->user) != 0)
		return false;
	for (i = 0; g->gr_mem[i] != NULL; i++)
		if (strcmp(g->gr_mem[i], t->user) != 0)
			return false;
	return true;
}

/* Who else could write there: NULL for nobody. */
static const char *
writers(const struct local *l, const struct stat *st)
{
	if (!local_is_own(l, st->st_uid))
		return "it belongs to another user";
	if ((st->st_mode & S_IWOTH) != 0)
		return "all may write to it";
	if ((st->st_mode & S_IWGRP) != 0 && st->st_gid != 0 &&
	    !is_own_group(l, st->st_gid))
		return "a group may write to it";
	return NULL;
}

static bool
is_fit(struct local *l, int fd, const char *path, struct stat *st)
{
	const char *why;

	if (fstat(fd, st) == -1)
		return local_errno(l, "looking at", path);
	if (!S_ISREG(st->st_mode))
		return unsafe(l, path, "it is not a regular file");
	if ((why = writers(l, st)) != NULL)
		return unsafe(l, path, why);
	if (st->st_size > TEXT_FILE_MAX)
		return unsafe(l, path, "it is too large");
	return true;
}

/* A home with the sticky bit is being edited (as dot-qmail(5) has it). */
static bool
is_home_fit(struct local *l, const struct stat *st, bool found)
{
	const char *home = l->start.text.home, *why;

	if ((st->st_mode & S_ISVTX) != 0 && st->st_uid == l->start.text.uid)
		return unsafe(l, home, "it is sticky: its files are edited");
	if (found && (why = writers(l, st)) != NULL)
		return unsafe(l, home, why);
	return true;
}

/* -1: there is none, or the outcome says what is wrong. */
static int
open_forward(struct local *l)
{
	const struct text_ask *t = &l->start.text;
	struct stat st;
	int home, fd;

	if (t->home[0] != '/' || t->name[0] == '\0' ||
	    strchr(t->name, '/') != NULL) {
		none(l);
		return -1;
	}
	home = open(t->home, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (home == -1 || fstat(home, &st) == -1) {
		if (errno == ENOENT || errno == ENOTDIR)
			none(l);
		else
			local_errno(l, "opening the home", t->home);
		if (home != -1)
			close(home);
		return -1;
	}
	fd = l->start.opened != 0 ?
	    LOCAL_FD_OPENED :
	    openat(home, t->name,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1 && errno == ENOENT)
		none(l);
	else if (fd == -1)
		local_errno(l, "opening", t->name);
	close(home);
	if (!is_home_fit(l, &st, fd != -1)) {
		if (fd != -1)
			close(fd);
		return -1;
	}
	return fd;
}

static int
open_include(struct local *l)
{
	const char *path = l->start.text.name;
	int fd;

	if (path[0] != '/') {
		unsafe(l, path, "it is no absolute path");
		return -1;
	}
	fd = local_open_own(l, AT_FDCWD, path, O_RDONLY, 0);
	if (fd == -1 && (errno == ENOENT || errno == ENOTDIR))
		none(l);
	else if (fd == -1)
		local_errno(l, "opening", path);
	return fd;
}

static bool
take(struct local *l, int fd, const struct stat *st, char **text, size_t *len)
{
	size_t max = (size_t)st->st_size;
	ssize_t n = 0;

	*len = 0;
	if ((*text = malloc(max + 1)) == NULL)
		return local_errno(l, "reading", l->start.text.name);
	while (*len < max && (n = read(fd, *text + *len, max - *len)) > 0)
		*len += (size_t)n;
	if (n == -1)
		return local_errno(l, "reading", l->start.text.name);
	return true;
}

bool
local_read(struct local *l, char **text, size_t *len)
{
	bool forward = l->start.text.what == TEXT_FORWARD;
	int fd = forward ? open_forward(l) : open_include(l);
	struct stat st;
	bool good;

	if (fd == -1)
		return false;
	good = is_fit(l, fd, l->start.text.name, &st) &&
	    take(l, fd, &st, text, len);
	close(fd);
	return good;
}
