/*
 * Users and directories: who each process becomes, and where it lives.  Runs
 * in the parent, as root, once at the start; the only names it follows are
 * those of the command line.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "parent.h"

static char why[PATH_MAX + 256];

static const char *
trouble(const char *what, const char *name)
{
	snprintf(why, sizeof why, "%s %s: %s", what, name, strerror(errno));
	return why;
}

const char *
priv_users(struct parent *p)
{
	const struct passwd *pw;
	unsigned int k;

	p->jailed = geteuid() == 0;
	for (k = PROC_PARENT + 1; k < PROC_KINDS; k++) {
		if (!p->jailed) {
			p->uid[k] = geteuid();
			p->gid[k] = getegid();
			continue;
		}
		/* The name is ours, from proc_table.h. */
		if ((pw = getpwnam(proc_table[k].user)) == NULL) {
			snprintf(why, sizeof why,
			    "there is no user %s: systemd-sysusers(8) makes it from etc/postern.sysusers, and so does `make users`",
			    proc_table[k].user);
			return why;
		}
		p->uid[k] = pw->pw_uid;
		p->gid[k] = pw->pw_gid;
	}
	return NULL;
}

/* mkdir as install -d would: there, with this mode and owner. */
static const char *
have_dir(const char *path, mode_t mode, uid_t uid, gid_t gid, bool chown_it)
{
	struct stat st;
	int fd;

	if (mkdir(path, mode) == -1 && errno != EEXIST)
		return trouble("cannot make", path);
	/* O_NOFOLLOW: who could put a link here could aim our chown. */
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return trouble("cannot open", path);
	if (fstat(fd, &st) == -1 || (chown_it && fchown(fd, uid, gid) == -1) ||
	    fchmod(fd, mode) == -1) {
		close(fd);
		return trouble("cannot set owner and mode of", path);
	}
	close(fd);
	return NULL;
}

/* The parents of path, as mkdir -p. */
static void
make_parents(const char *path)
{
	char part[PATH_MAX];
	size_t i;

	for (i = 1; path[i] != '\0' && i < sizeof part; i++) {
		if (path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		/* If it cannot be made, the last one says why. */
		(void)mkdir(part, 0755);
	}
}

const char *
priv_dirs(struct parent *p)
{
	char empty[PATH_MAX + 8];
	const char *bad;

	make_parents(p->run);
	make_parents(p->spool);
	/* The run directory may be one the operator made, say under /tmp: its
	 * mode is set, its owner is ours. */
	if ((bad = have_dir(p->run, 0755, p->uid[0], p->gid[0], false)) != NULL)
		return bad;
	snprintf(empty, sizeof empty, "%s/empty", p->run);
	if ((bad = have_dir(empty, 0555, 0, 0, p->jailed)) != NULL)
		return bad;
	return have_dir(p->spool, 0700, p->uid[PROC_QUEUE], p->gid[PROC_QUEUE],
	    p->jailed);
}

const char *
priv_pid_file(struct parent *p)
{
	char path[PATH_MAX + 16], text[32];
	int n;

	snprintf(path, sizeof path, "%s/smtpd.pid", p->run);
	p->pid_file =
	    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (p->pid_file == -1)
		return trouble("cannot open", path);
	if (flock(p->pid_file, LOCK_EX | LOCK_NB) == -1) {
		snprintf(why, sizeof why, "another smtpd runs in %s", p->run);
		return why;
	}
	n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	if (ftruncate(p->pid_file, 0) == -1 ||
	    pwrite(p->pid_file, text, (size_t)n, 0) != n)
		return trouble("cannot write", path);
	return NULL;
}

void
priv_clean(const struct parent *p)
{
	static const char *const names[] = { "smtpd.pid", "control.sock",
		"smtpd.sock" };
	size_t i, n = sizeof names / sizeof names[0];
	char path[PATH_MAX + 16];

	/* sendmail(8) waits in a socket that goes on without us. */
	if (activate_has_local(p))
		n--;
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof path, "%s/%s", p->run, names[i]);
		(void)unlink(path);
	}
}
