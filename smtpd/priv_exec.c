/*
 * Starting a child process: fork and exec, so that each has a fresh address
 * layout and only the descriptors it is meant to have.  Runs in the parent,
 * as root; reads nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "parent.h"
#include "proc.h"

/* What a child keeps of our environment: nothing but what a sanitizer or the
 * clock needs. */
static const char *const kept[] = { "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS",
	"LSAN_OPTIONS" };

static void
clean_environment(void)
{
	const char *value[sizeof kept / sizeof kept[0]];
	char *copy[sizeof kept / sizeof kept[0]];
	size_t i;

	for (i = 0; i < sizeof kept / sizeof kept[0]; i++) {
		value[i] = getenv(kept[i]);
		copy[i] = value[i] == NULL ? NULL : xstrdup(value[i]);
	}
	clearenv();
	for (i = 0; i < sizeof kept / sizeof kept[0]; i++) {
		if (copy[i] != NULL)
			setenv(kept[i], copy[i], 1);
		free(copy[i]);
	}
	setenv("PATH", "/usr/bin:/bin", 1);
}

/* In the child.  The two sockets may sit on 3 and 4 in the wrong order. */
static _Noreturn void
become(const char *program, int parent_sock, int log_sock, bool keep_stderr)
{
	char *argv[2] = { (char *)program, NULL };
	sigset_t none;
	int null, a, b;

	/* The parent's loop may have blocked signals. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	a = fcntl(parent_sock, F_DUPFD, 10);
	b = fcntl(log_sock, F_DUPFD, 10);
	null = open("/dev/null", O_RDWR);
	if (a == -1 || b == -1 || null == -1 || dup2(null, 0) == -1 ||
	    dup2(null, 1) == -1 || dup2(a, PROC_FD_PARENT) == -1 ||
	    dup2(b, PROC_FD_LOG) == -1)
		_exit(71);
	if (!keep_stderr && dup2(null, STDERR_FILENO) == -1)
		_exit(71);
	/* Every other descriptor: listening sockets, keys, the pid file. */
	closefrom(PROC_FD_LOG + 1);
	clean_environment();
	execv(program, argv);
	_exit(PRIV_NO_PROGRAM);
}

pid_t
priv_exec(const char *program, int parent_sock, int log_sock, bool keep_stderr)
{
	pid_t pid = fork();

	if (pid == 0)
		become(program, parent_sock, log_sock, keep_stderr);
	return pid;
}

pid_t
priv_run(char *const argv[], int dir, int out)
{
	pid_t pid = fork();
	sigset_t none;
	int fd;

	if (pid != 0)
		return pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (fchdir(dir) == -1 || (fd = fcntl(out, F_DUPFD, 10)) == -1 ||
	    dup2(fd, STDOUT_FILENO) == -1 || dup2(fd, STDERR_FILENO) == -1)
		_exit(71);
	closefrom(STDERR_FILENO + 1);
	execv(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(PRIV_NO_PROGRAM);
}
