/*
 * A hash of things that carry their own link, by a 64-bit key: messages by id,
 * jobs by number, routes by the hash of their name.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_HASH_H
#define QUEUE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* The first member of what is kept, so that a cast leads back to it. */
struct hash_node {
	struct hash_node *next;
	uint64_t key;
};

struct hash {
	struct hash_node **slot;
	size_t n_slots; /* a power of two, or 0 */
	size_t n;
};

/* Several nodes may have one key. */
void hash_add(struct hash *h, struct hash_node *node, uint64_t key);
/* node is in it. */
void hash_del(struct hash *h, struct hash_node *node);

/* The first node with this key, and the next one with the key of node; NULL:
 * none. */
struct hash_node *hash_get(const struct hash *h, uint64_t key);
struct hash_node *hash_more(const struct hash_node *node);

/* Frees the slots; the nodes are their owners'. */
void hash_free(struct hash *h);

#endif
