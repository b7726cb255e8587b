/*
 * address_next(): each address is a piece of the list, behind the one before
 * it, and the list comes to its end.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "sendmail_address.h"

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice list = { (const char *)in, len }, address;
	const char *before = list.p, *end = list.p + len, *why;

	do {
		before = list.p;
		why = address_next(&list, &address);
		MUST(list.p >= before && list.p + list.len == end);
		if (address.len == 0)
			break;
		MUST(why == NULL && list.p > before);
		MUST(address.p >= before && address.p + address.len <= list.p);
		MUST(memchr(" \t\r\n", address.p[0], 4) == NULL);
		MUST(memchr(" \t\r\n", address.p[address.len - 1], 4) == NULL);
	} while (why == NULL);
	MUST(why != NULL || list.len == 0);
	return 0;
}
