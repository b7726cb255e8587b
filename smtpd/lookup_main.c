/*
 * Process: lookup.  Runs as _smtpl, root directory /.
 * Holds: the match rules, the tables.
 * Asked by: session (rcpt_ask), queue (route_ask).
 * Asks: nobody.
 * Never: faces the network, touches the spool, writes a file.
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>

#include "log.h"
#include "lookup_rules.h"
#include "lookup_table.h"
#include "proc.h"

struct lookup {
	struct rules rules;
};

/* Before anybody can ask: what the configuration itself holds.  A file is
 * without an answer until it is handed in. */
static void
load_inline(void *self, struct proc *p)
{
	struct lookup *l = self;
	const struct conf *conf = p->conf;
	uint32_t i, j;

	l->rules.conf = conf;
	if (conf->table.n != 0)
		l->rules.tables =
		    xcalloc(conf->table.n, sizeof(*l->rules.tables));
	for (i = 0; i < conf->table.n; i++) {
		const struct conf_table *row = CONF_TABLE(conf, i);
		struct table *t = &l->rules.tables[i];

		table_init(t, conf_text(conf, row->name));
		if (row->kind == TABLE_FILE)
			continue;
		for (j = 0; j < row->entries.n; j++) {
			const struct conf_entry *e =
			    CONF_ENTRY(conf, row->entries, j);
			const char *key = conf_text(conf, e->key);
			const char *why = table_add(t, slice_of(key));

			if (why != NULL)
				log_warn("table-key",
				    "table=%s line=%u error=%s key=%s",
				    q(t->name), row->line, q(why), q(key));
		}
		table_ready(t);
	}
}

static void
on_file(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct lookup *l = self;
	const struct proc_file *m = msg->body;
	struct table *t;

	(void)from;
	if (m->index >= l->rules.conf->table.n)
		return;
	t = &l->rules.tables[m->index];
	table_free(t);
	table_read(t, msg->fd);
	log_debug("table %s: %zu keys, %zu networks", q(t->name), t->n_keys,
	    t->nets.len / sizeof(struct table_net));
}

static void
on_rcpt_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct lookup *l = self;
	struct rcpt_is is;

	rules_rcpt(&l->rules, msg->body, &is);
	rcpt_is_send(from, msg->id, &is, -1);
}

static void
on_route_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct lookup *l = self;
	struct route_is is;

	rules_route(&l->rules, msg->body, &is);
	route_is_send(from, msg->id, &is, -1);
}

static ipc_handler *const handlers[IPC_TYPES] = {
	[IPC_PROC_FILE] = on_file,
	[IPC_RCPT_ASK] = on_rcpt_ask,
	[IPC_ROUTE_ASK] = on_route_ask,
};

static const struct proc_hooks hooks = {
	.kind = PROC_LOOKUP,
	.handlers = handlers,
	.pre_jail = load_inline,
};

int
main(void)
{
	static struct lookup self;
	struct proc p = { 0 };

	return proc_main(&p, &hooks, &self);
}
