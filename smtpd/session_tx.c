/*
 * The talk with lookup and queue about one message.  Runs in session.  Says
 * no 250 before the queue has said DONE, and no 451 while the queue might
 * still deliver what it was asked to commit.
 *
 *   tx_judge      rcpt_ask -> rcpt_is
 *   tx_want_file  tx_open, tx_rcpt ..., tx_data -> tx_file
 *   tx_finish     tx_commit -> tx_done
 *   tx_drop       tx_abort -> tx_gone
 *
 * When the queue is lost, ipc.c asks the open tx_commit and tx_abort again;
 * what led to a tx_data is said again from the top, to the queue that comes.
 *
 * SPDX-License-Identifier: ISC
 */
#include <inttypes.h>
#include <string.h>

#include "id.h"
#include "log.h"
#include "session.h"

#define TX_MEMORY (1024 * 1024) /* addresses of one message */

/* Statements the queue has not yet read: from here on, wait. */
#define OUT_HIGH 512

/*
 * RFC 5321 4.5.3.2: a client waits 5 minutes for RCPT, 2 for DATA and 10
 * after the dot.  Each of ours ends before.
 */
#define JUDGE_MS  60000
#define FILE_MS   90000
#define COMMIT_MS 300000
#define ABORT_MS  120000
#define AGAIN_MS  100

static struct ipc_chan *
queue_of(struct session *s)
{
	return proc_chan(&s->server->proc, PROC_QUEUE, 0);
}

/* ---- begin and end ---- */

void
tx_begin(struct session *s)
{
	tx_reset(s);
	arena_init(&s->tx.arena, TX_MEMORY);
	STAILQ_INIT(&s->tx.rcpts);
}

void
tx_reset(struct session *s)
{
	struct tx *tx = &s->tx;

	ipc_cancel(&tx->ask);
	timer_clear(&tx->again);
	data_end(s);
	arena_free(&tx->arena);
	*tx = (struct tx){ .fd = -1 };
}

/* ---- a recipient ---- */

static bool
keep_rcpt(struct tx *tx)
{
	struct rcpt *r = arena_alloc(&tx->arena, sizeof *r);

	if (r == NULL || (r->addr = arena_copy(&tx->arena, tx->asked)) == NULL)
		return false;
	STAILQ_INSERT_TAIL(&tx->rcpts, r, entry);
	tx->n_rcpt++;
	return true;
}

static void
on_rcpt_is(void *arg, struct ipc_msg *msg)
{
	struct session *s = arg;
	const struct rcpt_is *m = msg == NULL ? NULL : msg->body;

	if (m == NULL)
		session_reply(s, REPLY_LOCAL_ERROR, NULL);
	else if (m->outcome.verdict != DONE)
		session_say(s, &m->outcome);
	else if (!keep_rcpt(&s->tx))
		session_reply(s, REPLY_NO_MEMORY, NULL);
	else
		session_reply(s, REPLY_RCPT_OK, NULL);
	session_enter(s, s->tx.n_rcpt > 0 ? ST_RCPT : ST_MAIL);
	session_run(s);
}

void
tx_judge(struct session *s)
{
	struct ipc_chan *lookup =
	    proc_chan(&s->server->proc, PROC_LOOKUP, (unsigned int)s->id);
	struct rcpt_ask m;

	if (lookup == NULL) {
		session_reply(s, REPLY_LOCAL_ERROR, NULL);
		return;
	}
	memset(&m, 0, sizeof m);
	m.facts = s->facts;
	memcpy(m.sender, s->tx.sender, strlen(s->tx.sender) + 1);
	memcpy(m.rcpt, s->tx.asked, sizeof m.rcpt);
	session_enter(s, ST_ASK_RCPT);
	rcpt_ask_ask(lookup, &s->tx.ask, &m, on_rcpt_is, s, JUDGE_MS);
}

/* ---- giving it up ---- */

static void
dropped(struct session *s)
{
	bool bye = s->tx.after_bye;

	session_say(s, &s->tx.after);
	tx_reset(s);
	if (session_gone(s))
		session_enter(s, ST_END);
	else
		session_enter(s, bye ? ST_BYE : ST_READY);
}

static void
on_tx_gone(void *arg, struct ipc_msg *msg)
{
	struct session *s = arg;

	if (msg == NULL && s->tx.committed) {
		/* It may be durable, so that no reply is true: the client
		 * hears none and does what RFC 1047 says of that. */
		log_warn("commit-unknown", "session closes without a reply");
		s->reason = "queue";
		io_close(&s->io);
		session_enter(s, ST_END);
	} else
		dropped(s);
	session_run(s);
}

void
tx_drop(struct session *s, const struct outcome *o, bool bye)
{
	struct tx *tx = &s->tx;
	struct ipc_chan *queue = queue_of(s);
	struct tx_abort m;

	data_end(s);
	timer_clear(&tx->again);
	if (o != NULL)
		tx->after = *o;
	tx->after_bye = bye;
	if (queue == NULL || (tx->id == 0 && !tx->opened)) {
		dropped(s);
		return;
	}
	memset(&m, 0, sizeof m);
	m.tx = tx->number;
	m.id = tx->id;
	session_enter(s, ST_ASK_ABORT);
	tx_abort_ask(queue, &tx->ask, &m, on_tx_gone, s, ABORT_MS);
}

static void
drop_with(struct session *s, enum reply r)
{
	struct outcome o;

	reply_outcome(&o, r, NULL);
	tx_drop(s, &o, false);
}

/* ---- a file ---- */

static void talk(struct session *s);

static void
on_again(void *arg)
{
	struct session *s = arg;

	if (loop_msec() < s->tx.patience && !session_gone(s))
		talk(s);
	else
		drop_with(s, REPLY_LOCAL_ERROR);
	session_run(s);
}

static void
on_tx_file(void *arg, struct ipc_msg *msg)
{
	struct session *s = arg;
	struct tx *tx = &s->tx;
	const struct tx_file *m = msg == NULL ? NULL : msg->body;

	if (m == NULL && loop_msec() + AGAIN_MS < tx->patience) {
		/* The queue was lost: there is nothing there to be dropped. */
		tx->opened = false;
		timer_set(s->server->proc.loop, &tx->again, AGAIN_MS, on_again,
		    s);
		return;
	}
	if (m == NULL)
		drop_with(s, REPLY_LOCAL_ERROR);
	else if (m->outcome.verdict != DONE) {
		tx->opened = false; /* it was told, and has nothing of it */
		tx_drop(s, &m->outcome, false);
	} else {
		tx->id = m->id;
		tx->fd = msg->fd;
		msg->fd = -1;
		if (tx->fd == -1)
			drop_with(s, REPLY_NO_SPACE);
		else if (session_gone(s))
			tx_drop(s, NULL, false);
		else
			data_begin(s);
	}
	session_run(s);
}

/* True: tx_data was asked.  False: the queue is away or has not read what it
 * was told so far; to be called again. */
static bool
say(struct session *s, struct ipc_chan *queue)
{
	struct tx *tx = &s->tx;
	struct tx_open open;
	struct tx_rcpt rcpt;
	struct tx_data data;

	if (queue == NULL || queue->fd == -1)
		return false;
	if (!tx->opened) {
		memset(&open, 0, sizeof open);
		open.tx = tx->number = ++s->server->n_tx;
		open.facts = s->facts;
		open.size = tx->size_said;
		memcpy(open.sender, tx->sender, strlen(tx->sender) + 1);
		if (!tx_open_send(queue, 0, &open, -1))
			return false;
		tx->opened = true;
		tx->next = STAILQ_FIRST(&tx->rcpts);
	}
	for (; tx->next != NULL; tx->next = STAILQ_NEXT(tx->next, entry)) {
		memset(&rcpt, 0, sizeof rcpt);
		rcpt.tx = tx->number;
		memcpy(rcpt.rcpt, tx->next->addr, strlen(tx->next->addr) + 1);
		if (queue->n_out >= OUT_HIGH ||
		    !tx_rcpt_send(queue, 0, &rcpt, -1))
			return false;
	}
	memset(&data, 0, sizeof data);
	data.tx = tx->number;
	tx_data_ask(queue, &tx->ask, &data, on_tx_file, s,
	    tx->patience - loop_msec());
	return true;
}

static void
talk(struct session *s)
{
	if (!say(s, queue_of(s)))
		timer_set(s->server->proc.loop, &s->tx.again, AGAIN_MS,
		    on_again, s);
}

void
tx_want_file(struct session *s)
{
	s->tx.patience = loop_msec() + FILE_MS;
	session_enter(s, ST_ASK_FILE);
	talk(s);
}

/* ---- durable ---- */

static void
accepted(struct session *s)
{
	char id[ID_LEN + 1], session[ID_LEN + 1];
	const struct tx *tx = &s->tx;

	id_print(tx->id, id);
	id_print(s->id, session);
	log_event(tx->id, "accept",
	    "session=%s client=%s proto=%s rcpts=%u size=%" PRIu64 " from=%s",
	    session, s->facts.client[0] == '\0' ? "socket" : s->facts.client,
	    (s->facts.flags & FACT_ESMTP) != 0 ? "esmtp" : "smtp", tx->n_rcpt,
	    tx->data.size, q(tx->sender));
	s->n_mails++;
	s->n_errors = 0;
	s->n_idle = 0;
	tx_reset(s);
	session_enter(s, session_gone(s) ? ST_END : ST_READY);
	session_reply(s, REPLY_QUEUED, id);
}

static void
on_tx_done(void *arg, struct ipc_msg *msg)
{
	struct session *s = arg;
	const struct tx_done *m = msg == NULL ? NULL : msg->body;

	if (m == NULL)
		drop_with(s, REPLY_LOCAL_ERROR);
	else if (m->outcome.verdict != DONE)
		tx_drop(s, &m->outcome, false);
	else
		accepted(s);
	session_run(s);
}

void
tx_finish(struct session *s)
{
	struct tx_commit m;

	memset(&m, 0, sizeof m);
	m.tx = s->tx.number;
	m.id = s->tx.id;
	m.content = s->tx.data.size;
	m.trace = s->tx.trace;
	m.content_facts = s->tx.data.content;
	s->tx.committed = true;
	session_enter(s, ST_ASK_COMMIT);
	tx_commit_ask(queue_of(s), &s->tx.ask, &m, on_tx_done, s, COMMIT_MS);
}

/* ---- the queue comes and goes ---- */

void
tx_queue_up(struct server *srv, struct ipc_chan *queue)
{
	struct session *s;
	struct tx_keep keep;
	struct tx_listed listed;

	TAILQ_FOREACH(s, &srv->sessions, entry) {
		/* What is being given up may be swept. */
		if (s->tx.id == 0 || s->state == ST_ASK_ABORT)
			continue;
		memset(&keep, 0, sizeof keep);
		keep.tx = s->tx.number;
		keep.id = s->tx.id;
		tx_keep_send(queue, 0, &keep, -1);
	}
	memset(&listed, 0, sizeof listed);
	tx_listed_send(queue, 0, &listed, -1);
}

void
tx_queue_down(struct server *srv)
{
	struct session *s;

	TAILQ_FOREACH(s, &srv->sessions, entry)
		s->tx.opened = false;
}
