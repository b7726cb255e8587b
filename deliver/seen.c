/*
 * What did not work lately.  Used by deliver.  Never says that something
 * works, and forgets rather than grows.
 *
 * SPDX-License-Identifier: ISC
 */
#include "seen.h"

#include <sys/queue.h>
#include <sys/un.h>

#include <netinet/in.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "log.h"

#define BUCKETS 1024 /* a power of two */

/* Known by the hash of its key: strangers choose keys, not the seed. */
struct row {
	LIST_ENTRY(row) mate; /* of its bucket */
	TAILQ_ENTRY(row) used;
	uint64_t key, route;
	msec until; /* left alone until then */
	msec bad;   /* the last failure */
	msec wait;
	char why[SEEN_WHY_MAX + 1];
};

struct seen {
	uint64_t seed;
	unsigned int n, max;
	LIST_HEAD(, row) bucket[BUCKETS];
	TAILQ_HEAD(, row) all; /* used last: at the end */
};

struct seen *
seen_new(unsigned int max)
{
	struct seen *s = xcalloc(1, sizeof *s);

	arc4random_buf(&s->seed, sizeof s->seed);
	TAILQ_INIT(&s->all);
	s->max = max;
	return s;
}

static void
row_free(struct seen *s, struct row *r)
{
	LIST_REMOVE(r, mate);
	TAILQ_REMOVE(&s->all, r, used);
	s->n--;
	free(r);
}

void
seen_free(struct seen **s)
{
	struct row *r;

	if (*s == NULL)
		return;
	while ((r = TAILQ_FIRST(&(*s)->all)) != NULL)
		row_free(*s, r);
	free(*s);
	*s = NULL;
}

/* ---- keys ---- */

static uint64_t
key_route(const struct seen *s, const char *route)
{
	return XXH3_64bits_withSeed(route, strlen(route), s->seed);
}

static uint64_t
key_family(const struct seen *s, const char *route, int family)
{
	return key_route(s, route) ^ (uint64_t)family * XXH_PRIME64_1;
}

static uint64_t
key_addr(const struct seen *s, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
	const struct sockaddr_un *un = (const struct sockaddr_un *)ss;
	uint8_t b[16 + 2 + 1] = { 0 };

	if (ss->ss_family == AF_UNIX)
		return XXH3_64bits_withSeed(un->sun_path,
		    strnlen(un->sun_path, sizeof un->sun_path), s->seed);
	if (ss->ss_family == AF_INET6)
		memcpy(b, &in6->sin6_addr, 16);
	else
		memcpy(b, &in->sin_addr, 4);
	/* Both families keep it in the same place. */
	memcpy(b + 16, &in->sin_port, 2);
	b[18] = ss->ss_family == AF_INET6 ? 6 : 4;
	return XXH3_64bits_withSeed(b, sizeof b, ~s->seed);
}

/* ---- rows ---- */

static struct row *
row_find(struct seen *s, uint64_t key)
{
	struct row *r;

	LIST_FOREACH(r, &s->bucket[key & (BUCKETS - 1)], mate) {
		if (r->key == key)
			break;
	}
	if (r != NULL) {
		TAILQ_REMOVE(&s->all, r, used);
		TAILQ_INSERT_TAIL(&s->all, r, used);
	}
	return r;
}

static void
row_bad(struct seen *s, uint64_t key, msec now, msec least, msec most,
    uint64_t route, const char *why)
{
	struct row *r = row_find(s, key);

	if (r == NULL) {
		if (s->n == s->max)
			row_free(s, TAILQ_FIRST(&s->all));
		r = xcalloc(1, sizeof *r);
		r->key = key;
		LIST_INSERT_HEAD(&s->bucket[key & (BUCKETS - 1)], r, mate);
		TAILQ_INSERT_TAIL(&s->all, r, used);
		s->n++;
	}
	if (r->wait == 0 || now > r->until + SEEN_FORGET_MS)
		r->wait = least;
	else if (now >= r->bad + r->wait)
		/* Not of those that were tried beside it. */
		r->wait = 2 * r->wait < most ? 2 * r->wait : most;
	r->bad = now;
	r->until = now + r->wait;
	r->route = route;
	strlcpy(r->why, why, sizeof r->why);
}

static void
row_good(struct seen *s, uint64_t key)
{
	struct row *r = row_find(s, key);

	if (r != NULL)
		row_free(s, r);
}

/* ---- public ---- */

enum seen_state
seen_addr(struct seen *s, const struct sockaddr_storage *ss, const char *route,
    msec now, struct seen_about *about)
{
	const struct row *r = row_find(s, key_addr(s, ss));

	if (about != NULL)
		memset(about, 0, sizeof *about);
	if (r == NULL || now > r->until + SEEN_FORGET_MS)
		return SEEN_WELL;
	if (about != NULL) {
		about->ago = now - r->bad;
		about->still = r->until > now ? r->until - now : 0;
		about->own = r->route == key_route(s, route);
		memcpy(about->why, r->why, sizeof about->why);
	}
	return now < r->until ? SEEN_DOWN : SEEN_DUE;
}

void
seen_addr_try(struct seen *s, const struct sockaddr_storage *ss, msec now)
{
	struct row *r = row_find(s, key_addr(s, ss));

	if (r != NULL && r->until < now + SEEN_PROBE_MS)
		r->until = now + SEEN_PROBE_MS;
}

void
seen_addr_bad(struct seen *s, const struct sockaddr_storage *ss,
    const char *route, const char *why, msec now)
{
	row_bad(s, key_addr(s, ss), now, SEEN_DOWN_MS, SEEN_DOWN_MAX_MS,
	    key_route(s, route), why);
}

void
seen_addr_good(struct seen *s, const struct sockaddr_storage *ss)
{
	row_good(s, key_addr(s, ss));
}

bool
seen_family(struct seen *s, const char *route, int family, msec now)
{
	const struct row *r = row_find(s, key_family(s, route, family));

	return r != NULL && now < r->until;
}

void
seen_family_try(struct seen *s, const char *route, int family, msec now)
{
	struct row *r = row_find(s, key_family(s, route, family));

	if (r != NULL && r->until < now + SEEN_PROBE_MS)
		r->until = now + SEEN_PROBE_MS;
}

void
seen_family_bad(struct seen *s, const char *route, int family, msec now)
{
	row_bad(s, key_family(s, route, family), now, SEEN_FAMILY_MS,
	    SEEN_FAMILY_MAX_MS, 0, "");
}

void
seen_family_good(struct seen *s, const char *route, int family)
{
	row_good(s, key_family(s, route, family));
}

/* Of an address; a family that goes last is 1. */
enum { RANK_DOWN = 2, RANKS };

unsigned int
seen_order(struct seen *s, const char *route, struct mx_list *list, msec now)
{
	const bool last4 = seen_family(s, route, AF_INET, now);
	const bool last6 = seen_family(s, route, AF_INET6, now);
	unsigned int i, k, rank[MX_ADDRS], n = 0, n_down = 0;
	struct mx_list was;

	if (s->n == 0)
		return 0;
	was = *list;
	for (i = 0; i < was.n; i++) {
		rank[i] = was.addr[i].ss.ss_family == AF_INET6 ? last6 : last4;
		if (seen_addr(s, &was.addr[i].ss, route, now, NULL) ==
		    SEEN_DOWN) {
			rank[i] = RANK_DOWN;
			n_down++;
		}
	}
	for (k = 0; k < RANKS; k++) {
		for (i = 0; i < was.n; i++) {
			if (rank[i] == k)
				list->addr[n++] = was.addr[i];
		}
	}
	return n_down;
}

unsigned int
seen_count(const struct seen *s)
{
	return s->n;
}
