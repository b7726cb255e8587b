/*
 * Writing the history.  Runs in the queue process; never waits for the disk,
 * and never stands in the way of mail.
 *
 * SPDX-License-Identifier: ISC
 */
#include "history.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define WRITE_MSEC  1000
#define WRITE_BYTES ((size_t)65536)   /* so much is written at once */
#define PENDING_MAX ((size_t)1 << 20) /* the disk refuses: then no more */
#define PRUNE_MSEC  3600000
#define FILES       8 /* so many make up the whole size */
#define FILE_MIN    65536

struct history {
	struct loop *loop;
	int folder, fd;   /* fd -1: the next write opens a file */
	uint64_t written; /* bytes in it */
	int64_t keep;
	uint64_t size;
	struct buf pending;
	struct timer write, prune;
	bool refused; /* said so */
};

static int64_t
now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void
refused(struct history *h, const char *what)
{
	if (!h->refused)
		log_warn("history", "%s: error=%s", what, q(strerror(errno)));
	h->refused = true;
}

/* ---- files ---- */

static uint64_t
file_max(const struct history *h)
{
	uint64_t n = h->size / FILES;

	return n < FILE_MIN ? FILE_MIN : n;
}

static void
close_file(struct history *h)
{
	if (h->fd != -1)
		close(h->fd);
	h->fd = -1;
}

/* The oldest go, until the rest is young and small enough.  The newest may be
 * the one that is being written. */
static void
prune(void *arg)
{
	struct history *h = arg;
	char name[HISTORY_NAME + 1];
	int64_t now = now_usec() / 1000000;
	uint64_t *numbers, total = file_max(h);
	struct stat st;
	bool newest;
	int n, i;

	timer_set(h->loop, &h->prune, PRUNE_MSEC, prune, h);
	n = history_files(h->folder, &numbers);
	for (i = n - 1; i >= 0; i--) {
		newest = i == n - 1;
		if (fstatat(h->folder, history_file_name(numbers[i], name), &st,
			AT_SYMLINK_NOFOLLOW) == -1)
			continue;
		total += newest ? 0 : (uint64_t)st.st_size;
		if (st.st_mtime >= now - h->keep &&
		    (newest || total <= h->size))
			continue;
		if (newest)
			close_file(h);
		unlinkat(h->folder, name, 0);
	}
	free(numbers);
}

static bool
open_file(struct history *h, uint64_t number)
{
	char name[HISTORY_NAME + 1];
	struct stat st;

	h->fd = openat(h->folder, history_file_name(number, name),
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (h->fd == -1 || fstat(h->fd, &st) == -1)
		return false;
	h->written = (uint64_t)st.st_size;
	/* The last line of a life that was cut off ends here. */
	if (h->written > 0 && write(h->fd, "\n", 1) == 1)
		h->written++;
	return true;
}

/* The newest, if there is room in it. */
static bool
open_last(struct history *h)
{
	uint64_t *numbers, number = 0;
	int n = history_files(h->folder, &numbers);

	if (n > 0)
		number = numbers[n - 1];
	free(numbers);
	if (n < 0)
		return false;
	if (n == 0)
		number = (uint64_t)now_usec();
	return open_file(h, number);
}

static void
next_file(struct history *h)
{
	close_file(h);
	if (!open_file(h, (uint64_t)now_usec()))
		refused(h, "cannot be written");
	prune(h);
}

/* ---- writing ---- */

static void
write_pending(struct history *h)
{
	ssize_t n;

	timer_clear(&h->write);
	if (h->pending.len == 0)
		return;
	if (h->fd == -1 || h->written >= file_max(h))
		next_file(h);
	n = h->fd == -1 ? -1 :
			  write(h->fd, buf_data(&h->pending), h->pending.len);
	if (n <= 0) {
		refused(h, "cannot be written");
		buf_drain(&h->pending, h->pending.len);
		return;
	}
	/* What is left of a line is completed by the next write. */
	h->refused = false;
	h->written += (uint64_t)n;
	buf_drain(&h->pending, (size_t)n);
}

static void
on_write(void *arg)
{
	write_pending(arg);
}

void
history_add(struct history *h, const struct history_row *row)
{
	size_t had;

	if (h == NULL)
		return;
	had = h->pending.len;
	if (!history_line_print(row, &h->pending)) {
		/* Half a line is worse than none. */
		h->pending.len = had;
		write_pending(h);
		return;
	}
	if (h->pending.len >= WRITE_BYTES)
		write_pending(h);
	else if (!h->write.set)
		timer_set(h->loop, &h->write, WRITE_MSEC, on_write, h);
}

/* ---- open and close ---- */

struct history *
history_open(struct loop *l, const char *dir, int64_t keep, uint64_t size,
    const char **why)
{
	struct history *h = xcalloc(1, sizeof *h);
	int spool = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	h->loop = l;
	h->keep = keep;
	h->size = size;
	h->fd = -1;
	h->folder = spool == -1 ?
	    -1 :
	    openat(spool, HISTORY_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	buf_init(&h->pending, PENDING_MAX);
	if (spool != -1)
		close(spool);
	if (h->folder != -1)
		prune(h);
	if (h->folder == -1 || !open_last(h)) {
		*why = strerror(errno);
		history_close(&h);
		return NULL;
	}
	return h;
}

void
history_close(struct history **hp)
{
	struct history *h = *hp;

	if (h == NULL)
		return;
	*hp = NULL;
	if (h->fd != -1)
		write_pending(h);
	timer_clear(&h->write);
	timer_clear(&h->prune);
	close_file(h);
	if (h->folder != -1)
		close(h->folder);
	buf_free(&h->pending);
	free(h);
}
