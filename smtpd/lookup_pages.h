/*
 * Long answers, told page by page: who asks for the next one gets it from what
 * was found for the first.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_PAGES_H
#define SMTPD_LOOKUP_PAGES_H

#include "buf.h"
#include "facts.h"
#include "num.h"
#include "verdict.h"

#define PAGES_MAX   8 /* long answers that are kept, to be told page by page */
#define PAGE_MSEC   60000
#define PAGES_BYTES ((size_t)8 << 20) /* of one of them */

/* A long answer: addresses or steps, each with what ends it. */
struct pages {
	uint64_t question; /* its XXH3; 0: empty */
	uint64_t sum;      /* of the answer, as in expand_is */
	msec at;
	struct outcome outcome;
	char owner[ADDR_MAX + 1]; /* the sender of a message to them, or "" */
	uint32_t n;
	struct buf text;
	struct buf ends; /* uint32_t, n of them: where each ends in text */
};

/* The number of a question: seed and what it asks.  Never 0. */
uint64_t pages_question(uint64_t seed, const struct facts *f,
    const char *sender, const char *rcpt, const char *leaf);

/* The answer to it that has this sum; NULL: it was not kept. */
struct pages *pages_find(struct pages all[PAGES_MAX], uint64_t question,
    uint64_t sum);

/* An empty one for this question: that of an earlier answer to it, else the
 * oldest. */
struct pages *pages_new(struct pages all[PAGES_MAX], uint64_t question,
    uint64_t sum, const struct outcome *o);

/* False: no room. */
bool pages_add(struct pages *p, const char *item, size_t len);

/* As many items from number `from` on as fit; returns how many. */
uint32_t pages_copy(const struct pages *p, uint32_t from, char *out,
    size_t size);

void pages_free(struct pages *p);

#endif
