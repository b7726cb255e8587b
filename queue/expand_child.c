/*
 * The child of a recipient that stands for several: its head is what lookup
 * said, its content, trace fields and trailer are the parent's, copied from
 * file to file a piece per turn of the loop.  Runs in the queue process.
 *
 * SPDX-License-Identifier: ISC
 */
#include "expand_priv.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "dsn_param.h"
#include "id.h"
#include "ids.h"
#include "leaf.h"
#include "tx.h"

#define COPY_TURN  ((size_t)256 * 1024) /* bytes, then others' turn */
#define COPY_PIECE 65536 /* bytes in memory, where the kernel cannot copy */

/* ---- what it inherits ---- */

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

/* RFC 3461 5.2.1: without an ORCPT, the address that RCPT had; a part has what
 * the list's recipient had. */
static const char *
original(const struct rcpt *r, struct arena *a)
{
	char orcpt[ORCPT_MAX + 1];

	if (r->orcpt != NULL)
		return arena_copy(a, r->orcpt);
	if (leaf_is_part(r->leaf))
		return "";
	orcpt_of(r->addr, orcpt);
	return arena_copy(a, orcpt);
}

/*
 * Who hears of the child, and what its recipients inherit.  RFC 5321 3.9.2: a
 * list has an owner, whom the sender's wishes do not bind (RFC 3461 5.2.7); but
 * a null sender stays one, since a notification that made another could go
 * round for ever.
 */
static void
inherit(struct expansion *e, const struct expand_is *is)
{
	const struct rcpt *of = e->rcpt;
	struct tx *tx = e->tx;
	struct head *h = &tx->head;

	h->rcpt = arena_alloc(&tx->arena, is->total * sizeof *h->rcpt);
	if (is->sender[0] != '\0' && of->msg->sender[0] != '\0') {
		h->sender = arena_copy(&tx->arena, is->sender);
		h->params.body = of->msg->params.body;
		tx->notify = 0;
		tx->orcpt = "";
		return;
	}
	h->sender = of->msg->sender;
	h->params = of->msg->params;
	tx->notify = inherited_notify(of, is->total);
	tx->orcpt = original(of, &tx->arena);
}

/* The next text of a page; NULL: it is longer than max. */
static const char *
next_text(const char **p, const char *end, size_t max)
{
	const char *text = *p;
	size_t len = strnlen(text, (size_t)(end - text));

	if (text + len == end || len > max)
		return NULL;
	*p = text + len + 1;
	return text;
}

/* The id of its child comes behind the leaf of a part. */
static bool
is_too_long(const char *leaf)
{
	return leaf_is_part(leaf) && strlen(leaf) > LEAF_TEXT_MAX - LEAF_ID_LEN;
}

const char *
expand_add(struct expansion *e, const struct expand_is *is)
{
	struct tx *tx = e->tx;
	struct head *h = &tx->head;
	const char *p = is->text, *end = is->text + sizeof is->text;
	/* Who was told of a delay is not told of the same again. */
	char state = e->rcpt->state == RCPT_WARNED ? RCPT_WARNED : RCPT_WAITING;
	const char *addr, *leaf;
	uint32_t i;

	if (h->rcpt == NULL)
		inherit(e, is);
	for (i = 0; i < is->n; i++) {
		addr = next_text(&p, end, ADDR_MAX);
		if (addr == NULL || addr[0] == '\0')
			return "an address of a wrong length";
		leaf = next_text(&p, end, LEAF_TEXT_MAX);
		if (leaf == NULL || is_too_long(leaf))
			return "a leaf of a wrong length";
		h->rcpt[h->n_rcpt++] = (struct head_rcpt){ .state = state,
			.addr = arena_copy(&tx->arena, addr),
			.notify = tx->notify,
			.orcpt = tx->orcpt,
			.leaf = leaf[0] == '\0' ?
			    "" :
			    arena_copy(&tx->arena, leaf) };
	}
	return NULL;
}

/* RFC 3461 5.2.7, RFC 3464 2.3.3: one address in place of another inherits
 * NOTIFY, and the sender hears of it from there on; of several he is told that
 * they are, and hears of no success of theirs; a list with an owner has taken
 * it, and that was all. */
char
expand_state(const struct rcpt *r, uint32_t n_rcpt, const char *sender)
{
	if (!bounce_confirms(r->msg, r->notify))
		return RCPT_EXPANDED;
	if (strcmp(r->msg->sender, sender) != 0)
		return RCPT_DELIVERED_OWED;
	return n_rcpt != 1 ? RCPT_EXPANDED_OWED : RCPT_EXPANDED;
}

/* ---- making it durable ---- */

/* All of it is in tmp/. */
static void
commit(struct expansion *e)
{
	struct queue *qu = e->queue;
	struct rcpt *r = e->rcpt;
	struct tx *tx = e->tx;
	const struct head *h = &tx->head;
	const struct spool_settle settle = { .id = r->msg->id,
		.n = r->n,
		.off = r->off,
		.state = expand_state(r, h->n_rcpt, h->sender) };

	if (!tx_commit_ours(qu, tx, &settle, 1)) {
		expand_later(e, "4.3.0", "nothing can be stored now");
		return;
	}
	close(e->from);
	expand_free(e);
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
			expand_later(e, "4.3.0",
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

/* Each part of a list has the id of its child from now on. */
static void
give_ids(struct tx *tx)
{
	struct head *h = &tx->head;
	char id[ID_LEN + 1];
	uint32_t i;

	for (i = 0; i < h->n_rcpt; i++) {
		if (leaf_is_part(h->rcpt[i].leaf))
			h->rcpt[i].leaf = arena_printf(&tx->arena, "%s %s",
			    h->rcpt[i].leaf, id_print(ids_fresh(tx), id));
	}
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
	/* What its content is known for is in the trailer, which it has too. */
	h->facts = *m->facts;
	h->facts.flags |= FACT_EXPANDED;
	if (leaf_is_part(e->rcpt->leaf))
		h->facts.flags += FACT_DEPTH_ONE;
	h->of.id = m->id;
	h->of.n = e->rcpt->n;
	h->of.addr = leaf_is_part(e->rcpt->leaf) ?
	    msg_of(e->queue, e->rcpt->msg) :
	    e->rcpt->addr;
	if (h->of.addr[0] == '\0')
		return "its file could not be read";
	give_ids(tx);
	tx->fd = spool_create(s, h);
	if (tx->fd == -1 && errno == EEXIST) {
		/* What a crash left of an earlier try. */
		spool_abort(s, h->id);
		tx->fd = spool_create(s, h);
	}
	return tx->fd == -1 ? strerror(errno) : open_parent(e);
}

void
expand_build(struct expansion *e)
{
	const char *why = make_file(e);

	if (why != NULL)
		expand_later(e, "4.3.0", why);
	else
		copy(e);
}
