/*
 * What `smtpctl makemap` keeps while it reads its source: entries in the
 * order of LMDB's keys, before any of them is written.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_SMTPCTL_MAKEMAP_H
#define QUEUE_SMTPCTL_MAKEMAP_H

#include <stdint.h>

#include "buf.h"
#include "slice.h"

/* Entries: in text one behind the other, and where each begins. */
struct map {
	struct buf text;
	uint32_t *at;
	size_t n, cap;
	uint64_t n_entries; /* a key counted once */
};

/* One of them, as it goes to LMDB. */
struct map_row {
	struct slice key;
	struct slice value; /* its NUL, and what may follow it, included */
	uint32_t line;
	uint32_t also; /* 1: a further form of an entry's key */
};

void map_free(struct map *m);

/* Adds the forms of an entry.  NULL, or why not. */
const char *map_add(struct map *m, struct slice key, struct slice value,
    uint64_t line);

struct map_row map_row(const struct map *m, size_t i);

/*
 * Sorts; of rows with the same key one is left.  dup is called for each entry
 * whose key another, at line first, has already; with how many is returned.
 */
size_t map_sort(struct map *m,
    void (*dup)(void *arg, const struct map_row *row, uint32_t first),
    void *arg);

/*
 * Writes the file of a db: table (common/table_file.h) into fd, a new and
 * empty one; it is not flushed.  NULL, or why not.
 */
const char *map_write(const struct map *m, int fd);

/* Calls fn for each entry of such a file.  NULL, or why not. */
const char *map_walk(int fd,
    void (*fn)(void *arg, struct slice key, struct slice value), void *arg);

#endif
