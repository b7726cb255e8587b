/*
 * The part of a notification that is for a person.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_DSN_WORDS_H
#define QUEUE_DSN_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "dsn.h"

/* Adds its lines, in UTF-8 and ended by CRLF, none over 998 bytes.  False:
 * out is full. */
bool dsn_words(struct buf *out, const struct dsn *d);

/* What stands behind the colon in Subject: ASCII, or NULL. */
const char *dsn_brief(const struct dsn *d);

/* Adds a date (RFC 5322 3.3), in any locale.  False: out is full. */
bool dsn_date(struct buf *out, int64_t when);

#endif
