/*
 * smtpctl(8) rebuild: asks the daemon for it, or without one makes the index
 * from journal and files here.  The one verb that writes to the spool: as its
 * owner, and only while it holds the spool's lock.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/random.h>

#include <err.h>
#include <sysexits.h>
#include <time.h>

#include <bsd/stdlib.h>

#include "id.h"
#include "log.h"
#include "loop.h"
#include "smtpctl.h"
#include "smtpctl_print.h"
#include "spool.h"

#define COMMIT_EVERY 1000 /* messages */
#define WALK_STEP    100  /* files */

/* What was due when is not known any more: as the queue does it, so many
 * messages a second, and over so many seconds at most. */
#define PACE   100
#define SPREAD 600

#define NEVER_DUE 253402300799 /* 9999-12-31: held */

struct rebuild {
	struct spool *spool;
	struct index *ix;
	enum index_error error;
	int64_t now;
	uint64_t messages, rcpts, corrupt;
};

static int64_t
next_try(const struct rebuild *rb, char state)
{
	uint64_t wait = rb->messages / PACE;

	if (rcpt_state_owed(state))
		return rb->now;
	if (!rcpt_state_open(state))
		return NEVER_DUE;
	if (wait > SPREAD)
		wait = arc4random_uniform(SPREAD);
	return rb->now + (int64_t)wait;
}

static void
put(struct rebuild *rb, const struct spool_found *f)
{
	struct message m = { .place = f->place,
		.head = f->head,
		.trailer = f->trailer };
	struct index_msg msg;
	struct index_rcpt r;
	enum index_error e;
	uint32_t n;

	message_row(&m, &msg);
	e = index_put_msg(rb->ix, &msg);
	for (n = 0; n < f->head.n_rcpt && e == INDEX_OK; n++) {
		message_rcpt_row(&m, n, &r);
		r.next = next_try(rb, r.state);
		rb->rcpts += !rcpt_state_end(r.state);
		e = index_put_rcpt(rb->ix, &r);
	}
	if (e == INDEX_OK && ++rb->messages % COMMIT_EVERY == 0)
		e = index_commit(rb->ix);
	rb->error = e;
}

static void
on_found(void *arg, const struct spool_found *f)
{
	struct rebuild *rb = arg;

	/* The replay tells of what the walk will meet again. */
	if (rb->ix == NULL || rb->error != INDEX_OK)
		return;
	if (f->all_done)
		spool_gone(rb->spool, f->head.id, f->place);
	else
		put(rb, f);
}

static void
on_gone(void *arg, uint64_t id)
{
	(void)arg;
	(void)id;
}

static void
on_batch(void *arg)
{
	(void)arg;
}

static void
on_corrupt(void *arg, uint64_t id, const char *why)
{
	struct rebuild *rb = arg;
	char text[ID_LEN + 1];

	rb->corrupt++;
	warnx("%s: set aside: %s", id_print(id, text), why);
}

/* Replay, then every file; 0 or the exit status. */
static int
rebuild_in(struct rebuild *rb)
{
	uint64_t token[2];
	const char *why;
	bool empty;

	if (!spool_replay(rb->spool)) {
		warnx("the journal cannot be replayed");
		return EX_IOERR;
	}
	/* Closed clean it is good for whoever comes next. */
	if (getrandom(token, sizeof token, 0) != (ssize_t)sizeof token)
		err(EX_OSERR, "getrandom");
	if ((rb->ix = index_open(".", token, true, &empty, &why)) == NULL) {
		warnx("index: %s", why);
		return EX_CANTCREAT;
	}
	while (spool_walk(rb->spool, WALK_STEP) && rb->error == INDEX_OK)
		;
	index_filled(rb->ix);
	if (rb->error == INDEX_OK)
		rb->error = index_commit(rb->ix);
	if (rb->error != INDEX_OK) {
		/* Not closed clean: the daemon makes another. */
		index_abort(rb->ix);
		warnx("the index cannot be written: %s",
		    rb->error == INDEX_FULL ? "no room" : "it is damaged");
		return EX_IOERR;
	}
	index_close(&rb->ix);
	return 0;
}

static void
print_result(struct smtpctl *c, const struct rebuild *rb)
{
	if (!c->json) {
		buf_printf(&c->out,
		    "index rebuilt: %llu messages, %llu recipients wait, %llu files set aside\n",
		    (unsigned long long)rb->messages,
		    (unsigned long long)rb->rcpts,
		    (unsigned long long)rb->corrupt);
		return;
	}
	json_member(&c->out, "{", "verdict", "done");
	json_number(&c->out, ",", "messages", rb->messages);
	json_number(&c->out, ",", "recipients", rb->rcpts);
	json_number(&c->out, ",", "set_aside", rb->corrupt);
	buf_puts(&c->out, "}\n");
}

static int
rebuild_here(struct smtpctl *c)
{
	struct rebuild rb = { .now = (int64_t)time(NULL) };
	const struct spool_hooks hooks = { .found = on_found,
		.gone = on_gone,
		.batch = on_batch,
		.corrupt = on_corrupt,
		.arg = &rb };
	struct loop *l;
	const char *why;
	int status;

	if ((status = smtpctl_enter(c)) != 0)
		return status;
	l = loop_new();
	if ((rb.spool = spool_open(l, ".", &hooks, &why)) == NULL) {
		warnx("the spool cannot be opened: %s", why);
		loop_free(&l);
		return EX_TEMPFAIL;
	}
	status = rebuild_in(&rb);
	spool_close(&rb.spool);
	loop_free(&l);
	if (status != 0)
		return status;
	print_result(c, &rb);
	return smtpctl_flush(c) ? EX_OK : EX_IOERR;
}

int
do_rebuild(struct smtpctl *c, int argc, char **argv)
{
	int status;

	(void)argv;
	if (argc > 0)
		return smtpctl_usage(c, NULL);
	status = smtpctl_connect(c);
	if (status == 0 || status == EX_NOPERM)
		return smtpctl_ask_verb(c);
	return rebuild_here(c);
}
