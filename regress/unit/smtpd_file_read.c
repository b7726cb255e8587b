/*
 * smtpd/lookup_file.c: whatever comes back on the descriptor that spawn gave,
 * what is remembered of it, and who gives up.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>

#include "ipc.h"
#include "ipc_table.h"
#include "local_wire.h"
#include "log.h"
#include "lookup_file.h"
#include "loop.h"

static struct {
	struct loop *loop;
	struct files *files;
	struct ipc_chan chan; /* lookup's, to spawn */
	struct ipc_chan spawn;
	int asked; /* how often spawn was */
	struct text_ask last;
	int pipe[64]; /* where each answer is written, -1: none */
	bool refuse;
} t;

/* What somebody who asked was told. */
struct told {
	struct file_req req;
	unsigned int n;
	struct outcome outcome;
	char text[128];
	size_t len;
};

static void
on_text_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	int fd[2] = { -1, -1 };
	struct text_is is;

	(void)self;
	t.last = *(const struct text_ask *)msg->body;
	memset(&is, 0, sizeof(is));
	if (t.refuse)
		outcome_set(&is.outcome, LATER, WIDTH_RCPT, 0, "4.3.2",
		    "too many");
	else if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) == 0)
		outcome_set(&is.outcome, DONE, WIDTH_RCPT, 0, NULL, "started");
	t.pipe[t.asked++ % 64] = fd[1];
	text_is_send(from, msg->id, &is, fd[0]);
	if (fd[0] != -1)
		close(fd[0]);
}

static ipc_handler *const spawn_handlers[IPC_TYPES] = {
	[IPC_TEXT_ASK] = on_text_ask,
};
static ipc_handler *const no_handlers[IPC_TYPES];

static void
on_file(void *arg, const struct outcome *o, struct slice text)
{
	struct told *told = arg;

	told->n++;
	told->outcome = *o;
	told->len = text.len;
	(void)slice_copy((struct slice){ text.p,
			     text.len < sizeof(told->text) ? text.len : 0 },
	    told->text, sizeof(told->text));
}

static void
setup(void)
{
	int pair[2];
	size_t i;

	memset(&t, 0, sizeof(t));
	for (i = 0; i < 64; i++)
		t.pipe[i] = -1;
	t.loop = loop_new();
	t.files = files_new(t.loop);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, pair) == -1)
		abort();
	ipc_init(&t.chan, t.loop, PROC_LOOKUP, PROC_SPAWN, 0, no_handlers, &t,
	    NULL);
	ipc_attach(&t.chan, pair[0]);
	ipc_go(&t.chan);
	ipc_init(&t.spawn, t.loop, PROC_SPAWN, PROC_LOOKUP, 0, spawn_handlers,
	    &t, NULL);
	ipc_attach(&t.spawn, pair[1]);
	ipc_go(&t.spawn);
	files_spawn(t.files, &t.chan);
}

static void
teardown(void)
{
	size_t i;

	files_free(&t.files);
	ipc_detach(&t.chan);
	ipc_detach(&t.spawn);
	for (i = 0; i < 64; i++) {
		if (t.pipe[i] != -1)
			close(t.pipe[i]);
	}
	loop_free(&t.loop);
}

/* Until spawn was asked so often, or who asked was told. */
static void
run(int asked, const struct told *told)
{
	msec end = loop_msec() + 20000;

	while (loop_msec() < end && t.asked < asked &&
	    (told == NULL || told->n == 0))
		event_base_loop(t.loop->base, EVLOOP_ONCE);
	while (told != NULL && told->n == 0 && loop_msec() < end)
		event_base_loop(t.loop->base, EVLOOP_ONCE);
}

static struct text_ask
ask_for(uint32_t what, uint32_t uid, const char *name)
{
	struct text_ask ask;

	memset(&ask, 0, sizeof(ask));
	ask.what = what;
	ask.uid = ask.gid = uid;
	snprintf(ask.user, sizeof(ask.user), "joe");
	snprintf(ask.home, sizeof(ask.home), "/home/joe");
	snprintf(ask.name, sizeof(ask.name), "%s", name);
	return ask;
}

static enum table_answer
begin(struct told *told, const struct text_ask *ask)
{
	memset(told, 0, sizeof(*told));
	return files_ask(t.files, ask, &told->req, on_file, told);
}

/* What local writes: says, then text; n of all its bytes, 0: all. */
static void
say(int i, enum verdict v, uint32_t bytes, const char *text, size_t len,
    size_t n)
{
	char all[sizeof(struct local_says) + 256];
	struct local_says says;

	memset(&says, 0, sizeof(says));
	says.magic = LOCAL_SAYS_MAGIC;
	says.bytes = bytes;
	outcome_set(&says.outcome, v, WIDTH_SITE, 0, NULL, "as it is");
	says.outcome.cause = CAUSE_CONFIG;
	memcpy(all, &says, sizeof(says));
	memcpy(all + sizeof(says), text, len);
	len += sizeof(says);
	if (write(t.pipe[i], all, n == 0 ? len : n) == -1)
		abort();
	close(t.pipe[i]);
	t.pipe[i] = -1;
}

/* Columns: what it is; verdict, bytes and text that local says, how much of
 * it; what is told. */
static const struct {
	const char *name;
	enum verdict verdict;
	uint32_t bytes;
	const char *text;
	size_t len, n;
	enum verdict told;
	const char *words;
} answers[] = {
	{ "a text", DONE, 4, "ann\n", 4, 0, DONE, NULL },
	{ "an empty text", DONE, 0, "", 0, 0, DONE, NULL },
	{ "none", NEVER, 0, "", 0, 0, NEVER, NULL },
	{ "not fit", LATER, 0, "", 0, 0, LATER, "as it is" },
	{ "less than it said", DONE, 5, "ann\n", 4, 0, LATER,
	    ".forward: it was not read to its end" },
	{ "more than it said", DONE, 3, "ann\n", 4, 0, LATER,
	    ".forward: it is longer than was said" },
	{ "text behind a no", NEVER, 0, "ann\n", 4, 0, LATER,
	    ".forward: it is longer than was said" },
	{ "a NUL byte", DONE, 4, "a\0nn", 4, 0, LATER,
	    ".forward: it has a NUL byte" },
	{ "cut short", DONE, 0, "", 0, 20, LATER,
	    ".forward: who was to read it ended without a word" },
	{ "too large", DONE, TEXT_FILE_MAX + 1, "", 0, 0, LATER,
	    ".forward: who was to read it said nonsense" },
	{ "no verdict", (enum verdict)7, 0, "", 0, 0, LATER,
	    ".forward: who was to read it said nonsense" },
};

static void
test_answers(void)
{
	struct text_ask ask = ask_for(TEXT_FORWARD, 1, ".forward");
	struct told told;
	size_t i;

	for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		setup();
		CHECK("it is awaited", begin(&told, &ask) == TABLE_WAIT);
		run(1, NULL);
		CHECK("spawn is asked", t.asked == 1 && told.n == 0);
		say(0, answers[i].verdict, answers[i].bytes, answers[i].text,
		    answers[i].len, answers[i].n);
		run(1, &told);
		CHECK(answers[i].name,
		    told.n == 1 && told.outcome.verdict == answers[i].told &&
			(answers[i].words == NULL ||
			    strcmp(told.outcome.text, answers[i].words) == 0) &&
			told.len ==
			    (answers[i].told == DONE ? answers[i].len : 0));
		if (told.outcome.verdict == LATER)
			CHECK("later says so, of this recipient",
			    told.outcome.ecode[0] == 4 &&
				told.outcome.width == WIDTH_RCPT &&
				told.outcome.stage == STAGE_LOOKUP);
		teardown();
	}
}

static void
test_none(void)
{
	struct text_ask ask = ask_for(TEXT_FORWARD, 1, ".forward");
	struct text_ask other = ask_for(TEXT_FORWARD, 2, ".forward");
	struct text_ask list = ask_for(TEXT_INCLUDE, 1, "/etc/list");
	struct told told;

	setup();
	begin(&told, &ask);
	run(1, NULL);
	say(0, NEVER, 0, "", 0, 0);
	run(1, &told);
	CHECK("that there is none is remembered",
	    begin(&told, &ask) == TABLE_NO && t.asked == 1);
	CHECK("of that user", begin(&told, &other) == TABLE_WAIT);
	run(2, NULL);
	say(1, DONE, 0, "", 0, 0);
	run(2, &told);
	CHECK("that there is one is not", begin(&told, &other) == TABLE_WAIT);
	run(3, NULL);
	say(2, LATER, 0, "", 0, 0);
	run(3, &told);
	CHECK("nor is trouble", begin(&told, &other) == TABLE_WAIT);
	files_cancel(&told.req);
	begin(&told, &list);
	run(5, NULL);
	say(4, NEVER, 0, "", 0, 0);
	run(5, &told);
	CHECK("nor a list", begin(&told, &list) == TABLE_WAIT);
	teardown();
}

static void
test_bounds(void)
{
	struct told told[2 * FILES_AT_ONCE];
	struct text_ask ask;
	int i;

	setup();
	for (i = 0; i < 2 * FILES_AT_ONCE; i++) {
		ask = ask_for(TEXT_FORWARD, (uint32_t)i + 1, ".forward");
		CHECK("many wait", begin(&told[i], &ask) == TABLE_WAIT);
	}
	run(FILES_AT_ONCE, NULL);
	event_base_loop(t.loop->base, EVLOOP_NONBLOCK);
	CHECK("so many are read at once", t.asked == FILES_AT_ONCE);
	say(0, DONE, 1, "x", 1, 0);
	run(FILES_AT_ONCE + 1, NULL);
	CHECK("then the next", t.asked == FILES_AT_ONCE + 1);
	files_cancel(&told[1].req);
	run(FILES_AT_ONCE + 2, NULL);
	CHECK("also when one is not wanted any more",
	    t.asked == FILES_AT_ONCE + 2 && told[1].n == 0);
	for (i = 0; i < 2 * FILES_AT_ONCE; i++)
		files_cancel(&told[i].req);
	teardown();
}

static void
test_trouble(void)
{
	struct text_ask own = ask_for(TEXT_INCLUDE, UINT32_MAX, "/etc/list");
	struct told told;

	setup();
	t.refuse = true;
	begin(&told, &own);
	run(1, &told);
	CHECK("spawn cannot",
	    told.n == 1 && told.outcome.verdict == LATER &&
		strcmp(told.outcome.text, "/etc/list: too many") == 0);
	CHECK("as lookup's own user",
	    t.last.uid == getuid() && t.last.gid == getgid() &&
		strcmp(t.last.user, "_smtpl") == 0);
	teardown();
	setup();
	files_spawn(t.files, NULL);
	CHECK("no spawn: nobody knows", begin(&told, &own) == TABLE_UNKNOWN);
	teardown();
}

int
main(void)
{
	test_answers();
	test_none();
	test_bounds();
	test_trouble();
	return unit_end();
}
