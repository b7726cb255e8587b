/*
 * How smtpctl(8) writes: JSON, text that is safe on a terminal, times, sizes.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_SMTPCTL_PRINT_H
#define QUEUE_SMTPCTL_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "verdict.h"

#define PRINT_TIME 48 /* bytes for print_span(), print_iso(), print_size() */

/* Seconds as people say them, the two largest units: "4m10s", "3d4h", "0s".
 * Negative: "0s".  Returns out. */
const char *print_span(int64_t seconds, char out[PRINT_TIME]);

/* Seconds since 1970 as "2026-02-03T04:05:06Z"; out of range: "".  Returns
 * out. */
const char *print_iso(int64_t when, char out[PRINT_TIME]);

/* Bytes: "812", "4.0K", "1.2M".  Returns out. */
const char *print_size(uint64_t bytes, char out[PRINT_TIME]);

#define PRINT_ABOUT 32

/* What a failure is about, and where it was said: "rate/rcpt"; "-" if that is
 * not known.  Returns out. */
const char *print_about(const struct outcome *o, char out[PRINT_ABOUT]);

/* Adds s as a terminal may have it: control characters and what is not UTF-8
 * become '?'. */
void print_text(struct buf *b, const char *s);

/* The same, then blanks up to width characters and one more. */
void print_column(struct buf *b, const char *s, size_t width);

/* Adds s in quotes; what is not UTF-8 becomes \ufffd. */
void json_string(struct buf *b, const char *s);

/* Adds "name": and the value; for the first member of an object, begin is
 * "{", else ",". */
void json_member(struct buf *b, const char *begin, const char *name,
    const char *value);
void json_number(struct buf *b, const char *begin, const char *name,
    uint64_t value);
void json_bool(struct buf *b, const char *begin, const char *name, bool value);
/* ISO 8601, null if when is 0. */
void json_time(struct buf *b, const char *begin, const char *name,
    int64_t when);
/* An object, or null if nothing was ever said. */
/* {"spf":"pass","dkim":"none"}, of content_facts; nothing where nobody
 * looked. */
void json_results(struct buf *b, const char *begin, const char *name,
    uint32_t content_facts);
void json_outcome(struct buf *b, const char *begin, const char *name,
    const struct outcome *o);

/*
 * Adds len bytes of a longer string, escaped, without quotes.  Returns how
 * many were used: all of them if last, else a character that is cut off at
 * the end stays for the next call.
 */
size_t json_piece(struct buf *b, const char *p, size_t len, bool last);

#endif
