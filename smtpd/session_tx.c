/*
 * The talk with lookup and queue about one message.  Runs in session.  Says
 * no 250 before the queue has said DONE, and no 451 while the queue might
 * still deliver what it was asked to commit.
 *
 *   step_judge     rcpt_ask -> rcpt_is
 *   step_want_file tx_open, tx_rcpt ..., tx_data -> tx_file
 *   step_finish    tx_commit -> tx_done
 *   tx_drop        tx_abort -> tx_gone
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
#include "session_guard.h"
#include "session_step.h"
#include "session_verify.h"

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
	s->tx.marks = s->facts.flags & TX_MARKS;
}

void
tx_reset(struct session *s)
{
	struct tx *tx = &s->tx;

	ipc_cancel(&tx->ask);
	timer_clear(&tx->again);
	data_end(s);
	session_verify_free(s);
	if (tx->sender != NULL)
		s->facts.flags = (s->facts.flags & ~TX_MARKS) | tx->marks;
	arena_free(&tx->arena);
	*tx = (struct tx){ .fd = -1 };
}

bool
tx_is_open(const struct session *s)
{
	return s->tx.id != 0 || s->tx.opened;
}

/* ---- a recipient ---- */

static bool
keep_rcpt(struct tx *tx)
{
	struct rcpt *r = arena_alloc(&tx->arena, sizeof *r);

	if (r == NULL || (r->addr = arena_copy(&tx->arena, tx->asked)) == NULL)
		return false;
	r->orcpt = "";
	r->notify = tx->asked_params.notify;
	if (tx->asked_params.orcpt[0] != '\0' &&
	    (r->orcpt = arena_copy(&tx->arena, tx->asked_params.orcpt)) == NULL)
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
	bool yes = m != NULL && m->outcome.verdict == DONE;

	if (yes && (s->tx.n_rcpt == 0 || m->rules == s->tx.rules)) {
		s->tx.asked_rules = m->rules;
		session_go_on(s);
		return;
	}
	if (m == NULL)
		session_reply(s, REPLY_LOCAL_ERROR, NULL);
	else if (yes)
		session_reply(s, REPLY_SEPARATELY, NULL);
	else {
		session_say(s, &m->outcome);
		if (m->outcome.verdict == NEVER)
			session_did(s, DID_UNKNOWN, 1);
	}
	session_stop_steps(s);
	session_run(s);
}

enum step
step_judge(struct session *s)
{
	struct ipc_chan *lookup =
	    proc_chan(&s->server->proc, PROC_LOOKUP, (unsigned int)s->id);
	struct rcpt_ask m;

	if (lookup == NULL) {
		session_reply(s, REPLY_LOCAL_ERROR, NULL);
		return STEP_STOP;
	}
	memset(&m, 0, sizeof m);
	m.facts = s->facts;
	memcpy(m.sender, s->tx.sender, strlen(s->tx.sender) + 1);
	memcpy(m.rcpt, s->tx.asked, sizeof m.rcpt);
	rcpt_ask_ask(lookup, &s->ask, &m, on_rcpt_is, s, JUDGE_MS);
	return STEP_WAIT;
}

enum step
step_rcpt_taken(struct session *s)
{
	if (!keep_rcpt(&s->tx)) {
		session_reply(s, REPLY_NO_MEMORY, NULL);
		return STEP_STOP;
	}
	s->tx.rules = s->tx.asked_rules;
	session_reply(s, REPLY_RCPT_OK, NULL);
	session_did(s, DID_RCPT, 1);
	session_enter(s, ST_RCPT);
	return STEP_ON;
}

/* ---- giving it up ---- */

/* The queue has let go of it.  Bytes of a chunk that are still to come are
 * read first, and then the reply is given (RFC 3030 2). */
static void
dropped(struct session *s)
{
	void (*fn)(struct session * s) = s->tx.after_fn;
	struct outcome after = s->tx.after;
	bool bye = s->tx.after_bye;
	uint32_t n = s->tx.after_n;

	if (s->chunk.left > 0 && !bye && !session_gone(s)) {
		tx_reset(s);
		s->tx.after = after;
		s->chunk.waste = true;
		s->chunk.home = ST_READY;
		session_enter(s, ST_BDAT);
		return;
	}
	s->chunk = (struct chunk){ 0 };
	/* Before the reply, which says by SMTPUTF8 what it may hold. */
	if (fn == NULL)
		session_say_n(s, &after, n > 1 ? n : 1);
	tx_reset(s);
	if (session_gone(s))
		session_enter(s, ST_END);
	else
		session_enter(s, bye ? ST_BYE : ST_READY);
	if (fn != NULL && !session_gone(s))
		fn(s);
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
	session_verify_free(s);
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

void
tx_drop_then(struct session *s, void (*fn)(struct session *s))
{
	s->tx.after_fn = fn;
	tx_drop(s, NULL, false);
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
		open.facts.flags &= ~(uint32_t)FACT_VERIFY;
		open.size = tx->size_said;
		memcpy(open.sender, tx->sender, strlen(tx->sender) + 1);
		open.params = tx->params;
		if (!tx_open_send(queue, 0, &open, -1))
			return false;
		tx->opened = true;
		tx->next = STAILQ_FIRST(&tx->rcpts);
	}
	for (; tx->next != NULL; tx->next = STAILQ_NEXT(tx->next, entry)) {
		memset(&rcpt, 0, sizeof rcpt);
		rcpt.tx = tx->number;
		memcpy(rcpt.rcpt, tx->next->addr, strlen(tx->next->addr) + 1);
		rcpt.params.notify = tx->next->notify;
		memcpy(rcpt.params.orcpt, tx->next->orcpt,
		    strlen(tx->next->orcpt) + 1);
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

enum step
step_want_file(struct session *s)
{
	s->tx.patience = loop_msec() + FILE_MS;
	session_enter(s, ST_ASK_FILE);
	talk(s);
	return STEP_ON;
}

/* ---- durable ---- */

static void
accepted(struct session *s)
{
	char id[ID_LEN + 1], session[ID_LEN + 1];
	const struct tx *tx = &s->tx;
	struct outcome o;
	uint32_t n;

	id_print(tx->id, id);
	id_print(s->id, session);
	log_event(tx->id, "accept",
	    "session=%s client=%s proto=%s rcpts=%u size=%" PRIu64 " from=%s",
	    session, s->facts.client[0] == '\0' ? "socket" : s->facts.client,
	    (s->facts.flags & FACT_LMTP) != 0      ? "lmtp" :
		(s->facts.flags & FACT_ESMTP) != 0 ? "esmtp" :
						     "smtp",
	    tx->n_rcpt, tx->content, q(tx->sender));
	session_note(s);
	s->n_mails++;
	s->n_errors = 0;
	s->n_idle = 0;
	n = session_replies(s);
	tx_reset(s);
	session_enter(s, session_gone(s) ? ST_END : ST_READY);
	reply_outcome(&o, REPLY_QUEUED, id);
	session_say_n(s, &o, n);
}

static void
on_tx_done(void *arg, struct ipc_msg *msg)
{
	struct session *s = arg;
	const struct tx_done *m = msg == NULL ? NULL : msg->body;

	s->tx.after_n = session_replies(s);
	if (m == NULL)
		drop_with(s, REPLY_LOCAL_ERROR);
	else if (m->outcome.verdict != DONE)
		tx_drop(s, &m->outcome, false);
	else
		accepted(s);
	session_run(s);
}

enum step
step_finish(struct session *s)
{
	struct tx_commit m;

	memset(&m, 0, sizeof m);
	m.tx = s->tx.number;
	m.id = s->tx.id;
	m.content = s->tx.content;
	m.trace = s->tx.trace;
	m.content_facts = s->tx.data.content | session_content(s);
	m.hold = (s->tx.disposed & DISPOSE_HOLD) != 0;
	s->tx.committed = true;
	session_enter(s, ST_ASK_COMMIT);
	tx_commit_ask(queue_of(s), &s->tx.ask, &m, on_tx_done, s, COMMIT_MS);
	return STEP_ON;
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
