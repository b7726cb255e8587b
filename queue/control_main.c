/*
 * Process: control.  Runs as _smtpctl, root directory empty.
 * Holds: the control socket.
 * Asked by: smtpctl (ctl_ask).
 * Asks: queue (ctl_ask), parent (ctl_stop).
 * Never: touches the spool, opens a path, believes a client's sizes.
 *
 * A client is a stranger until the kernel has said who it is.  It speaks in
 * turn: one question, one answer; whatever else it sends ends it.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <bsd/sys/queue.h>
#include <bsd/unistd.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc.h"
#include "log.h"
#include "proc.h"

#define CLIENT_MAX  64 /* of those who may ask */
#define REFUSED_MAX 8  /* of those who are told that they may not */

#define IDLE_MSEC    10000  /* for a question to come */
#define REFUSED_MSEC 2000   /* the same, of who will be refused */
#define QUEUE_MSEC   300000 /* for the queue's answer: flush of millions */
#define AWAY_MSEC    5000   /* for the queue to come back */
#define ACCEPT_MSEC  1000   /* to wait when there are no descriptors */

struct control;

struct client {
	TAILQ_ENTRY(client) entry;
	struct control *control;
	int fd;
	uid_t uid;
	bool refused; /* gets one answer: no */
	bool asked;   /* a question is open */
	uint64_t id;  /* of the question, by the client's count */
	struct ctl_ask ask;
	struct watch rd;
	struct timer deadline;
	struct ipc_req req;
};

TAILQ_HEAD(clients, client);

struct control {
	struct proc p;
	int listen_fd;
	struct watch accept;
	struct timer accept_again;
	struct clients clients;
	unsigned int n_clients, n_refused;
};

/* One message to or from smtpctl. */
struct ctl_question {
	struct ipc_hdr hdr;
	struct ctl_ask ask;
};
struct ctl_answer {
	struct ipc_hdr hdr;
	struct ctl_is is;
};

/* Columns: name in the log, whether it selects recipients.  By enum ctl_verb;
 * a row without a name is no verb. */
static const struct {
	const char *name;
	bool selects;
} verbs[] = {
	[CTL_FLUSH] = { "flush", true },
	[CTL_REQUEUE] = { "requeue", true },
	[CTL_HOLD] = { "hold", true },
	[CTL_RELEASE] = { "release", true },
	[CTL_REMOVE] = { "remove", true },
	[CTL_PAUSE] = { "pause", false },
	[CTL_RESUME] = { "resume", false },
	[CTL_REBUILD] = { "rebuild", false },
	[CTL_STOP] = { "stop", false },
	[CTL_STATUS] = { "status", false },
};

/* Names in the log, by enum ctl_by. */
static const char *const bys[] = {
	[CTL_BY_NONE] = "none",
	[CTL_BY_ALL] = "all",
	[CTL_BY_ID] = "id",
	[CTL_BY_DOMAIN] = "domain",
	[CTL_BY_SENDER] = "sender",
	[CTL_BY_RCPT] = "rcpt",
	[CTL_BY_ROUTE] = "route",
};

#define N_BYS   (sizeof bys / sizeof bys[0])
#define N_VERBS (sizeof verbs / sizeof verbs[0])

static void on_accept(int fd, int what, void *arg);

static void
accept_on(void *arg)
{
	struct control *ct = arg;

	if (ct->listen_fd != -1 && ct->n_clients < CLIENT_MAX)
		watch_set(ct->p.loop, &ct->accept, ct->listen_fd, LOOP_READ,
		    on_accept, ct);
}

static void
client_free(struct client **clp)
{
	struct client *cl = *clp;
	struct control *ct = cl->control;

	*clp = NULL;
	watch_clear(&cl->rd);
	timer_clear(&cl->deadline);
	ipc_cancel(&cl->req);
	close(cl->fd);
	TAILQ_REMOVE(&ct->clients, cl, entry);
	if (cl->refused)
		ct->n_refused--;
	else
		ct->n_clients--;
	free(cl);
	accept_on(ct);
}

static void
on_deadline(void *arg)
{
	struct client *cl = arg;

	log_debug("control: uid %u said nothing", (unsigned int)cl->uid);
	client_free(&cl);
}

static void
log_answer(const struct client *cl, const struct ctl_is *is)
{
	if (cl->ask.verb == CTL_STATUS)
		return;
	log_event(cl->ask.id, "control",
	    "verb=%s by=%s uid=%u result=%s matched=%llu changed=%llu in_flight=%llu select=%s text=%s",
	    verbs[cl->ask.verb].name, bys[cl->ask.by], (unsigned int)cl->uid,
	    verdict_name(is->outcome.verdict), (unsigned long long)is->matched,
	    (unsigned long long)is->changed, (unsigned long long)is->in_flight,
	    q(cl->ask.text), q(is->outcome.text));
}

/* Says is to the client and waits for its next question; a client that does
 * not read is freed. */
static void
answer(struct client *cl, const struct ctl_is *is)
{
	struct ctl_answer a;

	memset(&a, 0, sizeof a);
	a.hdr.type = IPC_CTL_IS;
	a.hdr.len = sizeof a.is;
	a.hdr.id = cl->id;
	a.is = *is;
	cl->asked = false;
	/* The client reads before it asks again, so there is room. */
	if (send(cl->fd, &a, sizeof a, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR) !=
	    sizeof a) {
		client_free(&cl);
		return;
	}
	timer_set(cl->control->p.loop, &cl->deadline, IDLE_MSEC, on_deadline,
	    cl);
}

static void
answer_outcome(struct client *cl, enum verdict v, const char *ecode,
    const char *text)
{
	struct ctl_is is;

	memset(&is, 0, sizeof is);
	outcome_set(&is.outcome, v, WIDTH_RCPT, 0, ecode, "%s", text);
	answer(cl, &is);
}

static void
on_queue_answer(void *arg, struct ipc_msg *msg)
{
	struct client *cl = arg;

	if (msg == NULL) {
		answer_outcome(cl, LATER, "4.3.2",
		    "the queue did not answer in time");
		return;
	}
	log_answer(cl, msg->body);
	answer(cl, msg->body);
}

static void
on_away(void *arg)
{
	struct client *cl = arg;

	ipc_cancel(&cl->req);
	answer_outcome(cl, LATER, "4.3.2", "the queue is restarting");
}

/* The question is open and nobody is there to answer it.  When the queue comes
 * back it is asked (again: all verbs may be, safely). */
static void
wait_for_queue(struct client *cl)
{
	timer_set(cl->control->p.loop, &cl->deadline, AWAY_MSEC, on_away, cl);
}

static void
ask_queue(struct client *cl)
{
	struct ipc_chan *queue = proc_chan(&cl->control->p, PROC_QUEUE, 0);

	if (queue == NULL) {
		answer_outcome(cl, LATER, "4.3.2", "the queue is starting");
		return;
	}
	cl->asked = true;
	timer_clear(&cl->deadline);
	ctl_ask_ask(queue, &cl->req, &cl->ask, on_queue_answer, cl, QUEUE_MSEC);
	if (queue->fd == -1)
		wait_for_queue(cl);
}

static void
stop_all(struct client *cl)
{
	struct control *ct = cl->control;
	struct ctl_stop stop = { 0 };
	struct ctl_is is;

	memset(&is, 0, sizeof is);
	outcome_set(&is.outcome, DONE, WIDTH_RCPT, 0, "2.0.0", "stopping");
	log_answer(cl, &is);
	/* Whoever asked may be gone; it is stopped nevertheless. */
	answer(cl, &is);
	if (!ctl_stop_send(&ct->p.parent, 0, &stop, -1))
		log_warn("control", "reason=\"the parent does not read\"");
}

/* What a question must be, beyond its size; NULL, or why it is not. */
static const char *
question_check(const struct ctl_question *qu)
{
	const struct ctl_ask *ask = &qu->ask;

	if (qu->hdr.type != IPC_CTL_ASK)
		return "not a question for control";
	if (qu->hdr.len != sizeof *ask)
		return "wrong length";
	if (memchr(ask->text, '\0', sizeof ask->text) == NULL)
		return "text without an end";
	if (ask->verb >= N_VERBS || verbs[ask->verb].name == NULL)
		return "no such verb";
	if (ask->by >= N_BYS ||
	    verbs[ask->verb].selects != (ask->by != CTL_BY_NONE))
		return "selector does not fit the verb";
	return NULL;
}

static void
on_client(int fd, int what, void *arg)
{
	struct client *cl = arg;
	struct ctl_question qu;
	struct iovec iov = { &qu, sizeof qu };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	const char *why = NULL;
	ssize_t n;

	(void)what;
	/* No room for control data: descriptors that are sent to us are
	 * closed by the kernel, and MSG_CTRUNC tells. */
	n = recvmsg(fd, &m, MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_free(&cl);
		return;
	}
	if (cl->refused) {
		answer_outcome(cl, NEVER, "5.7.1",
		    "only root and who started smtpd may ask");
		return;
	}
	if (cl->asked)
		why = "spoke out of turn";
	else if (n != sizeof qu ||
	    (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		why = "wrong size";
	else
		why = question_check(&qu);
	if (why != NULL) {
		log_warn("control", "uid=%u reason=\"%s\"",
		    (unsigned int)cl->uid, why);
		client_free(&cl);
		return;
	}
	cl->id = qu.hdr.id;
	cl->ask = qu.ask;
	if (cl->ask.verb == CTL_STOP)
		stop_all(cl);
	else
		ask_queue(cl);
}

/* Whether uid may ask. */
static bool
allowed(const struct control *ct, uid_t uid)
{
	if (uid == 0)
		return true;
	/* Not jailed, everything runs as whoever started it. */
	return !ct->p.start.jailed && uid == getuid();
}

static void
client_new(struct control *ct, int fd)
{
	struct client *cl;
	bool refused;
	uid_t uid;
	gid_t gid;

	if (getpeereid(fd, &uid, &gid) == -1) {
		close(fd);
		return;
	}
	refused = !allowed(ct, uid);
	if (refused)
		log_warn("control-refused", "uid=%u", (unsigned int)uid);
	if (refused && ct->n_refused >= REFUSED_MAX) {
		close(fd);
		return;
	}
	cl = xcalloc(1, sizeof *cl);
	cl->control = ct;
	cl->fd = fd;
	cl->uid = uid;
	cl->refused = refused;
	TAILQ_INSERT_TAIL(&ct->clients, cl, entry);
	if (refused)
		ct->n_refused++;
	else
		ct->n_clients++;
	watch_set(ct->p.loop, &cl->rd, fd, LOOP_READ, on_client, cl);
	timer_set(ct->p.loop, &cl->deadline, refused ? REFUSED_MSEC : IDLE_MSEC,
	    on_deadline, cl);
}

static void
on_accept(int fd, int what, void *arg)
{
	struct control *ct = arg;
	int s;

	(void)what;
	s = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (s != -1) {
		client_new(ct, s);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
	    errno == ENOBUFS) {
		watch_clear(&ct->accept);
		timer_set(ct->p.loop, &ct->accept_again, ACCEPT_MSEC, accept_on,
		    ct);
	}
	if (ct->n_clients >= CLIENT_MAX)
		watch_clear(&ct->accept);
}

static void
on_listen(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct control *ct = self;
	const struct proc_listen *m = msg->body;

	(void)from;
	if (m->index != CONF_NONE)
		return;
	watch_clear(&ct->accept);
	if (ct->listen_fd != -1)
		close(ct->listen_fd);
	ct->listen_fd = msg->fd;
	msg->fd = -1;
	/* A client that left between poll and accept must not block us. */
	if (fcntl(ct->listen_fd, F_SETFL, O_NONBLOCK) == -1)
		fatal("control: fcntl: %s", strerror(errno));
}

static void
start(void *self, struct proc *p)
{
	struct control *ct = self;

	if (ct->listen_fd == -1)
		proc_fail(p, "control: no socket to listen on");
	accept_on(ct);
}

static void
peer_up(void *self, struct ipc_chan *c)
{
	struct control *ct = self;
	struct client *cl;

	if (c->peer != PROC_QUEUE)
		return;
	TAILQ_FOREACH(cl, &ct->clients, entry) {
		if (cl->asked)
			timer_clear(&cl->deadline);
	}
}

static void
peer_down(void *self, struct ipc_chan *c)
{
	struct control *ct = self;
	struct client *cl;

	if (c->peer != PROC_QUEUE)
		return;
	TAILQ_FOREACH(cl, &ct->clients, entry) {
		if (cl->asked)
			wait_for_queue(cl);
	}
}

static void
stop(void *self)
{
	struct control *ct = self;
	struct client *cl;

	watch_clear(&ct->accept);
	timer_clear(&ct->accept_again);
	if (ct->listen_fd != -1)
		close(ct->listen_fd);
	ct->listen_fd = -1;
	while ((cl = TAILQ_FIRST(&ct->clients)) != NULL)
		client_free(&cl);
	loop_stop(ct->p.loop);
}

static ipc_handler *const handlers[IPC_TYPES] = {
	[IPC_PROC_LISTEN] = on_listen,
};

static const struct proc_hooks hooks = {
	.kind = PROC_CONTROL,
	.handlers = handlers,
	.start = start,
	.peer_up = peer_up,
	.peer_down = peer_down,
	.stop = stop,
};

int
main(void)
{
	static struct control self = { .listen_fd = -1 };

	TAILQ_INIT(&self.clients);
	return proc_main(&self.p, &hooks, &self);
}
