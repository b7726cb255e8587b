/*
 * A connected stream socket: bytes in and out through bounded buffers, one
 * deadline, TLS if somebody started it.  Never blocks.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_IO_H
#define COMMON_IO_H

#include <stdbool.h>

#include "buf.h"
#include "loop.h"

enum io_event {
	IO_READY,   /* connected, or the TLS handshake is done */
	IO_INPUT,   /* there is more in io->in (called while it grows) */
	IO_LOW,     /* io->out is empty again */
	IO_EOF,     /* the peer closed; io->in holds what came before */
	IO_TIMEOUT, /* the deadline of io_deadline() passed */
	IO_ERROR    /* io->error says what */
};

struct io;

/* The bytes below: TCP, or TLS over it (io_tls.c).  Each returns bytes moved,
 * 0 at the end (read), or -1 with errno EAGAIN and *want LOOP_READ or
 * LOOP_WRITE, or -1 with another errno and io->error set. */
struct io_layer {
	long (*read)(struct io *io, void *p, size_t len, int *want);
	long (*write)(struct io *io, const void *p, size_t len, int *want);
	void (*free)(struct io *io);
};

struct io {
	struct loop *loop;
	int fd; /* -1: closed */
	struct buf in, out;
	struct watch rd, wr;
	struct event later; /* activated by hand: output is due */
	bool later_set;
	struct timer deadline, resume;
	const struct io_layer *layer;
	void *layer_state;
	void (*fn)(struct io *io, enum io_event e, void *arg);
	void *arg;
	bool paused; /* not reading: credit is short, or the owner is busy */
	bool connecting;
	bool eof;
	bool *freed; /* set when the owner closes io in its own callback */
	const char *error;
};

/* Takes fd over (non-blocking).  in_max, out_max: ceilings of the buffers. */
void io_open(struct io *io, struct loop *l, int fd, size_t in_max,
    size_t out_max, void (*fn)(struct io *io, enum io_event e, void *arg),
    void *arg);

/* The same for a socket on which connect() is under way: IO_READY or
 * IO_ERROR tells. */
void io_connecting(struct io *io, struct loop *l, int fd, size_t in_max,
    size_t out_max, void (*fn)(struct io *io, enum io_event e, void *arg),
    void *arg);

/* Closes at once and forgets everything; may be called in the callback.  A
 * struct io of zeros may be closed too. */
void io_close(struct io *io);

/* Queue output; it is written when the loop comes round, so that replies
 * leave together.  False: out of room, and nothing was added. */
bool io_write(struct io *io, const void *p, size_t len);
bool io_printf(struct io *io, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* After io->out was filled directly: see to it that it is written. */
void io_kick(struct io *io);

/* Reading stops and starts.  After io_resume() the callback comes for what is
 * already in io->in, from the loop. */
void io_pause(struct io *io);
void io_resume(struct io *io);

/* IO_TIMEOUT in ms unless set again; 0: none. */
void io_deadline(struct io *io, msec ms);

#endif
