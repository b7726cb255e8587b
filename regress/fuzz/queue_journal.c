/*
 * journal_read(): every record given out is a whole one of the file, in its
 * order, and a journal that ends early gives the same records up to there.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "journal_format.h"

#define SEED     7
#define MOST     64 /* records */
#define FILE_MAX ((size_t)32 * JOURNAL_PAGE)

static uint8_t file[FILE_MAX];

/* A record as in says, with a good sum, at at.  Returns where it ends. */
static size_t
put_record(struct slice *in, size_t at)
{
	uint8_t choice = fuzz_byte(in);
	struct disk_record d = { .type = htole16(choice % 8),
		.first = htole16(choice >> 7) };
	size_t end;

	d.batch = htole32(fuzz_byte(in));
	d.n_settles = htole32(fuzz_byte(in) % 16);
	d.id = htole64(fuzz_byte(in));
	d.size = htole64((uint64_t)fuzz_byte(in) << (choice >> 3 & 15));
	end = at + sizeof d + le32toh(d.n_settles) * sizeof(struct disk_settle);
	if (le16toh(d.type) == REC_MESSAGE)
		end += le64toh(d.size);
	if (end > FILE_MAX)
		return at;
	memcpy(file + at, &d, sizeof d);
	d.sum = record_sum(file + at, end - at, SEED);
	memcpy(file + at, &d.sum, sizeof d.sum);
	return end;
}

/* Puts a journal together.  Columns of the choice: a record, the next page,
 * bytes as they are. */
static size_t
put_file(struct slice in)
{
	size_t at = JOURNAL_PAGE;
	struct slice raw;

	memset(file, 0, sizeof file);
	while (in.len > 0 && at < FILE_MAX) {
		switch (fuzz_byte(&in) % 4) {
		case 0:
			at = round_up(at, JOURNAL_PAGE);
			break;
		case 1:
			raw = fuzz_take(&in, fuzz_byte(&in));
			if (raw.len > FILE_MAX - at)
				return at;
			memcpy(file + at, raw.p, raw.len);
			at += raw.len;
			break;
		default:
			at = put_record(&in, round_up(at, RECORD_ALIGN));
		}
	}
	return at;
}

/* Reads up to end; returns the records' ends in ends[MOST]. */
static size_t
read_all(int fd, uint64_t end, uint64_t ends[MOST])
{
	struct journal_slot slot = { .fd = fd, .generation = 1, .seed = SEED };
	struct journal_reader r;
	struct journal_record rec;
	struct spool_settle settle;
	struct disk_settle d;
	uint64_t last = JOURNAL_PAGE;
	uint32_t i;
	size_t n = 0;

	journal_read(&r, &slot, end);
	while (journal_next(&r, &rec) && n < MOST) {
		MUST(rec.at >= last && rec.end > rec.at && rec.end <= end);
		MUST(rec.end <= FILE_MAX && rec.file_at <= rec.end);
		MUST(rec.type >= REC_MESSAGE && rec.type <= REC_GONE);
		MUST(rec.type != REC_MESSAGE ||
		    (rec.size <= SPOOL_SMALL &&
			rec.file_at + rec.size == rec.end));
		for (i = 0; i < rec.n_settles; i++) {
			journal_settle(&rec, i, &settle);
			memcpy(&d,
			    file + rec.at + sizeof(struct disk_record) +
				i * sizeof d,
			    sizeof d);
			MUST(settle.id == le64toh(d.id));
			MUST(settle.n == le32toh(d.n));
		}
		ends[n++] = last = rec.end;
	}
	journal_read_end(&r);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len };
	uint64_t ends[MOST], part[MOST];
	size_t n, k;
	int fd;

	k = fuzz_byte(&all);
	fd = fuzz_file((struct slice){ (char *)file, put_file(all) });
	if ((n = read_all(fd, UINT64_MAX, ends)) > 0) {
		k %= n;
		MUST(read_all(fd, ends[k], part) == k + 1);
		MUST(memcmp(ends, part, (k + 1) * sizeof ends[0]) == 0);
	}
	close(fd);
	return 0;
}
