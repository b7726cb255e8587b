/*
 * The file of a db: table: one LMDB environment (MDB_NOSUBDIR), its unnamed
 * database, and behind its last page an end that tells a whole file from a
 * damaged one before LMDB is let near it.  smtpctl makemap writes it, lookup
 * reads it.
 *
 *   key                       value
 *   a key, folded             its text and a NUL; for a further form of a key
 *                             (table_key.h) TABLE_FILE_ALSO follows that
 *   TABLE_FILE_GLOB pattern   the same
 *   TABLE_FILE_NET table_net  the same
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_TABLE_FILE_H
#define COMMON_TABLE_FILE_H

#include <stddef.h>
#include <stdint.h>

/* First bytes that no folded key has. */
enum { TABLE_FILE_GLOB = 1, TABLE_FILE_NET = 2 };

enum { TABLE_FILE_ALSO = 1 };

/* What stands behind the last page.  Numbers are little-endian. */
#define TABLE_FILE_MAGIC "Postern table 1\n"

struct table_file_end {
	char magic[16];
	uint8_t len[8]; /* bytes before this */
	uint8_t n[8];   /* entries, a key counted once */
	uint8_t sum[8]; /* XXH3-64 of these len bytes */
};

/* Fills all of end. */
void table_file_end_set(struct table_file_end *end, uint64_t len, uint64_t n,
    uint64_t sum);

/*
 * The checksum of the first len bytes of fd; with out not -1 they are copied
 * there.  Blocks.  NULL, or why not.
 */
const char *table_file_sum(int fd, uint64_t len, int out, uint64_t *sum);

/* A look at its end alone.  NULL, or why it is none of smtpctl makemap. */
const char *table_file_look(int fd);

/*
 * Copies the part of fd that is LMDB's to out.  *n: entries.  Blocks.  NULL,
 * or why the file is none of smtpctl makemap, whole and undamaged.
 */
const char *table_file_copy(int fd, int out, uint64_t *n);

#endif
