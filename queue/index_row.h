/*
 * Rows of the index as bytes, and its keys.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_INDEX_ROW_H
#define QUEUE_INDEX_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index.h"

/* No row is longer. */
#define ROW_MAX 7168

/* Each packs into out (ROW_MAX bytes) and returns the length. */
size_t row_pack_msg(const struct index_msg *m, uint8_t *out);
size_t row_pack_rcpt(const struct index_rcpt *r, uint8_t *out);
size_t row_pack_way(const struct index_way *w, uint8_t *out);

/* Each fills all but what the key says.  False: not such a row. */
bool row_unpack_msg(const void *in, size_t len, struct index_msg *m);
bool row_unpack_rcpt(const void *in, size_t len, struct index_rcpt *r);
bool row_unpack_way(const void *in, size_t len, struct index_way *w);

/* What RCPT said, and the leaf, from the head. */
void row_set_params(struct index_rcpt *row, const struct head_rcpt *rcpt);

/* A text and its NUL: written, returning where it ends; read from the front of
 * what is believed nothing of.  False: it does not stand there. */
uint8_t *row_put_text(uint8_t *p, const char *text);
bool row_get_text(const uint8_t **p, const uint8_t *end, char *out,
    size_t size);

#define KEY_MAX  256 /* LMDB takes 511 */
#define TEXT_MAX 200 /* bytes of a text in a key */
#define TEXT_CUT 184 /* a longer one: so many, and its hash */

struct key {
	uint8_t bytes[KEY_MAX];
	size_t len;
};

void key_u8(struct key *k, uint8_t v);
void key_u32(struct key *k, uint32_t v);
void key_u64(struct key *k, uint64_t v);
/* Times before 1970 sort before the others. */
void key_time(struct key *k, int64_t v);
/* lower: ASCII letters become small ones. */
void key_text(struct key *k, const char *text, bool lower);

uint32_t key_get_u32(const uint8_t *p);
uint64_t key_get_u64(const uint8_t *p);
int64_t key_get_time(const uint8_t *p);

#endif
