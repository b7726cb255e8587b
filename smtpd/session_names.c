/*
 * The client's name in the DNS, DNS lists and greylisting: what is asked of
 * guard and queue about a client, and what follows from it.  Runs in session.
 * Silence of the DNS is doubt, and refuses nobody here.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_names.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "session_guard.h"

#define NAMES_MS 8000 /* longer than the guard takes for an answer */
#define TURN_MS  100  /* until we look again whether others have theirs */
#define GREY_MS  5000

/* Questions at once: they may take seconds, and the credit of the channel is
 * for short ones too. */
#define NAMES_AT_ONCE (IPC_CREDIT / 2)

static bool
lists_count(const struct session *s)
{
	return s->listen->dnsbl != 0 && session_conf(s)->dnslist.n > 0;
}

static uint32_t
listener_of(const struct session *s)
{
	return (uint32_t)(s->listen - CONF_LISTEN(session_conf(s), 0));
}

static bool
is_wanted(const struct session *s)
{
	const uint8_t *wants = s->server->wants_names;

	return wants != NULL && wants[listener_of(s)] != 0 &&
	    (s->facts.flags & FACT_SOCKET) == 0;
}

static void
log_names(const struct session *s, const struct names_is *m)
{
	const char *sure = (m->flags & FACT_RDNS_DOUBT) != 0 ? "doubt" :
	    (m->flags & FACT_FCRDNS) != 0                    ? "yes" :
							       "no";

	log_event(s->id, "names", "client=%s confirmed=%s rdns=%s",
	    s->facts.client, sure, q(m->rdns));
	if (m->listed + m->clean + m->refused > 0)
		log_event(s->id, "dnsbl",
		    "client=%s score=%d listed=%u clean=%u refused=%u lists=%s",
		    s->facts.client, m->score, m->listed, m->clean, m->refused,
		    q(m->lists));
}

/* NULL: nobody knows. */
static void
take(struct session *s, const struct names_is *m)
{
	static const struct names_is nobody = { .flags = FACT_RDNS_DOUBT };

	if (m == NULL)
		m = &nobody;
	s->names_known = true;
	/* XCLIENT may have said its name already. */
	if (s->facts.rdns[0] == '\0') {
		s->facts.flags |= m->flags & (FACT_FCRDNS | FACT_RDNS_DOUBT);
		memcpy(s->facts.rdns, m->rdns, sizeof s->facts.rdns);
	}
	s->score = m->score;
	if (m->lists[0] != '\0')
		s->lists = xstrdup(m->lists);
	log_names(s, m);
}

static void
on_names_is(void *arg, struct ipc_msg *msg)
{
	struct session *s = arg;

	s->server->n_names--;
	take(s, msg == NULL ? NULL : msg->body);
	if (!s->names_awaited)
		return;
	s->names_awaited = false;
	session_go_on(s);
}

static bool
ask(struct session *s)
{
	struct ipc_chan *guard = proc_chan(&s->server->proc, PROC_GUARD, 0);
	struct names_ask m;

	if (guard == NULL || s->server->n_names >= NAMES_AT_ONCE)
		return false;
	memset(&m, 0, sizeof m);
	m.session = s->id;
	m.listen = listener_of(s);
	memcpy(m.client, s->facts.client, sizeof m.client);
	s->server->n_names++;
	names_ask_ask(guard, &s->names, &m, on_names_is, s, NAMES_MS);
	return true;
}

void
names_begin(struct session *s)
{
	if (s->names_known || !is_wanted(s))
		return;
	if ((s->facts.flags & FACT_LOCAL) != 0) {
		/* The name of this host for itself, whatever the DNS says. */
		memcpy(s->facts.rdns, "localhost", sizeof "localhost");
		s->facts.flags |= FACT_FCRDNS;
		s->names_known = true;
		return;
	}
	(void)ask(s);
}

void
names_forget(struct session *s)
{
	if (s->names.place != IPC_IDLE) {
		ipc_cancel(&s->names);
		s->server->n_names--;
	}
	free((char *)s->lists);
	s->lists = NULL;
	s->names_known = s->names_awaited = false;
	s->score = 0;
}

/* ---- steps ---- */

/* The questions of others were before ours. */
static void
on_turn(void *arg)
{
	struct session *s = arg;

	if (ask(s))
		return;
	if (loop_msec() < s->names_until) {
		timer_set(s->server->proc.loop, &s->pause, TURN_MS, on_turn, s);
		return;
	}
	s->names_awaited = false;
	take(s, NULL);
	session_go_on(s);
}

enum step
step_names(struct session *s)
{
	if (s->names_known || !is_wanted(s))
		return STEP_ON;
	s->names_awaited = true;
	if (s->names.place == IPC_IDLE && !ask(s)) {
		s->names_until = loop_msec() + NAMES_MS;
		timer_set(s->server->proc.loop, &s->pause, TURN_MS, on_turn, s);
	}
	return STEP_WAIT;
}

enum step
step_lists(struct session *s)
{
	const struct conf *c = session_conf(s);

	if (!lists_count(s) || s->facts.auth[0] != '\0' || s->score <= 0)
		return STEP_ON;
	if (c->dnsbl_reject > 0 && s->score >= c->dnsbl_reject) {
		session_reply(s, REPLY_LISTED,
		    s->lists == NULL ? "a list" : s->lists);
		return STEP_STOP;
	}
	if (c->dnsbl_junk > 0 && s->score >= c->dnsbl_junk)
		s->facts.flags |= FACT_JUNK;
	return STEP_ON;
}

static void
on_grey_is(void *arg, struct ipc_msg *msg)
{
	struct session *s = arg;
	const struct grey_is *m = msg == NULL ? NULL : msg->body;

	/* A queue that cannot say will not take the message either. */
	if (m == NULL || m->outcome.verdict == DONE) {
		session_go_on(s);
		return;
	}
	session_say(s, &m->outcome);
	session_stop_steps(s);
	session_run(s);
}

/* Ours, known, or on a list of the good. */
static bool
need_not_wait(const struct session *s)
{
	return s->listen->greylist == 0 || s->facts.auth[0] != '\0' ||
	    (s->facts.flags & (FACT_LOCAL | FACT_SOCKET | FACT_SUBMIT)) != 0 ||
	    (s->peer & PEER_KNOWN) != 0 || s->score < 0;
}

enum step
step_grey(struct session *s)
{
	struct ipc_chan *queue = proc_chan(&s->server->proc, PROC_QUEUE, 0);
	struct grey_ask m;

	if (queue == NULL || need_not_wait(s))
		return STEP_ON;
	memset(&m, 0, sizeof m);
	memcpy(m.client, s->facts.client, sizeof m.client);
	memcpy(m.sender, s->tx.sender, strlen(s->tx.sender) + 1);
	memcpy(m.rcpt, s->tx.asked, sizeof m.rcpt);
	grey_ask_ask(queue, &s->ask, &m, on_grey_is, s, GREY_MS);
	return STEP_WAIT;
}
