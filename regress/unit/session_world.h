/*
 * A session in one process with a lookup and a queue that do as they are
 * told: for unit tests of what is said when, and what is true by then.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SESSION_WORLD_H
#define SESSION_WORLD_H

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

static inline void
hear(struct world *w, const char *word, const char *detail)
{
	size_t n = strlen(w->heard);

	snprintf(w->heard + n, sizeof w->heard - n, "%s%s%s%s",
	    n == 0 ? "" : " ", word, detail[0] == '\0' ? "" : ":", detail);
}

static inline void
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

static inline void
on_tx_open(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct world *w = self;
	const struct tx_open *m = msg->body;

	(void)from;
	w->tx = m->tx;
	hear(w, "open", m->sender);
}

static inline void
on_tx_rcpt(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct tx_rcpt *m = msg->body;

	(void)from;
	hear(self, "rcpt", m->rcpt);
}

static inline void
outcome_of(struct outcome *o, enum does does)
{
	if (does == ANSWER)
		outcome_set(o, DONE, WIDTH_MESSAGE, 250, "2.0.0", "kept");
	else if (does == SAY_LATER)
		outcome_set(o, LATER, WIDTH_MESSAGE, 452, "4.3.1", "full");
	else
		outcome_set(o, NEVER, WIDTH_MESSAGE, 554, "5.6.0", "never");
}

static inline void
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

static inline void
on_tx_data(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct world *w = self;

	hear(w, "data", "");
	w->waiting = msg->id;
	w->waiting_type = msg->type;
	if (w->data != WAIT_FOR_IT)
		give_file(w, from, msg->id);
}

static inline void
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

static inline void
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

static inline void
on_tx_keep(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct tx_keep *m = msg->body;

	(void)from;
	hear(self, "keep", m->id == ID ? "id" : "?");
}

static inline void
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

static inline void
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

static inline void
connect_pair(struct ipc_chan *a, struct ipc_chan *b)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, pair) == -1)
		abort();
	ipc_attach(a, pair[0]);
	ipc_attach(b, pair[1]);
}

static inline void
queue_dies(struct world *w)
{
	ipc_detach(&w->queue);
}

static inline void
queue_lives(struct world *w)
{
	connect_pair(&w->queue, &w->to_queue);
	tx_queue_up(&w->srv, &w->to_queue);
	ipc_go(&w->to_queue);
}

static inline struct conf *
make_conf(void)
{
	struct conf *c = image_new();
	/* clang-format off */
	const struct conf_listen l = { .proxy = CONF_NONE,
		.xclient = CONF_NONE, .submission_table = CONF_NONE,
		.ca = CONF_NONE, .auth_table = CONF_NONE,
		.hostnames = CONF_NONE, .senders = CONF_NONE };
	/* clang-format on */

	image_rows(c, &c->listen, &l, 1, sizeof l);
	c->hostname = image_text(c, "mx.example.net");
	c->limit_except = c->grey_except = CONF_NONE;
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

static inline void
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
	session_new(&w->srv, pair[0], CONF_LISTEN(w->conf, 0), &facts, "");
}

static inline void
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

static inline void
nap(void)
{
	struct timespec ts = { .tv_nsec = 1000000 };

	nanosleep(&ts, NULL);
}

static inline void
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
static inline int
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
static inline int
talks(struct world *w, const char *text, const char *want)
{
	send_client(w, text, strlen(text));
	return says(w, want);
}

static inline int
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
static inline int
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

static inline void
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
	free(w->srv.phases);
	free(w->srv.mechs);
	free(w->srv.wants_names);
	if (w->file != -1)
		close(w->file);
	free(w->conf);
}

/* ---- dialogues ---- */

#define HELLO "EHLO c.example\r\n"
#define HELLOS                                                                 \
	"250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-BINARYMIME\r\n250-DSN\r\n250-LIMITS MAILMAX=100 RCPTMAX=3\r\n250-ENHANCEDSTATUSCODES\r\n250 HELP\r\n"
#define GREETS "220 mx.example.net ESMTP Postern\r\n"
#define MAIL   "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
#define MAILS                                                                  \
	"250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n354 Content, please; end with <CRLF>.<CRLF>\r\n"
#define TOLD   "open:a@b rcpt:c@d data"
#define QUEUED "250 2.0.0 000000000E000 queued\r\n"
#define NOOP   "NOOP\r\n"
#define OK     "250 2.0.0 Ok\r\n"

static struct world the_world;

static inline struct world *
hello(void)
{
	struct world *w = &the_world;

	world_open(w);
	if (!says(w, GREETS) || !talks(w, HELLO, HELLOS))
		CHECK("hello", 0);
	return w;
}

/* Until the server waits for content. */
static inline struct world *
in_data(void)
{
	struct world *w = hello();

	if (!talks(w, MAIL, MAILS) || !heard(w, TOLD))
		CHECK("mail", 0);
	return w;
}

/* The file is head, content, trace, trailer, and all agree. */
static inline int
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

#endif
