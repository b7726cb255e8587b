/*
 * A lookup for unit tests: a configuration put together by hand, tables that
 * are rows of C, and a channel on which the answers come.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUESTION_WORLD_H
#define QUESTION_WORLD_H

#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>

#include "conf_image.h"
#include "ipc.h"
#include "log.h"
#include "lookup_answer.h"
#include "lookup_expand.h"
#include "lookup_question.h"
#include "lookup_rules.h"
#include "loop.h"

enum { WORLD_USERS = 31 }; /* the system's users, in masks of tables */

/* What a table has; a NULL key ends the list. */
struct world_entry {
	uint32_t table;
	const char *key, *value;
};

/* A file: "UID:PATH", and what is in it; text NULL: it cannot be read.  A NULL
 * name ends the list. */
struct world_file {
	const char *name, *text;
};

/* A question that a table will answer later. */
struct world_wait {
	struct world *w;
	struct table_req *req;
	struct timer timer;
	table_fn *fn;
	void *arg;
	enum table_answer a;
	char *value;
	struct world_wait *next;
};

struct world;

/* A file that is being read. */
struct world_read {
	struct world *w;
	struct file_req *req;
	struct timer timer;
	file_fn *fn;
	void *arg;
	struct outcome outcome;
	struct buf text;
	struct world_read *next;
};

struct world {
	struct conf *conf;
	struct loop *loop;
	struct questions questions;
	struct answers answers;
	struct ipc_chan chan; /* who asks ... */
	int sock;             /* ... reads here */

	const struct world_entry *entries;
	const struct world_file *files;
	/* A file that is made; false: as files has it. */
	bool (*make_file)(const char *name, struct buf *text);
	unsigned int read, reading; /* files: how often; right now */
	struct world_read *reads;
	/* A table that makes its values; false: not in it. */
	bool (*make)(uint32_t table, const char *key, struct buf *value);
	/* By table, bits: has no answer; answers later; never answers. */
	uint32_t unknown, slow, silent;

	unsigned int asked; /* how often, all tables */
	unsigned int waiting, cancelled;
	struct world_wait *waits;
	enum conf_service service; /* of the last question */
	uint32_t table;
	char key[1024];
};

static inline enum table_answer
world_look(struct world *w, uint32_t table, const char *key, struct buf *value)
{
	const struct world_entry *e;

	if ((w->unknown & 1u << table) != 0)
		return TABLE_UNKNOWN;
	if (w->make != NULL && w->make(table, key, value))
		return TABLE_YES;
	for (e = w->entries; e != NULL && e->key != NULL; e++) {
		if (e->table != table || strcmp(e->key, key) != 0)
			continue;
		if (e->value != NULL)
			buf_puts(value, e->value);
		return TABLE_YES;
	}
	return TABLE_NO;
}

static inline void
world_forget(struct world_wait *wait)
{
	struct world_wait **p = &wait->w->waits;

	while (*p != wait)
		p = &(*p)->next;
	*p = wait->next;
	timer_clear(&wait->timer);
	wait->req->cancel = NULL;
	wait->w->waiting--;
}

static inline void
world_cancel(struct table_req *req)
{
	struct world_wait *wait = req->of;

	wait->w->cancelled++;
	world_forget(wait);
	free(wait->value);
	free(wait);
}

static inline void
world_answer(void *arg)
{
	struct world_wait *wait = arg;

	world_forget(wait);
	wait->fn(wait->arg, wait->a, wait->value);
	free(wait->value);
	free(wait);
}

static inline enum table_answer
world_ask(void *self, uint32_t table, enum conf_service service,
    const char *key, struct buf *value, struct table_req *req, table_fn *fn,
    void *arg)
{
	struct world *w = self;
	struct world_wait *wait;
	enum table_answer a;

	w->asked++;
	w->service = service;
	w->table = table;
	snprintf(w->key, sizeof(w->key), "%s", key);
	a = world_look(w, table, key, value);
	if (((w->slow | w->silent) & 1u << table) == 0)
		return a;
	wait = xcalloc(1, sizeof(*wait));
	wait->w = w;
	wait->req = req;
	wait->fn = fn;
	wait->arg = arg;
	wait->a = a;
	wait->value = xcalloc(1, value->len + 1);
	memcpy(wait->value, buf_data(value), value->len);
	buf_drain(value, value->len);
	wait->next = w->waits;
	w->waits = wait;
	w->waiting++;
	req->cancel = world_cancel;
	req->of = wait;
	if ((w->slow & 1u << table) != 0)
		timer_set(w->loop, &wait->timer, 1, world_answer, wait);
	return TABLE_WAIT;
}

static inline enum table_answer
world_user(void *self, const char *name, struct buf *value,
    struct table_req *req, table_fn *fn, void *arg)
{
	return world_ask(self, WORLD_USERS, SERVICE_USERINFO, name, value, req,
	    fn, arg);
}

static inline void
world_file_answer(void *arg)
{
	struct world_read *r = arg, **p = &r->w->reads;
	struct slice text = { (const char *)buf_data(&r->text), r->text.len };

	while (*p != r)
		p = &(*p)->next;
	*p = r->next;
	timer_clear(&r->timer);
	r->w->reading--;
	if (r->req != NULL) {
		r->req->cancel = NULL;
		r->fn(r->arg, &r->outcome, text);
	}
	buf_free(&r->text);
	free(r);
}

/* What is there of that name; verdict as of local_says. */
static inline void
world_find_file(struct world *w, const struct text_ask *ask,
    struct world_read *r)
{
	const struct world_file *f;
	char name[2048];

	snprintf(name, sizeof(name), "%d:%s%s%s", (int)ask->uid,
	    ask->what == TEXT_FORWARD ? ask->home : "",
	    ask->what == TEXT_FORWARD ? "/" : "", ask->name);
	outcome_set(&r->outcome, NEVER, WIDTH_RCPT, 0, NULL, "no such file");
	for (f = w->files; f != NULL && f->name != NULL; f++) {
		if (strcmp(f->name, name) != 0)
			continue;
		if (f->text != NULL)
			buf_puts(&r->text, f->text);
		outcome_set(&r->outcome, f->text != NULL ? DONE : LATER,
		    WIDTH_RCPT, 451, "4.3.5", "%s is not safe", ask->name);
		r->outcome.cause = CAUSE_CONFIG;
		return;
	}
	if (w->make_file != NULL && w->make_file(name, &r->text))
		outcome_set(&r->outcome, DONE, WIDTH_RCPT, 0, NULL, "made");
}

static inline void
world_file_cancel(struct file_req *req)
{
	struct world_read *r = req->of;

	r->req = NULL;
	r->w->cancelled++;
}

/* They are always read a moment later. */
static inline enum table_answer
world_read_file(void *self, const struct text_ask *ask, struct file_req *req,
    file_fn *fn, void *arg)
{
	struct world *w = self;
	struct world_read *r = xcalloc(1, sizeof(*r));

	w->read++;
	w->reading++;
	r->w = w;
	r->req = req;
	r->fn = fn;
	r->arg = arg;
	buf_init(&r->text, 0);
	world_find_file(w, ask, r);
	r->next = w->reads;
	w->reads = r;
	*req = (struct file_req){ .cancel = world_file_cancel, .of = r };
	timer_set(w->loop, &r->timer, 1, world_file_answer, r);
	return TABLE_WAIT;
}

/* conf may still be changed; it is the world's from now on. */
static inline void
world_init(struct world *w, struct conf *conf)
{
	static ipc_handler *const none[IPC_TYPES];
	struct question_tables tables = { world_ask, world_user,
		world_read_file, w };
	int pair[2];

	memset(w, 0, sizeof(*w));
	w->conf = conf;
	w->loop = loop_new();
	questions_init(&w->questions, w->loop, conf, &tables);
	answers_init(&w->answers);
	w->questions.arg = &w->answers;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		abort();
	ipc_init(&w->chan, w->loop, PROC_LOOKUP, PROC_QUEUE, 0, none, w, NULL);
	ipc_attach(&w->chan, pair[0]);
	w->sock = pair[1];
}

static inline void
world_free(struct world *w)
{
	questions_free(&w->questions);
	while (w->reads != NULL) {
		w->reads->req = NULL;
		world_file_answer(w->reads);
	}
	answers_free(&w->answers);
	ipc_detach(&w->chan);
	close(w->sock);
	loop_free(&w->loop);
	free(w->conf);
}

/* The answer to the question, the struct of its type; false: none came. */
static inline bool
world_answered(struct world *w, enum ipc_type type, void *is, size_t size)
{
	enum ipc_type got = IPC_NONE;
	int fd, i;

	for (i = 0; i < 200000; i++) {
		char probe;

		if (recv(w->sock, &probe, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
			break;
		if (w->questions.n == 0)
			return false;
		event_base_loop(w->loop->base, EVLOOP_ONCE);
	}
	return ipc_recv_block(w->sock, &got, is, size, &fd) == (long)size &&
	    got == type;
}

/* ---- configurations ---- */

/* Rows of a small configuration, by their numbers here. */
static inline conf_str
world_text(struct conf *c, const char *s)
{
	return s == NULL ? 0 : image_text(c, s);
}

/* n tables, all files with the names t0, t1, ... */
static inline void
world_tables(struct conf *c, uint32_t n, enum conf_table_kind kind)
{
	struct conf_table *rows = xcalloc(n, sizeof(*rows));
	char name[16];
	uint32_t i;

	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		rows[i].name = image_text(c, name);
		rows[i].kind = (uint8_t)kind;
		rows[i].at.file = image_text(c, "test.conf");
		rows[i].at.line = i + 1;
	}
	image_rows(c, &c->table, rows, n, sizeof(*rows));
	free(rows);
}

/* An action that does nothing yet. */
static inline struct conf_action
world_action(struct conf *c, const char *name, enum conf_method method)
{
	struct conf_action a = { .name = image_text(c, name),
		.method = (uint8_t)method,
		.alias = CONF_NONE,
		.virtual_ = CONF_NONE,
		.userbase = CONF_NONE,
		.wrapper = CONF_NONE,
		.host_table = CONF_NONE,
		.domain = CONF_NONE,
		.auth = CONF_NONE,
		.src = CONF_NONE,
		.helo_src = CONF_NONE,
		.port = 25,
		.at = { image_text(c, "test.conf"), 50 } };

	return a;
}

/* A rule with these conditions. */
static inline struct conf_match
world_match(struct conf *c, uint32_t line, uint32_t action,
    const struct conf_cond *conds, uint32_t n)
{
	struct conf_match m = { .action = action,
		.reject = action == CONF_NONE,
		.at = { image_text(c, "test.conf"), line } };

	image_rows(c, &m.cond, conds, n, sizeof(*conds));
	return m;
}

#endif
