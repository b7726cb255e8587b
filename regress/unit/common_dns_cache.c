/*
 * The cache of DNS answers: times, bounds, order of leaving.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>

#include "dns_cache.h"
#include "unit.h"

static struct dns_question
question(const char *name, enum dns_type type)
{
	struct dns_question q;

	memset(&q, 0, sizeof q);
	if (dns_question_set(&q, name, type) != NULL)
		abort();
	return q;
}

static struct dns_answer *
answer(enum dns_status status, uint32_t ttl, unsigned int n)
{
	struct dns_answer *a;

	a = calloc(1, sizeof *a + n * sizeof a->rr[0]);
	if (a == NULL)
		abort();
	a->status = status;
	a->ttl = ttl;
	a->n = n;
	return a;
}

/* Columns: name, status, TTL, milliseconds later, known then. */
static const struct {
	const char *name;
	enum dns_status status;
	uint32_t ttl;
	msec later;
	int known;
} times[] = {
	{ "found, at once", DNS_FOUND, 60, 0, 1 },
	{ "found, just in time", DNS_FOUND, 60, 59999, 1 },
	{ "found, over", DNS_FOUND, 60, 60000, 0 },
	{ "found, TTL 0", DNS_FOUND, 0, 0, 0 },
	{ "found for a year is a day", DNS_FOUND, 31536000, 86399999, 1 },
	{ "found for a year is no more", DNS_FOUND, 31536000, 86400000, 0 },
	{ "found, largest TTL", DNS_FOUND, INT32_MAX, 1000, 1 },
	{ "NXDOMAIN", DNS_NXDOMAIN, 60, 59999, 1 },
	{ "NXDOMAIN for a day is 15 minutes", DNS_NXDOMAIN, 86400, 899999, 1 },
	{ "NXDOMAIN for a day is no more", DNS_NXDOMAIN, 86400, 900000, 0 },
	{ "NODATA over", DNS_NODATA, 30, 30000, 0 },
	{ "later is not kept", DNS_LATER, 60, 0, 0 },
};

static void
ttl(void)
{
	struct dns_question q = question("example.org", DNS_MX);
	const struct dns_answer *a;
	struct dns_cache *c;
	char name[80];
	size_t i;

	for (i = 0; i < sizeof times / sizeof times[0]; i++) {
		c = dns_cache_new(10);
		dns_cache_put(c, &q, answer(times[i].status, times[i].ttl, 1),
		    1000);
		a = dns_cache_get(c, &q, 1000 + times[i].later);
		snprintf(name, sizeof name, "cache: %s", times[i].name);
		CHECK(name,
		    (a != NULL) == times[i].known &&
			(a == NULL || a->status == times[i].status) &&
			dns_cache_count(c) == (unsigned int)times[i].known);
		dns_cache_free(&c);
	}
}

static void
keys(void)
{
	struct dns_question mx = question("example.org", DNS_MX);
	struct dns_question a = question("example.org", DNS_A);
	struct dns_question case_ = question("EXAMPLE.org", DNS_MX);
	struct dns_question other = question("example.net", DNS_MX);
	struct dns_cache *c = dns_cache_new(10);

	dns_cache_put(c, &mx, answer(DNS_FOUND, 60, 2), 0);
	CHECK("cache: same question", dns_cache_get(c, &mx, 0) != NULL);
	CHECK("cache: other case", dns_cache_get(c, &case_, 0) != NULL);
	CHECK("cache: other type", dns_cache_get(c, &a, 0) == NULL);
	CHECK("cache: other name", dns_cache_get(c, &other, 0) == NULL);
	dns_cache_put(c, &mx, answer(DNS_NODATA, 60, 0), 0);
	CHECK("cache: a new answer replaces",
	    dns_cache_get(c, &mx, 0)->status == DNS_NODATA &&
		dns_cache_count(c) == 1);
	dns_cache_put(c, &mx, answer(DNS_LATER, 0, 0), 0);
	CHECK("cache: what is in doubt is forgotten",
	    dns_cache_get(c, &mx, 0) == NULL && dns_cache_count(c) == 0);
	dns_cache_free(&c);
	CHECK("cache: freed", c == NULL);
	dns_cache_free(&c);
}

static void
fill(struct dns_cache *c, unsigned int from, unsigned int to, unsigned int rrs)
{
	struct dns_question q;
	char name[32];
	unsigned int i;

	for (i = from; i < to; i++) {
		snprintf(name, sizeof name, "n%u.example", i);
		q = question(name, DNS_A);
		dns_cache_put(c, &q, answer(DNS_FOUND, 60, rrs), 0);
	}
}

static int
has(struct dns_cache *c, unsigned int i)
{
	struct dns_question q;
	char name[32];

	snprintf(name, sizeof name, "n%u.example", i);
	q = question(name, DNS_A);
	return dns_cache_get(c, &q, 0) != NULL;
}

static void
bounds(void)
{
	struct dns_cache *c = dns_cache_new(4);

	fill(c, 0, 4, 1);
	CHECK("cache: holds as many as it may",
	    dns_cache_count(c) == 4 && has(c, 0));
	fill(c, 4, 5, 1);
	CHECK("cache: the longest unused goes",
	    dns_cache_count(c) == 4 && !has(c, 1) && has(c, 0) && has(c, 4));
	fill(c, 10, 5000, 1);
	CHECK("cache: never more", dns_cache_count(c) == 4 && has(c, 4999));
	dns_cache_free(&c);
	c = dns_cache_new(1000000);
	fill(c, 0, 4000, DNS_RR_MAX);
	CHECK("cache: bounded in bytes",
	    dns_cache_count(c) > 500 && dns_cache_count(c) < 1100 &&
		has(c, 3999) && !has(c, 0));
	dns_cache_free(&c);
}

/* Texts count: 64 KB each, and not a million of them. */
static void
texts(void)
{
	enum { SIZE = 65000, MANY = 1000 };
	struct dns_cache *c = dns_cache_new(1000000);
	struct dns_question q;
	struct dns_answer *a;
	char name[32];
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "t%u.example", i);
		q = question(name, DNS_TXT);
		a = calloc(1, sizeof *a + sizeof a->rr[0] + SIZE);
		if (a == NULL)
			abort();
		a->status = DNS_FOUND;
		a->ttl = 60;
		a->n = 1;
		a->texts = SIZE;
		a->rr[0].text.len = SIZE;
		dns_cache_put(c, &q, a, 0);
	}
	a = (struct dns_answer *)dns_cache_get(c, &q, 0);
	CHECK("cache: texts are bounded in bytes too",
	    dns_cache_count(c) > 50 &&
		dns_cache_count(c) <= DNS_CACHE_BYTES / SIZE && a != NULL &&
		dns_text(a, 0).len == SIZE);
	dns_cache_free(&c);
}

/* Questions about names of any bytes are others. */
static void
any(void)
{
	struct dns_question host = question("example.org", DNS_MX), q;
	struct dns_cache *c = dns_cache_new(10);

	memset(&q, 0, sizeof q);
	if (dns_question_any(&q, "example.org", DNS_MX) != NULL)
		abort();
	dns_cache_put(c, &host, answer(DNS_FOUND, 60, 2), 0);
	CHECK("cache: hosts of any name are asked for anew",
	    dns_cache_get(c, &q, 0) == NULL);
	dns_cache_put(c, &q, answer(DNS_FOUND, 60, 3), 0);
	CHECK("cache: both are kept",
	    dns_cache_get(c, &q, 0)->n == 3 &&
		dns_cache_get(c, &host, 0)->n == 2);
	dns_cache_free(&c);
}

int
main(void)
{
	ttl();
	keys();
	bounds();
	texts();
	any();
	return unit_end();
}
