/*
 * What a recipient of a child message is beside its address, as the queue keeps
 * it: words that say where in the configuration it is found again.  Never a
 * command or a path: those are what aliases and .forward files have at each
 * attempt.
 *
 *   m ACTION USER            that user's mailbox
 *   p FROM ACTION NAME HASH  a command
 *   f FROM ACTION NAME HASH  a file
 *   n ACTION                 nobody: a list that is empty
 *   l K P r                  what the address stands for, a part of it
 *   l K P e CHAIN            likewise, of one that came out of an alias
 *   l K P a ACTION NAME CHAIN  what a name stands for under an action
 *   l K P u ACTION NAME CHAIN  the same of a user: aliases are not asked
 *
 * FROM: 'a' an alias, NAME is its key in the table of the action; 'u' a user,
 * NAME is his, with the sub-address if it stands in the file for that.  HASH:
 * of the command or path.  K of P: those members whose hash modulo P is K; "0
 * 1" is all of them.  CHAIN: hashes of the names on the way, none of which is
 * followed again, or "-".  Blanks in words, and what else does not print, are
 * written %HH.  Behind a leaf 'l' the queue puts a word of its own.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_LEAF_H
#define SMTPD_LOOKUP_LEAF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"

enum leaf_kind {
	LEAF_NONE,
	LEAF_MAILBOX,
	LEAF_PIPE,
	LEAF_FILE,
	LEAF_NOTHING,
	LEAF_LIST /* LEAF_PART of ipc_table.h */
};

enum leaf_from {
	FROM_NONE,
	FROM_RCPT,  /* LIST: the address, as it came from outside */
	FROM_ADDR,  /* LIST: the address, which came out of an alias */
	FROM_ALIAS, /* a name that may be an alias; PIPE, FILE: its key */
	FROM_USER   /* a user of this host, and his .forward */
};

#define LEAF_NAME_MAX  LEAF_TEXT_MAX
#define LEAF_CHAIN_MAX 16 /* names on the way */
/* Cut once, each part once again, and so on. */
#define LEAF_PARTS_MAX                                                         \
	((uint32_t)EXPAND_PARTS * EXPAND_PARTS * EXPAND_PARTS * EXPAND_PARTS)

struct leaf {
	enum leaf_kind kind;
	enum leaf_from from;
	uint32_t part, parts; /* LIST */
	uint32_t hash;        /* PIPE, FILE */
	uint32_t n_chain;     /* LIST */
	uint32_t chain[LEAF_CHAIN_MAX];
	char action[LEAF_NAME_MAX + 1];
	char name[LEAF_NAME_MAX + 1];
};

/* False: it does not fit (or has a chain that is too long), and out is empty.
 * A list leaves room for the queue's word. */
bool leaf_print(const struct leaf *leaf, char out[LEAF_TEXT_MAX + 1]);

/* NULL, or why it is none. */
const char *leaf_parse(const char *text, struct leaf *leaf);

/* The hash of a command or path. */
uint32_t leaf_hash(const char *text);

/* text without what would end a word: in routes, too.  Bytes written, without
 * the NUL; 0: it does not fit, or is empty. */
size_t leaf_word(const char *text, char *out, size_t size);

#endif
