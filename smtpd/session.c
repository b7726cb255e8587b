/*
 * The life of an SMTP session: states and their deadlines, what comes in, its
 * end.  Runs in session.  Knows no command and no message; never
 * waits.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session.h"

#include <sys/socket.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "id.h"
#include "io_tls.h"
#include "log.h"
#include "session_auth.h"
#include "session_guard.h"
#include "session_step.h"
#include "session_tls.h"

#define BYE_MS       5000 /* for the last reply to leave and the client to go */
#define PROXY_MS     5000 /* for a PROXY header: its sender has it ready */
#define HANDSHAKE_MS 60000 /* of TLS */

enum kind { KIND_COMMAND, KIND_CONTENT, KIND_WAIT, KIND_BYE, KIND_END };

/* Columns: name for the log, kind, how long it may last (0: as its kind). */
static const struct {
	const char *name;
	enum kind kind;
	msec ms;
} states[ST_STATES] = {
	[ST_CONNECT] = { "connect", KIND_COMMAND, 0 },
	[ST_READY] = { "ready", KIND_COMMAND, 0 },
	[ST_MAIL] = { "mail", KIND_COMMAND, 0 },
	[ST_RCPT] = { "rcpt", KIND_COMMAND, 0 },
	[ST_CHUNK] = { "chunk", KIND_COMMAND, 0 },
	[ST_PROXY] = { "proxy", KIND_CONTENT, PROXY_MS },
	[ST_SILENT] = { "silent", KIND_WAIT, 0 },
	[ST_AUTH] = { "auth", KIND_COMMAND, 0 },
	[ST_HANDSHAKE] = { "handshake", KIND_WAIT, HANDSHAKE_MS },
	[ST_STEP] = { "step", KIND_WAIT, 0 },
	[ST_ASK_FILE] = { "ask-file", KIND_WAIT, 0 },
	[ST_DATA] = { "data", KIND_CONTENT, 0 },
	[ST_BDAT] = { "bdat", KIND_CONTENT, 0 },
	[ST_ASK_COMMIT] = { "ask-commit", KIND_WAIT, 0 },
	[ST_ASK_ABORT] = { "ask-abort", KIND_WAIT, 0 },
	[ST_BYE] = { "bye", KIND_BYE, BYE_MS },
	[ST_END] = { "end", KIND_END, 0 },
};

static enum kind
kind_of(const struct session *s)
{
	return states[s->state].kind;
}

/* From this moment, however little comes in meanwhile: a client that sends a
 * byte a second does not move it.  A question, and a timer, is a deadline of
 * its own. */
static msec
deadline_of(const struct session *s)
{
	if (s->holding)
		return 0;
	if (states[s->state].ms != 0)
		return states[s->state].ms;
	switch (kind_of(s)) {
	case KIND_COMMAND:
		return (msec)session_conf(s)->smtp_timeout * 1000;
	case KIND_CONTENT:
		return (msec)session_conf(s)->data_timeout * 1000;
	case KIND_WAIT:
	case KIND_BYE:
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

/* ---- the end ---- */

/* Nobody waits for a step any more. */
static void
forget_steps(struct session *s)
{
	s->step = NULL;
	ipc_cancel(&s->ask);
	if (!s->holding)
		timer_clear(&s->pause);
}

void
session_bye_say(struct session *s, const struct outcome *o, const char *why)
{
	if (s->state == ST_BYE || s->state == ST_END)
		return;
	if (s->state == ST_ASK_FILE || s->state == ST_ASK_COMMIT ||
	    s->state == ST_ASK_ABORT) {
		if (s->last == NULL)
			s->last = xcalloc(1, sizeof *s->last);
		*s->last = *o;
		s->reason = why;
		return;
	}
	s->reason = why;
	forget_steps(s);
	s->chunk = (struct chunk){ 0 };
	if (tx_is_open(s)) {
		tx_drop(s, o, true);
		return;
	}
	session_say(s, o);
	tx_reset(s);
	session_enter(s, ST_BYE);
}

void
session_bye(struct session *s, enum reply r, const char *detail,
    const char *why)
{
	struct outcome o;

	reply_outcome(&o, r, detail);
	session_bye_say(s, &o, why);
}

void
session_bye_n(struct session *s, enum reply r, uint64_t n, const char *why)
{
	char number[24];

	snprintf(number, sizeof number, "%" PRIu64, n);
	session_bye(s, r, number, why);
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
	s->chunk = (struct chunk){ 0 };
	switch (s->state) {
	case ST_ASK_FILE:
	case ST_ASK_COMMIT:
	case ST_ASK_ABORT:
		/* The queue's answer ends it. */
		break;
	default:
		forget_steps(s);
		if (tx_is_open(s))
			tx_drop(s, NULL, false);
		else
			session_enter(s, ST_END);
		break;
	}
}

void
session_forget(struct session *s)
{
	struct facts *f = &s->facts;

	f->flags &= ~(uint32_t)(FACT_ESMTP | FACT_LMTP);
	if (f->auth[0] != '\0' && (f->flags & FACT_LOCAL) == 0 &&
	    (s->peer & PEER_SUBMIT) == 0 && !s->listen->submission)
		f->flags &= ~(uint32_t)FACT_SUBMIT;
	f->auth[0] = '\0';
	f->helo[0] = '\0';
	session_enter(s, ST_CONNECT);
}

static void
session_free(struct session **sp)
{
	struct session *s = *sp;
	struct server *srv = s->server;

	log_event(s->id, "disconnect", "reason=%s mails=%u rejects=%u",
	    s->reason, s->n_mails, s->n_rejects);
	session_guard_shut(s);
	session_auth_free(s);
	session_tls_free(s);
	tx_reset(s);
	ipc_cancel(&s->ask);
	ipc_cancel(&s->names);
	timer_clear(&s->pause);
	io_close(&s->io);
	buf_free(&s->held);
	free(s->last);
	free((char *)s->lists);
	TAILQ_REMOVE(&srv->sessions, s, entry);
	srv->n_sessions--;
	free(s->own_name);
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
	if (s->eof || (s->quit && s->io.in.len == 0)) {
		session_end(s, s->reason);
		return;
	}
	io_tls_bye(&s->io);
	shutdown(s->io.fd, SHUT_WR);
}

/* ---- input ---- */

/* RFC 4954 4: a line that carries a SASL message may be long. */
static size_t
line_max(const struct session *s)
{
	static const struct slice auth = { "AUTH ", 5 };
	const struct buf *in = &s->io.in;
	size_t max = session_conf(s)->max_command;
	bool long_one = s->state == ST_AUTH ||
	    (s->state == ST_READY && s->listen->auth != AUTH_NONE &&
		in->len >= auth.len &&
		slice_eqcase((struct slice){ (const char *)buf_data(in),
				 auth.len },
		    auth));

	if (long_one && max < AUTH_LINE_MAX)
		max = AUTH_LINE_MAX;
	return max > SESSION_IN ? SESSION_IN : max;
}

/* One line, or a piece of one that is too long.  False: nothing to handle. */
static bool
line_input(struct session *s, void (*good)(struct session *s, struct slice),
    void (*bad)(struct session *s, enum smtp_line got, size_t max))
{
	size_t max = line_max(s), used;
	struct slice line;
	enum smtp_line got;

	got =
	    smtp_line_get(buf_data(&s->io.in), s->io.in.len, max, &line, &used);
	if (got == LINE_MORE)
		return false;
	if (got == LINE_LONG) {
		/* Said once; the rest of the line is dropped as it comes. */
		if (!s->dropping)
			bad(s, got, max);
		s->dropping = true;
	} else if (s->dropping)
		s->dropping = false;
	else if (s->n_errors >= session_conf(s)->max_errors)
		session_bye(s, REPLY_TOO_MANY_BAD, NULL, "errors");
	else if (got == LINE_BARE)
		bad(s, got, max);
	else
		good(s, line);
	if (session_gone(s))
		return false;
	buf_drain(&s->io.in, used);
	/* The wait for the next command begins; not in the middle of a line. */
	if (kind_of(s) == KIND_COMMAND && !s->dropping)
		session_enter(s, s->state);
	return true;
}

static void
bad_command(struct session *s, enum smtp_line got, size_t max)
{
	s->command = NULL;
	if (got == LINE_LONG)
		session_reply_n(s, REPLY_LONG_LINE, max);
	else
		session_reply(s, REPLY_BARE_LINE, NULL);
}

static bool
command_input(struct session *s)
{
	return line_input(s, session_command, bad_command);
}

static void
bad_auth_line(struct session *s, enum smtp_line got, size_t max)
{
	(void)got;
	(void)max;
	session_auth_bad_line(s);
}

static bool
auth_input(struct session *s)
{
	return line_input(s, session_auth_line, bad_auth_line);
}

static bool
waste_input(struct session *s)
{
	buf_drain(&s->io.in, s->io.in.len);
	return false;
}

static bool
early_input(struct session *s)
{
	if (s->io.in.len == 0)
		return false;
	session_early(s);
	return true;
}

/* Who takes input, by state; NULL: it waits. */
static bool (*const inputs[ST_STATES])(struct session *s) = {
	[ST_CONNECT] = command_input,
	[ST_READY] = command_input,
	[ST_MAIL] = command_input,
	[ST_RCPT] = command_input,
	[ST_CHUNK] = command_input,
	[ST_PROXY] = proxy_input,
	[ST_SILENT] = early_input,
	[ST_AUTH] = auth_input,
	[ST_DATA] = data_input,
	[ST_BDAT] = bdat_input,
	[ST_BYE] = waste_input,
};

/* One step in handling what has come in.  False: no more can be done now. */
static bool
input_step(struct session *s)
{
	if (inputs[s->state] == NULL || (s->holding && s->state != ST_BYE))
		return false;
	if (kind_of(s) == KIND_COMMAND && s->io.out.len >= SESSION_HIGH) {
		s->blocked = true;
		return false;
	}
	return inputs[s->state](s);
}

/* TLS that has not begun, or is beginning. */
static bool
is_before_tls(const struct session *s)
{
	if ((s->facts.flags & FACT_TLS) != 0)
		return false;
	return s->state == ST_HANDSHAKE ||
	    (s->listen->tls == LISTEN_SMTPS && s->state != ST_PROXY &&
		s->state != ST_BYE);
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
	bool want = inputs[s->state] != NULL && !s->blocked && !s->holding;

	/* What comes now is for its handshake, which reads by itself. */
	if (is_before_tls(s)) {
		if (s->io.layer_state == NULL && !s->io.paused)
			io_pause(&s->io);
		return;
	}
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
	if (!session_gone(s) && s->last != NULL)
		session_bye_say(s, s->last, s->reason);
	if (!session_gone(s) && s->server->stopping &&
	    kind_of(s) == KIND_COMMAND && !s->holding)
		session_bye(s, REPLY_SHUTDOWN, s->hostname, "shutdown");
	/* Who only closed its sending side still reads our replies. */
	if (!session_gone(s) && s->eof && s->io.out.len == 0 && !s->holding &&
	    (kind_of(s) != KIND_WAIT || s->state == ST_SILENT))
		session_end(s, "closed");
	if (s->state == ST_END)
		session_free(&s);
	else if (!session_gone(s))
		update_reading(s);
}

static void
on_timeout(struct session *s)
{
	/* Before the greeting nobody expects a word, and inside a handshake
	 * nobody would understand one. */
	if (s->state == ST_BYE)
		session_end(s, s->reason);
	else if (s->state == ST_PROXY || s->state == ST_HANDSHAKE)
		session_end(s, s->state == ST_PROXY ? "proxy" : "handshake");
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
		if (s->state == ST_BYE && !s->holding)
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

enum step
step_greeting(struct session *s)
{
	s->greeted = true;
	session_enter(s, ST_CONNECT);
	session_reply(s, s->listen->lmtp ? REPLY_GREETING_LMTP : REPLY_GREETING,
	    s->hostname);
	return STEP_ON;
}

void
session_new(struct server *srv, int fd, const struct conf_listen *l,
    const struct facts *facts, const char *ours)
{
	struct session *s = xcalloc(1, sizeof *s);
	conf_str name =
	    l->hostname != 0 ? l->hostname : srv->proc.conf->hostname;

	s->server = srv;
	s->id = new_id(srv);
	s->facts = *facts;
	s->listen = l;
	s->hostname = conf_text(srv->proc.conf, name);
	s->reason = "";
	s->tx.fd = -1;
	(void)slice_copy(slice_of(ours), s->ours, sizeof s->ours);
	io_open(&s->io, srv->proc.loop, fd, SESSION_IN,
	    l->lmtp ? LMTP_OUT : SESSION_OUT, on_io, s);
	if (is_before_tls(s))
		io_pause(&s->io);
	/* Passwords may come. */
	s->io.in.wipe = l->auth != AUTH_NONE;
	TAILQ_INSERT_TAIL(&srv->sessions, s, entry);
	srv->n_sessions++;
	if ((facts->flags & FACT_SOCKET) != 0)
		log_event(s->id, "connect", "client=socket uid=%u tag=%s",
		    facts->uid, q(facts->tag));
	else
		log_event(s->id, "connect", "client=%s port=%u tag=%s",
		    facts->client, facts->port, q(facts->tag));
	session_steps(s, steps_connect);
}

void
session_stop_all(struct server *srv)
{
	struct session *s, *next;

	TAILQ_FOREACH_SAFE(s, &srv->sessions, entry, next) {
		if (s->holding)
			session_let_go(s);
		if (kind_of(s) == KIND_CONTENT && srv->stop_late)
			session_bye(s, REPLY_SHUTDOWN, s->hostname, "shutdown");
		/* It says goodbye to who waits for a command. */
		session_run(s);
	}
}
