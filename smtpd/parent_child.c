/*
 * A child process: its slot, its start, its channels to others, its end.
 * Runs in the parent; reads from its children only what ipc.c has checked.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "parent.h"

#define RESTART_FIRST 50    /* ms; doubled for each failure in a row */
#define RESTART_MAX   10000 /* ms */
#define LIVED_WELL    1000  /* ms at work: after that the row begins anew */

/* Columns, by kind: milliseconds that draining may take (0: however long),
 * and stopping. */
static const struct {
	msec drain, stop;
} limits[PROC_KINDS] = {
	[PROC_SPAWN] = { 0, 1000 },
	[PROC_LOOKUP] = { 0, 1000 },
	[PROC_KEYS] = { 0, 1000 },
	[PROC_GUARD] = { 0, 1000 },
	[PROC_QUEUE] = { 0, 3300 },
	/* RFC 5321 4.5.3.2.6: a server may think 10 minutes about the dot. */
	[PROC_DELIVER] = { 15 * 60000, 3300 },
	/* Longer than it waits for the queue. */
	[PROC_CONTROL] = { 6 * 60000, 1000 },
	[PROC_SESSION] = { 0, 2400 },
};

void
child_each(struct parent *p, void (*fn)(struct child *ch, void *arg), void *arg)
{
	unsigned int k, i;

	for (k = PROC_PARENT + 1; k < PROC_KINDS; k++) {
		for (i = 0; i < PROC_MAX; i++) {
			if (p->child[k][i].state != CHILD_NONE)
				fn(&p->child[k][i], arg);
		}
	}
}

/* ---- what children say ---- */

/* The self of a child's channel is the child. */
static void
on_ready(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct child *ch = self;

	(void)from;
	(void)msg;
	if (ch->state != CHILD_STARTING)
		return;
	ch->state = CHILD_READY;
	if (ch->gen == ch->parent->next)
		reload_ready(ch->parent);
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
	if (ch->gen == ch->parent->next)
		reload_fail(ch->parent, "%s", m->text);
}

static void
on_drained(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct proc_drained *m = msg->body;

	(void)from;
	drain_told(self, m->left);
}

/* Of two that quarrel the less trusted is restarted, never the queue on
 * another's word. */
static void
on_blame(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct child *ch = self, *other, *loser;
	const struct proc_blame *m = msg->body;

	(void)from;
	if (m->kind <= PROC_PARENT || m->kind >= PROC_KINDS ||
	    m->instance >= PROC_MAX)
		return;
	other = &ch->parent->child[m->kind][m->instance];
	if (other->state == CHILD_NONE)
		return; /* gone meanwhile */
	loser = proc_table[other->kind].trust < proc_table[ch->kind].trust ?
	    other :
	    ch;
	log_warn("blamed", "by=%s name=%s restarted=%s why=%s",
	    proc_table[ch->kind].program, proc_table[m->kind].program,
	    proc_table[loser->kind].program, q(m->why));
	child_kill(loser);
}

static ipc_handler *const handlers[IPC_TYPES] = {
	[IPC_PROC_READY] = on_ready,
	[IPC_PROC_FAIL] = on_fail,
	[IPC_PROC_BLAME] = on_blame,
	[IPC_PROC_DRAINED] = on_drained,
	[IPC_CTL_STOP] = on_ctl_stop,
	[IPC_PARENT_ASK] = on_parent_ask,
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
	child_kill(ch);
}

static void
attach(struct child *ch, int fd)
{
	ipc_init(&ch->chan, ch->parent->loop, PROC_PARENT, ch->kind,
	    ch->instance, handlers, ch, on_lost);
	ipc_attach(&ch->chan, fd);
}

/* ---- start ---- */

static void
on_restart(void *arg)
{
	struct child *ch = arg;

	if (!ch->parent->stopping)
		child_start(ch);
}

static void
restart_later(struct child *ch)
{
	msec delay = loop_doubled(RESTART_FIRST, ch->failures, RESTART_MAX);

	ch->failures++;
	log_event(0, "restart", "name=%s instance=%u delay=%lldms failures=%u",
	    proc_table[ch->kind].program, ch->instance, (long long)delay,
	    ch->failures);
	timer_set(ch->parent->loop, &ch->timer, delay, on_restart, ch);
}

/* No process, for what the machine lacks. */
static void
no_process(struct child *ch, int error)
{
	struct parent *p = ch->parent;
	const char *name = proc_table[ch->kind].program;

	child_log_close(ch);
	log_warn("no-process", "name=%s why=%s", name, q(strerror(error)));
	if (ch->gen == p->next)
		reload_fail(p, "%s cannot be started: %s", name,
		    strerror(error));
	else
		restart_later(ch);
}

void
child_start(struct child *ch)
{
	struct parent *p = ch->parent;
	struct proc_go go = { 0 };
	char program[PATH_MAX + 32];
	int pair[2], log, error;

	ch->state = CHILD_DOWN;
	snprintf(program, sizeof program, "%s/%s", p->libexec,
	    proc_table[ch->kind].program);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, pair) == -1) {
		no_process(ch, errno);
		return;
	}
	/* Until its loop runs the child reads blocking. */
	fcntl(pair[1], F_SETFL, 0);
	log = child_log_open(ch);
	ch->pid = log == -1 ?
	    -1 :
	    priv_exec(program, pair[1], log, parent_has_stderr(p));
	error = errno;
	close(pair[1]);
	if (log != -1)
		close(log);
	if (ch->pid == -1) {
		ch->pid = 0;
		close(pair[0]);
		no_process(ch, error);
		return;
	}
	ch->state = CHILD_STARTING;
	ch->started = loop_msec();
	timer_clear(&ch->timer);
	attach(ch, pair[0]);
	give_all(ch);
	child_join(ch);
	proc_go_send(&ch->chan, 0, &go, -1);
}

/* The number of a slot nobody has, PROC_MAX if there is none; not of one that
 * was left just now: whoever still has something of the last one would take it
 * for the new one's. */
static unsigned int
take_slot(struct parent *p, enum proc_kind kind)
{
	unsigned int i, n;

	if (kind == PROC_QUEUE)
		return child_queue(p)->state == CHILD_NONE ? 0 : PROC_MAX;
	for (n = 1; n <= PROC_MAX; n++) {
		i = (p->last_slot[kind] + n) % PROC_MAX;
		if (p->child[kind][i].state != CHILD_NONE)
			continue;
		p->last_slot[kind] = i;
		return i;
	}
	return PROC_MAX;
}

struct child *
child_new(struct parent *p, enum proc_kind kind, unsigned int slot,
    struct generation *g)
{
	struct child *ch = &p->child[kind][slot];

	*ch = (struct child){ .kind = kind,
		.instance = slot,
		.state = CHILD_DOWN,
		.gen = g,
		.parent = p,
		.log = -1 };
	ch->chan.fd = -1;
	return ch;
}

/* How many of a kind g has, without those that go. */
static unsigned int
count(const struct parent *p, const struct generation *g, enum proc_kind k)
{
	unsigned int i, n = 0;

	for (i = 0; i < PROC_MAX; i++)
		n += p->child[k][i].gen == g &&
		    p->child[k][i].state < CHILD_DRAINING;
	return n;
}

void
child_fill(struct parent *p, struct generation *g)
{
	unsigned int k, slot;

	for (k = PROC_PARENT + 1; k < PROC_KINDS; k++) {
		/* A start that fails may take g away. */
		while ((g == p->now || g == p->next) && !p->stopping &&
		    count(p, g, k) < p->count[k] &&
		    (slot = take_slot(p, k)) != PROC_MAX)
			child_start(child_new(p, k, slot, g));
	}
}

unsigned int
child_room(const struct parent *p, enum proc_kind kind)
{
	return count(p, NULL, kind);
}

/* ---- end ---- */

void
child_kill(struct child *ch)
{
	if (ch->pid > 0)
		kill(ch->pid, SIGKILL);
}

static void
on_too_long(void *arg)
{
	struct child *ch = arg;

	log_warn("stop-killed", "name=%s instance=%u",
	    proc_table[ch->kind].program, ch->instance);
	child_kill(ch);
	/* SIGCHLD goes on from here. */
}

static void
on_drain_over(void *arg)
{
	struct child *ch = arg;

	log_event(0, "drain-over", "name=%s instance=%u generation=%u",
	    proc_table[ch->kind].program, ch->instance, ch->gen->number);
	child_stop(ch);
}

/* A slot whose process is gone. */
static void
child_forget(struct child *ch)
{
	timer_clear(&ch->timer);
	ch->state = CHILD_NONE;
	ch->gen = NULL;
}

void
child_drain(struct child *ch)
{
	struct proc_drain m = { 0 };
	msec limit = limits[ch->kind].drain;

	if (ch->state == CHILD_DRAINING || ch->state == CHILD_STOPPING)
		return;
	if (ch->state == CHILD_DOWN) {
		child_forget(ch);
		return;
	}
	ch->state = CHILD_DRAINING;
	ch->told = false;
	ch->left = 1;
	if (!proc_drain_send(&ch->chan, 0, &m, -1))
		child_kill(ch);
	if (limit != 0)
		timer_set(ch->parent->loop, &ch->timer, limit, on_drain_over,
		    ch);
}

void
child_stop(struct child *ch)
{
	struct proc_stop m = { 0 };
	bool at_work = ch->state == CHILD_READY || ch->state == CHILD_DRAINING;

	if (ch->state == CHILD_STOPPING)
		return;
	if (ch->state == CHILD_DOWN) {
		child_forget(ch);
		return;
	}
	/* One that has not yet heard proc_go has nothing to finish. */
	if (!at_work || !proc_stop_send(&ch->chan, 0, &m, -1))
		child_kill(ch);
	ch->state = CHILD_STOPPING;
	timer_set(ch->parent->loop, &ch->timer, limits[ch->kind].stop,
	    on_too_long, ch);
}

void
child_adopt(struct child *ch, int fd, int log)
{
	struct loop *l = ch->parent->loop;

	ch->started = loop_msec();
	if (fd != -1)
		attach(ch, fd);
	if (log != -1)
		child_log_use(ch, log);
	switch (ch->state) {
	case CHILD_DOWN:
		restart_later(ch);
		break;
	case CHILD_DRAINING:
		ch->told = true;
		ch->left = 1; /* it says when it is none */
		if (limits[ch->kind].drain != 0)
			timer_set(l, &ch->timer, limits[ch->kind].drain,
			    on_drain_over, ch);
		break;
	case CHILD_STOPPING:
		timer_set(l, &ch->timer, limits[ch->kind].stop, on_too_long,
		    ch);
		break;
	default:
		break;
	}
}

const char *
child_end_print(int status)
{
	static char text[48];

	if (WIFSIGNALED(status))
		snprintf(text, sizeof text, "signal=%d", WTERMSIG(status));
	else
		snprintf(text, sizeof text, "status=%d", WEXITSTATUS(status));
	return text;
}

/* What its end means: it was told to, or it comes again, or not. */
static void
ended(struct child *ch, enum child_state was, int status)
{
	struct parent *p = ch->parent;
	struct generation *g = ch->gen;

	if (p->stopping) {
		parent_stop_ended(p, ch);
	} else if (ch->kind == PROC_QUEUE && p->reload.step == RELOAD_STOP) {
		reload_queue_gone(p);
	} else if (g == p->next && WIFEXITED(status) &&
	    WEXITSTATUS(status) == PRIV_NO_PROGRAM) {
		reload_fail(p, "%s/%s cannot be executed", p->libexec,
		    proc_table[ch->kind].program);
	} else if (g == p->next) {
		reload_fail(p, "%s ended before all were at work (%s)",
		    proc_table[ch->kind].program, child_end_print(status));
	} else if (ch->kind == PROC_QUEUE && was == CHILD_STOPPING) {
		child_start(ch); /* stopped for a reload that is no more */
	} else if (was == CHILD_STOPPING ||
	    (was == CHILD_DRAINING && ch->kind != PROC_SPAWN) ||
	    !drain_needs(p, ch)) {
		child_forget(ch);
		drain_look(p, g);
	} else
		restart_later(ch);
}

static void
child_ended(struct child *ch, int status)
{
	bool in_order = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	enum child_state was;
	bool told;

	ch->pid = 0;
	ipc_last_words(&ch->chan);
	was = ch->state;
	told = was == CHILD_STOPPING || was == CHILD_DRAINING;
	ipc_detach(&ch->chan);
	child_log_close(ch);
	timer_clear(&ch->timer);
	ch->state = CHILD_DOWN;
	if (!ch->parent->stopping && !(told && in_order))
		log_warn("child-ended", "name=%s instance=%u %s",
		    proc_table[ch->kind].program, ch->instance,
		    child_end_print(status));
	/* A queue that rebuilds its index ends in order. */
	if (in_order || loop_msec() - ch->started > LIVED_WELL)
		ch->failures = 0;
	ended(ch, was, status);
}

/* ---- signals ---- */

static struct child *
child_of(struct parent *p, pid_t pid)
{
	unsigned int k, i;

	for (k = PROC_PARENT + 1; k < PROC_KINDS; k++) {
		for (i = 0; i < PROC_MAX; i++) {
			if (p->child[k][i].state != CHILD_NONE &&
			    p->child[k][i].pid == pid)
				return &p->child[k][i];
		}
	}
	return NULL;
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
		else
			upgrade_ended(p, pid, status);
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
	reload_ask(arg, "SIGHUP");
}

void
child_watch(struct parent *p)
{
	sigset_t none;

	watch_signal(p->loop, &p->sig_chld, SIGCHLD, on_chld, p);
	watch_signal(p->loop, &p->sig_term, SIGTERM, on_term, p);
	watch_signal(p->loop, &p->sig_int, SIGINT, on_term, p);
	watch_signal(p->loop, &p->sig_hup, SIGHUP, on_hup, p);
	/* What came before anybody watched. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	on_chld(SIGCHLD, LOOP_READ, p);
}
