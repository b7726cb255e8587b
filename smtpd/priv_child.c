/*
 * Children of spawn.  Runs in spawn, as root, and in what it forks; reads
 * nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "priv_child.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <signal.h>
#include <unistd.h>

#define FILES_SOFT 1024 /* what programs expect to have */

void
child_leave(const int *fd, int n)
{
	static const int to_default[] = { SIGPIPE, SIGINT, SIGTERM, SIGHUP,
		SIGXFSZ };
	sigset_t none;
	size_t i;
	int k;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (i = 0; i < sizeof(to_default) / sizeof(to_default[0]); i++)
		signal(to_default[i], SIG_DFL);
	/* Its own session: nobody's terminal, and one group to kill. */
	if (setsid() == -1)
		_exit(71);
	for (k = 0; k < n; k++) {
		/* Ours are above those of the parent and the log. */
		if (fd[k] < n || dup2(fd[k], k) == -1)
			_exit(71);
	}
	closefrom(n);
}

void
child_limit_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
	    files.rlim_cur > FILES_SOFT) {
		files.rlim_cur = FILES_SOFT;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

void
child_no_more_rights(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		_exit(71);
}

void
child_die_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == -1 || getppid() != parent)
		_exit(71);
}

static void
on_late(void *arg)
{
	helper_kill(arg);
}

void
helper_began(struct helper *h, struct loop *l, pid_t pid, msec life)
{
	h->pid = pid;
	timer_set(l, &h->life, life, on_late, h);
}

void
helper_kill(struct helper *h)
{
	if (h->pid == 0)
		return;
	/* It may not have called setsid() yet. */
	kill(h->pid, SIGKILL);
	kill(-h->pid, SIGKILL);
}

void
helper_forget(struct helper *h, pid_t pid)
{
	if (h->pid != pid)
		return;
	h->pid = 0;
	timer_clear(&h->life);
}

struct helper *
helpers_free(struct helper *h, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (h[i].pid == 0)
			return &h[i];
	}
	return NULL;
}

void
helpers_kill(struct helper *h, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		helper_kill(&h[i]);
}

void
helpers_forget(struct helper *h, size_t n, pid_t pid)
{
	size_t i;

	for (i = 0; i < n; i++)
		helper_forget(&h[i], pid);
}

void
started_is(struct outcome *o, const char *why)
{
	if (why != NULL)
		outcome_set(o, LATER, WIDTH_SITE, 0, "4.3.0", "%s", why);
	else
		outcome_set(o, DONE, WIDTH_SITE, 0, NULL, "started");
}
