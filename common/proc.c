/*
 * The life of a child process, the same for all: configuration, jail, peers,
 * loop, end.
 *
 * SPDX-License-Identifier: ISC
 */
#include "proc.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "jail.h"
#include "log.h"

/* Sockets that came before proc_go: nobody reads from them yet. */
struct early {
	struct early *next;
	uint32_t kind, instance;
	int fd;
};

static void
peer_lost(void *self, struct ipc_chan *c, const char *why)
{
	struct proc *p = self;
	struct proc_blame blame;

	if (why != NULL) {
		log_warn("ipc-broken", "peer=%s instance=%u why=%s",
		    proc_table[c->peer].program, c->instance, q(why));
		memset(&blame, 0, sizeof blame);
		blame.kind = c->peer;
		blame.instance = c->instance;
		snprintf(blame.why, sizeof blame.why, "%s", why);
		proc_blame_send(&p->parent, 0, &blame, -1);
	}
	ipc_detach(c);
	if (p->hooks->peer_down != NULL)
		p->hooks->peer_down(p->self, c);
}

/* The channels' self is that of the process; this finds the proc again. */
struct peer {
	struct ipc_chan chan;
	struct proc *proc;
};

static void
on_peer_lost(void *self, struct ipc_chan *c, const char *why)
{
	(void)self;
	peer_lost(((struct peer *)(void *)c)->proc, c, why);
}

static void
peer_attach(struct proc *p, uint32_t kind, uint32_t instance, int fd)
{
	struct peer *peer;
	struct ipc_chan *c = p->peer[kind][instance];

	if (c == NULL) {
		peer = xcalloc(1, sizeof *peer);
		peer->proc = p;
		c = &peer->chan;
		ipc_init(c, p->loop, p->hooks->kind, kind, instance,
		    p->hooks->handlers, p->self, on_peer_lost);
		p->peer[kind][instance] = c;
	} else if (c->fd != -1)
		peer_lost(p, c, NULL);
	ipc_attach(c, fd);
	if (p->hooks->peer_up != NULL)
		p->hooks->peer_up(p->self, c);
	ipc_go(c);
}

static void
on_peer(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct proc *p = self;
	const struct proc_peer *m = msg->body;
	struct early *e;

	(void)from;
	if (m->kind >= PROC_KINDS || m->instance >= PROC_MAX)
		fatal("peer %u %u does not exist", m->kind, m->instance);
	if (p->gone) {
		peer_attach(p, m->kind, m->instance, msg->fd);
	} else {
		e = xcalloc(1, sizeof *e);
		e->kind = m->kind;
		e->instance = m->instance;
		e->fd = msg->fd;
		e->next = p->early;
		p->early = e;
	}
	msg->fd = -1;
}

static void
on_go(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct proc *p = self;
	struct proc_ready ready = { 0 };
	struct early *e;

	(void)msg;
	p->gone = true;
	if (p->hooks->start != NULL)
		p->hooks->start(p->self, p);
	while ((e = p->early) != NULL) {
		p->early = e->next;
		peer_attach(p, e->kind, e->instance, e->fd);
		free(e);
	}
	proc_ready_send(from, 0, &ready, -1);
}

static void
on_stop(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct proc *p = self;

	(void)from;
	(void)msg;
	if (p->hooks->stop != NULL)
		p->hooks->stop(p->self);
	else
		loop_stop(p->loop);
}

static void
on_drain(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct proc *p = self;
	const struct proc_drain *m = msg->body;

	(void)from;
	p->stopping = p->stopping || m->stopping != 0;
	if (p->hooks->drain != NULL)
		p->hooks->drain(p->self);
	else
		proc_drained(p, 0);
}

/* proc_listen and proc_file: the process knows what they are for. */
static void
on_own(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct proc *p = self;

	if (p->hooks->handlers[msg->type] == NULL)
		fatal("%s: nobody here handles it", ipc_name(msg->type));
	p->hooks->handlers[msg->type](p->self, from, msg);
}

static ipc_handler *const parent_handlers[IPC_TYPES] = {
	[IPC_PROC_PEER] = on_peer,
	[IPC_PROC_GO] = on_go,
	[IPC_PROC_STOP] = on_stop,
	[IPC_PROC_DRAIN] = on_drain,
	[IPC_PROC_LISTEN] = on_own,
	[IPC_PROC_FILE] = on_own,
};

static void
parent_lost(void *self, struct ipc_chan *c, const char *why)
{
	struct proc *p = self;

	(void)why;
	ipc_detach(c);
	loop_stop(p->loop);
}

void
proc_fail(struct proc *p, const char *fmt, ...)
{
	struct proc_fail m;
	va_list ap;

	memset(&m, 0, sizeof m);
	va_start(ap, fmt);
	vsnprintf(m.text, sizeof m.text, fmt, ap);
	va_end(ap);
	/* The parent reads it; what is not yet sent would die with us. */
	ipc_send_block(p->parent.fd != -1 ? p->parent.fd : PROC_FD_PARENT,
	    IPC_PROC_FAIL, &m, -1);
	_exit(1);
}

void
proc_drained(struct proc *p, uint32_t left)
{
	struct proc_drained m = { .left = left };

	if (p->drained)
		return;
	p->drained = left == 0;
	proc_drained_send(&p->parent, 0, &m, -1);
}

struct ipc_chan *
proc_chan(struct proc *p, enum proc_kind kind, unsigned int n)
{
	struct ipc_chan *known[PROC_MAX];
	unsigned int i, count = 0;

	for (i = 0; i < PROC_MAX; i++) {
		if (p->peer[kind][i] != NULL)
			known[count++] = p->peer[kind][i];
	}
	return count == 0 ? NULL : known[n % count];
}

static void
first_message(struct proc *p)
{
	enum ipc_type type;
	long n;
	int fd;

	n = ipc_recv_block(PROC_FD_PARENT, &type, &p->start, sizeof p->start,
	    &fd);
	if (n <= 0 || type != IPC_PROC_START || fd == -1)
		fatal("this program is started by smtpd");
	p->start.root[sizeof p->start.root - 1] = '\0';
	p->start.spool[sizeof p->start.spool - 1] = '\0';
	p->start.run[sizeof p->start.run - 1] = '\0';
	if ((p->conf = conf_map(fd)) == NULL)
		fatal("the configuration cannot be read: %s", strerror(errno));
}

int
proc_main(struct proc *p, const struct proc_hooks *hooks, void *self)
{
	*p = (struct proc){ .hooks = hooks, .self = self };
	p->parent.fd = -1; /* until there is a loop */
	signal(SIGPIPE, SIG_IGN);
	/* A terminal's ^C reaches all of us: the parent says when to stop. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	log_to_socket(PROC_FD_LOG, false);
	first_message(p);
	log_to_socket(PROC_FD_LOG, p->start.verbose != 0);
	tzset();
	if (hooks->pre_jail != NULL)
		hooks->pre_jail(self, p);
	jail_enter(hooks->kind, p->start.jailed != 0, p->start.root,
	    (uid_t)p->start.uid, (gid_t)p->start.gid);
	p->loop = loop_new();
	ipc_init(&p->parent, p->loop, hooks->kind, PROC_PARENT, 0,
	    parent_handlers, p, parent_lost);
	ipc_attach(&p->parent, PROC_FD_PARENT);
	loop_run(p->loop);
	return 0;
}
