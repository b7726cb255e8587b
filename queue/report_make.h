/*
 * A report out of its rows: as XML, and as the mail that takes it to the
 * domain (RFC 9990 3.5).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_REPORT_MAKE_H
#define QUEUE_REPORT_MAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "index.h"
#include "report_day.h"

/* Of the configuration, as the queue told it. */
struct report_words {
	char text[REPORT_FACTS_N][REPORT_FACT_MAX + 1];
};

/* False: the queue never kept reports. */
bool report_words_read(struct index *ix, struct report_words *w);

#define REPORT_ID_LEN 32

struct report_made {
	char id[REPORT_ID_LEN +
	    1]; /* the same whenever it is made of the same */
	int64_t begin, end;
	uint64_t rows;     /* in it */
	uint64_t all;      /* that there are */
	uint64_t messages; /* that it tells of */
	struct buf body;   /* XML, by gzip */
};

/* At most so many rows, the most frequent first.  False: there are none, or no
 * memory.  The caller frees made->body. */
bool report_make(struct index *ix, const struct report_words *w, uint32_t day,
    const char *domain, uint64_t rows, struct report_made *made);

/* Its XML, piece by piece, until fn returns false.  False: not to the end. */
typedef bool report_piece(void *arg, const uint8_t *p, size_t len);
bool report_unzip(const struct report_made *made, report_piece *fn, void *arg);

/*
 * The mail with a report, to this address; lines end in LF.
 * out is new, the caller frees it.
 */
void report_mail(const struct report_words *w, uint32_t day, const char *domain,
    const struct report_made *made, const char *to, int64_t now,
    struct buf *out);

#endif
