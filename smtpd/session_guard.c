/*
 * What the guard is told of a client, and what it allows: sessions, messages,
 * recipients, errors, passwords; and the delays that are not of its making.
 * Runs in session.  Never stops the mail because the guard is away.
 *
 * MAIL and RCPT are counted before they are answered, by an allowance that
 * the guard hands out; unknown recipients and errors afterwards.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_guard.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "session_auth.h"
#include "session_names.h"

/* A guard that is away for longer has nothing against it. */
#define GUARD_MS 1000

/* What a session may do while it is. */
#define AWAY_ALLOWANCE 16

#define EARLY_SHOWN 64 /* bytes of what an early client said, for the log */

struct session_guard {
	bool known;                  /* it counts this session */
	struct ipc_req note;         /* beside all else */
	enum client_did telling;     /* what the note is of */
	enum client_did awaited;     /* a step waits for that one */
	uint32_t n[DIDS_COUNTED];    /* done, not yet told */
	uint32_t left[DIDS_COUNTED]; /* ... and so many more before it is */
};

/* Where the limit of each is in struct conf_client; what counts for nothing
 * has none. */
static const size_t limit_of[DIDS_COUNTED] = {
	[DID_MAIL] = offsetof(struct conf_client, messages.n),
	[DID_RCPT] = offsetof(struct conf_client, rcpts.n),
	[DID_UNKNOWN] = offsetof(struct conf_client, unknown.n),
	[DID_ERROR] = offsetof(struct conf_client, errors),
};

static struct ipc_chan *
guard_of(struct session *s)
{
	return proc_chan(&s->server->proc, PROC_GUARD, 0);
}

static uint32_t
listener_of(const struct session *s)
{
	const struct conf *c = session_conf(s);

	return (uint32_t)(s->listen - CONF_LISTEN(c, 0));
}

/* One of this host's, or excepted by the configuration. */
static bool
is_spared(const struct session *s)
{
	return (s->facts.flags & (FACT_LOCAL | FACT_SOCKET)) != 0 ||
	    (s->peer & PEER_EXEMPT) != 0;
}

/* Nobody we would keep waiting to see what it does. */
static bool
is_trusted(const struct session *s)
{
	return is_spared(s) || (s->facts.flags & FACT_SUBMIT) != 0 ||
	    s->facts.auth[0] != '\0';
}

static bool
has_limit(const struct conf_client *c, enum client_did did)
{
	uint32_t n;

	memcpy(&n, (const char *)c + limit_of[did], sizeof n);
	return n != 0;
}

static bool
is_limited(const struct session *s, enum client_did did)
{
	const struct conf *c = session_conf(s);

	return has_limit(&c->client, did) || has_limit(&c->network, did);
}

static bool
has_limits(const struct conf_client *c)
{
	static const struct conf_client none;

	return memcmp(c, &none, sizeof none) != 0;
}

/* ---- a client comes, and goes ---- */

static void
on_client_is(void *arg, struct ipc_msg *msg)
{
	struct session *s = arg;
	const struct client_is *m = msg == NULL ? NULL : msg->body;

	if (m != NULL && m->outcome.verdict != DONE) {
		s->guard->known = false;
		session_bye_say(s, &m->outcome, "limit");
		session_run(s);
		return;
	}
	names_begin(s);
	session_go_on(s);
}

enum step
step_client(struct session *s)
{
	const struct conf *c = session_conf(s);
	struct ipc_chan *guard = guard_of(s);
	struct client_open m;

	session_guard_shut(s);
	if (guard == NULL || is_spared(s) ||
	    (!has_limits(&c->client) && !has_limits(&c->network))) {
		names_begin(s);
		return STEP_ON;
	}
	s->guard = xcalloc(1, sizeof *s->guard);
	s->guard->known = true; /* or will be, before anything else is said */
	memset(&m, 0, sizeof m);
	m.session = s->id;
	m.listen = listener_of(s);
	m.facts = s->facts;
	client_open_ask(guard, &s->ask, &m, on_client_is, s, GUARD_MS);
	return STEP_WAIT;
}

void
session_guard_shut(struct session *s)
{
	struct session_guard *g = s->guard;
	struct ipc_chan *guard = guard_of(s);
	struct client_shut m;

	names_forget(s);
	if (g == NULL)
		return;
	ipc_cancel(&g->note);
	if (g->known && guard != NULL) {
		memset(&m, 0, sizeof m);
		m.session = s->id;
		memcpy(m.did, g->n, sizeof m.did);
		client_shut_send(guard, 0, &m, -1);
	}
	free(g);
	s->guard = NULL;
}

static void
say_here(struct session *s, struct ipc_chan *guard)
{
	struct client_here m;

	memset(&m, 0, sizeof m);
	m.session = s->id;
	m.listen = listener_of(s);
	m.flags = is_spared(s) ? PEER_EXEMPT : 0;
	memcpy(m.client, s->facts.client, sizeof m.client);
	client_here_send(guard, 0, &m, -1);
}

void
session_guard_up(struct server *srv, struct ipc_chan *guard)
{
	struct session *s;

	TAILQ_FOREACH(s, &srv->sessions, entry) {
		if (s->guard != NULL && s->guard->known)
			say_here(s, guard);
	}
}

/* ---- what it does ---- */

/* To be told now: somebody waits for it, or it is about time. */
static bool
is_due(const struct session *s, enum client_did did)
{
	const struct session_guard *g = s->guard;

	if (g->awaited == did)
		return true;
	return (did == DID_UNKNOWN || did == DID_ERROR) && g->n[did] > 0 &&
	    g->left[did] == 0;
}

static void on_client_may(void *arg, struct ipc_msg *msg);

/* One note at a time. */
static void
tell(struct session *s)
{
	struct session_guard *g = s->guard;
	struct ipc_chan *guard = guard_of(s);
	struct client_note m;
	enum client_did did;

	for (did = DID_NONE + 1; did < DIDS_COUNTED; did++) {
		if (is_due(s, did))
			break;
	}
	if (guard == NULL || g->telling != DID_NONE || did == DIDS_COUNTED)
		return;
	memset(&m, 0, sizeof m);
	m.session = s->id;
	m.did = did;
	m.n = g->n[did];
	g->n[did] = 0;
	g->telling = did;
	client_note_ask(guard, &g->note, &m, on_client_may, s, GUARD_MS);
}

/* It does one: MAIL when it is said, the others when they were answered. */
static void
count(struct session_guard *g, enum client_did did, uint32_t n)
{
	g->n[did] += n;
	g->left[did] -= n < g->left[did] ? n : g->left[did];
}

/* A step was refused with these words, which may be the last. */
static void
refuse_step(struct session *s, const struct outcome *no, bool bye)
{
	if (bye)
		session_bye_say(s, no, "limit");
	else {
		session_say(s, no);
		session_stop_steps(s);
	}
	session_run(s);
}

static void
on_client_may(void *arg, struct ipc_msg *msg)
{
	struct session *s = arg;
	struct session_guard *g = s->guard;
	const struct client_may *m = msg == NULL ? NULL : msg->body;
	enum client_did did = g->telling;
	/* Else its last words were said meanwhile. */
	bool awaited = did == g->awaited && s->state == ST_STEP;
	bool refused = m != NULL && m->outcome.verdict != DONE;

	g->telling = DID_NONE;
	if (did == g->awaited)
		g->awaited = DID_NONE;
	if (refused && (awaited || m->bye != 0)) {
		refuse_step(s, &m->outcome, m->bye != 0);
		return;
	}
	if (!refused)
		g->left[did] =
		    m == NULL || m->again == 0 ? AWAY_ALLOWANCE : m->again;
	if (!awaited) {
		tell(s);
		return;
	}
	if (did == DID_MAIL)
		count(g, did, 1);
	session_go_on(s);
}

/* May it do another of these? */
static enum step
may(struct session *s, enum client_did did)
{
	struct session_guard *g = s->guard;

	if (g == NULL || !is_limited(s, did))
		return STEP_ON;
	if (g->left[did] > 0) {
		if (did == DID_MAIL)
			count(g, did, 1);
		return STEP_ON;
	}
	g->awaited = did;
	tell(s);
	return STEP_WAIT;
}

enum step
step_may_mail(struct session *s)
{
	return may(s, DID_MAIL);
}

enum step
step_may_rcpt(struct session *s)
{
	return may(s, DID_RCPT);
}

void
session_did(struct session *s, enum client_did did, uint32_t n)
{
	if (s->guard == NULL || !is_limited(s, did))
		return;
	count(s->guard, did, n);
	tell(s);
}

/* ---- passwords ---- */

static void
on_held(void *arg)
{
	session_go_on(arg);
}

static void
on_auth_may(void *arg, struct ipc_msg *msg)
{
	struct session *s = arg;
	const struct client_may *m = msg == NULL ? NULL : msg->body;

	if (m != NULL && m->outcome.verdict != DONE) {
		session_auth_held_off(s);
		refuse_step(s, &m->outcome, m->bye != 0);
	} else if (m != NULL && m->delay > 0)
		timer_set(s->server->proc.loop, &s->pause, m->delay, on_held,
		    s);
	else
		session_go_on(s);
}

/* Counted also where nothing else is. */
static enum step
note_auth(struct session *s, enum client_did did, const char *user)
{
	struct ipc_chan *guard = guard_of(s);
	struct client_note m;

	if (guard == NULL)
		return STEP_ON;
	if (s->guard == NULL) {
		s->guard = xcalloc(1, sizeof *s->guard);
		s->guard->known = true;
		say_here(s, guard);
	}
	memset(&m, 0, sizeof m);
	m.session = s->id;
	m.did = did;
	m.n = 1;
	(void)slice_copy(slice_of(user), m.user, sizeof m.user);
	client_note_ask(guard, &s->ask, &m, on_auth_may, s, GUARD_MS);
	return STEP_WAIT;
}

enum step
step_auth_try(struct session *s)
{
	return note_auth(s, DID_AUTH_TRY, "");
}

enum step
step_auth_failed(struct session *s)
{
	return note_auth(s, DID_AUTH_FAILED, session_auth_user(s));
}

enum step
step_auth_passed(struct session *s)
{
	return note_auth(s, DID_AUTH_PASSED, session_auth_user(s));
}

/* ---- our own delays ---- */

static void
on_silence_over(void *arg)
{
	session_go_on(arg);
}

enum step
step_greet_delay(struct session *s)
{
	if (s->listen->greet_delay == 0 || is_trusted(s))
		return STEP_ON;
	session_enter(s, ST_SILENT);
	timer_set(s->server->proc.loop, &s->pause,
	    (msec)s->listen->greet_delay * 1000, on_silence_over, s);
	return STEP_WAIT;
}

void
session_early(struct session *s)
{
	size_t len = s->io.in.len < EARLY_SHOWN ? s->io.in.len : EARLY_SHOWN;
	char said[EARLY_SHOWN + 1];

	memcpy(said, buf_data(&s->io.in), len);
	said[len] = '\0';
	log_event(s->id, "early", "client=%s port=%u said=%s", s->facts.client,
	    s->facts.port, q(said));
	session_did(s, DID_ERROR, 1);
	session_bye(s, REPLY_EARLY, NULL, "early");
}

msec
session_tarpit(const struct session *s, unsigned int code)
{
	/* 421 is the end: it would be held for nobody. */
	if (code < 400 || code == 421 || is_trusted(s))
		return 0;
	return (msec)s->listen->tarpit * 1000;
}
