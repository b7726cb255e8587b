/*
 * Long answers: kept for a while, in a bounded number of places.  Runs in
 * lookup.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_pages.h"

#include <string.h>

#include <xxhash.h>

#include "loop.h"

void
pages_free(struct pages *p)
{
	buf_free(&p->text);
	buf_free(&p->ends);
	memset(p, 0, sizeof(*p));
}

struct pages *
pages_find(struct pages all[PAGES_MAX], uint64_t question, uint64_t sum)
{
	struct pages *p;

	for (p = all; p < all + PAGES_MAX; p++) {
		if (p->question == question && p->sum == sum &&
		    loop_msec() - p->at < PAGE_MSEC)
			return p;
	}
	return NULL;
}

struct pages *
pages_new(struct pages all[PAGES_MAX], uint64_t question, uint64_t sum,
    const struct outcome *o)
{
	struct pages *p, *old = all;

	for (p = all; p < all + PAGES_MAX; p++) {
		if (p->question == question) {
			old = p;
			break;
		}
		if (p->at < old->at)
			old = p;
	}
	pages_free(old);
	buf_init(&old->text, PAGES_BYTES);
	buf_init(&old->ends, 0);
	old->question = question;
	old->sum = sum;
	old->at = loop_msec();
	old->outcome = *o;
	return old;
}

bool
pages_add(struct pages *p, const char *item, size_t len)
{
	uint32_t end;

	if (!buf_add(&p->text, item, len))
		return false;
	end = (uint32_t)p->text.len;
	if (!buf_add(&p->ends, &end, sizeof(end)))
		return false;
	p->n++;
	return true;
}

static uint32_t
pages_end(const struct pages *p, uint32_t i)
{
	uint32_t end;

	if (i == 0)
		return 0;
	memcpy(&end, buf_data(&p->ends) + (i - 1) * sizeof(end), sizeof(end));
	return end;
}

uint32_t
pages_copy(const struct pages *p, uint32_t from, char *out, size_t size)
{
	uint32_t start, to = from;

	if (from >= p->n)
		return 0;
	start = pages_end(p, from);
	while (to < p->n && pages_end(p, to + 1) - start <= size)
		to++;
	memcpy(out, buf_data(&p->text) + start, pages_end(p, to) - start);
	return to - from;
}

uint64_t
pages_question(uint64_t seed, const struct facts *f, const char *sender,
    const char *rcpt, const char *leaf)
{
	uint64_t sum = XXH3_64bits_withSeed(f, sizeof(*f), seed);

	sum = XXH3_64bits_withSeed(sender, strlen(sender) + 1, sum);
	sum = XXH3_64bits_withSeed(rcpt, strlen(rcpt) + 1, sum);
	sum = XXH3_64bits_withSeed(leaf, strlen(leaf) + 1, sum);
	return sum == 0 ? 1 : sum;
}
