/*
 * The files of the history: which there are, and reading them.  Used by queue
 * and smtpctl.
 *
 * SPDX-License-Identifier: ISC
 */
#include "history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define PREFIX "history-"
#define PIECE  ((size_t)65536)

const char *
history_file_name(uint64_t number, char out[HISTORY_NAME + 1])
{
	snprintf(out, HISTORY_NAME + 1, PREFIX "%016" PRIx64, number);
	return out;
}

/* The number of a file by its name; false: it is another's. */
static bool
number_of(const char *name, uint64_t *number)
{
	char again[HISTORY_NAME + 1], *end;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return false;
	errno = 0;
	*number = strtoull(name + strlen(PREFIX), &end, 16);
	return errno == 0 &&
	    strcmp(history_file_name(*number, again), name) == 0;
}

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int
history_files(int folder, uint64_t **out)
{
	uint64_t *numbers, number;
	struct dirent *entry;
	DIR *dir;
	int n = 0, fd;

	*out = NULL;
	fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return -1;
	}
	numbers = xcalloc(HISTORY_FILES, sizeof *numbers);
	while (n < HISTORY_FILES && (entry = readdir(dir)) != NULL) {
		if (number_of(entry->d_name, &number))
			numbers[n++] = number;
	}
	closedir(dir);
	qsort(numbers, (size_t)n, sizeof *numbers, compare);
	*out = numbers;
	return n;
}

/* ---- reading ---- */

/* All whole lines in b; false: fn has enough. */
static bool
take_lines(struct buf *b, history_fn *fn, void *arg)
{
	struct history_row row;
	const uint8_t *nl;
	struct slice line;

	while ((nl = memchr(buf_data(b), '\n', b->len)) != NULL) {
		line = (struct slice){ (const char *)buf_data(b),
			(size_t)(nl - buf_data(b)) };
		if (history_line_parse(line, &row) == NULL && !fn(arg, &row))
			return false;
		buf_drain(b, line.len + 1);
	}
	/* A line without end is none of ours: a power cut may leave such. */
	if (b->len > HISTORY_LINE_MAX)
		buf_drain(b, b->len);
	return true;
}

static bool
read_file(int fd, history_fn *fn, void *arg)
{
	struct buf b;
	uint8_t *room;
	ssize_t n;
	bool more = true;

	buf_init(&b, 0);
	while (more && (room = buf_room(&b, PIECE)) != NULL &&
	    (n = read(fd, room, PIECE)) > 0) {
		buf_filled(&b, (size_t)n);
		more = take_lines(&b, fn, arg);
	}
	buf_free(&b);
	return more;
}

bool
history_walk(const char *dir, history_fn *fn, void *arg)
{
	char name[HISTORY_NAME + 1];
	uint64_t *numbers;
	int spool, folder, n, i, fd;
	bool more = true;

	spool = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (spool == -1)
		return false;
	folder =
	    openat(spool, HISTORY_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(spool);
	if (folder == -1)
		return false;
	n = history_files(folder, &numbers);
	for (i = 0; i < n && more; i++) {
		fd = openat(folder, history_file_name(numbers[i], name),
		    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd == -1)
			continue; /* it was the oldest, and is gone */
		more = read_file(fd, fn, arg);
		close(fd);
	}
	free(numbers);
	close(folder);
	return n >= 0;
}
