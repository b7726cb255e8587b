/*
 * libexec/local between fork and exec: becomes the user, and before that opens
 * what only root may.  Runs in what spawn forks, as root until it has become
 * somebody else; waits for NSS and disks as long as spawn lets it live.  Reads
 * nothing but the user database.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "priv_local.h"
#include "priv_user.h"

#define MAIL_FOLDER "/var/mail"
#define OPENED_FD   4 /* local_wire.h */

/* Says in local's place why there is none. */
static _Noreturn void __attribute__((format(printf, 3, 4)))
refuse(enum verdict v, enum cause cause, const char *fmt, ...)
{
	struct local_says says;
	va_list ap;

	memset(&says, 0, sizeof(says));
	says.magic = LOCAL_SAYS_MAGIC;
	va_start(ap, fmt);
	outcome_vset(&says.outcome, v, WIDTH_RCPT, 0,
	    v == NEVER ? NULL : "4.3.0", fmt, ap);
	va_end(ap);
	outcome_of_us(&says.outcome, cause, STAGE_PREPARE);
	(void)!write(STDOUT_FILENO, &says, sizeof(says));
	_exit(0);
}

/* As local's descriptor 4.  errno of user_open() is still there. */
static void
use_opened(const char *path, const char *why, int fd)
{
	if (why != NULL)
		refuse(errno == ENOENT || errno == ENOTDIR ? NEVER : LATER,
		    errno == 0 ? CAUSE_CONFIG : CAUSE_SYSTEM, "%s: %s", path,
		    why);
	if (fd != OPENED_FD) {
		if (dup2(fd, OPENED_FD) == -1)
			refuse(LATER, CAUSE_SYSTEM, "dup2: %s",
			    strerror(errno));
		close(fd);
	}
	fcntl(OPENED_FD, F_SETFD, 0);
}

/* A name that the system knows as root's, and that is one file's name. */
static const struct passwd *
find_root(const char *name)
{
	const struct passwd *pw = getpwnam(name);

	if (pw == NULL || pw->pw_uid != 0 || strchr(name, '/') != NULL ||
	    name[0] == '.')
		refuse(LATER, CAUSE_CONFIG, "not root's name: %s", name);
	return pw;
}

/* Who may write to the folder of mailboxes may have put a link there. */
static void
open_mailbox(const struct local_start *start)
{
	const char *user = start->take.to.user, *why;
	char path[sizeof(MAIL_FOLDER) + LOCAL_USER_MAX + 1];
	struct stat st;
	int fd;

	find_root(user);
	snprintf(path, sizeof(path), MAIL_FOLDER "/%s", user);
	why = user_open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0600,
	    &fd);
	if (why != NULL)
		refuse(LATER, errno == 0 ? CAUSE_CONFIG : CAUSE_SYSTEM,
		    "%s: %s", path, why);
	if (fstat(fd, &st) == -1 || st.st_uid != 0 || st.st_nlink != 1)
		refuse(LATER, CAUSE_CONFIG, "%s: not root's alone", path);
	use_opened(path, NULL, fd);
}

/* Its place is what the system says, and nothing that we were told. */
static void
open_forward(const struct local_start *start)
{
	const struct passwd *pw = find_root(start->text.user);
	char path[PATH_MAX];
	const char *why;
	int fd, n;

	n = snprintf(path, sizeof(path), "%s/%s", pw->pw_dir, start->text.name);
	if (n < 0 || (size_t)n >= sizeof(path))
		refuse(LATER, CAUSE_CONFIG, "the path is too long");
	why = user_open(path, O_RDONLY, 0, &fd);
	use_opened(path, why, fd);
}

/* A name of the configuration, which need not be the recipient. */
static bool
become_other(const struct local_to *to)
{
	struct priv_user u;
	const char *why = user_find(to->as, &u);

	if (why != NULL)
		refuse(LATER, CAUSE_CONFIG, "user %s: %s", to->as, why);
	if (u.uid != to->uid)
		refuse(LATER, CAUSE_CONFIG, "user %s: has another uid now",
		    to->as);
	return user_become(&u);
}

/* Since lookup named him, or while that waited for its turn, he may have been
 * deleted, and another may have his number. */
static void
check_there(const struct local_runs *l, const struct local_take *take)
{
	const struct conf *conf = l->proc->conf;
	const struct local_to *to = &take->to;
	struct priv_user u;
	const char *why;

	if (CONF_ACTION(conf, take->action)->userbase != CONF_NONE)
		return; /* not a user of the system */
	why = user_find(to->user, &u);
	if (why != NULL || u.uid != to->uid)
		refuse(LATER, CAUSE_CONFIG, "user %s: %s", to->user,
		    why != NULL ? why : "has another uid now");
}

/* Nobody has it, or a user of its name, who could be named as well. */
static bool
is_free_group(const struct local_runs *l, gid_t gid)
{
	const struct group *gr;
	const struct passwd *pw;

	errno = 0;
	if ((gr = getgrgid(gid)) == NULL)
		return gid != 0 &&
		    (errno == 0 || errno == ENOENT || errno == ESRCH);
	pw = getpwnam(gr->gr_name);
	return pw != NULL && pw->pw_gid == gid &&
	    local_check_user(l, pw->pw_uid, gid) == NULL;
}

/* A group opens what its users do not: disks, what passwords are checked
 * against.  Who is in the system has the one that he has there. */
static void
check_group(const struct local_runs *l, const struct priv_user *u)
{
	const struct passwd *pw = getpwnam(u->name);

	if (pw != NULL && pw->pw_uid == u->uid && pw->pw_gid == u->gid)
		return;
	pw = getpwuid(u->uid);
	if (pw != NULL && pw->pw_gid == u->gid)
		return;
	if (!is_free_group(l, u->gid))
		refuse(LATER, CAUSE_CONFIG, "%u is not a group of %s",
		    (unsigned int)u->gid, u->name);
}

static bool
become(const struct local_runs *l, const struct local_start *start)
{
	bool deliver = start->doing == LOCAL_DO_DELIVER;
	const struct local_to *to = &start->take.to;
	struct priv_user u = { .uid = deliver ? to->uid : start->text.uid,
		.gid = deliver ? to->gid : start->text.gid };

	if (start->opened != 0 && deliver) {
		open_mailbox(start);
		return user_become_alone(l->mail_uid, l->mail_gid);
	}
	if (start->opened != 0) {
		open_forward(start);
		return user_become_alone(l->reader_uid, l->reader_gid);
	}
	if (deliver && (to->flags & LOCAL_OTHER) != 0)
		return become_other(to);
	if (deliver)
		check_there(l, &start->take);
	/* To make a mailbox, and what locks it, in the folder of all. */
	if (deliver && to->what == LOCAL_MAILBOX &&
	    start->method == METHOD_MBOX)
		return user_become_alone(u.uid, l->mail_gid);
	snprintf(u.name, sizeof(u.name), "%s",
	    deliver ? to->user : start->text.user);
	check_group(l, &u);
	return user_become(&u);
}

static char **
clean_env(void)
{
	static char path[] = PRIV_PATH, zone[256];
	static char *env[3] = { path };
	const char *tz = getenv("TZ");
	int n;

	if (tz != NULL) {
		n = snprintf(zone, sizeof(zone), "TZ=%s", tz);
		if (n > 0 && (size_t)n < sizeof(zone))
			env[1] = zone;
	}
	return env;
}

void
local_child(const struct local_runs *l, const struct local_start *start,
    const int fd[4], pid_t parent)
{
	static char name[] = "local";
	char user[LOCAL_USER_MAX + 1], path[PATH_MAX + 8];
	char *argv[] = { name, user, NULL };

	snprintf(user, sizeof(user), "%s",
	    start->doing == LOCAL_DO_DELIVER ? start->take.to.user :
					       start->text.user);
	child_leave(fd, 4);
	umask(077);
	if (chdir("/") == -1)
		refuse(LATER, CAUSE_SYSTEM, "chdir /: %s", strerror(errno));
	if (l->proc->start.jailed != 0 && !become(l, start))
		refuse(LATER, CAUSE_SYSTEM, "cannot become the user %s", user);
	if (parent != 0)
		child_die_with(parent);
	child_limit_files();
	snprintf(path, sizeof(path), "%s/local", l->own);
	execve(path, argv, clean_env());
	refuse(LATER, CAUSE_SYSTEM, "%s: %s", path, strerror(errno));
}
