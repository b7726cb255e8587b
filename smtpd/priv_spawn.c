/*
 * Process: spawn.  Runs as root, root directory /.
 * Holds: the command lines of the configuration, the table programs that run,
 * helpers that check a password, commands that get a token, deliveries to
 * users, and where those will say what became of them, smtpctl while it sends
 * reports.
 * Asked by: queue (local_take, report_send), lookup (prog_ask, pam_ask,
 * token_ask, text_ask), deliver (sock_ask).
 * Asks: nobody.
 * Never: parses anything from outside; runs a command as root but the helper
 * of PAM; lets a row of the configuration stand for what it is not; reads mail
 * or what a program says, which goes to who asked.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "priv_child.h"
#include "priv_command.h"
#include "priv_local.h"
#include "priv_report.h"
#include "priv_sock.h"
#include "priv_token.h"
#include "priv_user.h"
#include "proc.h"

#define STOP_GRACE 200 /* ms between SIGTERM and SIGKILL when we stop */
#define PAM_MAX    16  /* helpers at once: what lookup asks for, and no more */
#define PAM_LIFE   20000 /* ms that a helper may take */

static char path_env[] = PRIV_PATH;
static char *const clean_env[] = { path_env, NULL };

struct spawn {
	struct proc *proc;
	char own[PATH_MAX]; /* the folder of our programs */
	uid_t uid;          /* whom a table program becomes */
	gid_t gid;
	pid_t *program; /* by row of conf.table, 0: none */
	struct helper pam[PAM_MAX];
	struct token_runs tokens;
	struct local_runs locals;
	struct socks socks;
	struct report_run report;
	struct watch sig_chld;
	struct timer stop;
};

/* ---- who and where ---- */

/* As lookup, which asks them, so that they may read what it may. */
static void
find_user(struct spawn *s)
{
	const char *name = proc_table[PROC_LOOKUP].user;
	const struct passwd *pw;

	s->uid = geteuid();
	s->gid = getegid();
	if (s->proc->start.jailed == 0)
		return;
	if ((pw = getpwnam(name)) == NULL)
		proc_fail(s->proc, "there is no user %s", name);
	s->uid = pw->pw_uid;
	s->gid = pw->pw_gid;
}

static void
find_own(struct spawn *s)
{
	ssize_t n = readlink("/proc/self/exe", s->own, sizeof(s->own) - 1);
	char *slash;

	s->own[n > 0 ? n : 0] = '\0';
	if ((slash = strrchr(s->own, '/')) != NULL)
		*slash = '\0';
}

static void
prepare(void *self, struct proc *p)
{
	struct spawn *s = self;

	s->proc = p;
	s->program = xcalloc(p->conf->table.n + 1, sizeof(*s->program));
	token_runs_init(&s->tokens, p);
	local_runs_init(&s->locals, p, s->own);
	socks_init(&s->socks, p);
	report_run_init(&s->report, p, s->own);
}

/* ---- starting a program ---- */

/* Between fork and exec: a table program. */
static _Noreturn void
become(const struct spawn *s, const struct command *c, int in_out, int err,
    pid_t parent)
{
	child_leave((const int[]){ in_out, in_out, err }, 3);
	if (s->proc->start.jailed != 0 && !user_become_alone(s->uid, s->gid))
		_exit(71);
	child_limit_files();
	child_no_more_rights();
	child_die_with(parent);
	execve(c->path, c->argv, clean_env);
	dprintf(STDERR_FILENO, "%s: %s\n", c->path, strerror(errno));
	_exit(72);
}

/* in_out, err: [0] is ours, for lookup; [1] is the program's. */
static bool
make_pipes(int in_out[2], int err[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in_out) == -1)
		return false;
	if (pipe2(err, O_CLOEXEC) == -1) {
		close(in_out[0]);
		close(in_out[1]);
		return false;
	}
	fcntl(in_out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	return true;
}

static pid_t
start_program(const struct spawn *s, const struct command *c, int in_out[2],
    int err[2])
{
	pid_t me = getpid(), pid;
	int keep;

	if (!make_pipes(in_out, err))
		return -1;
	pid = fork();
	if (pid == 0)
		become(s, c, in_out[1], err[1], me);
	keep = errno;
	close(in_out[1]);
	close(err[1]);
	if (pid == -1) {
		close(in_out[0]);
		close(err[0]);
	}
	errno = keep;
	return pid;
}

/* The group is the program's own as soon as it has called setsid(), and its
 * leader has not been waited for, so the number is still theirs. */
static void
kill_program(struct spawn *s, uint32_t row, int sig)
{
	if (s->program[row] <= 0)
		return;
	kill(s->program[row], sig);
	kill(-s->program[row], sig);
}

static void
kill_all(struct spawn *s, int sig)
{
	uint32_t i;

	for (i = 0; i < s->proc->conf->table.n; i++)
		kill_program(s, i, sig);
}

/* What the row names, or why not. */
static const char *
find_command(const struct spawn *s, uint32_t row, struct command *c)
{
	const struct conf *conf = s->proc->conf;
	const struct conf_table *t;

	if (row >= conf->table.n)
		return "no such table";
	t = CONF_TABLE(conf, row);
	if (t->kind != TABLE_PROC)
		return "the table has no program";
	return command_of_table(conf_text(conf, t->type),
	    conf_text(conf, t->path), s->own, c);
}

static void
on_prog_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct spawn *s = self;
	const struct prog_ask *ask = msg->body;
	struct prog_stderr says = { .table = ask->table };
	struct prog_is is;
	struct command c;
	int in_out[2], err[2];
	const char *why;
	pid_t pid = -1;

	memset(&is, 0, sizeof(is));
	why = find_command(s, ask->table, &c);
	if (why == NULL) {
		/* Asked again: the one before was of no use. */
		kill_program(s, ask->table, SIGKILL);
		pid = start_program(s, &c, in_out, err);
		if (pid == -1)
			why = strerror(errno);
	}
	started_is(&is.outcome, why);
	if (why != NULL) {
		prog_is_send(from, msg->id, &is, -1);
		return;
	}
	s->program[ask->table] = pid;
	prog_stderr_send(from, 0, &says, err[0]);
	prog_is_send(from, msg->id, &is, in_out[0]);
	close(in_out[0]);
	close(err[0]);
}

/* ---- a password ---- */

/* Between fork and exec: the helper stays root, and hears from nobody but
 * lookup, at the other end of sock. */
static _Noreturn void
become_pam(const char *path, int sock, int null, pid_t parent)
{
	static char name[] = "pam";
	char *argv[] = { name, NULL };

	child_leave((const int[]){ sock, sock, null }, 3);
	child_no_more_rights();
	child_die_with(parent);
	execve(path, argv, clean_env);
	_exit(72);
}

/* NULL, or why not; *ours is lookup's end. */
static const char *
start_pam(struct spawn *s, int *ours)
{
	struct helper *h = helpers_free(s->pam, PAM_MAX);
	pid_t me = getpid(), pid = -1;
	const char *why = NULL;
	char path[PATH_MAX + 8];
	int pair[2], null;

	if (h == NULL)
		return "too many passwords are being checked";
	if (snprintf(path, sizeof(path), "%s/pam", s->own) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return strerror(errno);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null != -1 && (pid = fork()) == 0)
		become_pam(path, pair[1], null, me);
	if (pid == -1) {
		why = strerror(errno);
		close(pair[0]);
	}
	close(pair[1]);
	if (null != -1)
		close(null);
	if (why != NULL)
		return why;
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	helper_began(h, s->proc->loop, pid, PAM_LIFE);
	*ours = pair[0];
	return NULL;
}

static void
on_pam_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct pam_is is;
	const char *why;
	int fd = -1;

	memset(&is, 0, sizeof(is));
	why = start_pam(self, &fd);
	started_is(&is.outcome, why);
	pam_is_send(from, msg->id, &is, fd);
	if (fd != -1)
		close(fd);
}

static void
on_token_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct spawn *s = self;

	token_runs_ask(&s->tokens, from, msg);
}

/* ---- mail ---- */

static void
on_local_take(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct spawn *s = self;

	local_runs_take(&s->locals, from, msg);
}

static void
on_local_noted(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct spawn *s = self;

	(void)from;
	local_runs_noted(&s->locals, msg);
}

static void
on_text_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct spawn *s = self;

	local_runs_read(&s->locals, from, msg);
}

static void
on_sock_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct spawn *s = self;

	socks_ask(&s->socks, from, msg);
}

static void
on_report_send(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct spawn *s = self;

	report_run_ask(&s->report, from, msg);
}

static void
on_peer_up(void *self, struct ipc_chan *c)
{
	struct spawn *s = self;

	if (c->peer == PROC_QUEUE)
		local_runs_list(&s->locals, c);
}

static void
drain(void *self)
{
	struct spawn *s = self;

	report_run_kill(&s->report);
	local_runs_drain(&s->locals);
}

/* ---- ends ---- */

/* Who works for somebody that waits; deliveries go on. */
static void
kill_helpers(struct spawn *s)
{
	helpers_kill(s->pam, PAM_MAX);
	token_runs_kill(&s->tokens);
	local_runs_kill_reads(&s->locals);
}

static void
forget(struct spawn *s, const siginfo_t *info)
{
	pid_t pid = info->si_pid;
	uint32_t i;

	for (i = 0; i < s->proc->conf->table.n; i++)
		if (s->program[i] == pid)
			s->program[i] = 0;
	helpers_forget(s->pam, PAM_MAX, pid);
	token_runs_forget(&s->tokens, pid);
	local_runs_forget(&s->locals, pid);
	report_run_forget(&s->report, pid,
	    info->si_code == CLD_EXITED ? info->si_status : -1);
}

/* The rest of its group goes with it, before its number is free again. */
static void
on_chld(int sig, int what, void *arg)
{
	struct spawn *s = arg;
	siginfo_t info;

	(void)sig;
	(void)what;
	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) ==
			-1 ||
		    info.si_pid == 0)
			return;
		kill(-info.si_pid, SIGKILL);
		waitpid(info.si_pid, NULL, 0);
		forget(s, &info);
	}
}

static void
on_peer_down(void *self, struct ipc_chan *c)
{
	struct spawn *s = self;

	if (c->peer == PROC_QUEUE)
		report_run_gone(&s->report, c);
	if (c->peer != PROC_LOOKUP)
		return;
	kill_all(s, SIGKILL);
	kill_helpers(s);
}

static void
on_grace_over(void *arg)
{
	struct spawn *s = arg;

	loop_stop(s->proc->loop);
}

static void
stop(void *self)
{
	struct spawn *s = self;

	kill_all(s, SIGTERM);
	kill_helpers(s);
	report_run_kill(&s->report);
	timer_set(s->proc->loop, &s->stop, STOP_GRACE, on_grace_over, s);
}

/* What cannot be started is said before anybody relies on it. */
static void
check_commands(struct spawn *s)
{
	const struct conf *conf = s->proc->conf;
	char where[CONF_AT_MAX];
	struct command c;
	const char *why;
	uint32_t i;

	for (i = 0; i < conf->table.n; i++) {
		const struct conf_table *t = CONF_TABLE(conf, i);

		if (t->kind != TABLE_PROC)
			continue;
		if ((why = find_command(s, i, &c)) != NULL)
			proc_fail(s->proc, "%s: table %s: %s: %s",
			    conf_at_print(conf, &t->at, where, sizeof(where)),
			    conf_text(conf, t->name),
			    c.argv[0] == NULL ? conf_text(conf, t->path) :
						c.argv[0],
			    why);
	}
}

static void
start(void *self, struct proc *p)
{
	struct spawn *s = self;

	find_user(s);
	find_own(s);
	check_commands(s);
	token_runs_check(&s->tokens);
	socks_start(&s->socks);
	local_runs_start(&s->locals);
	report_run_start(&s->report);
	watch_signal(p->loop, &s->sig_chld, SIGCHLD, on_chld, s);
}

static ipc_handler *const handlers[IPC_TYPES] = {
	[IPC_PROG_ASK] = on_prog_ask,
	[IPC_PAM_ASK] = on_pam_ask,
	[IPC_TOKEN_ASK] = on_token_ask,
	[IPC_TEXT_ASK] = on_text_ask,
	[IPC_LOCAL_TAKE] = on_local_take,
	[IPC_LOCAL_NOTED] = on_local_noted,
	[IPC_SOCK_ASK] = on_sock_ask,
	[IPC_REPORT_SEND] = on_report_send,
};

static const struct proc_hooks hooks = {
	.kind = PROC_SPAWN,
	.handlers = handlers,
	.pre_jail = prepare,
	.start = start,
	.peer_up = on_peer_up,
	.peer_down = on_peer_down,
	.stop = stop,
	.drain = drain,
};

int
main(void)
{
	static struct spawn self;
	struct proc p = { 0 };
	int status = proc_main(&p, &hooks, &self);

	/* However we got here: also when the parent is gone. */
	kill_all(&self, SIGKILL);
	kill_helpers(&self);
	report_run_kill(&self.report);
	return status;
}
