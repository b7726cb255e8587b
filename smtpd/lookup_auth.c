/*
 * SASL exchanges: from the pieces of a client's message to a mechanism's step
 * and its answer.  Runs in lookup.  Nothing of an exchange is kept between two
 * questions, and nothing of a message after its answer.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_auth.h"

#include <crypt.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "log.h"
#include "lookup_auth_parts.h"
#include "lookup_jwt.h"
#include "lookup_sasl.h"
#include "table_key.h"

#define THREADS   4  /* yescrypt takes 16 megabytes in each */
#define IN_LINE   64 /* checks that wait for one of them */
#define PART_MSEC 40000

#define STEPS 3

/* Columns: by mechanism; the step that answers the client's first, second,
 * third question; the first comes without a message. */
static const struct {
	sasl_step *step[STEPS];
	bool server_first;
} mechs[SASL_MECHS] = {
	/* LOGIN becomes PLAIN in session. */
	[SASL_PLAIN] = { { sasl_plain }, false },
	[SASL_CRAM_MD5] = { { sasl_cram_first, sasl_cram_last }, true },
	[SASL_SCRAM] = { { sasl_scram_first, sasl_scram_final, sasl_scram_end },
	    false },
	[SASL_SCRAM_PLUS] = { { sasl_scram_first, sasl_scram_final,
				  sasl_scram_end },
	    false },
	[SASL_OAUTHBEARER] = { { sasl_oauth }, false },
	[SASL_XOAUTH2] = { { sasl_oauth }, false },
	[SASL_EXTERNAL] = { { sasl_external }, false },
};

/* ---- messages in pieces ---- */

static void
part_free(struct auth_part *part)
{
	if (part == NULL)
		return;
	timer_clear(&part->deadline);
	explicit_bzero(part, sizeof *part);
	free(part);
}

/* Out of the list. */
static void
part_take(struct auth_part *part)
{
	TAILQ_REMOVE(&part->all->parts, part, entry);
	part->all->n_parts--;
	timer_clear(&part->deadline);
}

static void
on_part_late(void *arg)
{
	part_take(arg);
	part_free(arg);
}

static struct auth_part *
part_find(struct auths *as, const struct ipc_chan *from, uint64_t auth)
{
	struct auth_part *part;

	TAILQ_FOREACH(part, &as->parts, entry) {
		if (part->from == from && part->auth == auth)
			return part;
	}
	return NULL;
}

static struct auth_part *
part_new(struct auths *as, struct ipc_chan *from, uint64_t auth)
{
	struct auth_part *part;

	if (as->n_parts >= AUTH_PARTS_MAX)
		return NULL;
	part = xcalloc(1, sizeof *part);
	part->all = as;
	part->from = from;
	part->auth = auth;
	TAILQ_INSERT_HEAD(&as->parts, part, entry);
	as->n_parts++;
	timer_set(as->loop, &part->deadline, PART_MSEC, on_part_late, part);
	return part;
}

void
auths_data(struct auths *as, struct ipc_chan *from, const struct auth_data *m)
{
	struct auth_part *part = part_find(as, from, m->auth);

	/* Its auth_ask finds none, and is answered with "later". */
	if (part == NULL && (part = part_new(as, from, m->auth)) == NULL)
		return;
	if (part->broken || m->n > sizeof m->data ||
	    m->n > AUTH_MESSAGE_MAX - part->len) {
		part->broken = true;
		return;
	}
	memcpy(part->bytes + part->len, m->data, m->n);
	part->len += m->n;
}

/* ---- a question's end ---- */

static void
release(struct auth *a)
{
	TAILQ_REMOVE(&a->all->open, a, entry);
	a->all->n_open--;
	timer_clear(&a->deadline);
	table_cancel(&a->req);
	pam_cancel(&a->pam);
	buf_free(&a->value);
	part_free(a->part);
	explicit_bzero(a, sizeof *a);
	free(a);
}

/* Nobody waits for it any more; a thread may still work at it. */
static void
let_go(struct auth *a)
{
	a->from = NULL;
	if (!a->working)
		release(a);
}

/* After this a is gone, or soon will be. */
static void
answer(struct auth *a, enum verdict v, unsigned int code, const char *ecode,
    const char *text)
{
	outcome_set(&a->is.outcome, v, WIDTH_MESSAGE, code, ecode, "%s", text);
	if (a->from != NULL)
		auth_is_send(a->from, a->id, &a->is, -1);
	let_go(a);
}

/* A user of a table has one name, however he writes it. */
static void
set_user(struct auth *a, const char *user)
{
	char key[TABLE_KEY_MAX + 1];

	if (!auth_has_table(a) || table_key_fold(slice_of(user), key) != NULL ||
	    !slice_copy(slice_of(key), a->is.user, sizeof a->is.user))
		(void)slice_copy(slice_of(user), a->is.user, sizeof a->is.user);
}

void
auth_passed(struct auth *a, const char *user)
{
	set_user(a, user);
	answer(a, DONE, 235, "2.7.0", "Authentication succeeded");
}

static void
fail(struct auth *a, const char *user)
{
	set_user(a, user);
	answer(a, NEVER, 535, "5.7.8", "Authentication failed");
}

void
auth_failed(struct auth *a, const char *user)
{
	fail(a, user);
}

void
auth_failed_saying(struct auth *a, const char *user, const char *words)
{
	a->is.more = 1;
	a->is.n = (uint32_t)strlen(words);
	memcpy(a->is.data, words, a->is.n);
	fail(a, user);
}

void
auth_later(struct auth *a)
{
	set_user(a, a->name);
	answer(a, LATER, 454, "4.7.0",
	    "Authentication is not possible now, try later");
}

void
auth_challenge(struct auth *a, const void *p, size_t len, const void *before,
    size_t n_before)
{
	if (len > sizeof a->is.data || n_before > sizeof a->is.before) {
		auth_later(a);
		return;
	}
	a->is.more = 1;
	a->is.n = (uint32_t)len;
	memcpy(a->is.data, p, len);
	a->is.n_before = (uint32_t)n_before;
	memcpy(a->is.before, before, n_before);
	set_user(a, a->name);
	answer(a, DONE, 334, NULL, "");
}

/* ---- what a step may need ---- */

bool
auth_has_table(const struct auth *a)
{
	return a->listen != NULL && a->listen->auth_table != CONF_NONE;
}

int64_t
auth_now(const struct auth *a)
{
	return a->all->now != 0 ? a->all->now : (int64_t)time(NULL);
}

static void
work_run(struct work *w)
{
	struct auth *a =
	    (struct auth *)(void *)((char *)w - offsetof(struct auth, work));

	a->run(a);
}

static void
work_done(struct work *w)
{
	struct auth *a =
	    (struct auth *)(void *)((char *)w - offsetof(struct auth, work));

	a->working = false;
	if (a->from == NULL)
		release(a);
	else
		a->ran(a);
}

void
auth_work(struct auth *a, void (*run)(struct auth *a),
    void (*ran)(struct auth *a))
{
	a->work.run = work_run;
	a->work.done = work_done;
	a->run = run;
	a->ran = ran;
	a->working = true;
	if (workers_add(a->all->workers, &a->work))
		return;
	a->working = false;
	auth_later(a);
}

/* ---- what can be checked ---- */

static bool
may_be_asked(const struct auths *as, const struct auth_ask *m)
{
	bool known_otherwise =
	    (m->facts.flags & FACT_SOCKET) != 0 || m->cert[0] != '\0';

	if (m->mech == SASL_EXTERNAL)
		return known_otherwise;
	return (auths_mechs(as, CONF_LISTEN(as->conf, m->listen)) &
		   1u << m->mech) != 0;
}

static void
tell(struct auths *as, struct ipc_chan *session)
{
	struct auth_mechs m;
	uint32_t i;

	for (i = 0; i < as->conf->listen.n; i++) {
		memset(&m, 0, sizeof m);
		m.listen = i;
		m.mechs = auths_mechs(as, CONF_LISTEN(as->conf, i));
		if (m.mechs != 0)
			auth_mechs_send(session, 0, &m, -1);
	}
}

void
auths_session_up(struct auths *as, struct ipc_chan *session)
{
	if (session->instance < PROC_MAX)
		as->sessions[session->instance] = session;
	tell(as, session);
}

void
auths_session_down(struct auths *as, struct ipc_chan *session)
{
	struct auth_part *part, *next_part;
	struct auth *a, *next;

	if (session->instance < PROC_MAX)
		as->sessions[session->instance] = NULL;
	TAILQ_FOREACH_SAFE(part, &as->parts, entry, next_part) {
		if (part->from != session)
			continue;
		part_take(part);
		part_free(part);
	}
	TAILQ_FOREACH_SAFE(a, &as->open, entry, next) {
		if (a->from == session)
			let_go(a);
	}
}

void
auths_changed(struct auths *as)
{
	unsigned int i;

	for (i = 0; i < as->conf->table.n; i++)
		as->rows[i].said_bad = false;
	auths_warn_weak(as);
	for (i = 0; i < PROC_MAX; i++) {
		if (as->sessions[i] != NULL)
			tell(as, as->sessions[i]);
	}
}

/* ---- a question ---- */

static bool
makes_sense(const struct auths *as, const struct auth_ask *m)
{
	return m->listen < as->conf->listen.n && m->mech < SASL_MECHS &&
	    m->step < STEPS && mechs[m->mech].step[m->step] != NULL &&
	    m->n_exporter <= sizeof m->exporter &&
	    m->n_end_point <= sizeof m->end_point &&
	    m->n_before <= sizeof m->before;
}

/* What is not offered.  A mechanism that was, until the table changed, is no
 * failure of the client's. */
static void
refuse(struct auth *a)
{
	uint32_t by_secret =
	    1u << SASL_CRAM_MD5 | 1u << SASL_SCRAM | 1u << SASL_SCRAM_PLUS;

	if (a->listen->auth != AUTH_NONE &&
	    (by_secret & 1u << a->ask.mech) != 0)
		answer(a, LATER, 432, "4.7.12",
		    "A password transition is needed: PLAIN would do");
	else
		auth_failed(a, "");
}

static void
on_late(void *arg)
{
	auth_later(arg);
}

void
auths_ask(struct auths *as, struct ipc_chan *from, uint64_t id,
    const struct auth_ask *m)
{
	struct auth *a = xcalloc(1, sizeof *a);
	bool has_message;

	a->all = as;
	a->from = from;
	a->id = id;
	a->ask = *m;
	TAILQ_INSERT_TAIL(&as->open, a, entry);
	as->n_open++;
	if ((a->part = part_find(as, from, m->auth)) != NULL)
		part_take(a->part);
	if (as->n_open > AUTH_OPEN_MAX || !makes_sense(as, m)) {
		auth_later(a);
		return;
	}
	a->listen = CONF_LISTEN(as->conf, m->listen);
	/* A lookup before us may have had it: the client says it again. */
	has_message = m->step > 0 || !mechs[m->mech].server_first;
	if ((has_message && a->part == NULL) ||
	    (a->part != NULL && a->part->broken)) {
		auth_later(a);
		return;
	}
	if (!may_be_asked(as, m)) {
		refuse(a);
		return;
	}
	timer_set(as->loop, &a->deadline, as->patience, on_late, a);
	mechs[m->mech].step[m->step](a);
}

/* ---- all of them ---- */

struct auths *
auths_new(const struct conf *c, struct tables *tables)
{
	struct auths *as = xcalloc(1, sizeof *as);

	as->conf = c;
	as->tables = tables;
	as->patience = AUTH_MSEC;
	as->rows = xcalloc(c->table.n + 1, sizeof *as->rows);
	as->keys = xcalloc(c->oauth.n + 1, sizeof(struct jwks *));
	TAILQ_INIT(&as->parts);
	TAILQ_INIT(&as->open);
	if (RAND_bytes(as->secret, sizeof as->secret) != 1)
		fatal("no random bytes");
	if (crypt_gensalt_rn(NULL, 0, NULL, 0, as->setting,
		(int)sizeof as->setting) == NULL)
		fatal("crypt_gensalt: %s", strerror(errno));
	return as;
}

const char *
auths_oauth(struct auths *as, uint32_t row, int fd)
{
	char *text;
	const char *why;
	size_t len = 0;
	ssize_t n = 0;

	if (row >= as->conf->oauth.n)
		return "there is no such statement";
	text = xcalloc(1, JWKS_FILE_MAX + 1);
	while (len <= JWKS_FILE_MAX &&
	    (n = pread(fd, text + len, JWKS_FILE_MAX + 1 - len, (off_t)len)) >
		0)
		len += (size_t)n;
	if (n == -1)
		why = strerror(errno);
	else {
		jwks_free(&as->keys[row]);
		why = jwks_parse((struct slice){ text, len }, &as->keys[row]);
	}
	free(text);
	return why;
}

void
auths_start(struct auths *as, struct loop *l)
{
	as->loop = l;
	as->pams.loop = l;
	as->workers = workers_new(l, THREADS, IN_LINE);
	auths_warn_weak(as);
}

void
auths_spawn(struct auths *as, struct ipc_chan *spawn)
{
	as->pams.spawn = spawn;
}

void
auths_free(struct auths **asp)
{
	struct auths *as = *asp;
	struct auth_part *part;
	uint32_t i;

	*asp = NULL;
	while ((part = TAILQ_FIRST(&as->parts)) != NULL) {
		part_take(part);
		part_free(part);
	}
	while (!TAILQ_EMPTY(&as->open))
		release(TAILQ_FIRST(&as->open));
	for (i = 0; i < as->conf->oauth.n; i++)
		jwks_free(&as->keys[i]);
	free(as->keys);
	free(as->rows);
	free(as);
}
