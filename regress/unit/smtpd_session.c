/*
 * Sessions in one process with a lookup and a queue that do as they are told:
 * what is said when, and what is true when it is said.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include <xxhash.h>

#include "conf_image.h"
#include "id.h"
#include "log.h"
#include "session.h"
#include "trailer.h"
#include "unit.h"

#define HEAD       "head of the file\n"
#define ID         (UINT64_C(7) << 16)
#define PATIENT_MS 3000

/* ---- the others ---- */

/* What the queue does when asked. */
enum does { ANSWER, SAY_LATER, SAY_NEVER, WAIT_FOR_IT };

struct world {
	struct server srv;
	struct conf *conf;
	struct ipc_chan to_queue, to_lookup; /* the session's ends */
	struct ipc_chan queue, lookup;       /* theirs */
	enum does data, commit;
	char heard[4096]; /* by the queue: "open:a@b rcpt:c@d data ..." */
	uint64_t tx;      /* the last one opened */
	uint64_t waiting; /* the question that was not answered */
	enum ipc_type waiting_type;
	int file; /* the last one given out */
	struct tx_commit committed;
	int client;       /* our end of the connection */
	char said[65536]; /* by the server, since last looked at */
	size_t n_said;
	int closed; /* by the server */
};

static void
hear(struct world *w, const char *word, const char *detail)
{
	size_t n = strlen(w->heard);

	snprintf(w->heard + n, sizeof w->heard - n, "%s%s%s%s",
	    n == 0 ? "" : " ", word, detail[0] == '\0' ? "" : ":", detail);
}

static void
on_rcpt_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct rcpt_ask *m = msg->body;
	struct rcpt_is is;

	(void)self;
	memset(&is, 0, sizeof is);
	is.outcome.verdict = DONE;
	if (strncmp(m->rcpt, "no", 2) == 0)
		outcome_set(&is.outcome, NEVER, WIDTH_RCPT, 550, "5.7.1",
		    "not here");
	if (strncmp(m->rcpt, "later", 5) == 0)
		memset(&is.outcome, 0, sizeof is.outcome);
	rcpt_is_send(from, msg->id, &is, -1);
}

static void
on_tx_open(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct world *w = self;
	const struct tx_open *m = msg->body;

	(void)from;
	w->tx = m->tx;
	hear(w, "open", m->sender);
}

static void
on_tx_rcpt(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct tx_rcpt *m = msg->body;

	(void)from;
	hear(self, "rcpt", m->rcpt);
}

static void
outcome_of(struct outcome *o, enum does does)
{
	if (does == ANSWER)
		outcome_set(o, DONE, WIDTH_MESSAGE, 250, "2.0.0", "kept");
	else if (does == SAY_LATER)
		outcome_set(o, LATER, WIDTH_MESSAGE, 452, "4.3.1", "full");
	else
		outcome_set(o, NEVER, WIDTH_MESSAGE, 554, "5.6.0", "never");
}

static void
give_file(struct world *w, struct ipc_chan *to, uint64_t id)
{
	char path[] = "/tmp/unit-session-XXXXXX";
	struct tx_file file;

	memset(&file, 0, sizeof file);
	outcome_of(&file.outcome, w->data);
	if (w->data != ANSWER) {
		tx_file_send(to, id, &file, -1);
		return;
	}
	if (w->file != -1)
		close(w->file);
	w->file = mkstemp(path);
	unlink(path);
	if (write(w->file, HEAD, strlen(HEAD)) != (ssize_t)strlen(HEAD))
		abort();
	file.id = ID;
	file.head = strlen(HEAD);
	tx_file_send(to, id, &file, w->file);
}

static void
on_tx_data(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct world *w = self;

	hear(w, "data", "");
	w->waiting = msg->id;
	w->waiting_type = msg->type;
	if (w->data != WAIT_FOR_IT)
		give_file(w, from, msg->id);
}

static void
on_tx_commit(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct world *w = self;
	struct tx_done done;

	hear(w, "commit", "");
	memcpy(&w->committed, msg->body, sizeof w->committed);
	w->waiting = msg->id;
	w->waiting_type = msg->type;
	if (w->commit == WAIT_FOR_IT)
		return;
	memset(&done, 0, sizeof done);
	outcome_of(&done.outcome, w->commit);
	tx_done_send(from, msg->id, &done, -1);
}

static void
on_tx_abort(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct world *w = self;
	const struct tx_abort *m = msg->body;
	struct tx_gone gone;

	hear(w, "abort", m->id == ID ? "id" : m->tx == w->tx ? "tx" : "?");
	memset(&gone, 0, sizeof gone);
	gone.id = m->id;
	tx_gone_send(from, msg->id, &gone, -1);
}

static void
on_tx_keep(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct tx_keep *m = msg->body;

	(void)from;
	hear(self, "keep", m->id == ID ? "id" : "?");
}

static void
on_tx_listed(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	(void)from;
	(void)msg;
	hear(self, "listed", "");
}

static ipc_handler *const their_handlers[IPC_TYPES] = {
	[IPC_RCPT_ASK] = on_rcpt_ask,
	[IPC_TX_OPEN] = on_tx_open,
	[IPC_TX_RCPT] = on_tx_rcpt,
	[IPC_TX_DATA] = on_tx_data,
	[IPC_TX_COMMIT] = on_tx_commit,
	[IPC_TX_ABORT] = on_tx_abort,
	[IPC_TX_KEEP] = on_tx_keep,
	[IPC_TX_LISTED] = on_tx_listed,
};

static ipc_handler *const our_handlers[IPC_TYPES] = { NULL };

static void
lost(void *self, struct ipc_chan *c, const char *why)
{
	struct world *w = self;

	if (why != NULL) {
		printf("# broken: %s\n", why);
		abort();
	}
	ipc_detach(c);
	if (c == &w->to_queue)
		tx_queue_down(&w->srv);
}

static void
connect_pair(struct ipc_chan *a, struct ipc_chan *b)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, pair) == -1)
		abort();
	ipc_attach(a, pair[0]);
	ipc_attach(b, pair[1]);
}

static void
queue_dies(struct world *w)
{
	ipc_detach(&w->queue);
}

static void
queue_lives(struct world *w)
{
	connect_pair(&w->queue, &w->to_queue);
	tx_queue_up(&w->srv, &w->to_queue);
}

static struct conf *
make_conf(void)
{
	struct conf *c = image_new();

	c->max_message_size = 100000;
	c->max_rcpt = 3;
	c->max_mails = 100;
	c->max_sessions = 10;
	c->max_command = 2048;
	c->max_line = 2000;
	c->max_header = 5000;
	c->max_hops = 3;
	c->max_errors = 10;
	c->smtp_timeout = 300;
	c->data_timeout = 300;
	return c;
}

static void
world_open(struct world *w)
{
	struct facts facts;
	int pair[2];

	memset(w, 0, sizeof *w);
	w->conf = make_conf();
	w->file = -1;
	w->srv.reserve = -1;
	SLIST_INIT(&w->srv.listeners);
	TAILQ_INIT(&w->srv.sessions);
	w->srv.proc.conf = w->conf;
	w->srv.proc.loop = loop_new();
	w->srv.proc.start.count[PROC_QUEUE] = 1;
	w->srv.proc.start.count[PROC_LOOKUP] = 1;
	ipc_init(&w->to_queue, w->srv.proc.loop, PROC_SESSION, PROC_QUEUE, 0,
	    our_handlers, w, lost);
	ipc_init(&w->to_lookup, w->srv.proc.loop, PROC_SESSION, PROC_LOOKUP, 0,
	    our_handlers, w, lost);
	ipc_init(&w->queue, w->srv.proc.loop, PROC_QUEUE, PROC_SESSION, 0,
	    their_handlers, w, lost);
	ipc_init(&w->lookup, w->srv.proc.loop, PROC_LOOKUP, PROC_SESSION, 0,
	    their_handlers, w, lost);
	w->srv.proc.peer[PROC_QUEUE][0] = &w->to_queue;
	w->srv.proc.peer[PROC_LOOKUP][0] = &w->to_lookup;
	connect_pair(&w->to_queue, &w->queue);
	connect_pair(&w->to_lookup, &w->lookup);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		pair) == -1)
		abort();
	memset(&facts, 0, sizeof facts);
	memcpy(facts.client, "192.0.2.7", 10);
	w->client = pair[1];
	session_new(&w->srv, pair[0], "mx.example.net", &facts);
}

static void
turn(struct world *w)
{
	ssize_t n;

	event_base_loop(w->srv.proc.loop->base, EVLOOP_NONBLOCK);
	if (w->closed || w->client == -1)
		return;
	n = read(w->client, w->said + w->n_said,
	    sizeof w->said - w->n_said - 1);
	if (n > 0)
		w->n_said += (size_t)n;
	else if (n == 0 || errno != EAGAIN)
		w->closed = 1;
	w->said[w->n_said] = '\0';
}

static void
nap(void)
{
	struct timespec ts = { .tv_nsec = 1000000 };

	nanosleep(&ts, NULL);
}

static void
send_client(struct world *w, const char *p, size_t len)
{
	msec end = loop_msec() + PATIENT_MS;
	ssize_t n;

	while (len > 0 && loop_msec() < end) {
		n = write(w->client, p, len);
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else if (n == -1 && errno != EAGAIN)
			return;
		turn(w);
	}
}

/* True if the server says just want, soon, and nothing after it. */
static int
says(struct world *w, const char *want)
{
	msec end = loop_msec() + PATIENT_MS;
	int i, ok;

	while (w->n_said < strlen(want) && !w->closed && loop_msec() < end) {
		turn(w);
		nap();
	}
	for (i = 0; i < 20; i++)
		turn(w);
	ok = strcmp(w->said, want) == 0;
	if (!ok)
		printf("# said: %s# want: %s\n", w->said, want);
	w->n_said = 0;
	w->said[0] = '\0';
	return ok;
}

/* Sends a text, then as above. */
static int
talks(struct world *w, const char *text, const char *want)
{
	send_client(w, text, strlen(text));
	return says(w, want);
}

static int
heard(struct world *w, const char *want)
{
	msec end = loop_msec() + PATIENT_MS;
	int ok;

	while (strcmp(w->heard, want) != 0 && loop_msec() < end) {
		turn(w);
		nap();
	}
	ok = strcmp(w->heard, want) == 0;
	if (!ok)
		printf("# heard: %s\n", w->heard);
	w->heard[0] = '\0';
	return ok;
}

/* True when the server has closed and no session is left. */
static int
over(struct world *w)
{
	msec end = loop_msec() + PATIENT_MS;

	while ((!w->closed && w->client != -1) && loop_msec() < end) {
		turn(w);
		nap();
	}
	if (w->client != -1)
		close(w->client);
	w->client = -1;
	while (w->srv.n_sessions > 0 && loop_msec() < end) {
		turn(w);
		nap();
	}
	return w->srv.n_sessions == 0 && TAILQ_EMPTY(&w->srv.sessions);
}

static void
world_close(struct world *w)
{
	if (w->client != -1)
		close(w->client);
	w->client = -1;
	CHECK("nothing is left", over(w));
	ipc_detach(&w->queue);
	ipc_detach(&w->to_queue);
	ipc_detach(&w->lookup);
	ipc_detach(&w->to_lookup);
	loop_free(&w->srv.proc.loop);
	if (w->file != -1)
		close(w->file);
	free(w->conf);
}

/* ---- dialogues ---- */

#define HELLO "EHLO c.example\r\n"
#define HELLOS                                                                 \
	"250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 HELP\r\n"
#define GREETS "220 mx.example.net ESMTP Postern\r\n"
#define MAIL   "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
#define MAILS                                                                  \
	"250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n354 Content, please; end with <CRLF>.<CRLF>\r\n"
#define TOLD   "open:a@b rcpt:c@d data"
#define QUEUED "250 2.0.0 000000000E000 queued\r\n"
#define NOOP   "NOOP\r\n"
#define OK     "250 2.0.0 Ok\r\n"

static struct world the_world;

static struct world *
hello(void)
{
	struct world *w = &the_world;

	world_open(w);
	if (!says(w, GREETS) || !talks(w, HELLO, HELLOS))
		CHECK("hello", 0);
	return w;
}

/* Until the server waits for content. */
static struct world *
in_data(void)
{
	struct world *w = hello();

	if (!talks(w, MAIL, MAILS) || !heard(w, TOLD))
		CHECK("mail", 0);
	return w;
}

/* The file is head, content, trace, trailer, and all agree. */
static int
file_is(struct world *w, const char *content)
{
	static char have[300000];
	size_t head = strlen(HEAD), len = strlen(content), trace;
	ssize_t n = pread(w->file, have, sizeof have, 0);
	struct trailer t;
	size_t size = n < 0 ? 0 : (size_t)n;

	if (size < head + len + TRAILER_LEN ||
	    trailer_parse(have + size - TRAILER_LEN, TRAILER_LEN, &t) != NULL)
		return 0;
	trace = size - head - len - TRAILER_LEN;
	return memcmp(have, HEAD, head) == 0 &&
	    memcmp(have + head, content, len) == 0 &&
	    strncmp(have + head + len, "Received: from c.example ", 25) == 0 &&
	    t.content == len && t.trace == trace &&
	    t.content_facts == w->committed.content_facts &&
	    w->committed.content == len && w->committed.trace == trace &&
	    w->committed.id == ID &&
	    t.sum == XXH3_64bits(have + head, len + trace);
}

static void
test_whole(void)
{
	struct world *w = in_data();

	CHECK("whole message",
	    talks(w, "Subject: x\r\n\r\n..dot\r\n.\r\n", QUEUED) &&
		heard(w, "commit"));
	CHECK("the file", file_is(w, "Subject: x\r\n\r\n.dot\r\n"));
	CHECK("facts", w->committed.content_facts == CONTENT_DOT);
	CHECK("a second one",
	    talks(w, MAIL, MAILS) && heard(w, TOLD) &&
		talks(w, ".\r\n", QUEUED) && heard(w, "commit") &&
		file_is(w, ""));
	CHECK("quit",
	    talks(w, "QUIT\r\n",
		"221 2.0.0 mx.example.net closing connection\r\n") &&
		over(w));
	world_close(w);
}

/* Commands behind the dot are handled in their order, replies leave
 * together. */
static void
test_pipelining(void)
{
	struct world *w = in_data();

	CHECK("behind the dot",
	    talks(w,
		"x\r\n.\r\nNOOP\r\nMAIL FROM:<e@f>\r\nRCPT TO:<no@d>\r\nRCPT TO:<g@h>\r\nRSET\r\nBAD\r\nQUIT\r\n",
		QUEUED OK
		"250 2.1.0 Sender ok\r\n550 5.7.1 not here\r\n250 2.1.5 Recipient ok\r\n" OK
		"500 5.5.1 Command not recognized\r\n221 2.0.0 mx.example.net closing connection\r\n") &&
		over(w));
	world_close(w);
}

/* A message larger than every buffer, in pieces. */
static void
test_large(void)
{
	enum { LINES = 1500, LEN = 64 };
	static char content[LINES * LEN + 4];
	struct world *w = in_data();
	int i;

	for (i = 0; i < LINES; i++) {
		memset(content + i * LEN, 'a' + i % 26, LEN - 2);
		memcpy(content + i * LEN + LEN - 2, "\r\n", 2);
	}
	memcpy(content, "\r\n", 2); /* a header of nothing */
	memcpy(content + LINES * LEN, ".\r\n", 4);
	CHECK("large message", talks(w, content, QUEUED) && heard(w, "commit"));
	content[LINES * LEN] = '\0';
	CHECK("its file", file_is(w, content));
	world_close(w);
}

/* Columns: content up to the dot, reply. */
static const struct {
	const char *content, *reply;
} refused[] = {
	{ "a\nb\r\n",
	    "550 5.6.11 The message holds a bare CR or LF (RFC 5321 2.3.8)\r\n" },
	{ "a\rb\r\n",
	    "550 5.6.11 The message holds a bare CR or LF (RFC 5321 2.3.8)\r\n" },
	{ "x\n.\r\nMAIL FROM:<evil@b>\r\n",
	    "550 5.6.11 The message holds a bare CR or LF (RFC 5321 2.3.8)\r\n" },
	{ "Received: 1\r\nReceived: 2\r\nReceived: 3\r\nReceived: 4\r\n\r\n",
	    "554 5.4.6 Mail loop: more than 3 Received fields\r\n" },
};

static void
test_refused(void)
{
	struct world *w = hello();
	size_t i;

	for (i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		CHECK("to be refused", talks(w, MAIL, MAILS) && heard(w, TOLD));
		send_client(w, refused[i].content, strlen(refused[i].content));
		CHECK("refused, and nothing is left with the queue",
		    talks(w, ".\r\n", refused[i].reply) &&
			heard(w, "abort:id"));
	}
	CHECK("the session goes on", talks(w, NOOP, OK));
	/* As the configuration says. */
	w->conf->bare_newline = BARE_FIX;
	CHECK("fixed",
	    talks(w, MAIL, MAILS) && heard(w, TOLD) &&
		talks(w, "a\nb\rc\r\n.\r\n", QUEUED) && heard(w, "commit") &&
		file_is(w, "a\r\nb\r\nc\r\n"));
	world_close(w);
}

/* Content over each limit of size.  Columns: bytes of a line, lines, is it
 * header, reply. */
static const struct {
	size_t len, n;
	const char *before, *reply;
} too_much[] = {
	{ 70, 1500, "\r\n",
	    "552 5.3.4 Message too large: at most 100000 bytes\r\n" },
	{ 2001, 1, "\r\n",
	    "550 5.6.0 A line of the message is too long: at most 2000 bytes\r\n" },
	{ 60, 100, "", "552 5.3.4 Header too large: at most 5000 bytes\r\n" },
};

static void
test_too_much(void)
{
	static char line[4096];
	struct world *w = hello();
	size_t i, n;

	for (i = 0; i < sizeof too_much / sizeof too_much[0]; i++) {
		CHECK("too much", talks(w, MAIL, MAILS) && heard(w, TOLD));
		send_client(w, too_much[i].before, strlen(too_much[i].before));
		memset(line, 'a', too_much[i].len - 2);
		memcpy(line + too_much[i].len - 2, "\r\n", 3);
		for (n = 0; n < too_much[i].n; n++)
			send_client(w, line, too_much[i].len);
		CHECK("too much is said at the dot",
		    talks(w, ".\r\n", too_much[i].reply) &&
			heard(w, "abort:id"));
	}
	/* Without an end: it is not read for ever. */
	CHECK("endless", talks(w, MAIL, MAILS) && heard(w, TOLD));
	memset(line, 'a', 998);
	memcpy(line, "\r\n", 2);
	memcpy(line + 998, "\r\n", 3);
	for (n = 0; n < 300 && !w->closed; n++)
		send_client(w, line, 1000);
	CHECK("endless is cut off",
	    says(w, too_much[0].reply) && heard(w, "abort:id") && over(w));
	world_close(w);
}

/* What lookup and queue say is what the client hears. */
static void
test_passed_on(void)
{
	struct world *w = hello();

	CHECK("recipients",
	    talks(w,
		"MAIL FROM:<>\r\nRCPT TO:<no@d>\r\nRCPT TO:<later@d>\r\nRCPT TO:<postMASTER>\r\n",
		"250 2.1.0 Sender ok\r\n550 5.7.1 not here\r\n451 4.3.0 Local trouble, try later\r\n250 2.1.5 Recipient ok\r\n"));
	w->data = SAY_LATER;
	CHECK("no file",
	    talks(w, "DATA\r\n", "452 4.3.1 full\r\n") &&
		heard(w, "open rcpt:postmaster@mx.example.net data"));
	w->data = ANSWER;
	w->commit = SAY_LATER;
	CHECK("not kept: gone before it is said",
	    talks(w, MAIL, MAILS) && heard(w, TOLD) &&
		talks(w, ".\r\n", "452 4.3.1 full\r\n") &&
		heard(w, "commit abort:id"));
	w->commit = SAY_NEVER;
	CHECK("never",
	    talks(w, MAIL, MAILS) && heard(w, TOLD) &&
		talks(w, ".\r\n", "554 5.6.0 never\r\n") &&
		heard(w, "commit abort:id"));
	CHECK("too many recipients",
	    talks(w,
		"MAIL FROM:<a@b>\r\nRCPT TO:<1@d>\r\nRCPT TO:<2@d>\r\nRCPT TO:<3@d>\r\nRCPT TO:<4@d>\r\n",
		"250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n250 2.1.5 Recipient ok\r\n250 2.1.5 Recipient ok\r\n452 4.5.3 Too many recipients: at most 3 in one message\r\n"));
	world_close(w);
}

/* ---- the queue is lost ---- */

static void
test_queue_lost_in_data(void)
{
	struct world *w = in_data();

	CHECK("content goes on",
	    talks(w, "one\r\n", "") && (queue_dies(w), 1) &&
		talks(w, "two\r\n", ""));
	queue_lives(w);
	CHECK("it is kept", heard(w, "keep:id listed"));
	CHECK("and committed",
	    talks(w, ".\r\n", QUEUED) && heard(w, "commit") &&
		file_is(w, "one\r\ntwo\r\n"));
	world_close(w);
}

static void
test_queue_lost_in_commit(void)
{
	struct world *w = in_data();

	w->commit = WAIT_FOR_IT;
	CHECK("no answer, no reply",
	    talks(w, "one\r\n.\r\n", "") && heard(w, "commit"));
	queue_dies(w);
	CHECK("nor without a queue", says(w, ""));
	w->commit = ANSWER;
	queue_lives(w);
	CHECK("asked again", says(w, QUEUED));
	CHECK("what the new queue hears",
	    strstr(w->heard, "keep:id") != NULL &&
		strstr(w->heard, "listed") != NULL &&
		strstr(w->heard, "commit") != NULL);
	CHECK("the file is the same", file_is(w, "one\r\n"));
	world_close(w);
}

static void
test_queue_lost_before_file(void)
{
	struct world *w = hello();
	uint64_t before;

	w->data = WAIT_FOR_IT;
	CHECK("no file yet",
	    talks(w, MAIL,
		"250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n") &&
		heard(w, TOLD));
	before = w->tx;
	queue_dies(w);
	CHECK("still none", says(w, ""));
	w->data = ANSWER;
	queue_lives(w);
	CHECK("all is said again",
	    says(w, "354 Content, please; end with <CRLF>.<CRLF>\r\n") &&
		heard(w, "listed " TOLD) && w->tx != before);
	CHECK("and goes on", talks(w, ".\r\n", QUEUED));
	world_close(w);
}

/* No queue at the time of DATA. */
static void
test_queue_away(void)
{
	struct world *w = hello();

	queue_dies(w);
	CHECK("no queue",
	    talks(w, MAIL,
		"250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n"));
	queue_lives(w);
	CHECK("a queue",
	    says(w, "354 Content, please; end with <CRLF>.<CRLF>\r\n") &&
		heard(w, "listed " TOLD));
	world_close(w);
}

/* ---- the client is lost ---- */

static void
test_client_lost(void)
{
	struct world *w = in_data();

	send_client(w, "one\r\n.", 6);
	close(w->client);
	w->client = -1;
	CHECK("gone in content", heard(w, "abort:id") && over(w));
	world_close(w);

	w = hello();
	w->data = WAIT_FOR_IT;
	CHECK("gone before the file",
	    talks(w, MAIL,
		"250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n") &&
		heard(w, TOLD));
	close(w->client);
	w->client = -1;
	w->data = ANSWER;
	give_file(w, &w->queue, w->waiting);
	CHECK("its file is dropped", heard(w, "abort:id") && over(w));
	world_close(w);

	w = in_data();
	w->commit = WAIT_FOR_IT;
	CHECK("gone in commit", talks(w, ".\r\n", "") && heard(w, "commit"));
	close(w->client);
	w->client = -1;
	CHECK("it is waited for", w->srv.n_sessions == 1);
	{
		struct tx_done done;

		memset(&done, 0, sizeof done);
		done.outcome.verdict = DONE;
		tx_done_send(&w->queue, w->waiting, &done, -1);
	}
	CHECK("and not dropped", over(w) && w->heard[0] == '\0');
	world_close(w);
}

static void
test_half_close(void)
{
	struct world *w = hello();

	send_client(w, MAIL "x\r\n.\r\nQUIT\r\n",
	    strlen(MAIL "x\r\n.\r\nQUIT\r\n"));
	shutdown(w->client, SHUT_WR);
	CHECK("all is answered",
	    says(w,
		MAILS QUEUED
		"221 2.0.0 mx.example.net closing connection\r\n") &&
		over(w));
	world_close(w);
}

/* ---- bounds ---- */

static struct session *
the_session(struct world *w)
{
	return TAILQ_FIRST(&w->srv.sessions);
}

static void
test_endless_line(void)
{
	enum { PIECES = 160 };
	static char piece[65536];
	struct world *w = hello();
	size_t most = 0;
	int i;

	memset(piece, 'a', sizeof piece);
	for (i = 0; i < PIECES; i++) {
		send_client(w, piece, sizeof piece);
		if (the_session(w)->io.in.cap > most)
			most = the_session(w)->io.in.cap;
	}
	CHECK("10 MB without an end: bounded", most <= SESSION_IN);
	CHECK("said once, then the next line",
	    talks(w, "\r\nNOOP\r\n",
		"500 5.5.2 Line too long: at most 2048 bytes\r\n" OK));
	world_close(w);
}

static void
test_replies_not_read(void)
{
	struct world *w = hello();
	size_t most = 0;
	int i, client = w->client;

	w->client = -1; /* nobody reads */
	w->conf->max_errors = 1000000;
	for (i = 0; i < 200000; i++) {
		if (write(client, "NOOP\r\n", 6) == -1 && i % 100 == 0)
			turn(w);
		if (the_session(w)->io.out.len > most)
			most = the_session(w)->io.out.len;
	}
	CHECK("replies are bounded", most > 0 && most <= SESSION_OUT);
	CHECK("and what comes in", the_session(w)->io.in.cap <= SESSION_IN);
	CHECK("no more is handled", the_session(w)->blocked);
	w->client = client;
	for (i = 0; i < 2000 && w->srv.n_sessions > 0; i++) {
		w->n_said = 0;
		turn(w);
	}
	w->n_said = 0;
	CHECK("until they are read", !the_session(w)->blocked);
	world_close(w);
}

static void
test_errors(void)
{
	struct world *w = hello();
	static char want[4096];
	int i;

	want[0] = '\0';
	for (i = 0; i < 10; i++) {
		strncat(want, "500 5.5.1 Command not recognized\r\n",
		    sizeof want - strlen(want) - 1);
		send_client(w, "BAD\r\n", 5);
	}
	strncat(want, "421 4.7.0 Too many errors, closing\r\n",
	    sizeof want - strlen(want) - 1);
	CHECK("too many errors", talks(w, NOOP NOOP, want) && over(w));
	world_close(w);
}

/* One byte every 50 ms does not move the deadline. */
static int
drip(struct world *w, const char *byte)
{
	struct timespec ts = { .tv_nsec = 50000000 };
	msec begin = loop_msec();

	while (w->n_said == 0 && loop_msec() < begin + PATIENT_MS) {
		(void)!write(w->client, byte, 1);
		turn(w);
		nanosleep(&ts, NULL);
	}
	return loop_msec() - begin > 900 && loop_msec() - begin < 2000;
}

static void
test_deadlines(void)
{
	struct world *w = hello();

	w->conf->smtp_timeout = 1;
	CHECK("noop", talks(w, NOOP, OK));
	CHECK("a byte at a time", drip(w, "N"));
	CHECK("time-out",
	    says(w, "421 4.4.2 Waited too long, closing\r\n") && over(w));
	world_close(w);

	w = hello();
	w->conf->data_timeout = 1;
	CHECK("mail", talks(w, MAIL, MAILS) && heard(w, TOLD));
	CHECK("a byte of content at a time", drip(w, "x"));
	CHECK("time-out in content",
	    says(w, "421 4.4.2 Waited too long, closing\r\n") &&
		heard(w, "abort:id") && over(w));
	world_close(w);
}

/* ---- the service stops ---- */

static void
test_stop(void)
{
	struct world *w = hello();

	w->srv.stopping = true;
	session_stop_all(&w->srv);
	CHECK("stop between commands",
	    says(w, "421 4.3.2 mx.example.net is stopping, try later\r\n") &&
		over(w));
	world_close(w);

	w = in_data();
	w->srv.stopping = true;
	session_stop_all(&w->srv);
	CHECK("content may end",
	    talks(w, "x\r\n.\r\n",
		QUEUED "421 4.3.2 mx.example.net is stopping, try later\r\n") &&
		over(w));
	world_close(w);

	w = in_data();
	w->srv.stopping = true;
	session_stop_all(&w->srv);
	w->srv.stop_late = true;
	session_stop_all(&w->srv);
	CHECK("or is given up",
	    says(w, "421 4.3.2 mx.example.net is stopping, try later\r\n") &&
		heard(w, "abort:id") && over(w));
	world_close(w);
}

int
main(void)
{
	log_to_socket(-1, "unit", false);
	test_whole();
	test_pipelining();
	test_large();
	test_refused();
	test_too_much();
	test_passed_on();
	test_queue_lost_in_data();
	test_queue_lost_in_commit();
	test_queue_lost_before_file();
	test_queue_away();
	test_client_lost();
	test_half_close();
	test_endless_line();
	test_replies_not_read();
	test_errors();
	test_deadlines();
	test_stop();
	return unit_end();
}
