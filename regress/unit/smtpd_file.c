/*
 * Files of users, as lookup asks for them: in their order, several at once, and
 * nobody's that hang keep others waiting.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_file.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc_table.h"
#include "local_wire.h"
#include "unit.h"

#define ASKS 64
#define ANN  2001
#define BOB  2002

static struct {
	struct loop *loop;
	struct files *files;
	struct ipc_chan lookup, spawn; /* the two ends */
	/* what spawn was asked, and the ends that say it */
	uint32_t n, uid[ASKS];
	int says[ASKS];
	struct file_req req[ASKS];
	uint32_t n_answers;
	enum verdict verdict;
} w;

static void
on_text(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	const struct text_ask *ask = msg->body;
	struct text_is is;
	int ends[2];

	(void)self;
	if (pipe2(ends, O_CLOEXEC) == -1)
		abort();
	memset(&is, 0, sizeof(is));
	outcome_set(&is.outcome, DONE, WIDTH_RCPT, 0, NULL, "started");
	w.uid[w.n] = ask->uid;
	w.says[w.n++] = ends[1];
	text_is_send(from, msg->id, &is, ends[0]);
	close(ends[0]);
}

static void
on_lost(void *self, struct ipc_chan *c, const char *why)
{
	(void)self;
	(void)why;
	ipc_detach(c);
}

static ipc_handler *const handlers[IPC_TYPES] = {
	[IPC_TEXT_ASK] = on_text,
};

static void
on_file(void *arg, const struct outcome *o, struct slice text)
{
	(void)arg;
	(void)text;
	w.n_answers++;
	w.verdict = o->verdict;
}

static void
run(void)
{
	int i;

	for (i = 0; i < 50; i++)
		event_base_loop(w.loop->base, EVLOOP_NONBLOCK);
}

static void
begin(void)
{
	int pair[2];

	memset(&w, 0, sizeof(w));
	w.loop = loop_new();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, pair) == -1)
		abort();
	ipc_init(&w.lookup, w.loop, PROC_LOOKUP, PROC_SPAWN, 0, handlers, NULL,
	    on_lost);
	ipc_init(&w.spawn, w.loop, PROC_SPAWN, PROC_LOOKUP, 0, handlers, NULL,
	    on_lost);
	ipc_attach(&w.lookup, pair[0]);
	ipc_attach(&w.spawn, pair[1]);
	w.files = files_new(w.loop);
	files_spawn(w.files, &w.lookup);
}

static void
end(void)
{
	uint32_t i;

	files_free(&w.files);
	for (i = 0; i < w.n; i++) {
		if (w.says[i] != -1)
			close(w.says[i]);
	}
	ipc_detach(&w.lookup);
	ipc_detach(&w.spawn);
	loop_free(&w.loop);
}

static void
ask(uint32_t i, uint32_t uid)
{
	struct text_ask ask = { .what = TEXT_FORWARD, .uid = uid, .gid = uid };

	snprintf(ask.user, sizeof(ask.user), "u%u", uid);
	snprintf(ask.home, sizeof(ask.home), "/home/u%u", uid);
	snprintf(ask.name, sizeof(ask.name), ".forward+%u", i);
	CHECK("it is asked for",
	    files_ask(w.files, &ask, &w.req[i], on_file, NULL) == TABLE_WAIT);
}

/* That one is not there. */
static void
say_none(uint32_t i)
{
	struct local_says says = { .magic = LOCAL_SAYS_MAGIC };

	outcome_set(&says.outcome, NEVER, WIDTH_RCPT, 0, NULL, "none");
	if (write(w.says[i], &says, sizeof(says)) != (ssize_t)sizeof(says))
		abort();
	close(w.says[i]);
	w.says[i] = -1;
	run();
}

static uint32_t
count(uint32_t uid)
{
	uint32_t i, n = 0;

	for (i = 0; i < w.n; i++)
		n += w.uid[i] == uid;
	return n;
}

/* Whatever one user's home does, another's file is read. */
static void
test_one_hangs(void)
{
	uint32_t i;

	begin();
	for (i = 0; i < 20; i++)
		ask(i, ANN);
	ask(20, BOB);
	run();
	CHECK("the other's is begun", count(BOB) == 1);
	CHECK("one has not all", count(ANN) == FILES_OF_ONE);
	for (i = 0; w.uid[i] != BOB; i++)
		;
	say_none(i);
	CHECK("the other's is read", w.n_answers == 1 && w.verdict == NEVER);
	say_none(0);
	CHECK("then the next of the first", count(ANN) == FILES_OF_ONE + 1);
	files_cancel(&w.req[1]);
	run();
	CHECK("one is given up, and the next comes",
	    count(ANN) == FILES_OF_ONE + 2 && w.n_answers == 2);
	for (i = 0; i < w.n; i++) {
		if (w.says[i] != -1 && i != 1)
			say_none(i);
	}
	CHECK("all are read at last", count(ANN) == 20 && w.n_answers == 20);
	end();
}

/* Who asks has so many questions and no more: those that will not be answered
 * in time are not kept. */
static void
test_hopeless(void)
{
	msec enough = loop_msec() + 10 * FILES_SLOW_MSEC;
	uint32_t i, told = 40 - FILES_HOPEFUL;

	begin();
	for (i = 0; i < 40; i++)
		ask(i, ANN);
	for (i = 40; i < 50; i++)
		ask(i, BOB);
	run();
	for (i = 0; i < w.n; i++) {
		if (w.uid[i] == BOB)
			say_none(i);
	}
	CHECK("all of the other's are read, of the first all wait",
	    w.n_answers == 10 && count(BOB) == 10);
	while (w.n_answers == 10 && loop_msec() < enough)
		event_base_loop(w.loop->base, EVLOOP_ONCE);
	run();
	CHECK("of one whose home hangs not all wait",
	    w.n_answers == 10 + told && w.verdict == LATER);
	ask(50, ANN);
	run();
	CHECK("nor who comes then", w.n_answers == 11 + told);
	for (i = 0; count(ANN) == FILES_OF_ONE; i++) {
		if (w.uid[i] == ANN)
			say_none(i);
	}
	for (; w.n_answers < 11 + told + FILES_OF_ONE; i++) {
		if (w.uid[i] == ANN)
			say_none(i);
	}
	ask(51, ANN);
	run();
	CHECK("it hangs no more: who comes waits",
	    w.n_answers == 11 + told + FILES_OF_ONE && w.verdict == NEVER);
	end();
}

static void
test_at_once(void)
{
	uint32_t i;

	begin();
	for (i = 0; i < 20; i++)
		ask(i, ANN + i);
	run();
	CHECK("so many at once", w.n == FILES_AT_ONCE);
	for (i = 0; i < 20; i++)
		say_none(i);
	CHECK("in their order",
	    w.n == 20 && w.n_answers == 20 && w.uid[19] == ANN + 19);
	end();
}

int
main(void)
{
	test_one_hangs();
	test_hopeless();
	test_at_once();
	return unit_end();
}
