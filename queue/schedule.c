/*
 * Which recipient is due, and where it goes: a walk over the index in the
 * order of time, and questions to lookup.  Runs in the queue process; keeps
 * no list of what is not due.
 *
 * The walk goes on where it stood.  What it passed is in memory, parked, or
 * was written with a later time; schedule_put() sends it back to the start
 * if a row is written behind it.
 *
 * SPDX-License-Identifier: ISC
 */
#include "queue.h"

#include <string.h>

#include <bsd/string.h>

#include "index_row.h"
#include "leaf.h"
#include "log.h"

#define ASK_MSEC   30000
#define AGAIN      30   /* seconds, when lookup does not answer */
#define DUE_MAX    3600 /* the clock is looked at this often at least */
#define LATER_SECS 60

static void due_step(void *arg);

static void
arm(struct queue *qu, int64_t when)
{
	int64_t now = now_sec(), wait = when - now;

	if (wait > DUE_MAX)
		wait = DUE_MAX;
	if (wait < 0)
		wait = 0;
	if (qu->due_timer.set && qu->due_armed <= now + wait)
		return;
	qu->due_armed = now + wait;
	timer_set(qu->p.loop, &qu->due_timer, (msec)wait * 1000, due_step, qu);
}

void
schedule_kick(struct queue *qu)
{
	arm(qu, now_sec());
}

/* The row lies at or before the place where the walk stands. */
static bool
is_behind(const struct queue *qu, const struct index_rcpt *row)
{
	if (!qu->due.begun)
		return false;
	if (row->next != qu->due_time)
		return row->next < qu->due_time;
	if (row->id != qu->due_id)
		return row->id < qu->due_id;
	return row->n <= qu->due_n;
}

void
schedule_put(struct queue *qu, const struct index_rcpt *row)
{
	queue_changed(qu);
	if (!queue_index_ok(qu, index_put_rcpt(qu->index, row)) ||
	    rcpt_state_end(row->state) || row->next == NEVER_DUE)
		return;
	if (is_behind(qu, row))
		memset(&qu->due, 0, sizeof qu->due);
	arm(qu, row->next);
}

int64_t
schedule_end(const struct queue *qu, const struct msg *m, uint32_t ttl)
{
	return m->arrived / 1000000 + (ttl != 0 ? ttl : qu->p.conf->queue_ttl);
}

bool
schedule_expired(const struct queue *qu, const struct msg *m, uint32_t ttl,
    int64_t now)
{
	return now >= schedule_end(qu, m, ttl);
}

int64_t
schedule_latest(const struct queue *qu, const struct msg *m,
    unsigned int notify, uint32_t ttl, int64_t now)
{
	int64_t arrived = m->arrived / 1000000;
	int64_t end = schedule_end(qu, m, ttl);
	int64_t warn = bounce_warns(m, notify) ?
	    backoff_warn_next(qu->p.conf->warn, arrived, now) :
	    0;

	return warn != 0 && warn < end ? warn : end;
}

/* ---- asking where it goes ---- */

static void ask_next(struct queue *qu);

/* What lookup says of a recipient that came to nothing there. */
static void
refused(struct queue *qu, struct rcpt *r, const struct outcome *o)
{
	const struct result result = { .outcome = o, .relay = "", .tls = "" };

	rcpt_set_target(r, "");
	result_record(qu, r, NULL, &result);
}

/* It stands for several. */
static void
expands(struct queue *qu, struct rcpt *r, const struct route_is *is)
{
	struct outcome o;

	r->ttl = is->ttl;
	if ((r->msg->fact_flags & FACT_EXPANDED) == 0 ||
	    leaf_is_part(r->leaf)) {
		rcpt_set_target(r, "");
		expand_begin(qu, r);
		return;
	}
	/* Else aliases could go round through the queue for ever. */
	outcome_set(&o, LATER, WIDTH_RCPT, 451, "4.4.6",
	    "what an alias stands for is not expanded again");
	refused(qu, r, &o);
}

/* Who delivers it is said by the name of its route, and by what is to be done
 * here. */
static bool
is_whole(const struct route_is *is)
{
	return (way_where(is->route) == WAY_HERE) ==
	    (is->local.what != LOCAL_NONE);
}

static void
routed(struct queue *qu, struct rcpt *r, const struct route_is *is)
{
	struct way *w;

	r->ttl = is->ttl;
	rcpt_set_target(r, is->rcpt);
	if (schedule_expired(qu, r->msg, r->ttl, now_sec()))
		result_expire(qu, r);
	else if (!is_whole(is))
		result_again(qu, r, LATER_SECS, "its route is not understood");
	else if ((w = route_get(qu, is->route)) == NULL)
		result_again(qu, r, LATER_SECS, "too many routes are down");
	else {
		way_of_user(&qu->ways, w, is->local.user);
		group_look(qu, w);
		if (way_open(w))
			job_gather(qu, r, w, is);
		else
			route_park(qu, w, r);
	}
}

static void
on_route(void *arg, struct ipc_msg *answer)
{
	struct rcpt *r = arg;
	struct msg *m = r->msg;
	struct queue *qu = m->queue;
	const struct route_is *is = answer == NULL ? NULL : answer->body;

	if (is == NULL)
		result_again(qu, r, AGAIN, "nobody answered where it goes");
	else if (is->outcome.verdict != DONE)
		refused(qu, r, &is->outcome);
	else if ((is->flags & ROUTE_EXPANDS) != 0)
		expands(qu, r, is);
	else
		routed(qu, r, is);
	msg_settle(qu, m);
	ask_next(qu);
	queue_run_soon(qu);
}

static void
ask(struct queue *qu, struct ipc_chan *lookup, struct rcpt *r)
{
	struct msg *about = r->msg;
	const char *of =
	    qu->asks_of || r->leaf[0] != '\0' ? msg_of(qu, about) : "";
	struct route_ask m;

	if (r->leaf[0] != '\0' && of[0] == '\0') {
		result_again(qu, r, AGAIN, "its file could not be read");
		msg_settle(qu, about);
		return;
	}
	memset(&m, 0, sizeof m);
	m.facts = *r->msg->facts;
	strlcpy(m.sender, r->msg->sender, sizeof m.sender);
	strlcpy(m.rcpt, r->addr, sizeof m.rcpt);
	strlcpy(m.leaf, r->leaf, sizeof m.leaf);
	strlcpy(m.of, of, sizeof m.of);
	TAILQ_REMOVE(&qu->asks, r, entry);
	r->list = NULL;
	r->at = AT_LOOKUP;
	qu->n_asked++;
	route_ask_ask(lookup, &r->ask, &m, on_route, r, ASK_MSEC);
}

static void
ask_next(struct queue *qu)
{
	struct ipc_chan *lookup;
	struct rcpt *r;

	while (qu->n_asked < ASK_MAX && (r = TAILQ_FIRST(&qu->asks)) != NULL) {
		lookup = proc_chan(&qu->p, PROC_LOOKUP, qu->lookup_turn++);
		if (lookup == NULL)
			return;
		ask(qu, lookup, r);
	}
}

void
schedule_ask(struct queue *qu, struct rcpt *r)
{
	rcpt_move(qu, r, &qu->asks, AT_ASKS);
	r->msg->n_asking++;
	queue_run_soon(qu);
}

void
schedule_unask(struct queue *qu, struct rcpt *r)
{
	r->msg->n_asking--;
	if (r->at == AT_LOOKUP) {
		ipc_cancel(&r->ask);
		qu->n_asked--;
	}
	if (r->for_way != NULL) {
		way_unasks(&qu->ways, r->for_way);
		if (r->for_way->asking == 0)
			route_refill_soon(qu, r->for_way);
		r->for_way = NULL;
	}
}

void
schedule_asks(struct queue *qu)
{
	ask_next(qu);
	expand_run(qu);
}

/* ---- what is due ---- */

/* A row that is parked comes up at a warning, or at its end; then it waits
 * for the next one. */
static void
due_parked(struct queue *qu, struct msg *m, struct index_rcpt *row, int64_t now)
{
	bool warn = bounce_warns(m, row->params.notify) &&
	    backoff_warn_due(qu->p.conf->warn, m->arrived / 1000000,
		row->next - 1, now);

	row->next = schedule_latest(qu, m, row->params.notify, row->ttl, now);
	schedule_put(qu, row);
	if (warn)
		rcpt_move(qu, rcpt_add(qu, m, row), &m->late, AT_LATE);
}

/* Its last route cannot take it now: no need to ask. */
static struct way *
closed_way(struct queue *qu, const struct index_rcpt *row)
{
	struct way *w;

	if (row->route[0] == '\0' || row->attempts == 0)
		return NULL;
	w = way_find(&qu->ways, row->route);
	return w == NULL || way_open(w) ? NULL : w;
}

static void
due_rcpt(struct queue *qu, struct index_rcpt *row)
{
	int64_t now = now_sec();
	struct msg *m = msg_load(qu, row->id);
	struct way *w;

	if (m == NULL) {
		log_event(row->id, "corrupt", "why=%s", q("its file is gone"));
		queue_index_ok(qu, index_del_msg(qu->index, row->id));
		queue_changed(qu);
		return;
	}
	if (rcpt_state_owed(row->state))
		bounce_owe(qu, rcpt_add(qu, m, row));
	else if (!rcpt_state_open(row->state)) {
		row->next = NEVER_DUE;
		schedule_put(qu, row);
	} else if (schedule_expired(qu, m, row->ttl, now) &&
	    row->route[0] != '\0') {
		/* Without a route its action's ttl is not known: it is asked
		 * for. */
		result_expire(qu, rcpt_add(qu, m, row));
	} else if (row->parked &&
	    (w = way_find(&qu->ways, row->route)) != NULL && w->parked) {
		due_parked(qu, m, row, now);
	} else if ((w = closed_way(qu, row)) != NULL) {
		route_park(qu, w, rcpt_add(qu, m, row));
	} else
		schedule_ask(qu, rcpt_add(qu, m, row));
	/* Others of the message may be due too: settled when the slice is. */
	if (m->n_mem == 0)
		msg_settle(qu, m);
}

/* One row; false: nothing more is due. */
static bool
due_one(struct queue *qu, struct msg **last)
{
	struct index_cursor before = qu->due;
	struct index_rcpt row;
	int64_t next;
	uint64_t id;
	uint32_t n;

	if (!queue_index_ok(qu,
		index_walk_due(qu->index, &qu->due, &next, &id, &n))) {
		qu->due = before;
		return false;
	}
	if (next > now_sec()) {
		qu->due = before;
		if (next != NEVER_DUE)
			arm(qu, next);
		return false;
	}
	qu->due_time = next;
	qu->due_id = id;
	qu->due_n = n;
	if (rcpt_find(qu, id, n) != NULL)
		return true;
	if (*last != NULL && (*last)->id != id) {
		msg_settle(qu, *last);
		*last = NULL;
	}
	if (queue_index_ok(qu, index_get_rcpt(qu->index, id, n, &row)))
		due_rcpt(qu, &row);
	*last = msg_find(qu, id);
	return true;
}

static void
due_step(void *arg)
{
	struct queue *qu = arg;
	struct msg *last = NULL;
	int i;

	if (!qu->open || qu->stopping)
		return;
	for (i = 0; i < SLICE && qu->rcpts.n < MEM_RCPTS; i++) {
		if (!due_one(qu, &last))
			break;
	}
	if (last != NULL)
		msg_settle(qu, last);
	if (i == SLICE)
		schedule_kick(qu);
	queue_run_soon(qu);
}

void
schedule_start(struct queue *qu)
{
	const struct conf *c = qu->p.conf;
	uint32_t i;

	TAILQ_INIT(&qu->asks);
	TAILQ_INIT(&qu->expansions);
	TAILQ_INIT(&qu->large_expansions);
	memset(&qu->due, 0, sizeof qu->due);
	for (i = 0; i < c->action.n; i++) {
		if (CONF_ACTION(c, i)->srs)
			qu->asks_of = true;
	}
}

/* ---- what just came in ---- */

static void
fresh_row(const struct head *h, uint32_t n, int64_t now, struct index_rcpt *row)
{
	memset(row, 0, sizeof *row);
	row->id = h->id;
	row->n = n;
	row->off = h->rcpt[n].off;
	row->state = h->rcpt[n].state;
	row->next = now;
	strlcpy(row->addr, h->rcpt[n].addr, sizeof row->addr);
	row_set_params(row, &h->rcpt[n]);
	if (rcpt_state_open(row->state))
		return;
	row->next = NEVER_DUE;
	outcome_set(&row->last, LATER, WIDTH_RCPT, 0, "4.7.1",
	    "held by policy when it came in, until it is released");
	outcome_of_us(&row->last, CAUSE_POLICY, STAGE_LOOKUP);
}

/* It came in held: with all its recipients, or none. */
static bool
is_held(const struct head *h)
{
	return h->n_rcpt > 0 && h->rcpt[0].state == RCPT_HELD;
}

void
schedule_fresh(struct queue *qu, const struct head *h, const struct trailer *t,
    enum spool_place place)
{
	struct index_msg im;
	struct index_rcpt row;
	/* In memory already, if a walk over the files was quicker. */
	struct msg *m = msg_find(qu, h->id);
	int64_t now = now_sec();
	uint32_t n;

	memset(&im, 0, sizeof im);
	im.id = h->id;
	im.arrived = h->arrived;
	im.head = h->len;
	im.content = t->content;
	im.trace = t->trace;
	im.sum = t->sum;
	im.content_facts = t->content_facts;
	im.n_rcpt = im.n_open = h->n_rcpt;
	im.place = (uint8_t)place;
	im.facts = h->facts;
	im.params = h->params;
	strlcpy(im.sender, h->sender, sizeof im.sender);
	if (h->of.addr != NULL)
		strlcpy(im.of, h->of.addr, sizeof im.of);
	queue_index_ok(qu, index_put_msg(qu->index, &im));
	queue_changed(qu);
	remember_accepted(qu, h, t);
	if (is_held(h)) {
		log_event(h->id, "held", "why=policy rcpts=%u", h->n_rcpt);
		remember_held(qu, h);
	}
	for (n = 0; n < h->n_rcpt; n++) {
		if (m != NULL && rcpt_find(qu, h->id, n) != NULL)
			continue;
		fresh_row(h, n, now, &row);
		if (qu->rcpts.n >= MEM_RCPTS || qu->stopping ||
		    row.next == NEVER_DUE) {
			schedule_put(qu, &row);
			continue;
		}
		queue_index_ok(qu, index_put_rcpt(qu->index, &row));
		if (m == NULL)
			m = msg_add(qu, &im);
		schedule_ask(qu, rcpt_add(qu, m, &row));
	}
}
