/*
 * CRAM-MD5 (RFC 2195): our challenge, signed with the user's password, which
 * the table must have as it is.  Runs in lookup; keeps nothing between the two
 * steps: the challenge comes back with the second.
 *
 * SPDX-License-Identifier: ISC
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "lookup_auth_parts.h"
#include "lookup_sasl.h"

#define CHALLENGE_MAX 300

/* user SP digest; the user may have blanks. */
const char *
sasl_cram_parse(struct slice message, struct sasl_cram *out)
{
	static const char hex[] = "0123456789abcdef";
	size_t i, at;

	memset(out, 0, sizeof *out);
	if (message.len < CRAM_DIGEST + 1)
		return "too short";
	at = message.len - CRAM_DIGEST;
	if (message.p[at - 1] != ' ')
		return "no blank before the digest";
	out->user = (struct slice){ message.p, at - 1 };
	out->digest = (struct slice){ message.p + at, CRAM_DIGEST };
	for (i = 0; i < CRAM_DIGEST; i++) {
		if (memchr(hex, out->digest.p[i], sizeof hex - 1) == NULL)
			return "a digest is of lower case hexadecimal digits";
	}
	return sasl_name_check(out->user);
}

bool
sasl_cram_digest(const char *password, struct slice challenge,
    char out[CRAM_DIGEST + 1])
{
	uint8_t md[EVP_MAX_MD_SIZE];
	unsigned int i, n = 0;

	if (HMAC(EVP_md5(), password, (int)strlen(password),
		(const uint8_t *)challenge.p, challenge.len, md, &n) == NULL ||
	    n != CRAM_DIGEST / 2)
		return false;
	for (i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", md[i]);
	return true;
}

void
sasl_cram_first(struct auth *a)
{
	char text[CHALLENGE_MAX];
	const struct conf *c = a->all->conf;
	uint64_t random[2];
	int n;

	if (RAND_bytes((uint8_t *)random, sizeof random) != 1) {
		auth_later(a);
		return;
	}
	n = snprintf(text, sizeof text, "<%" PRIu64 "%" PRIu64 ".%lld@%s>",
	    random[0], random[1], (long long)time(NULL),
	    conf_text(c, c->hostname));
	if (n < 0 || (size_t)n >= sizeof text)
		n = snprintf(text, sizeof text, "<%" PRIu64 "%" PRIu64 "@x>",
		    random[0], random[1]);
	auth_challenge(a, text, (size_t)n, text, (size_t)n);
}

static void
found(struct auth *a, const char *secret)
{
	struct slice challenge = { (const char *)a->ask.before,
		a->ask.n_before };
	struct sasl_cram said;
	char digest[CRAM_DIGEST + 1];
	bool same;

	if (secret != NULL && secret_kind(secret) != SECRET_PLAIN)
		secret = NULL;
	(void)sasl_cram_parse(auth_message(a), &said);
	if (!sasl_cram_digest(secret == NULL ? "" : secret_plain(secret),
		challenge, digest)) {
		auth_later(a);
		return;
	}
	same = CRYPTO_memcmp(digest, said.digest.p, CRAM_DIGEST) == 0;
	if (same && secret != NULL)
		auth_passed(a, a->name);
	else
		auth_failed(a, a->name);
}

void
sasl_cram_last(struct auth *a)
{
	struct sasl_cram said;

	if (a->ask.n_before == 0 ||
	    sasl_cram_parse(auth_message(a), &said) != NULL) {
		auth_failed(a, "");
		return;
	}
	(void)slice_copy(said.user, a->name, sizeof a->name);
	auth_credentials(a, a->name, found);
}
