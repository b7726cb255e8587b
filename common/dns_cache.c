/*
 * The cache of DNS answers: a hash table with a list in the order of use.
 * Used by deliver and guard.  Never grows beyond its bounds.
 *
 * SPDX-License-Identifier: ISC
 */
#include "dns_cache.h"

#include <bsd/sys/queue.h>

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "log.h"

#define BUCKETS 2048 /* a power of two */

struct entry {
	LIST_ENTRY(entry) bucket;
	TAILQ_ENTRY(entry) used; /* the longest unused is the first */
	struct dns_question q;
	struct dns_answer *answer;
	msec until;
};

struct dns_cache {
	LIST_HEAD(, entry) bucket[BUCKETS];
	TAILQ_HEAD(, entry) used;
	uint64_t seed; /* strangers choose the names: not their buckets too */
	unsigned int n, max;
	size_t bytes;
};

static size_t
entry_size(const struct entry *e)
{
	return sizeof *e + dns_answer_size(e->answer);
}

static unsigned int
bucket_of(const struct dns_cache *c, const struct dns_question *q)
{
	return (unsigned int)XXH3_64bits_withSeed(q->name, strlen(q->name),
		   c->seed + q->type) &
	    (BUCKETS - 1);
}

static struct entry *
find(struct dns_cache *c, const struct dns_question *q)
{
	struct entry *e;

	LIST_FOREACH(e, &c->bucket[bucket_of(c, q)], bucket) {
		if (e->q.type == q->type && e->q.any == q->any &&
		    strcmp(e->q.name, q->name) == 0)
			return e;
	}
	return NULL;
}

static void
entry_free(struct dns_cache *c, struct entry *e)
{
	LIST_REMOVE(e, bucket);
	TAILQ_REMOVE(&c->used, e, used);
	c->n--;
	c->bytes -= entry_size(e);
	free(e->answer);
	free(e);
}

struct dns_cache *
dns_cache_new(unsigned int max)
{
	struct dns_cache *c = xcalloc(1, sizeof *c);

	TAILQ_INIT(&c->used);
	arc4random_buf(&c->seed, sizeof c->seed);
	c->max = max;
	return c;
}

void
dns_cache_free(struct dns_cache **c)
{
	struct entry *e;

	if (*c == NULL)
		return;
	while ((e = TAILQ_FIRST(&(*c)->used)) != NULL)
		entry_free(*c, e);
	free(*c);
	*c = NULL;
}

const struct dns_answer *
dns_cache_get(struct dns_cache *c, const struct dns_question *q, msec now)
{
	struct entry *e = find(c, q);

	if (e == NULL)
		return NULL;
	if (e->until <= now) {
		entry_free(c, e);
		return NULL;
	}
	TAILQ_REMOVE(&c->used, e, used);
	TAILQ_INSERT_TAIL(&c->used, e, used);
	return e->answer;
}

void
dns_cache_put(struct dns_cache *c, const struct dns_question *q,
    struct dns_answer *answer, msec now)
{
	uint32_t most =
	    answer->status == DNS_FOUND ? DNS_TTL_MAX : DNS_TTL_NO_MAX;
	uint32_t ttl = answer->ttl < most ? answer->ttl : most;
	struct entry *e = find(c, q);

	if (e != NULL)
		entry_free(c, e);
	if (ttl == 0 || answer->status == DNS_LATER) {
		free(answer);
		return;
	}
	e = xcalloc(1, sizeof *e);
	e->q = *q;
	e->answer = answer;
	e->until = now + (msec)ttl * 1000;
	LIST_INSERT_HEAD(&c->bucket[bucket_of(c, q)], e, bucket);
	TAILQ_INSERT_TAIL(&c->used, e, used);
	c->n++;
	c->bytes += entry_size(e);
	while (c->n > c->max || c->bytes > DNS_CACHE_BYTES)
		entry_free(c, TAILQ_FIRST(&c->used));
}

unsigned int
dns_cache_count(const struct dns_cache *c)
{
	return c->n;
}
