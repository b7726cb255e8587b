/*
 * Rows and keys of what greylisting knows, as bytes.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_GREY_ROW_H
#define QUEUE_GREY_ROW_H

#include <stddef.h>

#include "grey.h"

/* Version, four times and a number of 8 bytes, three texts with their NUL. */
#define GREY_ROW_MAX (64 + IP_TEXT_MAX + 2 * ADDR_MAX)

struct grey_key {
	uint8_t bytes[16];
};

/* Of a triplet, or with net its network. */
void grey_key(const struct grey_triplet *t, bool net, struct grey_key *key);

/* Packs into out (GREY_ROW_MAX bytes); returns the length. */
size_t grey_pack(const struct grey_triplet *t, const struct grey_known *k,
    int64_t due, uint8_t *out);

/* False: not such a row. */
bool grey_unpack(const void *in, size_t len, struct grey_triplet *t,
    struct grey_known *k, int64_t *due);

#endif
