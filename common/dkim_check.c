/*
 * One signature of a message that came: reading its field (RFC 6376 3.5,
 * 6.1.1, RFC 8616).  Runs in session and smtpctl, over text that strangers
 * wrote; asks nobody.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dkim_verify.h"

#include <string.h>

#include "dkim_tags.h"
#include "idn.h"
#include "smtp_addr.h"

enum { LENGTH_DIGITS = 76, TIME_DIGITS = 12 };

/* ---- domains ---- */

const char *
dkim_domain_read(struct slice in, char out[DOMAIN_MAX + 1])
{
	if (idn_domain(in, out) == NULL && smtp_labels_check(out, 2))
		return NULL;
	out[0] = '\0';
	return "d= is no domain";
}

const char *
dkim_selector_read(struct slice in, char out[DOMAIN_MAX + 1])
{
	if (idn_domain(in, out) == NULL && smtp_labels_check(out, 1))
		return NULL;
	out[0] = '\0';
	return "s= is no selector";
}

/* ---- tags: each a function that gives NULL, or why the signature cannot be
 * used ---- */

typedef const char *read_fn(struct dkim_check *c, struct slice value);

static const char *
read_version(struct dkim_check *c, struct slice value)
{
	(void)c;
	return slice_eq(value, SLICE("1")) ? NULL : "v= is not 1";
}

static const char *
read_alg(struct dkim_check *c, struct slice value)
{
	if (slice_eq(value, SLICE("rsa-sha1")))
		return "rsa-sha1 proves nothing (RFC 8301)";
	c->alg_known = dkim_alg_of(value, &c->alg);
	return c->alg_known ? NULL : "unknown algorithm";
}

static const char *
read_b(struct dkim_check *c, struct slice value)
{
	struct buf sig;
	size_t i, n = 0;
	bool good;

	for (i = 0; i < value.len && n < sizeof(c->b) - 1; i++)
		if (value.p[i] > ' ' && value.p[i] <= '~')
			c->b[n++] = value.p[i];
	c->value_b = value;
	if (value.len == 0)
		return "b= is empty";
	buf_init(&sig, DKIM_SIG_BYTES);
	good = tags_base64(value, &sig) == NULL;
	buf_free(&sig);
	return good ? NULL : "b= is no base64";
}

static const char *
read_bh(struct dkim_check *c, struct slice value)
{
	struct buf out;
	bool good;

	buf_init(&out, sizeof(c->bh));
	good = tags_base64(value, &out) == NULL && out.len == sizeof(c->bh);
	if (good)
		memcpy(c->bh, buf_data(&out), sizeof(c->bh));
	buf_free(&out);
	return good ? NULL : "bh= is no SHA-256 in base64";
}

static bool
read_form(struct slice word, uint8_t *form)
{
	if (slice_eq(word, SLICE("simple")))
		*form = CANON_SIMPLE;
	else if (slice_eq(word, SLICE("relaxed")))
		*form = CANON_RELAXED;
	else
		return false;
	return true;
}

static const char *
read_canon(struct dkim_check *c, struct slice value)
{
	const char *slash =
	    value.len == 0 ? NULL : memchr(value.p, '/', value.len);
	struct slice header = value, body = SLICE("simple");

	if (slash != NULL) {
		header.len = (size_t)(slash - value.p);
		body.p = slash + 1;
		body.len = value.len - header.len - 1;
	}
	if (!read_form(header, &c->canon_header) ||
	    !read_form(body, &c->canon_body))
		return "unknown canonical form";
	return NULL;
}

static const char *
read_domain(struct dkim_check *c, struct slice value)
{
	return dkim_domain_read(value, c->domain);
}

static const char *
read_selector(struct dkim_check *c, struct slice value)
{
	return dkim_selector_read(value, c->selector);
}

static const char *
read_names(struct dkim_check *c, struct slice value)
{
	struct slice rest = value, name;
	unsigned int n = 0;
	bool from = false;
	size_t i;

	while (tags_member(&rest, &name)) {
		if (++n > MAIL_FIELDS_MAX)
			return "h= has too many names";
		for (i = 0; i < name.len; i++)
			if (name.p[i] <= ' ' || name.p[i] > '~')
				return "h= has no list of names";
		if (name.len == 0)
			return "h= has no list of names";
		from = from || slice_eqcase(name, SLICE("from"));
	}
	c->names = value;
	return from ? NULL : "From is not signed";
}

static const char *
read_length(struct dkim_check *c, struct slice value)
{
	if (tags_number(value, LENGTH_DIGITS, &c->limit) != NULL)
		return "l= is no number";
	/* No body is so long, and all of it is something else. */
	if (c->limit == UINT64_MAX)
		c->limit--;
	c->limited = true;
	return NULL;
}

/* "dns" is of the time before RFC 4871. */
static const char *
read_query(struct dkim_check *c, struct slice value)
{
	struct slice method;

	(void)c;
	while (tags_member(&value, &method))
		if (slice_eq(method, SLICE("dns/txt")) ||
		    slice_eq(method, SLICE("dns")))
			return NULL;
	return "q= asks for no method that we have";
}

/* [Local-part] "@" domain-name, the first in dkim-quoted-printable, in which
 * white space means nothing (RFC 6376 2.11). */
static const char *
read_identity(struct dkim_check *c, struct slice value)
{
	const char *at =
	    value.len == 0 ? NULL : memrchr(value.p, '@', value.len);
	struct slice domain;
	char name[DOMAIN_MAX + 1];
	size_t n = 0;
	const char *p;

	if (at == NULL)
		return "i= is no identity";
	domain =
	    (struct slice){ at + 1, value.len - (size_t)(at + 1 - value.p) };
	if (idn_domain(slice_strip(domain), name) != NULL ||
	    !smtp_labels_check(name, 1))
		return "i= has no domain";
	for (p = value.p; p < at; p++) {
		if (slice_is_space(*p))
			continue;
		if (n + 1 + strlen(name) >= ADDR_MAX)
			return "i= is too long";
		c->identity[n++] = *p;
	}
	c->identity[n++] = '@';
	memcpy(c->identity + n, name, strlen(name) + 1);
	return NULL;
}

/* Columns: name, of which kinds it is read (bits), whether it must be there,
 * who reads it.  d=, s= and b= first: they are shown of what cannot be used
 * for another reason. */
enum { DKIM = 1 << KIND_DKIM, ARC = 1 << KIND_ARC, BOTH = DKIM | ARC };
static const struct {
	const char *name;
	unsigned int kinds;
	bool must;
	read_fn *read;
} rows[] = {
	{ "d", BOTH, true, read_domain },
	{ "s", BOTH, true, read_selector },
	{ "b", BOTH, true, read_b },
	{ "i", DKIM, false, read_identity },
	{ "v", DKIM, true, read_version },
	{ "a", BOTH, true, read_alg },
	{ "bh", BOTH, true, read_bh },
	{ "h", BOTH, true, read_names },
	{ "c", BOTH, false, read_canon },
	{ "l", BOTH, false, read_length },
	{ "q", BOTH, false, read_query },
};

static const char *
read_rows(struct dkim_check *c, const struct tags *t, enum dkim_kind kind)
{
	const char *why = NULL, *first = NULL;
	const struct slice *value;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if ((rows[i].kinds & 1u << kind) == 0)
			continue;
		if ((value = tags_get(t, rows[i].name)) != NULL)
			why = rows[i].read(c, *value);
		else
			why = rows[i].must ? "a required tag is missing" : NULL;
		if (first == NULL)
			first = why;
	}
	return first;
}

/* t= and x= (RFC 6376 3.5): a signature from the future is one of a clock that
 * is wrong. */
static enum auth_result
read_times(const struct tags *t, int64_t now, const char **why)
{
	const struct slice *made = tags_get(t, "t"), *end = tags_get(t, "x");
	uint64_t made_at = 0, end_at = UINT64_MAX;

	if ((made != NULL &&
		tags_number(*made, TIME_DIGITS, &made_at) != NULL) ||
	    (end != NULL && tags_number(*end, TIME_DIGITS, &end_at) != NULL)) {
		*why = "t= or x= is no time";
		return RES_PERMERROR;
	}
	if (made != NULL && end != NULL && end_at <= made_at) {
		*why = "x= is not after t=";
		return RES_PERMERROR;
	}
	if (now > 0 && end_at < (uint64_t)now) {
		*why = "the signature is expired";
		return RES_FAIL;
	}
	return RES_UNSAID;
}

static bool
refuse(struct dkim_check *c, enum auth_result result, const char *why)
{
	c->result = result;
	c->why = why;
	c->unasked = false;
	return false;
}

bool
dkim_check_read(struct dkim_check *c, const struct mail_field *f,
    enum dkim_kind kind, int64_t now)
{
	char name[HOST_MAX + 1];
	const char *why = NULL;
	enum auth_result r;
	struct tags t;

	memset(c, 0, sizeof(*c));
	c->field = f->all;
	c->hash = -1;
	c->limit = UINT64_MAX;
	if (tags_parse(f->value, &t) != NULL)
		return refuse(c, RES_PERMERROR, "the signature is malformed");
	if ((why = read_rows(c, &t, kind)) != NULL)
		return refuse(c, RES_PERMERROR, why);
	if (kind == KIND_DKIM && c->identity[0] == '\0') {
		c->identity[0] = '@';
		memcpy(c->identity + 1, c->domain, strlen(c->domain) + 1);
	}
	if (kind == KIND_DKIM &&
	    !smtp_domain_is_below(strrchr(c->identity, '@') + 1, c->domain))
		return refuse(c, RES_PERMERROR, "i= is not of d=");
	if (!dkim_key_name(c->selector, c->domain, name))
		return refuse(c, RES_PERMERROR,
		    "s= and d= are too long for a name in the DNS");
	if ((r = read_times(&t, now, &why)) != RES_UNSAID)
		return refuse(c, r, why);
	c->unasked = true;
	return true;
}

bool
dkim_check_want(struct dkim_check *c, struct mail_read *m)
{
	c->hash = mail_read_want(m, c->canon_body, c->limit);
	if (c->hash == -1)
		return refuse(c, RES_POLICY, "too many hashes of the body");
	return true;
}

bool
dkim_check_key(struct dkim_check *c, const struct key_found *found)
{
	const char *why;
	enum auth_result r;

	dkim_check_free(c);
	r = dkim_key_read(found, c->alg, &c->key, &why);
	c->testing = c->key.testing;
	c->unasked = false;
	if (r == RES_TEMPERROR) /* dkim_check_finish() may know better */
		return false;
	if (r != RES_PASS)
		return refuse(c, r, why);
	/* RFC 6376 3.6.1. */
	if (c->key.strict && c->identity[0] != '\0' &&
	    strcmp(strrchr(c->identity, '@') + 1, c->domain) != 0)
		return refuse(c, c->testing ? RES_NEUTRAL : RES_PERMERROR,
		    "i= is below d=, which the key forbids");
	return true;
}

void
dkim_check_free(struct dkim_check *c)
{
	dkim_key_free(&c->key);
}
