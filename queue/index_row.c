/*
 * Rows of the index as bytes, and its keys.  Used by queue and smtpctl.
 * Reading a row believes none of its lengths.
 *
 * A row is its version, numbers as LEB128, and texts with their length in
 * front.
 *
 * SPDX-License-Identifier: ISC
 */
#include "index_row.h"

#include <assert.h>
#include <string.h>

#include <bsd/string.h>
#include <xxhash.h>

#define VERSION       1
#define VERSION_MORE  2   /* what few rows have stands at the end */
#define VERSION_DSN   3   /* ... and parameters of RCPT */
#define VERSION_FULL  4   /* all of that, and what its outcome is about */
#define VERSION_CHILD 5   /* ... and what only children have */
#define TEXT_LONGEST  512 /* no row has a longer text in a key */

#define NOTIFY_ALL                                                             \
	(NOTIFY_NEVER | NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY)

_Static_assert(TEXT_CUT + 16 == TEXT_MAX, "the hash has 16 bytes");
_Static_assert(sizeof(struct index_msg) + 128 < ROW_MAX, "too short");
_Static_assert(sizeof(struct index_rcpt) + 128 < ROW_MAX, "too short");

/* ---- packing ---- */

static uint8_t *
put_number(uint8_t *p, uint64_t v)
{
	for (; v > 0x7f; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

static uint8_t *
put_text(uint8_t *p, const char *text)
{
	size_t len = strlen(text);

	p = put_number(p, len);
	memcpy(p, text, len);
	return p + len;
}

static uint8_t *
put_outcome(uint8_t *p, const struct outcome *o)
{
	p = put_number(p, o->verdict);
	p = put_number(p, o->width);
	p = put_number(p, o->code);
	p = put_number(p, o->ecode[0]);
	p = put_number(p, o->ecode[1]);
	p = put_number(p, o->ecode[2]);
	p = put_number(p, o->local);
	return put_text(p, o->text);
}

static bool
has_about(const struct outcome *o)
{
	return o->cause != 0 || o->stage != 0 || o->after != 0;
}

static uint8_t *
put_about(uint8_t *p, const struct outcome *o)
{
	*p++ = o->cause;
	*p++ = o->stage;
	return put_number(p, o->after);
}

size_t
row_pack_msg(const struct index_msg *m, uint8_t *out)
{
	const struct mail_params *params = &m->params;
	bool child = m->of[0] != '\0';
	bool more = child || params->body != BODY_UNSAID ||
	    params->ret != RET_UNSAID || params->envid[0] != '\0';
	uint8_t *p = out;

	*p++ = child ? VERSION_CHILD : more ? VERSION_MORE : VERSION;
	p = put_number(p, (uint64_t)m->arrived);
	p = put_number(p, m->head);
	p = put_number(p, m->content);
	p = put_number(p, m->trace);
	p = put_number(p, m->sum);
	p = put_number(p, m->content_facts);
	p = put_number(p, m->n_rcpt);
	p = put_number(p, m->n_open);
	p = put_number(p, m->place);
	p = put_number(p, m->facts.flags);
	p = put_number(p, m->facts.uid);
	p = put_number(p, m->facts.port);
	p = put_text(p, m->facts.client);
	p = put_text(p, m->facts.helo);
	p = put_text(p, m->facts.rdns);
	p = put_text(p, m->facts.tag);
	p = put_text(p, m->facts.auth);
	p = put_text(p, m->sender);
	p = put_text(p, m->dkim);
	if (more) {
		*p++ = params->body;
		*p++ = params->ret;
		p = put_text(p, params->envid);
	}
	if (child)
		p = put_text(p, m->of);
	assert(p - out <= ROW_MAX);
	return (size_t)(p - out);
}

size_t
row_pack_rcpt(const struct index_rcpt *r, uint8_t *out)
{
	bool child = r->leaf[0] != '\0', full = child || has_about(&r->last);
	bool dsn = full || r->params.notify != 0 || r->params.orcpt[0] != '\0';
	bool more = dsn || r->target[0] != '\0' || r->ttl != 0;
	uint8_t *p = out;

	*p++ = child ? VERSION_CHILD :
	    full     ? VERSION_FULL :
	    dsn      ? VERSION_DSN :
	    more     ? VERSION_MORE :
		       VERSION;
	p = put_number(p, r->off);
	*p++ = (uint8_t)r->state;
	*p++ = r->parked;
	p = put_number(p, r->attempts);
	p = put_number(p, (uint64_t)r->next);
	p = put_number(p, (uint64_t)r->tried);
	p = put_text(p, r->addr);
	p = put_text(p, r->route);
	p = put_text(p, r->relay);
	p = put_outcome(p, &r->last);
	if (more) {
		p = put_text(p, r->target);
		p = put_number(p, r->ttl);
	}
	if (dsn) {
		*p++ = r->params.notify;
		p = put_text(p, r->params.orcpt);
	}
	if (full)
		p = put_about(p, &r->last);
	if (child)
		p = put_text(p, r->leaf);
	assert(p - out <= ROW_MAX);
	return (size_t)(p - out);
}

size_t
row_pack_way(const struct index_way *w, uint8_t *out)
{
	bool full = has_about(&w->last) || w->paused != 0;
	uint8_t *p = out;
	uint32_t i;

	*p++ = full ? VERSION_FULL : w->n_marks > 0 ? VERSION_MORE : VERSION;
	p = put_text(p, w->route);
	p = put_number(p, w->failures);
	p = put_number(p, (uint64_t)w->next);
	p = put_number(p, (uint64_t)w->since);
	p = put_outcome(p, &w->last);
	if (full || w->n_marks > 0) {
		assert(w->n_marks <= RATE_MARKS);
		p = put_number(p, (uint64_t)w->ready);
		p = put_number(p, w->n_marks);
		for (i = 0; i < w->n_marks; i++) {
			p = put_number(p, (uint64_t)w->mark[i].at);
			p = put_number(p, w->mark[i].n);
		}
	}
	if (full) {
		*p++ = w->paused;
		p = put_about(p, &w->last);
	}
	assert(p - out <= ROW_MAX);
	return (size_t)(p - out);
}

void
row_set_params(struct index_rcpt *row, const struct head_rcpt *rcpt)
{
	row->params.notify = rcpt->notify;
	if (rcpt->orcpt != NULL)
		strlcpy(row->params.orcpt, rcpt->orcpt,
		    sizeof row->params.orcpt);
	if (rcpt->leaf != NULL)
		strlcpy(row->leaf, rcpt->leaf, sizeof row->leaf);
}

/* ---- unpacking ---- */

/* Once bad it gives zeros. */
struct unpack {
	const uint8_t *p, *end;
	bool bad;
	bool more;  /* VERSION_MORE, or: */
	bool dsn;   /* VERSION_DSN, or: */
	bool full;  /* VERSION_FULL, or: */
	bool child; /* VERSION_CHILD */
};

static struct unpack
unpack_begin(const void *in, size_t len)
{
	struct unpack u = { .p = in, .end = (const uint8_t *)in + len };

	if (len > 0) {
		u.child = *u.p == VERSION_CHILD;
		u.full = *u.p == VERSION_FULL || u.child;
		u.dsn = *u.p == VERSION_DSN || u.full;
		u.more = *u.p == VERSION_MORE || u.dsn;
	}
	u.bad = len == 0 || (*u.p != VERSION && !u.more);
	u.p += len > 0;
	return u;
}

static bool
unpack_end(const struct unpack *u)
{
	return !u->bad && u->p == u->end;
}

static uint64_t
get_number(struct unpack *u, uint64_t max)
{
	uint64_t v = 0;
	unsigned int shift = 0;
	uint8_t c;

	do {
		if (u->bad || u->p == u->end || shift > 63) {
			u->bad = true;
			return 0;
		}
		c = *u->p++;
		if (shift == 63 && c > 1)
			u->bad = true;
		v |= (uint64_t)(c & 0x7f) << shift;
		shift += 7;
	} while ((c & 0x80) != 0);
	if (v > max)
		u->bad = true;
	return u->bad ? 0 : v;
}

static uint8_t
get_byte(struct unpack *u)
{
	if (u->bad || u->p == u->end) {
		u->bad = true;
		return 0;
	}
	return *u->p++;
}

/* out: size bytes, zeroed. */
static void
get_text(struct unpack *u, char *out, size_t size)
{
	uint64_t len = get_number(u, size - 1);

	if (u->bad || len > (uint64_t)(u->end - u->p) ||
	    memchr(u->p, '\0', (size_t)len) != NULL) {
		u->bad = true;
		return;
	}
	memcpy(out, u->p, (size_t)len);
	u->p += len;
}

static void
get_outcome(struct unpack *u, struct outcome *o)
{
	o->verdict = (uint8_t)get_number(u, NEVER);
	o->width = (uint8_t)get_number(u, WIDTH_STREAM);
	o->code = (uint16_t)get_number(u, UINT16_MAX);
	o->ecode[0] = (uint16_t)get_number(u, UINT16_MAX);
	o->ecode[1] = (uint16_t)get_number(u, UINT16_MAX);
	o->ecode[2] = (uint16_t)get_number(u, UINT16_MAX);
	o->local = (uint16_t)get_number(u, 1);
	get_text(u, o->text, sizeof o->text);
}

/* Something is said, else it would be another version. */
static void
get_about(struct unpack *u, struct outcome *o, bool said)
{
	o->cause = get_byte(u);
	o->stage = get_byte(u);
	o->after = (uint32_t)get_number(u, UINT32_MAX);
	u->bad = u->bad || o->cause >= CAUSES_N || o->stage >= STAGES_N ||
	    !(said || has_about(o));
}

bool
row_unpack_msg(const void *in, size_t len, struct index_msg *m)
{
	struct unpack u = unpack_begin(in, len);

	u.bad = u.bad || (u.dsn && !u.child);
	memset(m, 0, sizeof *m);
	m->arrived = (int64_t)get_number(&u, UINT64_MAX);
	m->head = get_number(&u, UINT64_MAX);
	m->content = get_number(&u, UINT64_MAX);
	m->trace = get_number(&u, UINT64_MAX);
	m->sum = get_number(&u, UINT64_MAX);
	m->content_facts = (uint32_t)get_number(&u, UINT32_MAX);
	m->n_rcpt = (uint32_t)get_number(&u, RCPT_MAX);
	m->n_open = (uint32_t)get_number(&u, RCPT_MAX);
	m->place = (uint8_t)get_number(&u, SPOOL_CUR);
	m->facts.flags = (uint32_t)get_number(&u, UINT32_MAX);
	m->facts.uid = (uint32_t)get_number(&u, UINT32_MAX);
	m->facts.port = (uint16_t)get_number(&u, UINT16_MAX);
	get_text(&u, m->facts.client, sizeof m->facts.client);
	get_text(&u, m->facts.helo, sizeof m->facts.helo);
	get_text(&u, m->facts.rdns, sizeof m->facts.rdns);
	get_text(&u, m->facts.tag, sizeof m->facts.tag);
	get_text(&u, m->facts.auth, sizeof m->facts.auth);
	get_text(&u, m->sender, sizeof m->sender);
	get_text(&u, m->dkim, sizeof m->dkim);
	if (u.more) {
		m->params.body = get_byte(&u);
		m->params.ret = get_byte(&u);
		get_text(&u, m->params.envid, sizeof m->params.envid);
		u.bad = u.bad || m->params.body > BODY_BINARYMIME ||
		    m->params.ret > RET_HDRS ||
		    (!u.child && m->params.body == 0 && m->params.ret == 0 &&
			m->params.envid[0] == '\0');
	}
	if (u.child) {
		get_text(&u, m->of, sizeof m->of);
		u.bad = u.bad || m->of[0] == '\0';
	}
	return unpack_end(&u);
}

bool
row_unpack_rcpt(const void *in, size_t len, struct index_rcpt *r)
{
	struct unpack u = unpack_begin(in, len);

	memset(r, 0, sizeof *r);
	r->off = get_number(&u, UINT64_MAX);
	r->state = (char)get_byte(&u);
	r->parked = get_byte(&u);
	r->attempts = (uint32_t)get_number(&u, UINT32_MAX);
	r->next = (int64_t)get_number(&u, UINT64_MAX);
	r->tried = (int64_t)get_number(&u, UINT64_MAX);
	get_text(&u, r->addr, sizeof r->addr);
	get_text(&u, r->route, sizeof r->route);
	get_text(&u, r->relay, sizeof r->relay);
	get_outcome(&u, &r->last);
	if (u.more) {
		get_text(&u, r->target, sizeof r->target);
		r->ttl = (uint32_t)get_number(&u, UINT32_MAX);
		u.bad =
		    u.bad || (!u.dsn && r->target[0] == '\0' && r->ttl == 0);
	}
	if (u.dsn) {
		r->params.notify = get_byte(&u);
		get_text(&u, r->params.orcpt, sizeof r->params.orcpt);
		u.bad = u.bad || r->params.notify > NOTIFY_ALL ||
		    (!u.full && r->params.notify == 0 &&
			r->params.orcpt[0] == '\0');
	}
	if (u.full)
		get_about(&u, &r->last, u.child);
	if (u.child) {
		get_text(&u, r->leaf, sizeof r->leaf);
		u.bad = u.bad || r->leaf[0] == '\0';
	}
	return unpack_end(&u) && rcpt_state_known(r->state) &&
	    r->parked <= PARKED_RATE;
}

bool
row_unpack_way(const void *in, size_t len, struct index_way *w)
{
	struct unpack u = unpack_begin(in, len);
	uint32_t i;

	memset(w, 0, sizeof *w);
	u.bad = u.bad || (u.dsn && !u.full) || u.child;
	get_text(&u, w->route, sizeof w->route);
	w->failures = (uint32_t)get_number(&u, UINT32_MAX);
	w->next = (int64_t)get_number(&u, UINT64_MAX);
	w->since = (int64_t)get_number(&u, UINT64_MAX);
	get_outcome(&u, &w->last);
	if (u.more) {
		w->ready = (int64_t)get_number(&u, INT64_MAX);
		w->n_marks = (uint32_t)get_number(&u, RATE_MARKS);
		u.bad = u.bad || (!u.full && w->n_marks == 0);
		for (i = 0; i < w->n_marks; i++) {
			w->mark[i].at = (int64_t)get_number(&u, INT64_MAX);
			w->mark[i].n = (uint32_t)get_number(&u, UINT32_MAX);
		}
	}
	if (u.full) {
		w->paused = get_byte(&u);
		u.bad = u.bad || w->paused > 1;
		get_about(&u, &w->last, w->paused != 0);
	}
	return unpack_end(&u);
}

/* ---- texts with a NUL, in rows of others ---- */

uint8_t *
row_put_text(uint8_t *p, const char *text)
{
	size_t len = strlen(text) + 1;

	memcpy(p, text, len);
	return p + len;
}

bool
row_get_text(const uint8_t **p, const uint8_t *end, char *out, size_t size)
{
	size_t left = (size_t)(end - *p);
	size_t len = strnlen((const char *)*p, left);

	if (len == left || len >= size)
		return false;
	memcpy(out, *p, len + 1);
	*p += len + 1;
	return true;
}

/* ---- keys ---- */

static void
key_bytes(struct key *k, const void *p, size_t len)
{
	assert(len <= sizeof k->bytes - k->len);
	memcpy(k->bytes + k->len, p, len);
	k->len += len;
}

void
key_u8(struct key *k, uint8_t v)
{
	key_bytes(k, &v, 1);
}

void
key_u32(struct key *k, uint32_t v)
{
	const uint8_t be[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16),
		(uint8_t)(v >> 8), (uint8_t)v };

	key_bytes(k, be, sizeof be);
}

void
key_u64(struct key *k, uint64_t v)
{
	key_u32(k, (uint32_t)(v >> 32));
	key_u32(k, (uint32_t)v);
}

void
key_time(struct key *k, int64_t v)
{
	key_u64(k, (uint64_t)v ^ (uint64_t)1 << 63);
}

void
key_text(struct key *k, const char *text, bool lower)
{
	char copy[TEXT_LONGEST];
	size_t i, len = strnlen(text, sizeof copy);
	XXH128_canonical_t hash;

	memcpy(copy, text, len);
	for (i = 0; lower && i < len; i++)
		if (copy[i] >= 'A' && copy[i] <= 'Z')
			copy[i] += 'a' - 'A';
	key_bytes(k, copy, len > TEXT_MAX ? TEXT_CUT : len);
	if (len > TEXT_MAX) {
		XXH128_canonicalFromHash(&hash, XXH3_128bits(copy, len));
		key_bytes(k, hash.digest, sizeof hash.digest);
	}
	key_u8(k, 0);
}

uint32_t
key_get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

uint64_t
key_get_u64(const uint8_t *p)
{
	return (uint64_t)key_get_u32(p) << 32 | key_get_u32(p + 4);
}

int64_t
key_get_time(const uint8_t *p)
{
	return (int64_t)(key_get_u64(p) ^ (uint64_t)1 << 63);
}
