/*
 * Buffers, arenas, and streams over a socketpair.
 *
 * SPDX-License-Identifier: ISC
 */
#include "io.h"

#include <sys/socket.h>

#include <fcntl.h>

#include "arena.h"
#include "log.h"
#include "unit.h"

static struct loop *the_loop;
static struct io io;
static int peer;
static char seen[65536];
static size_t n_seen;
static int events[IO_ERROR + 1];
static bool close_on_input, keep_input;

static void
on_io(struct io *i, enum io_event e, void *arg)
{
	(void)arg;
	events[e]++;
	if (e != IO_INPUT)
		return;
	if (close_on_input) {
		io_close(i);
		return;
	}
	if (keep_input)
		return;
	if (n_seen + i->in.len <= sizeof seen)
		memcpy(seen + n_seen, buf_data(&i->in), i->in.len);
	n_seen += i->in.len;
	buf_drain(&i->in, i->in.len);
}

static void
turn(void)
{
	int i;

	for (i = 0; i < 20; i++)
		event_base_loop(the_loop->base, EVLOOP_NONBLOCK);
}

static void
reset(size_t in_max, size_t out_max)
{
	int pair[2];

	io_close(&io);
	if (peer > 0)
		close(peer);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
		abort();
	peer = pair[1];
	memset(events, 0, sizeof events);
	n_seen = 0;
	close_on_input = keep_input = false;
	io_open(&io, the_loop, pair[0], in_max, out_max, on_io, NULL);
}

static void
say(const char *s)
{
	if (write(peer, s, strlen(s)) != (ssize_t)strlen(s))
		abort();
	turn();
}

static void
test_input(void)
{
	reset(1024, 1024);
	say("hello");
	CHECK("io: input", n_seen == 5 && memcmp(seen, "hello", 5) == 0);
	CHECK("io: an idle stream holds no buffer", io.in.mem == NULL);
	io_pause(&io);
	say(" you");
	CHECK("io: paused", n_seen == 5);
	io_resume(&io);
	turn();
	CHECK("io: resumed", n_seen == 9);
	close(peer);
	peer = -1;
	turn();
	CHECK("io: end", events[IO_EOF] == 1);
	turn();
	CHECK("io: the end is told once", events[IO_EOF] == 1);
}

static void
test_bound(void)
{
	char big[4096];

	memset(big, 'x', sizeof big);
	big[sizeof big - 1] = '\0';
	reset(1000, 1000);
	keep_input = true;
	say(big);
	CHECK("io: input is bounded", io.in.len == 1000);
	keep_input = false;
	io_resume(&io);
	turn();
	CHECK("io: and goes on when drained", n_seen == sizeof big - 1);
	CHECK("io: output is bounded", !io_write(&io, big, 1001));
	CHECK("io: and takes what fits", io_write(&io, big, 1000));
}

static void
test_output(void)
{
	char got[64];
	int i;

	reset(1024, 1 << 20);
	io_write(&io, "a", 1);
	io_printf(&io, "%s%d", "b", 3);
	CHECK("io: nothing leaves before the loop", read(peer, got, 64) == -1);
	turn();
	CHECK("io: it leaves together",
	    read(peer, got, 64) == 3 && memcmp(got, "ab3", 3) == 0);
	CHECK("io: low is told", events[IO_LOW] == 1);
	for (i = 0; i < 20000; i++)
		io_write(&io, "0123456789012345678901234567890123456789", 40);
	turn();
	CHECK("io: waits for a slow reader", io.out.len > 0);
	for (i = 0; i < 20; i++) {
		while (read(peer, got, sizeof got) > 0)
			;
		turn();
	}
	CHECK("io: and goes on", io.out.len == 0 && io.out.mem == NULL);
}

static void
test_closed_in_callback(void)
{
	reset(1024, 1024);
	close_on_input = true;
	say("bye");
	CHECK("io: closed by its owner in the callback",
	    io.fd == -1 && events[IO_INPUT] == 1);
	io_close(&io);
	CHECK("io: closed twice", io.fd == -1);
}

static void
test_deadline(void)
{
	msec until = loop_msec() + 1000;

	reset(1024, 1024);
	io_deadline(&io, 20);
	while (events[IO_TIMEOUT] == 0 && loop_msec() < until)
		event_base_loop(the_loop->base, EVLOOP_ONCE);
	CHECK("io: deadline", events[IO_TIMEOUT] == 1);
	io_deadline(&io, 5);
	io_deadline(&io, 0);
	usleep(10000);
	turn();
	CHECK("io: deadline taken back", events[IO_TIMEOUT] == 1);
}

static void
test_buf(void)
{
	struct buf b;
	char big[700];
	int i;

	buf_init(&b, 1000);
	CHECK("buf: empty data can be read", buf_data(&b)[0] == '\0');
	for (i = 0; i < 10; i++)
		buf_printf(&b, "%0100d", i);
	CHECK("buf: ceiling", b.len == 1000 && !buf_puts(&b, "x"));
	buf_drain(&b, 950);
	CHECK("buf: drained", b.len == 50 && b.mem[b.off + 49] == '9');
	memset(big, 'z', sizeof big);
	CHECK("buf: room in front is used again",
	    buf_add(&b, big, sizeof big) && b.len == 750 &&
		b.mem[b.off + 49] == '9' && b.mem[b.off + 50] == 'z');
	buf_drain(&b, 5000);
	buf_trim(&b);
	CHECK("buf: trimmed", b.mem == NULL && b.max == 1000);
	buf_free(&b);
}

static void
test_arena(void)
{
	struct arena a;
	char *p, *s;

	arena_init(&a, 10000);
	p = arena_alloc(&a, 5000);
	CHECK("arena: zeroed",
	    p != NULL && p[0] == 0 && memcmp(p, p + 1, 4999) == 0);
	CHECK("arena: aligned",
	    ((uintptr_t)arena_alloc(&a, 1) & 15) == 0 &&
		((uintptr_t)arena_alloc(&a, 1) & 15) == 0);
	CHECK("arena: ceiling", arena_alloc(&a, 5000) == NULL);
	s = arena_printf(&a, "%s-%d", "a", 7);
	CHECK("arena: texts",
	    s != NULL && strcmp(s, "a-7") == 0 &&
		strcmp(arena_copy(&a, "bcd"), "bcd") == 0);
	CHECK("arena: overflow", arena_alloc(&a, SIZE_MAX) == NULL);
	arena_free(&a);
	CHECK("arena: used again", arena_alloc(&a, 9000) != NULL);
	arena_free(&a);
}

int
main(void)
{
	log_to_stderr("test", false);
	the_loop = loop_new();
	test_buf();
	test_arena();
	test_input();
	test_bound();
	test_output();
	test_closed_in_callback();
	test_deadline();
	io_close(&io);
	close(peer);
	loop_free(&the_loop);
	return unit_end();
}
