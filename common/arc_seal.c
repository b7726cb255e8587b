/*
 * Our own set of an Authenticated Received Chain (RFC 8617 5.1).  Used by
 * deliver, whose keys are elsewhere, and by smtpctl.  Never verifies what was
 * there before: who calls has done that.
 *
 * SPDX-License-Identifier: ISC
 */
#include "arc_parts.h"

#include <inttypes.h>
#include <string.h>

#include <openssl/evp.h>

#include "auth_field.h"
#include "log.h"

enum { ENTRIES_MAX = 256 }; /* results that are looked at */

/* ---- which results fit ---- */

/* Columns: method, which goes first (0: is never left out). */
static const struct {
	const char *method;
	unsigned int rank;
} ranks[] = {
	{ "spf", 0 },
	{ "arc", 0 },
	{ "dmarc", 0 },
	{ "dkim", 1 },
};

enum { RANK_OTHER = 2, RANKS };

struct entry {
	struct slice text;
	unsigned int rank;
	bool chosen;
};

static struct slice
method_of(struct slice entry)
{
	size_t len = 0;

	while (len < entry.len && entry.p[len] != '=' && entry.p[len] != '/' &&
	    !slice_is_space(entry.p[len]))
		len++;
	return (struct slice){ entry.p, len };
}

static unsigned int
rank_of(struct slice method)
{
	size_t i;

	for (i = 0; i < sizeof ranks / sizeof *ranks; i++) {
		if (slice_eqcase(method, slice_of(ranks[i].method)))
			return ranks[i].rank;
	}
	return RANK_OTHER;
}

/* "; " or a fold, and the text. */
static size_t
entry_bytes(const struct entry *e)
{
	return e->text.len + strlen(";\r\n\t");
}

/* Chooses what fits into room bytes.  False: not even what must stay. */
static bool
choose(struct entry *e, unsigned int n, size_t room)
{
	unsigned int i, rank;
	size_t used = 0;

	for (rank = 0; rank < RANKS; rank++) {
		for (i = 0; i < n; i++) {
			if (e[i].rank != rank)
				continue;
			if (entry_bytes(&e[i]) > room - used) {
				if (rank == 0)
					return false;
				return true;
			}
			used += entry_bytes(&e[i]);
			e[i].chosen = true;
		}
	}
	return true;
}

/* What say has, in e.  Returns how many. */
static unsigned int
list_entries(const struct arc_say *say, struct entry e[ENTRIES_MAX])
{
	struct slice rest = say->results, text, method;
	unsigned int n = 0;

	if (say->arc != NULL)
		e[n++] = (struct entry){ .text = slice_of(say->arc) };
	while (n < ENTRIES_MAX && auth_field_entry(&rest, &text)) {
		method = method_of(text);
		/* "none" is said where there is nothing else. */
		if (text.len == 0 || slice_eqcase(text, SLICE("none")) ||
		    (say->arc != NULL && slice_eqcase(method, SLICE("arc"))))
			continue;
		e[n++] = (struct entry){ text, rank_of(method), false };
	}
	return n;
}

/* ARC-Authentication-Results, in at most room bytes. */
static const char *
write_results(struct arc_seal *s, const struct arc_say *say, size_t room)
{
	static const char no_room[] = "the results do not fit";
	struct entry e[ENTRIES_MAX] = { 0 };
	unsigned int i, n = list_entries(say, e);
	bool any = false;

	if (!buf_printf(&s->results, "ARC-Authentication-Results: i=%u; %s",
		s->instance, say->authserv) ||
	    s->results.len + strlen(";\r\n\tnone\r\n") > room ||
	    !choose(e, n, room - s->results.len - strlen("\r\n")))
		return no_room;
	for (i = 0; i < n; i++) {
		if (!e[i].chosen)
			continue;
		any = true;
		buf_puts(&s->results, ";\r\n\t");
		buf_add(&s->results, e[i].text.p, e[i].text.len);
	}
	/* RFC 8601 2.2: no results are said so. */
	buf_puts(&s->results, any ? "\r\n" : ";\r\n\tnone\r\n");
	return NULL;
}

/* ---- ARC-Seal ---- */

static bool
write_seal(struct arc_seal *s, const struct dkim_wish *w, enum auth_result cv)
{
	return buf_printf(&s->seal.text,
	    "ARC-Seal: i=%u; a=%s; t=%" PRId64
	    "; cv=%s;\r\n\td=%s; s=%s;\r\n\tb=",
	    s->instance, dkim_alg_word(w->alg), w->now, auth_result_word(cv),
	    w->domain, w->selector);
}

static struct slice
slice_of_buf(const struct buf *b)
{
	return (struct slice){ (const char *)buf_data(b), b->len };
}

/* RFC 8617 5.1.1; 5.1.2: of a chain that failed, our own set alone. */
static void
digest_seal(struct arc_seal *s, const struct mail_read *m, bool alone)
{
	EVP_MD_CTX *md = arc_hash_new();
	struct slice seal = slice_of_buf(&s->seal.text);
	struct slice none = { seal.p + seal.len, 0 };
	struct arc_chain *c;
	enum arc_kind k;
	unsigned int i;

	if (!alone) {
		c = xcalloc(1, sizeof *c);
		arc_collect(c, m);
		for (i = 0; i < c->n; i++) {
			for (k = 0; k < ARC_KINDS; k++)
				arc_hash_field(md, c->set[i].field[k]);
		}
		free(c);
	}
	arc_hash_field(md, slice_of_buf(&s->results));
	arc_hash_field(md, slice_of_buf(&s->signature.text));
	arc_hash_seal(md, seal, none, s->seal.digest);
	EVP_MD_CTX_free(md);
}

/* ---- the walk ---- */

/* NULL, or why no signature over this message would hold.  A first line that a
 * mailbox file has is no field, and our own stand in front of it then. */
static const char *
may_be_signed(const struct mail_read *m)
{
	const char *why = dkim_sign_check(m);

	if (why != NULL)
		return why;
	if (m->malformed != NULL)
		return m->malformed;
	if (m->field[0].all.p != (const char *)buf_data(&m->header))
		return "the header section begins with a line that is no field";
	return NULL;
}

/* NULL, or why a chain that this was found of is not to go on. */
static const char *
may_go_on(const struct arc_chain *c, enum auth_result cv)
{
	static const char another[] =
	    "the chain is another one than was verified";

	if (cv != RES_NONE && cv != RES_PASS && cv != RES_FAIL)
		return "it is not known whether the chain holds";
	if (c->sealed_fail)
		return "the chain has failed before";
	if (c->n == ARC_SETS_MAX)
		return "the chain has as many sets as it may";
	if (c->any != (cv != RES_NONE) || (cv == RES_PASS && c->why != NULL))
		return another;
	return NULL;
}

const char *
arc_seal_begin(struct arc_seal *s, const struct mail_read *m, int hash,
    const struct dkim_wish *w, const struct arc_say *say)
{
	struct dkim_wish wish = *w;
	struct arc_chain *c;
	const char *why;

	memset(s, 0, sizeof *s);
	if ((why = may_be_signed(m)) != NULL)
		return why;
	c = xcalloc(1, sizeof *c);
	arc_collect(c, m);
	why = may_go_on(c, say->cv);
	s->instance = wish.instance = c->n + 1;
	free(c);
	if (why != NULL)
		return why;
	buf_init(&s->results, 0);
	buf_init(&s->seal.text, say->max);
	return dkim_sign_begin(&s->signature, m, hash, &wish);
}

const char *
arc_seal_middle(struct arc_seal *s, const struct mail_read *m,
    const struct dkim_wish *w, const struct arc_say *say, const uint8_t *sig,
    size_t len)
{
	static const char no_room[] = "the fields of the set do not fit";
	size_t before = s->signature.text.len, used, room = SIZE_MAX;
	const char *why;

	if (!dkim_sign_end(&s->signature, sig, len) ||
	    !write_seal(s, w, say->cv))
		return no_room;
	/* The seal's signature is as long as this one. */
	used = s->signature.text.len + s->seal.text.len +
	    (s->signature.text.len - before);
	if (say->max != 0) {
		if (used >= say->max)
			return no_room;
		room = say->max - used;
	}
	if ((why = write_results(s, say, room)) != NULL)
		return why;
	digest_seal(s, m, say->cv == RES_FAIL);
	return NULL;
}

bool
arc_seal_end(struct arc_seal *s, const uint8_t *sig, size_t len)
{
	return dkim_sign_end(&s->seal, sig, len);
}

bool
arc_seal_print(const struct arc_seal *s, struct buf *out)
{
	return buf_add(out, buf_data(&s->seal.text), s->seal.text.len) &&
	    buf_add(out, buf_data(&s->signature.text), s->signature.text.len) &&
	    buf_add(out, buf_data(&s->results), s->results.len);
}

void
arc_seal_free(struct arc_seal *s)
{
	dkim_made_free(&s->signature);
	dkim_made_free(&s->seal);
	buf_free(&s->results);
	memset(s, 0, sizeof *s);
}
