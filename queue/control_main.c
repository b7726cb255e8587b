/*
 * Process: control.  Runs as _smtpctl, root directory empty.
 * Holds: the control socket.
 * Asked by: smtpctl, whose messages are those that control may send: ctl_ask,
 * parent_ask, explain_ask, hosts_ask, limits_ask.
 * Asks: queue (ctl_ask, limits_ask), lookup (explain_ask), deliver
 * (hosts_ask), parent (parent_ask, ctl_stop).
 * Never: touches the spool, opens a path, believes a client's sizes.
 *
 * A client is a stranger until the kernel has said who it is.  It speaks in
 * turn: one question, one answer; whatever else it sends ends it.  smtpctl that
 * sends reports is queue's user, and may say of them that they were sent, and
 * nothing else.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <bsd/sys/queue.h>
#include <bsd/unistd.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc_wire.h"
#include "log.h"
#include "proc.h"

#define CLIENT_MAX  64 /* of those who may ask */
#define REFUSED_MAX 8  /* of those who are told that they may not */

#define IDLE_MSEC    10000 /* for a question to come */
#define REFUSED_MSEC 2000  /* the same, of who will be refused */
#define AWAY_MSEC    5000  /* for who is asked to come back */
#define ACCEPT_MSEC  1000  /* to wait when there are no descriptors */

struct control;

struct client {
	TAILQ_ENTRY(client) entry;
	struct control *control;
	int fd;
	uid_t uid;
	bool refused; /* gets one answer: no */
	bool reports; /* CTL_REPORTED is all that it may ask */
	bool asked;   /* a question is open */
	uint64_t id;  /* of the question, by the client's count */
	enum ipc_type type;
	union {
		struct ctl_ask ctl;
		uint8_t bytes[IPC_MAX];
	} ask;
	struct ipc_chan *chan; /* who is asked */
	struct watch rd;
	struct timer deadline;
	struct ipc_req req;
};

TAILQ_HEAD(clients, client);

struct control {
	struct proc p;
	int listen_fd; /* -1: not yet, or no more */
	bool started, draining;
	uid_t reporter; /* queue's user; 0: nobody */
	struct watch accept;
	struct timer accept_again;
	struct clients clients;
	unsigned int n_clients, n_refused;
};

/* One message to or from smtpctl; each body of an answer begins with its
 * outcome. */
struct message {
	struct ipc_hdr hdr;
	union {
		struct ctl_ask ctl;
		struct outcome outcome;
		uint8_t bytes[IPC_MAX - sizeof(struct ipc_hdr)];
	} body;
};

/* Columns: by type of question; how long its answer may take (longer than
 * whoever is asked takes by himself; 0: not a question for control), whether
 * it is logged with its answer.  Whom to ask is in the table of messages. */
static const struct {
	msec ms;
	bool logged;
} questions[IPC_TYPES] = {
	[IPC_CTL_ASK] = { 300000, true },     /* flush of millions */
	[IPC_PARENT_ASK] = { 300000, false }, /* a reload that waits for one */
	[IPC_EXPLAIN_ASK] = { 30000, false },
	[IPC_HOSTS_ASK] = { 60000, false },
	[IPC_LIMITS_ASK] = { 10000, false },
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
	[CTL_REPORTED] = { "reported", false },
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

	if (ct->started && ct->listen_fd != -1 && ct->n_clients < CLIENT_MAX)
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
	if (ct->draining && ct->n_clients == 0)
		proc_drained(&ct->p, 0);
}

static void
on_deadline(void *arg)
{
	struct client *cl = arg;

	log_debug("control: uid %u said nothing", (unsigned int)cl->uid);
	client_free(&cl);
}

static const char *
whom(const struct client *cl)
{
	return proc_table[ipc_rows[cl->type].to].program;
}

static void
log_answer(const struct client *cl, const struct ctl_is *is)
{
	const struct ctl_ask *ask = &cl->ask.ctl;

	/* Of reports the queue says it. */
	if (ask->verb == CTL_STATUS || ask->verb == CTL_REPORTED)
		return;
	log_event(ask->id, "control",
	    "verb=%s by=%s uid=%u result=%s matched=%llu changed=%llu in_flight=%llu select=%s text=%s",
	    verbs[ask->verb].name, bys[ask->by], (unsigned int)cl->uid,
	    verdict_name(is->outcome.verdict), (unsigned long long)is->matched,
	    (unsigned long long)is->changed, (unsigned long long)is->in_flight,
	    q(ask->text), q(is->outcome.text));
}

/* Says the answer to the client and waits for its next question; a client
 * that does not read is freed. */
static void
answer(struct client *cl, const void *body)
{
	enum ipc_type type = ipc_rows[cl->type].answer;
	struct ipc_hdr hdr = { .type = type,
		.len = (uint32_t)ipc_rows[type].size,
		.id = cl->id };

	cl->asked = false;
	cl->chan = NULL;
	/* The client reads before it asks again, so there is room. */
	if (ipc_put(cl->fd, &hdr, sizeof hdr, body, hdr.len, -1,
		MSG_DONTWAIT) == -1) {
		client_free(&cl);
		return;
	}
	timer_set(cl->control->p.loop, &cl->deadline, IDLE_MSEC, on_deadline,
	    cl);
}

static void
answer_outcome(struct client *cl, enum verdict v, const char *ecode,
    const char *what, const char *how)
{
	struct message m;

	memset(&m, 0, sizeof m);
	outcome_set(&m.body.outcome, v, WIDTH_RCPT, 0, ecode, "%s%s%s",
	    how[0] != '\0' ? "the " : "", what, how);
	answer(cl, &m.body);
}

static void
on_answer(void *arg, struct ipc_msg *msg)
{
	struct client *cl = arg;

	if (msg == NULL) {
		answer_outcome(cl, LATER, "4.3.2", whom(cl),
		    " did not answer in time");
		return;
	}
	if (questions[cl->type].logged)
		log_answer(cl, msg->body);
	answer(cl, msg->body);
}

static void
on_away(void *arg)
{
	struct client *cl = arg;

	ipc_cancel(&cl->req);
	answer_outcome(cl, LATER, "4.3.2", whom(cl), " is restarting");
}

/* The question is open and nobody is there to answer it.  When he comes back
 * it is asked (again: all questions may be, safely). */
static void
wait_for_peer(struct client *cl)
{
	timer_set(cl->control->p.loop, &cl->deadline, AWAY_MSEC, on_away, cl);
}

static void
ask(struct client *cl)
{
	enum proc_kind kind = ipc_rows[cl->type].to;
	struct proc *p = &cl->control->p;

	cl->chan = kind == PROC_PARENT ? &p->parent : proc_chan(p, kind, 0);
	if (cl->chan == NULL) {
		answer_outcome(cl, LATER, "4.3.2", whom(cl), " is starting");
		return;
	}
	cl->asked = true;
	timer_clear(&cl->deadline);
	ipc_ask(cl->chan, &cl->req, cl->type, &cl->ask, on_answer, cl,
	    questions[cl->type].ms);
	if (cl->chan->fd == -1)
		wait_for_peer(cl);
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

/* What a ctl_ask must be, beyond its size; NULL, or why it is not. */
static const char *
ctl_check(const struct ctl_ask *m)
{
	if (m->verb >= N_VERBS || verbs[m->verb].name == NULL)
		return "no such verb";
	if (m->by >= N_BYS || verbs[m->verb].selects != (m->by != CTL_BY_NONE))
		return "selector does not fit the verb";
	return NULL;
}

/* The same rules as between processes: smtpctl says what control would say to
 * who is asked. */
static const char *
question_check(const struct message *m, size_t got)
{
	struct ipc_chan probe = { .peer = PROC_CONTROL };
	const char *why;

	if (got < sizeof m->hdr)
		return "wrong size";
	if (m->hdr.type >= IPC_TYPES || questions[m->hdr.type].ms == 0)
		return "not a question for control";
	probe.me = ipc_rows[m->hdr.type].to;
	why = ipc_check(&probe, &m->hdr, got, m->body.bytes, false);
	if (why == NULL && m->hdr.type == IPC_CTL_ASK)
		why = ctl_check(&m->body.ctl);
	return why;
}

static bool
is_reported(const struct message *m)
{
	return m->hdr.type == IPC_CTL_ASK && m->body.ctl.verb == CTL_REPORTED;
}

static void
refuse(struct client *cl)
{
	answer_outcome(cl, NEVER, "5.7.1",
	    "only root and who started smtpd may ask", "");
}

static void
on_client(int fd, int what, void *arg)
{
	struct client *cl = arg;
	struct message got;
	struct iovec iov = { &got, sizeof got };
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
		/* In the form of the answer to what was asked, if it was. */
		if ((size_t)n >= sizeof got.hdr && got.hdr.type < IPC_TYPES &&
		    questions[got.hdr.type].ms != 0)
			cl->type = got.hdr.type;
		refuse(cl);
		return;
	}
	if (cl->asked)
		why = "spoke out of turn";
	else if ((m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		why = "wrong size";
	else
		why = question_check(&got, (size_t)n);
	if (why == NULL && cl->reports && !is_reported(&got)) {
		cl->type = got.hdr.type;
		refuse(cl);
		return;
	}
	if (why != NULL) {
		log_warn("control", "uid=%u reason=\"%s\"",
		    (unsigned int)cl->uid, why);
		client_free(&cl);
		return;
	}
	cl->id = got.hdr.id;
	cl->type = got.hdr.type;
	memcpy(&cl->ask, &got.body, got.hdr.len);
	if (cl->type == IPC_CTL_ASK && cl->ask.ctl.verb == CTL_STOP)
		stop_all(cl);
	else
		ask(cl);
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
	bool refused, reports;
	uid_t uid;
	gid_t gid;

	if (getpeereid(fd, &uid, &gid) == -1) {
		close(fd);
		return;
	}
	reports = ct->reporter != 0 && uid == ct->reporter;
	refused = !reports && !allowed(ct, uid);
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
	cl->type = IPC_CTL_ASK;
	cl->refused = refused;
	cl->reports = reports;
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
	accept_on(ct);
}

/* Whom nobody can look up in an empty directory. */
static void
find_reporter(void *self, struct proc *p)
{
	struct control *ct = self;
	const struct passwd *pw;

	if (p->start.jailed == 0)
		return;
	pw = getpwnam(proc_table[PROC_QUEUE].user);
	ct->reporter = pw == NULL ? 0 : pw->pw_uid;
}

static void
start(void *self, struct proc *p)
{
	struct control *ct = self;

	(void)p;
	ct->started = true;
	accept_on(ct);
}

static void
peer_up(void *self, struct ipc_chan *c)
{
	struct control *ct = self;
	struct client *cl;

	TAILQ_FOREACH(cl, &ct->clients, entry) {
		if (cl->asked && cl->chan == c)
			timer_clear(&cl->deadline);
	}
}

static void
peer_down(void *self, struct ipc_chan *c)
{
	struct control *ct = self;
	struct client *cl;

	TAILQ_FOREACH(cl, &ct->clients, entry) {
		if (cl->asked && cl->chan == c)
			wait_for_peer(cl);
	}
}

static void
accept_end(struct control *ct)
{
	watch_clear(&ct->accept);
	timer_clear(&ct->accept_again);
	if (ct->listen_fd != -1)
		close(ct->listen_fd);
	ct->listen_fd = -1;
}

/* The next control has the socket; who is connected here is still served. */
static void
drain(void *self)
{
	struct control *ct = self;

	accept_end(ct);
	ct->draining = true;
	proc_drained(&ct->p, ct->n_clients);
}

static void
stop(void *self)
{
	struct control *ct = self;
	struct client *cl;

	accept_end(ct);
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
	.pre_jail = find_reporter,
	.start = start,
	.peer_up = peer_up,
	.peer_down = peer_down,
	.stop = stop,
	.drain = drain,
};

int
main(void)
{
	static struct control self = { .listen_fd = -1 };

	TAILQ_INIT(&self.clients);
	return proc_main(&self.p, &hooks, &self);
}
