/*
 * Tokens and sets of keys: whatever comes is refused or is what it says.  No
 * token of a fuzzer is signed, so none is ever taken.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "lookup_jwt.h"
#include "lookup_sasl.h"

static const char set_text[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static void
try_token(struct slice in)
{
	static struct jwks *keys;
	struct jwt_want want = { .issuer = "joe",
		.audience = "mail",
		.user = "",
		.now = 1300819300 };
	char user[ADDR_MAX + 1];

	if (keys == NULL)
		MUST(jwks_parse(slice_of(set_text), &keys) == NULL);
	MUST(jwt_check(in, keys, &want, user) != NULL);
	MUST(user[0] == '\0');
}

static void
try_claims(struct slice in)
{
	struct jwt_want want = { .issuer = "joe",
		.audience = "mail",
		.user = "",
		.now = 1300819300 };
	char user[ADDR_MAX + 1];

	if (jwt_claims_check(in, &want, user) == NULL)
		MUST(sasl_name_check(slice_of(user)) == NULL);
	else
		MUST(user[0] == '\0');
}

static void
try_set(struct slice in)
{
	struct jwks *keys;

	if (jwks_parse(in, &keys) == NULL)
		MUST(keys != NULL);
	else
		MUST(keys == NULL);
	jwks_free(&keys);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len };
	char *copy;
	uint8_t which;

	fuzz_quiet();
	which = fuzz_byte(&all);
	all.p = copy = fuzz_copy(all.p, all.len);
	if (which % 3 == 0)
		try_token(all);
	else if (which % 3 == 1)
		try_set(all);
	else
		try_claims(all);
	free(copy);
	return 0;
}
