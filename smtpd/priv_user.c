/*
 * Becoming a user, and opening what may be somebody else's.  Runs in spawn,
 * as root, and in what it forks; reads nothing but the user database.
 *
 * SPDX-License-Identifier: ISC
 */
#include "priv_user.h"

#include <sys/stat.h>

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

/* ---- users ---- */

const char *
user_find(const char *name, struct priv_user *out)
{
	const struct passwd *pw = getpwnam(name);

	memset(out, 0, sizeof(*out));
	if (pw == NULL)
		return "there is no such user";
	if (pw->pw_uid == 0)
		return "it would run as root";
	if (strlcpy(out->name, pw->pw_name, sizeof(out->name)) >=
		sizeof(out->name) ||
	    strlcpy(out->home, pw->pw_dir, sizeof(out->home)) >=
		sizeof(out->home))
		return "the user's name or home is too long";
	out->uid = pw->pw_uid;
	out->gid = pw->pw_gid;
	return NULL;
}

/* To the kernel -1 is «as it is». */
static bool
is_somebody(uid_t uid, gid_t gid)
{
	return uid != 0 && uid != (uid_t)-1 && gid != (gid_t)-1;
}

/* Whether the last getpwnam() was no answer. */
static bool
nobody_answered(void)
{
	return errno == EIO || errno == EMFILE || errno == ENFILE ||
	    errno == ENOMEM || errno == EINTR || errno == EAGAIN;
}

static bool
become_ids(uid_t uid, gid_t gid)
{
	return setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0;
}

bool
user_become(const struct priv_user *u)
{
	const struct passwd *pw;

	if (!is_somebody(u->uid, u->gid))
		return false;
	errno = 0;
	pw = getpwnam(u->name);
	if (pw == NULL && nobody_answered())
		return false;
	/* Groups first: afterwards there is no right to set them. */
	if (pw != NULL && pw->pw_uid == u->uid)
		return initgroups(u->name, u->gid) == 0 &&
		    become_ids(u->uid, u->gid);
	/* Who stands in a table only has no groups of the system's users. */
	return u->gid != 0 && user_become_alone(u->uid, u->gid);
}

bool
user_become_alone(uid_t uid, gid_t gid)
{
	return is_somebody(uid, gid) && setgroups(1, &gid) == 0 &&
	    become_ids(uid, gid);
}

/* ---- files ---- */

/* Who may write to the folder must not choose among root's files, nor put
 * another in the place of the link that was followed. */
static bool
link_is_good(const char *path, const struct stat *opened)
{
	struct stat st;

	if (lstat(path, &st) == -1)
		return false;
	if (S_ISLNK(st.st_mode))
		return st.st_uid == opened->st_uid;
	return st.st_dev == opened->st_dev && st.st_ino == opened->st_ino;
}

const char *
user_open(const char *path, int flags, mode_t mode, int *fd)
{
	struct stat st;
	const char *why = NULL;
	/* A FIFO, or a device, would keep us waiting. */
	int got = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode);

	*fd = -1;
	if (got == -1)
		return strerror(errno);
	if (fstat(got, &st) == -1)
		why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		why = "not a regular file";
	else if (!link_is_good(path, &st))
		why =
		    "a symbolic link to another user's file, or it was replaced just now";
	if (why != NULL) {
		close(got);
		errno = 0;
		return why;
	}
	*fd = got;
	return NULL;
}
