/*
 * Questions: judged, left waiting for a table, judged again, given up.  Runs
 * in lookup; knows neither rules nor tables, and never waits without a
 * deadline.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_question.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "log.h"

#define BUCKETS   4096 /* of the answers of one question */
#define VALUE_MAX ((size_t)4 << 20)

/* In the place of a table's row. */
#define USERS UINT32_MAX
#define TEXTS (UINT32_MAX - 1)

/* What is asked. */
struct query {
	uint32_t table;
	uint8_t service;
	const char *key;
	const struct text_ask *text; /* TEXTS */
	uint64_t sum;
};

/* One answer that was, or is, awaited. */
struct answer {
	LIST_ENTRY(answer) hash;
	LIST_ENTRY(answer) entry; /* in awaited */
	struct question *q;
	struct table_req req;
	struct file_req file; /* TEXTS */
	uint32_t table;
	uint8_t service;
	bool awaited;
	enum table_answer a;
	uint64_t sum; /* of the key */
	const char *key, *value;
	const struct outcome *why; /* TEXTS, UNKNOWN; NULL: it was not told */
};

/* ---- a question's life ---- */

static size_t
kept(const struct question *q)
{
	return sizeof(*q) + q->memo.used;
}

/* Nothing is awaited any more; what was not answered is not known. */
static void
forget_awaited(struct question *q)
{
	struct answer *a;

	while ((a = LIST_FIRST(&q->awaited)) != NULL) {
		LIST_REMOVE(a, entry);
		table_cancel(&a->req);
		files_cancel(&a->file);
		a->awaited = false;
		a->a = TABLE_UNKNOWN;
	}
	q->n_awaited = q->n_texts = 0;
}

static void
question_free(struct question *q)
{
	forget_awaited(q);
	timer_clear(&q->soon);
	timer_clear(&q->deadline);
	arena_free(&q->work);
	arena_free(&q->memo);
	buf_free(&q->value);
	buf_free(&q->trace);
	free(q);
}

static void
leave(struct question *q)
{
	TAILQ_REMOVE(&q->all->open, q, entry);
	q->all->n--;
	question_free(q);
}

static size_t
all_kept(const struct questions *all)
{
	const struct question *q;
	size_t bytes = 0;

	TAILQ_FOREACH(q, &all->open, entry)
		bytes += kept(q);
	return bytes;
}

static void
pass(void *arg)
{
	struct question *q = arg;

	arena_free(&q->work);
	buf_drain(&q->trace, q->trace.len);
	q->trace_max = QUESTION_TRACE_MAX;
	q->trace_cut = false;
	q->lookups = 0;
	if (++q->rounds >= QUESTION_ROUNDS) {
		forget_awaited(q);
		q->late = true;
	}
	if (q->judge(q)) {
		leave(q);
		return;
	}
	/* It unwound for an answer, so one is awaited; when it was late none
	 * was, and it has answered. */
	assert(q->n_awaited > 0);
	arena_free(&q->work);
}

static void
on_deadline(void *arg)
{
	struct question *q = arg;

	q->late = true;
	forget_awaited(q);
	timer_clear(&q->soon);
	pass(q);
}

/* ---- answers that are awaited ---- */

static void
answered(struct answer *a, enum table_answer said)
{
	struct question *q = a->q;

	assert(a->awaited && said != TABLE_WAIT);
	LIST_REMOVE(a, entry);
	a->awaited = false;
	a->a = said;
	a->value = "";
	q->n_texts -= a->table == TEXTS;
	/* All of them, so that passes are few. */
	if (--q->n_awaited == 0)
		timer_set(q->all->loop, &q->soon, 0, pass, q);
}

/* False: no room. */
static bool
keep_value(struct answer *a, const char *value, size_t len)
{
	const char *copy = arena_copyn(&a->q->memo, value, len);

	if (copy != NULL)
		a->value = copy;
	else
		a->a = TABLE_UNKNOWN;
	return copy != NULL;
}

static void
on_answer(void *arg, enum table_answer said, const char *value)
{
	struct answer *a = arg;

	answered(a, said);
	if (said == TABLE_YES && value != NULL)
		(void)keep_value(a, value, strlen(value));
}

static void
no_room(struct outcome *why)
{
	outcome_set(why, LATER, WIDTH_RCPT, 451, "4.3.2",
	    "there is no room for this file now");
	outcome_of_us(why, CAUSE_SYSTEM, STAGE_LOOKUP);
}

/* A text may be large: it is counted before it is kept. */
static void
on_text(void *arg, const struct outcome *o, struct slice text)
{
	static const enum table_answer means[] = {
		[LATER] = TABLE_UNKNOWN,
		[DONE] = TABLE_YES,
		[NEVER] = TABLE_NO,
	};
	struct answer *a = arg;
	struct outcome *why = NULL;
	size_t all = all_kept(a->q->all);

	answered(a, means[o->verdict]);
	if (o->verdict == DONE &&
	    (all + text.len > QUESTIONS_BYTES ||
		!keep_value(a, text.p, text.len)))
		a->a = TABLE_UNKNOWN;
	if (a->a != TABLE_UNKNOWN)
		return;
	a->why = why = arena_alloc(&a->q->memo, sizeof(*why));
	if (why != NULL && o->verdict == LATER)
		*why = *o;
	else if (why != NULL)
		no_room(why);
}

static struct answer *
find(const struct question *q, const struct query *query)
{
	struct answer *a;

	if (q->answers == NULL)
		return NULL;
	LIST_FOREACH(a, &q->answers[query->sum % BUCKETS], hash) {
		if (a->sum == query->sum && a->table == query->table &&
		    a->service == query->service &&
		    strcmp(a->key, query->key) == 0)
			return a;
	}
	return NULL;
}

/* Keeps the answer that is coming; false: no room. */
static bool
await(struct question *q, struct answer *a, const char *key)
{
	size_t i;

	if (q->answers == NULL) {
		q->answers =
		    arena_alloc(&q->memo, BUCKETS * sizeof(*q->answers));
		for (i = 0; q->answers != NULL && i < BUCKETS; i++)
			LIST_INIT(&q->answers[i]);
	}
	a->key = arena_copy(&q->memo, key);
	if (a->key == NULL || q->answers == NULL)
		return false;
	LIST_INSERT_HEAD(&q->answers[a->sum % BUCKETS], a, hash);
	LIST_INSERT_HEAD(&q->awaited, a, entry);
	a->awaited = true;
	q->n_texts += a->table == TEXTS;
	if (q->n_awaited++ == 0 && !q->deadline.set)
		timer_set(q->all->loop, &q->deadline, q->all->patience,
		    on_deadline, q);
	return true;
}

static enum table_answer
ask_anew(struct question *q, struct answer *a, const struct query *query)
{
	const struct question_tables *t = &q->all->tables;

	if (query->table == TEXTS)
		return t->text(t->self, query->text, &a->file, on_text, a);
	if (query->table == USERS)
		return t->user(t->self, query->key, &q->value, &a->req,
		    on_answer, a);
	return t->ask(t->self, query->table, query->service, query->key,
	    &q->value, &a->req, on_answer, a);
}

/* As many are awaited as may be: its turn comes. */
static bool
is_crowded(const struct question *q, const struct query *query)
{
	return q->n_awaited >= QUESTION_WAITS ||
	    (query->table == TEXTS && q->n_texts >= QUESTION_TEXTS);
}

/* *why: of a file; may be NULL. */
static enum table_answer
look_up(struct question *q, struct query *query, const char **value,
    const struct outcome **why)
{
	struct answer *a;
	enum table_answer said;

	*value = "";
	query->sum = XXH3_64bits_withSeed(query->key, strlen(query->key),
	    ((uint64_t)query->table << 8) + query->service);
	if (++q->lookups > QUESTION_LOOKUPS)
		return TABLE_UNKNOWN;
	if ((a = find(q, query)) != NULL) {
		if (a->awaited)
			return TABLE_WAIT;
		if (a->a == TABLE_YES)
			*value = a->value;
		if (why != NULL)
			*why = a->why;
		return a->a;
	}
	if (is_crowded(q, query))
		return TABLE_WAIT;
	if (q->spare == NULL)
		q->spare = arena_alloc(&q->memo, sizeof(*q->spare));
	if ((a = q->spare) == NULL)
		return TABLE_UNKNOWN;
	a->q = q;
	a->table = query->table;
	a->service = query->service;
	a->sum = query->sum;
	buf_drain(&q->value, q->value.len);
	said = ask_anew(q, a, query);
	if (said == TABLE_WAIT) {
		q->spare = NULL;
		if (!q->late && await(q, a, query->key))
			return TABLE_WAIT;
		table_cancel(&a->req);
		files_cancel(&a->file);
		return TABLE_UNKNOWN;
	}
	if (said != TABLE_YES || q->value.len == 0)
		return said;
	*value = arena_copyn(&q->work, (const char *)buf_data(&q->value),
	    q->value.len);
	if (*value == NULL) {
		*value = "";
		return TABLE_UNKNOWN;
	}
	return TABLE_YES;
}

enum table_answer
question_table(struct question *q, uint32_t table, enum conf_service service,
    const char *key, const char **value)
{
	struct query query = { .table = table,
		.service = (uint8_t)service,
		.key = key };

	return look_up(q, &query, value, NULL);
}

enum table_answer
question_user(struct question *q, const char *name, const char **value)
{
	struct query query = { .table = USERS,
		.service = SERVICE_USERINFO,
		.key = name };

	return look_up(q, &query, value, NULL);
}

enum table_answer
question_text(struct question *q, const struct text_ask *ask, const char **text,
    struct outcome *why)
{
	const struct outcome *said = NULL;
	struct query query = { .table = TEXTS,
		.service = (uint8_t)ask->what,
		.text = ask };
	enum table_answer a;

	*text = "";
	query.key = arena_printf(&q->work, "%u %u %s\n%s", ask->uid, ask->gid,
	    ask->home, ask->name);
	a = query.key == NULL ? TABLE_UNKNOWN : look_up(q, &query, text, &said);
	if (a != TABLE_UNKNOWN)
		return a;
	if (said != NULL) {
		*why = *said;
		return a;
	}
	outcome_set(why, LATER, WIDTH_RCPT, 451, "4.3.0",
	    "%s cannot be read now", ask->name);
	outcome_of_us(why, CAUSE_SYSTEM, STAGE_LOOKUP);
	return a;
}

/* ---- why ---- */

void
question_note(struct question *q, const char *step, const struct conf_at *at,
    const char *fmt, ...)
{
	char line[QUESTION_NOTE_MAX + 1], where[CONF_AT_MAX] = "";
	va_list ap;
	size_t i;

	if (!q->traced)
		return;
	if (at != NULL)
		conf_at_print(q->all->conf, at, where, sizeof(where));
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* What ends a line, or a column, is not in the text. */
	for (i = 0; line[i] != '\0'; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	}
	if (q->trace.len >= q->trace_max) {
		q->trace_cut = true;
		return;
	}
	buf_printf(&q->trace, "%s\t%s\t%s\n", step, where, line);
}

void
question_table_name(const struct conf *c, const struct conf_table *row,
    char out[QUESTION_NAME_SIZE])
{
	if (row->name == 0)
		snprintf(out, QUESTION_NAME_SIZE, "{ ... }");
	else
		snprintf(out, QUESTION_NAME_SIZE, "<%s>",
		    conf_text(c, row->name));
}

/* ---- all of them ---- */

void
questions_init(struct questions *all, struct loop *l, const struct conf *conf,
    const struct question_tables *tables)
{
	*all = (struct questions){ .loop = l,
		.conf = conf,
		.tables = *tables,
		.patience = QUESTION_MSEC };
	TAILQ_INIT(&all->open);
}

void
question_ask(struct questions *all, question_judge *judge, const void *ask,
    size_t len, struct ipc_chan *from, uint64_t id)
{
	struct question *q = xcalloc(1, sizeof(*q));
	void *copy;

	q->all = all;
	q->judge = judge;
	q->from = from;
	q->id = id;
	arena_init(&q->work, QUESTION_WORK_MAX);
	arena_init(&q->memo, QUESTION_MEMO_MAX);
	buf_init(&q->value, VALUE_MAX);
	buf_init(&q->trace, 0);
	LIST_INIT(&q->awaited);
	if ((copy = arena_alloc(&q->memo, len)) == NULL)
		fatal("no room for a question");
	memcpy(copy, ask, len);
	q->ask = copy;
	/* One too many is judged, but waits for nothing. */
	q->late = all->n >= QUESTIONS_MAX || all_kept(all) >= QUESTIONS_BYTES;
	TAILQ_INSERT_TAIL(&all->open, q, entry);
	all->n++;
	pass(q);
}

void
questions_forget(struct questions *all, const struct ipc_chan *from)
{
	struct question *q, *next;

	TAILQ_FOREACH_SAFE(q, &all->open, entry, next) {
		if (q->from == from)
			leave(q);
	}
}

void
questions_free(struct questions *all)
{
	struct question *q;

	while ((q = TAILQ_FIRST(&all->open)) != NULL)
		leave(q);
}
