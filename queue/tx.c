/*
 * Transactions: a session's message becomes a file under an id that is given
 * out here alone, is made durable, and only then acknowledged.  Our own
 * notifications take the same way.  Runs in the queue process; never reads
 * content.
 *
 * SPDX-License-Identifier: ISC
 */
#include "tx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ids.h"
#include "log.h"

#define TX_MAX     20000              /* open at once, over all sessions */
#define TX_BYTES   (64 * 1024 * 1024) /* of their recipients */
#define ID_TRIES   1000
#define SWEEP_MSEC 10000 /* for sessions to say what they still write */

/* What the commit's work is a member of. */
static struct tx *
tx_of_work(struct spool_work *w)
{
	return (struct tx *)((char *)w - offsetof(struct tx, work));
}

static uint64_t
number_key(uint32_t instance, uint64_t number)
{
	return number ^ (uint64_t)instance << 56;
}

static struct tx *
tx_find(const struct queue *qu, uint32_t instance, uint64_t number)
{
	struct hash_node *node;
	struct tx *tx;

	node = hash_get(&qu->tx_numbers, number_key(instance, number));
	for (; node != NULL; node = hash_more(node)) {
		tx = (struct tx *)node;
		if (tx->instance == instance && tx->number == number)
			return tx;
	}
	return NULL;
}

bool
tx_has_id(const struct queue *qu, uint64_t id)
{
	return hash_get(&qu->tx_ids, id) != NULL;
}

static struct tx *
tx_new(struct queue *qu, uint32_t instance, uint64_t number)
{
	struct tx *tx = xcalloc(1, sizeof *tx);

	tx->queue = qu;
	tx->instance = instance;
	tx->number = number;
	tx->fd = -1;
	arena_init(&tx->arena, 0);
	TAILQ_INIT(&tx->rcpts);
	hash_add(&qu->tx_numbers, &tx->by_number, number_key(instance, number));
	TAILQ_INSERT_TAIL(&qu->tx_of[instance], tx, entry);
	qu->n_tx++;
	return tx;
}

void
tx_set_id(struct tx *tx, uint64_t id)
{
	tx->head.id = id;
	hash_add(&tx->queue->tx_ids, &tx->by_id, id);
}

void
tx_free(struct tx **txp)
{
	struct tx *tx = *txp;
	struct queue *qu = tx->queue;

	*txp = NULL;
	TAILQ_REMOVE(&qu->tx_of[tx->instance], tx, entry);
	hash_del(&qu->tx_numbers, &tx->by_number);
	if (tx->head.id != 0)
		hash_del(&qu->tx_ids, &tx->by_id);
	if (tx->fd != -1)
		close(tx->fd);
	qu->n_tx--;
	qu->tx_bytes -= tx->bytes;
	free(tx->rcpt);
	arena_free(&tx->arena);
	free(tx);
}

/* Nothing is left of it. */
static void
tx_drop(struct tx **txp)
{
	if ((*txp)->head.id != 0)
		spool_abort((*txp)->queue->spool, (*txp)->head.id);
	tx_free(txp);
}

/* ---- it begins ---- */

/* What a session says of a message is in the range of its type, or unsaid. */
static void
check_params(struct mail_params *params)
{
	if (params->body > BODY_BINARYMIME)
		params->body = BODY_UNSAID;
	if (params->ret > RET_HDRS)
		params->ret = RET_UNSAID;
}

void
tx_on_open(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;
	const struct tx_open *m = msg->body;
	struct tx *tx = tx_find(qu, from->instance, m->tx);

	if (tx != NULL && tx->state >= TX_ST_FLUSH)
		return; /* a number used twice: the old one is being kept */
	if (tx != NULL)
		tx_drop(&tx);
	/* tx_data will find nothing, and say 452. */
	if (qu->n_tx >= TX_MAX || qu->tx_bytes >= TX_BYTES)
		return;
	tx = tx_new(qu, from->instance, m->tx);
	tx->facts = m->facts;
	/* Only we make notifications, and children; results are found later,
	 * and kept in the trailer. */
	tx->facts.flags &=
	    ~(uint32_t)(FACT_OURS | FACT_EXPANDED | FACT_DEPTH | FACT_VERIFY);
	tx->facts.results = 0;
	tx->size = m->size;
	tx->head.params = m->params;
	check_params(&tx->head.params);
	tx->head.sender = arena_copy(&tx->arena, m->sender);
}

static uint8_t
check_notify(uint8_t notify)
{
	if ((notify & NOTIFY_NEVER) != 0)
		return NOTIFY_NEVER;
	return notify & (NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY);
}

static bool
add_rcpt(struct tx *tx, const struct tx_rcpt *m)
{
	struct head *h = &tx->head;
	size_t bytes =
	    strlen(m->rcpt) + strlen(m->params.orcpt) + sizeof *tx->rcpt;

	if (h->n_rcpt >= RCPT_MAX || tx->queue->tx_bytes + bytes > TX_BYTES)
		return false;
	if (h->n_rcpt == tx->rcpt_room) {
		tx->rcpt_room = tx->rcpt_room == 0 ? 4 : tx->rcpt_room * 2;
		tx->rcpt = xrealloc(tx->rcpt, tx->rcpt_room, sizeof *tx->rcpt);
	}
	tx->rcpt[h->n_rcpt++] = (struct head_rcpt){ .state = RCPT_WAITING,
		.addr = arena_copy(&tx->arena, m->rcpt),
		.notify = check_notify(m->params.notify),
		.orcpt = m->params.orcpt[0] == '\0' ?
		    "" :
		    arena_copy(&tx->arena, m->params.orcpt) };
	h->rcpt = tx->rcpt;
	tx->bytes += bytes;
	tx->queue->tx_bytes += bytes;
	return true;
}

void
tx_on_rcpt(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;
	const struct tx_rcpt *m = msg->body;
	struct tx *tx = tx_find(qu, from->instance, m->tx);

	if (tx == NULL || tx->state != TX_ST_OPEN)
		return;
	if (!add_rcpt(tx, m))
		tx->refused = "too many recipients";
}

/* ---- a file for it ---- */

/* -1 and errno. */
static int
create_file(struct queue *qu, struct tx *tx)
{
	int fd, tries;

	tx->head.facts = tx->facts;
	for (tries = 0; tries < ID_TRIES; tries++) {
		tx->head.id = ids_next(qu, tx->head.n_rcpt);
		tx->head.arrived = now_usec();
		fd = spool_create(qu->spool, &tx->head);
		if (fd != -1) {
			tx_set_id(tx, tx->head.id);
			return fd;
		}
		tx->head.id = 0;
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

/* NULL, or why a message cannot be taken now. */
static const char *
make_file(struct queue *qu, struct tx *tx)
{
	const char *why = NULL;

	if (tx == NULL)
		return "too many messages at once";
	if (tx->refused != NULL)
		return tx->refused;
	if (tx->head.n_rcpt == 0)
		return "no recipient";
	if (qu->behind)
		return "the index is full";
	if (!spool_accepts(qu->spool, tx->size, &why))
		return why;
	if ((tx->fd = create_file(qu, tx)) == -1) {
		log_warn("create", "error=%s", q(strerror(errno)));
		return "no file can be made";
	}
	return NULL;
}

void
tx_on_data(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;
	const struct tx_data *m = msg->body;
	struct tx *tx = tx_find(qu, from->instance, m->tx);
	struct tx_file file;
	const char *why;

	/* The session begins again with the queue that comes. */
	if (qu->stopping || (tx != NULL && tx->state != TX_ST_OPEN))
		return;
	memset(&file, 0, sizeof file);
	why = make_file(qu, tx);
	if (why != NULL) {
		outcome_set(&file.outcome, LATER, WIDTH_MESSAGE, 452, "4.3.1",
		    "%s", why);
		tx_file_send(from, msg->id, &file, -1);
		if (tx != NULL)
			tx_free(&tx);
		return;
	}
	tx->state = TX_ST_FILE;
	file.id = tx->head.id;
	file.head = tx->head.len;
	outcome_set(&file.outcome, DONE, WIDTH_MESSAGE, 354, NULL, "go on");
	tx_file_send(from, msg->id, &file, tx->fd);
}

/* ---- durable ---- */

static void
say_done(struct ipc_chan *c, uint64_t question, bool ok, const char *text)
{
	struct tx_done done;

	memset(&done, 0, sizeof done);
	if (ok)
		outcome_set(&done.outcome, DONE, WIDTH_MESSAGE, 250, "2.0.0",
		    "%s", text);
	else
		outcome_set(&done.outcome, LATER, WIDTH_MESSAGE, 451, "4.3.0",
		    "%s", text);
	tx_done_send(c, question, &done, -1);
}

static void
say_gone(struct ipc_chan *c, uint64_t question, uint64_t id)
{
	struct tx_gone gone = { .id = id };

	tx_gone_send(c, question, &gone, -1);
}

static void
on_flushed(struct spool_work *w, bool ok)
{
	struct tx *tx = tx_of_work(w);
	struct queue *qu = tx->queue;

	qu->n_flushing--;
	tx->ok = ok;
	tx->state = TX_ST_ANSWER;
	if (ok && tx->aborted)
		spool_gone(qu->spool, tx->head.id, SPOOL_NEW);
	else if (ok)
		schedule_fresh(qu, &tx->head, &tx->trailer, SPOOL_NEW);
	TAILQ_INSERT_TAIL(&qu->answers, tx, answer);
	queue_changed(qu);
}

void
tx_answer(struct queue *qu)
{
	struct ipc_chan *c;
	struct tx *tx;

	while ((tx = TAILQ_FIRST(&qu->answers)) != NULL) {
		TAILQ_REMOVE(&qu->answers, tx, answer);
		if (tx->instance == TX_OURS) {
			tx->told(qu, tx, tx->ok);
			continue;
		}
		c = qu->p.peer[PROC_SESSION][tx->instance];
		if (c != NULL && !tx->orphan && tx->aborted)
			say_gone(c, tx->question, tx->head.id);
		else if (c != NULL && !tx->orphan)
			say_done(c, tx->question, tx->ok,
			    tx->ok ? "queued" : "it could not be stored");
		tx_free(&tx);
	}
}

/* NULL if what the session says it wrote is there, or why not. */
static const char *
check_trailer(struct tx *tx, uint64_t content, uint64_t trace)
{
	char text[TRAILER_LEN];
	uint64_t off;
	const char *why;

	if (__builtin_add_overflow(content, trace, &off) ||
	    __builtin_add_overflow(off, tx->head.len, &off) || off >> 62 != 0)
		return "lengths that cannot be";
	if (pread(tx->fd, text, sizeof text, (off_t)off) != sizeof text)
		return "the file is cut off";
	why = trailer_parse(text, sizeof text, &tx->trailer);
	if (why != NULL)
		return why;
	if (tx->trailer.content != content || tx->trailer.trace != trace)
		return "the trailer says otherwise";
	return NULL;
}

static bool
was_committed(struct queue *qu, uint64_t id)
{
	struct index_msg im;

	return index_get_msg(qu->index, id, &im) == INDEX_OK ||
	    spool_was_committed(qu->spool, id);
}

/* A file of before our start: its session says that it is finished. */
static bool
reopen(struct queue *qu, struct tx *tx)
{
	uint64_t id = tx->head.id;

	tx->fd = spool_reopen(qu->spool, id, &tx->arena, &tx->head);
	if (tx->fd == -1 || tx->head.id != id) {
		tx->head.id = id; /* it stands in the hash under this one */
		return false;
	}
	return true;
}

void
tx_on_commit(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;
	const struct tx_commit *m = msg->body;
	struct tx *tx = tx_find(qu, from->instance, m->tx);
	const char *why = NULL;

	if (qu->stopping)
		return; /* the next queue is asked again */
	if (tx != NULL && tx->head.id == m->id && tx->state >= TX_ST_FLUSH) {
		tx->question = msg->id; /* asked again: one answer is enough */
		return;
	}
	if (tx == NULL || tx->head.id != m->id || tx->state == TX_ST_KEPT) {
		if (was_committed(qu, m->id)) {
			say_done(from, msg->id, true, "queued");
			if (tx != NULL && tx->head.id == m->id)
				tx_free(&tx);
			return;
		}
	}
	if (tx == NULL && !qu->swept && !tx_has_id(qu, m->id) &&
	    m->id < qu->first_id) {
		tx = tx_new(qu, from->instance, m->tx);
		tx_set_id(tx, m->id);
		tx->state = TX_ST_KEPT;
	}
	if (tx == NULL || tx->head.id != m->id || tx->state == TX_ST_OPEN) {
		say_done(from, msg->id, false, "that message is not known");
		return;
	}
	if (tx->state == TX_ST_KEPT && !reopen(qu, tx))
		why = "it was not whole after a restart";
	if (why == NULL)
		why = check_trailer(tx, m->content, m->trace);
	if (why == NULL && m->hold != 0 && !spool_hold(tx->fd, &tx->head))
		why = "it could not be stored";
	if (why == NULL) {
		tx->work.fn = on_flushed;
		tx->question = msg->id;
		tx->state = TX_ST_FLUSH;
		qu->n_flushing++;
		if (spool_commit(qu->spool, &tx->work, tx->head.id, tx->fd,
			NULL, 0))
			return;
		qu->n_flushing--;
		why = "it could not be stored";
	}
	log_event(m->id, "refused", "why=%s", q(why));
	say_done(from, msg->id, false, why);
	tx_drop(&tx);
}

/* ---- given up ---- */

void
tx_on_abort(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;
	const struct tx_abort *m = msg->body;
	struct tx *tx = tx_find(qu, from->instance, m->tx);

	if (tx != NULL && tx->state == TX_ST_FLUSH) {
		tx->aborted = true;
		tx->question = msg->id;
		return;
	}
	if (tx != NULL && tx->state != TX_ST_ANSWER)
		tx_drop(&tx);
	else if (tx == NULL && m->id != 0 && !qu->swept &&
	    m->id < qu->first_id && !tx_has_id(qu, m->id) &&
	    !was_committed(qu, m->id))
		spool_abort(qu->spool, m->id);
	say_gone(from, msg->id, m->id);
}

/* ---- after our restart ---- */

static bool
keep(void *arg, uint64_t id)
{
	return tx_has_id(arg, id);
}

static void
sweep(void *arg)
{
	struct queue *qu = arg;

	timer_clear(&qu->sweep);
	qu->swept = true;
	spool_sweep(qu->spool, qu->first_id, keep, qu);
}

/* Each session process that was here when we came has said what it writes;
 * who comes later has just begun to live and writes nothing. */
static void
look_listed(struct queue *qu)
{
	const struct ipc_chan *c;
	uint32_t i;

	for (i = 0; i < PROC_MAX; i++) {
		c = qu->p.peer[PROC_SESSION][i];
		if (c != NULL && c->fd != -1 && !qu->session_listed[i])
			return;
	}
	if (!qu->swept)
		sweep(qu);
}

void
tx_on_keep(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;
	const struct tx_keep *m = msg->body;
	struct tx *tx = tx_find(qu, from->instance, m->tx);

	if (tx != NULL || qu->swept || qu->n_tx >= TX_MAX || m->id == 0 ||
	    m->id >= qu->first_id || tx_has_id(qu, m->id))
		return;
	tx = tx_new(qu, from->instance, m->tx);
	tx_set_id(tx, m->id);
	tx->state = TX_ST_KEPT;
}

void
tx_on_listed(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;

	(void)msg;
	qu->session_listed[from->instance] = true;
	look_listed(qu);
}

/* Its number may be used again by the process that comes. */
static void
orphan(struct queue *qu, struct tx *tx)
{
	tx->orphan = true;
	hash_del(&qu->tx_numbers, &tx->by_number);
	tx->number = tx->head.id;
	hash_add(&qu->tx_numbers, &tx->by_number,
	    number_key(tx->instance, tx->number));
}

void
tx_peer_down(struct queue *qu, struct ipc_chan *c)
{
	struct tx *tx, *next;

	for (tx = TAILQ_FIRST(&qu->tx_of[c->instance]); tx != NULL; tx = next) {
		next = TAILQ_NEXT(tx, entry);
		/* What is being flushed stays: nobody else will send it
		 * again, and twice is better than never. */
		if (tx->state >= TX_ST_FLUSH)
			orphan(qu, tx);
		else
			tx_drop(&tx);
	}
	look_listed(qu);
}

void
tx_start(struct queue *qu)
{
	ids_start(qu);
	timer_set(qu->p.loop, &qu->sweep, SWEEP_MSEC, sweep, qu);
}

/* ---- our own ---- */

bool
tx_is_known(struct queue *qu, uint64_t id)
{
	return tx_has_id(qu, id) || was_committed(qu, id);
}

struct tx *
tx_ours(struct queue *qu, struct msg *about,
    void (*told)(struct queue *qu, struct tx *tx, bool ok))
{
	struct tx *tx = tx_new(qu, TX_OURS, about->id);

	tx->told = told;
	tx->about = about;
	return tx;
}

bool
tx_commit_ours(struct queue *qu, struct tx *tx,
    const struct spool_settle *settles, uint32_t n)
{
	tx->work.fn = on_flushed;
	tx->state = TX_ST_FLUSH;
	qu->n_flushing++;
	if (tx->fresh_last != 0)
		spool_keep_ids(qu->spool, tx->fresh_last);
	if (spool_commit(qu->spool, &tx->work, tx->head.id, tx->fd, settles, n))
		return true;
	qu->n_flushing--;
	return false;
}
