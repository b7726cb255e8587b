/*
 * trailer_parse(): one spelling, so what is read prints as it was.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "trailer.h"

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	char out[TRAILER_LEN];
	struct trailer t;

	if (trailer_parse((const char *)in, len, &t) != NULL)
		return 0;
	MUST(len == TRAILER_LEN);
	trailer_print(&t, out);
	MUST(memcmp(out, in, len) == 0);
	return 0;
}
