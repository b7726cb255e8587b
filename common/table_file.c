/*
 * The end of a db: table's file, and what it sums to.  Runs in lookup and
 * smtpctl; knows nothing of LMDB.
 *
 * SPDX-License-Identifier: ISC
 */
#include "table_file.h"

#include <sys/stat.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "log.h"
#include "write_all.h"

#define COPY_SIZE ((size_t)256 << 10)

static void
put_number(uint8_t out[8], uint64_t n)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		out[i] = (uint8_t)(n >> 8 * i);
}

static uint64_t
get_number(const uint8_t in[8])
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < 8; i++)
		n |= (uint64_t)in[i] << 8 * i;
	return n;
}

void
table_file_end_set(struct table_file_end *end, uint64_t len, uint64_t n,
    uint64_t sum)
{
	memcpy(end->magic, TABLE_FILE_MAGIC, sizeof(end->magic));
	put_number(end->len, len);
	put_number(end->n, n);
	put_number(end->sum, sum);
}

/* All of len bytes from at; 0, or errno, or EIO at the file's end. */
static int
read_all(int fd, void *p, size_t len, uint64_t at)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(fd, (char *)p + done, len - done, (off_t)(at + done));
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? EIO : errno;
		done += (size_t)n;
	}
	return 0;
}

static int
sum_blocks(int fd, uint64_t len, int out, void *block, XXH3_state_t *state)
{
	uint64_t at;
	size_t part;
	int rc;

	for (at = 0; at < len; at += part) {
		part = len - at < COPY_SIZE ? (size_t)(len - at) : COPY_SIZE;
		if ((rc = read_all(fd, block, part, at)) != 0)
			return rc;
		if (out != -1 && !write_all(out, block, part))
			return errno;
		XXH3_64bits_update(state, block, part);
	}
	return 0;
}

const char *
table_file_sum(int fd, uint64_t len, int out, uint64_t *sum)
{
	XXH3_state_t *state = XXH3_createState();
	void *block = xcalloc(1, COPY_SIZE);
	int rc;

	if (state == NULL)
		fatal("no memory for a checksum");
	XXH3_64bits_reset(state);
	rc = sum_blocks(fd, len, out, block, state);
	*sum = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	free(block);
	return rc == 0 ? NULL : strerror(rc);
}

/* What stands at its end; *len: bytes before that. */
static const char *
read_end(int fd, struct table_file_end *end, uint64_t *len)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st) == -1)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "not a file";
	if (st.st_size < (off_t)sizeof(*end))
		return "not made by smtpctl makemap, or cut short";
	*len = (uint64_t)st.st_size - sizeof(*end);
	if ((rc = read_all(fd, end, sizeof(*end), *len)) != 0)
		return strerror(rc);
	if (memcmp(end->magic, TABLE_FILE_MAGIC, sizeof(end->magic)) != 0 ||
	    get_number(end->len) != *len)
		return "not made by smtpctl makemap, or cut short";
	return NULL;
}

const char *
table_file_look(int fd)
{
	struct table_file_end end;
	uint64_t len;

	return read_end(fd, &end, &len);
}

const char *
table_file_copy(int fd, int out, uint64_t *n)
{
	struct table_file_end end;
	const char *why;
	uint64_t len, sum;

	if ((why = read_end(fd, &end, &len)) != NULL ||
	    (why = table_file_sum(fd, len, out, &sum)) != NULL)
		return why;
	if (sum != get_number(end.sum))
		return "damaged: its checksum is wrong";
	*n = get_number(end.n);
	return NULL;
}
