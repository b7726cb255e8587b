/*
 * What a file or a command says for a token: whatever comes, there is a token
 * of its letters that has not expired, or nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "lookup_jwt.h"
#include "lookup_token_text.h"

#define MADE 1799999000
#define NOW  1800000000

static void
try_text(struct slice in)
{
	static struct token_text found;
	size_t n;

	if (token_text_parse(in, MADE, NOW, &found) != NULL) {
		MUST(found.token[0] == '\0' && found.until == 0);
		return;
	}
	n = strlen(found.token);
	MUST(n > 0 && n <= TOKEN_MAX);
	MUST(strspn(found.token,
		 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=") ==
	    n);
	MUST(found.until > NOW);
}

static void
try_time(struct slice in)
{
	int64_t at;

	if (token_time_parse(in, &at))
		MUST(at > -86400 && at < INT64_C(300000000000));
}

static void
try_jwt(struct slice in)
{
	int64_t at = 0;

	if (jwt_exp(in, &at))
		MUST(at >= 0 && at < INT64_C(100000000000));
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len };
	char *copy;

	fuzz_quiet();
	all.p = copy = fuzz_copy(all.p, all.len);
	try_text(all);
	try_time(all);
	try_jwt(all);
	free(copy);
	return 0;
}
