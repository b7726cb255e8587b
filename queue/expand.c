/*
 * A recipient that stands for several: lookup is asked for whom, page by page,
 * and they become the recipients of a child message, which is durable in the
 * same record in which their parent's recipient comes to its end.  Runs in the
 * queue process; decides nothing about who they are, and expands nothing of a
 * child but parts (leaf.h): of a list that was too long for it, or a name that
 * came to nothing then.
 *
 * The child (expand_child.c) has an id that is derived from the parent's, or
 * stands behind the leaf of a part (id.h), so that one that is there already is
 * not made again.
 *
 * Bounds: as many as fit a page are asked for at once by EXPANDS_MAX
 * recipients, longer lists by LARGE_MAX of them.  Who has to wait holds
 * nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "expand_priv.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "id.h"
#include "leaf.h"
#include "log.h"
#include "tx.h"

#define EXPANDS_MAX 200 /* at work at once, their flush included */
#define LARGE_MAX   4   /* of them, longer than a page */
#define ASK_MSEC    30000
#define PARTS_DEPTH 32 /* parts of parts of parts: lookup has an end sooner */
#define CHANGED_MAX 5  /* lists that change while they are read */

/* ---- its end ---- */

static struct expansions *
line_of(const struct expansion *e)
{
	return e->large ? &e->queue->large_expansions : &e->queue->expansions;
}

/* Out of the line, or of work. */
static void
stop(struct expansion *e)
{
	struct queue *qu = e->queue;

	ipc_cancel(&e->ask);
	timer_clear(&e->soon);
	if (e->from != -1)
		close(e->from);
	e->from = -1;
	if (e->tx == NULL) {
		TAILQ_REMOVE(line_of(e), e, entry);
		return;
	}
	if (e->tx->fd != -1)
		spool_abort(qu->spool, e->tx->head.id);
	qu->n_expanding--;
	qu->n_large -= e->tx->large;
	tx_free(&e->tx);
	queue_run_soon(qu);
}

void
expand_free(struct expansion *e)
{
	struct rcpt *r = e->rcpt;

	r->expansion = NULL;
	r->msg->n_waiting--;
	free(e);
}

void
expand_forget(struct queue *qu, struct rcpt *r)
{
	(void)qu;
	if (r->expansion == NULL)
		return;
	stop(r->expansion);
	expand_free(r->expansion);
}

/* It comes to nothing now, and r leaves: tried again by its steps, or the
 * sender is told. */
static void
give_up(struct queue *qu, struct rcpt *r, const struct outcome *o)
{
	const struct result result = { .outcome = o, .relay = "", .tls = "" };
	struct msg *m = r->msg;

	result_record(qu, r, NULL, &result);
	msg_settle(qu, m);
}

void
expand_later(struct expansion *e, const char *ecode, const char *why)
{
	struct outcome o;

	outcome_set(&o, LATER, WIDTH_RCPT, 451, ecode, "%s", why);
	give_up(e->queue, e->rcpt, &o);
}

/* The file says that r was expanded. */
static void
expanded(struct queue *qu, struct rcpt *r, uint64_t child, uint32_t n_rcpt,
    const char *sender)
{
	struct msg *m = r->msg;
	char state = expand_state(r, n_rcpt, sender);
	struct index_rcpt row;
	char id[ID_LEN + 1];

	rcpt_row(qu, r, &row);
	outcome_set(&row.last, DONE, WIDTH_RCPT, 0, "2.1.5",
	    "expanded, see message %s", id_print(child, id));
	remember_became(qu, r, HISTORY_EXPANDED, child);
	log_event(m->id, "expanded", "n=%u child=%s rcpts=%u to=%s", r->n,
	    id_print(child, id), n_rcpt, q(r->addr));
	if (state == RCPT_EXPANDED) {
		rcpt_end(qu, r, state, &row);
		return;
	}
	r->state = row.state = state;
	row.parked = 0;
	row.route[0] = '\0'; /* nobody took it but us */
	row.next = now_sec();
	queue_index_ok(qu, index_put_rcpt(qu->index, &row));
	queue_changed(qu);
	bounce_owe(qu, r);
}

/* The child is durable, or not. */
static void
told(struct queue *qu, struct tx *tx, bool ok)
{
	struct rcpt *r = TAILQ_FIRST(&tx->rcpts);
	struct msg *m = tx->about;
	const struct head *h = &tx->head;
	struct outcome o;

	if (ok)
		expanded(qu, r, h->id, h->n_rcpt, h->sender);
	else {
		outcome_set(&o, LATER, WIDTH_RCPT, 451, "4.3.0",
		    "the message to those it stands for could not be stored");
		give_up(qu, r, &o);
	}
	qu->n_expanding--;
	qu->n_large -= tx->large;
	tx_free(&tx);
	if (ok)
		msg_settle(qu, m);
	queue_run_soon(qu);
}

/* ---- whom it stands for ---- */

/* The list is another one now, or too long for now: nothing of it is kept. */
static void
begin_again(struct expansion *e)
{
	stop(e);
	TAILQ_INSERT_TAIL(line_of(e), e, entry);
}

/* It is longer than a page.  False: too many others are. */
static bool
may_be_large(struct expansion *e)
{
	e->large = true;
	if (e->tx->large)
		return true;
	if (e->queue->n_large >= LARGE_MAX)
		return false;
	e->tx->large = true;
	e->queue->n_large++;
	return true;
}

/* NULL, or what cannot be about the answer. */
static const char *
check_page(const struct expansion *e, const struct expand_is *is)
{
	uint32_t have = e->tx->head.n_rcpt;

	if (is->total == 0 || is->total > EXPAND_MAX)
		return "a list of a wrong length";
	if (is->from != have || is->n == 0 || is->n > is->total - have ||
	    (have > 0 && is->total != e->total))
		return "a page that was not asked for";
	return NULL;
}

static void ask(struct expansion *e);

static void
on_page(void *arg, struct ipc_msg *answer)
{
	struct expansion *e = arg;
	const struct expand_is *is = answer == NULL ? NULL : answer->body;
	const char *why;

	if (e->queue->stopping)
		return;
	if (is == NULL) {
		expand_later(e, "4.4.3", "nobody answered whom it stands for");
		return;
	}
	if (is->outcome.verdict != DONE) {
		give_up(e->queue, e->rcpt, &is->outcome);
		return;
	}
	if (e->tx->head.n_rcpt > 0 && is->sum != e->sum) {
		if (++e->changed > CHANGED_MAX)
			expand_later(e, "4.4.3",
			    "whom it stands for keeps changing");
		else
			begin_again(e);
		return;
	}
	why = check_page(e, is);
	if (why == NULL && is->n < is->total && !may_be_large(e)) {
		begin_again(e);
		return;
	}
	e->sum = is->sum;
	e->total = is->total;
	if (why == NULL)
		why = expand_add(e, is);
	if (why != NULL)
		expand_later(e, "4.3.5", why);
	else if (e->tx->head.n_rcpt < e->total)
		ask(e);
	else
		expand_build(e);
}

static void
ask(struct expansion *e)
{
	struct queue *qu = e->queue;
	const struct rcpt *r = e->rcpt;
	struct ipc_chan *lookup;
	struct expand_ask m;

	lookup = proc_chan(&qu->p, PROC_LOOKUP, e->turn);
	if (lookup == NULL) {
		expand_later(e, "4.4.3",
		    "nobody is there who knows whom it stands for");
		return;
	}
	memset(&m, 0, sizeof m);
	m.facts = *r->msg->facts;
	m.from = e->tx->head.n_rcpt;
	m.sum = m.from == 0 ? 0 : e->sum;
	strlcpy(m.sender, r->msg->sender, sizeof m.sender);
	strlcpy(m.rcpt, r->addr, sizeof m.rcpt);
	strlcpy(m.leaf, r->leaf, sizeof m.leaf);
	if (r->leaf[0] != '\0')
		strlcpy(m.of, msg_of(qu, r->msg), sizeof m.of);
	expand_ask_ask(lookup, &e->ask, &m, on_page, e, ASK_MSEC);
}

/* ---- the line ---- */

/* The child was made, and the mark of it was lost.  e is freed. */
static void
mark(struct expansion *e, uint64_t child)
{
	struct queue *qu = e->queue;
	struct rcpt *r = e->rcpt;
	struct msg *m = r->msg;
	struct index_msg im;
	uint32_t n = 0;
	const char *sender = m->sender;

	if (index_get_msg(qu->index, child, &im) == INDEX_OK) {
		n = im.n_rcpt;
		sender = im.sender;
		if ((im.facts.flags & FACT_EXPANDED) == 0 ||
		    im.arrived != m->arrived) {
			expand_later(e, "4.3.5",
			    "another message has its child's id");
			return;
		}
	}
	if (!result_state(qu, r, expand_state(r, n, sender))) {
		expand_later(e, "4.3.0", "its state was not written");
		return;
	}
	expanded(qu, r, child, n, sender);
	msg_settle(qu, m);
}

/* NULL, or why e cannot be expanded.  *id: of its child. */
static const char *
may_be_made(const struct expansion *e, uint64_t *id)
{
	const struct rcpt *r = e->rcpt;

	if (!leaf_is_part(r->leaf)) {
		*id = id_child(r->msg->id, r->n);
		return NULL;
	}
	if ((r->msg->fact_flags & FACT_DEPTH) >=
	    PARTS_DEPTH * (uint32_t)FACT_DEPTH_ONE)
		return "it came out of too many lists, one in the other";
	*id = leaf_child(r->leaf);
	return *id == 0 ? "a part of a list has no id for its child" : NULL;
}

/* The first one in line; may free it. */
static void
start(struct expansion *e)
{
	struct queue *qu = e->queue;
	const char *why;
	uint64_t id;

	if ((why = may_be_made(e, &id)) != NULL) {
		expand_later(e, "4.4.6", why);
		return;
	}
	if (tx_is_known(qu, id)) {
		mark(e, id);
		return;
	}
	TAILQ_REMOVE(line_of(e), e, entry);
	e->tx = tx_ours(qu, e->rcpt->msg, told);
	tx_set_id(e->tx, id);
	e->tx->large = e->large;
	e->turn = qu->lookup_turn++;
	qu->n_expanding++;
	qu->n_large += e->large;
	ask(e);
}

void
expand_run(struct queue *qu)
{
	struct expansion *e;

	while (!qu->stopping && qu->n_expanding < EXPANDS_MAX) {
		e = TAILQ_FIRST(&qu->large_expansions);
		if (e == NULL || qu->n_large >= LARGE_MAX)
			e = TAILQ_FIRST(&qu->expansions);
		if (e == NULL)
			return;
		start(e);
	}
}

void
expand_begin(struct queue *qu, struct rcpt *r)
{
	struct expansion *e = xcalloc(1, sizeof *e);

	e->queue = qu;
	e->rcpt = r;
	e->from = -1;
	e->large = leaf_is_one_of_many(r->leaf);
	rcpt_move(qu, r, NULL, AT_EXPANDS);
	r->expansion = e;
	r->msg->n_waiting++;
	TAILQ_INSERT_TAIL(line_of(e), e, entry);
	queue_run_soon(qu);
}
