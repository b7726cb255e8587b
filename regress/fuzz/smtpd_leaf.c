/*
 * leaf_parse(): whatever was on disk, what is read is printed the same, but for
 * the queue's word behind it.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "lookup_leaf.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[LEAF_TEXT_MAX + 1], again[LEAF_TEXT_MAX + 1];
	struct leaf leaf, other;

	if (size > LEAF_TEXT_MAX || memchr(data, '\0', size) != NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (leaf_parse(text, &leaf) != NULL)
		return 0;
	MUST(leaf.kind != LEAF_NONE && leaf.n_chain <= LEAF_CHAIN_MAX);
	MUST(leaf.kind != LEAF_LIST || leaf.part < leaf.parts);
	/* What others escaped without need may be shorter now, never longer,
	 * unless it did not print. */
	if (!leaf_print(&leaf, again))
		return 0;
	MUST(leaf_parse(again, &other) == NULL);
	MUST(memcmp(&leaf, &other, sizeof(leaf)) == 0);
	return 0;
}
