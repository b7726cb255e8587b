/*
 * SPF, keys and DMARC for sessions.  Runs in guard.  Takes what the DNS says
 * for what strangers say; judges nothing: what a result means is for the rules.
 *
 * SPDX-License-Identifier: ISC
 */
#include "guard_verify.h"

#include <bsd/sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dmarc.h"
#include "log.h"
#include "share.h"
#include "spf.h"

enum { HELO, MAIL, SIDES };

/* One of the two identities of SPF. */
struct side {
	struct claim *claim;
	struct spf_check *check;
	struct spf_found *found;
};

struct claim_spf {
	struct spf_ask m;
	struct spf_is is;
	struct side side[SIDES];
	unsigned int open; /* sides without a result */
	claims_spf_fn *fn;
};

struct claim_key {
	struct key_ask m;
	struct dns_ask ask;
	claims_key_fn *fn;
};

struct claim_dmarc {
	struct dmarc_ask m;
	struct dmarc_query q;
	struct dmarc_check *check;
	claims_dmarc_fn *fn;
};

struct claim;
typedef void claim_step(struct claim *c);

struct claim {
	TAILQ_ENTRY(claim) entry;
	struct claims *claims;
	void *from;
	uint64_t id;
	struct share_place place;
	struct timer patience;      /* while it waits for that */
	claim_step *begin, *refuse; /* it has a place; there is none */
	struct claim_spf *spf;      /* one of the three */
	struct claim_key *key;
	struct claim_dmarc *dmarc;
};

struct claims {
	const struct conf *conf;
	struct loop *loop;
	struct dns *dns;
	struct share *share;
	TAILQ_HEAD(, claim) open;
};

struct claims *
claims_new(const struct conf *conf, struct loop *l, struct dns *dns)
{
	struct claims *c = xcalloc(1, sizeof *c);

	c->conf = conf;
	c->loop = l;
	c->dns = dns;
	c->share = share_new(CLAIMS_AT_ONCE, CLAIMS_MAX);
	TAILQ_INIT(&c->open);
	return c;
}

static void
claim_free(struct claim **cp)
{
	struct claim *c = *cp;
	int i;

	*cp = NULL;
	for (i = 0; c->spf != NULL && i < SIDES; i++)
		spf_cancel(&c->spf->side[i].check);
	if (c->key != NULL)
		dns_cancel(&c->key->ask);
	if (c->dmarc != NULL)
		dmarc_cancel(&c->dmarc->check);
	TAILQ_REMOVE(&c->claims->open, c, entry);
	timer_clear(&c->patience);
	share_leave(&c->place);
	free(c->spf);
	free(c->key);
	free(c->dmarc);
	free(c);
}

void
claims_free(struct claims **c)
{
	struct claim *one;

	if (*c == NULL)
		return;
	share_hold((*c)->share);
	while ((one = TAILQ_FIRST(&(*c)->open)) != NULL)
		claim_free(&one);
	share_free(&(*c)->share);
	free(*c);
	*c = NULL;
}

void
claims_drop(struct claims *c, const void *from)
{
	struct claim *one, *next;

	/* Those that begin may end at once: not under our feet. */
	share_hold(c->share);
	TAILQ_FOREACH_SAFE(one, &c->open, entry, next) {
		if (one->from == from)
			claim_free(&one);
	}
	share_go_on(c->share);
}

unsigned int
claims_count(const struct claims *c)
{
	return share_count(c->share);
}

static struct claim *
claim_new(struct claims *claims, void *from, uint64_t id)
{
	struct claim *c = xcalloc(1, sizeof *c);

	c->claims = claims;
	c->from = from;
	c->id = id;
	TAILQ_INSERT_TAIL(&claims->open, c, entry);
	return c;
}

/* ---- places ---- */

static void
on_place(void *arg)
{
	struct claim *c = arg;

	timer_clear(&c->patience);
	c->begin(c);
}

static void
on_late(void *arg)
{
	struct claim *c = arg;

	c->refuse(c);
}

/* When it has a place it begins, perhaps at once.  Afterwards it may be
 * gone. */
static void
claim_wants(struct claim *c, const char *client, claim_step *begin,
    claim_step *refuse)
{
	c->begin = begin;
	c->refuse = refuse;
	switch (share_take(c->claims->share, &c->place, client, on_place, c)) {
	case SHARE_TAKEN:
		begin(c);
		break;
	case SHARE_WAIT:
		timer_set(c->claims->loop, &c->patience, CLAIMS_WAIT_MS,
		    on_late, c);
		break;
	case SHARE_NONE:
		refuse(c);
		break;
	}
}

/* ---- SPF ---- */

static void
fill_found(struct spf_found *f, const struct spf_answer *a)
{
	f->result = a->result;
	snprintf(f->domain, sizeof f->domain, "%s", a->domain);
	snprintf(f->identity, sizeof f->identity, "%s", a->identity);
	snprintf(f->mechanism, sizeof f->mechanism, "%s", a->mechanism);
	snprintf(f->why, sizeof f->why, "%s", a->why);
	snprintf(f->exp, sizeof f->exp, "%s", a->exp);
}

/* One side less; the last one tells. */
static void
spf_settle(struct claim *c)
{
	claims_spf_fn *fn = c->spf->fn;
	struct spf_is is = c->spf->is;
	uint64_t id = c->id;
	void *from = c->from;

	if (--c->spf->open > 0)
		return;
	claim_free(&c);
	is.outcome.verdict = DONE;
	fn(from, id, &is);
}

static void
on_spf(void *arg, const struct spf_answer *a)
{
	struct side *s = arg;

	s->check = NULL;
	fill_found(s->found, a);
	spf_settle(s->claim);
}

static void
spf_side(struct claim *c, int which, struct spf_found *found)
{
	struct side *s = &c->spf->side[which];
	const struct spf_ask *m = &c->spf->m;
	const struct spf_query q = {
		.client = m->client,
		.helo = m->helo,
		.sender = m->sender,
		.ours = m->ours,
		.of_helo = which == HELO,
	};

	s->claim = c;
	s->found = found;
	c->spf->open++;
	s->check = spf_start(c->claims->loop, c->claims->dns, &q, on_spf, s);
}

static void
spf_begin(struct claim *c)
{
	c->spf->open = 1; /* the last one tells, and not before all began */
	if (c->spf->m.sender[0] != '\0')
		spf_side(c, HELO, &c->spf->is.helo);
	spf_side(c, MAIL, &c->spf->is.mail);
	spf_settle(c);
}

static void
spf_refuse(struct claim *c)
{
	static const struct spf_is later = { .outcome.verdict = LATER };
	claims_spf_fn *fn = c->spf->fn;
	uint64_t id = c->id;
	void *from = c->from;

	claim_free(&c);
	fn(from, id, &later);
}

void
claims_spf(struct claims *claims, void *from, uint64_t id,
    const struct spf_ask *m, claims_spf_fn *fn)
{
	struct claim *c = claim_new(claims, from, id);

	c->spf = xcalloc(1, sizeof *c->spf);
	c->spf->m = *m;
	c->spf->fn = fn;
	claim_wants(c, m->client, spf_begin, spf_refuse);
}

/* ---- keys ---- */

static void
fill_key(struct key_is *is, const struct dns_answer *a)
{
	struct slice text;

	is->status = a->status;
	if (a->status == DNS_LATER)
		snprintf(is->why, sizeof is->why, "%s", a->why);
	if (a->status != DNS_FOUND || a->n == 0)
		return;
	is->n = a->n + a->more;
	text = dns_text(a, 0);
	is->cut = text.len > sizeof is->text;
	is->len = (uint32_t)(is->cut ? sizeof is->text : text.len);
	memcpy(is->text, text.p, is->len);
}

static void
key_end(struct claim *c, const struct key_is *is)
{
	claims_key_fn *fn = c->key->fn;
	uint64_t id = c->id;
	void *from = c->from;

	claim_free(&c);
	fn(from, id, is);
}

static void
on_key(void *arg, const struct dns_answer *a)
{
	struct key_is is;

	memset(&is, 0, sizeof is);
	fill_key(&is, a);
	key_end(arg, &is);
}

static void
key_begin(struct claim *c)
{
	dns_ask(c->claims->dns, &c->key->ask, c->key->m.name, DNS_TXT, on_key,
	    c);
}

static void
key_refuse(struct claim *c)
{
	static const struct key_is later = { .status = DNS_LATER,
		.why = "too many questions at once" };

	key_end(c, &later);
}

void
claims_key(struct claims *claims, void *from, uint64_t id,
    const struct key_ask *m, claims_key_fn *fn)
{
	struct dns_question q;
	struct key_is is;
	struct claim *c;

	/* A name that cannot be is not there. */
	if (dns_question_set(&q, m->name, DNS_TXT) != NULL) {
		memset(&is, 0, sizeof is);
		is.status = DNS_NXDOMAIN;
		fn(from, id, &is);
		return;
	}
	c = claim_new(claims, from, id);
	c->key = xcalloc(1, sizeof *c->key);
	c->key->m = *m;
	c->key->fn = fn;
	claim_wants(c, m->client, key_begin, key_refuse);
}

/* ---- DMARC ---- */

static void
fill_dmarc(struct dmarc_is *is, const struct dmarc_answer *a)
{
	const struct dmarc_record *r = &a->record;

	is->outcome.verdict = DONE;
	is->result = a->result;
	is->disposition = a->disposition;
	is->at_worst = a->at_worst;
	is->policy = a->policy;
	is->p = r->p;
	is->sp = r->sp;
	is->np = r->np;
	is->adkim_strict = r->adkim_strict;
	is->aspf_strict = r->aspf_strict;
	is->psd = (uint8_t)r->psd;
	is->testing = r->testing;
	is->pct = r->pct;
	is->spf_aligned = a->spf_aligned;
	is->dkim_aligned = a->dkim_aligned;
	is->exists = a->exists;
	is->has_rua = r->n_rua > 0;
	snprintf(is->fo, sizeof is->fo, "%s", r->fo);
	snprintf(is->policy_domain, sizeof is->policy_domain, "%s",
	    a->policy_domain);
	snprintf(is->organization, sizeof is->organization, "%s",
	    a->organization);
	snprintf(is->why, sizeof is->why, "%s", a->why);
}

static void
dmarc_end(struct claim *c, const struct dmarc_is *is)
{
	claims_dmarc_fn *fn = c->dmarc->fn;
	uint64_t id = c->id;
	void *from = c->from;

	claim_free(&c);
	fn(from, id, is);
}

static void
on_dmarc(void *arg, const struct dmarc_answer *a)
{
	struct claim *c = arg;
	struct dmarc_is is;

	memset(&is, 0, sizeof is);
	fill_dmarc(&is, a);
	c->dmarc->check = NULL;
	dmarc_end(c, &is);
}

/* Domains of signatures, each with its NUL; no more than there are. */
static void
fill_domains(struct claim_dmarc *d)
{
	const char *p = d->m.dkim, *end = p + sizeof d->m.dkim, *nul;
	unsigned int n = 0, most;

	for (; n < DMARC_DKIM_MAX; p = nul + 1) {
		nul = memchr(p, '\0', (size_t)(end - p));
		if (nul == NULL || nul == p)
			break;
		d->q.dkim[n++] = p;
	}
	most = d->m.n_dkim < n ? d->m.n_dkim : n;
	d->q.n_dkim = most;
	most = n - most;
	d->q.n_later = d->m.n_later < most ? d->m.n_later : most;
}

static void
dmarc_begin(struct claim *c)
{
	struct claim_dmarc *d = c->dmarc;
	struct dmarc_check *check;

	/* NULL: on_dmarc() was called, and d is gone. */
	check =
	    dmarc_start(c->claims->loop, c->claims->dns, &d->q, on_dmarc, c);
	if (check != NULL)
		d->check = check;
}

static void
dmarc_refuse(struct claim *c)
{
	static const struct dmarc_is later = { .outcome.verdict = LATER };

	dmarc_end(c, &later);
}

void
claims_dmarc(struct claims *claims, void *from, uint64_t id,
    const struct dmarc_ask *m, claims_dmarc_fn *fn)
{
	struct claim *c = claim_new(claims, from, id);
	struct claim_dmarc *d;

	d = c->dmarc = xcalloc(1, sizeof *d);
	d->m = *m;
	d->fn = fn;
	d->q.rules = claims->conf->dmarc_rules;
	d->q.author = d->m.author;
	d->q.spf = d->m.spf < RES_RESULTS ? d->m.spf : RES_NONE;
	d->q.spf_domain = d->m.spf_domain;
	d->q.roll = arc4random_uniform(100);
	fill_domains(d);
	claim_wants(c, m->client, dmarc_begin, dmarc_refuse);
}
