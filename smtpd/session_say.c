/*
 * What a session says: replies, each counted, logged if it refuses, and held
 * back where a tarpit wants that.  Runs in session.  Never waits: a held reply
 * is a timer, and others go on.
 *
 * SPDX-License-Identifier: ISC
 */
#include <inttypes.h>
#include <stdio.h>

#include "log.h"
#include "session.h"
#include "session_guard.h"

#define REJECTS_LOG 100 /* refusals logged for one session; all are counted */

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

/* There is room: no command is handled from SESSION_HIGH on. */
static void
put(struct session *s, const char *line, size_t len)
{
	if (session_gone(s))
		return;
	if (!(s->holding ? buf_add(&s->held, line, len) :
			   io_write(&s->io, line, len)))
		session_end(s, "replies-not-read");
}

void
session_let_go(struct session *s)
{
	s->holding = false;
	timer_clear(&s->pause);
	if (s->held.len > 0)
		put(s, (const char *)buf_data(&s->held), s->held.len);
	buf_free(&s->held);
	/* The wait for the client begins here. */
	session_enter(s, s->state);
}

static void
on_held(void *arg)
{
	session_let_go(arg);
	session_run(arg);
}

/* `tarpit`: this reply and those after it wait, and so do the commands that a
 * client has sent ahead. */
static void
hold(struct session *s, msec ms)
{
	if (s->holding)
		return;
	s->holding = true;
	buf_init(&s->held, s->io.out.max);
	timer_set(s->server->proc.loop, &s->pause, ms, on_held, s);
	io_deadline(&s->io, 0);
}

/* RFC 3030 2: a chunk that is refused is read first.  True: o is said then. */
static bool
chunk_takes(struct session *s, const struct outcome *o, uint32_t n)
{
	struct chunk *c = &s->chunk;
	bool asking =
	    s->state == ST_BDAT || (s->state == ST_STEP && s->home == ST_BDAT);

	if (c->home != ST_CHUNK || !asking)
		return false;
	s->tx.after = *o;
	c->replies = c->replies > n ? c->replies : n;
	c->waste = true;
	c->home = ST_READY;
	return true;
}

void
session_say_n(struct session *s, const struct outcome *o, uint32_t n)
{
	char line[REPLY_LINE_MAX + 1];
	unsigned int code = reply_code(o);
	size_t len;
	msec ms;

	if (session_gone(s) || chunk_takes(s, o, n))
		return;
	len = reply_print(o, (s->facts.flags & FACT_SMTPUTF8) != 0, line);
	if (code >= 400) {
		log_reject(s, line, len);
		if ((ms = session_tarpit(s, code)) > 0)
			hold(s, ms);
	}
	if (code >= 500)
		s->n_errors++;
	for (; n > 0; n--)
		put(s, line, len);
}

void
session_say(struct session *s, const struct outcome *o)
{
	session_say_n(s, o, 1);
}

void
session_line(struct session *s, unsigned int code, bool more, const char *text)
{
	char line[REPLY_LINE_MAX + 1];
	int n = snprintf(line, sizeof line, "%u%c%s\r\n", code,
	    more ? '-' : ' ', text);

	if (n > 0 && (size_t)n < sizeof line)
		put(s, line, (size_t)n);
}

void
session_reply(struct session *s, enum reply r, const char *detail)
{
	struct outcome o;

	reply_outcome(&o, r, detail);
	session_say(s, &o);
	/* A command that is wrong, not one that is refused. */
	if (o.code / 10 == 50 || o.code == 555)
		session_did(s, DID_ERROR, 1);
}

void
session_reply_n(struct session *s, enum reply r, uint64_t n)
{
	char number[24];

	snprintf(number, sizeof number, "%" PRIu64, n);
	session_reply(s, r, number);
}
