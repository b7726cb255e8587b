/*
 * Connected stream sockets: bounded buffers, one deadline, a layer below that
 * is TCP or TLS.  Used by session and deliver; never blocks.
 *
 * SPDX-License-Identifier: ISC
 */
#include "io.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE  16384
#define READ_TURNS 4 /* reads before others have their turn */

static void update(struct io *io);

/* ---- plain TCP ---- */

static long
plain_read(struct io *io, void *p, size_t len, int *want)
{
	ssize_t n = read(io->fd, p, len);

	*want = LOOP_READ;
	if (n == -1 && errno == EINTR)
		errno = EAGAIN;
	if (n == -1 && errno != EAGAIN)
		io->error = strerror(errno);
	return n;
}

static long
plain_write(struct io *io, const void *p, size_t len, int *want)
{
	ssize_t n = send(io->fd, p, len, MSG_NOSIGNAL);

	*want = LOOP_WRITE;
	if (n == -1 && errno == EINTR)
		errno = EAGAIN;
	if (n == -1 && errno != EAGAIN)
		io->error = strerror(errno);
	return n;
}

static const struct io_layer plain = { plain_read, plain_write, NULL };

/* ---- telling the owner ---- */

/* False: the owner closed io meanwhile, and it is not ours to touch. */
static bool
emit(struct io *io, enum io_event e)
{
	bool freed = false, *outer = io->freed;

	io->freed = &freed;
	io->fn(io, e, io->arg);
	if (freed) {
		if (outer != NULL)
			*outer = true;
		return false;
	}
	io->freed = outer;
	return true;
}

static void
on_deadline(void *arg)
{
	emit(arg, IO_TIMEOUT);
}

/* ---- writing ---- */

/* Writes what there is; false: io is gone. */
static bool
flush(struct io *io)
{
	int want = LOOP_WRITE;
	bool had = io->out.len > 0;
	long n;

	while (io->out.len > 0) {
		n = io->layer->write(io, buf_data(&io->out), io->out.len,
		    &want);
		if (n == -1 && errno == EAGAIN)
			break;
		if (n < 0) {
			watch_clear(&io->wr);
			return emit(io, IO_ERROR);
		}
		buf_drain(&io->out, (size_t)n);
	}
	if (io->out.len > 0)
		return true;
	buf_trim(&io->out);
	return had ? emit(io, IO_LOW) : true;
}

static void
on_later(int fd, short what, void *arg)
{
	struct io *io = arg;

	(void)fd;
	(void)what;
	io->later_set = false;
	if (io->connecting)
		return;
	if (flush(io))
		update(io);
}

static void
finish_connect(struct io *io)
{
	int error = 0;
	socklen_t len = sizeof error;

	watch_clear(&io->wr);
	io->connecting = false;
	if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error != 0) {
		io->error = strerror(error);
		emit(io, IO_ERROR);
		return;
	}
	if (emit(io, IO_READY) && flush(io))
		update(io);
}

static void
on_writable(int fd, int what, void *arg)
{
	struct io *io = arg;

	(void)fd;
	(void)what;
	if (io->connecting)
		finish_connect(io);
	else if (flush(io))
		update(io);
}

/* ---- reading ---- */

/* How much fits into in now. */
static size_t
in_room(const struct io *io)
{
	size_t room = READ_SIZE;

	if (io->in.max != 0 && io->in.max - io->in.len < room)
		room = io->in.max - io->in.len;
	return room;
}

/* Reads once; 1: maybe more, 0: enough, -1: io is gone or at its end. */
static int
read_some(struct io *io)
{
	size_t room = in_room(io);
	int want = LOOP_READ;
	uint8_t *p;
	long n;

	if (room == 0 || (p = buf_room(&io->in, room)) == NULL)
		return 0;
	n = io->layer->read(io, p, room, &want);
	if (n == -1 && errno == EAGAIN) {
		buf_trim(&io->in);
		return 0;
	}
	if (n < 0) {
		watch_clear(&io->rd);
		emit(io, IO_ERROR);
		return -1;
	}
	if (n == 0) {
		io->eof = true;
		watch_clear(&io->rd);
		emit(io, IO_EOF);
		return -1;
	}
	buf_filled(&io->in, (size_t)n);
	if (!emit(io, IO_INPUT))
		return -1;
	buf_trim(&io->in);
	/* TLS may hold more than the socket shows. */
	return io->layer != &plain || (size_t)n == room ? 1 : 0;
}

static void
on_readable(int fd, int what, void *arg)
{
	struct io *io = arg;
	int turn, more = 1;

	(void)fd;
	(void)what;
	/* Only now: most who wait for an answer send nothing meanwhile, and
	 * each change of what is watched is a system call. */
	if (io->paused) {
		watch_clear(&io->rd);
		return;
	}
	for (turn = 0; turn < READ_TURNS && more == 1 && !io->paused; turn++) {
		more = read_some(io);
		if (more == -1)
			return;
	}
	/* The last turn was not the last byte of TLS: come back. */
	if (more == 1 && io->layer != &plain && !io->paused)
		io_resume(io);
	/* What the owner answered leaves together. */
	if (flush(io))
		update(io);
}

/* Watches what is of use now. */
static void
update(struct io *io)
{
	bool want_rd =
	    !io->paused && !io->eof && !io->connecting && in_room(io) > 0;
	bool want_wr = io->connecting || io->out.len > 0;

	if (io->fd == -1)
		return;
	if (want_rd && io->rd.what == 0)
		watch_set(io->loop, &io->rd, io->fd, LOOP_READ, on_readable,
		    io);
	else if (!want_rd && !io->paused)
		watch_clear(&io->rd);
	if (want_wr && io->wr.what == 0)
		watch_set(io->loop, &io->wr, io->fd, LOOP_WRITE, on_writable,
		    io);
	else if (!want_wr)
		watch_clear(&io->wr);
}

/* ---- what was in the buffer when reading resumed ---- */

static void
on_resumed(void *arg)
{
	struct io *io = arg;

	if (io->paused)
		return;
	if (io->in.len > 0 && !emit(io, IO_INPUT))
		return;
	if (io->layer != &plain && !io->paused && !io->eof) {
		on_readable(io->fd, LOOP_READ, io);
		return;
	}
	buf_trim(&io->in);
	if (flush(io))
		update(io);
}

/* ---- public ---- */

static void
start(struct io *io, struct loop *l, int fd, size_t in_max, size_t out_max,
    void (*fn)(struct io *io, enum io_event e, void *arg), void *arg)
{
	*io = (struct io){ .loop = l,
		.fd = fd,
		.layer = &plain,
		.fn = fn,
		.arg = arg,
		.error = "" };
	buf_init(&io->in, in_max);
	buf_init(&io->out, out_max);
	event_assign(&io->later, l->base, -1, 0, on_later, io);
}

void
io_open(struct io *io, struct loop *l, int fd, size_t in_max, size_t out_max,
    void (*fn)(struct io *io, enum io_event e, void *arg), void *arg)
{
	start(io, l, fd, in_max, out_max, fn, arg);
	update(io);
}

void
io_connecting(struct io *io, struct loop *l, int fd, size_t in_max,
    size_t out_max, void (*fn)(struct io *io, enum io_event e, void *arg),
    void *arg)
{
	start(io, l, fd, in_max, out_max, fn, arg);
	io->connecting = true;
	update(io);
}

void
io_close(struct io *io)
{
	if (io->loop == NULL)
		return;
	if (io->freed != NULL)
		*io->freed = true;
	watch_clear(&io->rd);
	watch_clear(&io->wr);
	timer_clear(&io->deadline);
	timer_clear(&io->resume);
	if (io->later_set)
		event_del(&io->later);
	if (io->layer->free != NULL)
		io->layer->free(io);
	close(io->fd);
	buf_free(&io->in);
	buf_free(&io->out);
	*io = (struct io){ .fd = -1 };
}

void
io_kick(struct io *io)
{
	if (io->later_set || io->out.len == 0)
		return;
	io->later_set = true;
	event_active(&io->later, EV_WRITE, 0);
}

bool
io_write(struct io *io, const void *p, size_t len)
{
	if (!buf_add(&io->out, p, len))
		return false;
	io_kick(io);
	return true;
}

bool
io_printf(struct io *io, const char *fmt, ...)
{
	char line[4096];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	return n >= 0 && (size_t)n < sizeof line &&
	    io_write(io, line, (size_t)n);
}

void
io_pause(struct io *io)
{
	io->paused = true;
	timer_clear(&io->resume);
	update(io);
}

void
io_resume(struct io *io)
{
	io->paused = false;
	if (io->in.len > 0 || io->layer != &plain)
		timer_set(io->loop, &io->resume, 0, on_resumed, io);
	update(io);
}

void
io_deadline(struct io *io, msec ms)
{
	if (ms == 0)
		timer_clear(&io->deadline);
	else
		timer_set(io->loop, &io->deadline, ms, on_deadline, io);
}
