/*
 * What the operator asks (smtpctl by way of control): on selected recipients,
 * in slices, so that the loop goes on; what must survive is durable before it
 * is answered.  Runs in the queue process; believes control only as far as
 * the message table goes.
 *
 * SPDX-License-Identifier: ISC
 */
#include "queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "smtp_addr.h"

#define CTL_MAX   64  /* asked at once */
#define BUSY_MSEC 20  /* a recipient is just being settled */
#define BUSY_MAX  250 /* times */

/* One question. */
struct ctl {
	TAILQ_ENTRY(ctl) entry;
	struct queue *queue;
	struct ipc_chan *from; /* NULL: who asked is gone */
	uint64_t question;
	struct ctl_ask ask;
	struct ctl_is is;
	const struct verb *verb;
	struct index_cursor cursor;
	uint64_t id; /* whose recipients are gone through */
	uint32_t n, n_rcpt;
	uint32_t n_work; /* changes that are made durable */
	uint32_t busy;
	bool started, begun, at_end;
};

/* One recipient whose new state is made durable. */
struct change {
	struct spool_work work;
	struct ctl *ctl;
	struct rcpt *rcpt; /* AT_CTL, or NULL: it is in flight */
};

/* What became of one recipient. */
enum step { STEP_NEXT, STEP_BUSY };

struct verb {
	bool selects;
	/* Before the walk over recipients; true: answer now. */
	bool (*begin)(struct queue *qu, struct ctl *c);
	enum step (*row)(struct queue *qu, struct ctl *c,
	    struct index_rcpt *row);
	const char *states; /* pairs: from, to */
};

static void ctl_step(void *arg);

/* ---- answers ---- */

static void
ctl_soon(struct queue *qu, msec ms)
{
	if (!TAILQ_EMPTY(&qu->ctls))
		timer_set(qu->p.loop, &qu->ctl_timer, ms, ctl_step, qu);
}

static void
ctl_done(struct queue *qu, struct ctl *c)
{
	assert(c->n_work == 0);
	if (c->is.outcome.text[0] == '\0')
		outcome_set(&c->is.outcome, DONE, WIDTH_MESSAGE, 0, "2.0.0",
		    "done");
	if (c->is.outcome.verdict == DONE && qu->walking)
		outcome_set(&c->is.outcome, DONE, WIDTH_MESSAGE, 0, "2.0.0",
		    "done, as far as the index is made again");
	queue_commit(qu);
	if (c->from != NULL)
		ctl_is_send(c->from, c->question, &c->is, -1);
	TAILQ_REMOVE(&qu->ctls, c, entry);
	qu->n_ctls--;
	free(c);
	ctl_soon(qu, 0);
}

static void
ctl_fail(struct ctl *c, const char *ecode, const char *text)
{
	outcome_set(&c->is.outcome, LATER, WIDTH_MESSAGE, 0, ecode, "%s", text);
}

/* ---- changing a state ---- */

static void
on_durable(struct spool_work *w, bool ok)
{
	struct change *change = (struct change *)w;
	struct ctl *c = change->ctl;
	struct queue *qu = c->queue;
	struct rcpt *r = change->rcpt;
	struct index_rcpt row;
	struct msg *m;

	if (!ok)
		ctl_fail(c, "4.3.0", "it could not be made durable");
	/* Durable or not, the file says so now. */
	if (r != NULL && rcpt_state_end(r->state)) {
		m = r->msg;
		log_event(m->id, "cancelled", "n=%u to=%s", r->n, q(r->addr));
		remember_became(qu, r, HISTORY_REMOVED, 0);
		rcpt_end(qu, r, r->state, NULL);
		msg_settle(qu, m);
	} else if (r != NULL) {
		m = r->msg;
		rcpt_row(qu, r, &row);
		row.parked = 0;
		row.next = rcpt_state_open(r->state) ? now_sec() : NEVER_DUE;
		if (c->ask.verb == CTL_RELEASE)
			route_flush(qu, row.route);
		rcpt_leave(qu, r, &row);
		msg_settle(qu, m);
	}
	free(change);
	if (--c->n_work == 0)
		ctl_soon(qu, 0);
}

static char
new_state(const struct verb *verb, char state)
{
	const char *p;

	for (p = verb->states; *p != '\0'; p += 2) {
		if (p[0] == state)
			return p[1];
	}
	return '\0';
}

static bool
write_state(struct queue *qu, struct ctl *c, struct rcpt *r, char state)
{
	struct change *change = xcalloc(1, sizeof *change);
	int fd = msg_fd(qu, r->msg);

	change->work.fn = on_durable;
	change->ctl = c;
	if (fd == -1 ||
	    !spool_state_set(qu->spool, &change->work, fd, r->msg->id, r->n,
		r->off, state)) {
		free(change);
		return false;
	}
	r->state = state;
	change->rcpt = r->at == AT_FLYING ? NULL : r;
	c->n_work++;
	c->is.changed++;
	return true;
}

static enum step
row_state(struct queue *qu, struct ctl *c, struct index_rcpt *row)
{
	struct rcpt *r = rcpt_find(qu, row->id, row->n);
	struct msg *m = msg_load(qu, row->id);
	char state = new_state(c->verb, r != NULL ? r->state : row->state);

	if (r != NULL &&
	    (r->at == AT_DSN || r->at == AT_UNSAVED || r->at == AT_CTL))
		return STEP_BUSY;
	c->is.matched++;
	if (m == NULL)
		return STEP_NEXT;
	if (r != NULL && r->at == AT_FLYING)
		c->is.in_flight++;
	if (state == '\0') {
		/* It waits because its route was held, and now no more. */
		if (c->ask.verb == CTL_RELEASE && c->ask.by == CTL_BY_ROUTE &&
		    rcpt_state_open(row->state))
			c->is.changed++;
		msg_settle(qu, m);
		return STEP_NEXT;
	}
	if (r == NULL)
		r = rcpt_add(qu, m, row);
	if (r->at != AT_FLYING)
		rcpt_move(qu, r, NULL, AT_CTL);
	if (!write_state(qu, c, r, state)) {
		ctl_fail(c, "4.3.0", "a state could not be written");
		if (r->at == AT_CTL)
			result_again(qu, r, 1, "its state was not written");
	}
	msg_settle(qu, m);
	return STEP_NEXT;
}

/* ---- due now ---- */

static enum step
row_flush(struct queue *qu, struct ctl *c, struct index_rcpt *row)
{
	struct rcpt *r = rcpt_find(qu, row->id, row->n);
	bool anew = c->ask.verb == CTL_REQUEUE;

	c->is.matched++;
	if (r != NULL) {
		/* It is on its way already. */
		if (anew)
			r->attempts = 0;
		if (r->at == AT_FLYING)
			c->is.in_flight++;
		c->is.changed++;
		return STEP_NEXT;
	}
	if (!rcpt_state_open(row->state) && !rcpt_state_owed(row->state))
		return STEP_NEXT;
	row->parked = 0;
	row->next = now_sec();
	if (anew) {
		row->attempts = 0;
		row->tried = 0;
	}
	schedule_put(qu, row);
	route_flush(qu, row->route);
	c->is.changed++;
	return STEP_NEXT;
}

/* A whole route is held or released: a fact, not states. */
static enum step
row_count(struct queue *qu, struct ctl *c, struct index_rcpt *row)
{
	struct rcpt *r = rcpt_find(qu, row->id, row->n);

	c->is.matched++;
	c->is.changed++;
	if (r != NULL && r->at == AT_FLYING)
		c->is.in_flight++;
	return STEP_NEXT;
}

/* ---- what is not about recipients ---- */

static bool
begin_hold(struct queue *qu, struct ctl *c)
{
	static const struct verb count = { true, NULL, row_count, "" };
	bool hold = c->ask.verb == CTL_HOLD;

	if (c->ask.by != CTL_BY_ROUTE)
		return false;
	if (!route_hold(qu, c->ask.text, hold)) {
		ctl_fail(c, "4.3.0", "it could not be made durable");
		return true;
	}
	/* Released are also those that were held one by one; all of them are
	 * tried now. */
	if (hold)
		c->verb = &count;
	else
		route_flush(qu, c->ask.text);
	return false;
}

static bool
begin_pause(struct queue *qu, struct ctl *c)
{
	bool pause = c->ask.verb == CTL_PAUSE;

	if (!index_fact_put(qu->index, "pause", pause ? "1" : NULL)) {
		ctl_fail(c, "4.3.0", "it could not be made durable");
		return true;
	}
	qu->paused = pause;
	c->is.in_flight = qu->jobs.n;
	queue_run_soon(qu);
	return true;
}

static bool
begin_rebuild(struct queue *qu, struct ctl *c)
{
	(void)c;
	queue_stop(qu, true);
	return true;
}

static bool
begin_status(struct queue *qu, struct ctl *c)
{
	index_count(qu->index, &c->is.matched, &c->is.changed);
	c->is.in_flight = qu->jobs.n;
	outcome_set(&c->is.outcome, DONE, WIDTH_MESSAGE, 0, "2.0.0",
	    "messages=%llu recipients=%llu jobs=%zu in_memory=%zu routes=%u arriving=%u paused=%s index=%s",
	    (unsigned long long)c->is.matched,
	    (unsigned long long)c->is.changed, qu->jobs.n, qu->rcpts.n,
	    qu->ways.n, qu->n_tx, qu->paused ? "yes" : "no",
	    qu->behind      ? "behind" :
		qu->walking ? "rebuilding" :
			      "complete");
	return true;
}

static bool
begin_reported(struct queue *qu, struct ctl *c)
{
	if (!report_dealt(qu, c->ask.n, c->ask.text, c->ask.id))
		ctl_fail(c, "4.3.2", "no reports are kept now");
	return true;
}

/* Columns: by enum ctl_verb; selects recipients, before them, for each, the
 * states it changes in pairs. */
static const struct verb verbs[] = {
	[CTL_FLUSH] = { true, NULL, row_flush, "" },
	[CTL_REQUEUE] = { true, NULL, row_flush, "" },
	[CTL_HOLD] = { true, begin_hold, row_state, "qhwH" },
	[CTL_RELEASE] = { true, begin_hold, row_state, "hqHw" },
	[CTL_REMOVE] = { true, NULL, row_state, "qrwrhrHrbrDdXx" },
	[CTL_PAUSE] = { false, begin_pause, NULL, "" },
	[CTL_RESUME] = { false, begin_pause, NULL, "" },
	[CTL_REBUILD] = { false, begin_rebuild, NULL, "" },
	[CTL_STATUS] = { false, begin_status, NULL, "" },
	[CTL_REPORTED] = { false, begin_reported, NULL, "" },
};

#define N_VERBS (sizeof verbs / sizeof verbs[0])

/* ---- selecting ---- */

/* The recipients of one message, one after the other; false: no more. */
static bool
next_of_message(struct ctl *c, uint64_t *id, uint32_t *n)
{
	if (c->n >= c->n_rcpt)
		return false;
	*id = c->id;
	*n = c->n++;
	return true;
}

static void
begin_message(struct queue *qu, struct ctl *c, uint64_t id)
{
	struct index_msg im;

	c->id = id;
	c->n = c->n_rcpt = 0;
	if (index_get_msg(qu->index, id, &im) == INDEX_OK)
		c->n_rcpt = im.n_rcpt;
}

static bool
next_by_all(struct queue *qu, struct ctl *c, uint64_t *id, uint32_t *n)
{
	return index_walk(qu->index, &c->cursor, id, n) == INDEX_OK;
}

static bool
next_by_id(struct queue *qu, struct ctl *c, uint64_t *id, uint32_t *n)
{
	if (!c->begun) {
		begin_message(qu, c, c->ask.id);
		if (c->ask.n != CONF_NONE && c->ask.n < c->n_rcpt) {
			c->n = c->ask.n;
			c->n_rcpt = c->n + 1;
		} else if (c->ask.n != CONF_NONE)
			c->n_rcpt = 0;
		c->begun = true;
	}
	return next_of_message(c, id, n);
}

static bool
next_by_domain(struct queue *qu, struct ctl *c, uint64_t *id, uint32_t *n)
{
	return index_walk_domain(qu->index, &c->cursor, c->ask.text, id, n) ==
	    INDEX_OK;
}

static bool
next_by_sender(struct queue *qu, struct ctl *c, uint64_t *id, uint32_t *n)
{
	uint64_t next;

	while (!next_of_message(c, id, n)) {
		if (index_walk_sender(qu->index, &c->cursor, c->ask.text,
			&next) != INDEX_OK)
			return false;
		begin_message(qu, c, next);
	}
	return true;
}

static bool
next_by_rcpt(struct queue *qu, struct ctl *c, uint64_t *id, uint32_t *n)
{
	return index_walk_domain(qu->index, &c->cursor,
		   smtp_addr_domain(c->ask.text), id, n) == INDEX_OK;
}

static bool
next_by_route(struct queue *qu, struct ctl *c, uint64_t *id, uint32_t *n)
{
	return index_walk_route(qu->index, &c->cursor, c->ask.text, false, id,
		   n) == INDEX_OK;
}

/* By enum ctl_by. */
static bool (*const nexts[])(struct queue *qu, struct ctl *c, uint64_t *id,
    uint32_t *n) = {
	[CTL_BY_ALL] = next_by_all,
	[CTL_BY_ID] = next_by_id,
	[CTL_BY_DOMAIN] = next_by_domain,
	[CTL_BY_SENDER] = next_by_sender,
	[CTL_BY_RCPT] = next_by_rcpt,
	[CTL_BY_ROUTE] = next_by_route,
};

#define N_NEXTS (sizeof nexts / sizeof nexts[0])

/* ---- slices ---- */

/* One recipient. */
static enum step
one(struct queue *qu, struct ctl *c)
{
	struct index_rcpt row;
	uint64_t id;
	uint32_t n;

	if (!nexts[c->ask.by](qu, c, &id, &n)) {
		c->at_end = true;
		return STEP_NEXT;
	}
	if (index_get_rcpt(qu->index, id, n, &row) != INDEX_OK ||
	    rcpt_state_end(row.state))
		return STEP_NEXT;
	if (c->ask.by == CTL_BY_RCPT && strcasecmp(row.addr, c->ask.text) != 0)
		return STEP_NEXT;
	return c->verb->row(qu, c, &row);
}

static void
slice(struct queue *qu, struct ctl *c)
{
	struct index_cursor cursor;
	uint64_t id;
	uint32_t n, n_rcpt;
	int i;

	for (i = 0; i < SLICE && !c->at_end; i++) {
		cursor = c->cursor;
		id = c->id;
		n = c->n;
		n_rcpt = c->n_rcpt;
		if (one(qu, c) == STEP_NEXT) {
			c->busy = 0;
			continue;
		}
		if (++c->busy > BUSY_MAX) {
			/* It does not come free: say so, go on. */
			c->is.matched++;
			c->is.in_flight++;
			c->busy = 0;
			continue;
		}
		/* The same one again, from where the walk stood. */
		c->cursor = cursor;
		c->id = id;
		c->n = n;
		c->n_rcpt = n_rcpt;
		ctl_soon(qu, BUSY_MSEC);
		return;
	}
	if (c->n_work > 0)
		return; /* on_durable() goes on */
	if (c->at_end)
		ctl_done(qu, c);
	else
		ctl_soon(qu, 0);
}

static void
ctl_step(void *arg)
{
	struct queue *qu = arg;
	struct ctl *c = TAILQ_FIRST(&qu->ctls);

	if (c == NULL || c->n_work > 0)
		return;
	if (!c->started) {
		c->started = true;
		if (c->verb->begin != NULL && c->verb->begin(qu, c)) {
			ctl_done(qu, c);
			return;
		}
	}
	if (c->verb->row == NULL || c->at_end)
		ctl_done(qu, c);
	else
		slice(qu, c);
}

void
ctl_on_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;
	const struct ctl_ask *ask = msg->body;
	const struct verb *verb =
	    ask->verb < N_VERBS ? &verbs[ask->verb] : NULL;
	struct ctl_is is;
	struct ctl *c;

	memset(&is, 0, sizeof is);
	if (verb == NULL || (verb->begin == NULL && verb->row == NULL))
		outcome_set(&is.outcome, NEVER, WIDTH_MESSAGE, 0, "5.5.1",
		    "no such command");
	else if (verb->selects &&
	    (ask->by >= N_NEXTS || nexts[ask->by] == NULL))
		outcome_set(&is.outcome, NEVER, WIDTH_MESSAGE, 0, "5.5.4",
		    "nothing is selected");
	else if (qu->n_ctls >= CTL_MAX)
		outcome_set(&is.outcome, LATER, WIDTH_MESSAGE, 0, "4.3.2",
		    "too much is asked at once");
	if (is.outcome.text[0] != '\0') {
		ctl_is_send(from, msg->id, &is, -1);
		return;
	}
	c = xcalloc(1, sizeof *c);
	c->queue = qu;
	c->from = from;
	c->question = msg->id;
	c->ask = *ask;
	c->verb = verb;
	TAILQ_INSERT_TAIL(&qu->ctls, c, entry);
	qu->n_ctls++;
	if (TAILQ_FIRST(&qu->ctls) == c)
		ctl_soon(qu, 0);
}

void
ctl_peer_down(struct queue *qu, struct ipc_chan *c)
{
	struct ctl *ctl;

	TAILQ_FOREACH(ctl, &qu->ctls, entry) {
		if (ctl->from == c)
			ctl->from = NULL;
	}
}
