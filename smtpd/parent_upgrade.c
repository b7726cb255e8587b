/*
 * A newer program takes over: at a reload, when another one stands at our
 * path.  It checks the configuration first, as `smtpd -n`; then this process
 * becomes it, with its sockets and its children, and the reload goes on there.
 * If the two programs' messages differ, the children stop before.  Runs in
 * the parent.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "num.h"
#include "parent_upgrade.h"

#define CHECK_MS    60000
#define SAID_MAX    (64 * 1024) /* bytes of what it prints */
#define UNSENT_MS   10
#define UNSENT_LOOK 500 /* times: then who does not read is killed */

/* ---- is there one? ---- */

void
upgrade_init(struct parent *p)
{
	struct upgrade *u = &p->upgrade;
	ssize_t n = readlink("/proc/self/exe", u->self, sizeof u->self - 1);
	struct stat st;

	u->says = -1;
	buf_init(&u->said, SAID_MAX);
	u->self[n > 0 ? n : 0] = '\0';
	if (stat("/proc/self/exe", &st) == -1) {
		u->self[0] = '\0';
		return;
	}
	u->dev = st.st_dev;
	u->ino = st.st_ino;
	u->changed = st.st_mtim;
}

static bool
is_newer(const struct upgrade *u)
{
	struct stat st;

	return u->self[0] != '\0' && stat(u->self, &st) == 0 &&
	    (st.st_dev != u->dev || st.st_ino != u->ino ||
		st.st_mtim.tv_sec != u->changed.tv_sec ||
		st.st_mtim.tv_nsec != u->changed.tv_nsec);
}

/* ---- it checks ---- */

static void
read_said(struct upgrade *u)
{
	char piece[4096];
	ssize_t n;

	while ((n = read(u->says, piece, sizeof piece)) > 0)
		(void)buf_add(&u->said, piece, (size_t)n);
	if (n == 0 || errno != EAGAIN)
		watch_clear(&u->watch);
}

static void
on_said(int fd, int what, void *arg)
{
	struct parent *p = arg;

	(void)fd;
	(void)what;
	read_said(&p->upgrade);
}

static void
on_check_late(void *arg)
{
	struct parent *p = arg;

	/* Its end says that it failed. */
	kill(p->upgrade.check, SIGKILL);
}

/* Our own options, with -n. */
static pid_t
run_check(const struct parent *p, int out)
{
	const struct options *o = p->options;
	char *argv[2 * MACROS_MAX + 8], macros[MACROS_MAX][1024];
	size_t i, n = 0;

	argv[n++] = (char *)p->upgrade.self;
	argv[n++] = (char *)"-nV";
	argv[n++] = (char *)"-f";
	argv[n++] = (char *)o->conf;
	if (o->dir != NULL) {
		argv[n++] = (char *)"-R";
		argv[n++] = (char *)o->dir;
	}
	for (i = 0; i < o->n_macros; i++) {
		snprintf(macros[i], sizeof macros[i], "%s=%s",
		    o->macros[i].name, o->macros[i].value);
		argv[n++] = (char *)"-D";
		argv[n++] = macros[i];
	}
	argv[n] = NULL;
	return priv_run(argv, p->cwd, out);
}

bool
upgrade_begin(struct parent *p)
{
	struct upgrade *u = &p->upgrade;
	int pipes[2];

	if (!is_newer(u))
		return false;
	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) == -1) {
		buf_printf(&p->reload.why, "pipe: %s\n", strerror(errno));
		reload_over(p, false);
		return true;
	}
	buf_drain(&u->said, u->said.len);
	u->check = run_check(p, pipes[1]);
	close(pipes[1]);
	u->says = pipes[0];
	if (u->check == -1) {
		u->check = 0;
		buf_printf(&p->reload.why, "%s: %s\n", u->self,
		    strerror(errno));
		close(u->says);
		u->says = -1;
		reload_over(p, false);
		return true;
	}
	watch_set(p->loop, &u->watch, u->says, LOOP_READ, on_said, p);
	timer_set(p->loop, &u->timer, CHECK_MS, on_check_late, p);
	return true;
}

/* ---- becoming it ---- */

static void
keep_fd(int fd)
{
	if (fd != -1)
		fcntl(fd, F_SETFD, 0);
}

static void
lose_fd(int fd)
{
	if (fd != -1)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Returns only if it cannot be. */
static void
become(struct parent *p, bool children)
{
	int fd = upgrade_write(p, children), error = errno;
	char number[16];
	sigset_t all, before;

	if (fd == -1) {
		log_warn("upgrade-failed", "why=%s", q(strerror(error)));
		return;
	}
	log_event(0, "upgrade", "program=%s processes=%s", q(p->upgrade.self),
	    children ? "kept" : "stopped");
	snprintf(number, sizeof number, "%d", fd);
	setenv(UPGRADE_ENV, number, 1);
	notify_pass_on(p, true);
	/* Until somebody handles them again, they wait. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	upgrade_each_fd(p, keep_fd);
	keep_fd(fd);
	if (fchdir(p->cwd) == 0)
		execv(p->upgrade.self, p->options->argv);
	error = errno;
	upgrade_each_fd(p, lose_fd);
	close(fd);
	unsetenv(UPGRADE_ENV);
	notify_pass_on(p, false);
	sigprocmask(SIG_SETMASK, &before, NULL);
	log_warn("upgrade-failed", "why=%s", q(strerror(error)));
	buf_printf(&p->reload.why, "%s: %s\n", p->upgrade.self,
	    strerror(error));
}

static void
find_unsent(struct child *ch, void *arg)
{
	struct child **found = arg;

	if (ch->chan.fd != -1 && ch->chan.n_out > 0)
		*found = ch;
}

/* What was said to children and not yet read would be lost with us. */
static void
on_unsent(void *arg)
{
	struct parent *p = arg;
	struct child *ch = NULL;

	child_each(p, find_unsent, &ch);
	if (ch == NULL) {
		become(p, true);
		reload_over(p, false);
		return;
	}
	if (++p->upgrade.looked == UNSENT_LOOK)
		child_kill(ch);
	timer_set(p->loop, &p->upgrade.timer, UNSENT_MS, on_unsent, p);
}

/* ---- what the check said ---- */

/* The first line is `ipc N`; the others are for whoever asked. */
static bool
same_ipc(struct upgrade *u)
{
	const char *text = (const char *)buf_data(&u->said);
	const char *end = memchr(text, '\n', u->said.len);
	char number[24] = "";
	uint64_t ipc = 0;
	int n;

	if (end == NULL || strncmp(text, "ipc ", 4) != 0)
		return false;
	n = snprintf(number, sizeof number, "%.*s", (int)(end - text - 4),
	    text + 4);
	buf_drain(&u->said, (size_t)(end - text + 1));
	return n < (int)sizeof number &&
	    num_parse(number, 0, UINT64_MAX, &ipc) == NULL && ipc == ipc_hash();
}

void
upgrade_ended(struct parent *p, pid_t pid, int status)
{
	struct upgrade *u = &p->upgrade;
	bool same;

	if (u->check == 0 || pid != u->check)
		return;
	u->check = 0;
	timer_clear(&u->timer);
	read_said(u);
	watch_clear(&u->watch);
	close(u->says);
	u->says = -1;
	if (p->stopping)
		return;
	same = same_ipc(u);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		buf_add(&p->reload.why, buf_data(&u->said), u->said.len);
		if (u->said.len == 0)
			buf_printf(&p->reload.why, "%s -n: %s\n", u->self,
			    child_end_print(status));
		reload_over(p, false);
	} else if (same) {
		u->looked = 0;
		on_unsent(p);
	} else {
		u->restart = true;
		ask_end(p, DONE, "2.0.0",
		    "the new program's processes start when the old ones have stopped");
		parent_stop(p, 0);
	}
}

bool
upgrade_goes_on(struct parent *p)
{
	if (p->upgrade.restart) {
		become(p, false);
		p->status = 1; /* there is nothing to go back to */
	}
	return false;
}

void
upgrade_cancel(struct parent *p)
{
	timer_clear(&p->upgrade.timer);
	if (p->upgrade.check > 0)
		kill(p->upgrade.check, SIGKILL);
}

/* ---- having become it ---- */

void
upgrade_print(void)
{
	printf("ipc %" PRIu64 "\n", ipc_hash());
	fflush(stdout);
}

bool
upgrade_inherits(void)
{
	return getenv(UPGRADE_ENV) != NULL;
}

void
upgrade_inherit(struct parent *p)
{
	const char *number = getenv(UPGRADE_ENV), *why;
	uint64_t fd = 0;

	why = num_parse(number, STDERR_FILENO + 1, INT32_MAX, &fd);
	unsetenv(UPGRADE_ENV);
	if (why == NULL)
		why = upgrade_read(p, (int)fd);
	if (why != NULL)
		fatal("%s: what the program before this one left: %s",
		    UPGRADE_ENV, why);
}

int
upgrade_socket(struct parent *p, const struct conf_listen *l)
{
	struct upgrade *u = &p->upgrade;
	size_t i;

	for (i = 0; i < u->n_inherited; i++) {
		if (activate_fits(p, u->inherited[i], l))
			return fcntl(u->inherited[i], F_DUPFD_CLOEXEC, 0);
	}
	return -1;
}

void
upgrade_sockets_close(struct parent *p)
{
	struct upgrade *u = &p->upgrade;

	while (u->n_inherited > 0)
		close(u->inherited[--u->n_inherited]);
}
