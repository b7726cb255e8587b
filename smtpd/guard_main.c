/*
 * guard: what clients have done lately, counted for all session processes,
 * and what the DNS says of them and of the senders that they name.
 *
 *   runs as  _smtpg, chrooted to the empty directory
 *   holds    counts of addresses, networks and users; sockets to name servers;
 *            a list of public suffixes, with `dmarc rules rfc7489`
 *   asks     the DNS
 *   told by  session: client_open, client_note, client_shut, client_here,
 *            names_ask, spf_ask, key_ask, dmarc_ask
 *   says     session: client_is, client_may, names_is, spf_is, key_is, dmarc_is
 *   never    hears a word of content, opens a path, writes anything
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>

#include "dmarc.h"
#include "guard.h"
#include "guard_client.h"
#include "guard_names.h"
#include "guard_verify.h"
#include "proc.h"
#include "resolv.h"

/* For one question, all tries; guard_names.c has more of them to ask. */
#define TIMEOUT_MIN_MS 1000
#define TIMEOUT_MAX_MS 5000

/* ---- clients ---- */

static void
on_client_open(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct guard *g = self;
	struct client_is is;

	client_comes(g->clients, from->instance, msg->body, &is, loop_msec());
	client_is_send(from, msg->id, &is, -1);
}

static void
on_client_note(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct guard *g = self;
	struct client_may may;

	client_notes(g->clients, from->instance, msg->body, &may, loop_msec());
	client_may_send(from, msg->id, &may, -1);
}

static void
on_client_shut(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct guard *g = self;

	client_goes(g->clients, from->instance, msg->body, loop_msec());
}

static void
on_client_here(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct guard *g = self;

	client_stays(g->clients, from->instance, msg->body);
}

/* ---- names ---- */

static void
on_names(void *arg, uint64_t id, const struct names_is *is)
{
	names_is_send(arg, id, is, -1);
}

static void
on_names_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct guard *g = self;

	names_look(g->names, from, msg->id, msg->body, on_names);
}

/* ---- who sent it ---- */

static void
on_spf(void *from, uint64_t id, const struct spf_is *is)
{
	spf_is_send(from, id, is, -1);
}

static void
on_spf_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct guard *g = self;

	claims_spf(g->claims, from, msg->id, msg->body, on_spf);
}

static void
on_key(void *from, uint64_t id, const struct key_is *is)
{
	key_is_send(from, id, is, -1);
}

static void
on_key_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct guard *g = self;

	claims_key(g->claims, from, msg->id, msg->body, on_key);
}

static void
on_dmarc(void *from, uint64_t id, const struct dmarc_is *is)
{
	dmarc_is_send(from, id, is, -1);
}

static void
on_dmarc_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct guard *g = self;

	claims_dmarc(g->claims, from, msg->id, msg->body, on_dmarc);
}

/* ---- the DNS ---- */

static void
on_file(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct guard *g = self;

	(void)from;
	g->n_server = resolv_read(msg->fd, g->server, DNS_SERVERS_MAX);
	/* Handed in again when it changes, also while we run. */
	if (g->dns != NULL && g->conf->resolver.ss_family == 0)
		dns_servers(g->dns, g->server, g->n_server);
}

static void
dns_start(struct guard *g)
{
	msec timeout = (msec)g->conf->resolver_timeout * 1000;

	if (timeout < TIMEOUT_MIN_MS)
		timeout = TIMEOUT_MIN_MS;
	if (timeout > TIMEOUT_MAX_MS)
		timeout = TIMEOUT_MAX_MS;
	g->dns = dns_new(g->loop, timeout, DNS_ACTIVE_MAX);
	if (resolv_conf(g->conf, g->server))
		g->n_server = 1;
	else if (g->n_server == 0)
		g->n_server = resolv_read(-1, g->server, DNS_SERVERS_MAX);
	dns_servers(g->dns, g->server, g->n_server);
}

/* ---- the process ---- */

static void
pre_jail(void *self, struct proc *p)
{
	(void)self;
	if (p->conf->dmarc_rules == DMARC_RFC7489 && !dmarc_psl_load())
		proc_fail(p,
		    "dmarc rules rfc7489: there is no list of public suffixes");
}

static void
start(void *self, struct proc *p)
{
	struct guard *g = self;

	g->conf = p->conf;
	g->loop = p->loop;
	dns_start(g);
	g->clients = clients_new(g->conf);
	g->names = names_new(g->conf, g->loop, g->dns);
	g->claims = claims_new(g->conf, g->loop, g->dns);
}

static void
peer_down(void *self, struct ipc_chan *c)
{
	struct guard *g = self;

	if (c->peer != PROC_SESSION)
		return;
	clients_lost(g->clients, c->instance);
	names_drop(g->names, c);
	claims_drop(g->claims, c);
}

static ipc_handler *const handlers[IPC_TYPES] = {
	[IPC_PROC_FILE] = on_file,
	[IPC_CLIENT_OPEN] = on_client_open,
	[IPC_CLIENT_NOTE] = on_client_note,
	[IPC_CLIENT_SHUT] = on_client_shut,
	[IPC_CLIENT_HERE] = on_client_here,
	[IPC_NAMES_ASK] = on_names_ask,
	[IPC_SPF_ASK] = on_spf_ask,
	[IPC_KEY_ASK] = on_key_ask,
	[IPC_DMARC_ASK] = on_dmarc_ask,
};

static const struct proc_hooks hooks = {
	.kind = PROC_GUARD,
	.handlers = handlers,
	.pre_jail = pre_jail,
	.start = start,
	.peer_down = peer_down,
};

int
main(void)
{
	static struct guard self;
	struct proc p;

	memset(&p, 0, sizeof p);
	return proc_main(&p, &hooks, &self);
}
