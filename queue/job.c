/*
 * Work for the deliver processes: the due recipients of one message for one
 * route make a job; a process that wants one gets it, with a descriptor of
 * its own.  Runs in the queue process; decides nothing about results.
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

#include "id.h"
#include "log.h"

#define LISTING_MSEC 5000 /* for deliver processes to say what they hold */
#define CREDIT_MAX   10000
#define UNREAD_MAX   4000 /* messages a process may leave unread */
#define AGAIN        10   /* seconds, when a file cannot be opened now */
#define LOST_AGAIN   5    /* seconds, when the process died; times attempts */
#define LOST_MAX     300

/* ---- a job ---- */

static struct job *
job_new(struct msg *m)
{
	struct job *j = xcalloc(1, sizeof *j);

	j->msg = m;
	TAILQ_INIT(&j->rcpts);
	return j;
}

/* Frees it; its recipients are elsewhere. */
static void
job_free(struct queue *qu, struct job *j)
{
	struct way *w = j->turn.way;

	assert(TAILQ_EMPTY(&j->rcpts));
	if (j->deliverer != NULL) {
		TAILQ_REMOVE(&j->deliverer->jobs, j, entry);
		j->deliverer->n_jobs--;
		hash_del(&qu->jobs, &j->node);
		j->msg->n_flying--;
	} else if (j->waiting) {
		j->msg->n_waiting--;
		way_remove(&qu->ways, &j->turn);
		route_refill_soon(qu, w);
	} else if (j->gathers)
		TAILQ_REMOVE(&j->msg->gather, j, entry);
	free(j);
}

void
job_lost_rcpt(struct queue *qu, struct job *j)
{
	j->n_rcpt--;
	if (j->n_rcpt == 0 && (j->waiting || j->gathers))
		job_free(qu, j);
}

static void
add_rcpt(struct queue *qu, struct job *j, struct rcpt *r, enum rcpt_at at)
{
	rcpt_move(qu, r, &j->rcpts, at);
	r->job = j;
	j->n_rcpt++;
}

void
job_gather(struct queue *qu, struct rcpt *r, struct way *w, uint32_t action,
    uint32_t flags)
{
	struct msg *m = r->msg;
	struct job *j;

	TAILQ_FOREACH(j, &m->gather, entry) {
		if (j->turn.way == w && j->action == action &&
		    j->flags == flags && j->n_rcpt < JOB_RCPTS)
			break;
	}
	if (j == NULL) {
		j = job_new(m);
		j->turn.way = w;
		j->action = action;
		j->flags = flags;
		j->gathers = true;
		TAILQ_INSERT_HEAD(&m->gather, j, entry);
	}
	add_rcpt(qu, j, r, AT_JOB);
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
		way_add(&qu->ways, w, &j->turn);
		queue_run_soon(qu);
	}
}

/* ---- giving it out ---- */

/* Who wants a job: best the one whose connection to this route is warm, else
 * the one that has least to do. */
static struct deliverer *
choose(struct queue *qu, const struct way *w)
{
	struct deliverer *d, *best = NULL;
	uint32_t i;

	for (i = 0; i < PROC_MAX; i++) {
		d = &qu->deliverer[i];
		if (d->credit == 0 || d->chan == NULL || d->chan->fd == -1 ||
		    d->chan->n_out > UNREAD_MAX)
			continue;
		if (w != NULL && i == w->last_deliver)
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
		} else if (state == RCPT_OWED) {
			rcpt_move(qu, r, &r->msg->owed, AT_OWED);
		} else {
			rcpt_row(qu, r, &row);
			row.next = NEVER_DUE;
			row.parked = 0;
			rcpt_leave(qu, r, &row);
		}
	}
	return NULL;
}

static void
all_again(struct queue *qu, struct job *j, uint32_t seconds, const char *why)
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

/* Whatever of this the process does not get, its loss tells us. */
static void
say_job(struct queue *qu, struct job *j, int fd)
{
	struct ipc_chan *c = j->deliverer->chan;
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
	strlcpy(take.route, j->turn.way->route, sizeof take.route);
	strlcpy(take.sender, m->sender, sizeof take.sender);
	job_take_send(c, 0, &take, fd);
	say_field(qu, j, c);
	TAILQ_FOREACH(r, &j->rcpts, entry) {
		memset(&rcpt, 0, sizeof rcpt);
		rcpt.job = j->number;
		rcpt.n = r->n;
		strlcpy(rcpt.rcpt, rcpt_target(r), sizeof rcpt.rcpt);
		job_rcpt_send(c, 0, &rcpt, -1);
	}
	job_go_send(c, 0, &go, -1);
}

static void
fly(struct queue *qu, struct job *j, struct deliverer *d, uint64_t number)
{
	struct rcpt *r;

	j->deliverer = d;
	j->number = number;
	hash_add(&qu->jobs, &j->node, number);
	TAILQ_INSERT_TAIL(&d->jobs, j, entry);
	d->n_jobs++;
	j->msg->n_flying++;
	TAILQ_FOREACH(r, &j->rcpts, entry)
		r->at = AT_FLYING;
}

/* A job whose turn it is; it runs already, as far as its route knows. */
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
		if (w->counted)
			w->last_deliver = d->chan->instance;
		d->credit--;
		fly(qu, j, d, ++qu->last_job);
		say_job(qu, j, fd);
		close(fd);
		route_refill(qu, w);
		return;
	}
	way_undo(&qu->ways, w);
	if (fd == -1 && error != ENOENT) {
		log_warn("open", "id=%llx error=%s", (unsigned long long)m->id,
		    q(strerror(error)));
		all_again(qu, j, AGAIN, "its file could not be opened");
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

void
job_run(struct queue *qu)
{
	struct deliverer *d;
	struct way_job *turn;
	struct job *j;
	int64_t now = now_usec() / 1000;
	bool marked;
	int i;

	if (!qu->open || qu->stopping || qu->paused ||
	    !STAILQ_EMPTY(&qu->unsaved))
		return;
	for (i = 0; i < SLICE; i++) {
		if (TAILQ_EMPTY(&qu->ways.turns) ||
		    (d = choose(qu, TAILQ_FIRST(&qu->ways.turns))) == NULL)
			return;
		turn = way_take(&qu->ways, now, &marked);
		j = job_of_turn(turn);
		route_took(qu, turn->way, marked);
		j->waiting = false;
		j->msg->n_waiting--;
		give(qu, j, d);
	}
	queue_run_soon(qu);
}

/* ---- what deliver says ---- */

static struct deliverer *
deliverer_of(struct queue *qu, const struct ipc_chan *c)
{
	return &qu->deliverer[c->instance];
}

static struct job *
job_find(const struct queue *qu, uint64_t number, const struct ipc_chan *c)
{
	struct job *j = (struct job *)hash_get(&qu->jobs, number);

	return j != NULL && j->deliverer->chan == c ? j : NULL;
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

/* Who is here, of whatever generation, was here when we came; who comes later
 * has just begun to live and holds nothing. */
static void
listed(struct queue *qu, struct deliverer *d)
{
	const struct deliverer *other;
	uint32_t i;

	d->listed = true;
	for (i = 0; i < PROC_MAX; i++) {
		other = &qu->deliverer[i];
		if (other->chan != NULL && other->chan->fd != -1 &&
		    !other->listed)
			return;
	}
	timer_clear(&qu->listing);
	begin(qu);
}

void
job_on_want(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;
	const struct job_want *want = msg->body;
	struct deliverer *d = deliverer_of(qu, from);

	if (!d->listed)
		listed(qu, d);
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
	    rcpt_state_end(row.state) || row.state == RCPT_OWED) {
		msg_settle(qu, msg);
		return NULL;
	}
	return rcpt_add(qu, msg, &row);
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
	if (j != NULL && m->outcome.verdict == LATER &&
	    m->outcome.width == WIDTH_SITE)
		j->site_failed = true;
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
	struct outcome site = m->site;
	struct msg *of;
	struct way *w;

	if (j == NULL)
		return;
	of = j->msg;
	w = j->turn.way;
	/* What was parked for the route must not come back at once. */
	if (j->site_failed) {
		site.verdict = LATER;
		site.width = WIDTH_SITE;
	}
	w->last_deliver = from->instance;
	all_again(qu, j, AGAIN, "no result was given");
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
		way_running(&qu->ways, w);
		fly(qu, j, d, m->job);
	}
	add_rcpt(qu, j, r, AT_FLYING);
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
}

static void
lost_job(struct queue *qu, struct job *j)
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
		result_again(qu, r, wait < LOST_MAX ? wait : LOST_MAX,
		    "the process that delivered it was lost");
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
	while ((j = TAILQ_FIRST(&d->jobs)) != NULL)
		lost_job(qu, j);
	/* It holds nothing any more. */
	listed(qu, d);
	queue_run_soon(qu);
}

static void
on_listing(void *arg)
{
	struct queue *qu = arg;

	log_debug("not each deliver process has said what it holds");
	begin(qu);
}

void
job_start(struct queue *qu)
{
	uint32_t i;

	for (i = 0; i < PROC_MAX; i++)
		TAILQ_INIT(&qu->deliverer[i].jobs);
	/* Never a number of an earlier life. */
	qu->last_job = id_now();
	timer_set(qu->p.loop, &qu->listing, LISTING_MSEC, on_listing, qu);
}
