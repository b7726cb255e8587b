/*
 * What is reported of messages, out of what session noted; as bytes and back.
 * Used by queue and smtpctl.  Believes neither notes nor rows.
 *
 * SPDX-License-Identifier: ISC
 */
#include "report_row.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <ctype.h>
#include <string.h>
#include <time.h>

#include <bsd/string.h>
#include <xxhash.h>

#include "index_row.h"

#define VERSION    1
#define WHAT       (1 + 3 * 8) /* where what is reported begins in a row */
#define LATE       (5 * 60)    /* seconds that a note may take to come */
#define NAME_BYTES 253         /* bytes of a domain: RFC 1035 2.3.4 */
#define DAYS_MAX   (2932896)   /* 9999-12-31 */

/* ---- what a note may say ---- */

/* A domain that the DNS can be asked about, in lower case. */
static bool
take_domain(const char *in, char out[DOMAIN_MAX + 1])
{
	size_t i;
	char c;

	for (i = 0; in[i] != '\0'; i++) {
		c = (char)tolower((unsigned char)in[i]);
		if (i == NAME_BYTES ||
		    (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
			c != '-' && c != '_' && c != '.'))
			return false;
		/* No empty label. */
		if (c == '.' && (i == 0 || in[i - 1] == '.'))
			return false;
		out[i] = c;
	}
	out[i] = '\0';
	return i > 0 && out[i - 1] != '.';
}

/* Any text, in lower case; what cannot be printed is '?'. */
static void
take_text(const char *in, char *out, size_t size)
{
	size_t i;

	for (i = 0; in[i] != '\0' && i + 1 < size; i++)
		out[i] = in[i] > ' ' && in[i] < 127 ?
		    (char)tolower((unsigned char)in[i]) :
		    '?';
	out[i] = '\0';
}

/* An address as inet_ntop prints it, without a scope; one of IPv4 is one. */
static bool
take_client(const char *in, char out[IP_TEXT_MAX + 1])
{
	char text[IP_TEXT_MAX + 1];
	struct in6_addr in6;
	struct in_addr in4;

	strlcpy(text, in, sizeof text);
	text[strcspn(text, "%")] = '\0';
	if (inet_pton(AF_INET, text, &in4) == 1)
		return inet_ntop(AF_INET, &in4, out, IP_TEXT_MAX + 1) != NULL;
	if (inet_pton(AF_INET6, text, &in6) != 1)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&in6))
		return inet_ntop(AF_INET, in6.s6_addr + 12, out,
			   IP_TEXT_MAX + 1) != NULL;
	return inet_ntop(AF_INET6, &in6, out, IP_TEXT_MAX + 1) != NULL;
}

/* Signatures, one behind the other; p is moved behind it. */
static bool
take_dkim_text(const char **p, const char *end, char **out, char *out_end)
{
	size_t len = strnlen(*p, (size_t)(end - *p));

	if (len == (size_t)(end - *p) || len >= (size_t)(out_end - *out))
		return false;
	take_text(*p, *out, len + 1);
	*out += len + 1;
	*p += len + 1;
	return true;
}

static bool
take_dkim(const struct report_note *note, struct report_row *row)
{
	const char *p = note->dkim_text, *end = p + sizeof note->dkim_text;
	char *out = row->dkim_text, *out_end = out + sizeof row->dkim_text;
	uint32_t i;

	if (note->n_dkim > REPORT_DKIM_MAX)
		return false;
	for (i = 0; i < note->n_dkim; i++) {
		/* RFC 8601 2.7.1: softfail is SPF's alone. */
		if (note->dkim[i] == RES_UNSAID ||
		    note->dkim[i] == RES_SOFTFAIL ||
		    note->dkim[i] >= RES_RESULTS ||
		    !take_dkim_text(&p, end, &out, out_end) ||
		    !take_dkim_text(&p, end, &out, out_end))
			return false;
		row->dkim[i] = note->dkim[i];
	}
	row->n_dkim = (uint8_t)note->n_dkim;
	return true;
}

/* ---- what was done ---- */

/* What is asked for below the policy domain, by sp and by np. */
static uint8_t
said(uint8_t here, uint8_t else_)
{
	return here != DMARC_P_UNSAID ? here : else_;
}

/* The least that the domain asks for: whether the author's domain exists is not
 * in a note. */
static uint8_t
asked_for(const struct report_note *note, const char *author,
    const char *domain)
{
	uint8_t p = said(note->p, DMARC_P_NONE), sp = said(note->sp, p),
		np = said(note->np, sp);

	if (strcmp(author, domain) == 0)
		return p;
	return sp < np ? sp : np;
}

/* RFC 9990 3.1.1.7: where less was done, it is said why. */
static enum report_reason
reason_of(const struct report_note *note, uint8_t asked)
{
	static const enum report_reason of[] = {
		[OVERRIDE_NONE] = REASON_NONE,
		[OVERRIDE_EXCEPT] = REASON_EXCEPT,
		[OVERRIDE_ARC] = REASON_ARC,
		[OVERRIDE_LOCAL] = REASON_LOCAL,
	};

	if (note->override != OVERRIDE_NONE)
		return of[note->override];
	if (note->spf_aligned != 0 || note->dkim_aligned != 0 ||
	    note->disposition >= asked)
		return REASON_NONE;
	if (note->testing != 0)
		return REASON_TEST;
	return note->rules == DMARC_RFC7489 && note->pct < 100 ?
	    REASON_SAMPLED :
	    REASON_LOCAL;
}

static void
take_done(const struct report_note *note, const char *domain,
    struct report_row *row)
{
	uint8_t asked = asked_for(note, row->author, domain);

	row->spf_aligned = note->spf_aligned != 0;
	row->dkim_aligned = note->dkim_aligned != 0;
	row->reason = (uint8_t)reason_of(note, asked);
	if (note->disposition == DMARC_P_QUARANTINE)
		row->disposition = REPORT_DONE_QUARANTINE;
	else if (note->disposition == DMARC_P_REJECT)
		row->disposition = REPORT_DONE_REJECT;
	else if ((row->spf_aligned || row->dkim_aligned) &&
	    asked > DMARC_P_NONE)
		row->disposition = REPORT_DONE_PASS;
}

static bool
good_numbers(const struct report_note *note)
{
	return note->p <= DMARC_P_REJECT && note->sp <= DMARC_P_REJECT &&
	    note->np <= DMARC_P_REJECT && note->disposition <= DMARC_P_REJECT &&
	    note->override <= OVERRIDE_LOCAL && note->rules <= DMARC_RFC7489 &&
	    note->spf < RES_RESULTS && note->spf != RES_POLICY;
}

const char *
report_of_note(const struct report_note *note, int64_t now,
    struct report_entry *out)
{
	struct report_row *row = &out->row;
	int64_t when = note->when;

	memset(out, 0, sizeof *out);
	if (!good_numbers(note))
		return "a number is none of those that there are";
	if (!take_domain(note->policy_domain, out->domain) ||
	    !take_domain(note->author, row->author))
		return "a domain is none";
	if (!take_client(note->client, row->client))
		return "the client has no address";
	if (!take_dkim(note, row))
		return "signatures are cut short";
	if (when > now || when < now - LATE)
		when = now;
	if (when < 0 || when / REPORT_DAY > DAYS_MAX)
		return "the clock is wrong";
	out->day = (uint32_t)(when / REPORT_DAY);
	out->policy = (struct report_policy){ .p = note->p,
		.sp = note->sp,
		.np = note->np,
		.adkim_strict = note->adkim_strict != 0,
		.aspf_strict = note->aspf_strict != 0,
		.testing = note->testing != 0,
		.rules = note->rules };
	take_text(note->fo, out->policy.fo, sizeof out->policy.fo);
	take_text(note->sender, row->sender, sizeof row->sender);
	take_text(note->spf_domain, row->spf_domain, sizeof row->spf_domain);
	row->spf = row->spf_domain[0] == '\0' ? RES_UNSAID : note->spf;
	row->count = 1;
	row->first = row->last = when;
	take_done(note, out->domain, row);
	return NULL;
}

void
report_dkim(const struct report_row *row, unsigned int i, const char **domain,
    const char **selector)
{
	const char *p = row->dkim_text;

	for (; i > 0; i--) {
		p += strlen(p) + 1;
		p += strlen(p) + 1;
	}
	*domain = p;
	*selector = p + strlen(p) + 1;
}

/* ---- keys ---- */

void
report_key(uint32_t day, const char *domain, const struct report_hash *hash,
    struct report_key *key)
{
	struct key front = { .len = 0 };
	size_t len = strlen(domain) + 1;

	key_u32(&front, day);
	memcpy(key->bytes, front.bytes, front.len);
	memcpy(key->bytes + front.len, domain, len);
	key->len = front.len + len;
	if (hash == NULL)
		return;
	memcpy(key->bytes + key->len, hash->bytes, sizeof hash->bytes);
	key->len += sizeof hash->bytes;
}

bool
report_key_read(const void *in, size_t len, bool has_hash, uint32_t *day,
    char domain[DOMAIN_MAX + 1], struct report_hash *hash)
{
	const uint8_t *p = in;
	size_t tail = has_hash ? sizeof hash->bytes : 0, name;

	if (len < 4 + 1 + tail || len > REPORT_KEY_MAX)
		return false;
	*day = key_get_u32(p);
	name = strnlen((const char *)p + 4, len - 4);
	if (name == 0 || name > DOMAIN_MAX || 4 + name + 1 + tail != len)
		return false;
	memcpy(domain, p + 4, name + 1);
	if (has_hash)
		memcpy(hash->bytes, p + 4 + name + 1, tail);
	return true;
}

/* ---- rows ---- */

size_t
report_pack(const struct report_row *row, uint8_t *out,
    struct report_hash *hash)
{
	const char *domain, *selector;
	struct key front = { .len = 0 };
	XXH128_canonical_t sum;
	uint8_t *p;
	unsigned int i;

	key_u8(&front, VERSION);
	key_u64(&front, row->count);
	key_time(&front, row->first);
	key_time(&front, row->last);
	memcpy(out, front.bytes, front.len);
	p = out + front.len;
	*p++ = row->disposition;
	*p++ = row->reason;
	*p++ = (uint8_t)(row->spf_aligned | row->dkim_aligned << 1);
	*p++ = row->spf;
	*p++ = row->n_dkim;
	memcpy(p, row->dkim, row->n_dkim);
	p += row->n_dkim;
	p = row_put_text(p, row->client);
	p = row_put_text(p, row->author);
	p = row_put_text(p, row->sender);
	p = row_put_text(p, row->spf_domain);
	for (i = 0; i < row->n_dkim; i++) {
		report_dkim(row, i, &domain, &selector);
		p = row_put_text(p, domain);
		p = row_put_text(p, selector);
	}
	XXH128_canonicalFromHash(&sum,
	    XXH3_128bits(out + WHAT, (size_t)(p - out) - WHAT));
	memcpy(hash->bytes, sum.digest, sizeof hash->bytes);
	return (size_t)(p - out);
}

static bool
get_dkim(const uint8_t **p, const uint8_t *end, struct report_row *row)
{
	char *out = row->dkim_text, *out_end = out + sizeof row->dkim_text;
	unsigned int i;

	for (i = 0; i < 2U * row->n_dkim; i++) {
		if (!row_get_text(p, end, out, (size_t)(out_end - out)))
			return false;
		out += strlen(out) + 1;
	}
	return true;
}

bool
report_unpack(const void *in, size_t len, struct report_row *row)
{
	const uint8_t *p = in, *end = p + len;
	unsigned int i;

	memset(row, 0, sizeof *row);
	if (len < WHAT + 5 || p[0] != VERSION)
		return false;
	row->count = key_get_u64(p + 1);
	row->first = key_get_time(p + 9);
	row->last = key_get_time(p + 17);
	p += WHAT;
	row->disposition = p[0];
	row->reason = p[1];
	row->spf_aligned = (p[2] & 1) != 0;
	row->dkim_aligned = (p[2] & 2) != 0;
	row->spf = p[3];
	row->n_dkim = p[4];
	p += 5;
	if (row->disposition >= REPORT_DONE_N ||
	    row->reason >= REPORT_REASONS_N || row->spf >= RES_RESULTS ||
	    row->n_dkim > REPORT_DKIM_MAX || row->n_dkim > end - p)
		return false;
	memcpy(row->dkim, p, row->n_dkim);
	for (i = 0; i < row->n_dkim; i++) {
		if (row->dkim[i] >= RES_RESULTS)
			return false;
	}
	p += row->n_dkim;
	return row_get_text(&p, end, row->client, sizeof row->client) &&
	    row_get_text(&p, end, row->author, sizeof row->author) &&
	    row_get_text(&p, end, row->sender, sizeof row->sender) &&
	    row_get_text(&p, end, row->spf_domain, sizeof row->spf_domain) &&
	    get_dkim(&p, end, row) && p == end;
}

uint64_t
report_count(const uint8_t *packed)
{
	return key_get_u64(packed + 1);
}

void
report_add(uint8_t *packed, const uint8_t *more)
{
	struct key front = { .len = 0 };
	int64_t first = key_get_time(packed + 9),
		last = key_get_time(packed + 17),
		more_first = key_get_time(more + 9),
		more_last = key_get_time(more + 17);

	key_u8(&front, VERSION);
	key_u64(&front, report_count(packed) + report_count(more));
	key_time(&front, more_first < first ? more_first : first);
	key_time(&front, more_last > last ? more_last : last);
	memcpy(packed, front.bytes, front.len);
}

/* ---- heads ---- */

size_t
report_pack_head(const struct report_head *head, uint8_t *out)
{
	const struct report_policy *policy = &head->policy;
	struct key k = { .len = 0 };

	key_u8(&k, VERSION);
	key_u8(&k, policy->p);
	key_u8(&k, policy->sp);
	key_u8(&k, policy->np);
	key_u8(&k,
	    (uint8_t)(policy->adkim_strict | policy->aspf_strict << 1 |
		policy->testing << 2));
	key_u8(&k, policy->rules);
	key_u32(&k, head->sent);
	key_u64(&k, head->rows);
	key_u64(&k, head->messages);
	key_u64(&k, head->shortened);
	key_u64(&k, head->dropped);
	key_time(&k, head->first);
	key_time(&k, head->last);
	memcpy(out, k.bytes, k.len);
	return (size_t)(row_put_text(out + k.len, policy->fo) - out);
}

bool
report_unpack_head(const void *in, size_t len, struct report_head *head)
{
	struct report_policy *policy = &head->policy;
	const uint8_t *p = in, *end = p + len;

	memset(head, 0, sizeof *head);
	if (len < 10 + 6 * 8 || p[0] != VERSION)
		return false;
	policy->p = p[1];
	policy->sp = p[2];
	policy->np = p[3];
	policy->adkim_strict = (p[4] & 1) != 0;
	policy->aspf_strict = (p[4] & 2) != 0;
	policy->testing = (p[4] & 4) != 0;
	policy->rules = p[5];
	head->sent = key_get_u32(p + 6);
	head->rows = key_get_u64(p + 10);
	head->messages = key_get_u64(p + 18);
	head->shortened = key_get_u64(p + 26);
	head->dropped = key_get_u64(p + 34);
	head->first = key_get_time(p + 42);
	head->last = key_get_time(p + 50);
	p += 10 + 6 * 8;
	return policy->p <= DMARC_P_REJECT && policy->sp <= DMARC_P_REJECT &&
	    policy->np <= DMARC_P_REJECT && policy->rules <= DMARC_RFC7489 &&
	    row_get_text(&p, end, policy->fo, sizeof policy->fo) && p == end;
}

/* ---- days ---- */

const char *
report_day_print(uint32_t day, char out[REPORT_DAY_TEXT])
{
	time_t t = (time_t)(day * REPORT_DAY);
	struct tm tm;

	out[0] = '\0';
	if (day <= DAYS_MAX && gmtime_r(&t, &tm) != NULL)
		(void)strftime(out, REPORT_DAY_TEXT, "%Y-%m-%d", &tm);
	return out;
}

bool
report_day_parse(const char *text, int64_t now, uint32_t *day)
{
	struct tm tm = { .tm_isdst = 0 };
	const char *end;
	time_t t;

	if (strcmp(text, "today") == 0 || strcmp(text, "yesterday") == 0) {
		*day = (uint32_t)(now / REPORT_DAY) - (text[0] == 'y');
		return true;
	}
	end = strptime(text, "%Y-%m-%d", &tm);
	if (end == NULL || *end != '\0' || (t = timegm(&tm)) < 0 ||
	    t / REPORT_DAY > DAYS_MAX)
		return false;
	*day = (uint32_t)(t / REPORT_DAY);
	return true;
}
