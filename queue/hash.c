/*
 * The hash of the queue process.  Does no input or output.
 *
 * SPDX-License-Identifier: ISC
 */
#include "hash.h"

#include <assert.h>
#include <stdlib.h>

#include "log.h"

#define SLOTS_MIN 64

static size_t
slot_of(const struct hash *h, uint64_t key)
{
	/* Fibonacci hashing: ids and job numbers differ in few bits. */
	return (size_t)(key * 0x9e3779b97f4a7c15u >> 20) & (h->n_slots - 1);
}

static void
grow(struct hash *h)
{
	struct hash_node **old = h->slot, *node, *next;
	size_t n_old = h->n_slots, i, s;

	h->n_slots = n_old == 0 ? SLOTS_MIN : n_old * 2;
	h->slot = xcalloc(h->n_slots, sizeof(struct hash_node *));
	for (i = 0; i < n_old; i++) {
		for (node = old[i]; node != NULL; node = next) {
			next = node->next;
			s = slot_of(h, node->key);
			node->next = h->slot[s];
			h->slot[s] = node;
		}
	}
	free(old);
}

void
hash_add(struct hash *h, struct hash_node *node, uint64_t key)
{
	size_t s;

	if (h->n >= h->n_slots)
		grow(h);
	s = slot_of(h, key);
	node->key = key;
	node->next = h->slot[s];
	h->slot[s] = node;
	h->n++;
}

void
hash_del(struct hash *h, struct hash_node *node)
{
	struct hash_node **p;

	for (p = &h->slot[slot_of(h, node->key)]; *p != node; p = &(*p)->next)
		assert(*p != NULL);
	*p = node->next;
	h->n--;
}

struct hash_node *
hash_more(const struct hash_node *node)
{
	struct hash_node *next;

	for (next = node->next; next != NULL; next = next->next) {
		if (next->key == node->key)
			return next;
	}
	return NULL;
}

struct hash_node *
hash_get(const struct hash *h, uint64_t key)
{
	struct hash_node *node;

	if (h->n == 0)
		return NULL;
	node = h->slot[slot_of(h, key)];
	if (node == NULL || node->key == key)
		return node;
	for (; node != NULL; node = node->next) {
		if (node->key == key)
			return node;
	}
	return NULL;
}

void
hash_free(struct hash *h)
{
	free(h->slot);
	*h = (struct hash){ 0 };
}
