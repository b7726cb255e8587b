/*
 * proxy_parse(): whatever comes first, it is the same header however it is
 * cut, MORE never ends behind one, and what follows changes nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "session_proxy.h"

static void
must_agree(const struct proxy_header *a, const struct proxy_header *b)
{
	MUST(a->known == b->known && a->used == b->used);
	MUST(memcmp(&a->src, &b->src, sizeof a->src) == 0);
	MUST(memcmp(&a->dst, &b->dst, sizeof a->dst) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct proxy_header whole, part;
	enum proxy_got got, now;
	uint8_t *copy;
	size_t cut;
	bool v1;

	if (len < 1)
		return 0;
	v1 = (in[0] & 1) != 0;
	in++;
	len--;
	got = proxy_parse(in, len, v1, &whole);
	if (got == PROXY_GOOD) {
		MUST(whole.used > 0 && whole.used <= len);
		MUST(!whole.known ||
		    whole.src.ss_family == whole.dst.ss_family);
	}
	MUST(got != PROXY_MORE || len < PROXY_V2_MAX);
	MUST(got != PROXY_BAD || whole.why != NULL);
	for (cut = 0; cut <= len && cut < 200; cut++) {
		copy = fuzz_copy(in, cut);
		now = proxy_parse(copy, cut, v1, &part);
		free(copy);
		if (got != PROXY_GOOD) {
			MUST(now != PROXY_GOOD);
			continue;
		}
		MUST(now == (cut < whole.used ? PROXY_MORE : PROXY_GOOD));
		if (now == PROXY_GOOD)
			must_agree(&whole, &part);
	}
	return 0;
}
