/*
 * Messages between processes: what is checked, credit, and a peer that dies
 * and comes back.
 *
 * SPDX-License-Identifier: ISC
 */
#include "ipc.h"

#include <sys/socket.h>

#include <fcntl.h>

#include "log.h"
#include "unit.h"

static struct loop *the_loop;
static struct ipc_chan session, lookup;
static int asked, answered, unanswered, mute;
static const char *broken;
static char last[64];

static void
lost(void *self, struct ipc_chan *c, const char *why)
{
	(void)self;
	if (broken == NULL)
		broken = why == NULL ? "closed" : why;
	ipc_detach(c);
}

static void
on_rcpt(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct rcpt_ask *m = msg->body;
	struct rcpt_is is;

	(void)self;
	asked++;
	snprintf(last, sizeof last, "%.60s", m->rcpt);
	if (mute)
		return;
	memset(&is, 0, sizeof is);
	outcome_set(&is.outcome, DONE, WIDTH_RCPT, 250, "2.1.5", "ok");
	rcpt_is_send(from, msg->id, &is, -1);
}

static ipc_handler *const lookup_handlers[IPC_TYPES] = {
	[IPC_RCPT_ASK] = on_rcpt,
};
static ipc_handler *const session_handlers[IPC_TYPES];

static void
on_answer(void *arg, struct ipc_msg *m)
{
	(void)arg;
	if (m == NULL)
		unanswered++;
	else
		answered++;
}

static void
turn(void)
{
	int i;

	for (i = 0; i < 50; i++)
		event_base_loop(the_loop->base, EVLOOP_NONBLOCK);
}

static void
connect_both(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == -1)
		abort();
	ipc_attach(&session, pair[0]);
	ipc_attach(&lookup, pair[1]);
	ipc_go(&session);
	ipc_go(&lookup);
}

static void
reset(void)
{
	ipc_detach(&session);
	ipc_detach(&lookup);
	ipc_init(&session, the_loop, PROC_SESSION, PROC_LOOKUP, 0,
	    session_handlers, NULL, lost);
	ipc_init(&lookup, the_loop, PROC_LOOKUP, PROC_SESSION, 0,
	    lookup_handlers, NULL, lost);
	connect_both();
	asked = answered = unanswered = mute = 0;
	broken = NULL;
}

static void
ask(struct ipc_req *r, const char *rcpt, msec ms)
{
	struct rcpt_ask m;

	memset(&m, 0, sizeof m);
	snprintf(m.rcpt, sizeof m.rcpt, "%s", rcpt);
	rcpt_ask_ask(&session, r, &m, on_answer, NULL, ms);
}

static void
test_ask(void)
{
	static struct ipc_req r;

	reset();
	ask(&r, "bob@example.org", 5000);
	turn();
	CHECK("ipc: asked and answered",
	    asked == 1 && answered == 1 &&
		strcmp(last, "bob@example.org") == 0);
	CHECK("ipc: the request is free again", r.place == IPC_IDLE);
}

static void
test_credit(void)
{
	static struct ipc_req r[IPC_CREDIT + 50];
	size_t i, n = sizeof r / sizeof r[0];

	reset();
	mute = 1;
	for (i = 0; i < n; i++)
		ask(&r[i], "a@example.org", 5000);
	turn();
	CHECK("ipc: credit bounds what is open", asked == IPC_CREDIT);
	CHECK("ipc: crowded", ipc_crowded(&session));
	for (i = 0; i < 50; i++)
		ipc_cancel(&r[i]);
	turn();
	CHECK("ipc: what is cancelled makes room", asked == IPC_CREDIT + 50);
	mute = 0;
	asked = 0;
	/* The other side dies: everything open is asked again. */
	connect_both();
	turn();
	CHECK("ipc: asked again after the peer's death",
	    asked == IPC_CREDIT && answered == IPC_CREDIT);
	CHECK("ipc: none was left without", unanswered == 0);
}

static void
test_deadline(void)
{
	static struct ipc_req r;
	msec until = loop_msec() + 1000;

	reset();
	mute = 1;
	ask(&r, "a@example.org", 20);
	while (unanswered == 0 && loop_msec() < until)
		event_base_loop(the_loop->base, EVLOOP_ONCE);
	CHECK("ipc: a deadline is told", unanswered == 1);
}

static void
test_away(void)
{
	static struct ipc_req r, d;
	struct tx_data data = { .tx = 1 };

	reset();
	ipc_detach(&session);
	ask(&r, "late@example.org", 5000);
	turn();
	CHECK("ipc: waits for a peer that is away", asked == 0);
	connect_both();
	turn();
	CHECK("ipc: asked when it came", asked == 1 && answered == 1);
	/* tx_data follows statements that were lost: it is never repeated. */
	ipc_detach(&session);
	tx_data_ask(&session, &d, &data, on_answer, NULL, 5000);
	turn();
	CHECK("ipc: tx_data to nobody is told at once", unanswered == 1);
}

/* ---- with a descriptor ---- */

static struct {
	int n, bytes; /* questions, and what could be read from the last */
	uint64_t id;
} taken;

static void
on_take(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	char in[16];

	(void)self;
	(void)from;
	taken.n++;
	taken.id = msg->id;
	taken.bytes = (int)read(msg->fd, in, sizeof in);
}

static void
test_descriptor(void)
{
	static ipc_handler *const handlers[IPC_TYPES] = {
		[IPC_LOCAL_TAKE] = on_take,
	};
	static struct ipc_chan queue, spawn;
	static struct ipc_req many[IPC_CREDIT + 1];
	struct local_take take;
	struct local_is is;
	int pair[2], ends[2], i;

	memset(&take, 0, sizeof take);
	memset(&is, 0, sizeof is);
	reset();
	ipc_init(&queue, the_loop, PROC_QUEUE, PROC_SPAWN, 0, session_handlers,
	    NULL, lost);
	ipc_init(&spawn, the_loop, PROC_SPAWN, PROC_QUEUE, 0, handlers, NULL,
	    lost);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) ==
		-1 ||
	    pipe2(ends, O_NONBLOCK) == -1 || write(ends[1], "hello", 5) != 5)
		abort();
	ipc_ask_fd(&queue, &many[0], IPC_LOCAL_TAKE, &take, ends[0], on_answer,
	    NULL, 5000);
	CHECK("ipc: a descriptor for nobody is told of from the loop",
	    unanswered == 0);
	turn();
	CHECK("ipc: ... at once", unanswered == 1);
	ipc_attach(&queue, pair[0]);
	ipc_attach(&spawn, pair[1]);
	turn();
	CHECK("ipc: and it is not asked later", taken.n == 0);
	ipc_ask_fd(&queue, &many[0], IPC_LOCAL_TAKE, &take, ends[0], on_answer,
	    NULL, 5000);
	turn();
	CHECK("ipc: a descriptor comes over", taken.n == 1 && taken.bytes == 5);
	local_is_send(&spawn, taken.id, &is, -1);
	turn();
	CHECK("ipc: and is answered", answered == 1 && unanswered == 1);
	for (i = 0; i <= IPC_CREDIT; i++)
		ipc_ask_fd(&queue, &many[i], IPC_LOCAL_TAKE, &take, ends[0],
		    on_answer, NULL, 5000);
	turn();
	CHECK("ipc: beyond credit none waits",
	    unanswered == 2 && taken.n == 1 + IPC_CREDIT);
	ipc_cancel(&many[1]);
	ipc_detach(&spawn);
	turn();
	CHECK("ipc: a lost peer is not asked again",
	    unanswered == 1 + IPC_CREDIT && broken != NULL);
	close(ends[0]);
	close(ends[1]);
}

/* Columns: name, header (len -1: that of the row), bytes sent, a descriptor
 * too, what the receiver says. */
struct bad {
	const char *name;
	struct ipc_hdr hdr;
	size_t send;
	int fd;
	const char *why;
};

static const struct bad bads[] = {
	{ "ipc: short", { IPC_RCPT_ASK, sizeof(struct rcpt_ask), 1 }, 7, 0,
	    "shorter than a header" },
	{ "ipc: cut", { IPC_RCPT_ASK, sizeof(struct rcpt_ask), 1 },
	    sizeof(struct ipc_hdr) + 10, 0, "wrong length" },
	{ "ipc: wrong len", { IPC_RCPT_ASK, 10, 1 },
	    sizeof(struct ipc_hdr) + sizeof(struct rcpt_ask), 0,
	    "wrong length" },
	{ "ipc: type 0", { 0, 0, 1 }, sizeof(struct ipc_hdr), 0,
	    "no such message" },
	{ "ipc: type too high", { IPC_TYPES, 0, 1 }, sizeof(struct ipc_hdr), 0,
	    "no such message" },
	{ "ipc: from another", { IPC_ROUTE_ASK, sizeof(struct route_ask), 1 },
	    sizeof(struct ipc_hdr) + sizeof(struct route_ask), 0,
	    "not its message to send" },
	{ "ipc: to another", { IPC_TX_DATA, sizeof(struct tx_data), 1 },
	    sizeof(struct ipc_hdr) + sizeof(struct tx_data), 0, "not for us" },
	{ "ipc: unwanted descriptor",
	    { IPC_RCPT_ASK, sizeof(struct rcpt_ask), 1 },
	    sizeof(struct ipc_hdr) + sizeof(struct rcpt_ask), 1,
	    "a descriptor too many or too few" },
	{ "ipc: text without end", { IPC_RCPT_ASK, sizeof(struct rcpt_ask), 1 },
	    sizeof(struct ipc_hdr) + sizeof(struct rcpt_ask), 0,
	    "a text without end" },
};

static void
send_raw(int sock, const struct bad *b)
{
	static uint8_t bytes[IPC_MAX];
	struct iovec iov = { bytes, b->send };
	union {
		struct cmsghdr hdr;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	int zero = 0;

	/* 'x' everywhere: no text has an end. */
	memset(bytes, 'x', sizeof bytes);
	memcpy(bytes, &b->hdr, sizeof b->hdr);
	if (b->fd) {
		m.msg_control = control.buf;
		m.msg_controllen = sizeof control.buf;
		control.hdr.cmsg_level = SOL_SOCKET;
		control.hdr.cmsg_type = SCM_RIGHTS;
		control.hdr.cmsg_len = CMSG_LEN(sizeof zero);
		memcpy(CMSG_DATA(&control.hdr), &zero, sizeof zero);
	}
	if (sendmsg(sock, &m, 0) == -1)
		abort();
}

static void
test_rules(void)
{
	size_t i;

	for (i = 0; i < sizeof bads / sizeof bads[0]; i++) {
		reset();
		send_raw(session.fd, &bads[i]);
		turn();
		CHECK(bads[i].name,
		    broken != NULL && strcmp(broken, bads[i].why) == 0);
	}
	CHECK("ipc: a lost peer is noticed",
	    (reset(), ipc_detach(&session), turn(),
		broken != NULL && strcmp(broken, "closed") == 0));
}

/* A peer that does not read costs memory up to a bound, never a wait. */
static void
test_unread(void)
{
	struct rcpt_is is;
	int i, said = 0;

	reset();
	memset(&is, 0, sizeof is);
	for (i = 0; i < 20000; i++)
		said += rcpt_is_send(&lookup, 1 << 16, &is, -1);
	CHECK("ipc: bounded when unread", said > 1000 && said < 20000);
	turn();
	CHECK("ipc: still works after", broken == NULL);
}

int
main(void)
{
	log_to_stderr("test", false);
	the_loop = loop_new();
	session.fd = lookup.fd = -1;
	test_ask();
	test_credit();
	test_deadline();
	test_away();
	test_descriptor();
	test_rules();
	test_unread();
	ipc_detach(&session);
	ipc_detach(&lookup);
	loop_free(&the_loop);
	return unit_end();
}
