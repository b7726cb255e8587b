/*
 * Numbers, sizes and times from text: the one place, always with a range.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_NUM_H
#define COMMON_NUM_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds: its own name, so that seconds do not slip in. */
typedef int64_t msec;

/*
 * Each takes the whole of text, returns NULL and sets *out, or returns why
 * not ("not a number", "too small", "too large") and leaves *out alone.
 */
const char *num_parse(const char *text, uint64_t min, uint64_t max,
    uint64_t *out);

/* Bytes: a number with an optional K, M, G (1024) in either case. */
const char *num_parse_size(const char *text, uint64_t min, uint64_t max,
    uint64_t *out);

/* Seconds from "30s", "5m", "4h", "4d", "1w", or joined ("1h30m").  A unit is
 * a must, as in smtpd.conf(5). */
const char *num_parse_time(const char *text, uint64_t min, uint64_t max,
    uint64_t *out);

/* 0 to 15, of a digit as xtext has it (RFC 3461 4); -1: it is none. */
int num_hex(char c);

#endif
