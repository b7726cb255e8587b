/*
 * Process: lookup.  Runs as _smtpl, root directory /.
 * Holds: the match rules, the tables, public keys of issuers of tokens; the
 * passwords and tokens by which we authenticate at other servers; the secrets
 * of rewritten senders (SRS).
 * Asked by: session (rcpt_ask, peer_ask, filter_ask, sender_ask, auth_ask,
 * dispose_ask), queue (route_ask, expand_ask), deliver (relay_ask, helo_ask,
 * sasl_ask), control (explain_ask).
 * Asks: spawn (prog_ask, pam_ask, token_ask, text_ask), table programs.
 * Never: faces the network, touches the spool, writes a file.
 *
 * SPDX-License-Identifier: ISC
 */
#include <openssl/crypto.h>

#include "log.h"
#include "lookup_answer.h"
#include "lookup_auth.h"
#include "lookup_file.h"
#include "lookup_filter.h"
#include "lookup_peer.h"
#include "lookup_question.h"
#include "lookup_relay.h"
#include "lookup_sasl_client.h"
#include "lookup_table.h"
#include "lookup_users.h"
#include "proc.h"

struct lookup {
	struct proc *p;
	const struct conf *conf;
	struct tables *tables;
	struct users *users;
	struct files *files;
	struct auths *auths;
	struct sasl_clients *logins;
	struct questions questions;
	struct answers answers;
};

/* Before anybody can ask: what the configuration itself holds.  A file is
 * without an answer until it is handed in. */
static void
load_inline(void *self, struct proc *p)
{
	struct lookup *l = self;

	/* Threads may be at work when we end: nothing is taken from under
	 * them. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
	l->p = p;
	l->conf = p->conf;
	l->tables = tables_new(p->conf);
	l->auths = auths_new(p->conf, l->tables);
	l->logins = sasl_clients_new(p->conf, l->tables);
}

static void
on_table_changed(void *arg)
{
	struct lookup *l = arg;

	answers_stale(&l->answers);
	auths_changed(l->auths);
}

static void
take_keys(struct lookup *l, uint32_t row, int fd)
{
	const char *why = auths_oauth(l->auths, row, fd);
	const struct conf_oauth *o;
	char where[CONF_AT_MAX];

	if (why == NULL)
		return;
	if (row >= l->conf->oauth.n)
		fatal("there is no oauth statement %u", row);
	o = CONF_OAUTH(l->conf, row);
	proc_fail(l->p, "%s: %s: %s",
	    conf_at_print(l->conf, &o->at, where, sizeof(where)),
	    conf_text(l->conf, o->path), why);
}

static void
on_file(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct lookup *l = self;
	const struct proc_file *m = msg->body;

	(void)from;
	if (m->of == FILE_OAUTH)
		take_keys(l, m->index, msg->fd);
	if (m->of != FILE_TABLE)
		return;
	tables_file(l->tables, m->index, msg->fd);
	msg->fd = -1;
}

static void
on_prog_stderr(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct lookup *l = self;
	const struct prog_stderr *m = msg->body;

	(void)from;
	tables_stderr(l->tables, m->table, msg->fd);
	msg->fd = -1;
}

static void
on_token_stderr(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct lookup *l = self;
	const struct token_stderr *m = msg->body;

	(void)from;
	sasl_clients_stderr(l->logins, m->token, msg->fd);
	msg->fd = -1;
}

/* ---- questions ---- */

static enum table_answer
ask_table(void *self, uint32_t table, enum conf_service service,
    const char *key, struct buf *value, struct table_req *req, table_fn *fn,
    void *arg)
{
	struct lookup *l = self;

	if (table >= l->conf->table.n)
		return TABLE_UNKNOWN;
	return table_ask(tables_row(l->tables, table), service, key, value, req,
	    fn, arg);
}

static enum table_answer
ask_user(void *self, const char *name, struct buf *value, struct table_req *req,
    table_fn *fn, void *arg)
{
	struct lookup *l = self;

	return users_ask(l->users, name, value, req, fn, arg);
}

static enum table_answer
ask_text(void *self, const struct text_ask *ask, struct file_req *req,
    file_fn *fn, void *arg)
{
	struct lookup *l = self;

	return files_ask(l->files, ask, req, fn, arg);
}

static void
start(void *self, struct proc *p)
{
	struct lookup *l = self;
	struct question_tables tables = { ask_table, ask_user, ask_text, l };

	tables_start(l->tables, p->loop, on_table_changed, l);
	l->users = users_new(p->loop);
	l->files = files_new(p->loop);
	auths_start(l->auths, p->loop);
	sasl_clients_start(l->logins, p->loop);
	answers_init(&l->answers);
	questions_init(&l->questions, p->loop, p->conf, &tables);
	l->questions.arg = &l->answers;
}

/* Columns: by message; bytes of it, how it is judged. */
static const struct {
	size_t size;
	question_judge *judge;
} asked[IPC_TYPES] = {
	[IPC_RCPT_ASK] = { sizeof(struct rcpt_ask), judge_rcpt },
	[IPC_ROUTE_ASK] = { sizeof(struct route_ask), judge_route },
	[IPC_EXPAND_ASK] = { sizeof(struct expand_ask), judge_expand },
	[IPC_EXPLAIN_ASK] = { sizeof(struct explain_ask), judge_explain },
	[IPC_DISPOSE_ASK] = { sizeof(struct dispose_ask), judge_dispose },
	[IPC_PEER_ASK] = { sizeof(struct peer_ask), judge_peer },
	[IPC_FILTER_ASK] = { sizeof(struct filter_ask), judge_filter },
	[IPC_SENDER_ASK] = { sizeof(struct sender_ask), judge_sender },
	[IPC_RELAY_ASK] = { sizeof(struct relay_ask), judge_relay },
	[IPC_HELO_ASK] = { sizeof(struct helo_ask), judge_helo },
};

static void
on_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct lookup *l = self;

	question_ask(&l->questions, asked[msg->type].judge, msg->body,
	    asked[msg->type].size, from, msg->id);
}

static void
on_auth_data(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct lookup *l = self;

	auths_data(l->auths, from, msg->body);
}

static void
on_auth_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct lookup *l = self;

	auths_ask(l->auths, from, msg->id, msg->body);
}

static void
on_sasl_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct lookup *l = self;

	sasl_clients_ask(l->logins, from, msg->id, msg->body);
}

static void
peer_up(void *self, struct ipc_chan *c)
{
	struct lookup *l = self;

	if (c->peer == PROC_SESSION)
		auths_session_up(l->auths, c);
	if (c->peer == PROC_SPAWN) {
		auths_spawn(l->auths, c);
		sasl_clients_spawn(l->logins, c);
		files_spawn(l->files, c);
	}
	/* The check of a configuration starts no programs. */
	if (c->peer == PROC_SPAWN && l->p->start.check == 0)
		tables_spawn(l->tables, c);
}

static void
peer_down(void *self, struct ipc_chan *c)
{
	struct lookup *l = self;

	questions_forget(&l->questions, c);
	if (c->peer == PROC_SESSION)
		auths_session_down(l->auths, c);
	if (c->peer == PROC_DELIVER)
		sasl_clients_down(l->logins, c);
}

static ipc_handler *const handlers[IPC_TYPES] = {
	[IPC_PROC_FILE] = on_file,
	[IPC_PROG_STDERR] = on_prog_stderr,
	[IPC_RCPT_ASK] = on_ask,
	[IPC_ROUTE_ASK] = on_ask,
	[IPC_EXPAND_ASK] = on_ask,
	[IPC_EXPLAIN_ASK] = on_ask,
	[IPC_DISPOSE_ASK] = on_ask,
	[IPC_PEER_ASK] = on_ask,
	[IPC_FILTER_ASK] = on_ask,
	[IPC_SENDER_ASK] = on_ask,
	[IPC_RELAY_ASK] = on_ask,
	[IPC_HELO_ASK] = on_ask,
	[IPC_AUTH_DATA] = on_auth_data,
	[IPC_AUTH_ASK] = on_auth_ask,
	[IPC_SASL_ASK] = on_sasl_ask,
	[IPC_TOKEN_STDERR] = on_token_stderr,
};

static const struct proc_hooks hooks = {
	.kind = PROC_LOOKUP,
	.handlers = handlers,
	.pre_jail = load_inline,
	.start = start,
	.peer_up = peer_up,
	.peer_down = peer_down,
};

int
main(void)
{
	static struct lookup self;
	struct proc p = { 0 };

	return proc_main(&p, &hooks, &self);
}
