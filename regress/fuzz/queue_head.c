/*
 * head_parse(): what is read is printed, and read again as the same; cut
 * short it asks for more and nothing else.  The sum is made right, or no
 * input would get past it.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include <inttypes.h>

#include <xxhash.h>

#include "head.h"

static void
must_be_same(const struct head *a, const struct head *b)
{
	uint32_t i;

	MUST(a->id == b->id && a->arrived == b->arrived);
	MUST(memcmp(&a->facts, &b->facts, sizeof a->facts) == 0);
	MUST(memcmp(&a->params, &b->params, sizeof a->params) == 0);
	MUST(strcmp(a->sender, b->sender) == 0 && a->n_rcpt == b->n_rcpt);
	MUST((a->of.addr == NULL) == (b->of.addr == NULL));
	MUST(a->of.addr == NULL ||
	    (a->of.id == b->of.id && a->of.n == b->of.n &&
		strcmp(a->of.addr, b->of.addr) == 0));
	for (i = 0; i < a->n_rcpt; i++)
		MUST(a->rcpt[i].state == b->rcpt[i].state &&
		    strcmp(a->rcpt[i].addr, b->rcpt[i].addr) == 0 &&
		    a->rcpt[i].notify == b->rcpt[i].notify &&
		    strcmp(a->rcpt[i].orcpt, b->rcpt[i].orcpt) == 0 &&
		    strcmp(a->rcpt[i].leaf, b->rcpt[i].leaf) == 0 &&
		    (a->rcpt[i].leaf[0] == '\0' || a->of.addr != NULL));
}

static void
must_come_back(struct head *h)
{
	struct arena arena;
	struct buf one, two;
	struct head again;
	uint32_t i;
	bool more;

	arena_init(&arena, 0);
	buf_init(&one, 0);
	buf_init(&two, 0);
	MUST(head_print(&one, h) && one.len == h->len);
	MUST(head_parse((const char *)buf_data(&one), one.len, &arena, &again,
		 &more) == NULL);
	must_be_same(h, &again);
	for (i = 0; i < again.n_rcpt; i++)
		MUST(again.rcpt[i].off == h->rcpt[i].off);
	MUST(head_print(&two, &again) && two.len == one.len);
	MUST(memcmp(buf_data(&one), buf_data(&two), one.len) == 0);
	buf_free(&one);
	buf_free(&two);
	arena_free(&arena);
}

static void
try_head(const char *in, size_t len, size_t cut)
{
	struct arena arena;
	struct head h;
	bool more;
	char *part;

	arena_init(&arena, 0);
	if (head_parse(in, len, &arena, &h, &more) == NULL) {
		MUST(!more && h.len <= len && h.n_rcpt > 0);
		cut %= h.len;
		must_come_back(&h);
		part = fuzz_copy(in, cut);
		MUST(head_parse(part, cut, &arena, &h, &more) != NULL && more);
		free(part);
	}
	arena_free(&arena);
}

/* In the bytes at p, each state as 'q': the lines "rcpt: X <". */
static void
states_to_q(char *p, size_t len)
{
	char *end = p + len, *lf;

	for (; p < end; p = lf + 1) {
		if (end - p > 6 && memcmp(p, "rcpt: ", 6) == 0)
			p[6] = 'q';
		if ((lf = memchr(p, '\n', (size_t)(end - p))) == NULL)
			break;
	}
}

/* in: where to cut, and a head without its last two lines. */
int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	char *head, *summed;

	if (len < 2)
		return 0;
	try_head((const char *)in + 2, len - 2, 0);
	summed = fuzz_copy(in + 2, len - 2);
	states_to_q(summed, len - 2);
	head = malloc(len - 2 + 24);
	memcpy(head, in + 2, len - 2);
	snprintf(head + len - 2, 24, "sum: %016" PRIx64 "\n\n",
	    (uint64_t)XXH3_64bits(summed, len - 2));
	try_head(head, len - 2 + 23, (size_t)in[0] << 8 | in[1]);
	free(summed);
	free(head);
	return 0;
}
