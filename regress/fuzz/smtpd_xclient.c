/*
 * xclient_parse(): what is taken is what its attribute may be.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "session_xclient.h"
#include "smtp_addr.h"

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	static struct xclient x;
	char *copy = fuzz_copy(in, len);
	const char *text;
	size_t i;

	if (xclient_parse((struct slice){ copy, len }, &x) != NULL) {
		free(copy);
		return 0;
	}
	free(copy);
	for (i = 0; i < XCLIENT_ATTRS; i++) {
		text = x.attr[i].text;
		MUST(strlen(text) <= ADDR_MAX);
		MUST((x.attr[i].state == XCLIENT_SAID) == (text[0] != '\0'));
		MUST(slice_is_utf8(slice_of(text)));
		MUST(i == XCLIENT_LOGIN || slice_is_ascii(slice_of(text)));
		MUST(i == XCLIENT_LOGIN || strpbrk(text, " \r\n\t") == NULL);
	}
	text = x.attr[XCLIENT_NAME].text;
	MUST(text[0] == '\0' || smtp_domain_check(slice_of(text)) == NULL);
	MUST((x.attr[XCLIENT_PORT].state == XCLIENT_SAID) == (x.port != 0));
	return 0;
}
