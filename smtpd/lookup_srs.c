/*
 * The Sender Rewriting Scheme.  Runs in lookup, which alone has the secret;
 * keeps nothing.  What it takes apart are local parts that strangers write:
 * only one whose hash is ours means anything.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_srs.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "idn.h"
#include "lookup_node.h"
#include "smtp_addr.h"

#define HASH_LEN  4 /* as all others: OpenSMTPD takes no other for one */
#define STAMP_LEN 2
#define DAY       86400
#define DAYS      1024 /* that a stamp tells apart */
#define DAYS_MAX  (DAYS - 24)

/* RFC 4648 6: the same in both cases, and never what a local part must quote.
 */
static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* An address of the scheme, cut into what it says. */
struct parts {
	char tag;          /* '0' or '1' */
	struct slice hash; /* HASH_LEN bytes, if it is ours */
	/* All that the hash is of: behind it, up to the '@'. */
	struct slice body;
	struct slice stamp; /* SRS0 */
	struct slice host;
	struct slice local; /* SRS1: "=HHHH=TT=...", with its separator */
};

struct srs
srs_of(const struct conf *c, int64_t now)
{
	struct srs s = { .now = now };

	if (c->srs_key == 0)
		return s;
	s.key = conf_text(c, c->srs_key);
	if (c->srs_key_backup != 0)
		s.backup = conf_text(c, c->srs_key_backup);
	s.days = (c->srs_ttl + DAY - 1) / DAY;
	if (s.days > DAYS_MAX)
		s.days = DAYS_MAX;
	return s;
}

/* ---- the hash ---- */

/* Of "TAG=BODY@DOMAIN" in lower case.  False: it cannot be made. */
static bool
make_hash(const char *key, char tag, struct slice body, const char *domain,
    char out[HASH_LEN + 1])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	char text[2 * ADDR_MAX + 8];
	unsigned int len, bits;
	int i, n;

	n = snprintf(text, sizeof(text), "%c=%.*s@%s", tag, (int)body.len,
	    body.p, domain);
	if (n < 0 || (size_t)n >= sizeof(text))
		return false;
	for (i = 0; i < n; i++)
		text[i] = (char)tolower((unsigned char)text[i]);
	if (HMAC(EVP_sha256(), key, (int)strlen(key),
		(const unsigned char *)text, (size_t)n, md, &len) == NULL)
		return false;
	bits = (unsigned int)md[0] << 16 | (unsigned int)md[1] << 8 | md[2];
	for (i = 0; i < HASH_LEN; i++)
		out[i] = base32[bits >> (19 - 5 * i) & 31];
	out[HASH_LEN] = '\0';
	return true;
}

static enum srs_answer
check_hash(const char *key, const struct parts *p, const char *domain)
{
	char want[HASH_LEN + 1], have[HASH_LEN];
	int i;

	if (!make_hash(key, p->tag, p->body, domain, want))
		return SRS_DOUBT;
	for (i = 0; i < HASH_LEN; i++)
		have[i] = (char)toupper((unsigned char)p->hash.p[i]);
	return CRYPTO_memcmp(have, want, HASH_LEN) == 0 ? SRS_GOOD : SRS_BAD;
}

/* ---- the day ---- */

static unsigned int
today(const struct srs *s)
{
	return (unsigned int)(s->now / DAY % DAYS);
}

/* The day of a stamp; -1: it is none. */
static int
stamp_day(struct slice stamp)
{
	const char *at;
	int day = 0;
	size_t i;

	if (stamp.len != STAMP_LEN)
		return -1;
	for (i = 0; i < STAMP_LEN; i++) {
		at = memchr(base32, toupper((unsigned char)stamp.p[i]),
		    sizeof(base32) - 1);
		if (at == NULL)
			return -1;
		day = day * 32 + (int)(at - base32);
	}
	return day;
}

/* The clock that made it may have been in tomorrow. */
static bool
is_old(const struct srs *s, int day)
{
	unsigned int age = (today(s) + DAYS - (unsigned int)day) % DAYS;

	return age > s->days && age != DAYS - 1;
}

/* ---- taking apart ---- */

/* What stands before the next '='; *rest goes on behind it.  False: there is
 * none, or nothing before it. */
static bool
take_field(struct slice *rest, struct slice *field)
{
	const char *end =
	    rest->len == 0 ? NULL : memchr(rest->p, '=', rest->len);

	if (end == NULL || end == rest->p)
		return false;
	*field = (struct slice){ rest->p, (size_t)(end - rest->p) };
	rest->p = end + 1;
	rest->len -= field->len + 1;
	return true;
}

static bool
is_separator(char c)
{
	return c == '=' || c == '+' || c == '-';
}

/* "SRS0=...": its digit; 0: it is not such a local part. */
static char
tag_of(struct slice local)
{
	if (local.len < 6 || local.p[0] == '"' ||
	    smtp_local_max(local) == LOCAL_PART_MAX)
		return '\0';
	return local.p[3];
}

/* False: it is not in the form. */
static bool
take_apart(struct slice local, struct parts *p)
{
	struct slice rest = { local.p + 5, local.len - 5 };

	p->tag = local.p[3];
	if (!take_field(&rest, &p->hash))
		return false;
	p->body = rest;
	if (p->tag == '0' && !take_field(&rest, &p->stamp))
		return false;
	if (!take_field(&rest, &p->host))
		return false;
	p->local = rest;
	if (p->tag == '0')
		return rest.len > 0;
	return rest.len > 1 && is_separator(rest.p[0]);
}

/* The local part of addr without its quotes, and its domain. */
static struct slice
local_of(const char *addr, const char **domain)
{
	struct slice local = slice_of(addr);

	*domain = smtp_addr_domain(addr);
	local.len = **domain == '\0' ? 0 : (size_t)(*domain - addr) - 1;
	if (local.len > 2 && local.p[0] == '"' &&
	    local.p[local.len - 1] == '"') {
		local.p++;
		local.len -= 2;
	}
	return local;
}

/* ---- putting together ---- */

/* "PREFIX LOCAL@DOMAIN", in quotes if it needs them. */
static const char *
make_address(const char *prefix, struct slice local, const char *domain,
    char out[ADDR_MAX + 1])
{
	static const char *const quotes[] = { "", "\"" };
	const char *why = NULL;
	size_t i;
	int n;

	for (i = 0; i < sizeof(quotes) / sizeof(quotes[0]); i++) {
		n = snprintf(out, ADDR_MAX + 1, "%s%s%.*s%s@%s", quotes[i],
		    prefix, (int)local.len, local.p, quotes[i], domain);
		if (n < 0 || n > ADDR_MAX)
			why = "it would be too long";
		else
			why = smtp_mailbox_check_utf8(slice_of(out));
		if (why == NULL)
			return NULL;
	}
	out[0] = '\0';
	return why;
}

const char *
srs_encode(const struct srs *s, const char *sender, const char *domain,
    char out[ADDR_MAX + 1])
{
	char body[ADDR_MAX + 32], host[DOMAIN_MAX + 1];
	char prefix[8 + HASH_LEN], hash[HASH_LEN + 1];
	unsigned int day = today(s);
	struct parts p = { 0 };
	const char *at;
	struct slice local = local_of(sender, &at);
	char tag = '0';
	int n;

	out[0] = '\0';
	if (local.len == 0)
		return "it is no address";
	if (at[0] == '[' ? !slice_copy(slice_of(at), host, sizeof(host)) :
			   idn_domain(slice_of(at), host) != NULL)
		return "its domain is none";
	if (tag_of(local) == '1' && take_apart(local, &p)) {
		tag = '1';
		n = snprintf(body, sizeof(body), "%.*s=%.*s", (int)p.host.len,
		    p.host.p, (int)p.local.len, p.local.p);
	} else if (tag_of(local) == '0') {
		tag = '1';
		n = snprintf(body, sizeof(body), "%s=%.*s", host,
		    (int)local.len - 4, local.p + 4);
	} else
		n = snprintf(body, sizeof(body), "%c%c=%s=%.*s",
		    base32[day >> 5], base32[day & 31], host, (int)local.len,
		    local.p);
	if (n < 0 || (size_t)n >= sizeof(body))
		return "it would be too long";
	if (!make_hash(s->key, tag, slice_of(body), domain, hash))
		return "its hash cannot be made";
	snprintf(prefix, sizeof(prefix), "SRS%c=%s=", tag, hash);
	return make_address(prefix, slice_of(body), domain, out);
}

/* ---- back ---- */

/* SRS1 has the stamp of who made SRS0, where that can be read. */
static int
inner_day(const struct parts *p)
{
	struct slice rest = { p->local.p + 1, p->local.len - 1 }, field;

	if (p->tag == '0')
		return stamp_day(p->stamp);
	if (!take_field(&rest, &field) || !take_field(&rest, &field))
		return -1;
	return stamp_day(field);
}

enum srs_answer
srs_decode(const struct srs *s, const char *addr, char out[ADDR_MAX + 1])
{
	char text[ADDR_MAX + 1], host[DOMAIN_MAX + 1];
	enum srs_answer a;
	struct parts p = { 0 };
	const char *domain;
	struct slice local = local_of(addr, &domain);
	int day;

	out[0] = '\0';
	if (s->key == NULL || tag_of(local) == '\0')
		return SRS_NONE;
	if (!take_apart(local, &p) || p.hash.len != HASH_LEN)
		return SRS_BAD;
	a = check_hash(s->key, &p, domain);
	if (a == SRS_BAD && s->backup != NULL)
		a = check_hash(s->backup, &p, domain);
	if (a != SRS_GOOD)
		return a;
	day = inner_day(&p);
	if ((p.tag == '0' && day == -1) ||
	    !slice_copy(p.host, host, sizeof(host)) ||
	    make_address(p.tag == '1' ? "SRS0" : "", p.local, host, text) !=
		NULL ||
	    node_address(slice_of(text), "", out) != NULL)
		return SRS_BAD;
	return day != -1 && is_old(s, day) ? SRS_OLD : SRS_GOOD;
}
