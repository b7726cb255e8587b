/*
 * The messages of SASL clients: each parser takes whatever comes, keeps to
 * it, and what it takes holds what it says.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "base64.h"
#include "lookup_auth_secret.h"
#include "lookup_sasl.h"

static void
inside(struct slice part, struct slice all)
{
	MUST(part.p >= all.p && part.p + part.len <= all.p + all.len);
}

static void
try_plain(struct slice in)
{
	struct sasl_plain p;

	if (sasl_plain_parse(in, &p) != NULL)
		return;
	inside(p.authzid, in);
	inside(p.authcid, in);
	inside(p.password, in);
	MUST(p.authzid.len + p.authcid.len + p.password.len + 2 == in.len);
	MUST(sasl_name_check(p.authcid) == NULL && p.password.len > 0);
}

static void
try_cram(struct slice in)
{
	struct sasl_cram c;

	if (sasl_cram_parse(in, &c) != NULL)
		return;
	inside(c.user, in);
	inside(c.digest, in);
	MUST(c.user.len + 1 + c.digest.len == in.len);
}

static void
try_first(struct slice in)
{
	struct scram_first f;

	if (scram_first_parse(in, &f) != NULL)
		return;
	inside(f.header, in);
	inside(f.bare, in);
	inside(f.nonce, f.bare);
	MUST(f.header.len + f.bare.len == in.len);
	MUST(sasl_name_check(slice_of(f.user)) == NULL || f.user[0] != '\0');
	MUST((f.binding == BINDING_USED) == (f.binding_name.len > 0));
}

static void
try_final(struct slice in)
{
	struct scram_final f;

	if (scram_final_parse(in, &f) != NULL)
		return;
	inside(f.binding, in);
	inside(f.nonce, in);
	inside(f.without_proof, in);
	MUST(f.nonce.len > 0 && f.without_proof.len < in.len);
}

static void
try_oauth(struct slice in, bool x)
{
	struct sasl_oauth o;

	if ((x ? sasl_xoauth2_parse(in, &o) : sasl_oauth_parse(in, &o)) != NULL)
		return;
	inside(o.token, in);
	MUST(o.token.len > 0);
	MUST(o.user[0] == '\0' || sasl_name_check(slice_of(o.user)) == NULL);
}

/* There is one text for each row of bytes. */
static void
try_base64(struct slice in, enum base64_kind kind)
{
	uint8_t bytes[4096];
	char text[BASE64_LEN(sizeof bytes) + 1];
	size_t len;

	if (in.len > sizeof bytes ||
	    base64_parse(kind, in, bytes, sizeof bytes, &len) != NULL)
		return;
	MUST(base64_print(kind, bytes, len, text) == in.len);
	MUST(memcmp(text, in.p, in.len) == 0);
}

static void
try_secret(struct slice in)
{
	struct scram_secret s, again;
	struct secrets all = { 0 };
	char *text = fuzz_text(in), printed[SCRAM_TEXT_MAX];

	if (scram_secret_parse(text, &s) == NULL) {
		scram_secret_print(&s, printed);
		MUST(scram_secret_parse(printed, &again) == NULL);
		MUST(memcmp(&s, &again, sizeof s) == 0);
		MUST(secret_kind(text) == SECRET_SCRAM ||
		    strlen(text) > SECRET_MAX);
	}
	secrets_note(&all, secret_of("user", text));
	(void)secret_is_weak(text);
	MUST(secrets_mechs(&all) != 0);
	free(text);
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
	switch (which % 8) {
	case 0:
		try_plain(all);
		break;
	case 1:
		try_cram(all);
		break;
	case 2:
		try_first(all);
		break;
	case 3:
		try_final(all);
		break;
	case 4:
	case 5:
		try_oauth(all, which % 8 == 5);
		break;
	case 6:
		try_base64(all, which & 8 ? BASE64_URL : BASE64_PLAIN);
		break;
	default:
		try_secret(all);
		break;
	}
	free(copy);
	return 0;
}
