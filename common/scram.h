/*
 * What SCRAM-SHA-256 keeps of a password (RFC 5802 3, RFC 7677), and how it is
 * written down (RFC 5803):
 *
 *   SCRAM-SHA-256$4096:SALT$STORED-KEY:SERVER-KEY
 *
 * smtpctl makes it, lookup reads it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_SCRAM_H
#define COMMON_SCRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

#define SCRAM_PREFIX   "SCRAM-SHA-256$"
#define SCRAM_KEY      32
#define SCRAM_SALT_MAX 64
#define SCRAM_SALT     16   /* bytes, where we choose */
#define SCRAM_ITER     4096 /* likewise; RFC 7677 4: the least there may be */
#define SCRAM_ITER_MAX 1000000
#define SCRAM_TEXT_MAX 256  /* of a secret, with its NUL */
#define SCRAM_PASS_MAX 1024 /* bytes of a prepared password, with its NUL */

struct scram_secret {
	uint32_t iter;
	size_t n_salt;
	uint8_t salt[SCRAM_SALT_MAX];
	uint8_t stored[SCRAM_KEY], server[SCRAM_KEY];
};

/* The text form.  NULL, or why it is none. */
const char *scram_secret_parse(const char *text, struct scram_secret *out);
void scram_secret_print(const struct scram_secret *s, char out[SCRAM_TEXT_MAX]);

/*
 * SASLprep (RFC 4013) of a name or password, as a query, into out (size bytes
 * with its NUL).  NULL, or why it is none; out is then the empty text.
 */
const char *scram_prepare(struct slice in, char *out, size_t size);

/* Fills stored and server from salt, iter and a prepared password; slow.
 * False: the library failed. */
bool scram_derive(struct scram_secret *s, const char *password);

/* Likewise, for who proves it; key is ClientKey, a secret. */
bool scram_derive_client(struct scram_secret *s, const char *password,
    uint8_t key[SCRAM_KEY]);

/* printable = %x21-2B / %x2D-7E (RFC 5802 7), one or more: a nonce. */
bool scram_is_printable(struct slice s);

/* "X=value" of a message: takes it off the front of s, and the comma behind it.
 * False: another attribute stands there, or none. */
bool scram_take(struct slice *s, char attribute, struct slice *value);

/* HMAC-SHA-256; false: the library failed. */
bool scram_hmac(const uint8_t *key, size_t n_key, const void *p, size_t len,
    uint8_t out[SCRAM_KEY]);

#endif
