/*
 * Telling the sender: what is owed for a message becomes one notification,
 * which is durable in the same record in which its recipients come to their
 * end.  Runs in the queue process; the words are dsn.c's.
 *
 * SPDX-License-Identifier: ISC
 */
#include "queue.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bounce_make.h"
#include "bounce_rate.h"
#include "id.h"
#include "log.h"
#include "tx.h"

#define AGAIN         60 /* seconds, when it could not be stored */
#define PATIENCE_MSEC 5000
#define LATE_MSEC     10000 /* for others that are late a moment later */

/* ---- who wants to know what (RFC 3461 4.1) ---- */

bool
bounce_wanted(const struct msg *m, unsigned int notify)
{
	/* RFC 5321 6.1: never about a null sender; but our own notification
	 * goes to postmaster once. */
	if (m->sender[0] != '\0')
		return notify == 0 || (notify & NOTIFY_FAILURE) != 0;
	return (m->fact_flags & FACT_OURS) != 0 && !dsn_is_double(m->id);
}

bool
bounce_warns(const struct msg *m, unsigned int notify)
{
	return m->sender[0] != '\0' &&
	    (notify == 0 || (notify & NOTIFY_DELAY) != 0);
}

bool
bounce_confirms(const struct msg *m, unsigned int notify)
{
	return m->sender[0] != '\0' && (notify & NOTIFY_SUCCESS) != 0;
}

void
bounce_owe(struct queue *qu, struct rcpt *r)
{
	struct msg *m = r->msg;

	rcpt_move(qu, r, r->state == RCPT_OWED ? &m->owed : &m->good, AT_OWED);
}

/* True if a notification of this kind is about a recipient in this state. */
static bool
is_about(enum dsn_kind kind, int state)
{
	if (kind == DSN_DELAYED)
		return rcpt_state_open(state);
	return rcpt_state_owed(state) &&
	    (state == RCPT_OWED) == (kind != DSN_SUCCESS);
}

static void
all_again(struct queue *qu, struct rcpt_list *list, const char *why)
{
	struct rcpt *r;

	while ((r = TAILQ_FIRST(list)) != NULL)
		result_again(qu, r, AGAIN, why);
}

/* ---- who is told of ---- */

/* The file is the truth: true if r is to be told of. */
static bool
is_owed(struct queue *qu, struct rcpt *r, int fd, enum dsn_kind kind)
{
	int state = spool_state_get(fd, r->off);

	if (state != -1)
		r->state = (char)state;
	if (is_about(kind, state))
		return true;
	if (rcpt_state_end(state))
		rcpt_end(qu, r, (char)state, NULL);
	else
		result_again(qu, r, AGAIN, "its state changed");
	return false;
}

/* Some of those in list; false: none, or the file cannot be read now. */
static bool
collect(struct queue *qu, struct notice *no, struct rcpt_list *list)
{
	struct rcpt *r;
	int fd = msg_fd(qu, no->msg);

	if (fd == -1) {
		all_again(qu, list, "its file could not be opened");
		return false;
	}
	while (no->n < DSN_RCPTS && (r = TAILQ_FIRST(list)) != NULL) {
		if (!is_owed(qu, r, fd, no->kind))
			continue;
		rcpt_move(qu, r, &no->rcpts, AT_DSN);
		no->n++;
	}
	return no->n > 0;
}

/* ---- its id ---- */

static bool
is_known(struct queue *qu, uint64_t id)
{
	struct index_msg im;

	return tx_has_id(qu, id) ||
	    index_get_msg(qu->index, id, &im) == INDEX_OK;
}

/* The message in whose unit a notification about m has its id. */
static uint64_t
about(const struct msg *m)
{
	const uint32_t child = FACT_OURS | FACT_EXPANDED;

	return (m->fact_flags & child) == child ? m->id - ID_STEP : m->id;
}

/* 0: they have been told already. */
static uint64_t
choose_id(struct queue *qu, const struct notice *no)
{
	uint32_t n = TAILQ_FIRST(&no->rcpts)->n;
	uint64_t id = dsn_id(about(no->msg), no->kind, n);

	if (no->kind == DSN_DOUBLE) {
		for (n = 0; n < DSN_DOUBLES; n++) {
			id = dsn_id(about(no->msg), no->kind, n);
			if (!is_known(qu, id))
				return id;
		}
		return 0;
	}
	if (is_known(qu, id) ||
	    (no->kind != DSN_DELAYED && spool_was_committed(qu->spool, id)))
		return 0;
	return id;
}

/* ---- what was told ---- */

/* r was told of, and the file says so. */
static void
told(struct queue *qu, struct rcpt *r, char state)
{
	struct index_rcpt row;

	r->state = state;
	if (rcpt_state_end(state)) {
		rcpt_end(qu, r, state, NULL);
		return;
	}
	rcpt_row(qu, r, &row);
	rcpt_leave(qu, r, &row);
}

/* By enum dsn_kind. */
static const enum history_event events[] = {
	[DSN_FAILED] = HISTORY_BOUNCED,
	[DSN_DELAYED] = HISTORY_DELAYED,
	[DSN_DOUBLE] = HISTORY_BOUNCED,
	[DSN_SUCCESS] = HISTORY_CONFIRMED,
};

static void
bounce_told(struct queue *qu, struct tx *tx, bool ok)
{
	struct msg *m = tx->about;
	char id[ID_LEN + 1];
	struct rcpt *r;

	if (ok)
		log_event(m->id, history_event_name(events[tx->kind]),
		    "dsn=%s to=%s", id_print(tx->head.id, id),
		    q(tx->head.rcpt[0].addr));
	while ((r = TAILQ_FIRST(&tx->rcpts)) != NULL) {
		if (ok) {
			remember_became(qu, r, events[tx->kind], tx->head.id);
			told(qu, r, bounce_told_state(tx->kind, r->state));
		} else
			result_again(qu, r, AGAIN,
			    "the sender could not be told");
	}
	m->dsn = NULL;
	tx_free(&tx);
	msg_settle(qu, m);
}

/* Nobody is told of r (any more). */
static void
not_told(struct queue *qu, struct rcpt *r, enum dsn_kind kind)
{
	char state = bounce_told_state(kind, r->state);

	if (result_state(qu, r, state))
		told(qu, r, state);
	else
		result_again(qu, r, AGAIN, "its state was not written");
}

/* ---- what may not go now ---- */

/* Until then it is tried to tell of r: as long as a message is tried, from
 * when it came to its end. */
static int64_t
tell_until(struct queue *qu, const struct rcpt *r, const struct index_rcpt *row)
{
	int64_t ended = row->last.verdict == LATER ?
	    schedule_end(qu, r->msg, r->ttl) :
	    r->tried;
	int64_t arrived = r->msg->arrived / 1000000;

	return (ended > arrived ? ended : arrived) + qu->p.conf->queue_ttl;
}

static void
drop(struct queue *qu, struct rcpt *r, enum dsn_kind kind)
{
	log_event(r->msg->id, "bounce-dropped", "n=%u kind=%s to=%s rcpt=%s",
	    r->n, dsn_kind_name(kind), q(r->msg->sender), q(r->addr));
	remember_became(qu, r, HISTORY_DROPPED, 0);
	/* A delay is nothing that anybody owes: it goes its way. */
	if (kind == DSN_DELAYED)
		told(qu, r, r->state);
	else
		not_told(qu, r, kind);
}

/* Too many were told lately: it stays owed until `when`. */
static void
put_off(struct queue *qu, struct notice *no, int64_t when)
{
	int64_t now = now_sec(), until;
	struct index_rcpt row;
	struct rcpt *r;
	uint32_t n = 0;

	while ((r = TAILQ_FIRST(&no->rcpts)) != NULL) {
		rcpt_row(qu, r, &row);
		until = tell_until(qu, r, &row);
		if (no->kind == DSN_DELAYED || until <= now) {
			drop(qu, r, no->kind);
			continue;
		}
		n += row.parked != PARKED_RATE;
		row.parked = PARKED_RATE;
		row.next = when < until ? when : until;
		rcpt_leave(qu, r, &row);
	}
	if (n > 0)
		log_event(no->msg->id, "bounce-limited",
		    "rcpts=%u wait=%lld to=%s", n, (long long)(when - now),
		    q(no->msg->sender));
}

/* ---- one notification ---- */

static void
tell(struct queue *qu, struct msg *m, struct rcpt_list *list,
    enum dsn_kind kind)
{
	struct notice no = { .msg = m, .kind = kind };
	struct rcpt *r;
	struct tx *tx;
	int64_t when;
	uint64_t id;

	TAILQ_INIT(&no.rcpts);
	if (!collect(qu, &no, list))
		return;
	if ((id = choose_id(qu, &no)) == 0) {
		while ((r = TAILQ_FIRST(&no.rcpts)) != NULL)
			not_told(qu, r, kind);
		return;
	}
	if (bounce_is_limited(m) && (when = bounce_rate_take(qu, m)) != 0) {
		put_off(qu, &no, when);
		return;
	}
	tx = tx_ours(qu, m, bounce_told);
	tx_set_id(tx, id);
	tx->kind = kind;
	if (!bounce_make(qu, &no, tx)) {
		log_warn("bounce", "id=%" PRIx64 " error=%s", m->id,
		    q(strerror(errno)));
		all_again(qu, &no.rcpts, "the sender could not be told");
		tx_free(&tx);
		return;
	}
	m->dsn = tx;
	while ((r = TAILQ_FIRST(&no.rcpts)) != NULL)
		rcpt_move(qu, r, &tx->rcpts, AT_DSN);
}

static void
on_patience(void *arg)
{
	struct msg *m = arg;

	m->impatient = true;
	msg_settle(m->queue, m);
}

/* Others of the message may be late in a moment, and are told of with these. */
static bool
may_grow(const struct msg *m)
{
	const struct rcpt *r;
	uint32_t n = 0;

	TAILQ_FOREACH(r, &m->late, entry) {
		if (++n == DSN_RCPTS)
			return false;
	}
	return n > 0 && n < m->n_open;
}

static void
wait_for_others(struct queue *qu, struct msg *m, unsigned int wait)
{
	if (!m->patience.set)
		timer_set(qu->p.loop, &m->patience, wait, on_patience, m);
}

void
bounce_check(struct queue *qu, struct msg *m)
{
	bool ours = (m->fact_flags & FACT_OURS) != 0 && m->sender[0] == '\0';
	bool grows;

	if (m->dsn != NULL || m->n_flying > 0 || m->n_asking > 0 ||
	    qu->stopping ||
	    (TAILQ_EMPTY(&m->owed) && TAILQ_EMPTY(&m->good) &&
		TAILQ_EMPTY(&m->late)))
		return;
	/* More may fail in the same round; but a crowded route does not keep
	 * the sender waiting for what is known. */
	if (m->n_waiting > 0 && !m->impatient) {
		wait_for_others(qu, m, PATIENCE_MSEC);
		return;
	}
	grows = !m->impatient && may_grow(m);
	if (grows)
		wait_for_others(qu, m, LATE_MSEC);
	else
		timer_clear(&m->patience);
	m->impatient = false;
	/* One at a time: each turn of these empties a list or sets m->dsn. */
	while (m->dsn == NULL && !TAILQ_EMPTY(&m->owed))
		tell(qu, m, &m->owed, ours ? DSN_DOUBLE : DSN_FAILED);
	while (m->dsn == NULL && !TAILQ_EMPTY(&m->good))
		tell(qu, m, &m->good, DSN_SUCCESS);
	while (m->dsn == NULL && !grows && !TAILQ_EMPTY(&m->late))
		tell(qu, m, &m->late, DSN_DELAYED);
}
