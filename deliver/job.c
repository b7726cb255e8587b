/*
 * A job's beginning and end: what became of each recipient is said, once, and
 * the job is gone.  Used by deliver.  Never says DONE before a server has, and
 * NEVER only upon a server's or the DNS's own word.
 *
 * SPDX-License-Identifier: ISC
 */
#include "job.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "job_7bit.h"

#define SLOW_MS 3000 /* without a step: others have its place */

void
job_enter(struct job *j, enum job_state state)
{
	j->state = state;
}

void
job_drop(struct job *j)
{
	TAILQ_REMOVE(&j->d->jobs, j, entry);
	LIST_REMOVE(j, mate);
	j->d->n_jobs--;
	j->d->n_slow -= j->slow;
	job_prepare_free(j);
	job_7bit_free(j);
	job_walk_free(j);
	client_free(&j->client);
	count_free(&j->count);
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
	} else {
		memcpy(m.relay, j->relay_of, sizeof m.relay);
		memcpy(m.tls, j->tls_of, sizeof m.tls);
	}
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

/* While queue is away nobody knows that a counted one is idle here. */
static bool
may_be_idle(const struct job *j)
{
	return j->d->wanting ||
	    (j->count.of[0] == NULL && j->count.of[1] == NULL);
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
		pool_put(d->pool, j->take.route, j->take.action,
		    may_be_idle(j) ? j->messages : 0, &j->client);
	job_drop(j);
	deliver_job_gone(d);
}

void
job_end_later(struct job *j, const char *ecode, const char *why)
{
	struct outcome o;

	outcome_set(&o, LATER, WIDTH_MESSAGE, 0, ecode, "%s",
	    why == NULL ? "local trouble" : why);
	/* RFC 3463 3.4: X.3.5 is a configuration. */
	outcome_of_us(&o, o.ecode[2] == 5 ? CAUSE_CONFIG : CAUSE_SYSTEM,
	    STAGE_PREPARE);
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

void
job_prepared(struct job *j)
{
	struct client *c;

	c = pool_take(j->d->pool, j->take.route, j->take.action);
	/* Its group is another one since. */
	if (c != NULL &&
	    memcmp(c->how.count, j->count.of, sizeof j->count.of) != 0)
		client_free(&c);
	if (c != NULL)
		job_reuse(j, c);
	else
		job_walk(j);
}

/* ---- how it gets on ---- */

/* Another number after each step: a host begun, a reply heard, some content
 * sent. */
static uint64_t
mark_of(const struct job *j)
{
	const struct client *c = j->client;
	uint64_t mark = j->state | (uint64_t)j->host_at << 3 |
	    (uint64_t)j->at << 9 | (uint64_t)j->no_tls << 15;

	if (c != NULL)
		mark |= (uint64_t)(c->head & 0xff) << 16 |
		    (uint64_t)(c->mails & 0xff) << 24 |
		    (uint64_t)(c->part & 7) << 32 |
		    (c->part_off / JOB_PIECE) << 35;
	return mark;
}

/* Nothing was heard on this connection yet, for a long time. */
static bool
is_silent(const struct job *j, msec now)
{
	const struct client *c = j->client;

	if (c == NULL || c->state != CLIENT_OPENING || c->n == 0)
		return false;
	if (c->fifo[c->head].said == SAID_CONNECT)
		return now - j->since >= JOB_DEAF_MS;
	return c->fifo[c->head].said == SAID_GREETING &&
	    now - j->since >= JOB_SILENT_MS;
}

void
job_look(struct job *j, msec now)
{
	uint64_t mark = mark_of(j);

	if (mark != j->mark || j->marked == 0) {
		j->mark = mark;
		j->marked = now;
	}
	j->d->n_slow -= j->slow;
	j->slow = (j->state == JOB_FINDING || j->state == JOB_TALKING) &&
	    now - j->marked >= SLOW_MS;
	j->d->n_slow += j->slow;
	if (j->suspected || !is_silent(j, now))
		return;
	j->suspected = true;
	seen_addr_bad(j->d->seen, &j->client->addr.ss, j->take.route,
	    "nothing was heard", now);
}
