/*
 * The sets of an Authenticated Received Chain, out of the fields of a header
 * section (RFC 8617 4.2, 5.2), and what a seal covers of them.  Used by
 * session, deliver and smtpctl.  Never verifies a signature.
 *
 * SPDX-License-Identifier: ISC
 */
#include "arc_parts.h"

#include <string.h>

#include <openssl/evp.h>

#include "auth_field.h"
#include "dkim_canon.h"
#include "dkim_tags.h"
#include "dkim_verify.h"
#include "log.h"

/* Columns: name, why there is none. */
static const struct {
	const char *name, *missing;
} kinds[ARC_KINDS] = {
	[ARC_RESULTS] = { "ARC-Authentication-Results",
	    "a set without ARC-Authentication-Results" },
	[ARC_SIGNATURE] = { "ARC-Message-Signature",
	    "a set without ARC-Message-Signature" },
	[ARC_SEALED] = { "ARC-Seal", "a set without ARC-Seal" },
};

static const char *const cv_words[] = { "none", "pass", "fail" };

/* ---- ARC-Authentication-Results ---- */

static bool
take_char(struct slice *s, char c)
{
	auth_field_space(s);
	if (s->len == 0 || *s->p != c)
		return false;
	s->p++;
	s->len--;
	return true;
}

/* RFC 8617 4.2.1: 1 to 50, in one or two digits. */
static const char *
read_position(struct slice digits, unsigned int *i)
{
	uint64_t n;

	if (tags_number(digits, 2, &n) != NULL || n == 0)
		return "an instance that is none";
	if (n > ARC_SETS_MAX)
		return "more than 50 sets";
	*i = (unsigned int)n;
	return NULL;
}

const char *
arc_results_instance(struct slice *value, unsigned int *i)
{
	struct slice s = *value, digits;
	const char *why;

	if (!take_char(&s, 'i') || !take_char(&s, '='))
		return "ARC-Authentication-Results without its instance";
	auth_field_space(&s);
	digits = (struct slice){ s.p, 0 };
	while (s.len > 0 && *s.p >= '0' && *s.p <= '9') {
		s.p++;
		s.len--;
		digits.len++;
	}
	if ((why = read_position(digits, i)) != NULL)
		return why;
	if (!take_char(&s, ';'))
		return "ARC-Authentication-Results without its instance";
	*value = s;
	return NULL;
}

/* ---- the other two ---- */

static const char *
cv_of(const struct tags *t)
{
	const struct slice *cv = tags_get(t, "cv");
	size_t i;

	for (i = 0; cv != NULL && i < sizeof cv_words / sizeof *cv_words; i++) {
		if (slice_eqcase(*cv, slice_of(cv_words[i])))
			return cv_words[i];
	}
	return NULL;
}

static const char *
tagged_instance(struct slice value, unsigned int *i, const char **cv)
{
	const struct slice *position;
	const char *why;
	struct tags t;

	if ((why = tags_parse(value, &t)) != NULL)
		return why;
	if ((position = tags_get(&t, "i")) == NULL)
		return "a field without an instance";
	*cv = cv_of(&t);
	return read_position(*position, i);
}

/* ---- the chain ---- */

/* ARC_KINDS: it is no field of ARC. */
static enum arc_kind
kind_of(struct slice name)
{
	enum arc_kind k;

	for (k = 0; k < ARC_KINDS; k++) {
		if (slice_eqcase(name, slice_of(kinds[k].name)))
			break;
	}
	return k;
}

/* The highest instance counts, as step 2 comes before the structure; of two
 * seals that both say that they are it, either. */
static void
note_newest(struct arc_chain *c, enum arc_kind kind, unsigned int i,
    const char *cv)
{
	if (i > c->n) {
		c->n = i;
		c->sealed_fail = false;
	}
	if (kind == ARC_SEALED && i == c->n && cv != NULL &&
	    strcmp(cv, "fail") == 0)
		c->sealed_fail = true;
}

static const char *
take_field(struct arc_chain *c, enum arc_kind kind, const struct mail_field *f)
{
	struct slice value = f->value;
	const char *why, *cv = NULL;
	struct arc_set *set;
	unsigned int i;

	why = kind == ARC_RESULTS ? arc_results_instance(&value, &i) :
				    tagged_instance(value, &i, &cv);
	if (why != NULL)
		return why;
	note_newest(c, kind, i, cv);
	set = &c->set[i - 1];
	if (set->field[kind].p != NULL)
		return "a set that has a field twice";
	set->field[kind] = f->all;
	set->value[kind] = value;
	if (kind == ARC_SEALED)
		set->cv = cv;
	return NULL;
}

/* RFC 8617 5.2, step 3: what all sets must have. */
static const char *
check_sets(const struct arc_chain *c)
{
	enum arc_kind k;
	unsigned int i;

	for (i = 0; i < c->n; i++) {
		for (k = 0; k < ARC_KINDS; k++) {
			if (c->set[i].field[k].p == NULL)
				return kinds[k].missing;
		}
		if (c->set[i].cv == NULL)
			return "a seal without a cv";
		if (strcmp(c->set[i].cv, i == 0 ? "none" : "pass") != 0)
			return "a seal with the wrong cv";
	}
	return NULL;
}

void
arc_collect(struct arc_chain *c, const struct mail_read *m)
{
	enum arc_kind kind;
	const char *why;
	uint32_t row;

	memset(c, 0, sizeof *c);
	c->why = m->why;
	for (row = 0; m->why == NULL && row < m->n_field; row++) {
		kind = kind_of(m->field[row].name);
		if (kind == ARC_KINDS)
			continue;
		c->any = true;
		why = take_field(c, kind, &m->field[row]);
		if (c->why == NULL)
			c->why = why;
	}
	if (c->sealed_fail)
		c->why = "the newest seal says that the chain has failed";
	if (c->why == NULL)
		c->why = check_sets(c);
}

/* ---- what a seal covers ---- */

struct evp_md_ctx_st *
arc_hash_new(void)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	if (md == NULL || EVP_DigestInit_ex2(md, EVP_sha256(), NULL) != 1)
		fatal("SHA-256 is not to be had from OpenSSL");
	return md;
}

static void
hash_add(EVP_MD_CTX *md, const struct buf *b)
{
	if (EVP_DigestUpdate(md, buf_data(b), b->len) != 1)
		fatal("EVP_DigestUpdate");
}

/* Nothing here has a ceiling: a field is a part of a header section, which has
 * one, and no form of it is longer than twice that. */
void
arc_hash_field(struct evp_md_ctx_st *md, struct slice field)
{
	struct buf canon;

	buf_init(&canon, 0);
	dkim_canon_field(CANON_RELAXED, field, &canon);
	buf_puts(&canon, "\r\n");
	hash_add(md, &canon);
	buf_free(&canon);
}

void
arc_hash_seal(const struct evp_md_ctx_st *md, struct slice seal,
    struct slice value_b, uint8_t digest[32])
{
	EVP_MD_CTX *copy = EVP_MD_CTX_new();
	struct buf data;

	if (copy == NULL || EVP_MD_CTX_copy_ex(copy, md) != 1)
		fatal("EVP_MD_CTX_copy_ex");
	buf_init(&data, 0);
	dkim_field_without(CANON_RELAXED, seal, value_b, &data);
	hash_add(copy, &data);
	if (EVP_DigestFinal_ex(copy, digest, NULL) != 1)
		fatal("EVP_DigestFinal");
	buf_free(&data);
	EVP_MD_CTX_free(copy);
}
