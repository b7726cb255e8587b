/*
 * A job has its content sealed: the set is written here, its two digests are
 * signed by keys, one after the other, as the second covers the first
 * signature.  Used by deliver; never holds a private key, and never verifies
 * the chain again.
 *
 * SPDX-License-Identifier: ISC
 */
#include "job_seal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "arc.h"
#include "auth_field.h"
#include "job.h"
#include "log.h"

enum {
	TRACE_MAX = 65536 /* bytes of the fields that we put on top */
};

struct job_seal {
	struct mail_read mail; /* the content */
	int hash;
	struct mail_read trace; /* our own fields */
	char authserv[DOMAIN_MAX + 1];
	struct arc_say say;
	uint32_t row; /* of conf.dkim */
	struct dkim_wish wish;
	struct arc_seal set;
	bool second; /* what keys is asked for: the seal */
	struct ipc_req req;
	void (*fn)(struct job *j, const char *field);
};

/* It goes out without. */
static void
log_unsealed(const struct job *j, const char *why)
{
	log_event(j->take.id, "unsealed", "why=%s", q(why));
}

static enum auth_result
result_of(const struct job *j)
{
	return auth_result_get((j->take.content_facts & CONTENT_RESULTS) >>
		CONTENT_RESULTS_SHIFT,
	    BY_ARC);
}

bool
job_seals(const struct job *j)
{
	if (j->d->conf->arc_seal == 0 || (j->take.flags & ROUTE_ORIGIN) != 0 ||
	    j->route.lmtp || (j->take.content_facts & CONTENT_RESULTS) == 0)
		return false;
	/* As job_signs() has it. */
	if ((j->take.content_facts & CONTENT_BINARY) == 0)
		return true;
	log_unsealed(j, "binary content");
	return false;
}

void
job_seal_start(struct job *j)
{
	struct job_seal *s = xcalloc(1, sizeof *s);

	mail_read_init(&s->mail, DKIM_HEADER_MAX);
	s->hash = mail_read_want(&s->mail, CANON_RELAXED, UINT64_MAX);
	j->seal = s;
}

void
job_seal_feed(struct job *j, const uint8_t *p, size_t len)
{
	size_t used = mail_read_header(&j->seal->mail, p, len);

	mail_read_body(&j->seal->mail, p + used, len - used);
}

void
job_seal_free(struct job *j)
{
	struct job_seal *s = j->seal;

	if (s == NULL)
		return;
	ipc_cancel(&s->req);
	arc_seal_free(&s->set);
	mail_read_free(&s->mail);
	mail_read_free(&s->trace);
	free(s);
	j->seal = NULL;
}

/* ---- what we found ---- */

/* Our Authentication-Results: of the fields that session wrote, the first of
 * this name.  NULL, or why there is none. */
static const char *
read_results(struct job *j)
{
	const struct job_take *t = &j->take;
	struct job_seal *s = j->seal;
	uint8_t *bytes;
	ssize_t n;
	int row;

	if (t->trace_len > TRACE_MAX)
		return "too many fields of our own";
	bytes = xcalloc(1, TRACE_MAX);
	n = pread(j->fd, bytes, t->trace_len, (off_t)t->trace_off);
	mail_read_init(&s->trace, TRACE_MAX);
	if (n == (ssize_t)t->trace_len)
		mail_read_header(&s->trace, bytes, t->trace_len);
	free(bytes);
	mail_read_finish_header(&s->trace);
	row = mail_read_below(&s->trace, SLICE("Authentication-Results"), -1);
	if (row == -1)
		return "no Authentication-Results of our own";
	s->say.results = auth_field_rest(s->trace.field[row].value);
	if (auth_field_id(s->trace.field[row].value, s->authserv).len == 0)
		return "no authserv-id of our own";
	s->say.authserv = s->authserv;
	s->say.cv = result_of(j);
	s->say.max = SIG_MAX;
	return NULL;
}

/* Whose key: of the domain's rows one of RSA, if there is any, as not everybody
 * knows Ed25519.  False: keys has not said what they are. */
static bool
choose_key(struct job *j)
{
	const struct conf *c = j->d->conf;
	struct job_seal *s = j->seal;
	uint32_t first = dkim_row_for(c, conf_text(c, c->arc_seal));
	uint32_t rows[DKIM_SIGS];

	if (first == CONF_NONE || dkim_rows(c, &j->d->keys, first, rows) < 1)
		return false;
	s->row = rows[0];
	s->wish = (struct dkim_wish){
		.domain = conf_text(c, CONF_DKIM(c, s->row)->domain),
		.selector = conf_text(c, CONF_DKIM(c, s->row)->selector),
		.alg = j->d->keys.alg[s->row] - 1 == ALG_RSA ?
		    DKIM_RSA_SHA256 :
		    DKIM_ED25519_SHA256,
		.header = CANON_RELAXED,
		.body = CANON_RELAXED,
		.now = time(NULL),
	};
	return true;
}

/* ---- its signatures ---- */

static void ask(struct job *j, const uint8_t digest[32]);

static void
without(struct job *j, const char *why)
{
	void (*fn)(struct job * j, const char *field) = j->seal->fn;

	log_unsealed(j, why);
	job_seal_free(j);
	fn(j, "");
}

static void
use_set(struct job *j)
{
	void (*fn)(struct job * j, const char *field) = j->seal->fn;
	struct buf out;
	char *field = NULL;

	buf_init(&out, SIG_MAX);
	if (arc_seal_print(&j->seal->set, &out))
		field = arena_copyn(&j->arena, (const char *)buf_data(&out),
		    out.len);
	buf_free(&out);
	if (field == NULL) {
		job_end_later(j, "4.7.5", "the message could not be sealed");
		return;
	}
	job_seal_free(j);
	fn(j, field);
}

/* NULL, or why the answer cannot be used. */
static const char *
check_answer(const struct job_seal *s, const struct sign_is *is)
{
	uint32_t alg = s->wish.alg == DKIM_RSA_SHA256 ? ALG_RSA : ALG_ED25519;

	if (is == NULL)
		return "no answer from the keys process";
	if (is->outcome.verdict != DONE)
		return "the keys process could not sign";
	if (is->len == 0 || is->len > sizeof is->sig || is->alg != alg)
		return "the keys process gave no usable signature";
	return NULL;
}

static void
on_signed(void *arg, struct ipc_msg *answer)
{
	struct job *j = arg;
	struct job_seal *s = j->seal;
	const struct sign_is *is = answer == NULL ? NULL : answer->body;
	const char *why;

	if ((why = check_answer(s, is)) != NULL) {
		job_end_later(j, "4.7.5", why);
		return;
	}
	if (!s->second) {
		why = arc_seal_middle(&s->set, &s->mail, &s->wish, &s->say,
		    is->sig, is->len);
		s->second = true;
		if (why == NULL)
			ask(j, s->set.seal.digest);
		else
			without(j, why);
	} else if (arc_seal_end(&s->set, is->sig, is->len))
		use_set(j);
	else
		without(j, "the fields of the set do not fit");
}

static void
ask(struct job *j, const uint8_t digest[32])
{
	struct ipc_chan *keys = proc_chan(j->d->p, PROC_KEYS, 0);
	struct sign_ask m;

	if (keys == NULL) {
		job_end_later(j, "4.7.5", "nobody is there to seal it");
		return;
	}
	memset(&m, 0, sizeof m);
	m.key = j->seal->row;
	memcpy(m.digest, digest, sizeof m.digest);
	sign_ask_ask(keys, &j->seal->req, &m, on_signed, j, JOB_SIGN_MS);
}

void
job_seal(struct job *j, void (*fn)(struct job *j, const char *field))
{
	struct job_seal *s = j->seal;
	const char *why;

	s->fn = fn;
	mail_read_end(&s->mail);
	if (!choose_key(j)) {
		job_end_later(j, "4.7.5", "the DKIM keys are not available");
		return;
	}
	if ((why = read_results(j)) != NULL ||
	    (why = arc_seal_begin(&s->set, &s->mail, s->hash, &s->wish,
		 &s->say)) != NULL) {
		without(j, why);
		return;
	}
	job_enter(j, JOB_SIGNING);
	ask(j, s->set.signature.digest);
}
