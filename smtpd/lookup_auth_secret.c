/*
 * Secrets of users: their forms, and passwords held against them.  Runs in
 * lookup, the checks in its threads; keeps nothing, logs nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_auth_secret.h"

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "ipc_table.h"
#include "scram.h"

#define PLAIN_PREFIX "{PLAIN}"

#define BY_PASSWORD (1u << SASL_PLAIN | 1u << SASL_LOGIN)
#define BY_SCRAM    (1u << SASL_SCRAM | 1u << SASL_SCRAM_PLUS)

/* What each can check.  A secret that fits nothing is in nobody's way. */
static const uint32_t mechs_of[] = {
	[SECRET_BAD] = UINT32_MAX,
	[SECRET_LOCKED] = UINT32_MAX,
	[SECRET_CRYPT] = BY_PASSWORD,
	[SECRET_SCRAM] = BY_PASSWORD | BY_SCRAM,
	[SECRET_PLAIN] = BY_PASSWORD | BY_SCRAM | 1u << SASL_CRAM_MD5,
};

#define KINDS (sizeof mechs_of / sizeof mechs_of[0])

/* ---- forms ---- */

/* What Dovecot writes in front of hashes that crypt(3) takes. */
static const char *const crypt_prefixes[] = { "{CRYPT}", "{BLF-CRYPT}",
	"{SHA512-CRYPT}", "{SHA256-CRYPT}", "{MD5-CRYPT}", "{DES-CRYPT}" };

/* crypt(3)'s part of the text. */
static const char *
crypt_hash(const char *secret)
{
	size_t i, n;

	for (i = 0; i < sizeof crypt_prefixes / sizeof crypt_prefixes[0]; i++) {
		n = strlen(crypt_prefixes[i]);
		if (strncasecmp(secret, crypt_prefixes[i], n) == 0)
			return secret + n;
	}
	return secret;
}

/* The oldest form has no mark: 13 letters of its alphabet. */
static bool
is_des(const char *s)
{
	return strlen(s) == 13 &&
	    s[strspn(s,
		"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")] ==
	    '\0';
}

static bool
is_crypt(const char *s)
{
	int salt;

	if (s[0] != '$' && s[0] != '_' && !is_des(s))
		return false;
	salt = crypt_checksalt(s);
	return salt == CRYPT_SALT_OK || salt == CRYPT_SALT_METHOD_LEGACY ||
	    salt == CRYPT_SALT_TOO_CHEAP;
}

static bool
has_prefix(const char *s, const char *prefix)
{
	return strncasecmp(s, prefix, strlen(prefix)) == 0;
}

enum secret_kind
secret_kind(const char *secret)
{
	struct scram_secret scram;
	const char *hash = crypt_hash(secret);

	if (strlen(secret) > SECRET_MAX)
		return SECRET_BAD;
	if (hash[0] == '*' || hash[0] == '!')
		return SECRET_LOCKED;
	if (has_prefix(secret, PLAIN_PREFIX))
		return secret[strlen(PLAIN_PREFIX)] == '\0' ? SECRET_BAD :
							      SECRET_PLAIN;
	if (scram_secret_parse(secret, &scram) == NULL)
		return SECRET_SCRAM;
	return is_crypt(hash) ? SECRET_CRYPT : SECRET_BAD;
}

const char *
secret_plain(const char *secret)
{
	return secret + strlen(PLAIN_PREFIX);
}

bool
secret_is_weak(const char *secret)
{
	const char *hash = crypt_hash(secret);

	return secret_kind(secret) == SECRET_CRYPT &&
	    crypt_checksalt(hash) != CRYPT_SALT_OK;
}

/*
 * "user:secret", or the secret alone, which may have colons of its own where
 * the table's entry was taken as it stands.
 */
const char *
secret_of(const char *key, const char *value)
{
	size_t n = strlen(key);
	const char *colon;

	if (strncasecmp(value, key, n) == 0 && value[n] == ':')
		return value + n + 1;
	if (secret_kind(value) != SECRET_BAD ||
	    (colon = strchr(value, ':')) == NULL)
		return value;
	return colon + 1;
}

/* ---- a table's secrets ---- */

/* The slower the better: crypt(3), then SCRAM, then the password itself. */
static bool
is_better(enum secret_kind kind, const char *sample)
{
	return kind >= SECRET_CRYPT &&
	    (sample[0] == '\0' || kind < secret_kind(sample));
}

void
secrets_note(struct secrets *all, const char *secret)
{
	enum secret_kind kind = secret_kind(secret);

	/* Of a large table most are like those before. */
	if ((all->kinds & 1u << kind) == 0 && is_better(kind, all->sample))
		snprintf(all->sample, sizeof all->sample, "%s", secret);
	all->kinds |= 1u << kind;
	if (kind == SECRET_CRYPT && !all->weak)
		all->weak = secret_is_weak(secret);
}

uint32_t
secrets_mechs(const struct secrets *all)
{
	uint32_t found = UINT32_MAX;
	size_t i;

	for (i = 0; i < KINDS; i++) {
		if ((all->kinds & 1u << i) != 0)
			found &= mechs_of[i];
	}
	return found == UINT32_MAX ? BY_PASSWORD : found;
}

/* ---- checks ---- */

static enum verdict
check_crypt(const char *secret, const char *password)
{
	const char *hash = crypt_hash(secret), *made;
	struct crypt_data *data = calloc(1, sizeof *data);
	enum verdict v = NEVER;
	size_t len = strlen(hash);

	if (data == NULL)
		return LATER;
	made = crypt_rn(password, hash, data, (int)sizeof *data);
	if (made == NULL || made[0] == '*')
		/* ERANGE: longer than any password that was ever hashed. */
		v = errno == ERANGE ? NEVER : LATER;
	else if (strlen(made) == len && CRYPTO_memcmp(made, hash, len) == 0)
		v = DONE;
	explicit_bzero(data, sizeof *data);
	free(data);
	return v;
}

static enum verdict
check_scram(const char *secret, const char *password)
{
	struct scram_secret has, made;
	char prepared[SCRAM_PASS_MAX];
	enum verdict v = NEVER;

	if (scram_secret_parse(secret, &has) != NULL)
		return LATER;
	if (scram_prepare(slice_of(password), prepared, sizeof prepared) !=
	    NULL)
		return NEVER;
	made = has;
	if (!scram_derive(&made, prepared))
		v = LATER;
	else if (CRYPTO_memcmp(made.stored, has.stored, SCRAM_KEY) == 0)
		v = DONE;
	explicit_bzero(prepared, sizeof prepared);
	return v;
}

/* Of digests, so that the lengths do not matter. */
static enum verdict
check_plain(const char *secret, const char *password)
{
	char has[SCRAM_PASS_MAX], said[SCRAM_PASS_MAX];
	uint8_t a[SHA256_DIGEST_LENGTH], b[SHA256_DIGEST_LENGTH];
	enum verdict v = NEVER;

	if (scram_prepare(slice_of(secret_plain(secret)), has, sizeof has) !=
	    NULL)
		return LATER;
	if (scram_prepare(slice_of(password), said, sizeof said) == NULL) {
		SHA256((const uint8_t *)has, strlen(has), a);
		SHA256((const uint8_t *)said, strlen(said), b);
		if (CRYPTO_memcmp(a, b, sizeof a) == 0)
			v = DONE;
		explicit_bzero(a, sizeof a);
		explicit_bzero(b, sizeof b);
		explicit_bzero(said, sizeof said);
	}
	explicit_bzero(has, sizeof has);
	return v;
}

enum verdict
secret_check(const char *secret, const char *password)
{
	switch (secret_kind(secret)) {
	case SECRET_BAD:
		break;
	case SECRET_LOCKED:
		return NEVER;
	case SECRET_CRYPT:
		return check_crypt(secret, password);
	case SECRET_SCRAM:
		return check_scram(secret, password);
	case SECRET_PLAIN:
		return check_plain(secret, password);
	}
	return LATER;
}
