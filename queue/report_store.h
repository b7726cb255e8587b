/*
 * What will be reported to the domains of authors, in spool/facts:
 *
 *   report      day, policy domain, hash  -> a row, and how many messages
 *   reporthead  day, policy domain        -> its policy, what there is
 *
 * Messages are counted in memory, and a thread (store.h) adds them to what is
 * on disk; it also forgets days that are older than REPORT_DAYS.  Where there
 * is no room for what cannot be written, that is dropped, which is said.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_REPORT_STORE_H
#define QUEUE_REPORT_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "index.h"
#include "loop.h"
#include "report_row.h"

#define REPORT_DAYS        3 /* a day may be reported for so long after it */
#define REPORT_OF_ONE_MAX  100000 /* rows of a domain and day */
#define REPORT_MAX         400000 /* rows of all of them */
#define REPORT_BYTES_MAX   ((uint64_t)256 * 1024 * 1024) /* likewise */
#define REPORT_PENDING_MAX 20000 /* in memory, not yet written */

struct report_store;

/* In the facts of an index that was opened for writing, and is closed after
 * it.  NULL and *why. */
struct report_store *report_open(struct loop *l, struct index *ix,
    const char **why);

/* Writes what there is, and ends the thread. */
void report_close(struct report_store **s);

/* False: no room. */
bool report_put(struct report_store *s, const struct report_entry *e);

/* Its rows were reported, or nobody wants to have them: they go, soon.  False:
 * too many of these wait. */
bool report_sent(struct report_store *s, uint32_t day, const char *domain);

/* ---- for readers (smtpctl) ---- */

struct report_head_row {
	uint32_t day;
	char domain[DOMAIN_MAX + 1];
	struct report_head head;
};

/* Each day and domain, in this order; ends when fn returns false.  No
 * transaction is open while fn runs. */
typedef bool report_head_fn(void *arg, const struct report_head_row *row);
void report_heads(struct index *ix, report_head_fn *fn, void *arg);

/* The rows of one, as they are now; NULL: there are none.  domain stays until
 * report_read_end().  For as long as that takes nothing of the file is used
 * again: no waiting meanwhile. */
struct report_reader;
struct report_reader *report_read(struct index *ix, uint32_t day,
    const char *domain, struct report_head *head);
void report_read_end(struct report_reader **r);

/* Which there are, the most frequent first; the caller frees *out.  Returns
 * how many. */
struct report_mention {
	struct report_hash hash;
	uint64_t count;
};
size_t report_mentions(struct report_reader *r, struct report_mention **out);

/* False: there is none like that. */
bool report_read_row(struct report_reader *r, const struct report_hash *hash,
    struct report_row *row);

#endif
