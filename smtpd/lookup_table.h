/*
 * Tables: lists of domains and networks that the rules ask, from the
 * configuration or from files.  Read once, sorted, asked by binary search.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_TABLE_H
#define SMTPD_LOOKUP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "buf.h"
#include "conf.h"
#include "slice.h"

#define TABLE_LINE_MAX 4096 /* bytes of a line in a file, CRLF included */
#define TABLE_FILE_MAX ((size_t)512 << 20) /* bytes of a file */

/* The zero is: the table cannot answer, so nobody knows. */
enum table_answer { TABLE_UNKNOWN, TABLE_NO, TABLE_YES };

/* A network; of the address only the first bits count, the rest is zero. */
struct table_net {
	uint8_t family; /* 4 or 6 */
	uint8_t bits;
	uint8_t addr[16];
};

struct table {
	const char *name; /* for the log; borrowed */
	bool ready;
	uint32_t bad;      /* lines that were set aside */
	struct buf text;   /* keys in lower case, each with its NUL */
	const char **keys; /* of text, sorted, once it is ready */
	size_t n_keys;
	struct buf globs;      /* patterns, each with its NUL */
	struct buf nets;       /* struct table_net, sorted once it is ready */
	bool has_bits[2][129]; /* of IPv4, IPv6: is a network so long in it? */
};

/* Empty, and so far without an answer.  name stays the caller's. */
void table_init(struct table *t, const char *name);
void table_free(struct table *t);

/*
 * Adds one key: a domain, ".example.org" or "*.example.org" (what is below
 * it, at any depth), another pattern with '*', an address, or a network as
 * address/bits.  NULL, or why not.
 */
const char *table_add(struct table *t, struct slice key);

/*
 * One line of a file (table(5)): "key", "key value" or "key: value", blank,
 * or a comment.  *key is empty if there is none.  NULL, or why not.
 */
const char *table_line(struct slice line, struct slice *key);

/* All keys were added: now it answers. */
void table_ready(struct table *t);

/*
 * Reads a whole file from fd, which stays open, and makes it ready.  A bad
 * line is logged with its number and set aside.  A file that cannot be read
 * to its end leaves the table without an answer; then false, and it is
 * logged.
 */
bool table_read(struct table *t, int fd);

/* Is domain (any case) in it? */
enum table_answer table_has_domain(const struct table *t, const char *domain);

/* Is the address (as inet_ntop prints it) in it?  What is not an address is
 * not in it. */
enum table_answer table_has_addr(const struct table *t, const char *ip);

/* An address of either family as text, also with brackets or "IPv6:" around
 * it; an IPv4 address mapped into IPv6 is the former.  Sets family, all bits,
 * addr.  False: it is not one. */
bool table_addr_parse(const char *text, struct table_net *net);

#endif
