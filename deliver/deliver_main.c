/*
 * deliver: mail goes out.
 *
 *	runs as  _smtpout, in an empty directory, one per core
 *	holds    descriptors of messages (read-only), connections to servers
 *	asks     keys: sign this digest, this handshake; the DNS
 *	         lookup: relay_ask, helo_ask, sasl_ask
 *	         spawn: the socket of an action (sock_ask)
 *	told by  control: hosts_ask
 *	         queue: job_take, job_rcpt, job_field, job_go, job_noted,
 *	         group_ask
 *	says     control: hosts_is
 *	         queue: job_want, job_result, job_signed, job_end, group_is
 *	never    opens a path, sees a private key, writes to the spool
 *
 * SPDX-License-Identifier: ISC
 */
#include "deliver.h"

#include <sys/resource.h>

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "client_auth.h"
#include "explain.h"
#include "group.h"
#include "job.h"
#include "log.h"
#include "resolv.h"
#include "want.h"

#define KEYS_MS     3000 /* to wait for keys at the start */
#define STOP_MS     3000 /* for contents on their way, at the end */
#define STOP_LOOK   50
#define TIMEOUT_MIN 1000

#define FDS_LOOK         1024 /* those at the start are the first ones */
#define FDS_PER_JOB      6
#define FDS_PER_WAITING  3 /* its file and its connection, and some room */
#define FDS_PER_QUESTION 3

/* ---- files ---- */

/* What was handed in is no good. */
static _Noreturn void
fail(struct deliver *d, const struct conf_at *where, const char *path,
    const char *why)
{
	char at[CONF_AT_MAX];

	proc_fail(d->p, "%s: certificate file %s: %s",
	    conf_at_print(d->conf, where, at, sizeof at), path, why);
}

static void
on_resolv(struct deliver *d, uint32_t row, int fd)
{
	(void)row;
	d->n_server = resolv_read(fd, d->server, DNS_SERVERS_MAX);
	/* Handed in again when it changes, also while we run. */
	if (d->dns != NULL && d->conf->resolver.ss_family == 0)
		dns_servers(d->dns, d->server, d->n_server);
}

static void
on_cert(struct deliver *d, uint32_t row, int fd)
{
	const struct conf_pki *pki;
	const char *why;

	if (d->tls == NULL || row >= d->conf->pki.n)
		return;
	pki = CONF_PKI(d->conf, row);
	if ((why = tls_cert(d->tls, row, fd)) != NULL)
		fail(d, &pki->at, conf_text(d->conf, pki->cert), why);
}

static void
on_ca(struct deliver *d, uint32_t row, int fd)
{
	const struct conf_ca *ca;
	const char *why;

	if (d->tls == NULL || row >= d->conf->ca.n)
		return;
	ca = CONF_CA(d->conf, row);
	if ((why = tls_ca(d->tls, row, fd)) != NULL)
		fail(d, &ca->at, conf_text(d->conf, ca->cert), why);
}

static void
on_file(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	static void (*const kinds[])(struct deliver * d, uint32_t row,
	    int fd) = {
		[FILE_RESOLV] = on_resolv,
		[FILE_CERT] = on_cert,
		[FILE_CA] = on_ca,
	};
	const struct proc_file *m = msg->body;

	(void)from;
	if (m->of < sizeof kinds / sizeof kinds[0] && kinds[m->of] != NULL)
		kinds[m->of](self, m->index, msg->fd);
}

/* A context for each way to speak TLS, from what was handed in. */
static void
tls_begin(struct deliver *d)
{
	const struct conf_at *where = NULL;
	char at[CONF_AT_MAX];
	const char *why;

	if (d->tls == NULL || (why = tls_ready(d->tls, &where)) == NULL)
		return;
	proc_fail(d->p, "%s: TLS: %s",
	    conf_at_print(d->conf, where, at, sizeof at), why);
}

/* ---- the DNS ---- */

static void
dns_start(struct deliver *d, unsigned int max)
{
	const struct conf *c = d->conf;
	msec timeout = (msec)c->resolver_timeout * 1000;
	struct dns_server one;

	d->dns = dns_new(d->p->loop,
	    timeout < TIMEOUT_MIN ? TIMEOUT_MIN : timeout, max);
	if (resolv_conf(c, &one)) {
		dns_servers(d->dns, &one, 1);
		return;
	}
	if (d->n_server == 0)
		d->n_server = resolv_read(-1, d->server, DNS_SERVERS_MAX);
	dns_servers(d->dns, d->server, d->n_server);
}

/* ---- how much we want ---- */

static bool
keys_known(const struct deliver *d)
{
	uint32_t i;

	for (i = 0; i < d->keys.n; i++) {
		if (d->keys.alg[i] == 0)
			return false;
	}
	return true;
}

/* The first wish of this queue's life. */
static void
want(void *arg)
{
	struct deliver *d = arg;
	struct ipc_chan *queue = proc_chan(d->p, PROC_QUEUE, 0);

	if (d->wanting || d->stopping || d->draining || queue == NULL ||
	    queue->fd == -1)
		return;
	timer_clear(&d->patience);
	want_start(d);
}

/* What is still to be done, until queue knows what became of it. */
static uint32_t
left(const struct deliver *d)
{
	return d->n_jobs > 0 ? d->n_jobs : !report_empty(d->report);
}

static void
look_drained(struct deliver *d)
{
	if (d->draining && left(d) == 0)
		proc_drained(d->p, 0);
}

void
deliver_job_gone(struct deliver *d)
{
	want_more(d);
	look_drained(d);
}

/* ---- queue ---- */

static void
on_take(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	(void)from;
	job_take(self, msg->body, msg->fd);
	msg->fd = -1;
}

static void
on_rcpt(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	(void)from;
	job_rcpt(self, msg->body);
}

static void
on_field(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	(void)from;
	job_field(self, msg->body);
}

static void
on_go(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	(void)from;
	job_go(self, msg->body);
	want_came(self);
}

static void
on_noted(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct deliver *d = self;

	(void)from;
	report_noted(d->report, msg->body);
	look_drained(d);
}

static void
queue_up(struct deliver *d, struct ipc_chan *c)
{
	struct job *j;

	report_up(d->report, c);
	TAILQ_FOREACH(j, &d->jobs, entry)
		job_hold(j);
	report_listed(d->report);
	/* A job that is to be signed before keys has spoken is put off: so
	 * keys may speak first. */
	if (keys_known(d))
		want(d);
	else
		timer_set(d->p->loop, &d->patience, KEYS_MS, want, d);
}

static void
queue_down(struct deliver *d)
{
	struct job *j, *next;

	report_down(d->report);
	/* The next one may give their places to another process. */
	pool_uncount(d->pool);
	want_stop(d);
	if (!d->stopping)
		timer_clear(&d->patience);
	/* Half told: the next queue tells it whole. */
	for (j = TAILQ_FIRST(&d->jobs); j != NULL; j = next) {
		next = TAILQ_NEXT(j, entry);
		if (j->state == JOB_TAKING)
			job_drop(j);
	}
	look_drained(d);
}

/* ---- keys ---- */

static void
on_sign_key(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct deliver *d = self;

	(void)from;
	if (!dkim_keys_set(&d->keys, msg->body))
		log_warn("sign-key", "keys speaks of a row that is not there");
	if (keys_known(d))
		want(d);
}

/* ---- lookup ---- */

static void
on_sasl_data(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	(void)from;
	client_auth_data(self, msg->body);
}

/* ---- the process ---- */

static void
pre_jail(void *self, struct proc *p)
{
	struct deliver *d = self;
	const char *why = NULL;

	d->p = p;
	d->conf = p->conf;
	/* Configuration and providers of OpenSSL are read now. */
	if ((d->tls = tls_new(p->conf, &why)) == NULL)
		log_warn("no-tls", "why=%s", q(why));
	dkim_keys_init(&d->keys, p->conf);
}

/* Descriptors that we may still open; the jail has raised the limit to the
 * hard one. */
static unsigned int
descriptors_free(void)
{
	struct rlimit limit;
	unsigned int used = 0, i;
	rlim_t most = FDS_LOOK;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		most = limit.rlim_cur < INT_MAX ? limit.rlim_cur : INT_MAX;
	for (i = 0; i < FDS_LOOK && i < most; i++)
		used += fcntl((int)i, F_GETFD) != -1;
	return (unsigned int)most - used;
}

static unsigned int
between(unsigned int low, unsigned int n, unsigned int high)
{
	return n < low ? low : n > high ? high : n;
}

static void
start(void *self, struct proc *p)
{
	struct deliver *d = self;
	unsigned int fds = descriptors_free();

	/* A job holds a file, and questions to the DNS or a connection; as
	 * many connections again are idle, or being closed. */
	d->max_jobs = between(1, fds / FDS_PER_JOB, JOBS_WANTED);
	d->most_jobs =
	    between(d->max_jobs, fds / FDS_PER_WAITING / 2, JOBS_MAX);
	tls_begin(d);
	dns_start(d, between(1, fds / FDS_PER_QUESTION, DNS_ACTIVE_MAX));
	d->pool = pool_new(p->loop, between(1, fds / FDS_PER_JOB, POOL_MAX));
	d->report = report_new(p->loop);
	d->relays = relays_new(d);
	d->helos = helos_new(d);
	d->seen = seen_new(SEEN_MAX);
}

static void
peer_up(void *self, struct ipc_chan *c)
{
	struct deliver *d = self;

	if (c->peer == PROC_KEYS && d->tls != NULL)
		tls_keys(d->tls, c);
	if (c->peer == PROC_QUEUE)
		queue_up(self, c);
	if (c->peer == PROC_LOOKUP)
		client_auth_lookup_up(self);
}

static void
peer_down(void *self, struct ipc_chan *c)
{
	if (c->peer == PROC_QUEUE) {
		group_forget(self, c);
		queue_down(self);
	}
	if (c->peer == PROC_CONTROL)
		explain_forget(self, c);
}

/* Contents on their way are finished, so that nothing goes out twice. */
static void
stop_look(void *arg)
{
	struct deliver *d = arg;
	struct job *j;

	TAILQ_FOREACH(j, &d->jobs, entry) {
		if (job_in_content(j))
			break;
	}
	if (j == NULL && report_empty(d->report)) {
		loop_stop(d->p->loop);
		return;
	}
	timer_set(d->p->loop, &d->patience, STOP_LOOK, stop_look, d);
}

static void
stop_now(void *arg)
{
	struct deliver *d = arg;

	loop_stop(d->p->loop);
}

static void
stop(void *self)
{
	struct deliver *d = self;
	struct job *j, *next;

	d->stopping = true;
	explain_forget(d, NULL);
	group_forget(d, NULL);
	timer_clear(&d->look);
	/* Without a word: queue tries them again, and counts no attempt. */
	for (j = TAILQ_FIRST(&d->jobs); j != NULL; j = next) {
		next = TAILQ_NEXT(j, entry);
		if (!job_in_content(j))
			job_drop(j);
	}
	timer_set(d->p->loop, &d->end, STOP_MS, stop_now, d);
	stop_look(d);
}

/* A queue that comes is told what is under way, and that no more is wanted:
 * its numbers of actions are those of another configuration. */
static void
drain(void *self)
{
	struct deliver *d = self;

	d->draining = true;
	proc_drained(d->p, left(d));
}

static ipc_handler *const handlers[IPC_TYPES] = {
	[IPC_PROC_FILE] = on_file,
	[IPC_JOB_TAKE] = on_take,
	[IPC_JOB_RCPT] = on_rcpt,
	[IPC_JOB_FIELD] = on_field,
	[IPC_JOB_GO] = on_go,
	[IPC_JOB_NOTED] = on_noted,
	[IPC_SIGN_KEY] = on_sign_key,
	[IPC_SASL_DATA] = on_sasl_data,
	[IPC_GROUP_ASK] = group_on_ask,
	[IPC_HOSTS_ASK] = explain_on_hosts,
};

static const struct proc_hooks hooks = {
	.kind = PROC_DELIVER,
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
	static struct deliver self;
	struct proc p;

	memset(&p, 0, sizeof p);
	TAILQ_INIT(&self.jobs);
	TAILQ_INIT(&self.auths);
	TAILQ_INIT(&self.explains);
	TAILQ_INIT(&self.groups);
	return proc_main(&p, &hooks, &self);
}
