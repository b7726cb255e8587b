/*
 * The journal: records in batches, each batch flushed once.  Two files take
 * turns.  One is written; when it is long enough the other one is begun, and
 * once the files of the spool are on disk (a checkpoint) the first is retired
 * and waits to be written over, which is the cheapest flush there is: no block
 * is allocated, no size changes.
 *
 *   journal/0, journal/1:  header page | batch | batch | ... | old bytes
 *
 * Each life of a file is a generation with a random seed for its checksums,
 * so old bytes never verify.  A batch begins at a page and has a number, so
 * what was flushed is never written again, and a damaged page is told from
 * the torn end: behind damage stands a later batch.
 *
 * One thread at a time works on a journal (reading and retiring a slot that
 * is not written are apart from the rest).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_JOURNAL_H
#define QUEUE_JOURNAL_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spool.h"

#define JOURNAL_SLOTS 2
#define JOURNAL_PAGE  4096
#define JOURNAL_MAX                                                            \
	(64 * 1024 * 1024) /* then a checkpoint; less on a small disk */
#define JOURNAL_STEP                                                           \
	(4 * 1024 * 1024) /* it grows by this; less on a small disk */

enum record_type {
	REC_NONE,
	REC_MESSAGE, /* id is committed; the whole file is in the record */
	REC_LARGE,   /* id is committed; its file was flushed before */
	REC_STATE,   /* nothing but settles; without any: id was given out */
	REC_GONE     /* id is no more */
};

/* What the journal asks of the system; tests put their own in. */
struct journal_ops {
	ssize_t (*pwrite)(int fd, const void *p, size_t len, off_t off);
	int (*fdatasync)(int fd);
	int (*fallocate)(int fd, int mode, off_t off, off_t len);
	int (*syncfs)(int fd);
	void (*step)(const char *what); /* NULL, or told of each change */
	size_t length; /* of a step and a journal at most; 0: as above */
};

extern const struct journal_ops journal_ops_system;

struct journal_slot {
	int fd;
	uint64_t size;       /* bytes it has on disk */
	uint64_t generation; /* 0: none is in it */
	uint64_t seed;
	uint64_t last_id;  /* highest id given out when it was begun */
	uint64_t prev;     /* generation before it, */
	uint64_t prev_end; /* which ends here */
	bool retired;      /* the files say all that it says */
};

struct journal {
	const struct journal_ops *ops;
	struct journal_slot slot[JOURNAL_SLOTS];
	unsigned int cur;    /* the slot that is written */
	size_t step, max;    /* bytes */
	uint64_t generation; /* the highest there is */
	uint64_t pos;   /* where the next batch begins: all before is good */
	uint32_t batch; /* number of the last one */
	bool open;      /* a batch is being put together */
	bool starved;   /* no room for contents */
	uint64_t base;  /* where chunk belongs in the file */
	uint8_t *chunk;
	size_t used;
	int error;               /* errno of what failed in this batch, or 0 */
	const char *failed;      /* which call */
	uint64_t bytes, flushes; /* in all */
};

/*
 * Opens or makes the two files in the directory dir of a filesystem with
 * fs_size bytes.  NULL, or why not (errno tells more).
 */
const char *journal_open(struct journal *j, int dir, uint64_t fs_size,
    const struct journal_ops *ops);
void journal_close(struct journal *j);

/* Begins a generation in the slot that is not written, which is retired or
 * empty; last_id goes into its header. */
void journal_begin(struct journal *j, uint64_t last_id);

enum journal_added {
	ADDED,
	ADD_LARGE, /* the file is over SPOOL_SMALL: flush it, add a REC_LARGE */
	ADD_BAD,   /* the file is not whole */
	ADD_FULL,  /* no room for it; the batch goes on without */
	ADD_FAILED /* the batch is lost: j->error */
};

/* Adds a record to the batch.  size: bytes of the file, for REC_LARGE.
 * Anything but REC_LARGE may use the reserve. */
enum journal_added journal_add(struct journal *j, enum record_type type,
    uint64_t id, uint64_t size, const struct spool_settle *settles,
    uint32_t n_settles);

/* Adds the message whose file is fd: checked (*why is set if it is not
 * whole), and read into the record. */
enum journal_added journal_add_file(struct journal *j, uint64_t id, int fd,
    const struct spool_settle *settles, uint32_t n_settles, const char **why);

/*
 * Writes what was added and flushes it.  False: none of the batch counts,
 * and this generation must not be written again.
 */
bool journal_flush(struct journal *j);

/* It should be followed by another generation. */
bool journal_long(const struct journal *j);

/* Marks what is in a slot as not needed, durably.  False: errno.  The older
 * slot goes first. */
bool journal_retire(struct journal *j, unsigned int slot);

/* ---- reading ---- */

struct journal_record {
	enum record_type type;
	uint64_t id;
	uint64_t size; /* bytes of the file */
	uint32_t n_settles;
	const uint8_t *settles; /* journal_settle() reads them */
	uint64_t at, end;       /* of the record, in the journal */
	uint64_t file_at;       /* of the file's bytes (REC_MESSAGE) */
};

struct journal_reader {
	const struct journal_slot *slot;
	uint64_t pos, end;
	uint32_t batch;
	bool damaged; /* a record before a good one was not good */
	uint8_t *mem; /* a window on the file */
	uint64_t mem_at;
	size_t mem_len;
};

/* Reads the slot's records, retired or not, up to end (UINT64_MAX: as far as
 * they are good). */
void journal_read(struct journal_reader *r, const struct journal_slot *slot,
    uint64_t end);
/* False at the end.  The record is good until the next call. */
bool journal_next(struct journal_reader *r, struct journal_record *rec);
void journal_read_end(struct journal_reader *r);

/* Settle i of a record. */
void journal_settle(const struct journal_record *rec, uint32_t i,
    struct spool_settle *settle);

#endif
