/*
 * The life of an SMTP session: states and their deadlines, what comes in and
 * goes out, its end.  Runs in session.  Knows no command and no message; never
 * waits.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session.h"

#include <sys/socket.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "id.h"
#include "log.h"

#define BYE_MS      5000 /* for the last reply to leave and the client to go */
#define REJECTS_LOG 100  /* refusals logged for one session; all are counted */

enum kind { KIND_COMMAND, KIND_CONTENT, KIND_WAIT, KIND_BYE, KIND_END };

/* Columns: name for the log, what is done with input. */
static const struct {
	const char *name;
	enum kind kind;
} states[ST_STATES] = {
	[ST_CONNECT] = { "connect", KIND_COMMAND },
	[ST_READY] = { "ready", KIND_COMMAND },
	[ST_MAIL] = { "mail", KIND_COMMAND },
	[ST_RCPT] = { "rcpt", KIND_COMMAND },
	[ST_ASK_RCPT] = { "ask-rcpt", KIND_WAIT },
	[ST_ASK_FILE] = { "ask-file", KIND_WAIT },
	[ST_DATA] = { "data", KIND_CONTENT },
	[ST_ASK_COMMIT] = { "ask-commit", KIND_WAIT },
	[ST_ASK_ABORT] = { "ask-abort", KIND_WAIT },
	[ST_BYE] = { "bye", KIND_BYE },
	[ST_END] = { "end", KIND_END },
};

static enum kind
kind_of(const struct session *s)
{
	return states[s->state].kind;
}

/* From this moment, however little comes in meanwhile: a client that sends a
 * byte a second does not move it.  A question has a deadline of its own. */
static msec
deadline_of(const struct session *s)
{
	switch (kind_of(s)) {
	case KIND_COMMAND:
		return (msec)session_conf(s)->smtp_timeout * 1000;
	case KIND_CONTENT:
		return (msec)session_conf(s)->data_timeout * 1000;
	case KIND_BYE:
		return BYE_MS;
	case KIND_WAIT:
	case KIND_END:
		break;
	}
	return 0;
}

void
session_enter(struct session *s, enum session_state state)
{
	if (s->state == ST_END)
		return;
	s->state = state;
	if (!session_gone(s))
		io_deadline(&s->io, deadline_of(s));
}

/* ---- replies ---- */

static void
log_reject(struct session *s, const char *line, size_t len)
{
	char words[REPLY_LINE_MAX + 1];
	const char *from = s->tx.sender == NULL ? "" : s->tx.sender;

	if (++s->n_rejects > REJECTS_LOG)
		return;
	snprintf(words, sizeof words, "%.*s", (int)(len - 2), line);
	log_event(s->id, "reject",
	    "command=%s client=%s reply=%s helo=%s from=%s rcpt=%s",
	    s->command == NULL ? "-" : s->command,
	    s->facts.client[0] == '\0' ? "socket" : s->facts.client, q(words),
	    q(s->facts.helo), q(from), q(s->tx.asked));
}

void
session_say(struct session *s, const struct outcome *o)
{
	char line[REPLY_LINE_MAX + 1];
	unsigned int code = reply_code(o);
	size_t len;

	if (session_gone(s))
		return;
	len = reply_print(o, line);
	if (code >= 400)
		log_reject(s, line, len);
	if (code >= 500)
		s->n_errors++;
	/* There is room: no command is handled from SESSION_HIGH on. */
	if (!io_write(&s->io, line, len))
		session_end(s, "replies-not-read");
}

void
session_reply(struct session *s, enum reply r, const char *detail)
{
	struct outcome o;

	reply_outcome(&o, r, detail);
	session_say(s, &o);
}

void
session_reply_n(struct session *s, enum reply r, uint64_t n)
{
	char number[24];

	snprintf(number, sizeof number, "%" PRIu64, n);
	session_reply(s, r, number);
}

/* ---- the end ---- */

void
session_bye(struct session *s, enum reply r, const char *detail,
    const char *why)
{
	struct outcome o;

	s->reason = why;
	reply_outcome(&o, r, detail);
	if (s->state == ST_DATA) {
		tx_drop(s, &o, true);
		return;
	}
	session_say(s, &o);
	tx_reset(s);
	session_enter(s, ST_BYE);
}

void
session_end(struct session *s, const char *why)
{
	if (session_gone(s) || s->state == ST_END)
		return;
	/* Who was told why already closes for that reason. */
	if (s->state != ST_BYE)
		s->reason = why;
	io_close(&s->io);
	switch (s->state) {
	case ST_DATA:
		tx_drop(s, NULL, false);
		break;
	case ST_ASK_FILE:
	case ST_ASK_COMMIT:
	case ST_ASK_ABORT:
		/* The queue's answer ends it. */
		break;
	default:
		session_enter(s, ST_END);
		break;
	}
}

static void
session_free(struct session **sp)
{
	struct session *s = *sp;
	struct server *srv = s->server;

	log_event(s->id, "disconnect", "reason=%s mails=%u rejects=%u",
	    s->reason, s->n_mails, s->n_rejects);
	tx_reset(s);
	io_close(&s->io);
	TAILQ_REMOVE(&srv->sessions, s, entry);
	srv->n_sessions--;
	free(s);
	*sp = NULL;
	accept_update(srv);
	if (srv->n_sessions > 0)
		return;
	if (srv->stopping)
		loop_stop(srv->proc.loop);
	else if (srv->draining)
		proc_drained(&srv->proc, 0);
}

/*
 * The last reply has left.  What the client still sends would make the kernel
 * answer with a reset, which can overtake that reply: so our side is closed
 * and the rest is read and thrown away until the client closes its own.
 */
static void
bye_left(struct session *s)
{
	if (s->eof || (s->quit && s->io.in.len == 0))
		session_end(s, s->reason);
	else
		shutdown(s->io.fd, SHUT_WR);
}

/* ---- input ---- */

/* One line, or a piece of one that is too long.  False: nothing to handle. */
static bool
command_input(struct session *s)
{
	const struct conf *conf = session_conf(s);
	size_t max = conf->max_command, used;
	struct slice line;
	enum smtp_line got;

	if (max > SESSION_IN)
		max = SESSION_IN;
	got =
	    smtp_line_get(buf_data(&s->io.in), s->io.in.len, max, &line, &used);
	if (got == LINE_MORE)
		return false;
	s->command = NULL;
	if (got == LINE_LONG) {
		/* Said once; the rest of the line is dropped as it comes. */
		if (!s->dropping)
			session_reply_n(s, REPLY_LONG_LINE, max);
		s->dropping = true;
	} else if (s->dropping)
		s->dropping = false;
	else if (s->n_errors >= conf->max_errors)
		session_bye(s, REPLY_TOO_MANY_BAD, NULL, "errors");
	else if (got == LINE_BARE)
		session_reply(s, REPLY_BARE_LINE, NULL);
	else
		session_command(s, line);
	if (session_gone(s))
		return false;
	buf_drain(&s->io.in, used);
	/* The wait for the next command begins; not in the middle of a line. */
	if (kind_of(s) == KIND_COMMAND && !s->dropping)
		session_enter(s, s->state);
	return true;
}

/* One step in handling what has come in.  False: no more can be done now. */
static bool
input_step(struct session *s)
{
	switch (kind_of(s)) {
	case KIND_COMMAND:
		if (s->io.out.len >= SESSION_HIGH) {
			s->blocked = true;
			return false;
		}
		return command_input(s);
	case KIND_CONTENT:
		return data_input(s);
	case KIND_BYE:
		buf_drain(&s->io.in, s->io.in.len);
		return false;
	case KIND_WAIT:
	case KIND_END:
		break;
	}
	return false;
}

/*
 * Reads from the socket just when something can be done with it.  While an
 * answer is waited for, reading stops with the first bytes that come: to stop
 * before would cost two system calls for each question, and most clients wait
 * as we do.
 */
static void
update_reading(struct session *s)
{
	bool want = kind_of(s) != KIND_WAIT && !s->blocked;

	if (want && s->io.paused)
		io_resume(&s->io);
	else if (!want && !s->io.paused && s->io.in.len > 0)
		io_pause(&s->io);
}

void
session_run(struct session *s)
{
	while (!session_gone(s) && input_step(s))
		;
	if (!session_gone(s) && s->server->stopping &&
	    kind_of(s) == KIND_COMMAND)
		session_bye(s, REPLY_SHUTDOWN, s->hostname, "shutdown");
	/* Who only closed its sending side still reads our replies. */
	if (!session_gone(s) && s->eof && s->io.out.len == 0 &&
	    kind_of(s) != KIND_WAIT)
		session_end(s, "closed");
	if (s->state == ST_END)
		session_free(&s);
	else if (!session_gone(s))
		update_reading(s);
}

static void
on_timeout(struct session *s)
{
	if (s->state == ST_BYE)
		session_end(s, s->reason);
	else
		session_bye(s, REPLY_TIMEOUT, NULL, "timeout");
}

static void
on_io(struct io *io, enum io_event e, void *arg)
{
	struct session *s = arg;

	(void)io;
	switch (e) {
	case IO_READY:
	case IO_INPUT:
		break;
	case IO_LOW:
		s->blocked = false;
		if (s->state == ST_BYE)
			bye_left(s);
		break;
	case IO_EOF:
		s->eof = true;
		break;
	case IO_TIMEOUT:
		on_timeout(s);
		break;
	case IO_ERROR:
		session_end(s, "lost");
		break;
	}
	session_run(s);
}

/* ---- the beginning ---- */

/* Looks like the id of a message and never is one: those end in zeros. */
static uint64_t
new_id(struct server *srv)
{
	if (++srv->n_ids == 0)
		srv->n_ids = 1;
	return id_now() | srv->n_ids;
}

void
session_new(struct server *srv, int fd, const char *hostname,
    const struct facts *facts)
{
	struct session *s = xcalloc(1, sizeof *s);

	s->server = srv;
	s->id = new_id(srv);
	s->facts = *facts;
	s->hostname = hostname;
	s->reason = "";
	s->tx.fd = -1;
	io_open(&s->io, srv->proc.loop, fd, SESSION_IN, SESSION_OUT, on_io, s);
	TAILQ_INSERT_TAIL(&srv->sessions, s, entry);
	srv->n_sessions++;
	if ((facts->flags & FACT_SOCKET) != 0)
		log_event(s->id, "connect", "client=socket uid=%u tag=%s",
		    facts->uid, q(facts->tag));
	else
		log_event(s->id, "connect", "client=%s port=%u tag=%s",
		    facts->client, facts->port, q(facts->tag));
	session_reply(s, REPLY_GREETING, hostname);
	session_enter(s, ST_CONNECT);
}

void
session_stop_all(struct server *srv)
{
	struct session *s, *next;

	TAILQ_FOREACH_SAFE(s, &srv->sessions, entry, next) {
		if (s->state == ST_DATA && srv->stop_late)
			session_bye(s, REPLY_SHUTDOWN, s->hostname, "shutdown");
		/* It says goodbye to who waits for a command. */
		session_run(s);
	}
}
