/*
 * AUTH (RFC 4954): from the command and its lines to what lookup is asked,
 * and back.  Runs in session.  What a client says is decoded, handed on and
 * wiped; who may come in, and by which secret, is for lookup to say.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "log.h"
#include "session_auth_offer.h"
#include "session_filter.h"
#include "session_guard.h"
#include "session_tls.h"

#define MESSAGE_MAX BASE64_BYTES(AUTH_LINE_MAX)

/* A challenge of so many bytes makes a line of "334 ", base64 and CRLF. */
#define CHALLENGE_MAX ((REPLY_LINE_MAX - 6) / 4 * 3)

/* Longer than lookup takes for it, shorter than a client waits. */
#define ASK_MS 30000

/* How a LOGIN client is asked for its name and its password. */
static const char *const login_words[] = { "Username:", "Password:" };

/* Columns: the server speaks first; at which of the client's messages a secret
 * is checked, 0 the first. */
static const struct {
	bool server_first;
	uint32_t check;
} mechs[SASL_MECHS] = {
	[SASL_PLAIN] = { false, 0 },
	[SASL_LOGIN] = { false, 0 },
	[SASL_CRAM_MD5] = { true, 1 },
	[SASL_SCRAM] = { false, 1 },
	[SASL_SCRAM_PLUS] = { false, 1 },
	[SASL_OAUTHBEARER] = { false, 0 },
	[SASL_XOAUTH2] = { false, 0 },
	[SASL_EXTERNAL] = { false, 0 },
};

/* An exchange under way. */
struct session_auth {
	enum sasl_mech mech;
	uint32_t step;  /* answers of lookup so far */
	uint32_t words; /* of LOGIN: lines that the client gave */
	bool said;      /* message holds what the client said, or nothing */
	bool failed;    /* it is lost: whatever the client says, outcome */
	bool more;      /* a challenge goes before outcome */
	struct outcome outcome;
	char user[ADDR_MAX + 1];
	size_t n_challenge;
	uint8_t challenge[CHALLENGE_MAX];
	uint32_t n_before;
	uint8_t before[sizeof((struct auth_is *)0)->before];
	size_t n_message;
	uint8_t message[MESSAGE_MAX];
};

/* ---- the end of an exchange ---- */

const char *
session_auth_user(const struct session *s)
{
	return s->auth == NULL ? "" : s->auth->user;
}

static void
log_end(const struct session *s, const char *result)
{
	const struct session_auth *a = s->auth;

	log_event(s->id, "auth", "client=%s mech=%s result=%s user=%s",
	    s->facts.client[0] == '\0' ? "socket" : s->facts.client,
	    auth_names[a->mech].p, result, q(a->user));
}

void
session_auth_held_off(struct session *s)
{
	/* A failure is in the log already, and before the first answer
	 * nobody is known. */
	if (s->auth != NULL && s->auth->step > 0 &&
	    s->auth->outcome.verdict == DONE)
		log_end(s, "later");
	session_auth_free(s);
}

void
session_auth_free(struct session *s)
{
	if (s->auth == NULL)
		return;
	explicit_bzero(s->auth, sizeof *s->auth);
	free(s->auth);
	s->auth = NULL;
}

/* Nothing was decided. */
static void
give_up(struct session *s, enum reply r, const char *detail)
{
	session_auth_free(s);
	session_enter(s, ST_READY);
	session_reply(s, r, detail);
}

static void
challenge(struct session *s, const void *p, size_t len)
{
	char text[BASE64_LEN(CHALLENGE_MAX) + 1];

	base64_print(BASE64_PLAIN, p, len, text);
	session_line(s, 334, false, text);
	session_enter(s, ST_AUTH);
}

/* The last step of a failure that is told. */
static enum step
step_refuse(struct session *s)
{
	struct session_auth *a = s->auth;

	s->n_auth_failed++;
	if (a->more) {
		a->more = false;
		a->failed = true;
		challenge(s, a->challenge, a->n_challenge);
		return STEP_ON;
	}
	session_say(s, &a->outcome);
	session_auth_free(s);
	return STEP_ON;
}

static enum step
step_welcome(struct session *s)
{
	struct session_auth *a = s->auth;

	log_end(s, "ok");
	memcpy(s->facts.auth, a->user, sizeof s->facts.auth);
	s->facts.flags |= FACT_SUBMIT;
	session_auth_free(s);
	session_reply(s, REPLY_AUTH_OK, NULL);
	return STEP_ON;
}

static session_step *const steps_failed[] = {
	step_auth_failed,
	step_refuse,
	NULL,
};

static session_step *const steps_passed[] = {
	step_auth_passed,
	step_welcome,
	NULL,
};

/* ---- asking lookup ---- */

/* Nobody knows. */
static enum step
step_later(struct session *s)
{
	log_end(s, "later");
	session_say(s, &s->auth->outcome);
	session_auth_free(s);
	return STEP_ON;
}

static session_step *const steps_later[] = {
	step_later,
	NULL,
};

static enum step
step_challenge(struct session *s)
{
	challenge(s, s->auth->challenge, s->auth->n_challenge);
	return STEP_ON;
}

static session_step *const steps_challenge[] = {
	step_challenge,
	NULL,
};

/* Keeps what the answer is about; false: it makes no sense. */
static bool
keep_answer(struct session_auth *a, const struct auth_is *m)
{
	if (m->n > sizeof a->challenge || m->n_before > sizeof a->before)
		return false;
	a->step++;
	a->said = false;
	a->outcome = m->outcome;
	a->more = m->more != 0;
	a->n_challenge = m->n;
	memcpy(a->challenge, m->data, m->n);
	a->n_before = m->n_before;
	memcpy(a->before, m->before, m->n_before);
	memcpy(a->user, m->user, sizeof a->user);
	return true;
}

static session_step *const *
next_steps(struct session *s)
{
	struct session_auth *a = s->auth;

	if (a->outcome.verdict == NEVER) {
		log_end(s, "failed");
		return steps_failed;
	}
	if (a->outcome.verdict != DONE)
		return steps_later;
	if (a->more)
		return steps_challenge;
	/* A session that somebody says he is nobody in is nobody's. */
	if (a->user[0] == '\0') {
		reply_outcome(&a->outcome, REPLY_AUTH_LATER, NULL);
		return steps_later;
	}
	return steps_passed;
}

static void
on_auth_is(void *arg, struct ipc_msg *msg)
{
	struct session *s = arg;

	if (msg == NULL || !keep_answer(s->auth, msg->body))
		reply_outcome(&s->auth->outcome, REPLY_AUTH_LATER, NULL);
	s->step = next_steps(s);
	session_go_on(s);
}

/* Says the client's message.  False: lookup is away. */
static bool
send_message(struct ipc_chan *lookup, uint64_t number,
    const struct session_auth *a)
{
	struct auth_data m;
	size_t off = 0;
	bool ok;

	do {
		memset(&m, 0, sizeof m);
		m.auth = number;
		m.n = (uint32_t)(a->n_message - off < sizeof m.data ?
			a->n_message - off :
			sizeof m.data);
		memcpy(m.data, a->message + off, m.n);
		ok = auth_data_send(lookup, 0, &m, -1);
		off += m.n;
	} while (ok && off < a->n_message);
	explicit_bzero(&m, sizeof m);
	return ok;
}

static void
fill_ask(struct session *s, struct auth_ask *m)
{
	const struct session_auth *a = s->auth;
	const char *cert = session_tls_cert(s);
	bool tls = (s->facts.flags & FACT_TLS) != 0;

	memset(m, 0, sizeof *m);
	m->listen =
	    (uint32_t)(s->listen - CONF_LISTEN(s->server->proc.conf, 0));
	/* The session has made the one out of the other. */
	m->mech = a->mech == SASL_LOGIN ? SASL_PLAIN : a->mech;
	m->step = a->step;
	m->facts = s->facts;
	if (cert != NULL)
		snprintf(m->cert, sizeof m->cert, "%s", cert);
	if (tls) {
		m->n_exporter = (uint32_t)session_tls_exporter(s, m->exporter);
		m->n_end_point =
		    (uint32_t)session_tls_end_point(s, m->end_point);
	}
	m->n_before = a->n_before;
	memcpy(m->before, a->before, a->n_before);
}

static enum step
step_ask(struct session *s)
{
	struct session_auth *a = s->auth;
	struct ipc_chan *lookup =
	    proc_chan(&s->server->proc, PROC_LOOKUP, (unsigned int)s->id);
	struct auth_ask m;
	bool ok = lookup != NULL;

	fill_ask(s, &m);
	m.auth = ++s->server->n_auth;
	if (ok && a->said)
		ok = send_message(lookup, m.auth, a);
	explicit_bzero(a->message, a->n_message);
	a->n_message = 0;
	if (!ok) {
		reply_outcome(&a->outcome, REPLY_AUTH_LATER, NULL);
		return step_later(s);
	}
	auth_ask_ask(lookup, &s->ask, &m, on_auth_is, s, ASK_MS);
	return STEP_WAIT;
}

/* The guard is asked once for each secret that is about to be checked. */
static enum step
step_try(struct session *s)
{
	if (s->auth->step != mechs[s->auth->mech].check)
		return STEP_ON;
	return step_auth_try(s);
}

/* Goes on if there is something to ask lookup for, else waits for a line. */
static enum step
step_begin(struct session *s)
{
	struct session_auth *a = s->auth;
	const char *words = "";

	if (a->said || mechs[a->mech].server_first)
		return STEP_ON;
	if (a->mech == SASL_LOGIN)
		words = login_words[a->words];
	challenge(s, words, strlen(words));
	return STEP_STOP;
}

static session_step *const steps_begin[] = {
	step_filter_auth,
	step_begin,
	step_try,
	step_ask,
	NULL,
};

static session_step *const steps_line[] = {
	step_begin,
	step_try,
	step_ask,
	NULL,
};

/* ---- what the client says ---- */

/* LOGIN becomes PLAIN (RFC 4616): NUL name NUL password. */
static const char *
take_login(struct session_auth *a, struct slice text)
{
	size_t at = a->n_message, len;
	const char *why;

	if (a->words == 0)
		a->message[at++] = '\0';
	/* A command line may be longer than AUTH's (max-command-line). */
	if (at == sizeof a->message)
		return "too long";
	why = base64_parse(BASE64_PLAIN, text, a->message + at,
	    sizeof a->message - at - 1, &len);
	if (why != NULL)
		return why;
	if (len > 0 && memchr(a->message + at, '\0', len) != NULL)
		return "a NUL in it";
	a->n_message = at + len;
	if (a->words == 0) {
		(void)slice_copy((struct slice){ (char *)a->message + at, len },
		    a->user, sizeof a->user);
		a->message[a->n_message++] = '\0';
	}
	a->said = ++a->words == 2;
	return NULL;
}

/* Decodes it; NULL, or why not. */
static const char *
take_text(struct session_auth *a, struct slice text)
{
	const char *why;

	if (a->mech == SASL_LOGIN)
		return take_login(a, text);
	why = base64_parse(BASE64_PLAIN, text, a->message, sizeof a->message,
	    &a->n_message);
	a->said = why == NULL;
	return why;
}

/* ---- lines ---- */

static void
wipe(struct slice said)
{
	if (said.len > 0)
		explicit_bzero((char *)(uintptr_t)said.p, said.len);
}

/* The exchange was lost before: RFC 7628 3.2.3, RFC 5802 7. */
static void
after_failure(struct session *s, bool star)
{
	struct outcome said = s->auth->outcome;

	session_auth_free(s);
	session_enter(s, ST_READY);
	if (star)
		session_reply(s, REPLY_AUTH_STAR, NULL);
	else
		session_say(s, &said);
}

void
session_auth_line(struct session *s, struct slice line)
{
	bool star = slice_eq(line, SLICE("*"));
	const char *why = NULL;

	s->command = "AUTH";
	if (!star && !s->auth->failed)
		why = take_text(s->auth, line);
	wipe(line);
	if (s->auth->failed)
		after_failure(s, star);
	else if (star)
		give_up(s, REPLY_AUTH_STAR, NULL);
	else if (why != NULL)
		give_up(s, REPLY_AUTH_BASE64, why);
	else {
		/* Where the steps return to. */
		session_enter(s, ST_READY);
		session_steps(s, steps_line);
	}
}

void
session_auth_bad_line(struct session *s)
{
	char max[16];

	s->command = "AUTH";
	snprintf(max, sizeof max, "%d", AUTH_LINE_MAX);
	give_up(s, REPLY_AUTH_LONG, max);
}

/* ---- the command ---- */

/* REPLY_NONE, or why there can be no exchange now. */
static enum reply
refusal(const struct session *s)
{
	if (auth_known(s) == 0)
		return REPLY_NOT_HERE;
	if ((s->facts.flags & FACT_ESMTP) == 0)
		return REPLY_HELO_FIRST;
	if (s->facts.auth[0] != '\0')
		return REPLY_AUTH_TWICE;
	return REPLY_NONE;
}

static enum sasl_mech
find_mech(struct slice name)
{
	uint32_t i;

	for (i = 0; i < SASL_MECHS; i++) {
		if (slice_eqcase(auth_names[i], name))
			break;
	}
	return i;
}

/* REPLY_NONE: the mechanism is there, for this client, now. */
static enum reply
mech_refusal(const struct session *s, enum sasl_mech mech)
{
	if (mech == SASL_MECHS || (auth_known(s) & 1u << mech) == 0)
		return REPLY_AUTH_NO_MECH;
	if (!auth_is_private(s))
		return REPLY_AUTH_NO_TLS;
	if ((auth_offered(s) & 1u << mech) == 0)
		return REPLY_AUTH_NO_MECH;
	return REPLY_NONE;
}

/* "MECHANISM [initial]"; NULL p: there is none.  False: more than that. */
static bool
split(struct slice arg, struct slice *mech, struct slice *initial)
{
	const char *blank = arg.len == 0 ? NULL : memchr(arg.p, ' ', arg.len);

	*mech = arg;
	*initial = (struct slice){ NULL, 0 };
	if (blank == NULL)
		return arg.len > 0;
	mech->len = (size_t)(blank - arg.p);
	*initial = slice_trim((struct slice){ blank, arg.len - mech->len });
	return initial->len > 0 &&
	    memchr(initial->p, ' ', initial->len) == NULL;
}

/* The exchange begins; initial is decoded.  False: the reply is given. */
static bool
begin(struct session *s, enum sasl_mech mech, struct slice initial)
{
	const char *why = NULL;

	session_auth_free(s);
	s->auth = xcalloc(1, sizeof *s->auth);
	s->auth->mech = mech;
	if (initial.p == NULL)
		return true;
	/* RFC 4954 4: "=" is an initial response of no bytes. */
	if (slice_eq(initial, SLICE("=")))
		initial.len = 0;
	if (mechs[mech].server_first)
		give_up(s, REPLY_AUTH_INITIAL, auth_names[mech].p);
	else if ((why = take_text(s->auth, initial)) != NULL)
		give_up(s, REPLY_AUTH_BASE64, why);
	return s->auth != NULL;
}

void
session_auth_command(struct session *s, struct slice arg)
{
	struct slice name, initial;
	enum reply no = refusal(s);
	enum sasl_mech mech;

	if (no == REPLY_NONE && !split(arg, &name, &initial))
		no = REPLY_AUTH_WORDS;
	if (no == REPLY_NONE) {
		mech = find_mech(name);
		no = mech_refusal(s, mech);
	}
	if (no == REPLY_NONE && s->n_auth_failed >= AUTH_FAILED_MAX) {
		wipe(arg);
		session_bye(s, REPLY_AUTH_TOO_MANY, NULL, "auth");
		return;
	}
	if (no != REPLY_NONE) {
		wipe(arg);
		session_reply(s, no, NULL);
		return;
	}
	if (begin(s, mech, initial)) {
		wipe(arg);
		session_steps(s, steps_begin);
	} else
		wipe(arg);
}
