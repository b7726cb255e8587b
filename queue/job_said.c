/*
 * What the deliver processes say of their jobs: how many they want, results,
 * ends, and after a restart what they hold.  Runs in the queue process;
 * job.c makes the jobs and gives them out.
 *
 * SPDX-License-Identifier: ISC
 */
#include "queue.h"

#include <stdlib.h>
#include <string.h>

#include "id.h"
#include "log.h"
#include "pace.h"

#define LISTING_MSEC 5000 /* for deliver processes to say what they hold */
#define CREDIT_MAX   10000
#define AGAIN        10 /* seconds, when a job ends without a result */
#define LOST_AGAIN   5  /* seconds, when the process died; times attempts */
#define LOST_MAX     300

static struct deliverer *
deliverer_of(struct queue *qu, const struct ipc_chan *c)
{
	return &qu->deliverer[c->instance];
}

static struct job *
job_find(const struct queue *qu, uint64_t number, const struct ipc_chan *c)
{
	struct job *j = (struct job *)hash_get(&qu->jobs, number);

	return j != NULL && j->deliverer != NULL && j->deliverer->chan == c ?
	    j :
	    NULL;
}

/* Nobody else holds a job of before: the schedule begins. */
static void
begin(struct queue *qu)
{
	if (qu->open)
		return;
	qu->open = true;
	timer_clear(&qu->listing);
	route_start(qu);
	schedule_kick(qu);
	queue_run_soon(qu);
}

void
job_listed(struct queue *qu)
{
	const struct deliverer *d;
	uint32_t i;

	for (i = 0; i < PROC_MAX; i++) {
		d = &qu->deliverer[i];
		if (d->chan != NULL && d->chan->fd != -1 && !d->listed)
			return;
	}
	if (local_all_listed(qu))
		begin(qu);
}

static void
listed(struct queue *qu, struct deliverer *d)
{
	d->listed = true;
	job_listed(qu);
}

void
job_on_want(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;
	const struct job_want *want = msg->body;
	struct deliverer *d = deliverer_of(qu, from);

	if (!d->listed)
		listed(qu, d);
	if (!d->wants) {
		d->wants = true;
		group_ask_all(qu);
	}
	way_back(&qu->ways, from->instance, want->n);
	d->credit =
	    want->n > CREDIT_MAX - d->credit ? CREDIT_MAX : d->credit + want->n;
	queue_run_soon(qu);
}

void
job_on_signed(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;
	const struct job_signed *m = msg->body;
	struct job *j = job_find(qu, m->job, from);

	if (j == NULL || j->msg->id != m->id || j->msg->gone)
		return;
	free(j->msg->field);
	j->msg->field = xstrdup(m->field);
	j->msg->has_signature = m->field[0] != '\0';
	msg_changed(qu, j->msg);
}

static void
say_noted(struct ipc_chan *c, uint64_t job, uint32_t n)
{
	struct job_noted noted;

	memset(&noted, 0, sizeof noted);
	noted.job = job;
	noted.n = n;
	job_noted_send(c, 0, &noted, -1);
}

/* A result of a job that we do not know: of before a restart, and not listed
 * in time.  NULL: there is nothing to record. */
static struct rcpt *
stray_rcpt(struct queue *qu, const struct job_result *m)
{
	struct rcpt *r = rcpt_find(qu, m->id, m->n);
	struct index_rcpt row;
	struct msg *msg;

	if (r != NULL) {
		/* Tried a second time just now: only good news counts. */
		if (r->at == AT_DSN || r->at == AT_OWED ||
		    r->at == AT_UNSAVED ||
		    (r->at == AT_FLYING && m->outcome.verdict != DONE))
			return NULL;
		return r;
	}
	msg = msg_load(qu, m->id);
	if (msg == NULL)
		return NULL;
	if (index_get_rcpt(qu->index, m->id, m->n, &row) != INDEX_OK ||
	    rcpt_state_end(row.state) || rcpt_state_owed(row.state)) {
		msg_settle(qu, msg);
		return NULL;
	}
	return rcpt_add(qu, msg, &row);
}

/* What a result says of the route: kept until the job's end. */
static void
note(struct job *j, const struct outcome *o)
{
	if (o->verdict == DONE)
		j->taken = true;
	if (o->verdict != LATER ||
	    (j->worst != NULL && pace_of(o).route <= pace_of(j->worst).route))
		return;
	if (j->worst == NULL)
		j->worst = xcalloc(1, sizeof *j->worst);
	*j->worst = *o;
}

/*
 * How the route did: what deliver says of it, unless a recipient's result says
 * more.  What was parked for the route must not come back at once; and where
 * mail was taken, who was put off does not speak for it.
 */
static struct outcome
site_of(const struct job *j, const struct outcome *site)
{
	enum pace_route of_site = pace_of(site).route, worst;

	if (j->worst == NULL)
		return *site;
	worst = pace_of(j->worst).route;
	if (worst <= of_site || (worst == PACE_TIRE && j->taken))
		return *site;
	return *j->worst;
}

void
job_on_result(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;
	const struct job_result *m = msg->body;
	struct job *j = job_find(qu, m->job, from);
	struct rcpt *r = rcpt_find(qu, m->id, m->n);
	struct result result = { .outcome = &m->outcome,
		.relay = m->relay,
		.tls = m->tls,
		.method = "relay",
		.flags = m->flags,
		.from = from,
		.job = m->job };
	struct msg *of;

	if (j == NULL || r == NULL || r->job != j) {
		r = stray_rcpt(qu, m);
		if (r == NULL) {
			say_noted(from, m->job, m->n);
			return;
		}
		j = NULL;
	}
	if (j != NULL) {
		note(j, &m->outcome);
		result.method = local_method(qu, j);
	}
	of = r->msg;
	result_record(qu, r, j == NULL ? NULL : j->turn.way, &result);
	msg_settle(qu, of);
}

void
job_on_end(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;
	const struct job_end *m = msg->body;
	struct job *j = job_find(qu, m->job, from);
	struct outcome site;
	struct msg *of;
	struct way *w;

	if (j == NULL)
		return;
	of = j->msg;
	w = j->turn.way;
	site = site_of(j, &m->site);
	way_at(w, from->instance, loop_msec());
	job_all_again(qu, j, AGAIN, "no result was given");
	job_free(qu, j);
	if ((m->flags & JOB_DAMAGED) != 0 && !of->gone)
		msg_damaged(qu, of, "its checksum is wrong");
	else
		msg_settle(qu, of);
	route_ended(qu, w, &site);
	queue_run_soon(qu);
}

/* ---- after a restart, and when a process is lost ---- */

void
job_on_held(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;
	const struct job_held *m = msg->body;
	struct rcpt *r = rcpt_find(qu, m->id, m->n);
	struct job *j = job_find(qu, m->job, from);
	struct deliverer *d = deliverer_of(qu, from);
	struct index_rcpt row;
	struct msg *of = msg_load(qu, m->id);
	struct way *w;

	if (of == NULL)
		return; /* its result will meet nothing to record */
	if (r == NULL &&
	    index_get_rcpt(qu->index, m->id, m->n, &row) == INDEX_OK &&
	    rcpt_state_open(row.state))
		r = rcpt_add(qu, of, &row);
	w = route_get(qu, m->route);
	if (r == NULL || w == NULL || d->listed || !rcpt_state_open(r->state) ||
	    r->at == AT_FLYING ||
	    (j == NULL && hash_get(&qu->jobs, m->job) != NULL)) {
		msg_settle(qu, of);
		return;
	}
	if (j == NULL) {
		j = job_new(of);
		j->turn.way = w;
		group_look(qu, w);
		way_running(&qu->ways, w);
		way_at(w, from->instance, loop_msec());
		job_fly(qu, j, d, m->job);
	}
	job_add_rcpt(qu, j, r, AT_FLYING);
}

void
job_on_listed(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;

	(void)msg;
	listed(qu, deliverer_of(qu, from));
}

void
job_peer_up(struct queue *qu, struct ipc_chan *c)
{
	struct deliverer *d = deliverer_of(qu, c);

	d->chan = c;
	d->credit = 0;
	d->wants = false;
}

void
job_lost(struct queue *qu, struct job *j, const char *why)
{
	struct way *w = j->turn.way;
	struct msg *m = j->msg;
	struct rcpt *r;
	uint32_t wait;

	while ((r = TAILQ_FIRST(&j->rcpts)) != NULL) {
		/* Counted, so that a message that kills who delivers it does
		 * so more and more seldom. */
		r->attempts++;
		wait = r->attempts * LOST_AGAIN;
		result_again(qu, r, wait < LOST_MAX ? wait : LOST_MAX, why);
	}
	job_free(qu, j);
	way_undo(&qu->ways, w);
	route_refill_soon(qu, w);
	msg_settle(qu, m);
}

void
job_peer_down(struct queue *qu, struct ipc_chan *c)
{
	struct deliverer *d = deliverer_of(qu, c);
	struct job *j;

	d->credit = 0;
	d->wants = false;
	while ((j = TAILQ_FIRST(&d->jobs)) != NULL)
		job_lost(qu, j, "the process that delivered it was lost");
	way_back(&qu->ways, c->instance, UINT32_MAX);
	/* It holds nothing any more. */
	listed(qu, d);
	queue_run_soon(qu);
}

static void
on_listing(void *arg)
{
	struct queue *qu = arg;

	log_debug("not each process has said what it holds");
	begin(qu);
}

void
job_start(struct queue *qu)
{
	uint32_t i;

	for (i = 0; i < PROC_MAX; i++)
		TAILQ_INIT(&qu->deliverer[i].jobs);
	local_start(qu);
	/* Never a number of an earlier life. */
	qu->last_job = id_now();
	timer_set(qu->p.loop, &qu->listing, LISTING_MSEC, on_listing, qu);
}
