/*
 * Records of DMARC (RFC 9989 4.7, RFC 7489 6.3): one text of the DNS becomes a
 * record, or none; and what is known without one.  Runs in guard, session and
 * smtpctl over text that others wrote; allocates and keeps nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "dkim_tags.h"
#include "dmarc.h"
#include "num.h"
#include "smtp_addr.h"

static const char *const policies[] = {
	[DMARC_P_UNSAID] = "",
	[DMARC_P_NONE] = "none",
	[DMARC_P_QUARANTINE] = "quarantine",
	[DMARC_P_REJECT] = "reject",
};

const char *
dmarc_policy_word(enum dmarc_policy p)
{
	return p <= DMARC_P_REJECT ? policies[p] : "";
}

#define SIZE_LARGE ((uint64_t)1 << 50) /* bytes: as good as no limit */

/* ---- tags ---- */

/* Columns: enum, name. */
#define RECORD_TAGS(X)                                                         \
	X(P, "p")                                                              \
	X(SP, "sp")                                                            \
	X(NP, "np")                                                            \
	X(ADKIM, "adkim")                                                      \
	X(ASPF, "aspf")                                                        \
	X(PSD, "psd")                                                          \
	X(T, "t")                                                              \
	X(PCT, "pct")                                                          \
	X(FO, "fo")                                                            \
	X(RUA, "rua")

enum {
#define X(name, word) TAG_##name,
	RECORD_TAGS(X)
#undef X
	    RECORD_TAGS
};

static const char *const names[RECORD_TAGS] = {
#define X(name, word) [TAG_##name] = (word),
	RECORD_TAGS(X)
#undef X
};

/* Those that were found, and how often: a tag that is there twice has no
 * value (RFC 6376 3.2), and the record goes on without (RFC 9989 4.7). */
struct found_tags {
	struct slice value[RECORD_TAGS];
	unsigned int times[RECORD_TAGS];
};

/* The next tag of the list.  False: no more.  *good: it can be read. */
static bool
next_tag(struct slice *rest, struct tag *tag, bool *good)
{
	struct slice piece = *rest;
	struct tags one;
	const char *semi;

	if (rest->len == 0)
		return false;
	if ((semi = memchr(rest->p, ';', rest->len)) != NULL)
		piece.len = (size_t)(semi - rest->p);
	rest->p += piece.len + (semi != NULL);
	rest->len -= piece.len + (semi != NULL);
	*good = tags_parse(piece, &one) == NULL;
	if (*good)
		*tag = one.tag[0];
	return true;
}

/* Moves *rest behind the version.  False: it has none, or another. */
static bool
take_version(struct slice *rest)
{
	struct tag tag;
	bool good;

	return next_tag(rest, &tag, &good) && good &&
	    slice_eq(tag.name, SLICE("v")) &&
	    slice_eq(tag.value, SLICE("DMARC1"));
}

static void
find_tags(struct slice rest, struct found_tags *f)
{
	struct tag tag;
	bool good;
	unsigned int i;

	memset(f, 0, sizeof(*f));
	while (next_tag(&rest, &tag, &good)) {
		for (i = 0; good && i < RECORD_TAGS; i++) {
			if (!slice_eq(tag.name, slice_of(names[i])))
				continue;
			f->times[i]++;
			f->value[i] = tag.value;
		}
	}
}

/* The value of a tag that is there once; else an empty slice. */
static struct slice
value_of(const struct found_tags *f, unsigned int tag)
{
	return f->times[tag] == 1 ? f->value[tag] : (struct slice){ "", 0 };
}

/* Whether it is this letter, in either case (RFC 5234 2.3). */
static bool
is_letter(const struct found_tags *f, unsigned int tag, char letter)
{
	struct slice s = value_of(f, tag);

	return s.len == 1 && tolower((unsigned char)s.p[0]) == letter;
}

/* ---- values ---- */

/* UNSAID: it is not there.  False: it is, but is no policy. */
static bool
take_policy(const struct found_tags *f, unsigned int tag, uint8_t *out)
{
	struct slice s = value_of(f, tag);
	uint8_t p;

	*out = DMARC_P_UNSAID;
	if (f->times[tag] == 0)
		return true;
	for (p = DMARC_P_NONE; p <= DMARC_P_REJECT; p++) {
		if (!slice_eqcase(s, slice_of(policies[p])))
			continue;
		*out = p;
		return true;
	}
	return false;
}

/* Members "0", "1", "d", "s" with colons between them, as they are written. */
static void
take_fo(struct slice value, char *out, size_t size)
{
	struct slice rest = value, member;
	bool good = true;

	while (tags_member(&rest, &member))
		good = good && member.len == 1 &&
		    memchr("01dsDS", member.p[0], 6) != NULL;
	if (!good || !slice_copy(value, out, size))
		out[0] = '\0';
}

static void
take_pct(struct slice value, uint32_t *out)
{
	uint64_t n;

	if (tags_number(value, 3, &n) == NULL && n <= 100)
		*out = (uint32_t)n;
}

/* ---- addresses for reports ---- */

/* "scheme:" (RFC 3986 3.1); its length with the colon, 0: there is none. */
static size_t
uri_scheme(struct slice uri)
{
	size_t i;

	if (uri.len == 0 || !isalpha((unsigned char)uri.p[0]))
		return 0;
	for (i = 1; i < uri.len && uri.p[i] != ':'; i++) {
		if (!isalnum((unsigned char)uri.p[i]) &&
		    memchr("+-.", uri.p[i], 3) == NULL)
			return 0;
	}
	return i + 1 < uri.len ? i + 1 : 0;
}

/* RFC 3986 2: what may stand in one at all; two digits behind each '%'. */
static bool
uri_check(struct slice uri)
{
	static const char signs[] = "-._~:/?#[]@!$&'()*+,;=%";
	size_t i;

	if (uri_scheme(uri) == 0)
		return false;
	for (i = 0; i < uri.len; i++) {
		if (!isalnum((unsigned char)uri.p[i]) &&
		    memchr(signs, uri.p[i], sizeof(signs) - 1) == NULL)
			return false;
		if (uri.p[i] == '%' &&
		    (uri.len - i < 3 ||
			!isxdigit((unsigned char)uri.p[i + 1]) ||
			!isxdigit((unsigned char)uri.p[i + 2])))
			return false;
	}
	return true;
}

/* Takes "!10m" off (RFC 7489 6.3; RFC 9989 has it no more, but RFC 9990 3.5
 * heeds it); *size: bytes, 0: it was not said.  False: what stands behind the
 * '!' is no size, and the URI none (it would say "%21"). */
static bool
uri_drop_size(struct slice *uri, uint64_t *size)
{
	static const char units[] = "kmgt";
	const char *mark = memchr(uri->p, '!', uri->len), *unit;
	size_t i, end, all;

	*size = 0;
	if (mark == NULL)
		return true;
	i = (size_t)(mark - uri->p) + 1;
	end = uri->len;
	if (end > i && memchr("kmgtKMGT", uri->p[end - 1], 8) != NULL)
		end--;
	if (i == end)
		return false;
	all = uri->len;
	uri->len = i - 1;
	for (; i < end; i++) {
		if (!isdigit((unsigned char)uri->p[i]))
			return false;
		/* What is larger than that is no limit to anything. */
		if (*size < SIZE_LARGE)
			*size = 10 * *size + (uint64_t)(uri->p[i] - '0');
	}
	if (end == all)
		return true;
	for (unit = units; *size < SIZE_LARGE; unit++) {
		*size <<= 10;
		if (*unit == tolower((unsigned char)uri->p[end]))
			break;
	}
	return true;
}

/* num_hex() is for capitals. */
static int
hex(char c)
{
	return num_hex((char)toupper((unsigned char)c));
}

/* The address of a "mailto:" that was checked by uri_check(), decoded (RFC
 * 6068 2), with the scheme in front.  False: it is none that can be used. */
static bool
mailto(struct slice uri, char out[DMARC_URI_MAX + 1])
{
	static const char scheme[] = "mailto:";
	const size_t n = sizeof(scheme) - 1;
	const char *query = memchr(uri.p, '?', uri.len);
	size_t i, len = n;
	char c;

	if (uri.len < n || strncasecmp(uri.p, scheme, n) != 0)
		return false;
	if (query != NULL)
		uri.len = (size_t)(query - uri.p);
	memcpy(out, scheme, n);
	for (i = n; i < uri.len; i++) {
		c = uri.p[i];
		if (c == '%') {
			c = (char)(hex(uri.p[i + 1]) * 16 + hex(uri.p[i + 2]));
			i += 2;
		}
		if (len == DMARC_URI_MAX || c == '\0')
			return false;
		out[len++] = c;
	}
	out[len] = '\0';
	/* Who has but an address has no place to say that it wants reports. */
	return smtp_mailbox_check(slice_of(out + n)) == NULL &&
	    out[len - 1] != ']';
}

/* False: not one of them is a URI. */
static bool
take_rua(struct slice rest, struct dmarc_record *r)
{
	struct slice uri;
	const char *comma;
	bool any = false;
	uint64_t size;

	while (rest.len > 0) {
		comma = memchr(rest.p, ',', rest.len);
		uri = (struct slice){ rest.p,
			comma == NULL ? rest.len : (size_t)(comma - rest.p) };
		rest.p += uri.len + (comma != NULL);
		rest.len -= uri.len + (comma != NULL);
		uri = slice_strip(uri);
		if (!uri_drop_size(&uri, &size) || !uri_check(uri))
			continue;
		any = true;
		/* Other schemes, and more than we keep, are passed over. */
		if (r->n_rua < DMARC_RUA_MAX && mailto(uri, r->rua[r->n_rua]))
			r->rua_size[r->n_rua++] = size;
	}
	return any;
}

/* ---- the record ---- */

bool
dmarc_record_is(struct slice text)
{
	return take_version(&text);
}

/* RFC 7489 knows no np=, psd= and t=, RFC 9989 no pct=. */
static void
drop_unknown(struct found_tags *f, enum conf_dmarc_rules rules)
{
	if (rules == DMARC_RFC7489)
		f->times[TAG_NP] = f->times[TAG_PSD] = f->times[TAG_T] = 0;
	else
		f->times[TAG_PCT] = 0;
}

/* False: p=, sp= or np= cannot be read, or p= is missing where it may not. */
static bool
take_policies(const struct found_tags *f, enum conf_dmarc_rules rules,
    struct dmarc_record *r)
{
	if (!take_policy(f, TAG_P, &r->p) || !take_policy(f, TAG_SP, &r->sp) ||
	    !take_policy(f, TAG_NP, &r->np))
		return false;
	if (r->p != DMARC_P_UNSAID)
		return true;
	r->p = DMARC_P_NONE;
	return rules != DMARC_RFC7489;
}

const char *
dmarc_record_parse(struct slice text, enum conf_dmarc_rules rules,
    struct dmarc_record *r)
{
	struct found_tags f;
	bool uri;

	memset(r, 0, sizeof(*r));
	r->psd = 'u';
	r->pct = 100;
	if (!take_version(&text))
		return "it does not begin with v=DMARC1";
	find_tags(text, &f);
	drop_unknown(&f, rules);
	r->adkim_strict = is_letter(&f, TAG_ADKIM, 's');
	r->aspf_strict = is_letter(&f, TAG_ASPF, 's');
	if (is_letter(&f, TAG_PSD, 'y') || is_letter(&f, TAG_PSD, 'n'))
		r->psd = (char)tolower((unsigned char)f.value[TAG_PSD].p[0]);
	r->testing = is_letter(&f, TAG_T, 'y');
	take_pct(value_of(&f, TAG_PCT), &r->pct);
	take_fo(value_of(&f, TAG_FO), r->fo, sizeof(r->fo));
	uri = take_rua(value_of(&f, TAG_RUA), r);
	if (take_policies(&f, rules, r))
		return NULL;
	if (!uri)
		return "it has a policy that cannot be read, and no rua=";
	/* RFC 9989 4.10.1, RFC 7489 6.6.3: who asks for reports gets them. */
	r->p = DMARC_P_NONE;
	r->sp = r->np = DMARC_P_UNSAID;
	return NULL;
}

/* ---- no record ---- */

/* Where no record is known: equal names are aligned whatever it says. */
static enum dmarc_policy
worst_by_name(const struct dmarc_query *q)
{
	bool same =
	    q->spf == RES_PASS && strcasecmp(q->spf_domain, q->author) == 0;
	unsigned int i;

	for (i = 0; i < q->n_dkim && i < DMARC_DKIM_MAX; i++)
		same = same || strcasecmp(q->dkim[i], q->author) == 0;
	return same ? DMARC_P_NONE : DMARC_P_REJECT;
}

void
dmarc_unknown(const struct dmarc_query *q, struct dmarc_answer *a)
{
	*a = (struct dmarc_answer){ .result = RES_TEMPERROR,
		.disposition = DMARC_P_NONE,
		.at_worst = worst_by_name(q) };
}
