/*
 * A job talks to a server: transactions, and what became of each recipient.
 * Used by deliver.  Never says DONE before the server has.
 *
 * SPDX-License-Identifier: ISC
 */
#include "job.h"

#include <assert.h>

#include "job_7bit.h"
#include "log.h"

#define BROKEN_MAX 2 /* connections lost in a transaction, before later */

static void transaction(struct job *j);

/* TLS was not to be had as it was wanted; plain: it goes on without. */
static void
log_tls_failed(const struct job *j, bool plain, const char *why)
{
	log_event(j->take.id, "tls-failed",
	    "relay=%s policy=%s plain=%d why=%s", j->client->relay,
	    policy_level(&j->how.want), plain, q(why));
}

/* ---- what the client tells ---- */

static void
on_ready(void *arg)
{
	struct job *j = arg;

	if (j->client->tls_failed)
		log_tls_failed(j, true, "STARTTLS was refused");
	job_walk_good(j);
	transaction(j);
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

/* LMTP: each recipient who was taken has an answer of his own. */
static void
on_settled(void *arg, unsigned int i, const struct outcome *o)
{
	struct job *j = arg;
	struct job_rcpt_row *r = &j->rcpt[j->to_row[i]];

	if (r->state == RCPT_TAKEN)
		job_say_result(j, r, o);
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

/* Those who were not in this transaction. */
static uint32_t
count_open(const struct job *j)
{
	uint32_t i, n = 0;

	for (i = 0; i < j->n_rcpt; i++)
		n += j->rcpt[i].state == RCPT_OPEN;
	return n;
}

/* Nothing was said of somebody who was in it. */
static bool
is_unsaid(const struct job *j)
{
	uint32_t i;

	for (i = 0; i < j->n_to; i++) {
		if (j->rcpt[j->to_row[i]].state == RCPT_OPEN)
			return true;
	}
	return false;
}

/* It says nothing of others; LMTP: each who was taken had his own answer. */
static bool
is_only_of_them(const struct outcome *o)
{
	return o->verdict == DONE || o->width == WIDTH_RCPT;
}

/* What the end of the transaction means for who was in it. */
static void
settle(struct job *j, const struct outcome *o)
{
	struct job_rcpt_row *r;
	uint32_t i;

	for (i = 0; i < j->n_to; i++) {
		r = &j->rcpt[j->to_row[i]];
		if (r->state == RCPT_AGAIN && is_only_of_them(o))
			r->state = RCPT_OPEN;
		else if (r->state == RCPT_TAKEN || r->state == RCPT_AGAIN ||
		    (r->state == RCPT_OPEN && o->verdict != DONE))
			job_say_result(j, r, o);
	}
}

/* Recipients are left for another transaction. */
static void
go_on(struct job *j)
{
	j->n_to = 0;
	if (client_usable(j->client) && j->client->mails < j->messages &&
	    j->client->mails < client_mail_max(j->client)) {
		j->reused = true; /* some servers close after each message */
		transaction(j);
		return;
	}
	/* It closed, or may not have more: by a new connection. */
	pool_put(j->d->pool, j->take.route, j->take.action, j->messages,
	    &j->client);
	j->reused = false;
	if (j->at == 0)
		job_walk(j);
	else
		job_walk_again(j);
}

static void
on_over(void *arg, const struct outcome *o)
{
	struct job *j = arg;
	struct outcome site;
	bool refused = !is_only_of_them(o) && (j->n_taken > 0 || is_unsaid(j));
	uint32_t i;

	settle(j, o);
	if (count_open(j) > 0 && !refused) {
		go_on(j);
		return;
	}
	/* The message is refused, also for those who were to come. */
	for (i = 0; i < j->n_rcpt; i++) {
		if (j->rcpt[i].state == RCPT_OPEN)
			job_say_result(j, &j->rcpt[i], o);
	}
	site_of(j, o, &site);
	job_end(j, NULL, &site, 0);
}

/* All who have no result are to be told again.  Returns how many. */
static uint32_t
reopen(struct job *j)
{
	uint32_t i, n = 0;

	for (i = 0; i < j->n_rcpt; i++) {
		if (j->rcpt[i].state == RCPT_ENDED)
			continue;
		j->rcpt[i].state = RCPT_OPEN;
		n++;
	}
	return n;
}

/* RFC 7435: rather plain than not at all, where nobody forbids it. */
static bool
may_be_plain(const struct job *j)
{
	return j->client->tls_failed && !j->no_tls &&
	    j->how.want.level == TLS_LEVEL_MAY && j->how.login == NULL;
}

/* It does not do what it offers: once more, and as if it did not offer that. */
static bool
may_do_without(struct job *j)
{
	unsigned int denied = j->client->denied & ~j->without;

	j->without |= denied;
	return denied != 0;
}

/* The connection went, and nothing was sent. */
static void
on_lost(void *arg, const struct outcome *o)
{
	struct job *j = arg;
	bool in_mail = j->n_to > 0, reused = j->reused;
	struct outcome site = *o;

	log_debug("relay=%s lost: %s", j->client->relay, o->text);
	j->n_to = 0;
	j->reused = false;
	job_7bit_stop(j);
	if (reopen(j) == 0) {
		/* It refused everybody before it went. */
		job_end(j, NULL, &site, 0);
		return;
	}
	if (reused) {
		/* It had done its work: that says nothing about the host. */
		client_free(&j->client);
		job_walk(j);
		return;
	}
	if (o->cause == CAUSE_TLS || may_be_plain(j))
		log_tls_failed(j, may_be_plain(j), o->text);
	if (may_be_plain(j)) {
		client_free(&j->client);
		j->no_tls = true;
		job_walk_again(j);
		return;
	}
	if (may_do_without(j)) {
		client_free(&j->client);
		job_walk_again(j);
		return;
	}
	job_walk_failed(j, o);
	client_free(&j->client);
	j->no_tls = false;
	j->without = 0;
	if (in_mail && o->verdict != NEVER && ++j->broken >= BROKEN_MAX)
		job_walk_end(j);
	else
		job_walk_on(j);
}

/* ---- talking ---- */

static void
owner_of(struct job *j, struct client_owner *owner)
{
	*owner = (struct client_owner){ .ready = on_ready,
		.settled = on_settled,
		.rcpt = on_rcpt,
		.over = on_over,
		.lost = on_lost,
		.arg = j };
}

/* The recipients that are open, as many as the server takes at once. */
static void
choose_rcpts(struct job *j)
{
	struct client_room room = { 0 };
	struct job_rcpt_row *r;
	uint32_t i;

	j->n_to = 0;
	j->n_taken = 0;
	for (i = 0; i < j->n_rcpt; i++) {
		r = &j->rcpt[i];
		if (r->state != RCPT_OPEN ||
		    (!client_room(j->client, &room, r->addr) && j->n_to > 0))
			continue;
		j->to[j->n_to] = (struct client_rcpt){ .addr = r->addr,
			.orcpt = r->orcpt,
			.notify = r->notify };
		j->to_row[j->n_to++] = i;
	}
	assert(j->n_to > 0);
}

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

	if (client_needs_7bit(j->client, t->content_facts)) {
		if (!job_7bit_ready(j)) {
			job_7bit_make(j, transaction);
			return;
		}
		job_7bit_mail(j, &m);
	}
	choose_rcpts(j);
	m.n_rcpt = j->n_to;
	client_mail(j->client, &m);
}

/* ---- public ---- */

/* A client that is to be connected. */
static void
begin(struct job *j, struct client_owner *owner)
{
	job_enter(j, JOB_TALKING);
	j->since = loop_msec();
	j->suspected = false;
	owner_of(j, owner);
	count_seat(&j->count);
	j->client = client_new(j->d->p->loop);
}

void
job_connect(struct job *j, const struct mx_addr *addr)
{
	struct client_owner owner;

	begin(j, &owner);
	client_connect(j->client, addr, &j->how, &owner);
}

void
job_adopt(struct job *j, const struct mx_addr *addr, int fd)
{
	struct client_owner owner;

	begin(j, &owner);
	client_adopt(j->client, fd, addr, &j->how, &owner);
}

void
job_reuse(struct job *j, struct client *c)
{
	struct client_owner owner;

	job_enter(j, JOB_TALKING);
	j->client = c;
	j->reused = true;
	owner_of(j, &owner);
	client_owner(c, &owner);
	transaction(j);
}

void
job_unfit(struct job *j, const struct outcome *o)
{
	bool reused = j->reused;

	j->n_to = 0;
	j->reused = false;
	if (reused) {
		/* Which host of the list that was is found out anew. */
		client_free(&j->client);
		job_walk(j);
		return;
	}
	job_walk_failed(j, o);
	j->no_tls = false;
	j->without = 0;
	pool_put(j->d->pool, j->take.route, j->take.action, j->messages,
	    &j->client);
	job_walk_on(j);
}
