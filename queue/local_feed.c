/*
 * Writes a message from its file into a pipe, as fast as who reads it does, a
 * bounded piece at a time.  Runs in the queue process; changes no file.
 *
 * The sum is reckoned ahead of what is written, so that the last byte is not
 * written before it is known to be right: a damaged message is cut short, and
 * comes to nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "local_feed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <xxhash.h>

#include "log.h"

#define CHUNK ((uint64_t)64 << 10)
#define TURN  ((uint64_t)256 << 10) /* bytes of one turn of the loop */

struct feed {
	int file, pipe;
	struct feed_of of;
	uint64_t fed;    /* of trace and content */
	uint64_t summed; /* of content */
	bool right;      /* the sum is */
	XXH3_state_t *sum;
	struct watch writable;
	void (*done)(void *arg, enum feed_end end);
	void *arg;
};

/* Adds len bytes of the file to the sum.  False: they are not there. */
static bool
add(struct feed *f, uint64_t off, uint64_t len)
{
	uint8_t bytes[16 << 10];
	ssize_t n;

	for (; len > 0; off += (uint64_t)n, len -= (uint64_t)n) {
		n = pread(f->file, bytes,
		    len < sizeof bytes ? (size_t)len : sizeof bytes,
		    (off_t)off);
		if (n == -1 && errno == EINTR) {
			n = 0;
			continue;
		}
		if (n <= 0)
			return false;
		XXH3_64bits_update(f->sum, bytes, (size_t)n);
	}
	return true;
}

/* Before the first `upto` bytes may be written.  FEED_WHOLE: they may. */
static enum feed_end
look_ahead(struct feed *f, uint64_t upto)
{
	const struct feed_of *of = &f->of;
	uint64_t want = upto < of->trace_len ? 0 : upto - of->trace_len;

	if (f->right)
		return FEED_WHOLE;
	if (f->summed < want) {
		if (!add(f, of->content_off + f->summed, want - f->summed))
			return FEED_UNREAD;
		f->summed = want;
	}
	if (upto < of->trace_len + of->content_len)
		return FEED_WHOLE;
	if (!add(f, of->trace_off, of->trace_len))
		return FEED_UNREAD;
	f->right = XXH3_64bits_digest(f->sum) == of->sum;
	return f->right ? FEED_WHOLE : FEED_DAMAGED;
}

/* Some of the n bytes behind what was written, of the part that begins there.
 * As splice(2). */
static ssize_t
put(struct feed *f, uint64_t n)
{
	const struct feed_of *of = &f->of;
	bool trace = f->fed < of->trace_len;
	uint64_t at = trace ? f->fed : f->fed - of->trace_len;
	uint64_t left = (trace ? of->trace_len : of->content_len) - at;
	off_t off = (off_t)((trace ? of->trace_off : of->content_off) + at);

	return splice(f->file, &off, f->pipe, NULL,
	    (size_t)(n < left ? n : left), SPLICE_F_NONBLOCK);
}

static void
over(struct feed *f, enum feed_end end)
{
	watch_clear(&f->writable);
	f->done(f->arg, end);
}

static void
on_writable(int fd, int what, void *arg)
{
	struct feed *f = arg;
	uint64_t all = f->of.trace_len + f->of.content_len, n, turn;
	enum feed_end end;
	ssize_t put_n;

	(void)fd;
	(void)what;
	for (turn = 0; turn < TURN; turn += (uint64_t)put_n) {
		n = all - f->fed < CHUNK ? all - f->fed : CHUNK;
		end = look_ahead(f, f->fed + n);
		if (end != FEED_WHOLE || n == 0) {
			over(f, end);
			return;
		}
		put_n = put(f, n);
		if (put_n == -1 && errno == EAGAIN)
			return;
		if (put_n == -1 && errno == EINTR) {
			put_n = 0;
			continue;
		}
		if (put_n <= 0) {
			over(f,
			    put_n == -1 && errno == EPIPE ? FEED_SHUT :
							    FEED_UNREAD);
			return;
		}
		f->fed += (uint64_t)put_n;
	}
}

struct feed *
feed_new(int file, int pipe, const struct feed_of *of)
{
	struct feed *f = xcalloc(1, sizeof *f);

	f->file = file;
	f->pipe = pipe;
	f->of = *of;
	if ((f->sum = XXH3_createState()) == NULL)
		fatal("no memory");
	XXH3_64bits_reset(f->sum);
	return f;
}

void
feed_start(struct feed *f, struct loop *l,
    void (*done)(void *arg, enum feed_end end), void *arg)
{
	f->done = done;
	f->arg = arg;
	watch_set(l, &f->writable, f->pipe, LOOP_WRITE, on_writable, f);
}

void
feed_free(struct feed **fp)
{
	struct feed *f = *fp;

	if (f == NULL)
		return;
	watch_clear(&f->writable);
	close(f->pipe);
	XXH3_freeState(f->sum);
	free(f);
	*fp = NULL;
}
