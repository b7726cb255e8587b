/*
 * The journal is read here, from the front, as far as it is good.  Used by
 * queue, at its start and when a checkpoint failed.  Nothing it reads is
 * believed before its checksum, and a sector that cannot be read is damage,
 * not the end.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/stat.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal_format.h"
#include "log.h"

/* Fills the window from at on; what cannot be read is zeros. */
static void
window_fill(struct journal_reader *r, uint64_t at)
{
	size_t want = JOURNAL_CHUNK, got = 0, len;
	ssize_t n;

	r->mem_at = at;
	if (r->end - at < want)
		want = (size_t)(r->end - at);
	r->mem_len = want;
	while (got < want) {
		n = pread(r->slot->fd, r->mem + got, want - got,
		    (off_t)(at + got));
		if (n > 0) {
			got += (size_t)n;
			continue;
		}
		/* A bad sector, perhaps: page by page past it. */
		len = JOURNAL_PAGE - (at + got) % JOURNAL_PAGE;
		if (len > want - got)
			len = want - got;
		n = pread(r->slot->fd, r->mem + got, len, (off_t)(at + got));
		if (n != (ssize_t)len)
			memset(r->mem + got, 0, len);
		got += len;
	}
}

/* len bytes at at, or NULL: the journal ends before. */
static const uint8_t *
window(struct journal_reader *r, uint64_t at, uint64_t len)
{
	if (at > r->end || len > r->end - at)
		return NULL;
	if (at < r->mem_at || at + len > r->mem_at + r->mem_len)
		window_fill(r, at);
	return r->mem + (at - r->mem_at);
}

/* Is there a good record of this batch (0: any after the last) at at? */
static bool
record_at(struct journal_reader *r, uint64_t at, uint32_t batch, bool first,
    struct journal_record *rec)
{
	struct disk_record d;
	const uint8_t *p;
	uint64_t len;

	if ((p = window(r, at, sizeof d)) == NULL)
		return false;
	memcpy(&d, p, sizeof d);
	rec->type = le16toh(d.type);
	rec->n_settles = le32toh(d.n_settles);
	rec->id = le64toh(d.id);
	rec->size = le64toh(d.size);
	if (rec->type < REC_MESSAGE || rec->type > REC_GONE ||
	    (le16toh(d.first) != 0) != first || rec->n_settles > RCPT_MAX ||
	    rec->id == 0)
		return false;
	if (batch != 0 ? le32toh(d.batch) != batch :
			 le32toh(d.batch) <= r->batch)
		return false;
	rec->at = at;
	rec->file_at =
	    at + sizeof d + rec->n_settles * sizeof(struct disk_settle);
	rec->end = rec->file_at;
	if (rec->type == REC_MESSAGE) {
		if (rec->size > SPOOL_SMALL)
			return false;
		rec->end += rec->size;
	}
	len = rec->end - at;
	if ((p = window(r, at, len)) == NULL)
		return false;
	if (record_sum(p, (size_t)len, r->slot->seed) != d.sum)
		return false;
	rec->settles = p + sizeof d;
	r->batch = le32toh(d.batch);
	r->pos = rec->end;
	return true;
}

void
journal_read(struct journal_reader *r, const struct journal_slot *slot,
    uint64_t end)
{
	struct stat st;

	*r = (struct journal_reader){ .slot = slot, .pos = JOURNAL_PAGE };
	if (slot->generation == 0 || fstat(slot->fd, &st) == -1)
		return;
	r->end = (uint64_t)st.st_size < end ? (uint64_t)st.st_size : end;
	r->mem = xcalloc(1, JOURNAL_CHUNK);
}

bool
journal_next(struct journal_reader *r, struct journal_record *rec)
{
	uint64_t at;

	if (r->end < JOURNAL_PAGE)
		return false;
	at = round_up(r->pos, RECORD_ALIGN);
	if (r->batch > 0 && record_at(r, at, r->batch, false, rec))
		return true;
	at = round_up(r->pos, JOURNAL_PAGE);
	if (record_at(r, at, r->batch + 1, true, rec))
		return true;
	/* The end, unless a later batch follows: a batch is only begun when
	 * the one before it was good. */
	for (at += JOURNAL_PAGE; at < r->end; at += JOURNAL_PAGE) {
		if (record_at(r, at, 0, true, rec)) {
			r->damaged = true;
			return true;
		}
	}
	r->end = 0;
	return false;
}

void
journal_read_end(struct journal_reader *r)
{
	free(r->mem);
	r->mem = NULL;
}

void
journal_settle(const struct journal_record *rec, uint32_t i,
    struct spool_settle *settle)
{
	struct disk_settle d;

	memcpy(&d, rec->settles + i * sizeof d, sizeof d);
	*settle = (struct spool_settle){
		.id = le64toh(d.id),
		.off = le64toh(d.off),
		.n = le32toh(d.n),
		.state = (char)le32toh(d.state),
	};
}
