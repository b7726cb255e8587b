/*
 * Work for the deliver processes: the due recipients of one message for one
 * route make a job; a process that wants one gets it, with a descriptor of
 * its own.  One whose route ends here has one recipient, and is local_job.c's
 * once its turn comes.  Runs in the queue process; decides nothing about
 * results.
 *
 * SPDX-License-Identifier: ISC
 */
#include "queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "dsn_param.h"
#include "flying.h"
#include "log.h"

#define UNREAD_MAX 4000 /* messages a process may leave unread */
#define AGAIN      10   /* seconds, when a file cannot be opened now */
#define ASIDE_MSEC 1000 /* a route's only process is looked at so often */

/* ---- a job ---- */

struct job *
job_new(struct msg *m)
{
	struct job *j = xcalloc(1, sizeof *j);

	j->msg = m;
	TAILQ_INIT(&j->rcpts);
	return j;
}

void
job_free(struct queue *qu, struct job *j)
{
	struct way *w = j->turn.way;

	assert(TAILQ_EMPTY(&j->rcpts));
	way_landed(&qu->ways, &j->turn);
	if (j->deliverer != NULL) {
		TAILQ_REMOVE(&j->deliverer->jobs, j, entry);
		j->deliverer->n_jobs--;
		j->deliverer->held[j->trust]--;
	}
	if (j->flies) {
		hash_del(&qu->jobs, &j->node);
		j->msg->n_flying--;
	} else if (j->waiting) {
		j->msg->n_waiting--;
		way_remove(&qu->ways, &j->turn);
		route_refill_soon(qu, w);
	} else if (j->gathers) {
		TAILQ_REMOVE(&j->msg->gather, j, entry);
		way_gathers(&qu->ways, w, false);
	}
	local_free(&j->local);
	free(j->as_sender);
	free(j->worst);
	free(j);
}

void
job_lost_rcpt(struct queue *qu, struct job *j)
{
	j->n_rcpt--;
	if (j->waiting)
		way_less(&qu->ways, &j->turn);
	if (j->n_rcpt == 0 && (j->waiting || j->gathers))
		job_free(qu, j);
}

void
job_add_rcpt(struct queue *qu, struct job *j, struct rcpt *r, enum rcpt_at at)
{
	rcpt_move(qu, r, &j->rcpts, at);
	r->job = j;
	j->n_rcpt++;
}

/* One transaction: the same hosts, in the same way, from the same sender. */
static bool
job_fits(const struct job *j, const struct way *w, const struct route_is *is)
{
	const char *sender = j->as_sender == NULL ? "" : j->as_sender;

	return j->turn.way == w && j->action == is->action &&
	    j->flags == is->flags && j->n_rcpt < JOB_RCPTS &&
	    strcmp(sender, is->sender) == 0;
}

/* One that gathers and takes one more like this; those that end here stand
 * behind all others, and are each for one. */
static struct job *
find_open(const struct msg *m, const struct way *w, const struct route_is *is)
{
	struct job *j;

	TAILQ_FOREACH(j, &m->gather, entry) {
		if (j->local != NULL || is->local.what != LOCAL_NONE)
			return NULL;
		if (job_fits(j, w, is))
			return j;
	}
	return NULL;
}

void
job_gather(struct queue *qu, struct rcpt *r, struct way *w,
    const struct route_is *is)
{
	struct msg *m = r->msg;
	/* Of ten thousand routes each is a new one: nothing is looked for. */
	struct job *j = w->gathering == 0 ? NULL : find_open(m, w, is);

	if (j == NULL) {
		j = job_new(m);
		j->turn.way = w;
		j->action = is->action;
		j->flags = is->flags;
		if (is->sender[0] != '\0')
			j->as_sender = xstrdup(is->sender);
		j->gathers = true;
		way_gathers(&qu->ways, w, true);
		if (is->local.what != LOCAL_NONE) {
			j->local = local_new(qu, j, &is->local);
			TAILQ_INSERT_TAIL(&m->gather, j, entry);
		} else
			TAILQ_INSERT_HEAD(&m->gather, j, entry);
	}
	job_add_rcpt(qu, j, r, AT_JOB);
}

void
job_ready(struct queue *qu, struct msg *m)
{
	struct way *w;
	struct job *j;

	while ((j = TAILQ_FIRST(&m->gather)) != NULL) {
		w = j->turn.way;
		if (!way_open(w)) {
			/* It fell, or was filled, while this gathered. */
			while (TAILQ_FIRST(&m->gather) == j)
				route_park(qu, w, TAILQ_FIRST(&j->rcpts));
			continue;
		}
		TAILQ_REMOVE(&m->gather, j, entry);
		j->gathers = false;
		j->waiting = true;
		m->n_waiting++;
		j->turn.rcpts = j->n_rcpt;
		way_add(&qu->ways, w, &j->turn);
		way_gathers(&qu->ways, w, false);
		queue_run_soon(qu);
	}
}

/* ---- giving it out ---- */

/* It may have a job of a route of which so much is known. */
static bool
may_have(const struct queue *qu, const struct deliverer *d,
    enum way_trust trust)
{
	struct way_places places = { .all = d->n_jobs + d->credit };

	if (d->credit == 0 || d->chan == NULL || d->chan->fd == -1 ||
	    d->chan->n_out > UNREAD_MAX)
		return false;
	memcpy(places.held, d->held, sizeof places.held);
	return way_share(&qu->ways.side[WAY_OUT], &places, trust);
}

/* Of which routes any process may have a job now. */
static bool
look_round(const struct queue *qu, bool may[WAY_TRUSTS])
{
	bool any = false;
	uint32_t i, t;

	for (t = 0; t < WAY_TRUSTS; t++) {
		may[t] = false;
		for (i = 0; i < PROC_MAX && !may[t]; i++)
			may[t] = may_have(qu, &qu->deliverer[i], t);
		any = any || may[t];
	}
	return any;
}

/* Who wants a job: best the one whose connection to this route is warm, else
 * the one that has least to do.  *home: it must be this one; CONF_NONE: any.
 * NULL: none can have it now. */
static struct deliverer *
choose(struct queue *qu, const struct way *w, uint32_t *home)
{
	struct deliverer *d, *best = NULL;
	uint32_t i;

	*home = way_home(w, loop_msec());
	if (*home != CONF_NONE) {
		d = &qu->deliverer[*home];
		/* Of an older configuration it wants none, and has no idle
		 * connections: what it still runs counts here. */
		if (d->wants && d->chan != NULL && d->chan->fd != -1)
			return may_have(qu, d, way_trust(w)) ? d : NULL;
		*home = CONF_NONE; /* it went, and its connections with it */
	}
	for (i = 0; i < PROC_MAX; i++) {
		d = &qu->deliverer[i];
		if (!may_have(qu, d, way_trust(w)))
			continue;
		if (i == w->last_deliver)
			return d;
		if (best == NULL || d->n_jobs < best->n_jobs)
			best = d;
	}
	return best;
}

/*
 * The file is the truth: who is not to be tried any more goes.  NULL, or why
 * the file is no good.
 */
static const char *
check_states(struct queue *qu, struct job *j, int fd)
{
	struct rcpt *r, *next;
	struct index_rcpt row;
	int state;

	TAILQ_FOREACH_SAFE(r, &j->rcpts, entry, next) {
		state = spool_state_get(fd, r->off);
		if (state == -1 || !rcpt_state_known(state))
			return "a recipient's state cannot be read";
		r->state = (char)state;
		if (rcpt_state_open(state))
			continue;
		if (rcpt_state_end(state)) {
			rcpt_end(qu, r, (char)state, NULL);
		} else if (rcpt_state_owed(state)) {
			bounce_owe(qu, r);
		} else {
			rcpt_row(qu, r, &row);
			row.next = NEVER_DUE;
			row.parked = 0;
			rcpt_leave(qu, r, &row);
		}
	}
	return NULL;
}

void
job_all_again(struct queue *qu, struct job *j, uint32_t seconds,
    const char *why)
{
	struct rcpt *r;

	while ((r = TAILQ_FIRST(&j->rcpts)) != NULL)
		result_again(qu, r, seconds, why);
}

static void
say_field(struct queue *qu, const struct job *j, struct ipc_chan *c)
{
	struct index_msg im;
	struct job_field field;

	if (!j->msg->has_signature)
		return;
	memset(&field, 0, sizeof field);
	field.job = j->number;
	if (j->msg->field != NULL)
		strlcpy(field.field, j->msg->field, sizeof field.field);
	else if (queue_index_ok(qu, index_get_msg(qu->index, j->msg->id, &im)))
		strlcpy(field.field, im.dkim, sizeof field.field);
	if (field.field[0] != '\0')
		job_field_send(c, 0, &field, -1);
}

/* What the next server is told of r (RFC 3461 5.2.1): without an ORCPT, the
 * address that RCPT had.  Of a child whose recipients have none, nobody knows
 * it.  RFC 3461 6.2: no notification about a notification. */
static void
fill_params(const struct rcpt *r, struct rcpt_params *params)
{
	uint32_t facts = r->msg->fact_flags;

	rcpt_params(r, params);
	if ((facts & FACT_OURS) != 0)
		params->notify = NOTIFY_NEVER;
	else if (params->orcpt[0] == '\0' && (facts & FACT_EXPANDED) == 0)
		orcpt_of(r->addr, params->orcpt);
}

/* Whatever of this the process does not get, its loss tells us. */
static void
say_job(struct queue *qu, struct job *j, int fd)
{
	struct ipc_chan *c = j->deliverer->chan;
	const struct way *w = j->turn.way;
	const struct msg *m = j->msg;
	struct job_take take;
	struct job_rcpt rcpt;
	struct job_go go = { .job = j->number };
	struct rcpt *r;

	memset(&take, 0, sizeof take);
	take.job = j->number;
	take.id = m->id;
	take.content_off = m->head;
	take.content_len = m->content;
	take.trace_off = m->head + m->content;
	take.trace_len = m->trace;
	take.sum = m->sum;
	take.content_facts = m->content_facts;
	take.action = j->action;
	take.flags = j->flags;
	take.n_rcpt = j->n_rcpt;
	take.facts = m->fact_flags;
	take.params = m->params;
	take.group = w->group == NULL ? CONF_NONE : w->group->row;
	strlcpy(take.route, w->route, sizeof take.route);
	strlcpy(take.sender, m->sender, sizeof take.sender);
	if (j->as_sender != NULL)
		strlcpy(take.as_sender, j->as_sender, sizeof take.as_sender);
	job_take_send(c, 0, &take, fd);
	say_field(qu, j, c);
	TAILQ_FOREACH(r, &j->rcpts, entry) {
		memset(&rcpt, 0, sizeof rcpt);
		rcpt.job = j->number;
		rcpt.n = r->n;
		strlcpy(rcpt.rcpt, rcpt_target(r), sizeof rcpt.rcpt);
		fill_params(r, &rcpt.params);
		flying_mark(fd, r->off);
		job_rcpt_send(c, 0, &rcpt, -1);
	}
	job_go_send(c, 0, &go, -1);
}

void
job_fly(struct queue *qu, struct job *j, struct deliverer *d, uint64_t number)
{
	struct rcpt *r;

	j->deliverer = d;
	j->number = number;
	j->flies = true;
	hash_add(&qu->jobs, &j->node, number);
	j->trust = (uint8_t)way_trust(j->turn.way);
	if (d != NULL) {
		TAILQ_INSERT_TAIL(&d->jobs, j, entry);
		d->n_jobs++;
		d->held[j->trust]++;
	}
	j->msg->n_flying++;
	TAILQ_FOREACH(r, &j->rcpts, entry)
		r->at = AT_FLYING;
}

/* Where it can be had.  Takes fd over. */
static void
begin(struct queue *qu, struct job *j, struct deliverer *d, int fd)
{
	struct way *w = j->turn.way;

	if (d == NULL) {
		local_begin(qu, j, fd);
	} else {
		way_at(w, d->chan->instance, loop_msec());
		d->credit--;
		job_fly(qu, j, d, ++qu->last_job);
		say_job(qu, j, fd);
		close(fd);
	}
	route_refill(qu, w);
}

/* A job whose turn it is; it runs already, as far as its route knows.  d: who
 * has it; NULL: spawn. */
static void
give(struct queue *qu, struct job *j, struct deliverer *d)
{
	struct way *w = j->turn.way;
	struct msg *m = j->msg;
	const char *why;
	int fd, error;

	fd = msg_open(qu, m, false);
	error = errno;
	why = fd == -1 ? NULL : check_states(qu, j, fd);
	if (why == NULL && fd != -1 && j->n_rcpt > 0) {
		begin(qu, j, d, fd);
		return;
	}
	way_undo(&qu->ways, w);
	if (fd == -1 && error != ENOENT) {
		log_warn("open", "id=%llx error=%s", (unsigned long long)m->id,
		    q(strerror(error)));
		job_all_again(qu, j, AGAIN, "its file could not be opened");
	}
	if (why != NULL || (fd == -1 && error == ENOENT))
		msg_damaged(qu, m, why);
	else
		msg_settle(qu, m);
	if (fd != -1)
		close(fd);
	job_free(qu, j);
	route_refill_soon(qu, w);
}

static void
on_aside(void *arg)
{
	struct queue *qu = arg;
	uint32_t i;

	for (i = 0; i < PROC_MAX; i++)
		way_back(&qu->ways, i, UINT32_MAX);
	queue_run_soon(qu);
}

/* The route whose turn it is, and who has its job.  False: nobody can. */
static bool
match(struct queue *qu, struct way **w, struct deliverer **d)
{
	bool may[WAY_TRUSTS];
	uint32_t home;

	struct way_side *out = &qu->ways.side[WAY_OUT];

	while (look_round(qu, may) &&
	    (*w = way_turn(&qu->ways, out, may)) != NULL) {
		if ((*d = choose(qu, *w, &home)) != NULL)
			return true;
		/* Another process may have room, but not for this one. */
		way_aside(&qu->ways, *w, home);
		if (!qu->aside.set)
			timer_set(qu->p.loop, &qu->aside, ASIDE_MSEC, on_aside,
			    qu);
	}
	return false;
}

static bool
match_local(struct queue *qu, struct way **w, struct deliverer **d)
{
	*d = NULL;
	return local_turn(qu, w);
}

/* As many of one side as one turn of the loop may begin.  False: there may be
 * more. */
static bool
run_side(struct queue *qu,
    bool (*find)(struct queue *qu, struct way **w, struct deliverer **d))
{
	int64_t now = now_usec() / 1000;
	struct way_marks marks;
	struct deliverer *d;
	struct way *w;
	struct job *j;
	int i;

	for (i = 0; i < SLICE; i++) {
		if (!find(qu, &w, &d))
			return true;
		j = job_of_turn(way_take(&qu->ways, w, now, &marks));
		route_took(qu, w, &marks);
		j->waiting = false;
		j->msg->n_waiting--;
		give(qu, j, d);
	}
	return false;
}

void
job_run(struct queue *qu)
{
	bool out, here;

	if (!qu->open || qu->stopping || qu->paused ||
	    !STAILQ_EMPTY(&qu->unsaved))
		return;
	route_feed(qu);
	out = run_side(qu, match);
	here = run_side(qu, match_local);
	if (!out || !here)
		queue_run_soon(qu);
}
