/*
 * A chain is verified (RFC 8617 5.2, steps 4 to 7).  Runs in session, where
 * keys come while the body does, and in smtpctl.  Never waits, never asks by
 * itself, and never says fail for what the DNS does not say.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "arc_parts.h"
#include "auth_field.h"
#include "dkim_tags.h"
#include "dkim_verify.h"
#include "log.h"

enum {
	/* Message signatures below the newest that are looked at, in a header
	 * section that is not larger than this: each may cover all of it. */
	OLDER_MAX = 8,
	OLDER_HEADER_MAX = 65536,
	TIME_DIGITS = 12,
	SIG_BYTES = 4096 /* of b=: more than any key that we take makes */
};

/* A key that is needed, once for each algorithm. */
struct key {
	char name[HOST_MAX + 1];
	enum dkim_alg alg;
	enum auth_result result; /* RES_UNSAID: it was not given */
	const char *why;
	struct dkim_key key;
};

/* An ARC-Seal as it was read. */
struct seal {
	struct slice field, value_b;
	enum dkim_alg alg;
	char domain[DOMAIN_MAX + 1];
	unsigned int key; /* its row */
};

/* An ARC-Message-Signature. */
struct message {
	struct dkim_check check;
	unsigned int key;
};

/* What is verified next. */
enum stage { AT_MESSAGE, AT_SEALS, AT_OLDER, AT_END };

struct arc {
	const struct mail_read *m;
	struct arc_is is;
	struct arc_chain chain;
	enum stage stage;
	unsigned int next;        /* seal, or message of an older set */
	struct evp_md_ctx_st *md; /* what the seals so far cover */
	enum auth_result seals;   /* of those so far */
	const char *why;          /* of them */
	struct seal *seal;        /* is.sets of them, the oldest first */
	struct message *message;  /* of the newest set, then of those below */
	unsigned int n_message;
	struct key *key;
	unsigned int n_key;
};

/* ---- keys ---- */

/* Its row, or -1. */
static int
find_key(const struct arc *a, enum dkim_alg alg, const char *name)
{
	unsigned int i;

	for (i = 0; i < a->n_key; i++) {
		if (a->key[i].alg == alg && strcmp(a->key[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

static unsigned int
need_key(struct arc *a, enum dkim_alg alg, const char name[HOST_MAX + 1])
{
	int row = find_key(a, alg, name);

	if (row == -1) {
		row = (int)a->n_key++;
		a->key[row].alg = alg;
		memcpy(a->key[row].name, name, HOST_MAX + 1);
	}
	return (unsigned int)row;
}

/* ---- what a seal says of itself ---- */

/* RFC 8617 4.1.3.  NULL, or why it cannot be verified. */
static const char *
read_seal(struct arc *a, const struct arc_set *set, struct seal *seal)
{
	char selector[DOMAIN_MAX + 1], name[HOST_MAX + 1];
	const struct slice *d, *s, *b, *alg, *when;
	struct tags t;
	uint64_t n;

	seal->field = set->field[ARC_SEALED];
	if (tags_parse(set->value[ARC_SEALED], &t) != NULL)
		return "a seal is malformed";
	/* What it covers is not its own choice. */
	if (tags_get(&t, "h") != NULL)
		return "a seal with h=";
	d = tags_get(&t, "d");
	s = tags_get(&t, "s");
	b = tags_get(&t, "b");
	alg = tags_get(&t, "a");
	when = tags_get(&t, "t");
	if (d == NULL || dkim_domain_read(*d, seal->domain) != NULL)
		return "d= of a seal is no domain";
	if (s == NULL || dkim_selector_read(*s, selector) != NULL ||
	    !dkim_key_name(selector, seal->domain, name))
		return "s= of a seal is no selector";
	if (b == NULL || b->len == 0)
		return "a seal without its signature";
	if (alg == NULL || !dkim_alg_of(*alg, &seal->alg))
		return "a seal of an algorithm that is not known";
	if (when != NULL && tags_number(*when, TIME_DIGITS, &n) != NULL)
		return "t= of a seal is no time";
	seal->value_b = *b;
	seal->key = need_key(a, seal->alg, name);
	return NULL;
}

/* ---- message signatures ---- */

/*
 * RFC 8617 4.1.2 tells who signs to leave out the fields of ARC.  Of those a
 * seal alone is refused: it is added behind the signature, so it is none that
 * can be meant.  What other fields are covered is the signer's business.
 */
static bool
covers_seal(struct slice names)
{
	struct slice name;

	while (tags_member(&names, &name)) {
		if (slice_eqcase(name, SLICE("arc-seal")))
			return true;
	}
	return false;
}

/* Of a set; name is that of its key.  NULL, or why it cannot be verified. */
static const char *
read_message(const struct arc_set *set, int64_t now, struct dkim_check *c,
    char name[HOST_MAX + 1])
{
	struct mail_field f = { .all = set->field[ARC_SIGNATURE],
		.value = set->value[ARC_SIGNATURE] };

	if (!dkim_check_read(c, &f, KIND_ARC, now))
		return c->why;
	if (covers_seal(c->names))
		return "a message signature that covers a seal";
	if (!dkim_key_name(c->selector, c->domain, name))
		return "a message signature without a key";
	return NULL;
}

static const char *
begin_newest(struct arc *a, struct mail_read *m, int64_t now)
{
	struct message *newest = &a->message[0];
	char name[HOST_MAX + 1];
	const char *why;

	why = read_message(&a->chain.set[a->is.sets - 1], now, &newest->check,
	    name);
	if (why != NULL)
		return why;
	if (!dkim_check_want(&newest->check, m))
		return newest->check.why;
	newest->key = need_key(a, newest->check.alg, name);
	a->n_message = 1;
	return NULL;
}

/* Whether somebody wants this hash of the body anyway. */
static bool
is_wanted(const struct mail_read *m, const struct dkim_check *c)
{
	unsigned int i;

	for (i = 0; i < m->n_hash; i++) {
		if (m->hash[i].form == c->canon_body &&
		    m->hash[i].limit == c->limit)
			return true;
	}
	return false;
}

/*
 * RFC 8617 5.2, step 5, is not needed for a verdict, so it costs no question
 * and no hash of its own: older signatures are looked at from the top down
 * until one has another key, or another form of body.
 */
static void
begin_older(struct arc *a, struct mail_read *m)
{
	char name[HOST_MAX + 1];
	struct message *older;
	unsigned int i;
	int key;

	if (m->header.len > OLDER_HEADER_MAX)
		return;
	for (i = a->is.sets - 1; i-- > 0 && a->n_message <= OLDER_MAX;) {
		older = &a->message[a->n_message];
		/* One that has expired was good when the next set came. */
		if (read_message(&a->chain.set[i], 0, &older->check, name) !=
			NULL ||
		    !is_wanted(m, &older->check) ||
		    !dkim_check_want(&older->check, m) ||
		    (key = find_key(a, older->check.alg, name)) == -1)
			return;
		older->key = (unsigned int)key;
		a->n_message++;
	}
}

/* ---- beginning ---- */

static void
settle(struct arc *a, enum auth_result r, const char *why)
{
	a->is.result = r;
	a->is.why = why;
}

/* RFC 8617 5.2, steps 1 to 3, and that all else can be verified. */
static const char *
begin(struct arc *a, struct mail_read *m, int64_t now)
{
	const char *why;
	unsigned int i;

	if (a->chain.why != NULL)
		return a->chain.why;
	/* Readers differ about which fields such a message has. */
	if (m->malformed != NULL)
		return m->malformed;
	a->seal = xcalloc(a->is.sets, sizeof *a->seal);
	a->message = xcalloc(1 + OLDER_MAX, sizeof *a->message);
	a->key = xcalloc(1 + a->is.sets, sizeof *a->key);
	if ((why = begin_newest(a, m, now)) != NULL)
		return why;
	for (i = a->is.sets; i-- > 0;) {
		if ((why = read_seal(a, &a->chain.set[i], &a->seal[i])) != NULL)
			return why;
	}
	begin_older(a, m);
	return NULL;
}

struct arc *
arc_begin(struct mail_read *m, int64_t now)
{
	struct arc *a = xcalloc(1, sizeof *a);
	const char *why;

	a->m = m;
	arc_collect(&a->chain, m);
	a->is.sets = a->chain.n;
	a->is.sealed_fail = a->chain.sealed_fail;
	if (!a->chain.any && a->chain.why == NULL) {
		settle(a, RES_NONE, NULL);
		return a;
	}
	if ((why = begin(a, m, now)) != NULL) {
		settle(a, RES_FAIL, why);
		a->n_key = 0;
	}
	return a;
}

unsigned int
arc_keys(const struct arc *a)
{
	return a->n_key;
}

bool
arc_wants(const struct arc *a, unsigned int i, char name[HOST_MAX + 1])
{
	if (i >= a->n_key || a->key[i].result != RES_UNSAID)
		return false;
	memcpy(name, a->key[i].name, sizeof a->key[i].name);
	return true;
}

void
arc_key(struct arc *a, unsigned int i, const struct key_found *found)
{
	struct key *k;
	unsigned int n;

	if (i >= a->n_key || a->key[i].result != RES_UNSAID)
		return;
	k = &a->key[i];
	k->result = dkim_key_read(found, k->alg, &k->key, &k->why);
	for (n = 0; n < a->n_message; n++) {
		if (a->message[n].key == i)
			dkim_check_key(&a->message[n].check, found);
	}
}

/* ---- verifying ---- */

/* RES_PASS, RES_FAIL or RES_TEMPERROR. */
static enum auth_result
check_message(const struct arc *a, struct dkim_check *c)
{
	if (c->result == RES_UNSAID)
		dkim_check_finish(c, a->m);
	return c->result == RES_PASS || c->result == RES_TEMPERROR ? c->result :
								     RES_FAIL;
}

static enum auth_result
check_seal(const struct key *k, const struct seal *seal,
    const uint8_t digest[32], const char **why)
{
	struct buf sig;
	bool good;

	*why = k->why;
	if (k->result == RES_UNSAID)
		*why = "the DNS does not say the key";
	if (k->result == RES_UNSAID || k->result == RES_TEMPERROR)
		return RES_TEMPERROR;
	if (k->result != RES_PASS)
		return RES_FAIL;
	buf_init(&sig, SIG_BYTES);
	good = tags_base64(seal->value_b, &sig) == NULL &&
	    dkim_key_verify(&k->key, digest, buf_data(&sig), sig.len);
	buf_free(&sig);
	*why = good ? NULL : "a seal does not match";
	return good ? RES_PASS : RES_FAIL;
}

/* Both are known. */
static bool
conclude(struct arc *a)
{
	const struct dkim_check *message = &a->message[0].check;
	enum auth_result r = a->seals;

	EVP_MD_CTX_free(a->md);
	a->md = NULL;
	a->next = 1;
	a->stage =
	    r == RES_PASS && message->result == RES_PASS ? AT_OLDER : AT_END;
	if (r != RES_FAIL && message->result != RES_PASS)
		settle(a, message->result, message->why);
	else
		settle(a, r, a->why);
	return a->stage != AT_END;
}

static bool
step_message(struct arc *a)
{
	enum auth_result r = check_message(a, &a->message[0].check);

	if (r == RES_FAIL) {
		settle(a, r, a->message[0].check.why);
		a->stage = AT_END;
		return false;
	}
	a->stage = AT_SEALS;
	a->seals = RES_PASS;
	a->md = arc_hash_new();
	return true;
}

/* Each covers what stands before it, so all is hashed once.  One that is wrong
 * is so whatever the DNS will say of others. */
static bool
step_seal(struct arc *a)
{
	const struct arc_set *set = &a->chain.set[a->next];
	const struct seal *seal = &a->seal[a->next++];
	enum auth_result r;
	uint8_t digest[32];
	const char *why;
	enum arc_kind k;

	for (k = 0; k < ARC_SEALED; k++)
		arc_hash_field(a->md, set->field[k]);
	arc_hash_seal(a->md, seal->field, seal->value_b, digest);
	arc_hash_field(a->md, seal->field);
	r = check_seal(&a->key[seal->key], seal, digest, &why);
	if (r != RES_PASS) {
		a->seals = r;
		a->why = why;
	}
	return r == RES_FAIL || a->next == a->is.sets ? conclude(a) : true;
}

/* RFC 8617 5.2, step 5: the lowest instance that still holds; 0: all do. */
static bool
step_older(struct arc *a)
{
	if (a->next < a->n_message &&
	    check_message(a, &a->message[a->next].check) == RES_PASS) {
		a->next++;
		return true;
	}
	a->is.oldest = a->next == a->is.sets ? 0 : a->is.sets - a->next + 1;
	a->stage = AT_END;
	return false;
}

bool
arc_step(struct arc *a)
{
	if (a->is.result != RES_UNSAID && a->stage != AT_OLDER)
		return false;
	switch (a->stage) {
	case AT_MESSAGE:
		return step_message(a);
	case AT_SEALS:
		return step_seal(a);
	case AT_OLDER:
		return step_older(a);
	case AT_END:
		break;
	}
	return false;
}

void
arc_finish(struct arc *a)
{
	while (arc_step(a))
		continue;
}

/* ---- what is known then ---- */

const struct arc_is *
arc_result(const struct arc *a)
{
	return &a->is;
}

const char *
arc_sealer(const struct arc *a, unsigned int i)
{
	return a->seal == NULL || i == 0 || i > a->is.sets ?
	    "" :
	    a->seal[i - 1].domain;
}

/* Columns: method, properties that say for which domain it passed. */
static const struct {
	const char *method, *prop[2];
} vouching[] = {
	{ "dmarc", { "header.from", NULL } },
	{ "dkim", { "header.d", "header.i" } },
	{ "spf", { "smtp.mailfrom", NULL } },
};

/* Whether value, a domain or an address, is of this domain. */
static bool
is_of(const char *value, const char *domain)
{
	const char *at = strrchr(value, '@');

	return strcasecmp(at == NULL ? value : at + 1, domain) == 0;
}

static bool
entry_vouches(const struct auth_entry *e, const char *author)
{
	unsigned int i, p;
	size_t row;

	if (strcmp(e->result, "pass") != 0)
		return false;
	for (row = 0; row < sizeof vouching / sizeof *vouching; row++) {
		if (strcmp(e->method, vouching[row].method) != 0)
			continue;
		for (i = 0; i < e->n_prop; i++) {
			for (p = 0; p < 2; p++) {
				if (vouching[row].prop[p] != NULL &&
				    strcmp(e->prop[i].name,
					vouching[row].prop[p]) == 0 &&
				    is_of(e->prop[i].value, author))
					return true;
			}
		}
	}
	return false;
}

unsigned int
arc_vouches(const struct arc *a, const char *author)
{
	struct auth_entry e;
	struct slice rest;
	unsigned int i;

	if (a->is.result != RES_PASS || author[0] == '\0')
		return 0;
	for (i = a->is.sets; i > 0; i--) {
		rest = auth_field_rest(a->chain.set[i - 1].value[ARC_RESULTS]);
		while (auth_field_next(&rest, &e)) {
			if (entry_vouches(&e, author))
				return i;
		}
	}
	return 0;
}

void
arc_free(struct arc **a)
{
	unsigned int i;

	if (*a == NULL)
		return;
	EVP_MD_CTX_free((*a)->md);
	for (i = 0; (*a)->key != NULL && i <= (*a)->is.sets; i++)
		dkim_key_free(&(*a)->key[i].key);
	for (i = 0; (*a)->message != NULL && i <= OLDER_MAX; i++)
		dkim_check_free(&(*a)->message[i].check);
	free((*a)->key);
	free((*a)->seal);
	free((*a)->message);
	free(*a);
	*a = NULL;
}
