/*
 * Messages and recipients in the memory of the queue process: only what runs,
 * what is due now, and what the sender is about to be told.  Never waits for
 * anybody.
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

#include "log.h"
#include "spool_read.h"

/* ---- recipients ---- */

static uint64_t
rcpt_key(uint64_t id, uint32_t n)
{
	return id ^ ((uint64_t)n + 1) * 0x9e3779b97f4a7c15u;
}

struct rcpt *
rcpt_find(const struct queue *qu, uint64_t id, uint32_t n)
{
	struct hash_node *node = hash_get(&qu->rcpts, rcpt_key(id, n));
	struct rcpt *r;

	for (; node != NULL; node = hash_more(node)) {
		r = (struct rcpt *)node;
		if (r->msg->id == id && r->n == n)
			return r;
	}
	return NULL;
}

void
rcpt_set_target(struct rcpt *r, const char *addr)
{
	if (r->target == NULL && addr[0] == '\0')
		return;
	free(r->target);
	r->target = addr[0] == '\0' ? NULL : xstrdup(addr);
}

/* What waits comes up at each warning, also between two attempts, as what is
 * parked does.  But one that was asked to wait longer comes up when it is
 * tried. */
static int64_t
warned_until(const struct index_rcpt *row)
{
	if (row->state != RCPT_WARNED || row->next <= row->tried ||
	    (row->parked == PARKED_NOT && row->last.after != 0))
		return row->tried;
	return row->next - 1;
}

struct rcpt *
rcpt_add(struct queue *qu, struct msg *m, const struct index_rcpt *row)
{
	size_t len = strlen(row->addr) + 1, leaf = strlen(row->leaf) + 1;
	struct rcpt *r = xcalloc(1, sizeof *r + len + leaf);

	r->msg = m;
	r->n = row->n;
	r->state = row->state;
	r->attempts = row->attempts;
	r->off = row->off;
	r->tried = row->tried;
	r->warned = warned_until(row);
	r->ttl = row->ttl;
	rcpt_set_target(r, row->target);
	r->notify = row->params.notify;
	if (row->params.orcpt[0] != '\0')
		r->orcpt = xstrdup(row->params.orcpt);
	memcpy(r->addr, row->addr, len);
	r->leaf = memcpy(r->addr + len, row->leaf, leaf);
	hash_add(&qu->rcpts, &r->node, rcpt_key(m->id, r->n));
	m->n_mem++;
	return r;
}

/* Takes r from where it is; at AT_NOWHERE it is in no list. */
static void
rcpt_take(struct queue *qu, struct rcpt *r)
{
	struct job *j = r->job;

	if (r->at == AT_ASKS || r->at == AT_LOOKUP)
		schedule_unask(qu, r);
	if (r->at == AT_UNSAVED)
		result_forget(qu, r);
	if (r->at == AT_EXPANDS)
		expand_forget(qu, r);
	if (r->list != NULL)
		TAILQ_REMOVE(r->list, r, entry);
	r->list = NULL;
	r->job = NULL;
	r->at = AT_NOWHERE;
	if (j != NULL)
		job_lost_rcpt(qu, j);
}

void
rcpt_move(struct queue *qu, struct rcpt *r, struct rcpt_list *list,
    enum rcpt_at at)
{
	rcpt_take(qu, r);
	r->at = at;
	r->list = list;
	if (list != NULL)
		TAILQ_INSERT_TAIL(list, r, entry);
}

/* Forgets it, wherever it is. */
static void
rcpt_drop(struct queue *qu, struct rcpt *r)
{
	rcpt_take(qu, r);
	hash_del(&qu->rcpts, &r->node);
	r->msg->n_mem--;
	free(r->target);
	free(r->orcpt);
	free(r);
	/* Half empty: who waits in the index may come. */
	if (qu->rcpts.n == MEM_RCPTS / 2)
		schedule_kick(qu);
}

void
rcpt_params(const struct rcpt *r, struct rcpt_params *params)
{
	params->notify = r->notify;
	strlcpy(params->orcpt, r->orcpt == NULL ? "" : r->orcpt,
	    sizeof params->orcpt);
}

void
rcpt_row(struct queue *qu, const struct rcpt *r, struct index_rcpt *row)
{
	if (index_get_rcpt(qu->index, r->msg->id, r->n, row) != INDEX_OK) {
		memset(row, 0, sizeof *row);
		row->id = r->msg->id;
		row->n = r->n;
		strlcpy(row->addr, r->addr, sizeof row->addr);
	}
	rcpt_params(r, &row->params);
	strlcpy(row->leaf, r->leaf, sizeof row->leaf);
	row->off = r->off;
	row->state = r->state;
	row->attempts = r->attempts;
	row->tried = r->tried;
	row->ttl = r->ttl;
	strlcpy(row->target, r->target == NULL ? "" : r->target,
	    sizeof row->target);
}

void
rcpt_end(struct queue *qu, struct rcpt *r, char state, struct index_rcpt *row)
{
	struct msg *m = r->msg;
	struct index_rcpt own;

	assert(m->n_open > 0);
	m->n_open--;
	r->state = state;
	/* The last one takes the whole message out of the index. */
	if (m->n_open > 0 && !m->gone) {
		if (row == NULL)
			rcpt_row(qu, r, row = &own);
		row->state = state;
		row->parked = 0;
		row->next = NEVER_DUE;
		schedule_put(qu, row);
		msg_changed(qu, m);
	}
	rcpt_drop(qu, r);
}

void
rcpt_leave(struct queue *qu, struct rcpt *r, const struct index_rcpt *row)
{
	bool gone = r->msg->gone;

	rcpt_drop(qu, r);
	if (!gone)
		schedule_put(qu, row);
}

/* ---- messages ---- */

struct msg *
msg_find(const struct queue *qu, uint64_t id)
{
	return (struct msg *)hash_get(&qu->msgs, id);
}

/* What was found when its content was read is for rules and mailboxes as if it
 * had been known before. */
static void
content_known(struct msg *m)
{
	m->facts->results =
	    (m->content_facts & CONTENT_RESULTS) >> CONTENT_RESULTS_SHIFT;
	if ((m->content_facts & CONTENT_JUNK) != 0)
		m->facts->flags |= FACT_JUNK;
	m->fact_flags = m->facts->flags;
}

struct msg *
msg_add(struct queue *qu, const struct index_msg *im)
{
	size_t len = strlen(im->sender) + 1;
	struct msg *m = xcalloc(1, sizeof *m + len);

	m->queue = qu;
	m->id = im->id;
	m->arrived = im->arrived;
	m->head = im->head;
	m->content = im->content;
	m->trace = im->trace;
	m->sum = im->sum;
	m->content_facts = im->content_facts;
	m->n_rcpt = im->n_rcpt;
	m->n_open = im->n_open;
	m->place = im->place;
	m->fd = -1;
	m->has_signature = im->dkim[0] != '\0';
	m->facts = xcalloc(1, sizeof *m->facts);
	*m->facts = im->facts;
	content_known(m);
	m->params = im->params;
	if (im->of[0] != '\0')
		m->of = xstrdup(im->of);
	memcpy(m->sender, im->sender, len);
	TAILQ_INIT(&m->gather);
	TAILQ_INIT(&m->owed);
	TAILQ_INIT(&m->good);
	TAILQ_INIT(&m->late);
	hash_add(&qu->msgs, &m->node, m->id);
	return m;
}

static void
msg_free(struct queue *qu, struct msg *m)
{
	assert(m->n_mem == 0 && m->n_flying == 0 && !m->dirty);
	hash_del(&qu->msgs, &m->node);
	if (m->fd != -1)
		close(m->fd);
	timer_clear(&m->patience);
	free(m->field);
	free(m->of);
	free(m->facts);
	free(m);
}

/* From the file, where the index does not know it: it was full, or is being
 * made again.  False: no such file. */
static bool
load_file(struct queue *qu, uint64_t id)
{
	struct spool_found f = { 0 };
	struct arena a;
	const char *why;
	int fd;

	f.place = SPOOL_NEW;
	fd = spool_file(qu->spool, id, f.place, false);
	if (fd == -1 && errno == ENOENT) {
		f.place = SPOOL_CUR;
		fd = spool_file(qu->spool, id, f.place, false);
	}
	if (fd == -1)
		return false;
	arena_init(&a, SPOOL_ARENA_MAX);
	why = spool_read(fd, id, &a, &f.head, &f.trailer);
	close(fd);
	if (why != NULL)
		spool_corrupt(qu->spool, id, f.place, why);
	else if (restore_open(&f.head) > 0)
		restore_file(qu, &f, true);
	else
		why = "all done";
	arena_free(&a);
	return why == NULL;
}

struct msg *
msg_load(struct queue *qu, uint64_t id)
{
	struct msg *m = msg_find(qu, id);
	struct index_msg im;

	if (m != NULL)
		return m->gone ? NULL : m;
	if (index_get_msg(qu->index, id, &im) == INDEX_OK)
		return msg_add(qu, &im);
	if (!load_file(qu, id) || index_get_msg(qu->index, id, &im) != INDEX_OK)
		return NULL;
	return msg_add(qu, &im);
}

const char *
msg_of(struct queue *qu, struct msg *m)
{
	struct head h = { 0 };
	struct arena a;
	int fd;

	if (m->of != NULL)
		return m->of;
	if ((m->fact_flags & FACT_EXPANDED) == 0 ||
	    (fd = msg_open(qu, m, false)) == -1)
		return "";
	arena_init(&a, SPOOL_ARENA_MAX);
	if (spool_read_head(fd, &a, &h) != NULL || h.of.addr == NULL)
		h.of.addr = "";
	m->of = xstrdup(h.of.addr);
	arena_free(&a);
	close(fd);
	return m->of;
}

void
msg_changed(struct queue *qu, struct msg *m)
{
	if (!m->dirty && !m->gone) {
		m->dirty = true;
		TAILQ_INSERT_TAIL(&qu->dirty, m, dirty_entry);
	}
	queue_changed(qu);
}

static void
not_dirty(struct queue *qu, struct msg *m)
{
	if (m->dirty)
		TAILQ_REMOVE(&qu->dirty, m, dirty_entry);
	m->dirty = false;
}

static bool
is_unused(const struct msg *m)
{
	return m->n_mem == 0 && m->n_flying == 0 && m->dsn == NULL && !m->dirty;
}

void
msg_store(struct queue *qu)
{
	struct index_msg im;
	struct msg *m;

	while ((m = TAILQ_FIRST(&qu->dirty)) != NULL) {
		not_dirty(qu, m);
		if (index_get_msg(qu->index, m->id, &im) == INDEX_OK) {
			im.n_open = m->n_open;
			im.place = (uint8_t)m->place;
			if (m->field != NULL)
				strlcpy(im.dkim, m->field, sizeof im.dkim);
			queue_index_ok(qu, index_put_msg(qu->index, &im));
		}
		free(m->field);
		m->field = NULL;
		if (is_unused(m))
			msg_free(qu, m);
	}
}

int
msg_open(struct queue *qu, struct msg *m, bool write)
{
	enum spool_place other = m->place == SPOOL_NEW ? SPOOL_CUR : SPOOL_NEW;
	int fd = spool_file(qu->spool, m->id, m->place, write);

	if (fd != -1 || errno != ENOENT)
		return fd;
	fd = spool_file(qu->spool, m->id, other, write);
	if (fd != -1) {
		m->place = other;
		msg_changed(qu, m);
	}
	return fd;
}

int
msg_fd(struct queue *qu, struct msg *m)
{
	if (m->fd == -1)
		m->fd = msg_open(qu, m, true);
	return m->fd;
}

/* Every recipient is at its end. */
static void
msg_finish(struct queue *qu, struct msg *m)
{
	not_dirty(qu, m);
	m->gone = true;
	spool_gone(qu->spool, m->id, m->place);
	queue_index_ok(qu, index_del_msg(qu->index, m->id));
	queue_changed(qu);
	log_event(m->id, "removed", "rcpts=%u age=%lld", m->n_rcpt,
	    (long long)((now_usec() - m->arrived) / 1000000));
}

void
msg_settle(struct queue *qu, struct msg *m)
{
	if (m->n_asking == 0)
		job_ready(qu, m);
	if (!m->gone)
		bounce_check(qu, m);
	if (m->n_open == 0 && !m->gone)
		msg_finish(qu, m);
	if (m->n_flying == 0 && m->fd != -1) {
		close(m->fd);
		m->fd = -1;
	}
	if (is_unused(m))
		msg_free(qu, m);
}

/* Drops what memory has of m in a list. */
static void
drop_all(struct queue *qu, struct rcpt_list *list)
{
	struct rcpt *r;

	while ((r = TAILQ_FIRST(list)) != NULL)
		rcpt_drop(qu, r);
}

void
msg_damaged(struct queue *qu, struct msg *m, const char *why)
{
	uint64_t id = m->id;
	struct rcpt *r;
	uint32_t n;

	if (why != NULL)
		spool_corrupt(qu->spool, id, m->place, why);
	else
		log_event(id, "corrupt", "why=%s", q("its file is gone"));
	queue_index_ok(qu, index_del_msg(qu->index, id));
	queue_changed(qu);
	not_dirty(qu, m);
	m->gone = true;
	drop_all(qu, &m->owed);
	drop_all(qu, &m->good);
	drop_all(qu, &m->late);
	for (n = 0; n < m->n_rcpt && m->n_mem > 0; n++) {
		r = rcpt_find(qu, id, n);
		/* In a notification: that one still needs it. */
		if (r != NULL && r->at != AT_DSN)
			rcpt_drop(qu, r);
	}
	msg_settle(qu, m);
}
