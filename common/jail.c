/*
 * The jail: called by each child before it reads anything from outside, and
 * never by the parent.
 *
 * SPDX-License-Identifier: ISC
 */
#include "jail.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define FILES_MAX 65536 /* descriptors: sessions, messages in flight */

static void
limit(int what, rlim_t n)
{
	struct rlimit r;

	if (getrlimit(what, &r) == -1)
		fatal("getrlimit: %s", strerror(errno));
	if (r.rlim_max != RLIM_INFINITY && n > r.rlim_max)
		n = r.rlim_max;
	r.rlim_cur = n;
	r.rlim_max = n;
	if (setrlimit(what, &r) == -1)
		fatal("setrlimit: %s", strerror(errno));
}

static bool
stderr_is_file(void)
{
	struct stat st;

	return fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode);
}

void
jail_enter(enum proc_kind kind, bool jailed, const char *root, uid_t uid,
    gid_t gid)
{
	const struct proc_row *row = &proc_table[kind];

	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, FILES_MAX);
	signal(SIGXFSZ, SIG_IGN);
	/* A report on standard error may go to a file. */
	if (row->files == 0 && !stderr_is_file())
		limit(RLIMIT_FSIZE, 0);
	if (jailed) {
		if (root[0] != '\0' && chroot(root) == -1)
			fatal("chroot %s: %s", root, strerror(errno));
		if (chdir("/") == -1)
			fatal("chdir /: %s", strerror(errno));
		if (setgroups(1, &gid) == -1 ||
		    setresgid(gid, gid, gid) == -1 ||
		    setresuid(uid, uid, uid) == -1)
			fatal("cannot become uid %u: %s", (unsigned int)uid,
			    strerror(errno));
		if (uid != 0 && setresuid((uid_t)-1, 0, (uid_t)-1) != -1)
			fatal("uid 0 could be had back");
	}
	/* Threads count as processes. */
	if (row->tasks == 0)
		limit(RLIMIT_NPROC, 0);
	/* Programs of users may be setuid or setgid: who starts them lets each
	 * of the others have less. */
	if (kind != PROC_SPAWN && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		fatal("no_new_privs: %s", strerror(errno));
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		fatal("dumpable: %s", strerror(errno));
}
