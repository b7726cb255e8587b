/*
 * What a DKIM signature is made of (RFC 6376 5), or ARC's message signature
 * (RFC 8617 4.1.2).  Runs in deliver and smtpctl; has no key, never waits,
 * never keeps the body.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dkim_sign.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "base64.h"
#include "bounds.h"
#include "log.h"

/* One time more than it occurs, so that nobody adds another: never, where it
 * occurs, or also where it does not (RFC 6376 5.4.2, 8.15). */
enum over { OVER_NO, OVER_PRESENT, OVER_ALWAYS };

/* Authentication-Results and ARC's own fields are never among them: who comes
 * next may have to drop or add such a field (RFC 8617 4.1.2). */
static const struct signed_name {
	const char *name;
	enum over over;
	bool arc; /* by ARC alone */
} signed_names[] = {
	{ "from", OVER_ALWAYS, false },
	{ "reply-to", OVER_ALWAYS, false },
	{ "subject", OVER_ALWAYS, false },
	{ "date", OVER_PRESENT, false },
	{ "to", OVER_ALWAYS, false },
	{ "cc", OVER_ALWAYS, false },
	{ "message-id", OVER_PRESENT, false },
	{ "sender", OVER_PRESENT, false },
	{ "mime-version", OVER_PRESENT, false },
	{ "content-type", OVER_PRESENT, false },
	{ "content-transfer-encoding", OVER_PRESENT, false },
	{ "in-reply-to", OVER_PRESENT, false },
	{ "references", OVER_PRESENT, false },
	{ "list-id", OVER_NO, false },
	{ "list-unsubscribe", OVER_NO, false },
	{ "list-unsubscribe-post", OVER_NO, false },
	{ "list-post", OVER_NO, false },
	{ "list-help", OVER_NO, false },
	{ "list-subscribe", OVER_NO, false },
	{ "list-owner", OVER_NO, false },
	{ "list-archive", OVER_NO, false },
	{ "resent-from", OVER_NO, false },
	{ "resent-sender", OVER_NO, false },
	{ "resent-to", OVER_NO, false },
	{ "resent-cc", OVER_NO, false },
	{ "resent-date", OVER_NO, false },
	{ "resent-message-id", OVER_NO, false },
	{ "dkim-signature", OVER_NO, true },
};

enum {
	NAMES = sizeof(signed_names) / sizeof(signed_names[0]),
	/* Of a field that occurs more often, the lowest are signed. */
	INSTANCES = 4,
	/* Bytes of h=: with the largest key the field still fits SIG_MAX. */
	NAMES_MAX = 1000,
	COLUMNS = 76,
	B64_LINE = 64
};

static const char *const form_names[] = {
	[CANON_SIMPLE] = "simple",
	[CANON_RELAXED] = "relaxed",
};

/* ---- what is signed ---- */

/* Adds the fields of one name to what is signed, the lowest first (RFC 6376
 * 5.4.2), and its name as often as h= shall have it. */
static bool
sign_name(const struct mail_read *m, const struct signed_name *row,
    enum dkim_canon_form form, struct buf *fields, struct buf *names)
{
	struct slice name = slice_of(row->name);
	int rows[INSTANCES], at = (int)m->n_field;
	unsigned int i, n, times;

	for (n = 0; n < INSTANCES; n++) {
		if ((at = mail_read_above(m, name, at)) == -1)
			break;
		rows[n] = at;
	}
	times = n;
	/* With some left out, one more would mean one of those. */
	if ((at == -1 || mail_read_above(m, name, at) == -1) &&
	    (row->over == OVER_ALWAYS || (row->over == OVER_PRESENT && n > 0)))
		times++;
	if (names->len + times * (name.len + 1) > NAMES_MAX)
		return true;
	for (i = 0; i < n; i++)
		if (!dkim_canon_field(form, m->field[rows[i]].all, fields) ||
		    !buf_puts(fields, "\r\n"))
			return false;
	for (i = 0; i < times; i++)
		if (!buf_printf(names, "%s:", row->name))
			return false;
	return true;
}

const char *
dkim_sign_check(const struct mail_read *m)
{
	const struct slice from = SLICE("from");
	int row;

	if (m->why != NULL)
		return "header section too large to be signed";
	row = mail_read_above(m, from, (int)m->n_field);
	if (row == -1 || mail_read_above(m, from, row) != -1)
		return "not exactly one From field";
	if (slice_strip(m->field[row].value).len == 0)
		return "the From field is empty";
	return NULL;
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

/* The field up to its "b=": what is there when it is hashed (RFC 6376 3.7), so
 * nothing before that changes any more. */
static bool
field_begin(struct buf *text, const struct dkim_wish *w,
    const struct buf *names, const uint8_t body[32])
{
	char body_hash[BASE64_LEN(32) + 1];
	struct fold f = { .out = text };

	base64_print(BASE64_PLAIN, body, 32, body_hash);
	if (w->instance == 0)
		fold_printf(&f, "DKIM-Signature: v=1;");
	else
		fold_printf(&f, "ARC-Message-Signature: i=%u;", w->instance);
	fold_printf(&f, " a=%s;", dkim_alg_word(w->alg));
	fold_printf(&f, " c=%s/%s;", form_names[w->header],
	    form_names[w->body]);
	fold_printf(&f, " d=%s;", w->domain);
	fold_printf(&f, " s=%s;", w->selector);
	fold_printf(&f, " t=%" PRId64 ";", w->now);
	fold_names(&f, names);
	fold_printf(&f, " bh=%s;", body_hash);
	fold_put(&f, " b=", 3);
	return !f.full;
}

/* What is signed: the fields, then its own without a value for b= and without
 * CRLF (RFC 6376 3.7). */
static bool
digest_of(struct buf *fields, const struct buf *text, const struct dkim_wish *w,
    uint8_t digest[32])
{
	struct slice field = { (const char *)buf_data(text), text->len };

	if (!dkim_canon_field(w->header, field, fields))
		return false;
	if (EVP_Digest(buf_data(fields), fields->len, digest, NULL,
		EVP_sha256(), NULL) != 1)
		fatal("EVP_Digest");
	return true;
}

const char *
dkim_sign_begin(struct dkim_made *d, const struct mail_read *m, int hash,
    const struct dkim_wish *w)
{
	struct buf fields, names;
	uint64_t n;
	unsigned int i;
	bool good = true;

	buf_init(&d->text, SIG_MAX);
	buf_init(&fields, 0);
	buf_init(&names, NAMES_MAX);
	for (i = 0; good && i < NAMES; i++)
		if (!signed_names[i].arc || w->instance != 0)
			good = sign_name(m, &signed_names[i], w->header,
			    &fields, &names);
	good = good &&
	    field_begin(&d->text, w, &names, mail_read_digest(m, hash, &n)) &&
	    digest_of(&fields, &d->text, w, d->digest);
	buf_free(&fields);
	buf_free(&names);
	if (good)
		return NULL;
	dkim_made_free(d);
	return "the signature's field is too large";
}

bool
dkim_sign_end(struct dkim_made *d, const uint8_t *sig, size_t len)
{
	struct fold f = { .out = &d->text, .column = COLUMNS };
	char line[B64_LINE + 1];
	size_t i, n, part;

	for (i = 0; i < len; i += part) {
		part = len - i < B64_LINE / 4 * 3 ? len - i : B64_LINE / 4 * 3;
		n = base64_print(BASE64_PLAIN, sig + i, part, line);
		fold_put(&f, line, n);
		f.column = COLUMNS;
	}
	return !f.full && buf_puts(&d->text, "\r\n");
}

void
dkim_made_free(struct dkim_made *d)
{
	buf_free(&d->text);
}
