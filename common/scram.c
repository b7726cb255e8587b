/*
 * Secrets of SCRAM-SHA-256: text forms, and making them from passwords.  Used
 * by lookup and smtpctl; keeps nothing, wipes what it made on the way.
 *
 * SPDX-License-Identifier: ISC
 */
#include "scram.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stringprep.h>

#include "base64.h"
#include "num.h"

/* ---- as text ---- */

/* Takes the text before the first stop off the front of s, and the stop.
 * False: there is none. */
static bool
take(struct slice *s, char stop, struct slice *out)
{
	const char *at = s->len == 0 ? NULL : memchr(s->p, stop, s->len);

	if (at == NULL)
		return false;
	*out = (struct slice){ s->p, (size_t)(at - s->p) };
	s->p += out->len + 1;
	s->len -= out->len + 1;
	return true;
}

static bool
take_key(struct slice text, uint8_t out[SCRAM_KEY])
{
	size_t len;

	return base64_parse(BASE64_PLAIN, text, out, SCRAM_KEY, &len) == NULL &&
	    len == SCRAM_KEY;
}

const char *
scram_secret_parse(const char *text, struct scram_secret *out)
{
	struct slice rest = slice_of(text), iter, salt, stored;
	char number[16];
	uint64_t n;

	memset(out, 0, sizeof *out);
	if (strncmp(text, SCRAM_PREFIX, strlen(SCRAM_PREFIX)) != 0)
		return "it does not begin with " SCRAM_PREFIX;
	rest.p += strlen(SCRAM_PREFIX);
	rest.len -= strlen(SCRAM_PREFIX);
	if (!take(&rest, ':', &iter) || !take(&rest, '$', &salt) ||
	    !take(&rest, ':', &stored))
		return "the form is " SCRAM_PREFIX "iterations:salt$key:key";
	if (!slice_copy(iter, number, sizeof number) ||
	    num_parse(number, SCRAM_ITER, SCRAM_ITER_MAX, &n) != NULL)
		return "iterations are a number of 4096 to 1000000";
	out->iter = (uint32_t)n;
	if (base64_parse(BASE64_PLAIN, salt, out->salt, sizeof out->salt,
		&out->n_salt) != NULL ||
	    out->n_salt == 0)
		return "the salt is not base64 of 1 to 64 bytes";
	if (!take_key(stored, out->stored) || !take_key(rest, out->server))
		return "a key is not base64 of 32 bytes";
	return NULL;
}

void
scram_secret_print(const struct scram_secret *s, char out[SCRAM_TEXT_MAX])
{
	char salt[BASE64_LEN(SCRAM_SALT_MAX) + 1];
	char stored[BASE64_LEN(SCRAM_KEY) + 1],
	    server[BASE64_LEN(SCRAM_KEY) + 1];

	base64_print(BASE64_PLAIN, s->salt, s->n_salt, salt);
	base64_print(BASE64_PLAIN, s->stored, SCRAM_KEY, stored);
	base64_print(BASE64_PLAIN, s->server, SCRAM_KEY, server);
	snprintf(out, SCRAM_TEXT_MAX, SCRAM_PREFIX "%u:%s$%s:%s", s->iter, salt,
	    stored, server);
}

/* ---- preparation ---- */

/* True: plain ASCII, which SASLprep leaves as it is. */
static bool
is_ascii(struct slice s)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	}
	return true;
}

const char *
scram_prepare(struct slice in, char *out, size_t size)
{
	if (!slice_copy(in, out, size))
		return "too long, or a NUL in it";
	if (in.len == 0)
		return "empty";
	if (is_ascii(in))
		return NULL;
	if (slice_is_utf8(in) &&
	    stringprep(out, size, 0, stringprep_saslprep) == STRINGPREP_OK &&
	    out[0] != '\0')
		return NULL;
	explicit_bzero(out, size);
	return "a character that SASLprep (RFC 4013) does not take";
}

/* ---- keys ---- */

bool
scram_is_printable(struct slice s)
{
	size_t i;

	for (i = 0; i < s.len; i++) {
		if (s.p[i] < '!' || s.p[i] > '~' || s.p[i] == ',')
			return false;
	}
	return s.len > 0;
}

bool
scram_take(struct slice *s, char attribute, struct slice *value)
{
	const char *comma;

	if (s->len < 2 || s->p[0] != attribute || s->p[1] != '=')
		return false;
	*value = (struct slice){ s->p + 2, s->len - 2 };
	comma = value->len == 0 ? NULL : memchr(value->p, ',', value->len);
	if (comma != NULL)
		value->len = (size_t)(comma - value->p);
	s->p += 2 + value->len + (comma != NULL);
	s->len -= 2 + value->len + (comma != NULL);
	return true;
}

bool
scram_hmac(const uint8_t *key, size_t n_key, const void *p, size_t len,
    uint8_t out[SCRAM_KEY])
{
	unsigned int n = 0;

	return HMAC(EVP_sha256(), key, (int)n_key, p, len, out, &n) != NULL &&
	    n == SCRAM_KEY;
}

bool
scram_derive_client(struct scram_secret *s, const char *password,
    uint8_t key[SCRAM_KEY])
{
	uint8_t salted[SCRAM_KEY];
	bool ok;

	ok = PKCS5_PBKDF2_HMAC(password, (int)strlen(password), s->salt,
		 (int)s->n_salt, (int)s->iter, EVP_sha256(), SCRAM_KEY,
		 salted) == 1 &&
	    scram_hmac(salted, SCRAM_KEY, "Client Key", 10, key) &&
	    scram_hmac(salted, SCRAM_KEY, "Server Key", 10, s->server) &&
	    SHA256(key, SCRAM_KEY, s->stored) != NULL;
	OPENSSL_cleanse(salted, sizeof salted);
	return ok;
}

bool
scram_derive(struct scram_secret *s, const char *password)
{
	uint8_t key[SCRAM_KEY];
	bool ok = scram_derive_client(s, password, key);

	OPENSSL_cleanse(key, sizeof key);
	return ok;
}
