/*
 * Tokens: one fetch at a time for each, by way of spawn, which opens the file
 * or starts the command; all who wait meanwhile are answered by it.  Runs in
 * lookup.  A token goes to who asked for it and nowhere else, least of all to
 * the log.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_token.h"

#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "log.h"
#include "lookup_token_text.h"
#include "program_log.h"

/* A file is read in a thread: it may be far away. */
struct token_file {
	struct work work;
	struct token *of; /* NULL: nobody wants it any more */
	int fd;
	int64_t made;
	int error;
	size_t len;
	char bytes[TOKEN_TEXT_MAX + 1];
};

struct token {
	struct tokens *all;
	const struct conf_token *row;
	uint32_t index;
	struct token_waits waits, told; /* told: while they are */
	struct program_log log;

	/* a fetch */
	bool fetching;
	struct timer deadline;
	struct ipc_req req;
	int fd; /* of a command's output; -1: none */
	struct watch watch;
	struct buf in;
	int64_t began;
	struct token_file *file;

	/* what came of it */
	char *text; /* NULL: none */
	int64_t since, until;
	int64_t fresh;  /* asked afresh then */
	int64_t failed; /* no earlier than that it is tried again */
	char why[160];
};

struct tokens {
	const struct conf *conf;
	struct loop *loop;
	struct workers *workers;
	struct ipc_chan *spawn; /* NULL: not there yet */
	int64_t now;            /* 0 but in tests */
	struct token *token;    /* by row of conf.token */
};

static int64_t
now(const struct token *t)
{
	return t->all->now != 0 ? t->all->now : (int64_t)time(NULL);
}

static const char *
name_of(const struct token *t)
{
	return conf_text(t->all->conf, t->row->name);
}

/* ---- the end of a fetch ---- */

static void
forget_text(struct token *t)
{
	if (t->text == NULL)
		return;
	explicit_bzero(t->text, strlen(t->text));
	free(t->text);
	t->text = NULL;
}

static void
stop_fetch(struct token *t)
{
	t->fetching = false;
	timer_clear(&t->deadline);
	ipc_cancel(&t->req);
	watch_clear(&t->watch);
	if (t->fd != -1)
		close(t->fd);
	t->fd = -1;
	buf_free(&t->in);
	if (t->file != NULL)
		t->file->of = NULL;
	t->file = NULL;
}

/* All who wait; they may ask again at once, and then wait anew. */
static void
tell(struct token *t)
{
	struct token_wait *w;
	char *text = t->text == NULL ? NULL : xstrdup(t->text);
	char why[sizeof t->why];

	snprintf(why, sizeof why, "%s", t->why);
	TAILQ_CONCAT(&t->told, &t->waits, entry);
	TAILQ_FOREACH(w, &t->told, entry)
		w->in = &t->told;
	while ((w = TAILQ_FIRST(&t->told)) != NULL) {
		token_cancel(w);
		w->fn(w->arg, text, text == NULL ? why : NULL);
	}
	if (text != NULL)
		explicit_bzero(text, strlen(text));
	free(text);
}

static void
fail(struct token *t, const char *why)
{
	char where[CONF_AT_MAX];

	stop_fetch(t);
	forget_text(t);
	t->failed = now(t) + TOKEN_FAILED;
	snprintf(t->why, sizeof t->why, "%s", why);
	log_warn("token-failed", "token=%s at=%s error=%s", q(name_of(t)),
	    conf_at_print(t->all->conf, &t->row->at, where, sizeof where),
	    q(t->why));
	tell(t);
}

/* made: when what the text says was so. */
static void
take_text(struct token *t, struct slice text, int64_t made)
{
	struct token_text found;
	int64_t at = now(t), life;
	const char *why = token_text_parse(text, made, at, &found);

	if (why != NULL) {
		fail(t, why);
		return;
	}
	forget_text(t);
	t->text = xstrdup(found.token);
	life = found.until - at;
	/* What is used now must still be good when it arrives. */
	t->until =
	    found.until - (life < 10 * TOKEN_MARGIN ? life / 10 : TOKEN_MARGIN);
	t->since = at;
	t->failed = 0;
	explicit_bzero(&found, sizeof found);
	log_event(0, "token", "token=%s expires_in=%lld", q(name_of(t)),
	    (long long)life);
	stop_fetch(t);
	tell(t);
}

static void
on_late(void *arg)
{
	fail(arg, "it did not come within 30 seconds");
}

/* ---- a command's output ---- */

static void
on_readable(int fd, int what, void *arg)
{
	struct token *t = arg;
	uint8_t *room = buf_room(&t->in, TOKEN_TEXT_MAX + 1 - t->in.len);
	ssize_t n;

	(void)what;
	n = read(fd, room, TOKEN_TEXT_MAX + 1 - t->in.len);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1) {
		fail(t, strerror(errno));
		return;
	}
	buf_filled(&t->in, (size_t)n);
	if (t->in.len > TOKEN_TEXT_MAX)
		fail(t, "the command says more than 16384 bytes");
	else if (n == 0 && t->in.len == 0)
		fail(t, "the command says nothing");
	else if (n == 0)
		take_text(t,
		    (struct slice){ (const char *)buf_data(&t->in), t->in.len },
		    t->began);
}

/* ---- a file ---- */

static void
file_run(struct work *w)
{
	struct token_file *f = (struct token_file *)(void *)w;
	ssize_t n = 0;

	while (f->len < sizeof f->bytes &&
	    (n = pread(f->fd, f->bytes + f->len, sizeof f->bytes - f->len,
		 (off_t)f->len)) > 0)
		f->len += (size_t)n;
	if (n == -1)
		f->error = errno;
	close(f->fd);
}

static void
file_done(struct work *w)
{
	struct token_file *f = (struct token_file *)(void *)w;
	struct token *t = f->of;

	if (t != NULL) {
		t->file = NULL;
		if (f->error != 0)
			fail(t, strerror(f->error));
		else
			take_text(t, (struct slice){ f->bytes, f->len },
			    f->made);
	}
	explicit_bzero(f->bytes, f->len);
	free(f);
}

/* Takes fd over. */
static void
read_file(struct token *t, int fd, int64_t made)
{
	struct token_file *f = xcalloc(1, sizeof *f);

	f->work.run = file_run;
	f->work.done = file_done;
	f->fd = fd;
	f->made = made;
	if (!workers_add(t->all->workers, &f->work)) {
		close(fd);
		free(f);
		fail(t, "too much is to be done at once");
		return;
	}
	f->of = t;
	t->file = f;
}

/* ---- asking ---- */

static void
on_started(void *arg, struct ipc_msg *msg)
{
	struct token *t = arg;
	const struct token_is *is = msg == NULL ? NULL : msg->body;
	struct stat st;
	int fd;

	if (is == NULL || is->outcome.verdict != DONE || msg->fd == -1) {
		fail(t, is == NULL ? "no answer" : is->outcome.text);
		return;
	}
	if (fstat(msg->fd, &st) == -1) {
		fail(t, strerror(errno));
		return;
	}
	fd = msg->fd;
	msg->fd = -1;
	if (S_ISREG(st.st_mode)) {
		/* "in 3600 seconds" was so when it was written. */
		read_file(t, fd, (int64_t)st.st_mtime);
		return;
	}
	t->fd = fd;
	watch_set(t->all->loop, &t->watch, fd, LOOP_READ, on_readable, t);
}

static void
fetch(struct token *t)
{
	struct token_ask ask = { .token = t->index };

	t->fetching = true;
	t->began = now(t);
	timer_set(t->all->loop, &t->deadline, TOKEN_MSEC, on_late, t);
	token_ask_ask(t->all->spawn, &t->req, &ask, on_started, t,
	    TOKEN_MSEC + 1000);
}

/* What we have may be used; a clock that was set back says nothing. */
static bool
is_good(const struct token *t, int64_t at)
{
	return t->text != NULL && at >= t->since && at < t->until;
}

static bool
has_failed(const struct token *t, int64_t at)
{
	return t->failed != 0 && at < t->failed &&
	    at + TOKEN_FAILED >= t->failed;
}

/* The one that was refused is not asked for again and again. */
static bool
may_refresh(struct token *t, int64_t at)
{
	if (t->fresh != 0 && at >= t->fresh && at < t->fresh + TOKEN_FRESH)
		return false;
	t->fresh = at;
	return true;
}

void
token_get(struct tokens *ts, struct token_wait *w, uint32_t row, bool fresh,
    token_fn *fn, void *arg)
{
	struct token *t;
	int64_t at;

	if (row >= ts->conf->token.n || ts->spawn == NULL) {
		fn(arg, NULL, "there is nobody to ask for it");
		return;
	}
	t = &ts->token[row];
	at = now(t);
	if (!t->fetching && has_failed(t, at)) {
		fn(arg, NULL, t->why);
		return;
	}
	if (!t->fetching && is_good(t, at) && (!fresh || !may_refresh(t, at))) {
		fn(arg, t->text, NULL);
		return;
	}
	w->in = &t->waits;
	w->fn = fn;
	w->arg = arg;
	TAILQ_INSERT_TAIL(&t->waits, w, entry);
	if (!t->fetching)
		fetch(t);
}

void
token_cancel(struct token_wait *w)
{
	if (w->in == NULL)
		return;
	TAILQ_REMOVE(w->in, w, entry);
	w->in = NULL;
}

/* ---- all of them ---- */

uint32_t
tokens_find(const struct conf *c, const char *name)
{
	uint32_t i;

	for (i = 0; i < c->token.n; i++) {
		if (strcmp(conf_text(c, CONF_TOKEN(c, i)->name), name) == 0)
			return i;
	}
	return CONF_NONE;
}

struct tokens *
tokens_new(const struct conf *c, struct loop *l, struct workers *workers)
{
	struct tokens *ts = xcalloc(1, sizeof *ts);
	uint32_t i;

	ts->conf = c;
	ts->loop = l;
	ts->workers = workers;
	ts->token = xcalloc(c->token.n + 1, sizeof *ts->token);
	for (i = 0; i < c->token.n; i++) {
		struct token *t = &ts->token[i];

		t->all = ts;
		t->row = CONF_TOKEN(c, i);
		t->index = i;
		t->fd = -1;
		TAILQ_INIT(&t->waits);
		TAILQ_INIT(&t->told);
		buf_init(&t->in, TOKEN_TEXT_MAX + 1);
		t->in.wipe = true;
		program_log_init(&t->log, l, "token", name_of(t));
	}
	return ts;
}

void
tokens_free(struct tokens **tsp)
{
	struct tokens *ts = *tsp;
	uint32_t i;

	*tsp = NULL;
	for (i = 0; i < ts->conf->token.n; i++) {
		struct token *t = &ts->token[i];

		while (!TAILQ_EMPTY(&t->waits))
			token_cancel(TAILQ_FIRST(&t->waits));
		stop_fetch(t);
		forget_text(t);
		program_log_close(&t->log);
		timer_clear(&t->log.quiet);
	}
	free(ts->token);
	free(ts);
}

void
tokens_spawn(struct tokens *ts, struct ipc_chan *spawn)
{
	ts->spawn = spawn;
}

void
tokens_clock(struct tokens *ts, int64_t at)
{
	ts->now = at;
}

void
tokens_stderr(struct tokens *ts, uint32_t row, int fd)
{
	if (row >= ts->conf->token.n)
		close(fd);
	else
		program_log_open(&ts->token[row].log, fd);
}
