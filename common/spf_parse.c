/*
 * Records of SPF, read term by term.  Used by guard and smtpctl.  Never takes
 * half a record: an error anywhere is one (RFC 7208 4.6).
 *
 * SPDX-License-Identifier: ISC
 */
#include "spf_parse.h"

#include <arpa/inet.h>

#include <ctype.h>
#include <string.h>

#include "spf_macro.h"

enum { BITS4_MAX = 32, BITS6_MAX = 128 };

enum wants { NOTHING, MAYBE, MUST };
enum cidr { NO_CIDR, DUAL_CIDR, CIDR4, CIDR6 };

/* Columns: name, kind, whether a domain-spec follows, prefix lengths. */
static const struct mechanism {
	const char *name;
	enum spf_kind kind;
	enum wants domain;
	enum cidr cidr;
} mechanisms[] = {
	{ "all", SPF_ALL, NOTHING, NO_CIDR },
	{ "include", SPF_INCLUDE, MUST, NO_CIDR },
	{ "a", SPF_A, MAYBE, DUAL_CIDR },
	{ "mx", SPF_MX, MAYBE, DUAL_CIDR },
	{ "ptr", SPF_PTR, MAYBE, NO_CIDR },
	{ "ip4", SPF_IP4, NOTHING, CIDR4 },
	{ "ip6", SPF_IP6, NOTHING, CIDR6 },
	{ "exists", SPF_EXISTS, MUST, NO_CIDR },
};

/* Columns: sign, result (RFC 7208 4.6.2). */
static const struct {
	char sign;
	enum auth_result result;
} qualifiers[] = {
	{ '+', RES_PASS },
	{ '-', RES_FAIL },
	{ '?', RES_NEUTRAL },
	{ '~', RES_SOFTFAIL },
};

static struct slice
from(struct slice s, size_t n)
{
	return (struct slice){ s.p + n, s.len - n };
}

static bool
begins(struct slice s, char c)
{
	return s.len > 0 && s.p[0] == c;
}

bool
spf_is_record(struct slice text, struct slice *terms)
{
	const struct slice version = SLICE("v=spf1");
	struct slice head = { text.p, version.len };

	if (text.len < version.len || !slice_eqcase(head, version))
		return false;
	*terms = from(text, version.len);
	return terms->len == 0 || terms->p[0] == ' ';
}

/* ---- prefix lengths ---- */

/* "/24" in front of *s: no leading zeros (RFC 7208 5.6, 12). */
static const char *
read_bits(struct slice *s, unsigned int most, unsigned int *bits)
{
	static const char bad[] = "a prefix length that is none";
	unsigned int n = 0;
	size_t i = 1;

	for (; i < s->len && isdigit((unsigned char)s->p[i]); i++) {
		n = n * 10 + (unsigned int)(s->p[i] - '0');
		if (n > most || (i > 1 && s->p[1] == '0'))
			return bad;
	}
	if (i == 1)
		return bad;
	*bits = n;
	*s = from(*s, i);
	return NULL;
}

static const char *
read_cidr(struct slice s, enum cidr cidr, struct spf_term *t)
{
	const char *why = NULL;

	t->bits4 = BITS4_MAX;
	t->bits6 = BITS6_MAX;
	if (s.len == 0)
		return NULL;
	if (cidr == NO_CIDR || !begins(s, '/'))
		return "what such a mechanism cannot have behind it";
	if (cidr == CIDR6)
		why = read_bits(&s, BITS6_MAX, &t->bits6);
	else if (cidr == CIDR4 || s.len < 2 || s.p[1] != '/')
		why = read_bits(&s, BITS4_MAX, &t->bits4);
	if (why == NULL && cidr == DUAL_CIDR && s.len > 1 && s.p[1] == '/') {
		s = from(s, 1);
		why = read_bits(&s, BITS6_MAX, &t->bits6);
	}
	if (why == NULL && s.len > 0)
		why = "what is no prefix length";
	return why;
}

/* Where prefix lengths begin at the end of a domain-spec, which may have
 * slashes too, but not in its last label. */
static size_t
cidr_start(struct slice s)
{
	size_t at = s.len, i;

	for (i = s.len; i > 0; i--) {
		if (s.p[i - 1] == '/')
			at = i - 1;
		else if (!isdigit((unsigned char)s.p[i - 1]))
			break;
	}
	return at;
}

/* ---- mechanisms ---- */

static const char *
read_network(struct slice s, struct spf_term *t)
{
	char ip[INET6_ADDRSTRLEN];
	struct slice addr = s;
	const char *slash;
	int good;

	if ((slash = memchr(s.p, '/', s.len)) != NULL)
		addr.len = (size_t)(slash - s.p);
	good = slice_copy(addr, ip, sizeof ip) &&
	    (t->kind == SPF_IP4 ? inet_pton(AF_INET, ip, &t->ip4) :
				  inet_pton(AF_INET6, ip, &t->ip6)) == 1;
	if (!good)
		return "an address that is none";
	return read_cidr(from(s, addr.len), t->kind == SPF_IP4 ? CIDR4 : CIDR6,
	    t);
}

/* rest: what follows the name. */
static const char *
read_mechanism(const struct mechanism *m, struct slice rest, struct spf_term *t)
{
	const char *why;
	bool colon = begins(rest, ':');

	t->kind = m->kind;
	if (m->cidr == CIDR4 || m->cidr == CIDR6)
		return colon ? read_network(from(rest, 1), t) :
			       "a mechanism without its address";
	if (colon && m->domain != NOTHING) {
		t->domain = from(rest, 1);
		if (m->cidr == DUAL_CIDR)
			t->domain.len = cidr_start(t->domain);
		rest = from(rest, 1 + t->domain.len);
		why = spf_macro_check(t->domain, SPF_DOMAIN_SPEC, &t->letters);
		if (why != NULL)
			return why;
	} else if (m->domain == MUST)
		return "a mechanism without its domain";
	return read_cidr(rest, m->cidr, t);
}

static const char *
read_directive(struct slice s, struct spf_term *t)
{
	struct slice name;
	size_t i;

	t->result = RES_PASS;
	for (i = 0; i < sizeof qualifiers / sizeof qualifiers[0]; i++) {
		if (begins(s, qualifiers[i].sign)) {
			t->result = qualifiers[i].result;
			s = from(s, 1);
			break;
		}
	}
	name = (struct slice){ s.p, 0 };
	while (name.len < s.len && s.p[name.len] != ':' && s.p[name.len] != '/')
		name.len++;
	for (i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++) {
		if (slice_eqcase(name, slice_of(mechanisms[i].name)))
			return read_mechanism(&mechanisms[i], from(s, name.len),
			    t);
	}
	return "an unknown mechanism";
}

/* ---- modifiers ---- */

/* The length of a modifier's name, if s is one ("name=..."); 0: it is not
 * (RFC 7208 4.6.1). */
static size_t
modifier_name(struct slice s)
{
	size_t i;

	if (s.len == 0 || !isalpha((unsigned char)s.p[0]))
		return 0;
	for (i = 1; i < s.len && s.p[i] != '='; i++) {
		if (!isalnum((unsigned char)s.p[i]) && s.p[i] != '-' &&
		    s.p[i] != '_' && s.p[i] != '.')
			return 0;
	}
	return i < s.len ? i : 0;
}

static const char *
read_modifier(struct slice name, struct slice value, struct spf_term *t)
{
	t->kind = SPF_UNKNOWN;
	if (slice_eqcase(name, SLICE("redirect")))
		t->kind = SPF_REDIRECT;
	else if (slice_eqcase(name, SLICE("exp")))
		t->kind = SPF_EXP;
	else
		return spf_macro_check(value, SPF_MACRO_STRING, &t->letters);
	t->domain = value;
	return spf_macro_check(value, SPF_DOMAIN_SPEC, &t->letters);
}

/* ---- public ---- */

const char *
spf_term_next(struct slice *terms, struct spf_term *t)
{
	struct slice s = *terms, text;
	size_t n;

	memset(t, 0, sizeof *t);
	while (begins(s, ' '))
		s = from(s, 1);
	text = (struct slice){ s.p, 0 };
	while (text.len < s.len && s.p[text.len] != ' ')
		text.len++;
	t->text = text;
	*terms = from(s, text.len);
	if (text.len == 0)
		return NULL;
	if ((n = modifier_name(text)) > 0)
		return read_modifier((struct slice){ text.p, n },
		    from(text, n + 1), t);
	return read_directive(text, t);
}

/* Keeps a modifier that may stand once. */
static bool
keep(struct spf_term *one, const struct spf_term *t)
{
	if (one->kind != SPF_END)
		return false;
	*one = *t;
	return true;
}

const char *
spf_record_read(struct slice terms, struct spf_record *r, struct slice *bad)
{
	const char *why;
	struct spf_term t;

	memset(r, 0, sizeof *r);
	r->terms = terms;
	for (;;) {
		why = spf_term_next(&terms, &t);
		*bad = t.text;
		if (why != NULL)
			return why;
		if (t.kind == SPF_END)
			return NULL;
		if ((t.kind == SPF_REDIRECT && !keep(&r->redirect, &t)) ||
		    (t.kind == SPF_EXP && !keep(&r->exp, &t)))
			return "a modifier that stands there twice";
	}
}
