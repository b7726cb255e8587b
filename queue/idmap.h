/*
 * Message ids and a number for each: open addressing, grows by doubling, never
 * forgets one.  The id 0 is not one.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_IDMAP_H
#define QUEUE_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of zeros: empty, holds no memory. */
struct idmap {
	uint64_t *ids;
	uint32_t *numbers;
	size_t n, size; /* entries; room, a power of two */
};

/* Adds id, or gives it another number. */
void idmap_put(struct idmap *m, uint64_t id, uint32_t number);

/* True and *number (which may be NULL) if it is there. */
bool idmap_get(const struct idmap *m, uint64_t id, uint32_t *number);

void idmap_free(struct idmap *m);

#endif
