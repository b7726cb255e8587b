/*
 * Keys of tables: the form in which they are compared, and how an entry
 * stands in an index.  What makes a table (smtpctl makemap, lookup when it
 * reads a file) and what asks it use the same.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_TABLE_KEY_H
#define COMMON_TABLE_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

#define TABLE_KEY_MAX 500 /* bytes; LMDB's keys have at most 511 */

/* A network; of the address only the first bits count, the rest is zero. */
struct table_net {
	uint8_t family; /* 4 or 6 */
	uint8_t bits;
	uint8_t addr[16];
};

/* An address of either family as text, also with brackets or "IPv6:" around
 * it; an IPv4 address mapped into IPv6 is the former.  Sets family, all bits,
 * addr.  False: it is not one. */
bool table_addr_parse(const char *text, struct table_net *net);

/* The same, or address/bits. */
bool table_net_parse(struct slice key, struct table_net *net);

/* Only the first bits of the address count now. */
void table_net_mask(struct table_net *net, unsigned int bits);

/*
 * A key as it is compared: ASCII in lower case, without the quotes of a
 * local part, the domain behind the last '@' as DNS has it.  NULL, or why it
 * is no key (empty, too long, control characters); out is then the empty
 * text.
 */
const char *table_key_fold(struct slice key, char out[TABLE_KEY_MAX + 1]);

#define TABLE_EXACT_MAX 3

/* How an entry is found again. */
struct table_forms {
	/* As it was folded; then in other forms: a domain alone as DNS has it,
	 * "*.example.org" as ".example.org". */
	char exact[TABLE_EXACT_MAX][TABLE_KEY_MAX + 1];
	unsigned int n_exact;
	bool glob; /* the last of them has a star left: a pattern */
	bool is_net;
	struct table_net net;
};

/* NULL, or why it is no key. */
const char *table_forms(struct slice key, struct table_forms *f);

#endif
