/*
 * What the file or the command of a `token` statement says: a token, and until
 * when it is good.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_TOKEN_TEXT_H
#define SMTPD_LOOKUP_TOKEN_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

#define TOKEN_TEXT_MAX 16384 /* bytes of all that is said */
#define TOKEN_MAX      8192  /* bytes of the token */
#define TOKEN_LIFE     300   /* seconds, where nobody says */

struct token_text {
	char token[TOKEN_MAX + 1]; /* empty: none */
	int64_t until;             /* it expires: seconds since 1970 */
};

/*
 * {"access_token": ..., "expires_in" | "expires_at" | "expiry": ...}, or the
 * token alone, whose own "exp" is read where it is a JWT (RFC 7519; nobody
 * here knows its signature).  made: when it was said, now: the time.  NULL,
 * or why not; the words hold nothing of it.  out is the caller's to wipe.
 */
const char *token_text_parse(struct slice text, int64_t made, int64_t now,
    struct token_text *out);

/* "2026-11-21T19:27:29.5+01:00" (RFC 3339 5.6).  False: it is none. */
bool token_time_parse(struct slice text, int64_t *out);

#endif
