/*
 * A message on its way into a pipe: order, readers that are slow or gone,
 * damage, and that a damaged one never comes out whole.
 *
 * SPDX-License-Identifier: ISC
 */
#include "local_feed.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

#include <xxhash.h>

#include "unit.h"

#define HEAD  "head of the file\n"
#define TRACE "Received: here\r\n"

/* A file, its feed, and what came out at the other end. */
struct room {
	struct loop *loop;
	struct feed *feed;
	struct feed_of of;
	int file_fd, reader;
	enum feed_end end;
	bool over;
	size_t got;
	bool good; /* so far, what came is what it should be */
	char *file;
};

static void
on_done(void *arg, enum feed_end end)
{
	struct room *r = arg;

	r->end = end;
	r->over = true;
	feed_free(&r->feed);
	loop_stop(r->loop);
}

static void
on_tick(void *arg)
{
	loop_stop(arg);
}

/* Lets the loop run for a moment. */
static void
turn(struct room *r)
{
	struct timer t = { 0 };

	timer_set(r->loop, &t, 1, on_tick, r->loop);
	loop_run(r->loop);
	timer_clear(&t);
}

static int
make_file(struct room *r, size_t content)
{
	char path[] = "/tmp/unit-feed-XXXXXX";
	int fd = mkstemp(path);
	size_t i, at = strlen(HEAD), n = at + content + strlen(TRACE);

	unlink(path);
	r->file = malloc(n);
	memcpy(r->file, HEAD, at);
	for (i = 0; i < content; i++)
		r->file[at + i] = (char)('a' + (i * 7 + i / 251) % 26);
	memcpy(r->file + at + content, TRACE, strlen(TRACE));
	r->of = (struct feed_of){ .content_off = at,
		.content_len = content,
		.trace_off = at + content,
		.trace_len = strlen(TRACE),
		.sum = XXH3_64bits(r->file + at, content + strlen(TRACE)) };
	if (write(fd, r->file, n) != (ssize_t)n)
		abort();
	return fd;
}

/* harm: in the file, behind its sum; NULL: none. */
static void
set_up(struct room *r, size_t content, void (*harm)(int fd, size_t content))
{
	int ends[2];

	memset(r, 0, sizeof *r);
	r->good = true;
	r->loop = loop_new();
	r->file_fd = make_file(r, content);
	if (harm != NULL)
		harm(r->file_fd, content);
	if (pipe2(ends, O_CLOEXEC) == -1)
		abort();
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	r->reader = ends[0];
	r->feed = feed_new(r->file_fd, ends[1], &r->of);
}

static void
put_away(struct room *r)
{
	feed_free(&r->feed);
	close(r->file_fd);
	if (r->reader != -1)
		close(r->reader);
	loop_free(&r->loop);
	free(r->file);
}

static char
at(const struct room *r, size_t i)
{
	return i < r->of.trace_len ?
	    r->file[r->of.trace_off + i] :
	    r->file[r->of.content_off + i - r->of.trace_len];
}

/* Takes up to max bytes out of the pipe.  Returns how many. */
static size_t
drain(struct room *r, size_t max)
{
	char bytes[4096];
	size_t all = 0;
	ssize_t n, i;

	while (all < max &&
	    (n = read(r->reader, bytes,
		 max - all < sizeof bytes ? max - all : sizeof bytes)) > 0) {
		for (i = 0; i < n; i++)
			r->good = r->good && bytes[i] == at(r, r->got++);
		all += (size_t)n;
	}
	return all;
}

static bool
runs(struct room *r, size_t step)
{
	int i;

	feed_start(r->feed, r->loop, on_done, r);
	for (i = 0; i < 20000 && !r->over; i++) {
		turn(r);
		drain(r, step);
	}
	drain(r, SIZE_MAX);
	return r->over;
}

static size_t
whole(const struct room *r)
{
	return r->of.trace_len + r->of.content_len;
}

static void
hurt_last(int fd, size_t content)
{
	if (pwrite(fd, "#", 1, (off_t)(strlen(HEAD) + content - 1)) != 1)
		abort();
}

static void
hurt_first(int fd, size_t content)
{
	(void)content;
	if (pwrite(fd, "#", 1, (off_t)strlen(HEAD)) != 1)
		abort();
}

static void
hurt_trace(int fd, size_t content)
{
	if (pwrite(fd, "#", 1, (off_t)(strlen(HEAD) + content + 3)) != 1)
		abort();
}

static void
cut(int fd, size_t content)
{
	if (ftruncate(fd, (off_t)(strlen(HEAD) + content - 1)) != 0)
		abort();
}

/* Columns: name, bytes of content, bytes that are read at a time, harm, how it
 * ends. */
static const struct {
	const char *name;
	size_t content, step;
	void (*harm)(int fd, size_t content);
	enum feed_end end;
} rows[] = {
	{ "small", 100, SIZE_MAX, NULL, FEED_WHOLE },
	{ "trace alone", 0, SIZE_MAX, NULL, FEED_WHOLE },
	{ "one byte", 1, SIZE_MAX, NULL, FEED_WHOLE },
	{ "as large as the pipe", 65536, SIZE_MAX, NULL, FEED_WHOLE },
	{ "one more", 65537, SIZE_MAX, NULL, FEED_WHOLE },
	{ "large", 3000000, SIZE_MAX, NULL, FEED_WHOLE },
	{ "large, to a slow reader", 400000, 1000, NULL, FEED_WHOLE },
	{ "small and damaged", 100, SIZE_MAX, hurt_first, FEED_DAMAGED },
	{ "small, at its end", 100, SIZE_MAX, hurt_last, FEED_DAMAGED },
	{ "small, in its trace", 100, SIZE_MAX, hurt_trace, FEED_DAMAGED },
	{ "trace alone, damaged", 0, SIZE_MAX, hurt_trace, FEED_DAMAGED },
	{ "large and damaged", 300000, SIZE_MAX, hurt_last, FEED_DAMAGED },
	{ "large, in its trace", 300000, SIZE_MAX, hurt_trace, FEED_DAMAGED },
	{ "large, a slow reader, damaged", 300000, 5000, hurt_first,
	    FEED_DAMAGED },
	{ "cut off", 100, SIZE_MAX, cut, FEED_UNREAD },
	{ "large and cut off", 300000, SIZE_MAX, cut, FEED_UNREAD },
};

static void
check_rows(void)
{
	struct room r;
	char name[80];
	size_t i;
	bool over;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		set_up(&r, rows[i].content, rows[i].harm);
		over = runs(&r, rows[i].step);
		snprintf(name, sizeof name, "feed: %s", rows[i].name);
		if (rows[i].end == FEED_WHOLE)
			CHECK(name,
			    over && r.end == FEED_WHOLE && r.good &&
				r.got == whole(&r));
		else
			CHECK(name,
			    over && r.end == rows[i].end && r.got < whole(&r));
		put_away(&r);
	}
}

/* What is small is looked at before anything of it is written. */
static void
check_nothing(void)
{
	struct room r;

	set_up(&r, 60000, hurt_last);
	runs(&r, SIZE_MAX);
	CHECK("feed: nothing of a small one that is damaged", r.got == 0);
	put_away(&r);
}

static void
check_start(void)
{
	struct room r;

	set_up(&r, 100, NULL);
	turn(&r);
	CHECK("feed: nothing before it is started",
	    drain(&r, SIZE_MAX) == 0 && !r.over);
	feed_free(&r.feed);
	CHECK("feed: never started, and ended",
	    read(r.reader, &(char){ 0 }, 1) == 0);
	put_away(&r);
}

static void
check_shut(void)
{
	struct room r;

	set_up(&r, 300000, NULL);
	feed_start(r.feed, r.loop, on_done, &r);
	turn(&r);
	drain(&r, 1000);
	CHECK("feed: waits for its reader", !r.over);
	close(r.reader);
	r.reader = -1;
	turn(&r);
	turn(&r);
	CHECK("feed: who reads no more ends it", r.over && r.end == FEED_SHUT);
	put_away(&r);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	check_rows();
	check_nothing();
	check_start();
	check_shut();
	return unit_end();
}
