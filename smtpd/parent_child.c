/*
 * The children: starting them, joining them to each other, hearing them,
 * starting again who died.  Runs in the parent; reads from its children only
 * what ipc.c has checked.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <bsd/string.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "parent.h"

#define RESTART_FIRST 50    /* ms; doubled for each failure in a row */
#define RESTART_MAX   10000 /* ms */
#define LIVED_WELL    1000  /* ms at work: after that the row begins anew */
#define LOG_BATCH     64    /* lines before others have their turn */

static void child_start(struct child *ch);

void
parent_each_child(struct parent *p, void (*fn)(struct child *ch, void *arg),
    void *arg)
{
	unsigned int k, i;

	for (k = PROC_PARENT + 1; k < PROC_KINDS; k++) {
		for (i = 0; i < p->count[k]; i++)
			fn(&p->child[k][i], arg);
	}
}

bool
parent_logs_start(const struct parent *p)
{
	return p->started || !p->foreground;
}

static void
count_state(struct child *ch, void *arg)
{
	unsigned int *n = arg;

	n[ch->state]++;
}

static bool
all_ready(struct parent *p)
{
	unsigned int n[CHILD_STOPPING + 1] = { 0 };

	parent_each_child(p, count_state, n);
	return n[CHILD_DOWN] == 0 && n[CHILD_STARTING] == 0;
}

/* ---- joining ---- */

static bool
give(struct child *ch, enum proc_kind kind, unsigned int instance, int fd)
{
	struct proc_peer m;

	memset(&m, 0, sizeof m);
	m.kind = kind;
	m.instance = instance;
	return proc_peer_send(&ch->chan, 0, &m, fd);
}

/* A channel between the two, if the table has a message for them. */
static void
join(struct child *a, void *arg)
{
	struct child *b = arg;
	int pair[2];

	if (a == b || a->state == CHILD_DOWN || a->chan.fd == -1 ||
	    !ipc_related(a->kind, b->kind))
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, pair) == -1) {
		log_warn("no-channel", "between=%s and=%s why=%s",
		    proc_table[a->kind].program, proc_table[b->kind].program,
		    strerror(errno));
		/* Without it b is of no use; it is started again later. */
		kill(b->pid, SIGKILL);
		return;
	}
	give(a, b->kind, b->instance, pair[0]);
	give(b, a->kind, a->instance, pair[1]);
	close(pair[0]);
	close(pair[1]);
}

/* ---- what children say ---- */

/* The self of a child's channel is the child. */
static void
on_ready(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct child *ch = self;
	struct parent *p = ch->parent;

	(void)from;
	(void)msg;
	if (ch->state == CHILD_STARTING)
		ch->state = CHILD_READY;
	if (p->started || !all_ready(p))
		return;
	p->started = true;
	if (p->check) {
		fprintf(stderr, "configuration OK\n");
		parent_stop(p, 0);
		return;
	}
	log_event(0, "started", "pid=%ld listeners=%u run=%s", (long)getpid(),
	    p->conf->listen.n, p->run);
	if (p->told != -1) {
		(void)!write(p->told, "", 1);
		close(p->told);
		p->told = -1;
		/* From here on the log is all there is to read. */
		dup2(STDIN_FILENO, STDERR_FILENO);
	}
}

static void
on_fail(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct child *ch = self;
	const struct proc_fail *m = msg->body;

	(void)from;
	if (parent_logs_start(ch->parent))
		log_warn("cannot-start", "name=%s why=%s",
		    proc_table[ch->kind].program, q(m->text));
	if (ch->parent->started)
		return;
	/* The first start: whoever typed the command reads this. */
	fprintf(stderr, "%s\n", m->text);
	parent_stop(ch->parent, 1);
}

/* Of two that quarrel the less trusted is restarted, never the queue on
 * another's word. */
static void
on_blame(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct child *ch = self, *other, *loser;
	struct parent *p = ch->parent;
	const struct proc_blame *m = msg->body;

	(void)from;
	if (m->kind <= PROC_PARENT || m->kind >= PROC_KINDS ||
	    m->instance >= p->count[m->kind])
		return;
	other = &p->child[m->kind][m->instance];
	loser = proc_table[other->kind].trust < proc_table[ch->kind].trust ?
	    other :
	    ch;
	log_warn("blamed", "by=%s name=%s restarted=%s why=%s",
	    proc_table[ch->kind].program, proc_table[other->kind].program,
	    proc_table[loser->kind].program, q(m->why));
	if (loser->pid > 0)
		kill(loser->pid, SIGKILL);
}

static void
on_ctl_stop(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct child *ch = self;

	(void)from;
	(void)msg;
	log_event(0, "stop-asked", "by=smtpctl");
	parent_stop(ch->parent, 0);
}

static ipc_handler *const handlers[IPC_TYPES] = {
	[IPC_PROC_READY] = on_ready,
	[IPC_PROC_FAIL] = on_fail,
	[IPC_PROC_BLAME] = on_blame,
	[IPC_CTL_STOP] = on_ctl_stop,
};

static void
on_lost(void *self, struct ipc_chan *c, const char *why)
{
	struct child *ch = self;

	ipc_detach(c);
	if (why == NULL)
		return; /* it ends; SIGCHLD tells */
	log_warn("ipc-broken", "peer=%s why=%s", proc_table[ch->kind].program,
	    q(why));
	if (ch->pid > 0)
		kill(ch->pid, SIGKILL);
}

/* ---- its log ---- */

/* Each has a socket of its own, so that a line is its own and a captured one
 * cannot shut the others up. */
static void
on_log(int fd, int what, void *arg)
{
	struct child *ch = arg;
	char line[LOG_LINE_MAX + 1];
	ssize_t n;
	int i;

	(void)what;
	for (i = 0; i < LOG_BATCH; i++) {
		n = recv(fd, line, LOG_LINE_MAX, MSG_DONTWAIT);
		if (n <= 0)
			return;
		line[n] = '\0';
		log_forward(proc_table[ch->kind].program, line);
	}
}

/* Returns the child's end, or -1. */
static int
log_open(struct child *ch)
{
	int pair[2], size = 4 << 20;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) == -1)
		return -1;
	/* Room for a burst of lines; a child never waits for us. */
	if (setsockopt(pair[1], SOL_SOCKET, SO_SNDBUFFORCE, &size,
		sizeof size) == -1)
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	ch->log = pair[0];
	watch_set(ch->parent->loop, &ch->log_watch, ch->log, LOOP_READ, on_log,
	    ch);
	return pair[1];
}

static void
log_close(struct child *ch)
{
	if (ch->log == -1)
		return;
	on_log(ch->log, LOOP_READ, ch); /* its last words */
	watch_clear(&ch->log_watch);
	close(ch->log);
	ch->log = -1;
}

/* ---- starting ---- */

static void
restart_later(struct child *ch)
{
	msec delay = RESTART_FIRST;
	unsigned int i;

	for (i = 0; i < ch->failures && delay < RESTART_MAX; i++)
		delay *= 2;
	if (delay > RESTART_MAX)
		delay = RESTART_MAX;
	ch->failures++;
	log_event(0, "restart", "name=%s instance=%u delay=%lldms failures=%u",
	    proc_table[ch->kind].program, ch->instance, (long long)delay,
	    ch->failures);
	timer_set(ch->parent->loop, &ch->restart, delay,
	    (void (*)(void *))child_start, ch);
}

static void
child_start(struct child *ch)
{
	struct parent *p = ch->parent;
	struct proc_go go = { 0 };
	char program[PATH_MAX + 32];
	int pair[2], log, keep;

	if (p->stopping)
		return;
	snprintf(program, sizeof program, "%s/%s", p->libexec,
	    proc_table[ch->kind].program);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, pair) == -1) {
		log_warn("no-channel", "why=%s", strerror(errno));
		restart_later(ch);
		return;
	}
	/* Until its loop runs the child reads blocking. */
	fcntl(pair[1], F_SETFL, 0);
	log = log_open(ch);
	ch->pid =
	    log == -1 ? -1 : priv_exec(program, pair[1], log, p->foreground);
	keep = errno;
	close(pair[1]);
	if (log != -1)
		close(log);
	if (ch->pid == -1) {
		log_warn("no-process", "name=%s why=%s", program,
		    strerror(keep));
		close(pair[0]);
		log_close(ch);
		restart_later(ch);
		return;
	}
	ch->state = CHILD_STARTING;
	ch->started = loop_msec();
	ipc_init(&ch->chan, p->loop, PROC_PARENT, ch->kind, ch->instance,
	    handlers, ch, on_lost);
	ipc_attach(&ch->chan, pair[0]);
	parent_give(ch);
	parent_each_child(p, join, ch);
	proc_go_send(&ch->chan, 0, &go, -1);
}

static void
child_down(struct child *ch)
{
	if (ch->state == CHILD_STARTING || ch->state == CHILD_READY ||
	    ch->state == CHILD_STOPPING)
		ipc_detach(&ch->chan);
	log_close(ch);
	ch->state = CHILD_DOWN;
	ch->pid = 0;
}

/* ---- signals ---- */

static struct child *
child_of(struct parent *p, pid_t pid)
{
	unsigned int k, i;

	for (k = PROC_PARENT + 1; k < PROC_KINDS; k++) {
		for (i = 0; i < p->count[k]; i++) {
			if (p->child[k][i].pid == pid)
				return &p->child[k][i];
		}
	}
	return NULL;
}

static void
child_ended(struct child *ch, int status)
{
	struct parent *p = ch->parent;
	bool in_order = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	enum child_state was = ch->state;

	child_down(ch);
	if (p->stopping) {
		parent_stop_ended(p);
		return;
	}
	if (WIFSIGNALED(status))
		log_warn("child-ended", "name=%s instance=%u signal=%d",
		    proc_table[ch->kind].program, ch->instance,
		    WTERMSIG(status));
	else
		log_warn("child-ended", "name=%s instance=%u status=%d",
		    proc_table[ch->kind].program, ch->instance,
		    WEXITSTATUS(status));
	if (!p->started && was == CHILD_STARTING) {
		fprintf(stderr, "%s could not start\n",
		    proc_table[ch->kind].program);
		parent_stop(p, 1);
		return;
	}
	/* A queue that rebuilds its index ends in order. */
	if (in_order || loop_msec() - ch->started > LIVED_WELL)
		ch->failures = 0;
	restart_later(ch);
}

static void
on_chld(int sig, int what, void *arg)
{
	struct parent *p = arg;
	struct child *ch;
	int status;
	pid_t pid;

	(void)sig;
	(void)what;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if ((ch = child_of(p, pid)) != NULL)
			child_ended(ch, status);
	}
}

static void
on_term(int sig, int what, void *arg)
{
	struct parent *p = arg;

	(void)what;
	log_event(0, "stop-asked", "signal=%d", sig);
	parent_stop(p, 0);
}

static void
on_hup(int sig, int what, void *arg)
{
	(void)sig;
	(void)what;
	(void)arg;
	log_warn("reload-refused",
	    "why=\"this version has no reload: stop and start it\"");
}

void
parent_start(struct parent *p)
{
	unsigned int k, i;

	watch_signal(p->loop, &p->sig_chld, SIGCHLD, on_chld, p);
	watch_signal(p->loop, &p->sig_term, SIGTERM, on_term, p);
	watch_signal(p->loop, &p->sig_int, SIGINT, on_term, p);
	watch_signal(p->loop, &p->sig_hup, SIGHUP, on_hup, p);
	for (k = PROC_PARENT + 1; k < PROC_KINDS; k++) {
		for (i = 0; i < p->count[k]; i++) {
			p->child[k][i].kind = k;
			p->child[k][i].instance = i;
			p->child[k][i].parent = p;
			p->child[k][i].log = -1;
		}
	}
	for (k = PROC_PARENT + 1; k < PROC_KINDS && !p->stopping; k++) {
		for (i = 0; i < p->count[k] && !p->stopping; i++)
			child_start(&p->child[k][i]);
	}
}
