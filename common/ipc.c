/*
 * Channels between processes: sending, receiving, questions and their
 * answers.  Used by every process.  Never blocks but in ipc_ask_block(), never
 * waits for a peer that does not read.
 *
 * SPDX-License-Identifier: ISC
 */
#include "ipc.h"

#include <sys/socket.h>

#include <bsd/sys/queue.h>

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc_wire.h"
#include "log.h"

#define RECV_BATCH 16   /* messages taken with one system call */
#define RECV_TURNS 4    /* batches before others have their turn */
#define OUT_MAX    8192 /* messages a peer may leave unread, beside credit */
#define RETRY_MS   10

struct ipc_out {
	STAILQ_ENTRY(ipc_out) entry;
	int fd; /* ours, -1 none */
	bool secret;
	size_t len;
	uint8_t bytes[];
};

static void
out_free(struct ipc_chan *c, struct ipc_out *o)
{
	STAILQ_REMOVE_HEAD(&c->out, entry);
	c->n_out--;
	if (o->fd != -1)
		close(o->fd);
	if (o->secret)
		explicit_bzero(o->bytes, o->len);
	free(o);
}

static void on_writable(int fd, int what, void *arg);

static void
on_retry(void *arg)
{
	struct ipc_chan *c = arg;

	on_writable(c->fd, LOOP_WRITE, c);
}

/* What waited for room in the kernel. */
static void
on_writable(int fd, int what, void *arg)
{
	struct ipc_chan *c = arg;
	struct ipc_out *o;

	(void)what;
	while ((o = STAILQ_FIRST(&c->out)) != NULL) {
		if (ipc_put(fd, o->bytes, o->len, NULL, 0, o->fd,
			MSG_DONTWAIT) == 0) {
			out_free(c, o);
			continue;
		}
		if (errno == EAGAIN)
			return;
		watch_clear(&c->wr);
		/* Too many descriptors under way, or no memory: soon again.
		 * Else the peer is gone, and reading says so. */
		if (errno == ETOOMANYREFS || errno == ENOBUFS ||
		    errno == ENOMEM)
			timer_set(c->loop, &c->retry, RETRY_MS, on_retry, c);
		return;
	}
	watch_clear(&c->wr);
	c->n_lost = 0;
}

/* Keeps a message until the kernel has room again. */
static bool
put_later(struct ipc_chan *c, const struct ipc_hdr *hdr, const void *body,
    int fd, int error)
{
	struct ipc_out *o;

	if (c->n_out >= OUT_MAX) {
		if (c->n_lost++ == 0)
			log_warn("ipc-full", "peer=%s instance=%u lost=%s",
			    proc_table[c->peer].program, c->instance,
			    ipc_name(hdr->type));
		return false;
	}
	o = xcalloc(1, sizeof *o + sizeof *hdr + hdr->len);
	o->fd = -1;
	if (fd != -1 && (o->fd = dup(fd)) == -1) {
		free(o);
		return false;
	}
	o->secret = ipc_is_secret(hdr->type);
	o->len = sizeof *hdr + hdr->len;
	memcpy(o->bytes, hdr, sizeof *hdr);
	memcpy(o->bytes + sizeof *hdr, body, hdr->len);
	STAILQ_INSERT_TAIL(&c->out, o, entry);
	c->n_out++;
	if (error == EAGAIN)
		watch_set(c->loop, &c->wr, c->fd, LOOP_WRITE, on_writable, c);
	else if (error != 0)
		timer_set(c->loop, &c->retry, RETRY_MS, on_retry, c);
	return true;
}

bool
ipc_send(struct ipc_chan *c, enum ipc_type type, uint64_t id, const void *body,
    int fd)
{
	struct ipc_hdr hdr = { .type = type,
		.len = (uint32_t)ipc_rows[type].size,
		.id = id };

	assert(ipc_rows[type].fd != IPC_NOFD || fd == -1);
	if (c->fd == -1)
		return false;
	if (c->n_out > 0)
		return put_later(c, &hdr, body, fd, 0);
	if (ipc_put(c->fd, &hdr, sizeof hdr, body, hdr.len, fd, MSG_DONTWAIT) ==
	    0)
		return true;
	if (errno == EAGAIN || errno == ETOOMANYREFS || errno == ENOBUFS ||
	    errno == ENOMEM)
		return put_later(c, &hdr, body, fd, errno);
	return false;
}

/* ---- questions ---- */

static void
req_done(struct ipc_req *r)
{
	struct ipc_chan *c = r->chan;

	timer_clear(&r->deadline);
	if (r->place == IPC_WAITING)
		TAILQ_REMOVE(&c->waiting, r, entry);
	if (r->place == IPC_ASKED) {
		TAILQ_REMOVE(&c->asked, r, entry);
		c->slots[r->slot].req = NULL;
		c->n_open--;
	}
	free(r->copy);
	r->copy = NULL;
	r->chan = NULL;
	r->place = IPC_IDLE;
}

/* Says it, where there is credit.  False: the peer is lost, which reading will
 * say too. */
static bool
put_question(struct ipc_chan *c, struct ipc_req *r, const void *body, int fd)
{
	unsigned int slot = c->next_slot;
	uint64_t id;

	while (c->slots[slot].req != NULL)
		slot = (slot + 1) % IPC_CREDIT;
	c->next_slot = (slot + 1) % IPC_CREDIT;
	id = (uint64_t)++c->slots[slot].generation << 16 | slot;
	if (!ipc_send(c, r->type, id, body, fd))
		return false;
	TAILQ_INSERT_TAIL(&c->asked, r, entry);
	c->slots[slot].req = r;
	c->n_open++;
	r->slot = slot;
	r->place = IPC_ASKED;
	return true;
}

/* Sends what waits while there is credit. */
static void
pump(struct ipc_chan *c)
{
	struct ipc_req *r;

	while (c->fd != -1 && c->n_open < IPC_CREDIT &&
	    (r = TAILQ_FIRST(&c->waiting)) != NULL) {
		TAILQ_REMOVE(&c->waiting, r, entry);
		if (!put_question(c, r, r->copy, -1)) {
			TAILQ_INSERT_HEAD(&c->waiting, r, entry);
			return;
		}
	}
}

static void
tell_none(struct ipc_req *r)
{
	ipc_answer *fn = r->fn;
	void *arg = r->arg;

	req_done(r);
	fn(arg, NULL);
}

static void
on_deadline(void *arg)
{
	struct ipc_req *r = arg;
	struct ipc_chan *c = r->chan;

	log_debug("no answer to %s from %s %u", ipc_name(r->type),
	    proc_table[c->peer].program, c->instance);
	tell_none(r);
	pump(c);
}

static void
begin(struct ipc_chan *c, struct ipc_req *r, enum ipc_type type, ipc_answer *fn,
    void *arg)
{
	assert(r->place == IPC_IDLE);
	assert(ipc_rows[type].answer != IPC_NONE);
	r->chan = c;
	r->fn = fn;
	r->arg = arg;
	r->type = type;
}

/* It is in no list: its asker is told from the loop. */
static void
lose(struct ipc_req *r)
{
	r->place = IPC_LOST;
	timer_set(r->chan->loop, &r->deadline, 0, on_deadline, r);
}

void
ipc_ask_fd(struct ipc_chan *c, struct ipc_req *r, enum ipc_type type,
    const void *body, int fd, ipc_answer *fn, void *arg, msec ms)
{
	begin(c, r, type, fn, arg);
	if (c->fd == -1 || c->n_open >= IPC_CREDIT ||
	    !put_question(c, r, body, fd))
		lose(r);
	else
		timer_set(c->loop, &r->deadline, ms, on_deadline, r);
}

void
ipc_ask(struct ipc_chan *c, struct ipc_req *r, enum ipc_type type,
    const void *body, ipc_answer *fn, void *arg, msec ms)
{
	assert(ipc_rows[type].fd != IPC_FD);
	begin(c, r, type, fn, arg);
	r->copy = xcalloc(1, ipc_rows[type].size);
	memcpy(r->copy, body, ipc_rows[type].size);
	if (type == IPC_TX_DATA && c->fd == -1) {
		/* What it follows was said to nobody. */
		lose(r);
		return;
	}
	timer_set(c->loop, &r->deadline, ms, on_deadline, r);
	r->place = IPC_WAITING;
	TAILQ_INSERT_TAIL(&c->waiting, r, entry);
	pump(c);
}

void
ipc_cancel(struct ipc_req *r)
{
	struct ipc_chan *c = r->chan;

	if (r->place == IPC_IDLE)
		return;
	req_done(r);
	pump(c);
}

bool
ipc_crowded(const struct ipc_chan *c)
{
	return !TAILQ_EMPTY(&c->waiting);
}

/* ---- receiving ---- */

/* Hands the answer to who asked; NULL or the rule it broke. */
static const char *
answer(struct ipc_chan *c, struct ipc_msg *m)
{
	unsigned int slot = m->id & 0xffff;
	struct ipc_req *r;
	ipc_answer *fn;
	void *arg;

	if (slot >= IPC_CREDIT || (r = c->slots[slot].req) == NULL ||
	    c->slots[slot].generation != m->id >> 16)
		return NULL; /* nobody waits for it any more */
	if (ipc_rows[r->type].answer != m->type)
		return "not the answer to what was asked";
	fn = r->fn;
	arg = r->arg;
	req_done(r);
	fn(arg, m);
	pump(c);
	return NULL;
}

static const char *
take(struct ipc_chan *c, uint8_t *bytes, size_t got, int *fd)
{
	struct ipc_hdr hdr;
	struct ipc_msg m;
	const char *why;

	memset(&hdr, 0, sizeof hdr);
	memcpy(&hdr, bytes, got < sizeof hdr ? got : sizeof hdr);
	why = ipc_check(c, &hdr, got, bytes + sizeof hdr, *fd != -1);
	if (why != NULL)
		return why;
	m = (struct ipc_msg){ .type = hdr.type,
		.id = hdr.id,
		.body = bytes + sizeof hdr,
		.fd = *fd };
	*fd = -1;
	if (ipc_is_answer(m.type))
		why = answer(c, &m);
	else if (c->handlers[m.type] == NULL)
		why = "nobody here handles it";
	else
		c->handlers[m.type](c->self, c, &m);
	if (m.fd != -1)
		close(m.fd);
	if (ipc_is_secret(m.type))
		explicit_bzero(bytes, got);
	return why;
}

/* A batch of messages; false when reading should stop for now. */
static bool
receive(struct ipc_chan *c)
{
	/* Aligned as a header is, and so are the bodies behind it. */
	_Alignas(16) uint8_t bytes[RECV_BATCH][IPC_MAX];
	union ipc_control controls[RECV_BATCH];
	struct iovec iov[RECV_BATCH];
	struct mmsghdr batch[RECV_BATCH];
	const char *why = NULL;
	int sock = c->fd, n, i, fd;

	memset(batch, 0, sizeof batch);
	for (i = 0; i < RECV_BATCH; i++) {
		iov[i].iov_base = bytes[i];
		iov[i].iov_len = IPC_MAX;
		batch[i].msg_hdr.msg_iov = &iov[i];
		batch[i].msg_hdr.msg_iovlen = 1;
		batch[i].msg_hdr.msg_control = controls[i].buf;
		batch[i].msg_hdr.msg_controllen = sizeof controls[i].buf;
	}
	n = recvmmsg(sock, batch, RECV_BATCH, MSG_DONTWAIT | MSG_CMSG_CLOEXEC,
	    NULL);
	if (n == -1) {
		/* A peer that died with unread messages: first this error, then
		 * what it had said, then the end. */
		if (errno == ECONNRESET)
			return true;
		if (errno != EAGAIN && errno != EINTR)
			c->lost(c->self, c, NULL);
		return false;
	}
	for (i = 0; i < n; i++) {
		fd = ipc_control_fd(&batch[i].msg_hdr);
		/* A handler may have closed the channel, or got a new one. */
		if (c->fd == sock && why == NULL && batch[i].msg_len == 0) {
			why = "";
		} else if (c->fd == sock && why == NULL &&
		    (batch[i].msg_hdr.msg_flags & MSG_CTRUNC) != 0) {
			/* We are out of descriptors: it is as if lost.  Its
			 * question, if any, meets its deadline. */
			log_warn("ipc-no-descriptor", "peer=%s",
			    proc_table[c->peer].program);
		} else if (c->fd == sock && why == NULL)
			why = take(c, bytes[i], batch[i].msg_len, &fd);
		if (fd != -1)
			close(fd);
	}
	if (why != NULL && c->fd == sock) {
		c->lost(c->self, c, why[0] == '\0' ? NULL : why);
		return false;
	}
	return n == RECV_BATCH && c->fd == sock;
}

static void
on_readable(int fd, int what, void *arg)
{
	struct ipc_chan *c = arg;
	int turn;

	(void)fd;
	(void)what;
	for (turn = 0; turn < RECV_TURNS && receive(c); turn++)
		;
}

void
ipc_last_words(struct ipc_chan *c)
{
	while (c->fd != -1 && receive(c))
		;
}

/* ---- a question that is waited for ---- */

struct blocked {
	void *answer;
	size_t size;
	bool over, good;
};

static void
on_block_answer(void *arg, struct ipc_msg *m)
{
	struct blocked *b = arg;

	b->over = true;
	b->good = m != NULL;
	if (b->good)
		memcpy(b->answer, m->body, b->size);
}

/* Until the peer says something, or time is over. */
static void
wait_for_peer(struct ipc_chan *c, msec ms)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	/* What was said before has not left yet. */
	if (c->wr.what != 0)
		p.events |= POLLOUT;
	if (poll(&p, 1, (int)ms) <= 0)
		return;
	if ((p.revents & POLLOUT) != 0)
		on_writable(c->fd, LOOP_WRITE, c);
	if ((p.revents & ~POLLOUT) != 0)
		receive(c);
}

bool
ipc_ask_block(struct ipc_chan *c, enum ipc_type type, const void *body,
    void *answer, msec ms)
{
	struct blocked b = { .answer = answer,
		.size = ipc_rows[ipc_rows[type].answer].size };
	msec end = loop_msec() + ms, left = ms;
	struct ipc_req r = { 0 };

	if (c->fd == -1)
		return false;
	ipc_ask(c, &r, type, body, on_block_answer, &b, ms);
	while (!b.over && c->fd != -1 && left > 0) {
		wait_for_peer(c, left);
		left = end - loop_msec();
	}
	ipc_cancel(&r);
	return b.good;
}

/* ---- a channel ---- */

void
ipc_init(struct ipc_chan *c, struct loop *l, enum proc_kind me,
    enum proc_kind peer, unsigned int instance, ipc_handler *const *handlers,
    void *self, void (*lost)(void *self, struct ipc_chan *c, const char *why))
{
	*c = (struct ipc_chan){ .loop = l,
		.fd = -1,
		.me = me,
		.peer = peer,
		.instance = instance,
		.self = self,
		.handlers = handlers,
		.lost = lost };
	STAILQ_INIT(&c->out);
	TAILQ_INIT(&c->waiting);
	TAILQ_INIT(&c->asked);
}

void
ipc_attach(struct ipc_chan *c, int fd)
{
	int size = 1 << 20;

	ipc_detach(c);
	/* Room for the messages that credit allows; the kernel may give less,
	 * then they wait here. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) ==
	    -1)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	c->fd = fd;
	watch_set(c->loop, &c->rd, fd, LOOP_READ, on_readable, c);
}

void
ipc_go(struct ipc_chan *c)
{
	pump(c);
}

void
ipc_detach(struct ipc_chan *c)
{
	struct ipc_req *r, *next;

	if (c->fd == -1)
		return;
	watch_clear(&c->rd);
	watch_clear(&c->wr);
	timer_clear(&c->retry);
	close(c->fd);
	c->fd = -1;
	while (!STAILQ_EMPTY(&c->out))
		out_free(c, STAILQ_FIRST(&c->out));
	/* Back to the front, in their order. */
	while ((r = TAILQ_LAST(&c->asked, ipc_reqs)) != NULL) {
		TAILQ_REMOVE(&c->asked, r, entry);
		c->slots[r->slot].req = NULL;
		c->n_open--;
		r->place = IPC_WAITING;
		TAILQ_INSERT_HEAD(&c->waiting, r, entry);
	}
	/* tx_data follows what the lost process was told: from the top.  A
	 * descriptor went with what it came with. */
	TAILQ_FOREACH_SAFE(r, &c->waiting, entry, next) {
		if (r->type != IPC_TX_DATA && ipc_rows[r->type].fd != IPC_FD)
			continue;
		TAILQ_REMOVE(&c->waiting, r, entry);
		lose(r);
	}
}
