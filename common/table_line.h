/*
 * The text form of tables (table(5), aliases(5), passwd(5)): from a file to
 * entries.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_TABLE_LINE_H
#define COMMON_TABLE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "slice.h"

#define TABLE_FILE_MAX  ((size_t)512 << 20) /* bytes of a file */
#define TABLE_ENTRY_MAX ((size_t)512 << 10) /* of an entry, all its lines */

enum table_text {
	TABLE_TEXT_MAP,   /* "key", "key value", "key: value" */
	TABLE_TEXT_WHOLE, /* the line is the key */
	TABLE_TEXT_PASSWD /* "key:rest" */
};

struct table_entry {
	uint64_t line;    /* where it began */
	struct slice key; /* as written, in quotes or not */
	struct slice value;
};

/*
 * One entry, its lines already joined, without a line feed.  e->key is empty
 * if there is none.  NULL, or why not; e->key is then what was found of it.
 */
const char *table_entry_parse(enum table_text text, struct slice line,
    struct table_entry *e);

/* Where entries of a file go.  why: NULL, or what is wrong with e, of which
 * only the line may be set.  False: no more, please. */
typedef bool table_entry_fn(void *arg, const struct table_entry *e,
    const char *why);

/* Lines on their way to entries: zeros but for text, fn, arg. */
struct table_lines {
	enum table_text text;
	table_entry_fn *fn;
	void *arg;
	uint64_t line;     /* lines read */
	uint64_t begun;    /* line of the entry in joined */
	struct buf joined; /* an entry that may go on */
	bool any;          /* an entry was seen */
	bool too_long;     /* joined is cut */
	bool skip;         /* in a line that is too long */
	bool enough;       /* fn said so */
	bool wipe;         /* nothing of it stays in memory */
};

/* Takes the whole lines of in; end: nothing follows.  Returns bytes used. */
size_t table_lines_feed(struct table_lines *t, struct slice in, bool end);
void table_lines_free(struct table_lines *t);

/*
 * Reads a whole file from its beginning, or what fd gives if it has none (a
 * pipe).  Blocks.  NULL, or why it could not be read to its end.
 */
const char *table_lines_read(struct table_lines *t, int fd);

#endif
