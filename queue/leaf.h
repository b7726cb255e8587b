/*
 * What a recipient is on this host beside its address, as far as it concerns
 * the queue: lookup makes these texts and understands them
 * (smtpd/lookup_leaf.h).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_LEAF_H
#define QUEUE_LEAF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes behind the leaf of a part that the queue gave an id. */
#define LEAF_ID_LEN (1 + 13)

/* True for one that is expanded again (LEAF_PART). */
bool leaf_is_part(const char *leaf);

/* The id of the child that a part is expanded to, which stands behind it; 0:
 * none does. */
uint64_t leaf_child(const char *leaf);

/* True for one part of several. */
bool leaf_is_one_of_many(const char *leaf);

#define LEAF_WORDS_MAX 384

/* What it is in words: "mailbox of alice", "part 3 of 16"; a leaf that is not
 * known as it is; "" for none.  Returns out. */
const char *leaf_words(const char *leaf, char out[LEAF_WORDS_MAX]);

#endif
