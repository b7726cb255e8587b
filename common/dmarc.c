/*
 * A check of DMARC (RFC 9989 5.3, RFC 7489 6.6): the record that applies to
 * the author's domain, and whether what passed speaks for it.  Runs in guard
 * and smtpctl.  Asks one question at a time, each only where it matters; never
 * takes an error that may pass for a "no".
 *
 * SPDX-License-Identifier: ISC
 */
#include "dmarc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dmarc_walk.h"
#include "log.h"
#include "smtp_addr.h"

#define CANDIDATES (1 + DMARC_DKIM_MAX)

/* What a name has where its record should be. */
enum at_name { AT_LATER, AT_NONE, AT_MANY, AT_BROKEN, AT_RECORD };

enum aligned { ALIGNED_UNKNOWN, ALIGNED_LATER, ALIGNED_NO, ALIGNED_YES };

/* A domain that passed, or may pass another time. */
struct candidate {
	char domain[DOMAIN_MAX + 1];
	bool spf;    /* by SPF, not DKIM */
	bool passed; /* else RES_TEMPERROR */
	enum aligned aligned;
};

/* The walks are of RFC 9989; the two names of RFC 7489 are walked in the same
 * place. */
struct dmarc_check {
	struct dns *dns;
	enum conf_dmarc_rules rules;
	uint32_t roll;
	dmarc_fn *fn;
	void *arg;
	struct timer deadline;
	struct dns_ask ask;
	char domain[DOMAIN_MAX + 1]; /* of the author */
	struct dmarc_walk author;
	const char *later; /* why the author's walk came to no end */
	bool broken;       /* it met what is no record, and ends the check */
	const struct dmarc_record *policy; /* that applies, in author */
	const char *organization;          /* of the author; NULL: unknown */
	struct candidate candidate[CANDIDATES];
	unsigned int n_candidate, turn; /* turn: whose walk is other */
	struct dmarc_walk other;
	bool other_later;
	struct dmarc_walk *asked; /* for which ask is */
	bool exists_known, exists_later;
	struct dmarc_answer answer;
};

/* ---- the end ---- */

static void
check_free(struct dmarc_check *c)
{
	timer_clear(&c->deadline);
	dns_cancel(&c->ask);
	dmarc_walk_free(&c->author);
	dmarc_walk_free(&c->other);
	free(c);
}

/* One level below what is asked for: t= (RFC 9989 4.7), or a message that is
 * not in the sample (RFC 7489 6.6.4). */
static enum dmarc_policy
lower(enum dmarc_policy p)
{
	return p > DMARC_P_NONE ? p - 1 : DMARC_P_NONE;
}

/* p=, or for a domain below the record's sp=, or np= where that does not
 * exist; each falls back on the one before. */
static enum dmarc_policy
policy_of(const struct dmarc_record *r, bool own, bool exists)
{
	if (!own && !exists && r->np != DMARC_P_UNSAID)
		return r->np;
	return !own && r->sp != DMARC_P_UNSAID ? r->sp : r->p;
}

static bool
is_own(const struct dmarc_check *c)
{
	return c->policy == dmarc_walk_own(&c->author);
}

/* What of a policy is heard by this message. */
static enum dmarc_policy
heard(const struct dmarc_check *c, enum dmarc_policy p)
{
	return c->policy->testing || c->roll >= c->policy->pct ? lower(p) : p;
}

/* The most that a message may turn out to deserve whose result is not known. */
static enum dmarc_policy
worst_of(const struct dmarc_check *c)
{
	enum dmarc_policy p, other;

	if (c->policy == NULL)
		return c->answer.at_worst;
	p = policy_of(c->policy, is_own(c), c->answer.exists);
	other = policy_of(c->policy, is_own(c), false);
	return heard(c, c->exists_later && other > p ? other : p);
}

/* The result is known; why is NULL where there is nothing to say.  c is gone
 * afterwards. */
static void
finish(struct dmarc_check *c, enum auth_result result, const char *why)
{
	struct dmarc_answer a = c->answer;
	dmarc_fn *fn = c->fn;
	void *arg = c->arg;

	a.result = result;
	if (why != NULL)
		snprintf(a.why, sizeof(a.why), "%s", why);
	if (c->policy != NULL) {
		a.record = *c->policy;
		a.policy = policy_of(c->policy, is_own(c), a.exists);
	}
	if (c->organization != NULL)
		slice_copy(slice_of(c->organization), a.organization,
		    sizeof(a.organization));
	a.disposition = a.at_worst = DMARC_P_NONE;
	if (result == RES_FAIL)
		a.disposition = a.at_worst = heard(c, a.policy);
	else if (result == RES_TEMPERROR)
		a.at_worst = worst_of(c);
	check_free(c);
	fn(arg, &a);
}

/* Whether one of SPF, or of DKIM, is aligned that passed. */
static bool
has_aligned(const struct dmarc_check *c, bool spf)
{
	const struct candidate *k = c->candidate, *end = k + c->n_candidate;

	for (; k < end; k++)
		if (k->spf == spf && k->passed && k->aligned == ALIGNED_YES)
			return true;
	return false;
}

/* Whether something may still make a pass of it. */
static bool
has_doubt(const struct dmarc_check *c)
{
	const struct candidate *k = c->candidate, *end = k + c->n_candidate;

	for (; k < end; k++)
		if (k->aligned <= ALIGNED_LATER ||
		    (k->aligned == ALIGNED_YES && !k->passed))
			return true;
	return false;
}

/* There is a policy, and nothing is left to ask. */
static void
conclude(struct dmarc_check *c)
{
	c->answer.spf_aligned = has_aligned(c, true);
	c->answer.dkim_aligned = has_aligned(c, false);
	if (c->answer.spf_aligned || c->answer.dkim_aligned)
		finish(c, RES_PASS, NULL);
	else if (has_doubt(c))
		finish(c, RES_TEMPERROR,
		    "what may be aligned is not known now");
	else if (c->exists_later)
		finish(c, RES_TEMPERROR,
		    "whether the domain exists is not known now");
	else if (c->n_candidate == 0)
		finish(c, RES_FAIL, "neither SPF nor DKIM passed");
	else
		finish(c, RES_FAIL, "nothing that passed is aligned");
}

/* ---- alignment ---- */

/* Whether it is aligned, the organization being known: by RFC 7489 the list
 * says so, else UNKNOWN where a walk must. */
static enum aligned
align_by_organization(const struct dmarc_check *c, const struct candidate *k)
{
	const char *organization;

	if (strcmp(k->domain, c->organization) == 0)
		return ALIGNED_YES;
	/* A forger names a domain below it whose DNS is broken for good: that
	 * is no reason to doubt that the message has failed. */
	if (!k->passed || !smtp_domain_is_below(k->domain, c->organization))
		return ALIGNED_NO;
	if (c->rules != DMARC_RFC7489)
		return ALIGNED_UNKNOWN;
	organization = dmarc_psl_organization(k->domain);
	return strcmp(organization, c->organization) == 0 ? ALIGNED_YES :
							    ALIGNED_NO;
}

/* Whether there is no name that both are below, and so no organization that
 * both are of: whoever sends in a name of his own makes no doubt by it. */
static bool
is_apart(const char *a, const char *b)
{
	const char *top_a = strrchr(a, '.'), *top_b = strrchr(b, '.');

	return strcmp(top_a == NULL ? a : top_a + 1,
		   top_b == NULL ? b : top_b + 1) != 0;
}

/* As far as that needs no walk: equal names are aligned, others are not where
 * that is strict (RFC 9989 4.10.2). */
static void
align_by_name(const struct dmarc_check *c, struct candidate *k)
{
	bool strict = k->spf ? c->policy->aspf_strict : c->policy->adkim_strict;

	if (k->aligned != ALIGNED_UNKNOWN)
		return;
	if (strcmp(k->domain, c->domain) == 0)
		k->aligned = ALIGNED_YES;
	else if (strict || is_apart(k->domain, c->domain))
		k->aligned = ALIGNED_NO;
	else if (c->organization != NULL)
		k->aligned = align_by_organization(c, k);
}

/* False: there are candidates whose walk would make a difference, also to what
 * is reported of SPF and DKIM each. */
static bool
align_all(struct dmarc_check *c)
{
	unsigned int i;
	bool done = true;

	for (i = 0; i < c->n_candidate; i++)
		align_by_name(c, &c->candidate[i]);
	for (i = 0; i < c->n_candidate; i++)
		if (c->candidate[i].aligned == ALIGNED_UNKNOWN &&
		    !has_aligned(c, c->candidate[i].spf))
			done = false;
	return done;
}

/* ---- questions ---- */

static void on_record(void *arg, const struct dns_answer *a);
static void on_exists(void *arg, const struct dns_answer *a);

/* False: there is no such name that can be asked for. */
static bool
record_name(const char *domain, char name[HOST_MAX + 1])
{
	struct dns_question q;

	return snprintf(name, HOST_MAX + 1, "_dmarc.%s", domain) <= HOST_MAX &&
	    dns_question_set(&q, name, DNS_TXT) == NULL;
}

static enum at_name
read_record(const struct dns_answer *a, enum conf_dmarc_rules rules,
    struct dmarc_record *record)
{
	struct slice text = { NULL, 0 };
	unsigned int i, n = 0;

	if (a->status == DNS_LATER)
		return AT_LATER;
	if (a->status != DNS_FOUND)
		return AT_NONE;
	for (i = 0; i < a->n; i++) {
		if (!dmarc_record_is(dns_text(a, i)))
			continue;
		text = dns_text(a, i);
		n++;
	}
	/* Among those that were not kept may be another. */
	if (n > 1 || a->more > 0)
		return AT_MANY;
	if (n == 0)
		return AT_NONE;
	return dmarc_record_parse(text, rules, record) == NULL ? AT_RECORD :
								 AT_BROKEN;
}

/* RFC 7489 6.6.3: the domain itself, then the organization's.  Several records
 * end it, and so does one that cannot be used. */
static void
step_by_list(struct dmarc_check *c, enum at_name is,
    const struct dmarc_record *record)
{
	const char *at = c->author.at;

	dmarc_walk_step(&c->author, is == AT_RECORD ? record : NULL);
	c->author.at =
	    is == AT_NONE && at != c->organization ? c->organization : NULL;
	c->broken = is == AT_BROKEN;
}

/* RFC 9989 4.10: several records count as none.  One that cannot be used is
 * none either; but that of the author's own domain keeps DMARC from this
 * message (4.10.1). */
static void
step_by_walk(struct dmarc_check *c, struct dmarc_walk *w, enum at_name is,
    const struct dmarc_record *record)
{
	c->broken = is == AT_BROKEN && w == &c->author && w->at == w->start;
	dmarc_walk_step(w, is == AT_RECORD ? record : NULL);
	if (c->broken)
		w->at = NULL;
}

static void
step(struct dmarc_check *c, struct dmarc_walk *w, enum at_name is,
    const struct dmarc_record *record)
{
	if (c->rules == DMARC_RFC7489)
		step_by_list(c, is, record);
	else
		step_by_walk(c, w, is, record);
}

/* Asks for what comes next in a walk.  False: it is over. */
static bool
walk_on(struct dmarc_check *c, struct dmarc_walk *w)
{
	char name[HOST_MAX + 1];

	while (w->at != NULL) {
		if (record_name(w->at, name)) {
			c->asked = w;
			dns_ask(c->dns, &c->ask, name, DNS_TXT, on_record, c);
			return true;
		}
		step(c, w, AT_NONE, NULL);
	}
	return false;
}

/* The walks of candidates, of each method until one is aligned.  True: a
 * question is open. */
static bool
ask_candidates(struct dmarc_check *c)
{
	struct candidate *k;

	for (; c->turn < c->n_candidate; c->turn++) {
		k = &c->candidate[c->turn];
		if (k->aligned != ALIGNED_UNKNOWN || has_aligned(c, k->spf))
			continue;
		if (c->other.start == NULL)
			dmarc_walk_begin(&c->other, k->domain);
		if (walk_on(c, &c->other))
			return true;
		if (c->other_later)
			k->aligned = ALIGNED_LATER;
		else if (strcmp(dmarc_walk_organization(&c->other),
			     c->organization) == 0)
			k->aligned = ALIGNED_YES;
		else
			k->aligned = ALIGNED_NO;
		c->other_later = false;
		dmarc_walk_free(&c->other);
	}
	return false;
}

/* Whether np= makes a difference, and it is open which. */
static bool
exists_matters(const struct dmarc_check *c)
{
	return !c->exists_known && !is_own(c) &&
	    policy_of(c->policy, false, true) !=
	    policy_of(c->policy, false, false);
}

/* Whether the author's domain exists.  True: a question is open. */
static bool
ask_exists(struct dmarc_check *c)
{
	if (!exists_matters(c))
		return false;
	dns_ask(c->dns, &c->ask, c->domain, DNS_A, on_exists, c);
	return true;
}

/* The record that applies, if the walk found one. */
static void
choose_policy(struct dmarc_check *c)
{
	const char *name;

	if ((c->policy = dmarc_walk_policy(&c->author, &name)) != NULL)
		slice_copy(slice_of(name), c->answer.policy_domain,
		    sizeof(c->answer.policy_domain));
}

/* The walk to the author's organization, as far as it matters.  True: a
 * question is open. */
static bool
ask_author(struct dmarc_check *c)
{
	if (c->author.queries == 0 && walk_on(c, &c->author))
		return true;
	/* 4.10.2: equal names and strict alignment need no organization. */
	if (dmarc_walk_own(&c->author) != NULL && c->author.at != NULL) {
		choose_policy(c);
		if (align_all(c))
			return false;
	}
	return walk_on(c, &c->author);
}

/*
 * What is to be done next: asks for it, or ends the check.  False: it is over,
 * and c is gone.
 */
static bool
proceed(struct dmarc_check *c)
{
	if (ask_author(c))
		return true;
	/* Whose record it is that applies, only the whole walk can say. */
	if (c->later != NULL && dmarc_walk_own(&c->author) == NULL) {
		finish(c, RES_TEMPERROR, c->later);
		return false;
	}
	choose_policy(c);
	if (c->policy == NULL) {
		finish(c, RES_NONE,
		    c->broken ? "the record cannot be used" : "no record");
		return false;
	}
	if (c->organization == NULL && c->author.at == NULL && c->later == NULL)
		c->organization = dmarc_walk_organization(&c->author);
	align_all(c);
	if (c->organization != NULL && ask_candidates(c))
		return true;
	if (ask_exists(c))
		return true;
	conclude(c);
	return false;
}

static void
on_record(void *arg, const struct dns_answer *a)
{
	struct dmarc_check *c = arg;
	struct dmarc_walk *w = c->asked;
	struct dmarc_record record;
	enum at_name is = read_record(a, c->rules, &record);

	/* Where there is a name below it, it exists itself (RFC 8020 2). */
	if (w->at == c->domain &&
	    (a->status == DNS_FOUND || a->status == DNS_NODATA))
		c->exists_known = true;
	if (is != AT_LATER)
		step(c, w, is, &record);
	else if (w == &c->author) {
		c->later = a->why;
		w->at = NULL;
	} else {
		c->other_later = true;
		w->at = NULL;
	}
	proceed(c);
}

static void
on_exists(void *arg, const struct dns_answer *a)
{
	struct dmarc_check *c = arg;

	c->exists_known = true;
	c->exists_later = a->status == DNS_LATER;
	c->answer.exists = a->status != DNS_NXDOMAIN;
	conclude(c);
}

static void
on_deadline(void *arg)
{
	struct dmarc_check *c = arg;

	dns_cancel(&c->ask);
	if (c->policy == NULL) {
		finish(c, RES_TEMPERROR, "the DNS takes too long");
		return;
	}
	c->exists_later = exists_matters(c);
	conclude(c);
}

/* ---- public ---- */

/* In lower case, without the root's dot. */
static void
set_domain(char out[DOMAIN_MAX + 1], const char *domain)
{
	struct slice s = slice_of(domain);

	if (s.len > 0 && s.p[s.len - 1] == '.')
		s.len--;
	slice_copy(s, out, DOMAIN_MAX + 1);
	text_lower(out);
}

static void
add_candidate(struct dmarc_check *c, const char *domain, bool spf, bool passed)
{
	struct candidate *k = &c->candidate[c->n_candidate];
	unsigned int i;

	*k = (struct candidate){ .spf = spf, .passed = passed };
	set_domain(k->domain, domain);
	for (i = 0; i < c->n_candidate; i++)
		if (c->candidate[i].spf == spf &&
		    strcmp(c->candidate[i].domain, k->domain) == 0)
			return;
	if (k->domain[0] != '\0')
		c->n_candidate++;
}

static void
add_candidates(struct dmarc_check *c, const struct dmarc_query *q)
{
	unsigned int i;

	if (q->spf == RES_PASS || q->spf == RES_TEMPERROR)
		add_candidate(c, q->spf_domain, true, q->spf == RES_PASS);
	for (i = 0; i < q->n_dkim + q->n_later && i < DMARC_DKIM_MAX; i++)
		add_candidate(c, q->dkim[i], false, i < q->n_dkim);
}

struct dmarc_check *
dmarc_start(struct loop *l, struct dns *d, const struct dmarc_query *q,
    dmarc_fn *fn, void *arg)
{
	struct dmarc_check *c = xcalloc(1, sizeof(*c));

	c->dns = d;
	c->rules = q->rules;
	c->roll = q->roll;
	c->fn = fn;
	c->arg = arg;
	dmarc_unknown(q, &c->answer);
	c->answer.exists = true;
	set_domain(c->domain, q->author);
	add_candidates(c, q);
	dmarc_walk_begin(&c->author, c->domain);
	timer_set(l, &c->deadline, DMARC_TIME_MS, on_deadline, c);
	if (c->rules == DMARC_RFC7489 &&
	    (c->organization = dmarc_psl_organization(c->domain)) == NULL) {
		finish(c, RES_TEMPERROR, "no list of public suffixes");
		return NULL;
	}
	return proceed(c) ? c : NULL;
}

void
dmarc_cancel(struct dmarc_check **c)
{
	if (*c != NULL)
		check_free(*c);
	*c = NULL;
}
