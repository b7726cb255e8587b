/*
 * All that is found about a message while it is read once (verify.h).  Runs in
 * session and in smtpctl.  Asks nobody, and keeps nothing of the body.
 *
 * SPDX-License-Identifier: ISC
 */
#include "verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"

/* The key record at a name: bits 1 << i, of the signatures of DKIM and of
 * ARC's keys that want it. */
struct verify_question {
	char name[HOST_MAX + 1];
	uint64_t dkim, arc;
};

/* As many as there are bits. */
#define WANTS_MAX 64

_Static_assert(DKIM_VERIFY_MAX <= WANTS_MAX && ARC_SETS_MAX < WANTS_MAX,
    "a bit for each signature");

struct verify *
verify_new(size_t max, int64_t now)
{
	struct verify *v = xcalloc(1, sizeof *v);

	v->now = now;
	mail_read_init(&v->m, max);
	return v;
}

void
verify_free(struct verify **v)
{
	if (*v == NULL)
		return;
	if ((*v)->known)
		dkim_verify_free(&(*v)->dkim);
	arc_free(&(*v)->arc);
	mail_read_free(&(*v)->m);
	free((*v)->question);
	free(*v);
	*v = NULL;
}

/* ---- keys ---- */

static struct verify_question *
question_at(struct verify *v, const char *name)
{
	unsigned int i;

	for (i = 0; i < v->n_question; i++) {
		if (strcmp(v->question[i].name, name) == 0)
			return &v->question[i];
	}
	v->n_question++;
	(void)slice_copy(slice_of(name), v->question[i].name,
	    sizeof v->question[i].name);
	return &v->question[i];
}

/* Its own domain, or one that it is below. */
static bool
may_speak(const struct verify *v, const char *domain)
{
	size_t n = strlen(v->author), d = strlen(domain);

	return d > 0 && n >= d && strcasecmp(v->author + n - d, domain) == 0 &&
	    (n == d || v->author[n - d - 1] == '.');
}

/* Questions of those signatures that may speak for the author, or of the
 * others. */
static void
ask_signers(struct verify *v, unsigned int n, bool may)
{
	char name[HOST_MAX + 1];
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (may_speak(v, v->dkim.check[i].domain) == may &&
		    dkim_verify_wants(&v->dkim, i, name))
			question_at(v, name)->dkim |= UINT64_C(1) << i;
	}
}

/*
 * What is said of the author first: whoever forges can sign for domains of his
 * own whose servers are slow, and what is not known when the time is up would
 * be a reason to doubt that the message has failed.
 */
static void
find_questions(struct verify *v)
{
	unsigned int n_dkim = v->dkim.n < WANTS_MAX ? v->dkim.n : WANTS_MAX, i;
	unsigned int n_arc = arc_keys(v->arc);
	char name[HOST_MAX + 1];

	if (n_arc > WANTS_MAX)
		n_arc = WANTS_MAX;
	v->question = xcalloc(n_dkim + n_arc + 1, sizeof *v->question);
	ask_signers(v, n_dkim, true);
	ask_signers(v, n_dkim, false);
	for (i = 0; i < n_arc; i++) {
		if (arc_wants(v->arc, i, name))
			question_at(v, name)->arc |= UINT64_C(1) << i;
	}
}

unsigned int
verify_keys(const struct verify *v)
{
	return v->n_question;
}

const char *
verify_wants(const struct verify *v, unsigned int i)
{
	return v->question[i].name;
}

void
verify_key(struct verify *v, unsigned int i, const struct key_found *found)
{
	const struct verify_question *q = &v->question[i];
	unsigned int n;

	for (n = 0; n < WANTS_MAX; n++) {
		if ((q->dkim >> n & 1) != 0)
			dkim_verify_key(&v->dkim, n, found);
		if ((q->arc >> n & 1) != 0)
			arc_key(v->arc, n, found);
	}
}

bool
verify_step(struct verify *v)
{
	while (v->next < v->dkim.n) {
		if (v->dkim.check[v->next++].result != RES_UNSAID)
			continue;
		dkim_check_finish(&v->dkim.check[v->next - 1], &v->m);
		return true;
	}
	return arc_step(v->arc);
}

/* ---- the content ---- */

/* The header section is whole. */
static void
begin(struct verify *v)
{
	v->known = true;
	dkim_verify_begin(&v->dkim, &v->m, v->now);
	v->arc = arc_begin(&v->m, v->now);
	v->author_is = author_find(&v->m, &v->from_fields, v->author);
	find_questions(v);
}

void
verify_feed(struct verify *v, const uint8_t *p, size_t len)
{
	size_t used = 0;

	if (!v->known) {
		used = mail_read_header(&v->m, p, len);
		if (!v->m.header_done)
			return;
		begin(v);
	}
	mail_read_body(&v->m, p + used, len - used);
}

void
verify_end(struct verify *v)
{
	if (!v->known) {
		mail_read_finish_header(&v->m);
		begin(v);
	}
	mail_read_end(&v->m);
}

/* ---- DMARC ---- */

/* There is nobody whose policy could be asked for. */
static void
no_author(struct verify *v)
{
	bool none = v->author_is == AUTHOR_NONE && v->m.why == NULL;
	const char *why = none ? "no author" :
	    v->m.why != NULL   ? v->m.why :
				 "several authors";

	v->has_dmarc = true;
	v->dmarc =
	    (struct dmarc_answer){ .result = none ? RES_NONE : RES_PERMERROR,
		    .disposition = DMARC_P_NONE };
	(void)snprintf(v->dmarc.why, sizeof v->dmarc.why, "%s", why);
}

/* Signers whose result is r, behind those that are there already; a domain is
 * named once, however often it has signed.  Returns how many are new. */
static unsigned int
add_signers(const struct verify *v, enum auth_result r, struct dmarc_query *q,
    unsigned int n)
{
	const struct dkim_check *c = v->dkim.check, *end = c + v->dkim.n;
	unsigned int begin = n, i;

	for (; c < end && n < DMARC_DKIM_MAX; c++) {
		if (c->result != r || c->domain[0] == '\0')
			continue;
		for (i = 0; i < n && strcmp(q->dkim[i], c->domain) != 0; i++)
			continue;
		if (i == n)
			q->dkim[n++] = c->domain;
	}
	return n - begin;
}

bool
verify_dmarc(struct verify *v, enum conf_dmarc_rules rules,
    struct dmarc_query *q)
{
	if (v->author_is != AUTHOR_ONE) {
		no_author(v);
		return false;
	}
	*q = (struct dmarc_query){ .rules = rules,
		.author = v->author,
		.spf = v->has_spf ? v->spf.result : RES_TEMPERROR,
		.spf_domain = v->spf.domain };
	q->n_dkim = add_signers(v, RES_PASS, q, 0);
	q->n_later = add_signers(v, RES_TEMPERROR, q, q->n_dkim);
	return true;
}

void
verify_dmarc_is(struct verify *v, const struct dmarc_answer *answer)
{
	struct dmarc_query q;

	v->has_dmarc = true;
	if (answer != NULL)
		v->dmarc = *answer;
	else if (verify_dmarc(v, DMARC_RFC9989, &q)) {
		dmarc_unknown(&q, &v->dmarc);
		(void)slice_copy(SLICE("the DNS does not say"), v->dmarc.why,
		    sizeof(v->dmarc.why));
	}
}

/* ---- what was found ---- */

uint32_t
verify_results(const struct verify *v)
{
	uint32_t r = 0;

	r = auth_result_put(r, BY_SPF,
	    v->has_spf ? v->spf.result : RES_TEMPERROR);
	r = auth_result_put(r, BY_DKIM, dkim_verify_result(&v->dkim));
	r = auth_result_put(r, BY_ARC, arc_result(v->arc)->result);
	return auth_result_put(r, BY_DMARC,
	    v->has_dmarc ? v->dmarc.result : RES_TEMPERROR);
}

void
verify_say(const struct verify *v, struct auth_say *s)
{
	s->mail = v->has_spf ? &v->spf : NULL;
	s->helo = v->has_helo ? &v->helo : NULL;
	s->dkim = &v->dkim;
	s->arc = v->arc;
	s->dmarc = v->has_dmarc ? &v->dmarc : NULL;
	s->author = v->author;
}
