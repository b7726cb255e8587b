/*
 * A message that is read once: its fields, hashes of its body.  Runs in
 * session, deliver and smtpctl, over content that others wrote; never waits,
 * never keeps the body.
 *
 * SPDX-License-Identifier: ISC
 */
#include "mail_read.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <xxhash.h>

#include "log.h"

static EVP_MD *
fetch_sha256(void)
{
	EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL);

	if (md == NULL)
		fatal("SHA-256 is not to be had from OpenSSL");
	return md;
}

void
mail_read_ready(void)
{
	EVP_MD_free(fetch_sha256());
}

void
mail_read_init(struct mail_read *m, size_t max)
{
	memset(m, 0, sizeof(*m));
	m->max = max;
	m->seed = (uint64_t)arc4random() << 32 | arc4random();
	m->crlf = 2; /* an empty first line is the end of the header too */
	buf_init(&m->header, max);
}

void
mail_read_free(struct mail_read *m)
{
	unsigned int i;

	for (i = 0; i < m->n_hash; i++)
		EVP_MD_CTX_free(m->hash[i].md);
	EVP_MD_free(m->sha256);
	buf_free(&m->header);
	free(m->field);
	free(m->bucket);
	memset(m, 0, sizeof(*m));
}

/* ---- fields ---- */

static bool
is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

/* Takes the next line and those that continue it off the front of rest,
 * without the last CRLF.  False: there is none. */
static bool
take_field(struct slice *rest, struct slice *field)
{
	const char *p = rest->p, *end = rest->p + rest->len, *cr = NULL;

	if (rest->len == 0)
		return false;
	while (p < end) {
		cr = memchr(p, '\r', (size_t)(end - p));
		if (cr == NULL)
			break;
		p = cr + 1;
		if (p == end || *p != '\n')
			continue;
		p++;
		if (p == end || !is_wsp(*p))
			break;
	}
	if (cr == NULL || p == cr + 1)
		p = cr = end; /* cut off: no CRLF at the end */
	*field = (struct slice){ rest->p, (size_t)(cr - rest->p) };
	rest->p = p;
	rest->len = (size_t)(end - p);
	return true;
}

/* False: it is no field. */
static bool
split_field(struct slice all, struct mail_field *f)
{
	const char *colon;
	size_t i, n;

	colon = all.len == 0 ? NULL : memchr(all.p, ':', all.len);
	if (colon == NULL)
		return false;
	n = (size_t)(colon - all.p);
	while (n > 0 && is_wsp(all.p[n - 1]))
		n--;
	for (i = 0; i < n; i++)
		if (all.p[i] <= ' ' || all.p[i] > '~')
			return false;
	f->all = all;
	f->name = (struct slice){ all.p, n };
	f->value.p = colon + 1;
	f->value.len = all.len - (size_t)(colon + 1 - all.p);
	return n > 0;
}

/* Bytes that may be the end of a line to some, and content to others. */
static bool
has_bare(struct slice s)
{
	const char *p = s.p, *end = s.p + s.len;

	if (s.len == 0)
		return false;
	if (memchr(s.p, '\0', s.len) != NULL)
		return true;
	for (; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		if (p == s.p || p[-1] != '\r')
			return true;
	for (p = s.p; (p = memchr(p, '\r', (size_t)(end - p))) != NULL; p++)
		if (p + 1 == end || p[1] != '\n')
			return true;
	return false;
}

static bool
is_from_line(struct slice line)
{
	return (line.len >= 5 && memcmp(line.p, "From ", 5) == 0) ||
	    (line.len >= 6 && memcmp(line.p, ">From ", 6) == 0);
}

static uint64_t
name_hash(const struct mail_read *m, struct slice name)
{
	uint64_t hash = m->seed;
	char lower[64];
	size_t i, n;

	for (; name.len > 0; name.p += n, name.len -= n) {
		n = name.len < sizeof(lower) ? name.len : sizeof(lower);
		for (i = 0; i < n; i++)
			lower[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ?
			    name.p[i] - 'A' + 'a' :
			    name.p[i];
		hash = XXH3_64bits_withSeed(lower, n, hash);
	}
	return hash;
}

/* Where the lowest row of a name is, or would be. */
static int *
bucket_of(const struct mail_read *m, struct slice name, uint64_t hash)
{
	uint64_t at;
	int *b;

	for (at = hash;; at++) {
		b = &m->bucket[at & (m->n_bucket - 1)];
		if (*b == -1 ||
		    (m->field[*b].hash == hash &&
			slice_eqcase(m->field[*b].name, name)))
			return b;
	}
}

static int
lowest(const struct mail_read *m, struct slice name)
{
	if (m->n_field == 0)
		return -1;
	return *bucket_of(m, name, name_hash(m, name));
}

/* Rows of the same name are linked, from the lowest upwards. */
static void
link_names(struct mail_read *m)
{
	uint32_t i;
	int *b;

	for (m->n_bucket = 16; m->n_bucket < 2 * m->n_field;)
		m->n_bucket *= 2;
	m->bucket = xcalloc(m->n_bucket, sizeof(*m->bucket));
	for (i = 0; i < m->n_bucket; i++)
		m->bucket[i] = -1;
	for (i = 0; i < m->n_field; i++) {
		m->field[i].hash = name_hash(m, m->field[i].name);
		b = bucket_of(m, m->field[i].name, m->field[i].hash);
		m->field[i].up = *b;
		*b = (int)i;
	}
}

static void
add_field(struct mail_read *m, const struct mail_field *f, uint32_t *cap)
{
	if (m->n_field == *cap) {
		*cap = *cap == 0 ? 32 : *cap * 2;
		m->field = xrealloc(m->field, *cap, sizeof(*m->field));
	}
	m->field[m->n_field++] = *f;
}

/* All that is kept of the header section is there. */
static void
split_header(struct mail_read *m)
{
	struct slice rest = { (const char *)buf_data(&m->header),
		m->header.len };
	struct slice line;
	struct mail_field f = { 0 };
	uint32_t cap = 0;

	if (m->why == NULL && has_bare(rest))
		m->malformed = "the header section has a bare CR, LF or NUL";
	while (m->n_field < MAIL_FIELDS_MAX && take_field(&rest, &line)) {
		if (m->why != NULL && rest.len == 0)
			break; /* cut short */
		if (split_field(line, &f))
			add_field(m, &f, &cap);
		else if (line.p != (const char *)buf_data(&m->header) ||
		    !is_from_line(line))
			m->malformed =
			    "the header section has a line that is no field";
	}
	if (rest.len > 0 && m->why == NULL)
		m->why = "the header section has too many fields";
	link_names(m);
	m->header_done = true;
}

/* ---- the header section ---- */

size_t
mail_read_header(struct mail_read *m, const uint8_t *p, size_t len)
{
	static const char end[4] = "\r\n\r\n";
	const uint8_t *cr;
	size_t i = 0;

	if (m->header_done)
		return 0;
	while (i < len && m->crlf < sizeof(end)) {
		if (m->crlf == 0) {
			cr = memchr(p + i, '\r', len - i);
			i = cr == NULL ? len : (size_t)(cr - p);
			if (cr == NULL)
				break;
		}
		if (p[i] == end[m->crlf])
			m->crlf++;
		else
			m->crlf = p[i] == '\r';
		i++;
	}
	if (m->why == NULL && !buf_add(&m->header, p, i)) {
		/* What there is room for is for who must know the author. */
		buf_add(&m->header, p, m->max - m->header.len);
		m->why = "the header section is too large";
	}
	if (m->crlf == sizeof(end)) {
		/* The empty line is no part of it. */
		if (m->why == NULL)
			m->header.len -= 2;
		split_header(m);
	}
	return i;
}

void
mail_read_finish_header(struct mail_read *m)
{
	if (m->header_done)
		return;
	split_header(m);
}

/* ---- the body ---- */

static void
hash_add(struct mail_hash *h, const uint8_t *p, size_t len)
{
	size_t n = len;

	if (h->n >= h->limit)
		n = 0;
	else if (n > h->limit - h->n)
		n = (size_t)(h->limit - h->n);
	h->n += len;
	if (n > 0 && EVP_DigestUpdate(h->md, p, n) != 1)
		fatal("EVP_DigestUpdate");
}

static void
add_to(struct mail_read *m, enum dkim_canon_form form, const uint8_t *p,
    size_t len)
{
	unsigned int i;

	for (i = 0; i < m->n_hash; i++)
		if (m->hash[i].form == form)
			hash_add(&m->hash[i], p, len);
}

static void
out_simple(void *arg, const uint8_t *p, size_t len)
{
	add_to(arg, CANON_SIMPLE, p, len);
}

static void
out_relaxed(void *arg, const uint8_t *p, size_t len)
{
	add_to(arg, CANON_RELAXED, p, len);
}

int
mail_read_want(struct mail_read *m, enum dkim_canon_form form, uint64_t limit)
{
	struct mail_hash *h;
	unsigned int i;

	if (m->body_begun || m->ended)
		return -1;
	for (i = 0; i < m->n_hash; i++)
		if (m->hash[i].form == form && m->hash[i].limit == limit)
			return (int)i;
	if (m->n_hash == MAIL_HASHES_MAX)
		return -1;
	if (m->sha256 == NULL)
		m->sha256 = fetch_sha256();
	h = &m->hash[m->n_hash];
	h->form = form;
	h->limit = limit;
	h->md = EVP_MD_CTX_new();
	if (h->md == NULL || EVP_DigestInit_ex2(h->md, m->sha256, NULL) != 1)
		fatal("EVP_DigestInit");
	if (m->body[form].out == NULL)
		dkim_body_init(&m->body[form], form,
		    form == CANON_SIMPLE ? out_simple : out_relaxed, m);
	return (int)m->n_hash++;
}

void
mail_read_body(struct mail_read *m, const uint8_t *p, size_t len)
{
	int form;

	if (len == 0)
		return;
	m->body_begun = true;
	for (form = CANON_SIMPLE; form <= CANON_RELAXED; form++)
		if (m->body[form].out != NULL)
			dkim_body_feed(&m->body[form], p, len);
}

void
mail_read_end(struct mail_read *m)
{
	unsigned int i;
	int form;

	mail_read_finish_header(m);
	if (m->ended)
		return;
	m->ended = true;
	for (form = CANON_SIMPLE; form <= CANON_RELAXED; form++)
		if (m->body[form].out != NULL)
			dkim_body_end(&m->body[form]);
	for (i = 0; i < m->n_hash; i++)
		if (EVP_DigestFinal_ex(m->hash[i].md, m->hash[i].digest,
			NULL) != 1)
			fatal("EVP_DigestFinal");
}

const uint8_t *
mail_read_digest(const struct mail_read *m, int i, uint64_t *n)
{
	assert(m->ended && i >= 0 && (unsigned int)i < m->n_hash);
	*n = m->hash[i].n;
	return m->hash[i].digest;
}

/* ---- looking for fields ---- */

int
mail_read_above(const struct mail_read *m, struct slice name, int from)
{
	int row;

	for (row = lowest(m, name); row >= from && row != -1;)
		row = m->field[row].up;
	return row;
}

int
mail_read_below(const struct mail_read *m, struct slice name, int from)
{
	int row, best = -1;

	for (row = lowest(m, name); row > from; row = m->field[row].up)
		best = row;
	return best;
}
