/*
 * DKIM signatures (RFC 6376, RFC 8463).  Runs in deliver, which has no keys:
 * here the field is written and what it covers is hashed; keys signs the
 * hash.  Never waits, never keeps the body.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dkim.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "idn.h"
#include "log.h"
#include "smtp_addr.h"

enum { PART_NONE, PART_HEADER, PART_BODY }; /* none: it is not signed */

/* One time more than it occurs, so that nobody adds another: never, where it
 * occurs, or also where it does not (RFC 6376 5.4.2, 8.15). */
enum over { OVER_NO, OVER_PRESENT, OVER_ALWAYS };

static const struct signed_name {
	const char *name;
	enum over over;
} signed_names[] = {
	{ "from", OVER_ALWAYS }, /* the first row: see count_from */
	{ "reply-to", OVER_ALWAYS },
	{ "subject", OVER_ALWAYS },
	{ "date", OVER_PRESENT },
	{ "to", OVER_ALWAYS },
	{ "cc", OVER_ALWAYS },
	{ "message-id", OVER_PRESENT },
	{ "sender", OVER_PRESENT },
	{ "mime-version", OVER_PRESENT },
	{ "content-type", OVER_PRESENT },
	{ "content-transfer-encoding", OVER_PRESENT },
	{ "in-reply-to", OVER_PRESENT },
	{ "references", OVER_PRESENT },
	{ "list-id", OVER_NO },
	{ "list-unsubscribe", OVER_NO },
	{ "list-unsubscribe-post", OVER_NO },
	{ "list-post", OVER_NO },
	{ "list-help", OVER_NO },
	{ "list-subscribe", OVER_NO },
	{ "list-owner", OVER_NO },
	{ "list-archive", OVER_NO },
	{ "resent-from", OVER_NO },
	{ "resent-sender", OVER_NO },
	{ "resent-to", OVER_NO },
	{ "resent-cc", OVER_NO },
	{ "resent-date", OVER_NO },
	{ "resent-message-id", OVER_NO },
};

enum {
	NAMES = sizeof(signed_names) / sizeof(signed_names[0]),
	NAME_FROM = 0,
	/* Of a field that occurs more often, the lowest are signed. */
	INSTANCES = 4,
	/* Bytes of h=: with the largest key the field still fits SIG_MAX. */
	NAMES_MAX = 1000,
	COLUMNS = 76,
	B64_LINE = 64
};

/* The fields of one name, the lowest last. */
struct seen {
	unsigned int n;
	struct slice last[INSTANCES]; /* the i-th in last[i % INSTANCES] */
};

static const char *const alg_names[] = {
	[ALG_RSA] = "rsa-sha256",
	[ALG_ED25519] = "ed25519-sha256",
};

/* ---- what keys can do ---- */

void
dkim_keys_init(struct dkim_keys *k, const struct conf *conf)
{
	memset(k, 0, sizeof(*k));
	k->n = conf->dkim.n;
	if (k->n != 0)
		k->alg = xcalloc(k->n, sizeof(*k->alg));
	k->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (k->sha256 == NULL)
		fatal("SHA-256 is not to be had from OpenSSL");
}

void
dkim_keys_free(struct dkim_keys *k)
{
	free(k->alg);
	EVP_MD_free(k->sha256);
	memset(k, 0, sizeof(*k));
}

bool
dkim_keys_set(struct dkim_keys *k, const struct sign_key *m)
{
	if (m->key >= k->n || m->alg > ALG_ED25519)
		return false;
	k->alg[m->key] = (uint8_t)(1 + m->alg);
	return true;
}

/* ---- hashing ---- */

static void
hash_begin(struct dkim_sign *d)
{
	if (EVP_DigestInit_ex2(d->md, d->keys->sha256, NULL) != 1)
		fatal("EVP_DigestInit");
}

static void
hash_add(struct dkim_sign *d, const void *p, size_t len)
{
	if (EVP_DigestUpdate(d->md, p, len) != 1)
		fatal("EVP_DigestUpdate");
}

static void
hash_end(struct dkim_sign *d, uint8_t digest[32])
{
	if (EVP_DigestFinal_ex(d->md, digest, NULL) != 1)
		fatal("EVP_DigestFinal");
}

static void
body_out(void *arg, const uint8_t *p, size_t len)
{
	hash_add(arg, p, len);
}

/* ---- the header ---- */

/* Takes the next field off the front of rest, folded lines and last CRLF
 * included.  False: there is none. */
static bool
field_next(struct slice *rest, struct slice *field)
{
	const char *p = rest->p, *end = rest->p + rest->len;

	if (rest->len == 0 || *p == '\r')
		return false;
	do {
		p = memchr(p, '\n', (size_t)(end - p));
		p = p == NULL ? end : p + 1;
	} while (p < end && (*p == ' ' || *p == '\t'));
	field->p = rest->p;
	field->len = (size_t)(p - rest->p);
	rest->p = p;
	rest->len -= field->len;
	return true;
}

/* The row of a field's name, NAMES if it is not one to sign. */
static unsigned int
field_name(struct slice field)
{
	const char *colon = memchr(field.p, ':', field.len);
	struct slice name;
	unsigned int i;

	if (colon == NULL)
		return NAMES;
	name.p = field.p;
	name.len = (size_t)(colon - field.p);
	name = slice_trim(name);
	for (i = 0; i < NAMES; i++)
		if (slice_eqcase(name, slice_of(signed_names[i].name)))
			break;
	return i;
}

static void
header_collect(struct slice header, struct seen seen[NAMES])
{
	struct slice field;
	unsigned int i;

	while (field_next(&header, &field)) {
		if ((i = field_name(field)) == NAMES)
			continue;
		seen[i].last[seen[i].n++ % INSTANCES] = field;
	}
}

/* RFC 8616 4: domains are compared, and stand in d=, as A-labels, which a
 * message of any kind may have. */
static uint32_t
row_for(const struct dkim_sign *d, const char *domain)
{
	char ascii[DOMAIN_MAX + 1];

	if (idn_domain(slice_of(domain), ascii) != NULL)
		return CONF_NONE;
	return dkim_row_for(d->conf, ascii);
}

/* Who signs: the first author whose domain has a key, else the envelope's
 * sender. */
static uint32_t
choose_row(const struct dkim_sign *d, struct slice from)
{
	const char *colon = memchr(from.p, ':', from.len);
	struct slice rest;
	char domain[DOMAIN_MAX + 1];
	uint32_t row;

	rest.p = colon + 1;
	rest.len = from.len - (size_t)(rest.p - from.p);
	while (dkim_from_next(&rest, domain))
		if ((row = row_for(d, domain)) != CONF_NONE)
			return row;
	return row_for(d, smtp_addr_domain(d->sender));
}

/* Adds the fields of one name to what is signed, the lowest first (RFC 6376
 * 5.4.2), and its name as often as h= shall have it. */
static bool
sign_name(struct dkim_sign *d, const struct signed_name *row,
    const struct seen *s)
{
	unsigned int i, n = s->n < INSTANCES ? s->n : INSTANCES;
	unsigned int times = n;

	/* With some left out, one more would mean one of those. */
	if (s->n == n &&
	    (row->over == OVER_ALWAYS || (row->over == OVER_PRESENT && n > 0)))
		times++;
	if (d->names.len + times * (strlen(row->name) + 1) > NAMES_MAX)
		return true;
	for (i = 1; i <= n; i++)
		if (!dkim_canon_field(s->last[(s->n - i) % INSTANCES],
			&d->fields) ||
		    !buf_puts(&d->fields, "\r\n"))
			return false;
	for (i = 0; i < times; i++)
		if (!buf_printf(&d->names, "%s:", row->name))
			return false;
	return true;
}

static void
not_signed(struct dkim_sign *d, const char *why)
{
	buf_free(&d->header);
	buf_free(&d->fields);
	buf_free(&d->names);
	d->part = PART_NONE;
	d->why = why;
}

/* The header section is complete. */
static void
header_end(struct dkim_sign *d)
{
	struct slice header = { (const char *)buf_data(&d->header),
		d->header.len };
	struct seen seen[NAMES] = { 0 };
	unsigned int i;

	header_collect(header, seen);
	if (seen[NAME_FROM].n != 1) {
		not_signed(d, "not exactly one From field");
		return;
	}
	d->row = choose_row(d, seen[NAME_FROM].last[0]);
	if (d->row == CONF_NONE) {
		not_signed(d, NULL);
		return;
	}
	for (i = 0; i < NAMES; i++)
		if (!sign_name(d, &signed_names[i], &seen[i])) {
			not_signed(d, "header section too large to be signed");
			return;
		}
	buf_free(&d->header);
	d->part = PART_BODY;
	dkim_body_init(&d->body, body_out, d);
	d->md = EVP_MD_CTX_new();
	if (d->md == NULL)
		fatal("EVP_MD_CTX_new");
	hash_begin(d);
}

/* Takes what belongs to the header section; returns bytes used.  It ends with
 * the CRLF of an empty line, which may be its first (RFC 5322 2.1). */
static size_t
header_feed(struct dkim_sign *d, const char *p, size_t len)
{
	static const char end[4] = "\r\n\r\n";
	size_t i;

	for (i = 0; i < len && d->crlf < sizeof(end);) {
		char c = p[i++];

		if (c == end[d->crlf])
			d->crlf++;
		else
			d->crlf = c == '\r';
	}
	if (!buf_add(&d->header, p, i)) {
		not_signed(d, "header section too large to be signed");
		return len;
	}
	if (d->crlf == sizeof(end))
		header_end(d);
	return i;
}

/* ---- the field ---- */

/* A field being written, folded. */
struct fold {
	struct buf *out;
	size_t column;
	bool full;
};

/* Adds a piece that is not to be broken; a blank in front of it gives way to
 * a fold. */
static void
fold_put(struct fold *f, const char *piece, size_t len)
{
	if (f->column + len > COLUMNS && f->column > 8) {
		if (len > 0 && *piece == ' ') {
			piece++;
			len--;
		}
		if (!buf_puts(f->out, "\r\n\t"))
			f->full = true;
		f->column = 8;
	}
	if (!buf_add(f->out, piece, len))
		f->full = true;
	f->column += len;
}

static void __attribute__((format(printf, 2, 3)))
fold_printf(struct fold *f, const char *fmt, ...)
{
	char piece[DOMAIN_MAX + 16];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(piece, sizeof(piece), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(piece))
		f->full = true;
	else
		fold_put(f, piece, (size_t)n);
}

/* The names of h=, each a piece with its colon but the last. */
static void
fold_names(struct fold *f, const struct buf *names)
{
	const char *p = (const char *)buf_data(names);
	const char *end = p + names->len, *colon;

	fold_put(f, " h=", 3);
	for (; p < end; p = colon + 1) {
		colon = memchr(p, ':', (size_t)(end - p));
		if (colon + 1 == end)
			fold_printf(f, "%.*s;", (int)(colon - p), p);
		else
			fold_put(f, p, (size_t)(colon + 1 - p));
	}
}

/* The field of signature g up to its "b=": what is there when it is hashed
 * (RFC 6376 3.7), so nothing before that changes any more. */
static bool
field_begin(const struct dkim_sign *d, struct dkim_sig *g,
    const char *body_hash, int64_t now)
{
	const struct conf_dkim *row = CONF_DKIM(d->conf, g->row);
	struct fold f = { .out = &g->text };

	buf_init(&g->text, SIG_MAX);
	fold_put(&f, "DKIM-Signature: v=1;", 20);
	fold_printf(&f, " a=%s;", alg_names[g->alg]);
	fold_put(&f, " c=relaxed/relaxed;", 19);
	fold_printf(&f, " d=%s;", conf_text(d->conf, row->domain));
	fold_printf(&f, " s=%s;", conf_text(d->conf, row->selector));
	fold_printf(&f, " t=%" PRId64 ";", now);
	fold_names(&f, &d->names);
	fold_printf(&f, " bh=%s;", body_hash);
	fold_put(&f, " b=", 3);
	return !f.full;
}

/* The value of b=, and the end. */
static bool
field_end(struct dkim_sig *g, const uint8_t *sig, size_t len)
{
	char b64[4 * ((sizeof(((struct sign_is *)0)->sig) + 2) / 3) + 1];
	struct fold f = { .out = &g->text, .column = COLUMNS };
	size_t i, n = (size_t)EVP_EncodeBlock((uint8_t *)b64, sig, (int)len);

	for (i = 0; i < n; i += B64_LINE) {
		fold_put(&f, b64 + i, n - i < B64_LINE ? n - i : B64_LINE);
		f.column = COLUMNS;
	}
	return !f.full && buf_puts(&g->text, "\r\n");
}

/* What signature g signs: the fields, then its own without a value for b=
 * and without CRLF (RFC 6376 3.7). */
static bool
sig_hash(struct dkim_sign *d, struct dkim_sig *g)
{
	struct slice text = { (const char *)buf_data(&g->text), g->text.len };
	struct buf canon;
	bool good;

	buf_init(&canon, SIG_MAX);
	good = dkim_canon_field(text, &canon);
	hash_begin(d);
	hash_add(d, buf_data(&d->fields), d->fields.len);
	hash_add(d, buf_data(&canon), canon.len);
	hash_end(d, g->digest);
	buf_free(&canon);
	return good;
}

/* ---- the walk ---- */

void
dkim_start(struct dkim_sign *d, const struct conf *conf,
    const struct dkim_keys *keys, const char *sender)
{
	memset(d, 0, sizeof(*d));
	d->conf = conf;
	d->keys = keys;
	d->sender = sender;
	d->crlf = 2; /* an empty first line is the end of the header too */
	d->part = conf->dkim.n == 0 ? PART_NONE : PART_HEADER;
	buf_init(&d->header, DKIM_HEADER_MAX);
	buf_init(&d->fields, DKIM_HEADER_MAX);
	buf_init(&d->names, NAMES_MAX);
}

void
dkim_feed(struct dkim_sign *d, const void *p, size_t len)
{
	size_t used = 0;

	if (d->part == PART_HEADER)
		used = header_feed(d, p, len);
	if (d->part == PART_BODY)
		dkim_body_feed(&d->body, (const uint8_t *)p + used, len - used);
}

bool
dkim_wants(const struct dkim_sign *d)
{
	return d->part != PART_NONE;
}

int
dkim_finish(struct dkim_sign *d, int64_t now)
{
	char body_hash[4 * ((32 + 2) / 3) + 1];
	uint32_t rows[DKIM_SIGS];
	uint8_t digest[32];
	int i, n;

	if (d->part == PART_HEADER)
		header_end(d);
	if (d->part == PART_NONE)
		return 0;
	n = dkim_rows(d->conf, d->keys, d->row, rows);
	if (n == DKIM_LATER) {
		d->why = "the DKIM keys are not available";
		return DKIM_LATER;
	}
	dkim_body_end(&d->body);
	hash_end(d, digest);
	EVP_EncodeBlock((uint8_t *)body_hash, digest, sizeof(digest));
	for (i = 0; i < n; i++) {
		struct dkim_sig *g = &d->sig[d->n];

		g->row = rows[i];
		g->alg = d->keys->alg[rows[i]] - 1;
		if (!field_begin(d, g, body_hash, now) || !sig_hash(d, g)) {
			d->why = "the DKIM-Signature field is too large";
			buf_free(&g->text);
			continue;
		}
		d->n++;
	}
	buf_free(&d->fields);
	buf_free(&d->names);
	return (int)d->n;
}

void
dkim_ask(const struct dkim_sign *d, unsigned int i, struct sign_ask *ask)
{
	memset(ask, 0, sizeof(*ask));
	ask->key = d->sig[i].row;
	memcpy(ask->digest, d->sig[i].digest, sizeof(ask->digest));
}

const char *
dkim_signed(struct dkim_sign *d, unsigned int i, const struct sign_is *is)
{
	struct dkim_sig *g = &d->sig[i];

	if (is == NULL)
		return "no answer from the keys process";
	if (is->outcome.verdict != DONE)
		return "the keys process could not sign";
	if (is->len == 0 || is->len > sizeof(is->sig) || is->alg != g->alg)
		return "the keys process gave no usable signature";
	if (g->done)
		return NULL;
	if (!field_end(g, is->sig, is->len))
		return "the DKIM-Signature field is too large";
	g->done = true;
	return NULL;
}

size_t
dkim_field(const struct dkim_sign *d, char *out, size_t size)
{
	size_t len = 0;
	unsigned int i;

	out[0] = '\0';
	for (i = 0; i < d->n; i++)
		if (!d->sig[i].done)
			return 0;
	for (i = 0; i < d->n; i++) {
		const struct buf *text = &d->sig[i].text;

		if (text->len >= size - len)
			break;
		memcpy(out + len, buf_data(text), text->len);
		len += text->len;
	}
	out[len] = '\0';
	return len;
}

void
dkim_free(struct dkim_sign *d)
{
	unsigned int i;

	buf_free(&d->header);
	buf_free(&d->fields);
	buf_free(&d->names);
	for (i = 0; i < DKIM_SIGS; i++)
		buf_free(&d->sig[i].text);
	EVP_MD_CTX_free(d->md);
	memset(d, 0, sizeof(*d));
}
