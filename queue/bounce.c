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
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <xxhash.h>

#include "dsn.h"
#include "dsn_param.h"
#include "id.h"
#include "log.h"
#include "spool_read.h"

#define DSN_RCPTS     500 /* recipients told of in one notification */
#define DSN_MAX       (4 * 1024 * 1024)
#define AGAIN         60 /* seconds, when it could not be stored */
#define PATIENCE_MSEC 5000
#define TRACE_SHARE   (DSN_HEADER_MAX / 2)

/* One notification while it is composed. */
struct notice {
	struct msg *msg;
	enum dsn_kind kind;
	struct rcpt_list rcpts;
	uint32_t n;
};

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

/* The state of a recipient in `state` when the sender was told of it. */
static char
told_state(enum dsn_kind kind, char state)
{
	if (kind == DSN_DELAYED)
		return RCPT_WARNED;
	if (kind != DSN_SUCCESS)
		return RCPT_FAILED;
	return state == RCPT_EXPANDED_OWED ? RCPT_EXPANDED : RCPT_DELIVERED;
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

/* ---- composing ---- */

/* RFC 3461 4.3: RET=FULL counts for failures; what would not be a good part of
 * a message, or is large, is not returned whole. */
static bool
returns_whole(const struct notice *no)
{
	const struct msg *m = no->msg;

	return no->kind == DSN_FAILED && m->params.ret == RET_FULL &&
	    (m->content_facts & (CONTENT_LONG | CONTENT_BINARY)) == 0 &&
	    m->content <= DSN_WHOLE_MAX && m->trace <= TRACE_SHARE;
}

/* The original, its header alone or whole: what we prepended, then what came.
 * Freed by the caller. */
static char *
read_original(const struct msg *m, bool *whole, size_t *len)
{
	uint64_t trace = m->trace < TRACE_SHARE ? m->trace : TRACE_SHARE;
	uint64_t content = *whole ? m->content : DSN_HEADER_MAX - trace;
	char *out = xcalloc(1, (size_t)(trace + content) + 1);
	ssize_t n;

	if (content > m->content)
		content = m->content;
	n = pread(m->fd, out, trace, (off_t)(m->head + m->content));
	*len = n > 0 ? (size_t)n : 0;
	*whole = *whole && *len == trace;
	n = pread(m->fd, out + *len, content, (off_t)m->head);
	*len += n > 0 ? (size_t)n : 0;
	*whole = *whole && n == (ssize_t)content;
	return out;
}

/* Of a child without an ORCPT: whom its parent was sent to, by its head. */
static const char *
parent_addr(const struct notice *no, struct arena *a)
{
	struct head h;

	if ((no->msg->fact_flags & FACT_EXPANDED) == 0 ||
	    spool_read_head(no->msg->fd, a, &h) != NULL || h.of.addr == NULL)
		return NULL;
	return h.of.addr;
}

/* RFC 3464 2.3.1: whom the sender named, if he said so, or that was another
 * than who was tried; else "". */
static const char *
original_rcpt(const struct rcpt *r, const char *parent, struct arena *a)
{
	const char *addr = parent, *copy;
	char orcpt[ORCPT_MAX + 1];

	if (r->orcpt != NULL)
		return r->orcpt;
	if (addr == NULL && r->target != NULL)
		addr = r->addr;
	if (addr == NULL || !orcpt_of(addr, orcpt))
		return "";
	copy = arena_copy(a, orcpt);
	return copy == NULL ? "" : copy;
}

static void
fill_rcpts(struct queue *qu, const struct notice *no, struct index_rcpt *rows,
    struct dsn_rcpt *rcpts, struct arena *a)
{
	const char *parent = parent_addr(no, a);
	const struct rcpt *r;
	uint32_t i = 0;

	TAILQ_FOREACH(r, &no->rcpts, entry) {
		rcpt_row(qu, r, &rows[i]);
		rcpts[i].addr =
		    r->state == RCPT_EXPANDED_OWED ? r->addr : rcpt_target(r);
		rcpts[i].orcpt = original_rcpt(r, parent, a);
		rcpts[i].expanded = r->state == RCPT_EXPANDED_OWED;
		rcpts[i].until = schedule_end(qu, no->msg, r->ttl);
		rcpts[i].relay = rows[i].relay;
		rcpts[i].last = rows[i].last;
		rcpts[i].tried = r->tried;
		i++;
	}
}

static bool
compose(struct queue *qu, const struct notice *no, struct tx *tx,
    struct buf *out)
{
	const struct msg *m = no->msg;
	struct index_rcpt *rows = xcalloc(no->n, sizeof *rows);
	struct dsn_rcpt *rcpts = xcalloc(no->n, sizeof *rcpts);
	struct dsn d = { .kind = no->kind,
		.id = tx->head.id,
		.about = m->id,
		.hostname = conf_text(qu->p.conf, qu->p.conf->hostname),
		.to = tx->head.rcpt[0].addr,
		.envid = m->params.envid,
		.utf8 = (tx->head.facts.flags & FACT_SMTPUTF8) != 0,
		.arrived = m->arrived / 1000000,
		.now = now_sec(),
		.rcpt = rcpts,
		.n_rcpt = no->n,
		.whole = returns_whole(no) };
	struct arena a;
	char *original = read_original(m, &d.whole, &d.original_len);
	bool ok;

	arena_init(&a, SPOOL_ARENA_MAX);
	fill_rcpts(qu, no, rows, rcpts, &a);
	d.original = original;
	ok = dsn_print(out, &d);
	arena_free(&a);
	free(original);
	free(rcpts);
	free(rows);
	return ok;
}

static bool
write_all(int fd, const void *p, size_t len)
{
	const char *at = p;
	ssize_t n;

	while (len > 0) {
		n = write(fd, at, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static uint32_t
facts_of(const struct buf *content, const char *to)
{
	const uint8_t *p = buf_data(content);
	uint32_t facts = 0;
	size_t i;

	for (i = 0; i < content->len && facts == 0; i++) {
		if (p[i] > 0x7f)
			facts = CONTENT_8BIT;
	}
	/* Nothing else in its header came from outside. */
	if (has_8bit(to))
		facts |= CONTENT_UTF8;
	if (memmem(p, content->len, "\r\n.", 3) != NULL)
		facts |= CONTENT_DOT;
	return facts;
}

/* Content and trailer behind the head. */
static bool
write_content(struct tx *tx, const struct buf *content)
{
	struct trailer *t = &tx->trailer;
	char end[TRAILER_LEN];

	t->content = content->len;
	t->sum = XXH3_64bits(buf_data(content), content->len);
	t->content_facts = facts_of(content, tx->head.rcpt[0].addr);
	trailer_print(t, end);
	return write_all(tx->fd, buf_data(content), content->len) &&
	    write_all(tx->fd, end, sizeof end);
}

/* ---- its id and its envelope ---- */

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

/* RFC 6533: about an original that was marked SMTPUTF8, where that makes a
 * difference; but postmaster is always reached. */
static bool
is_international(const struct notice *no)
{
	const struct msg *m = no->msg;
	const struct rcpt *r;

	if (no->kind == DSN_DOUBLE || (m->fact_flags & FACT_SMTPUTF8) == 0)
		return false;
	if (has_8bit(m->sender) || (m->content_facts & CONTENT_UTF8) != 0)
		return true;
	TAILQ_FOREACH(r, &no->rcpts, entry) {
		if (has_8bit(r->addr) || has_8bit(rcpt_target(r)) ||
		    (r->orcpt != NULL &&
			strncasecmp(r->orcpt, "utf-8;", 6) == 0))
			return true;
	}
	return false;
}

static bool
fill_head(struct queue *qu, const struct notice *no, struct tx *tx)
{
	const char *hostname = conf_text(qu->p.conf, qu->p.conf->hostname);
	struct head *h = &tx->head;

	h->arrived = now_usec();
	h->facts.flags = FACT_OURS | FACT_LOCAL;
	if (is_international(no))
		h->facts.flags |= FACT_SMTPUTF8;
	h->sender = "";
	h->rcpt = arena_alloc(&tx->arena, sizeof *h->rcpt);
	h->n_rcpt = 1;
	h->rcpt[0].state = RCPT_WAITING;
	h->rcpt[0].addr = no->kind == DSN_DOUBLE ?
	    arena_printf(&tx->arena, "postmaster@%s", hostname) :
	    arena_copy(&tx->arena, no->msg->sender);
	tx->fd = spool_create(qu->spool, h);
	if (tx->fd == -1 && errno == EEXIST) {
		/* What a crash left of an earlier try. */
		spool_abort(qu->spool, h->id);
		tx->fd = spool_create(qu->spool, h);
	}
	return tx->fd != -1;
}

/* ---- sending ---- */

static bool
commit(struct queue *qu, const struct notice *no, struct tx *tx)
{
	struct spool_settle *settles =
	    arena_alloc(&tx->arena, no->n * sizeof *settles);
	const struct rcpt *r;
	uint32_t i = 0;

	TAILQ_FOREACH(r, &no->rcpts, entry) {
		settles[i].id = no->msg->id;
		settles[i].n = r->n;
		settles[i].off = r->off;
		settles[i].state = told_state(no->kind, r->state);
		i++;
	}
	return tx_commit_ours(qu, tx, settles, no->n);
}

static bool
build(struct queue *qu, const struct notice *no, struct tx *tx)
{
	struct buf content;
	bool ok;

	if (!fill_head(qu, no, tx))
		return false;
	buf_init(&content, DSN_MAX);
	ok = compose(qu, no, tx, &content) && write_content(tx, &content) &&
	    commit(qu, no, tx);
	buf_free(&content);
	if (!ok)
		spool_abort(qu->spool, tx->head.id);
	return ok;
}

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
static const char *const events[] = {
	[DSN_FAILED] = "bounced",
	[DSN_DELAYED] = "delayed",
	[DSN_DOUBLE] = "bounced",
	[DSN_SUCCESS] = "confirmed",
};

static void
bounce_told(struct queue *qu, struct tx *tx, bool ok)
{
	struct msg *m = tx->about;
	char id[ID_LEN + 1];
	struct rcpt *r;

	if (ok)
		log_event(m->id, events[tx->kind], "dsn=%s to=%s",
		    id_print(tx->head.id, id), q(tx->head.rcpt[0].addr));
	while ((r = TAILQ_FIRST(&tx->rcpts)) != NULL) {
		if (ok)
			told(qu, r, told_state(tx->kind, r->state));
		else
			result_again(qu, r, AGAIN,
			    "the sender could not be told");
	}
	m->dsn = NULL;
	tx_free(&tx);
	msg_settle(qu, m);
}

static void
tell(struct queue *qu, struct msg *m, struct rcpt_list *list,
    enum dsn_kind kind)
{
	struct notice no = { .msg = m, .kind = kind };
	struct rcpt *r;
	struct tx *tx;
	uint64_t id;
	char state;

	TAILQ_INIT(&no.rcpts);
	if (!collect(qu, &no, list))
		return;
	if ((id = choose_id(qu, &no)) == 0) {
		while ((r = TAILQ_FIRST(&no.rcpts)) != NULL) {
			state = told_state(kind, r->state);
			if (result_state(qu, r, state))
				told(qu, r, state);
			else
				result_again(qu, r, AGAIN,
				    "its state was not written");
		}
		return;
	}
	tx = tx_ours(qu, m, bounce_told);
	tx_set_id(tx, id);
	tx->kind = kind;
	if (!build(qu, &no, tx)) {
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

void
bounce_check(struct queue *qu, struct msg *m)
{
	bool ours = (m->fact_flags & FACT_OURS) != 0 && m->sender[0] == '\0';

	if (m->dsn != NULL || m->n_flying > 0 || m->n_asking > 0 ||
	    qu->stopping ||
	    (TAILQ_EMPTY(&m->owed) && TAILQ_EMPTY(&m->good) &&
		TAILQ_EMPTY(&m->late)))
		return;
	/* More may fail in the same round; but a crowded route does not keep
	 * the sender waiting for what is known. */
	if (m->n_waiting > 0 && !m->impatient) {
		if (!m->patience.set)
			timer_set(qu->p.loop, &m->patience, PATIENCE_MSEC,
			    on_patience, m);
		return;
	}
	timer_clear(&m->patience);
	m->impatient = false;
	/* One at a time: each turn of these empties a list or sets m->dsn. */
	while (m->dsn == NULL && !TAILQ_EMPTY(&m->owed))
		tell(qu, m, &m->owed, ours ? DSN_DOUBLE : DSN_FAILED);
	while (m->dsn == NULL && !TAILQ_EMPTY(&m->good))
		tell(qu, m, &m->good, DSN_SUCCESS);
	while (m->dsn == NULL && !TAILQ_EMPTY(&m->late))
		tell(qu, m, &m->late, DSN_DELAYED);
}
