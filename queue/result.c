/*
 * What became of a recipient: into the file, then the index and the log, and
 * only then deliver may forget it.  Runs in the queue process; where the file
 * refuses, the result is kept and nothing more is given out.
 *
 * SPDX-License-Identifier: ISC
 */
#include "queue.h"

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dest.h"
#include "log.h"
#include "pace.h"

#define UNSAVED_MSEC 2000 /* the disk refused: tried again then */
#define EXPIRE_AGAIN 60   /* seconds, likewise */

/* A result that could not be written. */
struct unsaved {
	STAILQ_ENTRY(unsaved) entry;
	struct rcpt *rcpt;
	struct outcome outcome;
	char relay[RELAY_MAX + 1];
	char tls[TLS_TEXT_MAX + 1];
	char route[ROUTE_MAX + 1];
	const char *method;
	uint32_t flags;
	struct ipc_chan *from;
	uint64_t job;
};

/* The state of a recipient that failed. */
static char
failed_state(const struct rcpt *r)
{
	return bounce_wanted(r->msg, r->notify) ? RCPT_OWED : RCPT_FAILED;
}

/* The state of one that was taken.  RFC 3461 5.2.2: where the next server does
 * not tell what becomes of it, we tell that it does not. */
static char
taken_state(const struct rcpt *r, uint32_t flags)
{
	if ((flags & RESULT_DSN) == 0 && bounce_confirms(r->msg, r->notify))
		return RCPT_DELIVERED_OWED;
	return RCPT_DELIVERED;
}

bool
result_state(struct queue *qu, struct rcpt *r, char state)
{
	struct msg *m = r->msg;
	int fd;

	if (r->state == state)
		return true;
	fd = msg_fd(qu, m);
	/* Gone: there is nothing that could be delivered again. */
	if (fd == -1 && errno != ENOENT)
		return false;
	if (fd != -1 &&
	    !spool_state_set(qu->spool, NULL, fd, m->id, r->n, r->off, state))
		return false;
	r->state = state;
	return true;
}

/* Columns: by enum verdict. */
static const char *const result_names[] = {
	[LATER] = "later",
	[DONE] = "ok",
	[NEVER] = "never",
};

static void
log_result(const struct rcpt *r, const struct result *result)
{
	const struct outcome *o = result->outcome;
	char text[OUTCOME_TEXT_MAX + 64];
	struct timespec ts;
	int64_t msecs;

	clock_gettime(CLOCK_REALTIME, &ts);
	msecs = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 -
	    r->msg->arrived / 1000;
	log_event(r->msg->id, "delivery",
	    "to=%s%s%s n=%u result=%s attempts=%u delay=%lld.%03lld cause=%s stage=%s method=%s relay=%s tls=%s reply=%s",
	    q(rcpt_target(r)), r->target == NULL ? "" : " orig_to=",
	    r->target == NULL ? "" : q(r->addr), r->n,
	    result_names[o->verdict <= NEVER ? o->verdict : LATER], r->attempts,
	    (long long)(msecs / 1000), (long long)(msecs % 1000),
	    o->verdict == DONE ? "none" : cause_name(o->cause),
	    o->verdict == DONE ? "none" : stage_name(o->stage),
	    result->method == NULL ? "none" : result->method,
	    result->relay[0] == '\0' ? "none" : q(result->relay),
	    result->tls[0] == '\0' ? "none" : q(result->tls),
	    q(outcome_print(o, text, sizeof text)));
}

/* The row in the index of what stays in memory. */
static void
keep_row(struct queue *qu, const struct index_rcpt *row)
{
	queue_index_ok(qu, index_put_rcpt(qu->index, row));
	queue_changed(qu);
}

/* It is at its end, or nothing is left but to tell the sender; the file says
 * so. */
static void
ended(struct queue *qu, struct rcpt *r, struct index_rcpt *row)
{
	row->state = r->state;
	row->parked = 0;
	if (r->state == RCPT_FAILED)
		log_event(r->msg->id, "dropped", "n=%u to=%s", r->n,
		    q(r->addr));
	if (!rcpt_state_owed(r->state)) {
		rcpt_end(qu, r, r->state, row);
		return;
	}
	row->next = now_sec();
	keep_row(qu, row);
	bounce_owe(qu, r);
}

/* Seconds until the next attempt. */
static uint32_t
next_step(const struct queue *qu, const struct rcpt *r,
    const struct outcome *last)
{
	char name[DOMAIN_MAX + 1];
	struct backoff b =
	    backoff_of(qu->p.conf, dest_of_addr(rcpt_target(r), name));
	uint32_t step = backoff_seconds(&b, r->attempts, arc4random());

	return pace_seconds(last, step, r->attempts, arc4random());
}

/* One more attempt is to be made; the next time, and the sender's warning. */
static void
again(struct queue *qu, struct rcpt *r, struct way *w, struct index_rcpt *row,
    int64_t since)
{
	struct msg *m = r->msg;
	int64_t now = now_sec();
	int64_t latest = schedule_latest(qu, m, r->notify, r->ttl, now);
	int64_t end = schedule_end(qu, m, r->ttl);

	if (m->place == SPOOL_NEW && spool_move_cur(qu->spool, m->id)) {
		m->place = SPOOL_CUR;
		msg_changed(qu, m);
	}
	if (w != NULL && pace_of(&row->last).rcpt == PACE_PARK) {
		row->parked = 1;
		row->next = latest;
		route_parked(qu, w);
	} else {
		row->next = now + next_step(qu, r, &row->last);
		/* Not before it asked for: rather a warning somewhat late. */
		if (row->last.after != 0)
			latest = end;
		if (row->next > latest)
			row->next = latest;
	}
	if (bounce_warns(m, r->notify) &&
	    backoff_warn_due(qu->p.conf->warn, m->arrived / 1000000, since,
		now)) {
		keep_row(qu, row);
		rcpt_move(qu, r, &m->late, AT_LATE);
	} else
		rcpt_leave(qu, r, row);
}

static void
expired(struct queue *qu, const struct rcpt *r)
{
	log_event(r->msg->id, "expired", "n=%u to=%s", r->n, q(r->addr));
	remember_became(qu, r, HISTORY_EXPIRED, 0);
}

static char
next_state(struct queue *qu, const struct rcpt *r, const struct result *result)
{
	unsigned int verdict = result->outcome->verdict;

	if (verdict == DONE)
		return taken_state(r, result->flags);
	/* What the operator said while it was tried. */
	if (r->state == RCPT_REMOVED)
		return RCPT_REMOVED;
	if (verdict == NEVER ||
	    (rcpt_state_open(r->state) &&
		schedule_expired(qu, r->msg, r->ttl, now_sec())))
		return failed_state(r);
	return r->state;
}

static void
fill_row(const struct rcpt *r, const struct way *w, const struct result *result,
    struct index_rcpt *row)
{
	memset(row, 0, sizeof *row);
	row->id = r->msg->id;
	row->n = r->n;
	row->off = r->off;
	row->state = r->state;
	row->attempts = r->attempts;
	row->tried = r->tried;
	row->next = NEVER_DUE;
	row->last = *result->outcome;
	row->ttl = r->ttl;
	rcpt_params(r, &row->params);
	strlcpy(row->leaf, r->leaf, sizeof row->leaf);
	strlcpy(row->addr, r->addr, sizeof row->addr);
	if (r->target != NULL)
		strlcpy(row->target, r->target, sizeof row->target);
	strlcpy(row->relay, result->relay, sizeof row->relay);
	if (w != NULL)
		strlcpy(row->route, w->route, sizeof row->route);
}

static void
say_noted(const struct result *result, uint32_t n)
{
	struct job_noted noted;

	if (result->from == NULL)
		return;
	if (result->from->peer == PROC_SPAWN) {
		local_noted(result->from, result->job);
		return;
	}
	memset(&noted, 0, sizeof noted);
	noted.job = result->job;
	noted.n = n;
	job_noted_send(result->from, 0, &noted, -1);
}

/* False: the file could not be written, and nothing has changed. */
static bool
record(struct queue *qu, struct rcpt *r, struct way *w,
    const struct result *result)
{
	struct index_rcpt row;
	/* Nobody knows when one that was warned of was tried before a
	 * rebuild. */
	int64_t since =
	    r->tried != 0 || r->state != RCPT_WARNED ? r->warned : now_sec();
	bool failed;

	if (!result_state(qu, r, next_state(qu, r, result)))
		return false;
	r->attempts++;
	r->tried = now_sec();
	log_result(r, result);
	remember_result(qu, r, w, result);
	fill_row(r, w, result, &row);
	say_noted(result, r->n);
	failed = r->state == RCPT_OWED || r->state == RCPT_FAILED;
	if (failed && result->outcome->verdict != NEVER)
		expired(qu, r);
	if (rcpt_state_owed(r->state) || rcpt_state_end(r->state))
		ended(qu, r, &row);
	else if (rcpt_state_open(r->state))
		again(qu, r, w, &row, since);
	else
		rcpt_leave(qu, r, &row);
	return true;
}

/* ---- what could not be written ---- */

void
result_forget(struct queue *qu, struct rcpt *r)
{
	struct unsaved *u;

	STAILQ_FOREACH(u, &qu->unsaved, entry) {
		if (u->rcpt == r)
			break;
	}
	if (u == NULL)
		return;
	STAILQ_REMOVE(&qu->unsaved, u, unsaved, entry);
	free(u);
}

static void
on_unsaved(void *arg)
{
	struct queue *qu = arg;
	struct unsaved *u, copy;
	struct result result;
	struct msg *m;

	while ((u = STAILQ_FIRST(&qu->unsaved)) != NULL) {
		copy = *u;
		m = copy.rcpt->msg;
		result = (struct result){ .outcome = &copy.outcome,
			.relay = copy.relay,
			.tls = copy.tls,
			.method = copy.method,
			.flags = copy.flags,
			.from = copy.from,
			.job = copy.job };
		if (!record(qu, copy.rcpt, way_find(&qu->ways, copy.route),
			&result)) {
			timer_set(qu->p.loop, &qu->unsaved_timer, UNSAVED_MSEC,
			    on_unsaved, qu);
			return;
		}
		msg_settle(qu, m);
	}
	queue_run_soon(qu);
}

void
result_record(struct queue *qu, struct rcpt *r, struct way *w,
    const struct result *result)
{
	struct unsaved *u;

	if (record(qu, r, w, result))
		return;
	log_warn("unsaved", "id=%llx n=%u error=%s",
	    (unsigned long long)r->msg->id, r->n, q(strerror(errno)));
	rcpt_move(qu, r, NULL, AT_UNSAVED);
	u = xcalloc(1, sizeof *u);
	u->rcpt = r;
	u->outcome = *result->outcome;
	strlcpy(u->relay, result->relay, sizeof u->relay);
	strlcpy(u->tls, result->tls, sizeof u->tls);
	if (w != NULL)
		strlcpy(u->route, w->route, sizeof u->route);
	u->method = result->method;
	u->flags = result->flags;
	u->from = result->from;
	u->job = result->job;
	STAILQ_INSERT_TAIL(&qu->unsaved, u, entry);
	timer_set(qu->p.loop, &qu->unsaved_timer, UNSAVED_MSEC, on_unsaved, qu);
}

/* ---- without an attempt ---- */

void
result_expire(struct queue *qu, struct rcpt *r)
{
	struct index_rcpt row;

	if (!result_state(qu, r, failed_state(r))) {
		result_again(qu, r, EXPIRE_AGAIN, "its state was not written");
		return;
	}
	rcpt_row(qu, r, &row);
	if (row.last.text[0] == '\0')
		outcome_set(&row.last, LATER, WIDTH_RCPT, 0, "4.4.7",
		    "it was never tried");
	expired(qu, r);
	ended(qu, r, &row);
}

void
result_again(struct queue *qu, struct rcpt *r, uint32_t seconds,
    const char *why)
{
	int64_t now = now_sec();
	int64_t latest = schedule_latest(qu, r->msg, r->notify, r->ttl, now);
	struct index_rcpt row;

	if (rcpt_state_end(r->state)) {
		rcpt_end(qu, r, r->state, NULL);
		return;
	}
	rcpt_row(qu, r, &row);
	row.parked = 0;
	row.next = now + seconds + arc4random_uniform(seconds / 4 + 1);
	if (row.next > latest && latest > now)
		row.next = latest;
	if (!rcpt_state_owed(r->state) && !rcpt_state_open(r->state))
		row.next = NEVER_DUE;
	if (row.last.text[0] == '\0')
		outcome_set(&row.last, LATER, WIDTH_RCPT, 0, "4.3.0", "%s",
		    why);
	log_debug("%llx recipient %u again in %u s: %s",
	    (unsigned long long)r->msg->id, r->n, seconds, why);
	rcpt_leave(qu, r, &row);
}
