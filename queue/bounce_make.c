/*
 * A notification becomes a message of ours: its recipients' rows are what it
 * tells, its file is written as a session's would be, and it is durable in the
 * same record in which its recipients come to their end.  Runs in the queue
 * process; the words are dsn.c's.
 *
 * SPDX-License-Identifier: ISC
 */
#include "bounce_make.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <xxhash.h>

#include "dest.h"
#include "dsn_param.h"
#include "log.h"
#include "spool_read.h"
#include "tx.h"
#include "write_all.h"

#define TRACE_SHARE (DSN_HEADER_MAX / 2)

char
bounce_told_state(enum dsn_kind kind, char state)
{
	if (kind == DSN_DELAYED)
		return RCPT_WARNED;
	if (kind != DSN_SUCCESS)
		return RCPT_FAILED;
	return state == RCPT_EXPANDED_OWED ? RCPT_EXPANDED : RCPT_DELIVERED;
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

/* RFC 3464 2.3.1: whom the sender named, if he said so, or that was another
 * than who was tried (of a child: its parent's recipient); else "". */
static const char *
original_rcpt(const struct rcpt *r, const char *parent, struct arena *a)
{
	const char *addr = parent, *copy;
	char orcpt[ORCPT_MAX + 1];

	if (r->orcpt != NULL)
		return r->orcpt;
	if (addr[0] == '\0' && r->target != NULL)
		addr = r->addr;
	if (addr[0] == '\0' || !orcpt_of(addr, orcpt))
		return "";
	copy = arena_copy(a, orcpt);
	return copy == NULL ? "" : copy;
}

/* The host of "host[192.0.2.1]:25". */
static const char *
relay_host(const char *relay, struct arena *a)
{
	const char *host =
	    arena_printf(a, "%.*s", (int)strcspn(relay, "["), relay);

	return host == NULL ? "" : host;
}

/* struct dsn_rcpt.server: of a route that names a host, that one; of one with
 * several, who was asked last. */
static const char *
server_of(const struct index_rcpt *row, struct arena *a)
{
	char host[DOMAIN_MAX + 1];
	const char *copy;

	if (strncmp(row->route, "mx:", 3) == 0 || row->route[0] == '\0' ||
	    way_delivers(row->route))
		return "";
	if (dest_of_route(row->route, host)[0] == '\0')
		return relay_host(row->relay, a);
	copy = arena_copy(a, host);
	return copy == NULL ? "" : copy;
}

/* It went nowhere else: a mailbox took it, or a list with an owner. */
static bool
was_here(const struct index_rcpt *row)
{
	return way_delivers(row->route) ||
	    (row->state == RCPT_DELIVERED_OWED && row->last.verdict == DONE &&
		row->route[0] == '\0' && row->relay[0] == '\0');
}

static void
fill_rcpts(struct queue *qu, const struct notice *no, struct index_rcpt *rows,
    struct dsn_rcpt *rcpts, struct arena *a)
{
	const char *parent = msg_of(qu, no->msg);
	const struct rcpt *r;
	uint32_t i = 0;

	TAILQ_FOREACH(r, &no->rcpts, entry) {
		rcpt_row(qu, r, &rows[i]);
		rcpts[i].addr =
		    r->state == RCPT_EXPANDED_OWED ? r->addr : rcpt_target(r);
		rcpts[i].orcpt = original_rcpt(r, parent, a);
		rcpts[i].expanded = r->state == RCPT_EXPANDED_OWED;
		rcpts[i].here = was_here(&rows[i]);
		rcpts[i].until = schedule_end(qu, no->msg, r->ttl);
		rcpts[i].relay = rows[i].relay;
		rcpts[i].server = server_of(&rows[i], a);
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
		.warned = no->kind != DSN_DELAYED ?
		    0 :
		    backoff_warn_last(qu->p.conf->warn, m->arrived / 1000000,
			now_sec()),
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

/* ---- durable ---- */

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
		settles[i].state = bounce_told_state(no->kind, r->state);
		i++;
	}
	return tx_commit_ours(qu, tx, settles, no->n);
}

bool
bounce_make(struct queue *qu, const struct notice *no, struct tx *tx)
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
