/*
 * A job finds its hosts, tries them in turn, and says what became of each
 * recipient.  Used by deliver.  Never says DONE before a server has, and
 * NEVER only upon a server's or the DNS's own word.
 *
 * SPDX-License-Identifier: ISC
 */
#include "job.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "log.h"

#define BROKEN_MAX 2 /* connections lost in a transaction, before later */

/* ---- beginning and end ---- */

void
job_enter(struct job *j, enum job_state state)
{
	j->state = state;
}

void
job_drop(struct job *j)
{
	TAILQ_REMOVE(&j->d->jobs, j, entry);
	j->d->n_jobs--;
	job_prepare_free(j);
	mx_free(&j->find);
	client_free(&j->client);
	if (j->fd != -1)
		close(j->fd);
	arena_free(&j->arena);
	free(j);
}

void
job_say_result(struct job *j, struct job_rcpt_row *r, const struct outcome *o)
{
	struct job_result m;

	memset(&m, 0, sizeof m);
	m.job = j->take.job;
	m.id = j->take.id;
	m.n = r->n;
	m.outcome = *o;
	/* RFC 3461 5.2.2: who offers DSN tells what becomes of it. */
	if (o->verdict == DONE && j->client != NULL &&
	    (j->client->ext & EXT_DSN) != 0)
		m.flags = RESULT_DSN;
	if (j->client != NULL) {
		strlcpy(m.relay, j->client->relay, sizeof m.relay);
		strlcpy(m.tls, j->client->cipher, sizeof m.tls);
	} else
		memcpy(m.relay, j->relay, sizeof m.relay);
	if (o->verdict == LATER)
		j->later = true;
	r->state = RCPT_ENDED;
	report_say(j->d->report, IPC_JOB_RESULT, &m);
}

static void
say_signed(const struct job *j)
{
	struct job_signed m;

	memset(&m, 0, sizeof m);
	m.job = j->take.job;
	m.id = j->take.id;
	strlcpy(m.field, j->field, sizeof m.field);
	report_say(j->d->report, IPC_JOB_SIGNED, &m);
}

void
job_end(struct job *j, const struct outcome *o, const struct outcome *site,
    uint32_t flags)
{
	struct deliver *d = j->d;
	struct job_end m;
	uint32_t i;

	for (i = 0; o != NULL && i < j->n_rcpt; i++) {
		if (j->rcpt[i].state != RCPT_ENDED)
			job_say_result(j, &j->rcpt[i], o);
	}
	if (j->signed_now && j->later)
		say_signed(j);
	memset(&m, 0, sizeof m);
	m.job = j->take.job;
	m.id = j->take.id;
	m.flags = flags;
	m.site = *site;
	report_say(d->report, IPC_JOB_END, &m);
	if (j->client != NULL)
		pool_put(d->pool, j->take.route, j->take.action, j->messages,
		    &j->client);
	job_drop(j);
	deliver_job_gone(d);
}

void
job_end_later(struct job *j, const char *ecode, const char *why)
{
	struct outcome o;

	outcome_set(&o, LATER, WIDTH_MESSAGE, 0, ecode, "%s",
	    why == NULL ? "local trouble" : why);
	job_end(j, &o, &o, 0);
}

bool
job_in_content(const struct job *j)
{
	return j->client != NULL && client_in_content(j->client);
}

void
job_hold(struct job *j)
{
	struct job_held m;
	uint32_t i;

	for (i = 0; i < j->n_rcpt; i++) {
		if (j->rcpt[i].state == RCPT_ENDED)
			continue;
		memset(&m, 0, sizeof m);
		m.job = j->take.job;
		m.id = j->take.id;
		m.n = j->rcpt[i].n;
		strlcpy(m.route, j->take.route, sizeof m.route);
		report_say(j->d->report, IPC_JOB_HELD, &m);
	}
}

/* ---- hosts ---- */

/* The client tells us, and we tell the client. */
static void try_host(struct job *j);
static void transaction(struct job *j);

/* No host is left: the site does not work, or none of it wants our mail. */
static void
no_host_left(struct job *j)
{
	struct outcome site = j->trouble;

	if (j->all_refused) {
		/* RFC 5321 3.1, 554: each of them said so. */
		j->trouble.verdict = NEVER;
		j->trouble.width = WIDTH_MESSAGE;
		site.verdict = DONE;
	} else {
		j->trouble.verdict = LATER;
		j->trouble.width = WIDTH_SITE;
		site = j->trouble;
	}
	job_end(j, &j->trouble, &site, 0);
}

static void
on_found(void *arg, const struct mx_list *list, const struct outcome *why)
{
	struct job *j = arg;
	struct outcome o = *why, site = *why;

	j->list = *list;
	mx_free(&j->find);
	if (j->list.n > 0) {
		j->at = 0;
		j->all_refused = true;
		try_host(j);
		return;
	}
	/* What the DNS denies works, in its way: the others of this route
	 * hear the same. */
	if (o.verdict == NEVER)
		site.verdict = DONE;
	job_end(j, &o, &site, 0);
}

static void
find_hosts(struct job *j)
{
	struct mx_self self;

	mx_self_of(j->d->conf, j->take.action, &self);
	job_enter(j, JOB_FINDING);
	j->find =
	    mx_find(j->d->p->loop, j->d->dns, &j->route, &self, on_found, j);
}

/* ---- what the client tells ---- */

static void
on_ready(void *arg)
{
	transaction(arg);
}

/* RFC 5321 4.5.3.1.10: too many for one transaction.  552 is what older
 * servers say; with another enhanced code either means something else. */
static bool
too_many(const struct outcome *o)
{
	return (o->code == 452 || o->code == 552) &&
	    (o->ecode[0] == 0 || (o->ecode[1] == 5 && o->ecode[2] == 3));
}

static void
on_rcpt(void *arg, unsigned int i, const struct outcome *o)
{
	struct job *j = arg;
	struct job_rcpt_row *r = &j->rcpt[j->to_row[i]];
	struct outcome own = *o;

	if (o->verdict == DONE) {
		r->state = RCPT_TAKEN;
		j->n_taken++;
		return;
	}
	if (too_many(o)) {
		/* Each transaction takes somebody, or this is the answer: so
		 * it comes to an end. */
		if (j->n_taken > 0) {
			r->state = RCPT_AGAIN;
			return;
		}
		own.verdict = LATER;
	}
	job_say_result(j, r, &own);
}

/* The site as a whole, after a transaction that had an outcome. */
static void
site_of(const struct job *j, const struct outcome *o, struct outcome *site)
{
	*site = *o;
	site->width = WIDTH_STREAM;
	/* Who answers works, also when he says no. */
	site->verdict = o->code != 0 || client_usable(j->client) ? DONE : LATER;
}

static void
on_over(void *arg, const struct outcome *o)
{
	struct job *j = arg;
	struct job_rcpt_row *r;
	struct outcome site;
	uint32_t i, again = 0;

	for (i = 0; i < j->n_to; i++) {
		r = &j->rcpt[j->to_row[i]];
		if (r->state == RCPT_AGAIN && o->verdict == DONE) {
			r->state = RCPT_OPEN;
			again++;
		} else if (r->state == RCPT_TAKEN || r->state == RCPT_AGAIN ||
		    (r->state == RCPT_OPEN && o->verdict != DONE))
			job_say_result(j, r, o);
	}
	if (again > 0 && client_usable(j->client) &&
	    j->client->mails < j->messages) {
		j->reused = true; /* some servers close after each message */
		transaction(j);
		return;
	}
	if (again > 0) {
		/* It took some and closed, or may not have more: the rest by a
		 * new connection. */
		pool_put(j->d->pool, j->take.route, j->take.action, j->messages,
		    &j->client);
		j->n_to = 0;
		j->reused = false;
		if (j->at == 0) {
			find_hosts(j);
			return;
		}
		j->at--;
		try_host(j);
		return;
	}
	site_of(j, o, &site);
	job_end(j, NULL, &site, 0);
}

/* The connection went, and nothing was sent. */
static void
on_lost(void *arg, const struct outcome *o)
{
	struct job *j = arg;
	bool tls_failed = j->client->tls_failed;
	bool in_mail = j->n_to > 0;
	struct outcome site = *o;
	uint32_t i, open = 0;

	log_debug("relay=%s lost: %s", j->client->relay, o->text);
	memcpy(j->relay, j->client->relay, sizeof j->relay);
	client_free(&j->client);
	for (i = 0; i < j->n_rcpt; i++) {
		if (j->rcpt[i].state == RCPT_ENDED)
			continue;
		j->rcpt[i].state = RCPT_OPEN;
		open++;
	}
	j->n_to = 0;
	if (open == 0) {
		/* It refused everybody before it went. */
		job_end(j, NULL, &site, 0);
		return;
	}
	if (j->reused) {
		/* It had done its work: that says nothing about the host. */
		j->reused = false;
		find_hosts(j);
		return;
	}
	if (tls_failed && !j->no_tls) {
		/* RFC 7435: rather plain than not at all. */
		log_event(j->take.id, "tls-failed", "why=%s", q(o->text));
		j->no_tls = true;
		j->at--;
		try_host(j);
		return;
	}
	j->no_tls = false;
	if (o->verdict != NEVER)
		j->all_refused = false;
	if (o->verdict != NEVER || j->all_refused)
		j->trouble = *o;
	if (in_mail && ++j->broken >= BROKEN_MAX)
		j->at = j->list.n;
	try_host(j);
}

/* ---- talking ---- */

static void
owner_of(struct job *j, struct client_owner *owner)
{
	*owner =
	    (struct client_owner){ on_ready, on_rcpt, on_over, on_lost, j };
}

/* The next address; j->at counts those that were tried. */
static void
try_host(struct job *j)
{
	bool plain = j->route.notls || j->no_tls;
	const struct conf *c = j->d->conf;
	const struct conf_action *a = CONF_ACTION(c, j->take.action);
	conf_str helo = a->helo != 0 ? a->helo : c->hostname;
	struct client_owner owner;

	if (j->at >= j->list.n) {
		no_host_left(j);
		return;
	}
	job_enter(j, JOB_TALKING);
	owner_of(j, &owner);
	j->client = client_new(j->d->p->loop, conf_text(c, helo));
	client_connect(j->client, &j->list.addr[j->at++],
	    plain ? NULL : j->d->tls, &owner);
}

/* All recipients that are open, in one transaction. */
static void
transaction(struct job *j)
{
	const struct job_take *t = &j->take;
	struct client_mail m = { .sender = j->sender,
		.rcpt = j->to,
		.facts = t->facts,
		.ret = t->params.ret,
		.envid = t->params.envid,
		.field = j->field,
		.fd = j->fd,
		.trace_off = t->trace_off,
		.trace_len = t->trace_len,
		.content_off = t->content_off,
		.content_len = t->content_len,
		.content_facts = t->content_facts };
	uint32_t i;

	j->n_to = 0;
	j->n_taken = 0;
	for (i = 0; i < j->n_rcpt; i++) {
		if (j->rcpt[i].state != RCPT_OPEN)
			continue;
		j->to[j->n_to] = (struct client_rcpt){ .addr = j->rcpt[i].addr,
			.orcpt = j->rcpt[i].orcpt,
			.notify = j->rcpt[i].notify };
		j->to_row[j->n_to++] = i;
	}
	assert(j->n_to > 0);
	m.n_rcpt = j->n_to;
	client_mail(j->client, &m);
}

void
job_prepared(struct job *j)
{
	struct client_owner owner;

	j->client = pool_take(j->d->pool, j->take.route, j->take.action);
	if (j->client == NULL) {
		find_hosts(j);
		return;
	}
	job_enter(j, JOB_TALKING);
	j->reused = true;
	owner_of(j, &owner);
	client_owner(j->client, &owner);
	transaction(j);
}
