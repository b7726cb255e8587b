/*
 * Files of users, by way of spawn.  Runs in lookup, which has no right to read
 * them and opens none; what comes is a user's text, and bounded.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_file.h"

#include <bsd/sys/queue.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "ipc_table.h"
#include "local_wire.h"
#include "log.h"

#define READ_SIZE ((size_t)64 << 10)

/* One file on its way, or in line for it. */
struct file_read {
	TAILQ_ENTRY(file_read) entry;
	struct files *files;
	struct file_req *req;
	struct text_ask ask;
	struct timer deadline;
	struct timer patience;    /* since it began: FILES_SLOW_MSEC */
	bool slow;                /* it is over */
	struct file_read **place; /* of those that have begun; NULL: not yet */
	struct ipc_req started;
	int fd; /* -1: not yet */
	struct watch watch;
	struct buf in;
	bool said; /* what is in says, and the text follows */
	struct local_says says;
};

TAILQ_HEAD(file_reads, file_read);

/* A file that was not there. */
struct none {
	uint64_t sum; /* of the question; 0: nothing */
	msec until;
};

struct files {
	struct loop *loop;
	struct ipc_chan *spawn;
	struct file_reads reads;                /* in their order */
	struct file_read *begun[FILES_AT_ONCE]; /* NULL: a free place */
	uint32_t uid, gid;
	struct none none[FILES_NONE];
};

static void begin_next(struct files *f);

/* ---- what is not there ---- */

static uint64_t
sum_of(const struct text_ask *ask)
{
	uint64_t sum = XXH3_64bits_withSeed(ask->name, strlen(ask->name) + 1,
	    (uint64_t)ask->uid << 8 | ask->what);

	return XXH3_64bits_withSeed(ask->home, strlen(ask->home) + 1, sum) | 1;
}

/* Only files that users may have and most have not. */
static void
remember_none(struct files *f, const struct text_ask *ask)
{
	uint64_t sum = sum_of(ask);

	if (ask->what == TEXT_FORWARD)
		f->none[sum / 2 % FILES_NONE] =
		    (struct none){ sum, loop_msec() + FILES_NONE_MSEC };
}

static bool
is_none(const struct files *f, const struct text_ask *ask)
{
	uint64_t sum = sum_of(ask);
	const struct none *none = &f->none[sum / 2 % FILES_NONE];

	return none->sum == sum && loop_msec() < none->until;
}

/* ---- the end ---- */

static void
read_free(struct file_read *r)
{
	struct files *f = r->files;

	TAILQ_REMOVE(&f->reads, r, entry);
	if (r->place != NULL)
		*r->place = NULL;
	timer_clear(&r->deadline);
	timer_clear(&r->patience);
	ipc_cancel(&r->started);
	watch_clear(&r->watch);
	if (r->fd != -1)
		close(r->fd); /* which ends it */
	buf_free(&r->in);
	free(r);
}

/* Who asked may ask again in its function, with the same req. */
static void
answer(struct file_read *r, const struct outcome *o, struct slice text)
{
	struct files *f = r->files;
	struct file_req *req = r->req;

	if (o->verdict == NEVER)
		remember_none(f, &r->ask);
	req->cancel = NULL;
	req->fn(req->arg, o, text);
	read_free(r);
	begin_next(f);
}

static void
fail(struct file_read *r, const char *why)
{
	struct outcome o;

	outcome_set(&o, LATER, WIDTH_RCPT, 451, "4.3.0", "%s: %s", r->ask.name,
	    why);
	outcome_of_us(&o, CAUSE_SYSTEM, STAGE_LOOKUP);
	answer(r, &o, (struct slice){ "", 0 });
}

static void
on_deadline(void *arg)
{
	fail(arg, "it was not read in time");
}

/* ---- a home that hangs ---- */

static void
on_hopeless(void *arg)
{
	fail(arg, "the user's files are not read in time");
}

static bool
hangs(const struct files *f, uint32_t uid)
{
	unsigned int i;

	for (i = 0; i < FILES_AT_ONCE; i++) {
		if (f->begun[i] != NULL && f->begun[i]->ask.uid == uid &&
		    f->begun[i]->slow)
			return true;
	}
	return false;
}

/* Those of the user that will not have their turn are told so, soon. */
static void
give_up_some(struct files *f, uint32_t uid)
{
	struct file_read *r;
	unsigned int n = 0;

	if (!hangs(f, uid))
		return;
	TAILQ_FOREACH(r, &f->reads, entry) {
		if (r->ask.uid == uid && ++n > FILES_HOPEFUL &&
		    r->place == NULL)
			timer_set(f->loop, &r->deadline, 0, on_hopeless, r);
	}
}

static void
on_slow(void *arg)
{
	struct file_read *r = arg;

	r->slow = true;
	give_up_some(r->files, r->ask.uid);
}

/* ---- reading ---- */

/* All of it is there. */
static void
complete(struct file_read *r)
{
	struct slice text = { (const char *)buf_data(&r->in), r->in.len };
	struct outcome o = r->says.outcome;

	if (!r->said) {
		fail(r, "who was to read it ended without a word");
		return;
	}
	if (o.verdict == DONE && text.len != r->says.bytes) {
		fail(r, "it was not read to its end");
		return;
	}
	if (o.verdict == DONE && memchr(text.p, '\0', text.len) != NULL) {
		fail(r, "it has a NUL byte");
		return;
	}
	o.code = o.verdict == LATER ? 451 : 0;
	if (o.verdict == LATER && o.ecode[0] == 0) {
		o.ecode[0] = 4;
		o.ecode[1] = 3;
		o.ecode[2] = 0;
	}
	o.width = WIDTH_RCPT;
	o.stage = STAGE_LOOKUP;
	answer(r, &o, text);
}

/* The first bytes are what it says of the rest.  False: r is gone. */
static bool
take_says(struct file_read *r)
{
	if (r->said || r->in.len < sizeof(r->says))
		return true;
	if (!local_says_check(buf_data(&r->in), sizeof(r->says), &r->says)) {
		fail(r, "who was to read it said nonsense");
		return false;
	}
	buf_drain(&r->in, sizeof(r->says));
	r->said = true;
	return true;
}

static void
on_input(int fd, int what, void *arg)
{
	struct file_read *r = arg;
	uint8_t *room = buf_room(&r->in, READ_SIZE);
	ssize_t n;

	(void)what;
	n = read(fd, room, READ_SIZE);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1) {
		fail(r, strerror(errno));
		return;
	}
	if (n == 0) {
		complete(r);
		return;
	}
	buf_filled(&r->in, (size_t)n);
	if (!take_says(r))
		return;
	if (r->said && r->in.len > r->says.bytes)
		fail(r, "it is longer than was said");
}

static void
on_started(void *arg, struct ipc_msg *msg)
{
	struct file_read *r = arg;
	const struct text_is *is = msg == NULL ? NULL : msg->body;

	if (is == NULL || is->outcome.verdict != DONE || msg->fd == -1) {
		fail(r, is == NULL ? "nobody answered" : is->outcome.text);
		return;
	}
	r->fd = msg->fd;
	msg->fd = -1;
	watch_set(r->files->loop, &r->watch, r->fd, LOOP_READ, on_input, r);
}

/* A place for it; NULL: none, or its user has as many as one may have. */
static struct file_read **
find_place(struct files *f, const struct file_read *r)
{
	struct file_read **place = NULL;
	unsigned int i, same = 0;

	for (i = 0; i < FILES_AT_ONCE; i++) {
		if (f->begun[i] == NULL)
			place = &f->begun[i];
		else
			same += f->begun[i]->ask.uid == r->ask.uid;
	}
	return same < FILES_OF_ONE ? place : NULL;
}

static void
begin_next(struct files *f)
{
	struct file_read *r;

	TAILQ_FOREACH(r, &f->reads, entry) {
		if (r->place != NULL || (r->place = find_place(f, r)) == NULL)
			continue;
		*r->place = r;
		timer_set(f->loop, &r->patience, FILES_SLOW_MSEC, on_slow, r);
		text_ask_ask(f->spawn, &r->started, &r->ask, on_started, r,
		    FILES_MSEC);
	}
}

/* ---- asking ---- */

static void
forget(struct file_req *req)
{
	struct file_read *r = req->of;
	struct files *f = r->files;

	read_free(r);
	begin_next(f);
}

struct files *
files_new(struct loop *l)
{
	struct files *f = xcalloc(1, sizeof(*f));

	f->loop = l;
	f->uid = getuid();
	f->gid = getgid();
	TAILQ_INIT(&f->reads);
	return f;
}

void
files_free(struct files **fp)
{
	struct files *f = *fp;
	struct file_read *r;

	*fp = NULL;
	while ((r = TAILQ_FIRST(&f->reads)) != NULL) {
		r->req->cancel = NULL;
		read_free(r);
	}
	free(f);
}

void
files_spawn(struct files *f, struct ipc_chan *spawn)
{
	f->spawn = spawn;
}

enum table_answer
files_ask(struct files *f, const struct text_ask *ask, struct file_req *req,
    file_fn *fn, void *arg)
{
	struct file_read *r;

	*req = (struct file_req){ .fn = fn, .arg = arg };
	if (is_none(f, ask))
		return TABLE_NO;
	if (f->spawn == NULL)
		return TABLE_UNKNOWN;
	r = xcalloc(1, sizeof(*r));
	r->files = f;
	r->req = req;
	r->ask = *ask;
	if (ask->uid == UINT32_MAX) {
		r->ask.uid = f->uid;
		r->ask.gid = f->gid;
		(void)slice_copy(slice_of(proc_table[PROC_LOOKUP].user),
		    r->ask.user, sizeof(r->ask.user));
	}
	r->fd = -1;
	buf_init(&r->in, 0);
	req->cancel = forget;
	req->of = r;
	timer_set(f->loop, &r->deadline, FILES_MSEC, on_deadline, r);
	TAILQ_INSERT_TAIL(&f->reads, r, entry);
	give_up_some(f, r->ask.uid);
	begin_next(f);
	return TABLE_WAIT;
}

void
files_cancel(struct file_req *req)
{
	if (req->cancel != NULL)
		req->cancel(req);
	req->cancel = NULL;
}
