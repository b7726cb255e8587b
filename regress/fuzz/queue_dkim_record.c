/*
 * dkim_record_check(): a record of the DNS is that of our key only if its
 * whole key is ours.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "smtpctl_dkim_dns.h"

static const char key[] = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

/* The bytes of the key stand in text, in their order. */
static int
has_key(struct slice text)
{
	const char *p = key;
	size_t i;

	for (i = 0; i < text.len && *p != '\0'; i++)
		p += text.p[i] == *p;
	return *p == '\0';
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	char *copy = fuzz_copy(in, len);
	struct slice text = { copy, len };
	const char *rsa, *ed;

	rsa = dkim_record_check(text, "rsa", key);
	ed = dkim_record_check(text, "ed25519", key);
	MUST(rsa != NULL || ed != NULL);
	if (rsa == NULL || ed == NULL)
		MUST(has_key(text));
	MUST(ed != NULL || memmem(copy, len, "ed25519", 7) != NULL);
	free(copy);
	return 0;
}
