/*
 * A job whose server is at a socket of this host: spawn connects it, since
 * deliver sees no path.  Used by deliver.  Never says DONE before the server
 * has.
 *
 * SPDX-License-Identifier: ISC
 */
#include "job.h"

#include <string.h>

#include <bsd/string.h>

#include "log.h"

#define SOCK_WAIT_MS 10000 /* for spawn */

/* As fill_how() of job_walk.c, without what only a network has. */
static void
fill_how(struct job *j)
{
	const struct conf *c = j->d->conf;

	memset(&j->how, 0, sizeof j->how);
	j->how.helo = conf_text(c, c->hostname);
	j->how.lmtp = true;
	j->how.want.level = TLS_LEVEL_NO;
	j->how.want.ca = j->how.want.pki = CONF_NONE;
	j->how.want.ciphers = j->how.want.protocols = "";
	j->how.action = j->take.action;
	memcpy(j->how.count, j->count.of, sizeof j->how.count);
	j->how.without = j->without;
}

static void
no_socket(struct job *j, struct outcome *o)
{
	o->verdict = LATER;
	o->width = WIDTH_SITE;
	outcome_of_us(o, o->cause == CAUSE_NONE ? CAUSE_SYSTEM : o->cause,
	    STAGE_CONNECT);
	strlcpy(j->relay_of, j->route.name, sizeof j->relay_of);
	job_end(j, o, o, 0);
}

static void
on_socket(void *arg, struct ipc_msg *answer)
{
	const struct sock_is *m = answer == NULL ? NULL : answer->body;
	struct job *j = arg;
	struct mx_addr addr;
	struct outcome o;

	if (m != NULL && m->outcome.verdict == DONE && answer->fd != -1 &&
	    mx_socket(&j->route, &addr)) {
		fill_how(j);
		job_adopt(j, &addr, answer->fd);
		answer->fd = -1;
		return;
	}
	if (m != NULL && m->outcome.verdict != DONE)
		o = m->outcome;
	else
		outcome_set(&o, LATER, WIDTH_SITE, 0, "4.3.0",
		    "the server's socket could not be had: no answer from spawn");
	no_socket(j, &o);
}

static void
ask(void *arg)
{
	struct job *j = arg;
	struct ipc_chan *spawn = proc_chan(j->d->p, PROC_SPAWN, 0);
	struct sock_ask m = { .action = j->take.action };

	if (spawn == NULL)
		on_socket(j, NULL);
	else
		sock_ask_ask(spawn, &j->sock, &m, on_socket, j, SOCK_WAIT_MS);
}

void
job_sock(struct job *j)
{
	if (count_ask(&j->count, ask, j))
		ask(j);
}
