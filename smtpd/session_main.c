/*
 * session: mail comes in.  Accepts SMTP from strangers and from sendmail(8),
 * asks who may send what to whom, writes the content where the queue says.
 *
 *   runs as  _smtpd, chrooted to the empty directory, one per core
 *   holds    listening sockets, connections, files of the spool that were
 *            handed to it for writing; channels to lookup, queue and parent
 *   asks     lookup: rcpt_ask, peer_ask, filter_ask, sender_ask, auth_ask;
 *            dispose_ask; guard: client_open, client_note, names_ask,
 *            spf_ask, key_ask, dmarc_ask; keys: tls_sign; queue: tx_data,
 *            tx_commit, tx_abort, grey_ask
 *   never    opens a path, sees a private key, says 250 before the queue did
 *
 * SPDX-License-Identifier: ISC
 */

#include "log.h"
#include "mail_read.h"
#include "session.h"
#include "session_auth.h"
#include "session_filter.h"
#include "session_guard.h"
#include "session_tls.h"
#include "session_verify.h"

/* The parent waits some seconds for us (parent_stop.c): content has most of
 * them; then the last replies leave, and who does not close is left. */
#define STOP_DATA_MS 1500
#define STOP_MS      500

static void
on_listen(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct server *srv = self;
	const struct proc_listen *m = msg->body;

	(void)from;
	if (m->index >= srv->proc.conf->listen.n)
		fatal("there is no listener %u", m->index);
	accept_add(srv, m->index, msg->fd);
	msg->fd = -1;
}

/* Certificates; the private keys that belong to them are with keys. */
static void
on_file(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct server *srv = self;

	(void)from;
	session_certs_file(srv->certs, msg->body, msg->fd);
}

static void
on_auth_mechs(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	(void)from;
	session_auth_mechs(self, msg->body);
}

static void
on_ticket_key(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct server *srv = self;

	(void)from;
	session_certs_ticket(srv->certs, msg->body);
}

static ipc_handler *const handlers[IPC_TYPES] = {
	[IPC_PROC_LISTEN] = on_listen,
	[IPC_PROC_FILE] = on_file,
	[IPC_AUTH_MECHS] = on_auth_mechs,
	[IPC_TICKET_KEY] = on_ticket_key,
};

/* What is not to be found out anew for each message. */
static void
find_wants(struct server *srv)
{
	const struct conf *c = srv->proc.conf;
	uint32_t i;

	if (c->listen.n == 0)
		return;
	srv->wants_names = xcalloc(c->listen.n, sizeof *srv->wants_names);
	for (i = 0; i < c->listen.n; i++)
		srv->wants_names[i] = CONF_LISTEN(c, i)->dnsbl ||
		    filter_wants_names(c, CONF_LISTEN(c, i));
}

static void
pre_jail(void *self, struct proc *p)
{
	struct server *srv = self;

	srv->certs = session_certs_new(p);
	mail_read_ready(); /* signatures are verified, also without TLS */
}

static void
start(void *self, struct proc *p)
{
	struct server *srv = self;

	(void)p;
	find_wants(srv);
	if (srv->certs != NULL)
		session_certs_start(srv->certs);
	srv->started = true;
	accept_update(srv);
}

static void
peer_up(void *self, struct ipc_chan *c)
{
	if (c->peer == PROC_QUEUE)
		tx_queue_up(self, c);
	else if (c->peer == PROC_GUARD)
		session_guard_up(self, c);
}

static void
peer_down(void *self, struct ipc_chan *c)
{
	if (c->peer == PROC_QUEUE)
		tx_queue_down(self);
}

static void
on_stop_timer(void *arg)
{
	struct server *srv = arg;

	/* What is open now is closed without an answer, and its clients try
	 * again: nothing of it was acknowledged. */
	if (srv->stop_late) {
		loop_stop(srv->proc.loop);
		return;
	}
	srv->stop_late = true;
	timer_set(srv->proc.loop, &srv->stop, STOP_MS, on_stop_timer, srv);
	session_stop_all(srv);
}

static void
stop(void *self)
{
	struct server *srv = self;

	srv->stopping = true;
	accept_close(srv);
	if (TAILQ_EMPTY(&srv->sessions)) {
		loop_stop(srv->proc.loop);
		return;
	}
	timer_set(srv->proc.loop, &srv->stop, STOP_DATA_MS, on_stop_timer, srv);
	session_stop_all(srv);
}

/* Sessions go on as they began, by the configuration they began with. */
static void
drain(void *self)
{
	struct server *srv = self;

	/* Who waits at a socket that the new configuration has not is still
	 * served. */
	accept_rest(srv);
	srv->draining = true;
	accept_close(srv);
	proc_drained(&srv->proc, srv->n_sessions);
}

static const struct proc_hooks hooks = {
	.kind = PROC_SESSION,
	.handlers = handlers,
	.pre_jail = pre_jail,
	.start = start,
	.peer_up = peer_up,
	.peer_down = peer_down,
	.stop = stop,
	.drain = drain,
};

int
main(void)
{
	static struct server self;
	int status;

	SLIST_INIT(&self.listeners);
	TAILQ_INIT(&self.sessions);
	self.reserve = -1;
	verify_shares_init(&self);
	status = proc_main(&self.proc, &hooks, &self);
	/* With the keys of tickets. */
	session_certs_free(&self.certs);
	return status;
}
