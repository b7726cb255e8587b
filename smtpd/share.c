/*
 * Places that clients share.  Runs in guard, over questions to the DNS, and in
 * session, over those to the guard.  Knows nothing of what they are for, and
 * never asks for the time: who waits has a deadline of his own.
 *
 * SPDX-License-Identifier: ISC
 */
#include "share.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "guard_client.h"
#include "guard_party.h"
#include "log.h"

#define BUCKETS 256 /* a power of two */

TAILQ_HEAD(share_places, share_place);

/* There as long as it wants a place. */
struct share_client {
	LIST_ENTRY(share_client) bucket;
	TAILQ_ENTRY(share_client) turn; /* while some of its places wait */
	struct party_key key;
	struct share_places waiting;
	unsigned int taken, n; /* n: those that wait too */
};

struct share {
	LIST_HEAD(, share_client) bucket[BUCKETS];
	TAILQ_HEAD(, share_client) turns;
	unsigned int max, most, taken, n;
	unsigned int held;
	uint64_t seed; /* strangers choose their addresses */
};

/* ---- clients ---- */

/* Those without an address are one. */
static struct share_client *
client_get(struct share *s, const char *text)
{
	struct share_client *c;
	struct party_key key;
	unsigned int i;

	if (!party_key_address(&key, SCOPE_CLIENT, text, 32, CLIENT_V6_BITS))
		memset(&key, 0, sizeof key);
	i = (unsigned int)XXH3_64bits_withSeed(&key, sizeof key, s->seed) &
	    (BUCKETS - 1);
	LIST_FOREACH(c, &s->bucket[i], bucket) {
		if (memcmp(&c->key, &key, sizeof key) == 0)
			return c;
	}
	c = xcalloc(1, sizeof *c);
	c->key = key;
	TAILQ_INIT(&c->waiting);
	LIST_INSERT_HEAD(&s->bucket[i], c, bucket);
	return c;
}

static void
client_unused(struct share_client *c)
{
	if (c->n > 0)
		return;
	LIST_REMOVE(c, bucket);
	free(c);
}

/* ---- turns ---- */

/* Whether it has less than it leaves to others. */
static bool
may_take(const struct share *s, const struct share_client *c)
{
	return c->taken < s->max - s->taken;
}

/* While a place is left, those who must wait have some: they are few. */
static struct share_client *
next_client(struct share *s)
{
	struct share_client *c;

	if (s->taken == s->max)
		return NULL;
	TAILQ_FOREACH(c, &s->turns, turn) {
		if (may_take(s, c))
			return c;
	}
	return NULL;
}

static void
take(struct share_place *p)
{
	p->taken = true;
	p->client->taken++;
	p->share->taken++;
}

/* It waits no more. */
static void
unqueue(struct share_place *p)
{
	struct share_client *c = p->client;

	TAILQ_REMOVE(&c->waiting, p, entry);
	if (TAILQ_EMPTY(&c->waiting))
		TAILQ_REMOVE(&p->share->turns, c, turn);
}

/* Gives what is left to those whose turn it is.  What fn() does may end any
 * place, and so any client. */
static void
serve(struct share *s)
{
	struct share_client *c;
	struct share_place *p;

	if (s->held > 0)
		return;
	s->held++;
	while ((c = next_client(s)) != NULL) {
		p = TAILQ_FIRST(&c->waiting);
		unqueue(p);
		take(p);
		if (!TAILQ_EMPTY(&c->waiting)) {
			TAILQ_REMOVE(&s->turns, c, turn);
			TAILQ_INSERT_TAIL(&s->turns, c, turn);
		}
		p->fn(p->arg);
	}
	s->held--;
}

/* ---- public ---- */

struct share *
share_new(unsigned int max, unsigned int most)
{
	struct share *s = xcalloc(1, sizeof *s);

	s->max = max;
	s->most = most;
	TAILQ_INIT(&s->turns);
	arc4random_buf(&s->seed, sizeof s->seed);
	return s;
}

void
share_free(struct share **s)
{
	if (*s == NULL)
		return;
	assert((*s)->n == 0);
	free(*s);
	*s = NULL;
}

enum share_is
share_take(struct share *s, struct share_place *p, const char *client,
    share_fn *fn, void *arg)
{
	struct share_client *c = client_get(s, client);

	assert(p->share == NULL);
	if (c->n >= s->most - s->n) {
		client_unused(c);
		return SHARE_NONE;
	}
	*p = (struct share_place){ .share = s,
		.client = c,
		.fn = fn,
		.arg = arg };
	s->n++;
	c->n++;
	if (TAILQ_EMPTY(&c->waiting) && may_take(s, c)) {
		take(p);
		return SHARE_TAKEN;
	}
	if (TAILQ_EMPTY(&c->waiting))
		TAILQ_INSERT_TAIL(&s->turns, c, turn);
	TAILQ_INSERT_TAIL(&c->waiting, p, entry);
	return SHARE_WAIT;
}

void
share_leave(struct share_place *p)
{
	struct share_client *c = p->client;
	struct share *s = p->share;

	if (s == NULL)
		return;
	if (p->taken) {
		c->taken--;
		s->taken--;
	} else
		unqueue(p);
	c->n--;
	s->n--;
	p->share = NULL;
	client_unused(c);
	serve(s);
}

void
share_hold(struct share *s)
{
	s->held++;
}

void
share_go_on(struct share *s)
{
	assert(s->held > 0);
	s->held--;
	serve(s);
}

unsigned int
share_count(const struct share *s)
{
	return s->n;
}
