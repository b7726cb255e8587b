/*
 * Reading and checking one spool file.  Used by queue.  Believes nothing that
 * length, trailer and sums do not bear out.
 *
 * SPDX-License-Identifier: ISC
 */
#include "spool_read.h"

#include <sys/stat.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "id.h"
#include "log.h"

#define HEAD_FIRST ((size_t)4096) /* most heads are shorter */
#define ID_AT      (sizeof "postern 1\nid: " - 1)

/* The trailer and what it says of the head: NULL and *head, the head's length,
 * or why it does not fit before bytes before the trailer. */
static const char *
check_end(const char *end, uint64_t before, struct trailer *t, uint64_t *head)
{
	const char *why = trailer_parse(end, TRAILER_LEN, t);

	if (why != NULL)
		return why;
	if (t->content > before || t->trace > before - t->content)
		return "the length is not what the trailer says";
	*head = before - t->content - t->trace;
	return *head < ID_AT + ID_LEN + 2 ? "no head" : NULL;
}

const char *
spool_read_head(int fd, struct arena *a, struct head *h)
{
	char first[HEAD_FIRST], *mem = NULL, *in = first;
	size_t size = sizeof first, got = 0;
	const char *why;
	bool more;
	ssize_t n;

	for (;;) {
		n = pread(fd, in + got, size - got, (off_t)got);
		if (n == -1) {
			why = strerror(errno);
			break;
		}
		got += (size_t)n;
		why = head_parse(in, got, a, h, &more);
		if (why == NULL || !more || n == 0 || size > HEAD_LEN_MAX)
			break;
		if (got < size)
			continue;
		size *= 4;
		mem = xrealloc(mem, size, 1);
		if (in == first)
			memcpy(mem, first, got);
		in = mem;
	}
	free(mem);
	return why;
}

const char *
spool_read(int fd, uint64_t id, struct arena *a, struct head *h,
    struct trailer *t)
{
	char end[TRAILER_LEN];
	const char *why;
	struct stat st;
	uint64_t before, head;

	if ((why = spool_read_head(fd, a, h)) != NULL)
		return why;
	if (h->id != id)
		return "the head is another message's";
	if (fstat(fd, &st) == -1)
		return strerror(errno);
	if ((uint64_t)st.st_size < h->len + TRAILER_LEN)
		return "cut short";
	before = (uint64_t)st.st_size - TRAILER_LEN;
	if (pread(fd, end, sizeof end, (off_t)before) != sizeof end)
		return "the trailer cannot be read";
	if ((why = check_end(end, before, t, &head)) != NULL)
		return why;
	return head == h->len ? NULL :
				"the length is not what the trailer says";
}

const char *
spool_check_large(int fd, uint64_t id, uint64_t *size)
{
	char name[ID_LEN + 1], start[ID_LEN], end[TRAILER_LEN], last[2];
	struct trailer t;
	const char *why;
	struct stat st;
	uint64_t before, head;

	if (fstat(fd, &st) == -1)
		return strerror(errno);
	*size = (uint64_t)st.st_size;
	if (*size < TRAILER_LEN)
		return "cut short";
	before = *size - TRAILER_LEN;
	if (pread(fd, start, sizeof start, ID_AT) != sizeof start ||
	    pread(fd, end, sizeof end, (off_t)before) != sizeof end)
		return "it cannot be read";
	if (memcmp(start, id_print(id, name), ID_LEN) != 0)
		return "the head is another message's";
	if ((why = check_end(end, before, &t, &head)) != NULL)
		return why;
	if (pread(fd, last, sizeof last, (off_t)head - 2) != sizeof last ||
	    memcmp(last, "\n\n", 2) != 0)
		return "the head ends elsewhere";
	return NULL;
}

const char *
spool_check(const uint8_t *file, size_t len, uint64_t id, struct trailer *t)
{
	char name[ID_LEN + 1];
	const char *why;
	uint64_t head;
	size_t before;

	if (len < ID_AT + ID_LEN + TRAILER_LEN)
		return "cut short";
	if (memcmp(file + ID_AT, id_print(id, name), ID_LEN) != 0)
		return "the head is another message's";
	before = len - TRAILER_LEN;
	why = check_end((const char *)file + before, before, t, &head);
	if (why != NULL)
		return why;
	if (memcmp(file + head - 2, "\n\n", 2) != 0)
		return "the head ends elsewhere";
	if (XXH3_64bits(file + head, (size_t)(before - head)) != t->sum)
		return "wrong sum";
	return NULL;
}
