/*
 * Children of spawn.  Runs in spawn, as root, and in what it forks; reads
 * nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "priv_child.h"

#include <sys/prctl.h>

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

void
child_leave(int in, int out, int err)
{
	static const int to_default[] = { SIGPIPE, SIGINT, SIGTERM, SIGHUP };
	sigset_t none;
	size_t i;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (i = 0; i < sizeof(to_default) / sizeof(to_default[0]); i++)
		signal(to_default[i], SIG_DFL);
	/* Its own session: nobody's terminal, and one group to kill. */
	if (setsid() == -1 || dup2(in, STDIN_FILENO) == -1 ||
	    dup2(out, STDOUT_FILENO) == -1 || dup2(err, STDERR_FILENO) == -1)
		_exit(71);
	closefrom(STDERR_FILENO + 1);
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
