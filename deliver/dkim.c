/*
 * DKIM signatures (RFC 6376, RFC 8463).  Runs in deliver, which has no keys:
 * here it is chosen who signs; common/dkim_sign.c writes the field and hashes
 * what it covers; keys signs the hash.  Never waits, never keeps the body.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dkim.h"

#include <stdlib.h>
#include <string.h>

#include "author.h"
#include "idn.h"
#include "log.h"
#include "smtp_addr.h"

enum { PART_NONE, PART_HEADER, PART_BODY }; /* none: it is not signed */

static const enum dkim_alg algs[] = {
	[ALG_RSA] = DKIM_RSA_SHA256,
	[ALG_ED25519] = DKIM_ED25519_SHA256,
};

/* ---- what keys can do ---- */

void
dkim_keys_init(struct dkim_keys *k, const struct conf *conf)
{
	memset(k, 0, sizeof(*k));
	k->n = conf->dkim.n;
	if (k->n != 0)
		k->alg = xcalloc(k->n, sizeof(*k->alg));
	mail_read_ready();
}

void
dkim_keys_free(struct dkim_keys *k)
{
	free(k->alg);
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

/* ---- who signs ---- */

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

/* The first author whose domain has a key, else the envelope's sender. */
static uint32_t
choose_row(const struct dkim_sign *d)
{
	const struct slice from = SLICE("from");
	struct slice rest;
	char domain[DOMAIN_MAX + 1];
	uint32_t row;

	rest = d->mail.field[mail_read_below(&d->mail, from, -1)].value;
	while (author_next(&rest, domain))
		if ((row = row_for(d, domain)) != CONF_NONE)
			return row;
	return row_for(d, smtp_addr_domain(d->sender));
}

static void
not_signed(struct dkim_sign *d, const char *why)
{
	mail_read_free(&d->mail);
	d->part = PART_NONE;
	d->why = why;
}

/* The header section is complete. */
static void
header_end(struct dkim_sign *d)
{
	const char *why;

	if ((why = dkim_sign_check(&d->mail)) != NULL) {
		not_signed(d, why);
		return;
	}
	d->row = choose_row(d);
	if (d->row == CONF_NONE) {
		not_signed(d, NULL);
		return;
	}
	d->part = PART_BODY;
	d->hash = mail_read_want(&d->mail, CANON_RELAXED, UINT64_MAX);
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
	d->part = conf->dkim.n == 0 ? PART_NONE : PART_HEADER;
	mail_read_init(&d->mail, DKIM_HEADER_MAX);
}

void
dkim_feed(struct dkim_sign *d, const void *p, size_t len)
{
	size_t used = 0;

	if (d->part == PART_HEADER) {
		used = mail_read_header(&d->mail, p, len);
		if (d->mail.header_done || d->mail.why != NULL)
			header_end(d);
	}
	if (d->part == PART_BODY)
		mail_read_body(&d->mail, (const uint8_t *)p + used, len - used);
}

bool
dkim_wants(const struct dkim_sign *d)
{
	return d->part != PART_NONE;
}

/* The row's field for the message that was read, up to its "b=". */
static const char *
sign_begin(struct dkim_sign *d, struct dkim_sig *g, uint32_t row, int64_t now)
{
	const struct conf_dkim *r = CONF_DKIM(d->conf, row);
	struct dkim_wish wish = {
		.domain = conf_text(d->conf, r->domain),
		.selector = conf_text(d->conf, r->selector),
		.header = CANON_RELAXED,
		.body = CANON_RELAXED,
		.now = now,
	};

	g->row = row;
	g->alg = d->keys->alg[row] - 1;
	wish.alg = algs[g->alg];
	return dkim_sign_begin(&g->made, &d->mail, d->hash, &wish);
}

int
dkim_finish(struct dkim_sign *d, int64_t now)
{
	uint32_t rows[DKIM_SIGS];
	const char *why;
	int i, n;

	if (d->part == PART_HEADER) {
		mail_read_finish_header(&d->mail);
		header_end(d);
	}
	if (d->part == PART_NONE)
		return 0;
	n = dkim_rows(d->conf, d->keys, d->row, rows);
	if (n == DKIM_LATER) {
		d->why = "the DKIM keys are not available";
		return DKIM_LATER;
	}
	mail_read_end(&d->mail);
	for (i = 0; i < n; i++) {
		if ((why = sign_begin(d, &d->sig[d->n], rows[i], now)) == NULL)
			d->n++;
		else
			d->why = why;
	}
	mail_read_free(&d->mail);
	d->part = PART_NONE;
	return (int)d->n;
}

void
dkim_ask(const struct dkim_sign *d, unsigned int i, struct sign_ask *ask)
{
	memset(ask, 0, sizeof(*ask));
	ask->key = d->sig[i].row;
	memcpy(ask->digest, d->sig[i].made.digest, sizeof(ask->digest));
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
	if (!dkim_sign_end(&g->made, is->sig, is->len))
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
		const struct buf *text = &d->sig[i].made.text;

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

	mail_read_free(&d->mail);
	for (i = 0; i < DKIM_SIGS; i++)
		dkim_made_free(&d->sig[i].made);
	memset(d, 0, sizeof(*d));
}
