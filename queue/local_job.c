/*
 * Deliveries on this host: spawn starts a process for each, which reads the
 * message from a pipe that we fill and says on another what became of it.  That
 * one outlives spawn and us: who comes after us hears of it from spawn.  Runs
 * in the queue process; decides neither where nor as whom (lookup does).
 *
 * SPDX-License-Identifier: ISC
 */
#include "queue.h"

#include <bsd/string.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flying.h"
#include "local_feed.h"
#include "local_wire.h"
#include "log.h"

#define START_MSEC 30000 /* for spawn to start it */
/* For it to end by itself, or to be killed. */
#define LIFE_MSEC  ((LOCAL_LIFE_MAX + 60) * 1000)
#define AGAIN      10        /* seconds, when we cannot begin it */
#define PIPE_BYTES (1 << 18) /* for a large message */

/* What is found running after a restart, where the index does not say whose
 * route it was. */
#define UNKNOWN_ROUTE "local:"

struct local {
	struct queue *queue;
	struct job *job;
	struct ipc_chan *spawn; /* who was asked; NULL: nobody yet */
	struct ipc_req req;     /* whether it is started */
	int file;               /* the message's, marked as long as this runs */
	struct feed *feed;      /* what is to be written, once it is started */
	int answer;
	struct watch heard;
	struct timer deadline;
	/* struct local_to; its texts stand behind one another */
	uint32_t what, flags, uid, gid;
	char texts[];
};

/* ---- what lookup said ---- */

/* Its texts, in their order here.  Columns: where, how much room. */
static const struct {
	size_t off, size;
} texts[] = {
#define TEXT(field)                                                            \
	{                                                                      \
		offsetof(struct local_to, field),                              \
		    sizeof(((struct local_to *)0)->field)                      \
	}
	TEXT(user),
	TEXT(as),
	TEXT(home),
	TEXT(text),
#undef TEXT
};

#define N_TEXTS (sizeof texts / sizeof texts[0])

void
local_start(struct queue *qu)
{
	if (pipe2(qu->locals.copy, O_CLOEXEC | O_NONBLOCK) == -1)
		proc_fail(&qu->p, "queue: a pipe: %s", strerror(errno));
}

struct local *
local_new(struct queue *qu, struct job *j, const struct local_to *to)
{
	const char *at[N_TEXTS];
	struct local *l;
	size_t i, all = 0, used = 0;

	for (i = 0; i < N_TEXTS; i++) {
		at[i] = (const char *)to + texts[i].off;
		all += strlen(at[i]) + 1;
	}
	l = xcalloc(1, sizeof *l + all);
	l->queue = qu;
	l->job = j;
	l->answer = l->file = -1;
	l->what = to->what;
	l->flags = to->flags;
	l->uid = to->uid;
	l->gid = to->gid;
	for (i = 0; i < N_TEXTS; i++)
		used += strlcpy(l->texts + used, at[i], all - used) + 1;
	return l;
}

static void
fill_to(const struct local *l, struct local_to *to)
{
	const char *text = l->texts;
	size_t i;

	to->what = l->what;
	to->flags = l->flags;
	to->uid = l->uid;
	to->gid = l->gid;
	for (i = 0; i < N_TEXTS; i++)
		text +=
		    strlcpy((char *)to + texts[i].off, text, texts[i].size) + 1;
}

static void
end_feed(struct local *l)
{
	if (l->feed != NULL)
		l->queue->locals.n_fed--;
	feed_free(&l->feed);
}

void
local_free(struct local **lp)
{
	struct local *l = *lp;

	if (l == NULL)
		return;
	ipc_cancel(&l->req);
	timer_clear(&l->deadline);
	watch_clear(&l->heard);
	end_feed(l);
	if (l->answer != -1)
		close(l->answer);
	if (l->file != -1)
		close(l->file);
	if (l->spawn != NULL) {
		l->queue->locals.n--;
		l->queue->locals.held[l->job->trust]--;
	}
	free(l);
	*lp = NULL;
}

static const char *const methods[] = {
#define X(name, word) word,
	CONF_METHODS(X)
#undef X
};

const char *
local_method(const struct queue *qu, const struct job *j)
{
	static const char *const whats[] = { [LOCAL_NONE] = "local",
		[LOCAL_PIPE] = "program",
		[LOCAL_FILE] = "file" };
	uint32_t what = j->local == NULL ? LOCAL_MAILBOX : j->local->what;
	const struct conf *c = qu->p.conf;

	if (what != LOCAL_MAILBOX)
		return what <= LOCAL_FILE ? whats[what] : whats[LOCAL_NONE];
	return j->action < c->action.n ?
	    methods[CONF_ACTION(c, j->action)->method] :
	    "relay";
}

/* ---- its end ---- */

void
local_noted(struct ipc_chan *spawn, uint64_t job)
{
	struct local_noted m;

	memset(&m, 0, sizeof m);
	m.job = job;
	local_noted_send(spawn, 0, &m, -1);
}

/* What the route is to know: who was put off, or a message, is not its
 * trouble. */
static struct outcome
site_of(const struct outcome *o)
{
	struct outcome site = *o;

	if (o->verdict == LATER && o->width < WIDTH_SITE)
		outcome_set(&site, DONE, WIDTH_SITE, 0, NULL, "it works");
	return site;
}

/* This is what became of it. */
static void
ended(struct local *l, const struct outcome *o)
{
	struct queue *qu = l->queue;
	struct job *j = l->job;
	struct way *w = j->turn.way;
	struct rcpt *r = TAILQ_FIRST(&j->rcpts);
	struct msg *m = j->msg;
	struct outcome site = site_of(o);
	const struct result result = { .outcome = o,
		.relay = "",
		.tls = "",
		.method = local_method(qu, j),
		.from = l->spawn,
		.job = j->number };

	if (r != NULL)
		result_record(qu, r, w, &result);
	else /* nobody wants to know any more */
		local_noted(l->spawn, j->number);
	job_free(qu, j);
	msg_settle(qu, m);
	route_ended(qu, w, &site);
	queue_run_soon(qu);
}

/* It was not tried, or came to nothing for no fault of its own. */
static void
again(struct local *l, const char *why)
{
	struct queue *qu = l->queue;
	struct job *j = l->job;
	struct way *w = j->turn.way;
	struct msg *m = j->msg;

	if (l->spawn != NULL)
		local_noted(l->spawn, j->number);
	job_all_again(qu, j, AGAIN, why);
	job_free(qu, j);
	way_undo(&qu->ways, w);
	route_refill_soon(qu, w);
	msg_settle(qu, m);
	queue_run_soon(qu);
}

static void
damaged(struct local *l)
{
	struct queue *qu = l->queue;
	struct job *j = l->job;
	struct way *w = j->turn.way;
	struct msg *m = j->msg;

	local_noted(l->spawn, j->number);
	job_all_again(qu, j, AGAIN, "it is damaged");
	job_free(qu, j);
	way_undo(&qu->ways, w);
	route_refill_soon(qu, w);
	if (m->gone)
		msg_settle(qu, m);
	else
		msg_damaged(qu, m, "its checksum is wrong");
	queue_run_soon(qu);
}

static void __attribute__((format(printf, 2, 3)))
ended_later(struct local *l, const char *fmt, ...)
{
	struct outcome o;
	va_list ap;

	va_start(ap, fmt);
	outcome_vset(&o, LATER, WIDTH_RCPT, 0, "4.3.0", fmt, ap);
	va_end(ap);
	outcome_of_us(&o, CAUSE_SYSTEM, STAGE_CONTENT);
	ended(l, &o);
}

static void
on_deadline(void *arg)
{
	ended_later(arg, "the delivery did not end within %d seconds",
	    LIFE_MSEC / 1000);
}

/* ---- while it runs ---- */

static void
on_fed(void *arg, enum feed_end end)
{
	struct local *l = arg;

	/* Who reads no more has still to say why. */
	end_feed(l);
	if (end == FEED_DAMAGED)
		damaged(l);
	else if (end == FEED_UNREAD)
		again(l, "its file could not be read");
}

/* It comes by one write(2), whole or not at all.  It is looked at and left
 * where it is: spawn has another end of that pipe, for who comes after us if we
 * do not live to record it. */
static void
on_heard(int fd, int what, void *arg)
{
	struct local *l = arg;
	const int *copy = l->queue->locals.copy;
	uint8_t said[sizeof(struct local_says)];
	struct local_says says;
	ssize_t n;

	(void)what;
	n = tee(fd, copy[1], sizeof said, SPLICE_F_NONBLOCK);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		n = read(copy[0], said, sizeof said);
	if (n > 0 && local_says_check(said, (size_t)n, &says))
		ended(l, &says.outcome);
	else
		ended_later(l, "the delivery ended without an answer");
}

/* Takes the answer's pipe over. */
static void
listen_to(struct local *l, int answer)
{
	int flags = fcntl(answer, F_GETFL);

	if (flags != -1)
		fcntl(answer, F_SETFL, flags | O_NONBLOCK);
	l->answer = answer;
	watch_set(l->queue->p.loop, &l->heard, answer, LOOP_READ, on_heard, l);
	timer_set(l->queue->p.loop, &l->deadline, LIFE_MSEC, on_deadline, l);
}

/* ---- its beginning ---- */

static struct ipc_chan *
whom_to_ask(const struct queue *qu)
{
	const struct spawner *s;
	uint32_t i;

	for (i = 0; i < PROC_MAX; i++) {
		s = &qu->locals.spawner[i];
		if (s->serves && s->chan->fd != -1)
			return s->chan;
	}
	return NULL;
}

bool
local_turn(struct queue *qu, struct way **w)
{
	struct way_side *side = &qu->ways.side[WAY_HERE];
	struct way_places places = { .all = LOCAL_MAX };
	bool may[WAY_TRUSTS];
	uint32_t t;

	if (qu->locals.n >= LOCAL_MAX || whom_to_ask(qu) == NULL)
		return false;
	memcpy(places.held, qu->locals.held, sizeof places.held);
	for (t = 0; t < WAY_TRUSTS; t++)
		may[t] = way_share(side, &places, t);
	*w = way_turn(&qu->ways, side, may);
	return *w != NULL;
}

static void
on_is(void *arg, struct ipc_msg *answer)
{
	struct local *l = arg;
	struct queue *qu = l->queue;
	const struct local_is *is = answer == NULL ? NULL : answer->body;

	if (is == NULL) {
		local_noted(l->spawn, l->job->number);
		job_lost(qu, l->job, "spawn did not say that it began");
		queue_run_soon(qu);
	} else if (is->outcome.verdict != DONE &&
	    is->outcome.cause == CAUSE_SYSTEM)
		again(l, is->outcome.text); /* no room there, so no attempt */
	else if (is->outcome.verdict != DONE)
		ended(l, &is->outcome);
	else if (answer->fd == -1)
		ended_later(l, "spawn gave no answer's pipe");
	else {
		listen_to(l, answer->fd);
		answer->fd = -1;
		feed_start(l->feed, qu->p.loop, on_fed, l);
	}
}

static void
fill_take(struct queue *qu, const struct local *l, struct local_take *take)
{
	const struct job *j = l->job;
	const struct rcpt *r = TAILQ_FIRST(&j->rcpts);
	struct msg *m = j->msg;

	memset(take, 0, sizeof *take);
	take->job = j->number;
	take->id = m->id;
	take->bytes = m->trace + m->content;
	take->n = r->n;
	take->action = j->action;
	fill_to(l, &take->to);
	strlcpy(take->sender, m->sender, sizeof take->sender);
	strlcpy(take->rcpt, r->addr, sizeof take->rcpt);
	strlcpy(take->of, msg_of(qu, m), sizeof take->of);
	strlcpy(take->envid, m->params.envid, sizeof take->envid);
	strlcpy(take->client, m->facts->client, sizeof take->client);
	strlcpy(take->helo, m->facts->helo, sizeof take->helo);
	strlcpy(take->auth, m->facts->auth, sizeof take->auth);
}

/* Our end does not block.  False: errno. */
static bool
make_pipe(int ends[2], uint64_t bytes)
{
	if (pipe2(ends, O_CLOEXEC) == -1)
		return false;
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	if (bytes > SPOOL_SMALL)
		(void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
	return true;
}

/* It counts among those that run: number and trust are given. */
static void
enter(struct queue *qu, struct local *l, struct ipc_chan *spawn)
{
	l->spawn = spawn;
	qu->locals.n++;
	qu->locals.held[l->job->trust]++;
}

void
local_begin(struct queue *qu, struct job *j, int fd)
{
	const struct msg *m = j->msg;
	const struct feed_of of = { .content_off = m->head,
		.content_len = m->content,
		.trace_off = m->head + m->content,
		.trace_len = m->trace,
		.sum = m->sum };
	struct local *l = j->local;
	struct local_take take;
	int ends[2];

	l->file = fd;
	flying_mark(fd, TAILQ_FIRST(&j->rcpts)->off);
	job_fly(qu, j, NULL, ++qu->last_job);
	if (!make_pipe(ends, m->trace + m->content)) {
		log_warn("open", "id=%llx error=%s", (unsigned long long)m->id,
		    q(strerror(errno)));
		again(l, "no pipe could be made");
		return;
	}
	enter(qu, l, whom_to_ask(qu));
	fill_take(qu, l, &take);
	flying_mark(fd, TAILQ_FIRST(&j->rcpts)->off);
	ipc_ask_fd(l->spawn, &l->req, IPC_LOCAL_TAKE, &take, ends[0], on_is, l,
	    START_MSEC);
	close(ends[0]);
	l->feed = feed_new(fd, ends[1], &of);
	qu->locals.n_fed++;
}

/* ---- after a restart ---- */

static struct spawner *
spawner_of(struct queue *qu, const struct ipc_chan *c)
{
	return &qu->locals.spawner[c->instance];
}

/* The recipient, where it may still be running for us; else NULL. */
static struct rcpt *
held_rcpt(struct queue *qu, const struct local_held *m, struct index_rcpt *row)
{
	struct rcpt *r = rcpt_find(qu, m->id, m->n);
	struct msg *of;

	memset(row, 0, sizeof *row);
	if ((of = msg_load(qu, m->id)) == NULL)
		return NULL;
	if (index_get_rcpt(qu->index, m->id, m->n, row) == INDEX_OK &&
	    r == NULL && rcpt_state_open(row->state))
		r = rcpt_add(qu, of, row);
	if (r != NULL && rcpt_state_open(r->state) && r->at != AT_FLYING &&
	    hash_get(&qu->jobs, m->job) == NULL)
		return r;
	msg_settle(qu, of);
	return NULL;
}

void
local_on_held(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	static const struct local_to unknown = { .what = LOCAL_NONE };
	struct queue *qu = self;
	const struct local_held *m = msg->body;
	struct index_rcpt row;
	struct rcpt *r = held_rcpt(qu, m, &row);
	char user[LOCAL_USER_MAX + 1];
	struct way *w;
	struct job *j;

	if (r == NULL) {
		local_noted(from, m->job);
		return;
	}
	w = route_get(qu,
	    way_where(row.route) == WAY_HERE ? row.route : UNKNOWN_ROUTE);
	if (w == NULL) {
		msg_settle(qu, r->msg);
		return; /* its answer is not waited for: it is tried again */
	}
	if (way_user_named(w->route, user))
		way_of_user(&qu->ways, w, user);
	j = job_new(r->msg);
	j->turn.way = w;
	j->action = CONF_NONE;
	j->local = local_new(qu, j, &unknown);
	way_running(&qu->ways, w);
	job_fly(qu, j, NULL, m->job);
	job_add_rcpt(qu, j, r, AT_FLYING);
	enter(qu, j->local, from);
	if ((j->local->file = msg_open(qu, j->msg, false)) != -1)
		flying_mark(j->local->file, r->off);
	listen_to(j->local, msg->fd);
	msg->fd = -1;
}

bool
local_all_listed(const struct queue *qu)
{
	const struct spawner *s;
	uint32_t i;

	for (i = 0; i < PROC_MAX; i++) {
		s = &qu->locals.spawner[i];
		if (s->chan != NULL && s->chan->fd != -1 && !s->listed)
			return false;
	}
	return true;
}

void
local_on_listed(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct queue *qu = self;
	const struct local_listed *m = msg->body;
	struct spawner *s = spawner_of(qu, from);

	s->listed = true;
	s->serves = m->generation == qu->p.start.generation;
	job_listed(qu);
	queue_run_soon(qu);
}

void
local_peer_up(struct queue *qu, struct ipc_chan *c)
{
	*spawner_of(qu, c) = (struct spawner){ .chan = c };
}

void
local_peer_down(struct queue *qu, struct ipc_chan *c)
{
	struct spawner *s = spawner_of(qu, c);

	/* What it has started goes on, and answers us. */
	s->serves = false;
	s->listed = true;
	job_listed(qu);
}
