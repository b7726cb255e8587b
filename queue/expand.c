/*
 * A recipient that stands for several: lookup is asked for whom, page by page,
 * and they become the recipients of a child message, which is durable in the
 * same record in which their parent's recipient comes to its end.  Runs in the
 * queue process; decides nothing about who they are, and never expands a child.
 *
 * The child's content, trace fields and trailer are the parent's, copied from
 * file to file a piece per turn of the loop.  Its id is derived from the
 * parent's (id.h), so that one that is there already is not made again.
 *
 * Bounds: as many as fit a page are asked for at once by EXPANDS_MAX
 * recipients, longer lists by LARGE_MAX of them.  Who has to wait holds
 * nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/string.h>

#include "dsn_param.h"
#include "id.h"
#include "log.h"

#define EXPANDS_MAX 200 /* at work at once, their flush included */
#define LARGE_MAX   4   /* of them, longer than a page */
#define ASK_MSEC    30000
#define CHANGED_MAX 5 /* lists that change while they are read */
#define COPY_TURN   ((size_t)256 * 1024) /* bytes, then others' turn */
#define COPY_PIECE  65536 /* bytes in memory, where the kernel cannot copy */

/* One recipient's, until its child is given to the spool. */
struct expansion {
	TAILQ_ENTRY(expansion) entry; /* in line, while it waits */
	struct queue *queue;
	struct rcpt *rcpt;
	struct tx *tx;    /* NULL: it waits */
	bool large;       /* longer than a page, as far as is known */
	uint32_t changed; /* so often the list was another one */
	uint64_t sum;
	uint32_t total;
	struct ipc_req ask;
	struct timer soon;
	int from; /* the parent's file, -1: not open */
	uint64_t at, end;
};

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

static void
expansion_free(struct expansion *e)
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
	expansion_free(r->expansion);
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

static void
later(struct expansion *e, const char *ecode, const char *why)
{
	struct outcome o;

	outcome_set(&o, LATER, WIDTH_RCPT, 451, ecode, "%s", why);
	give_up(e->queue, e->rcpt, &o);
}

/* RFC 3461 5.2.7: one address in place of another inherits NOTIFY, and the
 * sender hears of it from there on; of several he is told that there are
 * several, and hears of no success of theirs. */
static char
expanded_state(const struct rcpt *r, uint32_t n_rcpt)
{
	if (n_rcpt != 1 && bounce_confirms(r->msg, r->notify))
		return RCPT_EXPANDED_OWED;
	return RCPT_EXPANDED;
}

static uint8_t
inherited_notify(const struct rcpt *r, uint32_t n_rcpt)
{
	uint8_t left = r->notify;

	if (n_rcpt == 1 || (left & NOTIFY_SUCCESS) == 0)
		return left;
	left &= (uint8_t)~NOTIFY_SUCCESS;
	/* With nothing left it would be one of which nothing was said. */
	return left == 0 ? NOTIFY_NEVER : left;
}

/* The file says that r was expanded. */
static void
expanded(struct queue *qu, struct rcpt *r, uint64_t child, uint32_t n_rcpt)
{
	struct msg *m = r->msg;
	char state = expanded_state(r, n_rcpt);
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
	struct outcome o;

	if (ok)
		expanded(qu, r, tx->head.id, tx->head.n_rcpt);
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

/* ---- making it durable ---- */

/* All of it is in tmp/. */
static void
commit(struct expansion *e)
{
	struct queue *qu = e->queue;
	struct rcpt *r = e->rcpt;
	struct tx *tx = e->tx;
	const struct spool_settle settle = { .id = r->msg->id,
		.n = r->n,
		.off = r->off,
		.state = expanded_state(r, tx->head.n_rcpt) };

	if (!tx_commit_ours(qu, tx, &settle, 1)) {
		later(e, "4.3.0", "nothing can be stored now");
		return;
	}
	close(e->from);
	expansion_free(e);
	rcpt_move(qu, r, &tx->rcpts, AT_DSN);
}

/* Where files cannot be copied by the kernel alone. */
static ssize_t
copy_piece(struct expansion *e, size_t len)
{
	char piece[COPY_PIECE];
	ssize_t n, done = 0, put;

	n = pread(e->from, piece, len < sizeof piece ? len : sizeof piece,
	    (off_t)e->at);
	while (done < n) {
		put = write(e->tx->fd, piece + done, (size_t)(n - done));
		if (put == -1 && errno == EINTR)
			continue;
		if (put <= 0)
			return -1;
		done += put;
	}
	if (n > 0)
		e->at += (uint64_t)n;
	return n;
}

/* Some more of it; 0: the parent is shorter than it was, -1: errno. */
static ssize_t
copy_some(struct expansion *e, size_t len)
{
	off_t at = (off_t)e->at;
	ssize_t n;

	n = copy_file_range(e->from, &at, e->tx->fd, NULL, len, 0);
	/* Not across these filesystems, or not at all; 0: some cannot tell
	 * either. */
	if (n == 0 ||
	    (n == -1 &&
		(errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
		    errno == EOPNOTSUPP)))
		return copy_piece(e, len);
	if (n > 0)
		e->at = (uint64_t)at;
	return n;
}

static void
copy(void *arg)
{
	struct expansion *e = arg;
	uint64_t start = e->at, left;
	ssize_t n;

	if (e->queue->stopping)
		return;
	while ((left = e->end - e->at) > 0) {
		if (e->at - start >= COPY_TURN) {
			timer_set(e->queue->p.loop, &e->soon, 0, copy, e);
			return;
		}
		n = copy_some(e, left < COPY_TURN ? (size_t)left : COPY_TURN);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			later(e, "4.3.0",
			    n == 0 ? "its file is cut short" : strerror(errno));
			return;
		}
	}
	commit(e);
}

/* The parent's file, and its trailer, which is the child's too. */
static const char *
open_parent(struct expansion *e)
{
	struct msg *m = e->rcpt->msg;
	uint64_t end = m->head + m->content + m->trace;
	char text[TRAILER_LEN];
	const char *why;

	e->from = msg_open(e->queue, m, false);
	if (e->from == -1)
		return strerror(errno);
	if (pread(e->from, text, sizeof text, (off_t)end) != sizeof text)
		return "its file is cut short";
	why = trailer_parse(text, sizeof text, &e->tx->trailer);
	if (why != NULL)
		return why;
	if (e->tx->trailer.content != m->content ||
	    e->tx->trailer.trace != m->trace)
		return "its trailer says otherwise";
	e->at = m->head;
	e->end = end + sizeof text;
	return NULL;
}

static const char *
make_file(struct expansion *e)
{
	struct spool *s = e->queue->spool;
	const struct msg *m = e->rcpt->msg;
	struct tx *tx = e->tx;
	struct head *h = &tx->head;
	const char *why = NULL;

	if (!spool_accepts(s, m->content + m->trace, &why))
		return why;
	h->arrived = m->arrived;
	h->facts = *m->facts;
	h->facts.flags |= FACT_EXPANDED;
	h->sender = m->sender;
	h->params = m->params;
	h->of.id = m->id;
	h->of.n = e->rcpt->n;
	h->of.addr = e->rcpt->addr;
	tx->fd = spool_create(s, h);
	if (tx->fd == -1 && errno == EEXIST) {
		/* What a crash left of an earlier try. */
		spool_abort(s, h->id);
		tx->fd = spool_create(s, h);
	}
	return tx->fd == -1 ? strerror(errno) : open_parent(e);
}

static void
build(struct expansion *e)
{
	const char *why = make_file(e);

	if (why != NULL)
		later(e, "4.3.0", why);
	else
		copy(e);
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

/* RFC 3461 5.2.1: without an ORCPT, the address that RCPT had. */
static const char *
original(const struct rcpt *r, struct arena *a)
{
	char orcpt[ORCPT_MAX + 1];

	if (r->orcpt != NULL)
		return arena_copy(a, r->orcpt);
	orcpt_of(r->addr, orcpt);
	return arena_copy(a, orcpt);
}

/* NULL, or why these are no addresses. */
static const char *
add_page(struct expansion *e, const struct expand_is *is)
{
	struct tx *tx = e->tx;
	struct head *h = &tx->head;
	const char *p = is->text, *end = is->text + sizeof is->text;
	const struct rcpt *of = e->rcpt;
	uint32_t i;

	if (tx->orcpt == NULL)
		tx->orcpt = original(of, &tx->arena);
	if (h->rcpt == NULL)
		h->rcpt = arena_alloc(&tx->arena, is->total * sizeof *h->rcpt);
	for (i = 0; i < is->n; i++) {
		size_t len = strnlen(p, (size_t)(end - p));

		if (p + len == end || len == 0 || len > ADDR_MAX)
			return "an address of a wrong length";
		/* Who was told of a delay is not told of the same again. */
		h->rcpt[h->n_rcpt++] =
		    (struct head_rcpt){ .state = of->state == RCPT_WARNED ?
				RCPT_WARNED :
				RCPT_WAITING,
			    .addr = arena_copy(&tx->arena, p),
			    .notify = inherited_notify(of, is->total),
			    .orcpt = tx->orcpt };
		p += len + 1;
	}
	return NULL;
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
		later(e, "4.4.3", "nobody answered whom it stands for");
		return;
	}
	if (is->outcome.verdict != DONE) {
		give_up(e->queue, e->rcpt, &is->outcome);
		return;
	}
	if (e->tx->head.n_rcpt > 0 && is->sum != e->sum) {
		if (++e->changed > CHANGED_MAX)
			later(e, "4.4.3", "whom it stands for keeps changing");
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
		why = add_page(e, is);
	if (why != NULL)
		later(e, "4.3.5", why);
	else if (e->tx->head.n_rcpt < e->total)
		ask(e);
	else
		build(e);
}

static void
ask(struct expansion *e)
{
	struct queue *qu = e->queue;
	const struct rcpt *r = e->rcpt;
	struct ipc_chan *lookup;
	struct expand_ask m;

	lookup = proc_chan(&qu->p, PROC_LOOKUP, qu->lookup_turn++);
	if (lookup == NULL) {
		later(e, "4.4.3",
		    "nobody is there who knows whom it stands for");
		return;
	}
	memset(&m, 0, sizeof m);
	m.facts = *r->msg->facts;
	m.from = e->tx->head.n_rcpt;
	m.sum = m.from == 0 ? 0 : e->sum;
	strlcpy(m.sender, r->msg->sender, sizeof m.sender);
	strlcpy(m.rcpt, r->addr, sizeof m.rcpt);
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

	if (index_get_msg(qu->index, child, &im) == INDEX_OK) {
		n = im.n_rcpt;
		if ((im.facts.flags & FACT_EXPANDED) == 0 ||
		    im.arrived != m->arrived) {
			later(e, "4.3.5", "another message has its child's id");
			return;
		}
	}
	if (!result_state(qu, r, expanded_state(r, n))) {
		later(e, "4.3.0", "its state was not written");
		return;
	}
	expanded(qu, r, child, n);
	msg_settle(qu, m);
}

/* The first one in line; may free it. */
static void
start(struct expansion *e)
{
	struct queue *qu = e->queue;
	uint64_t id = id_child(e->rcpt->msg->id, e->rcpt->n);

	if (tx_is_known(qu, id)) {
		mark(e, id);
		return;
	}
	TAILQ_REMOVE(line_of(e), e, entry);
	e->tx = tx_ours(qu, e->rcpt->msg, told);
	tx_set_id(e->tx, id);
	e->tx->large = e->large;
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
	rcpt_move(qu, r, NULL, AT_EXPANDS);
	r->expansion = e;
	r->msg->n_waiting++;
	TAILQ_INSERT_TAIL(line_of(e), e, entry);
	queue_run_soon(qu);
}
