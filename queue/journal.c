/*
 * The journal is written here: slots, generations, batches.  Used by queue, in
 * its flush thread; retiring by its checkpoint thread.  Never logs: it says
 * what failed, and the loop's thread tells.
 *
 * SPDX-License-Identifier: ISC
 */
#include "journal.h"

#include <sys/stat.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bsd/stdlib.h>
#include <xxhash.h>

#include "journal_format.h"
#include "log.h"
#include "spool_read.h"

#define ZEROS      ((size_t)256 * 1024) /* written at once when it grows */
#define TOO_LONG   4                    /* times JOURNAL_MAX */
#define STEP_MIN   ((uint64_t)128 * 1024)
#define FS_PART    16 /* a step and a journal are at most this part */
#define RESERVE_OF 8  /* of a step: room that contents may not use */

const struct journal_ops journal_ops_system = {
	.pwrite = pwrite,
	.fdatasync = fdatasync,
	.fallocate = fallocate,
	.syncfs = syncfs,
};

static bool
write_all(const struct journal *j, int fd, const uint8_t *p, size_t len,
    uint64_t at)
{
	ssize_t n;

	for (; len > 0; p += n, at += (uint64_t)n, len -= (size_t)n) {
		n = j->ops->pwrite(fd, p, len, (off_t)at);
		if (n == 0)
			errno = EIO;
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return false;
	}
	return true;
}

static bool
fail(struct journal *j, const char *what)
{
	if (j->error == 0) {
		j->error = errno == 0 ? EIO : errno;
		j->failed = what;
	}
	return false;
}

/* ---- slots ---- */

static uint64_t
header_sum(const struct disk_header *d)
{
	return htole64(XXH3_64bits(d, offsetof(struct disk_header, sum)));
}

/* page: JOURNAL_PAGE bytes. */
static void
header_put(const struct journal_slot *slot, uint8_t *page)
{
	struct disk_header d = {
		.magic = JOURNAL_MAGIC,
		.generation = htole64(slot->generation),
		.seed = htole64(slot->seed),
		.last_id = htole64(slot->last_id),
		.prev = htole64(slot->prev),
		.prev_end = htole64(slot->prev_end),
		.retired = htole64(slot->retired),
	};

	d.sum = header_sum(&d);
	memset(page, 0, JOURNAL_PAGE);
	memcpy(page, &d, sizeof d);
}

/* What is in a slot; a header that is no good leaves it without. */
static void
header_get(struct journal_slot *slot)
{
	struct disk_header d;

	if (pread(slot->fd, &d, sizeof d, 0) != sizeof d ||
	    memcmp(d.magic, JOURNAL_MAGIC, sizeof d.magic) != 0 ||
	    d.sum != header_sum(&d))
		return;
	slot->generation = le64toh(d.generation);
	slot->seed = le64toh(d.seed);
	slot->last_id = le64toh(d.last_id);
	slot->prev = le64toh(d.prev);
	slot->prev_end = le64toh(d.prev_end);
	slot->retired = d.retired != 0;
}

/*
 * Makes a slot one step longer.  Blocks are taken first, so that a full disk
 * is met here; then zeros are written, because a flush of blocks that were
 * never written costs a second one for the filesystem's own journal.
 */
static bool
grow(struct journal *j, struct journal_slot *slot)
{
	static const uint8_t zeros[ZEROS];
	uint64_t at = round_up(slot->size, JOURNAL_PAGE);
	uint64_t end = at + j->step;
	size_t n;

	if (j->ops->fallocate(slot->fd, 0, (off_t)at, (off_t)j->step) == -1 &&
	    errno != EOPNOTSUPP)
		return false;
	for (; at < end; at += n) {
		n = end - at < sizeof zeros ? (size_t)(end - at) : sizeof zeros;
		if (!write_all(j, slot->fd, zeros, n, at))
			return false;
	}
	slot->size = end;
	return true;
}

static const char *
open_slot(struct journal *j, int dir, unsigned int i)
{
	struct journal_slot *slot = &j->slot[i];
	const char name[2] = { (char)('0' + i), '\0' };
	struct stat st;

	slot->fd =
	    openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (slot->fd == -1 || fstat(slot->fd, &st) == -1)
		return "journal";
	slot->size = (uint64_t)st.st_size;
	header_get(slot);
	if (slot->size >= j->step)
		return NULL;
	if (!grow(j, slot) || fsync(slot->fd) == -1)
		return "room for the journal";
	return NULL;
}

const char *
journal_open(struct journal *j, int dir, uint64_t fs_size,
    const struct journal_ops *ops)
{
	uint64_t part = round_up(fs_size / FS_PART, JOURNAL_PAGE);
	const char *why;
	unsigned int i;

	*j = (struct journal){ .ops = ops };
	for (i = 0; i < JOURNAL_SLOTS; i++)
		j->slot[i].fd = -1;
	if (part < STEP_MIN)
		part = STEP_MIN;
	j->step = part < JOURNAL_STEP ? (size_t)part : JOURNAL_STEP;
	j->max = part < JOURNAL_MAX ? (size_t)part : JOURNAL_MAX;
	if (ops->length != 0 && ops->length < j->step)
		j->step = j->max = ops->length;
	for (i = 0; i < JOURNAL_SLOTS; i++) {
		if ((why = open_slot(j, dir, i)) != NULL) {
			journal_close(j);
			return why;
		}
		if (j->slot[i].generation > j->generation) {
			j->generation = j->slot[i].generation;
			j->cur = i;
		}
	}
	if (fsync(dir) == -1) {
		journal_close(j);
		return "journal";
	}
	j->chunk = xcalloc(1, JOURNAL_CHUNK);
	return NULL;
}

void
journal_close(struct journal *j)
{
	unsigned int i;

	for (i = 0; i < JOURNAL_SLOTS; i++) {
		if (j->slot[i].fd != -1)
			close(j->slot[i].fd);
		j->slot[i].fd = -1;
	}
	free(j->chunk);
	j->chunk = NULL;
}

void
journal_begin(struct journal *j, uint64_t last_id)
{
	const struct journal_slot *old = &j->slot[j->cur];
	struct journal_slot *slot = &j->slot[1 - j->cur];

	assert(!j->open);
	assert(slot->retired || slot->generation == 0);
	slot->prev = old->generation;
	slot->prev_end = j->pos;
	slot->generation = ++j->generation;
	slot->last_id = last_id;
	slot->retired = false;
	arc4random_buf(&slot->seed, sizeof slot->seed);
	j->cur = 1 - j->cur;
	j->pos = 0;
	j->batch = 0;
	j->starved = false;
}

/* ---- a batch ---- */

static void
batch_open(struct journal *j)
{
	if (j->open)
		return;
	j->open = true;
	j->error = 0;
	j->batch++;
	j->base = j->pos;
	j->used = 0;
	if (j->pos == 0) {
		header_put(&j->slot[j->cur], j->chunk);
		j->used = JOURNAL_PAGE;
	}
}

/* Writes the whole pages of the chunk and keeps the rest. */
static bool
spill(struct journal *j)
{
	size_t whole = j->used / JOURNAL_PAGE * JOURNAL_PAGE;

	if (!write_all(j, j->slot[j->cur].fd, j->chunk, whole, j->base))
		return fail(j, "write");
	memmove(j->chunk, j->chunk + whole, j->used - whole);
	j->base += whole;
	j->used -= whole;
	j->bytes += whole;
	return true;
}

/* True if len bytes more and what is kept back fit into the slot. */
static bool
has_room(struct journal *j, size_t len, bool contents)
{
	struct journal_slot *slot = &j->slot[j->cur];
	uint64_t end = round_up(j->base + j->used + len, JOURNAL_PAGE);

	if (contents)
		end += j->step / RESERVE_OF;
	while (end > slot->size) {
		/* Once refused, it waits for the next generation.  One that is
		 * far too long: the checkpoint does not come. */
		if (j->starved || j->pos >= (uint64_t)j->max * TOO_LONG ||
		    !grow(j, slot)) {
			j->starved = true;
			return false;
		}
	}
	return true;
}

/* Finishes the record at the end of the chunk; settles and bytes of the file
 * are behind its front already where they should be. */
static void
seal(struct journal *j, struct disk_record front, size_t len)
{
	uint8_t *p = j->chunk + j->used;
	size_t whole = round_up(len, RECORD_ALIGN);

	memcpy(p, &front, sizeof front);
	front.sum = record_sum(p, len, j->slot[j->cur].seed);
	memcpy(p, &front, sizeof front);
	memset(p + len, 0, whole - len);
	j->used += whole;
}

static struct disk_record
front_of(const struct journal *j, enum record_type type, uint64_t id,
    uint64_t size, uint32_t n_settles)
{
	bool first =
	    j->base == j->pos && j->used == (j->pos == 0 ? JOURNAL_PAGE : 0);

	return (struct disk_record){
		.type = htole16((uint16_t)type),
		.first = htole16(first),
		.batch = htole32(j->batch),
		.n_settles = htole32(n_settles),
		.id = htole64(id),
		.size = htole64(size),
	};
}

/* Writes settles behind the front of the record to come. */
static size_t
put_settles(struct journal *j, const struct spool_settle *settles, uint32_t n)
{
	uint8_t *p = j->chunk + j->used + sizeof(struct disk_record);
	struct disk_settle d;
	uint32_t i;

	for (i = 0; i < n; i++, p += sizeof d) {
		d.id = htole64(settles[i].id);
		d.off = htole64(settles[i].off);
		d.n = htole32(settles[i].n);
		d.state = htole32((unsigned char)settles[i].state);
		memcpy(p, &d, sizeof d);
	}
	return sizeof(struct disk_record) + n * sizeof d;
}

/* Opens the batch and makes the chunk roomy enough for any record. */
static bool
ready(struct journal *j, uint32_t n_settles)
{
	assert(n_settles <= RCPT_MAX);
	batch_open(j);
	if (j->error != 0)
		return false;
	return j->used + RECORD_MAX <= JOURNAL_CHUNK || spill(j);
}

enum journal_added
journal_add(struct journal *j, enum record_type type, uint64_t id,
    uint64_t size, const struct spool_settle *settles, uint32_t n_settles)
{
	size_t len;

	if (!ready(j, n_settles))
		return ADD_FAILED;
	len = put_settles(j, settles, n_settles);
	if (!has_room(j, len, type == REC_LARGE))
		return ADD_FULL;
	seal(j, front_of(j, type, id, size, n_settles), len);
	return ADDED;
}

enum journal_added
journal_add_file(struct journal *j, uint64_t id, int fd,
    const struct spool_settle *settles, uint32_t n_settles, const char **why)
{
	struct trailer t;
	size_t at, got;
	uint8_t *file;
	ssize_t n;

	if (!ready(j, n_settles))
		return ADD_FAILED;
	at = put_settles(j, settles, n_settles);
	file = j->chunk + j->used + at;
	/* One byte more than is small tells; a short read is the end. */
	n = pread(fd, file, SPOOL_SMALL + 1, 0);
	if (n == -1) {
		*why = strerror(errno);
		return ADD_BAD;
	}
	got = (size_t)n;
	if (got > SPOOL_SMALL)
		return ADD_LARGE;
	if ((*why = spool_check(file, got, id, &t)) != NULL)
		return ADD_BAD;
	if (!has_room(j, at + got, true))
		return ADD_FULL;
	seal(j, front_of(j, REC_MESSAGE, id, got, n_settles), at + got);
	return ADDED;
}

/* What was written of a failed batch must not be taken for good by a replay:
 * without its first page it is no batch.  As well as the disk allows. */
static void
disown(struct journal *j)
{
	const struct journal_slot *slot = &j->slot[j->cur];
	static const uint8_t zeros[JOURNAL_PAGE];

	if (write_all(j, slot->fd, zeros, sizeof zeros, j->pos))
		(void)j->ops->fdatasync(slot->fd);
}

bool
journal_flush(struct journal *j)
{
	const struct journal_slot *slot = &j->slot[j->cur];
	size_t header, padded;

	if (!j->open)
		return true;
	j->open = false;
	header = j->pos == 0 ? JOURNAL_PAGE : 0;
	if (j->error == 0 && j->base == j->pos && j->used == header) {
		j->batch--; /* no record found room */
		return true;
	}
	padded = round_up(j->used, JOURNAL_PAGE);
	memset(j->chunk + j->used, 0, padded - j->used);
	j->used = padded;
	if (j->error != 0 || !spill(j)) {
		disown(j);
		return false;
	}
	if (j->ops->fdatasync(slot->fd) == -1) {
		fail(j, "fdatasync");
		disown(j);
		return false;
	}
	j->pos = j->base;
	j->flushes++;
	return true;
}

bool
journal_long(const struct journal *j)
{
	return j->starved || j->pos >= j->max;
}

bool
journal_retire(struct journal *j, unsigned int i)
{
	struct journal_slot *slot = &j->slot[i];
	uint8_t page[JOURNAL_PAGE];

	if (slot->generation == 0)
		return true;
	slot->retired = true;
	header_put(slot, page);
	/* What a busy hour made is given back. */
	if (slot->size > j->max + j->step &&
	    ftruncate(slot->fd, (off_t)(j->max + j->step)) == 0)
		slot->size = j->max + j->step;
	if (write_all(j, slot->fd, page, sizeof page, 0) &&
	    j->ops->fdatasync(slot->fd) == 0)
		return true;
	slot->retired = false;
	return false;
}
