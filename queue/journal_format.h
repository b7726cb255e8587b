/*
 * The journal's bytes, as journal.c writes and journal_read.c reads them.
 * Numbers are little-endian.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_JOURNAL_FORMAT_H
#define QUEUE_JOURNAL_FORMAT_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>

#include <xxhash.h>

#include "bounds.h"
#include "journal.h"

/* The front of the header page. */
struct disk_header {
	char magic[8]; /* the version is in it */
	uint64_t generation, seed, last_id, prev, prev_end;
	uint64_t retired; /* 1 or 0 */
	uint64_t sum;     /* XXH3-64 of all before it */
};

#define JOURNAL_MAGIC "POSTJRN1"

/* The front of a record; settles and the file's bytes follow. */
struct disk_record {
	uint64_t sum; /* XXH3-64, with the seed, of the rest of the record */
	uint16_t type;
	uint16_t first; /* 1: it begins its batch */
	uint32_t batch;
	uint32_t n_settles;
	uint32_t zero;
	uint64_t id;
	uint64_t size; /* of the file */
};

struct disk_settle {
	uint64_t id, off;
	uint32_t n, state;
};

_Static_assert(sizeof(struct disk_header) == 64, "packed");
_Static_assert(sizeof(struct disk_record) == 40, "packed");
_Static_assert(sizeof(struct disk_settle) == 24, "packed");

#define RECORD_ALIGN 8
#define RECORD_MAX                                                             \
	(sizeof(struct disk_record) + RCPT_MAX * sizeof(struct disk_settle) +  \
	    SPOOL_SMALL + RECORD_ALIGN)

/* A record, and less than a page before it, always fit. */
#define JOURNAL_CHUNK ((size_t)1024 * 1024)
_Static_assert(RECORD_MAX + 2 * JOURNAL_PAGE < JOURNAL_CHUNK, "too small");

/* The sum as it stands in a record of len bytes. */
static inline uint64_t
record_sum(const uint8_t *record, size_t len, uint64_t seed)
{
	const size_t own = sizeof(uint64_t);

	return htole64(XXH3_64bits_withSeed(record + own, len - own, seed));
}

static inline uint64_t
round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

#endif
