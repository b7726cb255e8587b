/*
 * A hash table of parties with a list of the idle ones of each scope in the
 * order of use.  Runs in guard.  Strangers choose the keys, so the hash is
 * seeded.
 *
 * SPDX-License-Identifier: ISC
 */
#include "guard_party.h"

#include <arpa/inet.h>

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bsd/stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "log.h"

#define BUCKETS 16384 /* a power of two */

TAILQ_HEAD(idle_list, party);

struct parties {
	LIST_HEAD(, party) bucket[BUCKETS];
	struct idle_list idle[SCOPES];
	unsigned int n[SCOPES];
	uint64_t seed;
};

static const unsigned int scope_max[SCOPES] = {
#define X(name, max) [SCOPE_##name] = (max),
	SCOPE_TABLE(X)
#undef X
};

static unsigned int
bucket_of(const struct parties *ps, const struct party_key *key)
{
	return (unsigned int)XXH3_64bits_withSeed(key, sizeof *key, ps->seed) &
	    (BUCKETS - 1);
}

struct parties *
parties_new(void)
{
	struct parties *ps = xcalloc(1, sizeof *ps);
	unsigned int i;

	for (i = 0; i < SCOPES; i++)
		TAILQ_INIT(&ps->idle[i]);
	arc4random_buf(&ps->seed, sizeof ps->seed);
	return ps;
}

static void
party_free(struct parties *ps, struct party *p)
{
	LIST_REMOVE(p, bucket);
	if (p->sessions == 0)
		TAILQ_REMOVE(&ps->idle[p->key.scope], p, idle);
	ps->n[p->key.scope]--;
	free(p);
}

void
parties_free(struct parties **ps)
{
	struct party *p;
	unsigned int i;

	if (*ps == NULL)
		return;
	for (i = 0; i < BUCKETS; i++) {
		while ((p = LIST_FIRST(&(*ps)->bucket[i])) != NULL)
			party_free(*ps, p);
	}
	free(*ps);
	*ps = NULL;
}

struct party *
party_find(struct parties *ps, const struct party_key *key)
{
	struct party *p;

	LIST_FOREACH(p, &ps->bucket[bucket_of(ps, key)], bucket) {
		if (memcmp(&p->key, key, sizeof *key) == 0)
			return p;
	}
	return NULL;
}

/* The longest idle go; those with sessions cannot, but sessions are few. */
static void
make_room(struct parties *ps, enum scope scope)
{
	struct party *p;

	while (ps->n[scope] >= scope_max[scope] &&
	    (p = TAILQ_FIRST(&ps->idle[scope])) != NULL)
		party_free(ps, p);
}

struct party *
party_get(struct parties *ps, const struct party_key *key)
{
	struct idle_list *idle = &ps->idle[key->scope];
	struct party *p = party_find(ps, key);

	if (p != NULL && p->sessions > 0)
		return p;
	if (p != NULL)
		TAILQ_REMOVE(idle, p, idle);
	else {
		make_room(ps, key->scope);
		p = xcalloc(1, sizeof *p);
		p->key = *key;
		LIST_INSERT_HEAD(&ps->bucket[bucket_of(ps, key)], p, bucket);
		ps->n[key->scope]++;
	}
	TAILQ_INSERT_TAIL(idle, p, idle);
	return p;
}

void
party_enter(struct parties *ps, struct party *p)
{
	if (p->sessions++ == 0)
		TAILQ_REMOVE(&ps->idle[p->key.scope], p, idle);
}

void
party_leave(struct parties *ps, struct party *p)
{
	assert(p->sessions > 0);
	if (--p->sessions == 0)
		TAILQ_INSERT_TAIL(&ps->idle[p->key.scope], p, idle);
}

unsigned int
parties_count(const struct parties *ps, enum scope scope)
{
	return ps->n[scope];
}

/* ---- keys ---- */

static void
cut_bits(uint8_t *addr, size_t len, unsigned int bits)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (bits >= 8 * (i + 1))
			continue;
		addr[i] &=
		    bits <= 8 * i ? 0 : (uint8_t)(0xff << (8 * (i + 1) - bits));
	}
}

bool
party_key_address(struct party_key *key, enum scope scope, const char *ip,
    unsigned int v4, unsigned int v6)
{
	memset(key, 0, sizeof *key);
	key->scope = (uint8_t)scope;
	if (inet_pton(AF_INET, ip, key->id) == 1) {
		key->family = 4;
		key->bits = (uint8_t)(v4 < 32 ? v4 : 32);
		cut_bits(key->id, 4, key->bits);
		return true;
	}
	if (inet_pton(AF_INET6, ip, key->id) != 1)
		return false;
	key->family = 6;
	key->bits = (uint8_t)(v6 < 128 ? v6 : 128);
	cut_bits(key->id, 16, key->bits);
	return true;
}

/* 128 bits with a seed of our own: nobody finds two users that share one. */
static void
hash_user(const struct parties *ps, const char *user, uint64_t more,
    uint8_t id[16])
{
	char lower[ADDR_MAX + 1];
	XXH128_hash_t hash;
	size_t i;

	for (i = 0; user[i] != '\0' && i < ADDR_MAX; i++)
		lower[i] = (char)tolower((unsigned char)user[i]);
	hash = XXH3_128bits_withSeed(lower, i, ps->seed ^ more);
	memcpy(id, &hash, 16);
}

void
party_key_user(const struct parties *ps, struct party_key *key,
    const char *user)
{
	memset(key, 0, sizeof *key);
	key->scope = SCOPE_USER;
	hash_user(ps, user, 0, key->id);
}

void
party_key_friend(const struct parties *ps, struct party_key *key,
    const char *user, const struct party_key *client)
{
	memset(key, 0, sizeof *key);
	key->scope = SCOPE_FRIEND;
	hash_user(ps, user,
	    XXH3_64bits_withSeed(client, sizeof *client, ps->seed), key->id);
}

void
party_print(const struct party_key *key, char out[PARTY_TEXT_MAX + 1])
{
	char ip[IP_TEXT_MAX + 1] = "";
	unsigned int most = key->family == 4 ? 32 : 128;

	if (key->family == 0) {
		snprintf(out, PARTY_TEXT_MAX + 1, "user");
		return;
	}
	inet_ntop(key->family == 4 ? AF_INET : AF_INET6, key->id, ip,
	    sizeof ip);
	if (key->bits == most)
		snprintf(out, PARTY_TEXT_MAX + 1, "%s", ip);
	else
		snprintf(out, PARTY_TEXT_MAX + 1, "%s/%u", ip, key->bits);
}
