/*
 * Answers of the DNS, kept for their TTL, the longest unused going first when
 * there are too many.  Times are given by the caller, so that tests need not
 * wait.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_DNS_CACHE_H
#define COMMON_DNS_CACHE_H

#include <stddef.h>

#include "dns_packet.h"
#include "num.h"

#define DNS_TTL_MAX     86400 /* seconds; a day is enough for anything */
#define DNS_TTL_NO_MAX  900   /* ... and this for a "no" */
#define DNS_CACHE_BYTES ((size_t)8 << 20)

struct dns_cache;

/* max: answers kept.  The ceiling in bytes is DNS_CACHE_BYTES. */
struct dns_cache *dns_cache_new(unsigned int max);
void dns_cache_free(struct dns_cache **c);

/* What is known of q at now, or NULL.  The answer lives until the next call. */
const struct dns_answer *dns_cache_get(struct dns_cache *c,
    const struct dns_question *q, msec now);

/* Keeps an answer, which is taken over; one with ttl 0 or DNS_LATER is not
 * kept.  Replaces what was known. */
void dns_cache_put(struct dns_cache *c, const struct dns_question *q,
    struct dns_answer *answer, msec now);

/* Answers in it. */
unsigned int dns_cache_count(const struct dns_cache *c);

#endif
