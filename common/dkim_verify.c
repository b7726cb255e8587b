/*
 * The DKIM signatures of a message (RFC 6376 6): which are looked at, what
 * they cover, what comes of them.  Runs in session and smtpctl, over content
 * that strangers wrote; whoever calls it asks the DNS.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dkim_verify.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "dkim_tags.h"
#include "log.h"

/* ---- what is signed ---- */

/* The field as if the value of b= were empty, white space around it included
 * (RFC 6376 3.7). */
bool
dkim_field_without(enum dkim_canon_form form, struct slice field,
    struct slice value_b, struct buf *out)
{
	const char *end = field.p + field.len;
	const char *from = value_b.p, *to = value_b.p + value_b.len;
	struct buf copy;
	bool good;

	while (from > field.p && slice_is_space(from[-1]))
		from--;
	while (to < end && slice_is_space(*to))
		to++;
	buf_init(&copy, 0);
	good = buf_add(&copy, field.p, (size_t)(from - field.p)) &&
	    buf_add(&copy, to, (size_t)(end - to)) &&
	    dkim_canon_field(form,
		(struct slice){ (const char *)buf_data(&copy), copy.len }, out);
	buf_free(&copy);
	return good;
}

/* Adds the fields of h=, each the next one above the last of its name (RFC
 * 6376 5.4.2); one that is not there is the empty string. */
static bool
add_names(const struct mail_read *m, struct slice names,
    enum dkim_canon_form form, int *next, struct buf *out)
{
	struct slice name;
	int lowest, row;

	while (tags_member(&names, &name)) {
		lowest = mail_read_above(m, name, (int)m->n_field);
		if (lowest == -1 || (row = next[lowest]) == -1)
			continue;
		next[lowest] = m->field[row].up;
		if (!dkim_canon_field(form, m->field[row].all, out) ||
		    !buf_puts(out, "\r\n"))
			return false;
	}
	return true;
}

/* The fields of h= in canonical form, each with its CRLF, then its own. */
static bool
header_data(const struct dkim_check *c, const struct mail_read *m,
    struct buf *out)
{
	/* By the lowest row of a name: which one is the next. */
	int *next = xcalloc(m->n_field + 1, sizeof(*next));
	uint32_t i;
	bool good;

	for (i = 0; i < m->n_field; i++)
		next[i] = (int)i;
	good = add_names(m, c->names, c->canon_header, next, out) &&
	    dkim_field_without(c->canon_header, c->field, c->value_b, out);
	free(next);
	return good;
}

/* ---- one signature ---- */

static void
conclude(struct dkim_check *c, enum auth_result result, const char *why)
{
	c->result = result;
	c->why = why;
	c->unasked = false;
}

static void
check_signature(struct dkim_check *c, const struct mail_read *m)
{
	struct buf header, sig;
	uint8_t digest[32];
	unsigned int len = sizeof(digest);

	buf_init(&header, 0);
	buf_init(&sig, DKIM_SIG_BYTES);
	if (tags_base64(c->value_b, &sig) != NULL ||
	    !header_data(c, m, &header))
		conclude(c, RES_PERMERROR, "the signature is malformed");
	else if (EVP_Digest(buf_data(&header), header.len, digest, &len,
		     m->sha256, NULL) != 1)
		fatal("EVP_Digest");
	else if (dkim_key_verify(&c->key, digest, buf_data(&sig), sig.len))
		conclude(c, RES_PASS, NULL);
	else
		conclude(c, RES_FAIL, "the signature does not match");
	buf_free(&header);
	buf_free(&sig);
}

/* The body first: where it was changed, no key makes it right. */
static void
check_all(struct dkim_check *c, const struct mail_read *m)
{
	const uint8_t *digest;
	uint64_t n;

	digest = mail_read_digest(m, c->hash, &n);
	if (c->limited && c->limit > n) {
		conclude(c, RES_PERMERROR, "l= is more than the body");
		return;
	}
	c->cut = c->limited && c->limit < n;
	if (memcmp(digest, c->bh, sizeof(c->bh)) != 0)
		conclude(c, RES_FAIL, "the body was changed");
	else if (c->key.pkey == NULL)
		conclude(c, RES_TEMPERROR, "the DNS does not say the key");
	else
		check_signature(c, m);
}

void
dkim_check_finish(struct dkim_check *c, const struct mail_read *m)
{
	check_all(c, m);
	/* RFC 6376 3.6.1: as if it were not signed. */
	if (c->testing && (c->result == RES_FAIL || c->result == RES_PERMERROR))
		conclude(c, RES_NEUTRAL,
		    "a key in testing, and no valid signature");
}

/* ---- all of them ---- */

/* What is said of a message whose header section tells too little. */
static bool
refuse_all(struct dkim_check *c, const struct mail_read *m)
{
	if (m->why != NULL)
		conclude(c, RES_POLICY, m->why);
	else if (m->malformed != NULL)
		conclude(c, RES_PERMERROR, m->malformed);
	else
		return false;
	return true;
}

/* Whether there are signatures is not known: one stands for them. */
static void
begin_unseen(struct dkim_verify *v, const struct mail_read *m)
{
	v->n = 1;
	v->check = xcalloc(v->n, sizeof(*v->check));
	v->check->hash = -1;
	refuse_all(v->check, m);
}

void
dkim_verify_begin(struct dkim_verify *v, struct mail_read *m, int64_t now)
{
	const struct slice name = SLICE("DKIM-Signature");
	unsigned int verified = 0;
	struct dkim_check *c;
	int row;

	v->m = m;
	v->n = 0;
	v->check = NULL;
	for (row = -1; v->n < DKIM_SHOWN;) {
		if ((row = mail_read_below(m, name, row)) == -1)
			break;
		v->n++;
	}
	if (v->n == 0) {
		if (m->why != NULL)
			begin_unseen(v, m);
		return;
	}
	v->check = xcalloc(v->n, sizeof(*v->check));
	for (row = -1, c = v->check; c < v->check + v->n; c++) {
		row = mail_read_below(m, name, row);
		if (!dkim_check_read(c, &m->field[row], KIND_DKIM, now) ||
		    refuse_all(c, m))
			continue;
		if (verified == DKIM_VERIFY_MAX)
			conclude(c, RES_POLICY, "too many signatures");
		else if (dkim_check_want(c, m))
			verified++;
	}
}

bool
dkim_verify_wants(const struct dkim_verify *v, unsigned int i,
    char name[HOST_MAX + 1])
{
	const struct dkim_check *c = &v->check[i];

	return i < v->n && c->unasked &&
	    dkim_key_name(c->selector, c->domain, name);
}

void
dkim_verify_key(struct dkim_verify *v, unsigned int i,
    const struct key_found *found)
{
	if (i < v->n && v->check[i].result == RES_UNSAID)
		dkim_check_key(&v->check[i], found);
}

void
dkim_verify_finish(struct dkim_verify *v)
{
	unsigned int i;

	for (i = 0; i < v->n; i++)
		if (v->check[i].result == RES_UNSAID)
			dkim_check_finish(&v->check[i], v->m);
}

void
dkim_verify_free(struct dkim_verify *v)
{
	unsigned int i;

	for (i = 0; i < v->n; i++)
		dkim_check_free(&v->check[i]);
	free(v->check);
	memset(v, 0, sizeof(*v));
}

enum auth_result
dkim_verify_result(const struct dkim_verify *v)
{
	static const enum auth_result order[] = { RES_PASS, RES_TEMPERROR,
		RES_POLICY, RES_FAIL, RES_PERMERROR, RES_NEUTRAL };
	unsigned int i, o;

	for (o = 0; o < sizeof(order) / sizeof(order[0]); o++)
		for (i = 0; i < v->n; i++)
			if (v->check[i].result == order[o])
				return order[o];
	return RES_NONE;
}
