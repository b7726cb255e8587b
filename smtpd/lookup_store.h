/*
 * What a table holds, once it was read: never changed, only replaced as a
 * whole.  In memory (lookup_store.c) or in LMDB (lookup_db.c); who asks does
 * not see the difference.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_STORE_H
#define SMTPD_LOOKUP_STORE_H

#include "lookup_auth_secret.h"
#include "lookup_table.h"
#include "slice.h"
#include "table_key.h"
#include "table_line.h"

struct store;

/* One entry; false: no more, please. */
typedef bool store_fn(void *arg, struct slice key, struct slice value);

struct store_ops {
	/* The entry with exactly this folded key.  *value: what is to it, in
	 * the store's memory. */
	enum table_answer (*get)(const struct store *s, struct slice key,
	    struct slice *value);
	/* The smallest network that addr is in. */
	enum table_answer (*net)(const struct store *s,
	    const struct table_net *addr, struct slice *value);
	/* Each entry once (globs: each pattern).  False: not all could be
	 * read. */
	bool (*each)(const struct store *s, bool globs, store_fn *fn,
	    void *arg);
	void (*free)(struct store *s);
};

struct store {
	const struct store_ops *ops;
	size_t n;     /* entries, a key counted once */
	size_t bytes; /* of memory */
	bool has_globs;
	bool has_bits[2][129];  /* of IPv4, IPv6: is a network so long in it? */
	struct secrets secrets; /* of a table that is asked for credentials */
};

void store_free(struct store **s);

/* ---- in memory ---- */

struct store_mem;

struct store_mem *store_mem_new(void);

/* Adds an entry; of two with the same key the later counts.  NULL, or why it
 * is none. */
const char *store_mem_add(struct store_mem *m, struct slice key,
    struct slice value);

/* All were added: the store, which takes m over. */
struct store *store_mem_done(struct store_mem **m);

/* ---- LMDB ---- */

/*
 * From fd, a file that smtpctl makemap wrote: its bytes are checked and
 * copied, so that nothing that becomes of the file later can hurt.  fd stays
 * open.  Blocks.  NULL and *out, or why not.
 */
const char *store_db_open(int fd, struct store **out);

#endif
