/*
 * The lines of a head, for head.c, which prints them, and head_read.c.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_HEAD_LINE_H
#define QUEUE_HEAD_LINE_H

#include <stddef.h>

#include "facts.h"

#define HEAD_MAGIC   "postern 1\n"
#define HEAD_SUM_LEN 16

/* Lines with one text of struct facts; left out when it is empty.  Columns:
 * word, member, bytes with its NUL. */
/* clang-format off */
#define HEAD_FACTS(X) \
	X("helo: ", helo, HOST_MAX + 1) \
	X("rdns: ", rdns, HOST_MAX + 1) \
	X("tag: ",  tag,  TAG_MAX + 1) \
	X("auth: ", auth, ADDR_MAX + 1)
/* clang-format on */

struct head_fact {
	const char *word;
	size_t off, size;
};

#define HEAD_FACT_ROW(word, member, size)                                      \
	{ word, offsetof(struct facts, member), size },

#endif
