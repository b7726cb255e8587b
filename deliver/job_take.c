/*
 * A job from queue: taken, looked at, and begun.  Used by deliver.  Never
 * gives up a recipient for what is our own trouble.
 *
 * SPDX-License-Identifier: ISC
 */
#include "job.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "dest.h"
#include "log.h"
#include "smtp_addr.h"

#define ARENA_BASE    ((size_t)26624)
#define TEXT_PER_RCPT (ADDR_MAX + 1 + ORCPT_MAX + 1 + 32)

static struct job_bucket *
bucket_of(struct deliver *d, uint64_t number)
{
	return &d->bucket[number & (JOB_BUCKETS - 1)];
}

static struct job *
job_find(struct deliver *d, uint64_t number)
{
	struct job *j;

	LIST_FOREACH(j, bucket_of(d, number), mate) {
		if (j->take.job == number)
			return j;
	}
	return NULL;
}

/* A job that cannot be: queue hears of its end when it was told whole, and
 * nothing of its recipients, so they are tried again. */
static void
not_taken(struct deliver *d, uint64_t number)
{
	struct job_end end;

	memset(&end, 0, sizeof end);
	end.job = number;
	outcome_set(&end.site, LATER, WIDTH_STREAM, 0, "4.3.0",
	    "the job could not be taken");
	report_say(d->report, IPC_JOB_END, &end);
	deliver_job_gone(d);
}

void
job_take(struct deliver *d, const struct job_take *m, int fd)
{
	struct job *j;
	size_t room;

	if (d->n_jobs >= JOBS_MAX || m->n_rcpt == 0 || m->n_rcpt > RCPT_MAX ||
	    m->action >= d->conf->action.n || job_find(d, m->job) != NULL) {
		log_warn("job-refused", "job=%llu rcpts=%u action=%u",
		    (unsigned long long)m->job, m->n_rcpt, m->action);
		close(fd);
		return;
	}
	j = xcalloc(1, sizeof *j);
	j->d = d;
	j->take = *m;
	j->fd = fd;
	j->field = "";
	TAILQ_INSERT_TAIL(&d->jobs, j, entry);
	LIST_INSERT_HEAD(bucket_of(d, m->job), j, mate);
	d->n_jobs++;
	room =
	    TEXT_PER_RCPT + sizeof *j->rcpt + sizeof *j->to + sizeof *j->to_row;
	arena_init(&j->arena, ARENA_BASE + m->n_rcpt * room);
	j->rcpt = arena_alloc(&j->arena, m->n_rcpt * sizeof *j->rcpt);
	j->to = arena_alloc(&j->arena, m->n_rcpt * sizeof *j->to);
	j->to_row = arena_alloc(&j->arena, m->n_rcpt * sizeof *j->to_row);
	assert(j->rcpt != NULL && j->to != NULL && j->to_row != NULL);
}

/* What is said of a recipient: to the LMTP server of an action the user's name,
 * where it does not want the address. */
static const char *
say_of(struct job *j, const char *rcpt)
{
	const struct conf_action *a = CONF_ACTION(j->d->conf, j->take.action);
	const char *at = strrchr(rcpt, '@');

	if (a->method != METHOD_LMTP || a->lmtp_rcpt_to || at == NULL)
		return arena_copy(&j->arena, rcpt);
	return arena_printf(&j->arena, "%.*s", (int)(at - rcpt), rcpt);
}

void
job_rcpt(struct deliver *d, const struct job_rcpt *m)
{
	struct job *j = job_find(d, m->job);
	struct job_rcpt_row *r;

	if (j == NULL || j->state != JOB_TAKING || j->n_rcpt == j->take.n_rcpt)
		return;
	r = &j->rcpt[j->n_rcpt];
	if ((r->addr = say_of(j, m->rcpt)) == NULL)
		return; /* no result: queue tries again */
	r->orcpt = "";
	if (m->params.orcpt[0] != '\0' &&
	    (r->orcpt = arena_copy(&j->arena, m->params.orcpt)) == NULL)
		return;
	r->notify = m->params.notify;
	r->n = m->n;
	j->n_rcpt++;
}

void
job_field(struct deliver *d, const struct job_field *m)
{
	struct job *j = job_find(d, m->job);
	const char *field;

	if (j == NULL || j->state != JOB_TAKING)
		return;
	if ((field = arena_copy(&j->arena, m->field)) != NULL)
		j->field = field;
}

/* `mail-from` of the action in place of the sender, or of what SRS made of it.
 * NULL: no room. */
static const char *
sender_of(struct job *j)
{
	const struct conf *c = j->d->conf;
	const struct conf_action *a = CONF_ACTION(c, j->take.action);
	const char *own =
	    j->take.as_sender[0] != '\0' ? j->take.as_sender : j->take.sender;
	char made[SMTP_REWRITTEN_SIZE];

	if (smtp_addr_rewrite(conf_text(c, a->mail_from), own, made) == own)
		return own;
	return arena_printf(&j->arena, "%s", made);
}

/* On one connection: as the route has it, or its group, if that is less. */
static uint32_t
messages_of(const struct job *j, uint32_t own)
{
	const struct conf *c = j->d->conf;
	uint32_t n = j->take.group < c->limit.n ?
	    CONF_LIMIT(c, j->take.group)->messages :
	    0;

	return n != 0 && n < own ? n : own;
}

/* What the configuration says of this relay.  False: no room. */
static bool
configure(struct job *j)
{
	char name[DOMAIN_MAX + 1];
	struct dest_limit limit;

	dest_limit(j->d->conf, dest_of_route(j->take.route, name), &limit);
	j->messages = messages_of(j, limit.messages);
	j->inet = limit.inet;
	count_init(j->d, &j->count, &j->take);
	j->sender = sender_of(j);
	return j->sender != NULL;
}

/* A control character in an address would be a command of its own. */
static bool
one_line(const char *addr)
{
	for (; *addr != '\0'; addr++) {
		if ((unsigned char)*addr < ' ' || *addr == 0x7f)
			return false;
	}
	return true;
}

void
job_go(struct deliver *d, const struct job_go *m)
{
	struct job *j = job_find(d, m->job);
	struct outcome o;
	const char *why;
	uint32_t i;

	if (j == NULL) {
		/* Refused, or its descriptor found no room here. */
		not_taken(d, m->job);
		return;
	}
	if (j->state != JOB_TAKING)
		return;
	if ((why = mx_route_parse(j->take.route, &j->route)) != NULL ||
	    (why = mx_route_server(d->conf, j->take.action, &j->route)) !=
		NULL) {
		job_end_later(j, "4.3.5", why);
		return;
	}
	if (!configure(j)) {
		job_end_later(j, "4.3.0", NULL);
		return;
	}
	outcome_set(&o, NEVER, WIDTH_RCPT, 0, "5.1.3",
	    "the address has a control character");
	for (i = 0; i < j->n_rcpt; i++) {
		if (!one_line(j->rcpt[i].addr) || !one_line(j->sender))
			job_say_result(j, &j->rcpt[i], &o);
	}
	for (i = 0; i < j->n_rcpt && j->rcpt[i].state == RCPT_ENDED; i++)
		;
	if (i == j->n_rcpt) {
		job_end_later(j, "4.3.0", "no recipient is left");
		return;
	}
	job_prepare(j);
}
