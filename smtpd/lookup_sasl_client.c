/*
 * Our side of SASL exchanges (RFC 4422): from a label to its secret, and to
 * what is said next.  Runs in lookup, what is slow in threads of its own.
 * Nothing of an exchange is kept between two questions, and no secret is in
 * the log or in the words of an answer.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_sasl_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "log.h"
#include "lookup_sasl_turn.h"
#include "lookup_token.h"
#include "lookup_work.h"

#define THREADS   2
#define IN_LINE   64 /* that wait for one of them */
#define VALUE_MAX (ADDR_MAX + SASL_PASS_MAX + 16)

TAILQ_HEAD(sasl_questions, sasl_question);

struct sasl_clients {
	const struct conf *conf;
	struct tables *tables;
	struct loop *loop;
	struct workers *workers;
	struct tokens *tokens;
	struct sasl_questions open;
	unsigned int n_open;
};

/* A question. */
struct sasl_question {
	TAILQ_ENTRY(sasl_question) entry;
	struct sasl_clients *all;
	struct ipc_chan *from; /* NULL: nobody waits any more */
	uint64_t id;
	struct sasl_ask ask;
	struct timer deadline;
	struct table_req req; /* the table is asked */
	struct buf value;
	struct token_wait token; /* a token is fetched */
	struct work work;        /* a thread works */
	bool working;
	struct sasl_login login;
	struct sasl_turn turn;
	const char *why; /* of the turn */
};

/* ---- the end of a question ---- */

static void
release(struct sasl_question *s)
{
	TAILQ_REMOVE(&s->all->open, s, entry);
	s->all->n_open--;
	timer_clear(&s->deadline);
	table_cancel(&s->req);
	token_cancel(&s->token);
	buf_free(&s->value);
	buf_free(&s->turn.message);
	explicit_bzero(s, sizeof *s);
	free(s);
}

/* Nobody waits for it any more; a thread may still work at it. */
static void
let_go(struct sasl_question *s)
{
	s->from = NULL;
	if (!s->working)
		release(s);
}

/* It cannot be: s is gone, or soon will be. */
static void refuse(struct sasl_question *s, enum cause cause, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

static void
refuse(struct sasl_question *s, enum cause cause, const char *fmt, ...)
{
	char why[OUTCOME_TEXT_MAX + 1];
	struct sasl_is is;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	memset(&is, 0, sizeof is);
	outcome_set(&is.outcome, LATER, WIDTH_STREAM, 0, "4.7.0",
	    "label %s: %s", s->ask.label, why);
	outcome_of_us(&is.outcome, cause, STAGE_AUTH);
	if (s->from != NULL)
		sasl_is_send(s->from, s->id, &is, -1);
	let_go(s);
}

static void
say(struct sasl_question *s)
{
	struct sasl_turn *t = &s->turn;
	const uint8_t *bytes = buf_data(&t->message);
	size_t off, len = t->message.len;
	struct sasl_data m;
	struct sasl_is is;

	for (off = 0; off < len; off += m.n) {
		memset(&m, 0, sizeof m);
		m.sasl = s->ask.sasl;
		m.n = (uint32_t)(len - off < sizeof m.data ? len - off :
							     sizeof m.data);
		memcpy(m.data, bytes + off, m.n);
		sasl_data_send(s->from, 0, &m, -1);
	}
	explicit_bzero(&m, sizeof m);
	memset(&is, 0, sizeof is);
	outcome_set(&is.outcome, DONE, WIDTH_STREAM, 0, NULL, "%s", "");
	is.mech = s->ask.mech;
	is.bytes = (uint32_t)len;
	is.proved = t->proved;
	is.n_before = t->n_before;
	memcpy(is.before, t->before, t->n_before);
	sasl_is_send(s->from, s->id, &is, -1);
	let_go(s);
}

/* ---- the step ---- */

static const struct conf_action *
action_of(const struct sasl_question *s)
{
	return CONF_ACTION(s->all->conf, s->ask.action);
}

static void
turned(struct sasl_question *s)
{
	if (s->turn.refused[0] != '\0')
		log_event(0, "login-refused", "label=%s host=%s text=%s",
		    q(s->ask.label), q(s->ask.host), q(s->turn.refused));
	if (s->why != NULL)
		refuse(s, CAUSE_CONFIG, "%s", s->why);
	else
		say(s);
}

static void
work_run(struct work *w)
{
	struct sasl_question *s = (struct sasl_question *)(void *)((char *)w -
	    offsetof(struct sasl_question, work));

	s->why = sasl_turn(&s->turn);
}

static void
work_done(struct work *w)
{
	struct sasl_question *s = (struct sasl_question *)(void *)((char *)w -
	    offsetof(struct sasl_question, work));

	s->working = false;
	if (s->from == NULL)
		release(s);
	else
		turned(s);
}

static void
step(struct sasl_question *s, const char *token)
{
	struct sasl_turn *t = &s->turn;

	t->ask = &s->ask;
	t->login = &s->login;
	t->token = token;
	if (RAND_bytes(t->nonce, sizeof t->nonce) != 1) {
		refuse(s, CAUSE_SYSTEM, "no random bytes");
		return;
	}
	if (!sasl_turn_is_slow(t)) {
		s->why = sasl_turn(t);
		t->token = NULL;
		turned(s);
		return;
	}
	s->work.run = work_run;
	s->work.done = work_done;
	s->working = true;
	if (workers_add(s->all->workers, &s->work))
		return;
	s->working = false;
	refuse(s, CAUSE_SYSTEM, "too many logins at once");
}

/* ---- the secret ---- */

static void
on_token(void *arg, const char *token, const char *why)
{
	struct sasl_question *s = arg;

	if (token == NULL)
		refuse(s, CAUSE_CONFIG, "token %s: %s", s->login.secret, why);
	else
		step(s, token);
}

static void
want_token(struct sasl_question *s)
{
	const struct conf *c = s->all->conf;
	uint32_t row = tokens_find(c, s->login.secret);

	if (row == CONF_NONE)
		refuse(s, CAUSE_CONFIG,
		    "there is no token statement of the name in table %s",
		    conf_text(c, CONF_TABLE(c, action_of(s)->auth)->name));
	else
		token_get(s->all->tokens, &s->token, row, s->ask.fresh != 0,
		    on_token, s);
}

static void
know_login(struct sasl_question *s)
{
	bool first = s->ask.step == 0;
	bool token =
	    s->ask.mech == SASL_OAUTHBEARER || s->ask.mech == SASL_XOAUTH2;

	/* The table was changed meanwhile. */
	if (!first && token != s->login.has_token) {
		refuse(s, CAUSE_CONFIG, "what its table says has changed");
		return;
	}
	if (first)
		s->ask.mech =
		    sasl_choose(s->ask.mechs, &s->login, s->ask.n_exporter > 0);
	if (s->ask.mech == SASL_MECHS)
		refuse(s, CAUSE_CONFIG,
		    "%s offers no mechanism that works with a %s", s->ask.host,
		    s->login.has_token ? "token" : "password");
	else if (first && s->login.has_token)
		want_token(s);
	else
		step(s, NULL);
}

static void
on_credentials(void *arg, enum table_answer is, const char *value)
{
	struct sasl_question *s = arg;
	const struct conf *c = s->all->conf;
	const struct conf_action *a = action_of(s);
	const struct conf_table *t = CONF_TABLE(c, a->auth);
	char where[CONF_AT_MAX];
	const char *why;

	conf_at_print(c, &a->at, where, sizeof where);
	if (is == TABLE_UNKNOWN) {
		refuse(s, CAUSE_SYSTEM, "table %s has no answer now (%s)",
		    conf_text(c, t->name), where);
		return;
	}
	if (is == TABLE_NO) {
		refuse(s, CAUSE_CONFIG, "table %s does not have it (%s)",
		    conf_text(c, t->name), where);
		return;
	}
	why = sasl_login_parse(value, &s->login);
	buf_free(&s->value);
	if (why != NULL)
		refuse(s, CAUSE_CONFIG, "in table %s, %s (%s)",
		    conf_text(c, t->name), why, where);
	else
		know_login(s);
}

static void
look(struct sasl_question *s)
{
	const struct conf_action *a = action_of(s);
	char where[CONF_AT_MAX];
	enum table_answer is;

	if (a->auth >= s->all->conf->table.n) {
		refuse(s, CAUSE_CONFIG,
		    "its action has no auth table to look in (%s)",
		    conf_at_print(s->all->conf, &a->at, where, sizeof where));
		return;
	}
	buf_init(&s->value, VALUE_MAX);
	s->value.wipe = true;
	is = table_ask(tables_row(s->all->tables, a->auth), SERVICE_CREDENTIALS,
	    s->ask.label, &s->value, &s->req, on_credentials, s);
	if (is == TABLE_WAIT)
		return;
	if (!buf_add(&s->value, "", 1))
		is = TABLE_UNKNOWN;
	on_credentials(s, is,
	    is == TABLE_YES ? (const char *)buf_data(&s->value) : "");
}

/* ---- a question ---- */

static bool
makes_sense(const struct sasl_clients *sc, const struct sasl_ask *m)
{
	return m->action < sc->conf->action.n &&
	    (m->step == 0 || m->mech < SASL_MECHS) && m->n <= sizeof m->data &&
	    m->n_before <= sizeof m->before &&
	    (m->n_exporter == 0 || m->n_exporter == sizeof m->exporter);
}

static void
on_late(void *arg)
{
	refuse(arg, CAUSE_SYSTEM, "it takes too long");
}

void
sasl_clients_ask(struct sasl_clients *sc, struct ipc_chan *from, uint64_t id,
    const struct sasl_ask *m)
{
	struct sasl_question *s = xcalloc(1, sizeof *s);

	s->all = sc;
	s->from = from;
	s->id = id;
	s->ask = *m;
	TAILQ_INSERT_TAIL(&sc->open, s, entry);
	sc->n_open++;
	if (sc->n_open > SASL_CLIENT_OPEN) {
		refuse(s, CAUSE_SYSTEM, "too many logins at once");
		return;
	}
	if (!makes_sense(sc, m)) {
		refuse(s, CAUSE_SYSTEM, "a question that makes no sense");
		return;
	}
	timer_set(sc->loop, &s->deadline, SASL_CLIENT_MSEC, on_late, s);
	look(s);
}

void
sasl_clients_down(struct sasl_clients *sc, struct ipc_chan *deliver)
{
	struct sasl_question *s, *next;

	TAILQ_FOREACH_SAFE(s, &sc->open, entry, next) {
		if (s->from == deliver)
			let_go(s);
	}
}

/* ---- all of them ---- */

struct sasl_clients *
sasl_clients_new(const struct conf *c, struct tables *tables)
{
	struct sasl_clients *sc = xcalloc(1, sizeof *sc);

	sc->conf = c;
	sc->tables = tables;
	TAILQ_INIT(&sc->open);
	return sc;
}

void
sasl_clients_start(struct sasl_clients *sc, struct loop *l)
{
	sc->loop = l;
	sc->workers = workers_new(l, THREADS, IN_LINE);
	sc->tokens = tokens_new(sc->conf, l, sc->workers);
}

bool
sasl_clients_idle(const struct sasl_clients *sc)
{
	return TAILQ_EMPTY(&sc->open);
}

void
sasl_clients_free(struct sasl_clients **scp)
{
	struct sasl_clients *sc = *scp;

	*scp = NULL;
	while (!TAILQ_EMPTY(&sc->open))
		release(TAILQ_FIRST(&sc->open));
	if (sc->tokens != NULL)
		tokens_free(&sc->tokens);
	free(sc);
}

void
sasl_clients_spawn(struct sasl_clients *sc, struct ipc_chan *spawn)
{
	tokens_spawn(sc->tokens, spawn);
}

void
sasl_clients_stderr(struct sasl_clients *sc, uint32_t row, int fd)
{
	tokens_stderr(sc->tokens, row, fd);
}
