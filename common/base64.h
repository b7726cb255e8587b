/*
 * Base64 (RFC 4648), judged strictly: no blank, no line end, no bits beyond
 * the last byte, padding as the alphabet wants it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_BASE64_H
#define COMMON_BASE64_H

#include <stddef.h>
#include <stdint.h>

#include "slice.h"

/* Characters for len bytes, and bytes that n characters hold at most. */
#define BASE64_LEN(len) (((len) + 2) / 3 * 4)
#define BASE64_BYTES(n) ((n) / 4 * 3 + 3)

/* With padding (section 4), and the alphabet for URLs without it (section 5,
 * as RFC 7515 has it). */
enum base64_kind { BASE64_PLAIN, BASE64_URL };

/* Prints len bytes into out, which has room for BASE64_LEN(len) and a NUL.
 * Returns characters without the NUL. */
size_t base64_print(enum base64_kind kind, const void *p, size_t len,
    char *out);

/* All of text into out (size bytes); *len bytes of it.  NULL, or why not;
 * out may then hold a part of it. */
const char *base64_parse(enum base64_kind kind, struct slice text, uint8_t *out,
    size_t size, size_t *len);

#endif
