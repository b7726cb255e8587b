/*
 * Tables, by row of the configuration: each kind reads and answers in its own
 * way, behind one question.  Runs in lookup; opens nothing (the parent hands
 * the files in), starts nothing (spawn does).
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_table.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "lookup_load.h"
#include "lookup_match.h"
#include "lookup_program.h"
#include "lookup_store.h"
#include "lookup_turn.h"
#include "num.h"

struct table {
	struct tables *all;
	const struct conf_table *row;
	const char *name;
	const struct kind *kind;
	struct store *store; /* NULL: nobody knows */
	struct turn turn;    /* of the store */
	struct load *load;   /* it is being read */
	int next;            /* then this is, -1: nothing */
	struct program *program;
	uint32_t complained; /* bits 1 << SERVICE_* */
};

struct tables {
	const struct conf *conf;
	struct loop *loop; /* NULL: not yet */
	struct workers *workers;
	struct table *table;
	void (*changed)(void *arg);
	void *arg;
};

/* The services of which an answer has a value. */
#define VALUES (MATCH_VALUES | 1u << SERVICE_RELAYHOST)

typedef enum table_answer ask_fn(struct table *t, enum conf_service s,
    const char *key, struct buf *value, struct table_req *req, table_fn *fn,
    void *arg);

struct kind {
	ask_fn *ask;
	void (*file)(struct table *t, int fd); /* takes it over */
};

/* ---- tables that are read ---- */

/* That an entry cannot be used is said once for each service. */
static void
complain(struct table *t, enum conf_service s, const char *key, const char *why)
{
	static const char *const words[SERVICES] = {
#define X(name, word) [SERVICE_##name] = (word),
		CONF_SERVICES(X)
#undef X
	};

	if ((t->complained & 1u << s) == 0)
		log_warn("table-value", "table=%s service=%s error=%s key=%s",
		    q(t->name), words[s], q(why), q(key));
	t->complained |= 1u << s;
}

static enum table_answer
ask_turn(struct table *t, enum conf_service s, const char *key,
    struct buf *value)
{
	const char *why = NULL;
	enum table_answer a;
	uint64_t i;

	if (s == SERVICE_REGEX)
		a = turn_regex(&t->turn, t->store, key, &why);
	else if (key[0] != TABLE_ENTRY ||
	    num_parse(key + 1, 0, TURN_MAX, &i) != NULL)
		return TABLE_NO;
	else
		a = turn_entry(&t->turn, t->store, i, value, &why);
	if (why != NULL)
		complain(t, s, "", why);
	return a;
}

static enum table_answer
ask_store(struct table *t, enum conf_service s, const char *key,
    struct buf *value, struct table_req *req, table_fn *fn, void *arg)
{
	bool passwd = t->row->kind == TABLE_PASSWD;
	enum table_answer a;
	struct slice raw;
	struct buf none;

	(void)req;
	(void)fn;
	(void)arg;
	if (t->store == NULL)
		return TABLE_UNKNOWN;
	if (passwd && (CONF_PASSWD_SERVICES & 1u << s) == 0) {
		complain(t, s, key, "a passwd: table has no such service");
		return TABLE_UNKNOWN;
	}
	if (s == SERVICE_REGEX || s == SERVICE_SOURCE ||
	    (s == SERVICE_RELAYHOST && key[0] == TABLE_ENTRY))
		return ask_turn(t, s, key, value);
	a = match_ask(t->store, s, key, t->all->conf->sub_addr_delim, &raw);
	if (a != TABLE_YES || (VALUES & 1u << s) == 0)
		return a;
	buf_init(&none, 0);
	if (!match_value(s, passwd, key, raw, value != NULL ? value : &none)) {
		complain(t, s, key, "a value is missing, or has not the form");
		a = TABLE_UNKNOWN;
	}
	buf_free(&none);
	return a;
}

/* ---- reading them ---- */

/* Those of whole lines, and those of lines with values, by who asks. */
static enum load_kind
load_kind_of(const struct conf_table *row)
{
	if (row->kind == TABLE_DB)
		return LOAD_DB;
	if (row->kind == TABLE_PASSWD)
		return LOAD_PASSWD;
	return row->services & 1u << SERVICE_REGEX ? LOAD_REGEX : LOAD_TEXT;
}

static void read_next(struct table *t);

static void
take_store(struct table *t, struct store *s)
{
	bool first = t->store == NULL;

	turn_reset(&t->turn);
	store_free(&t->store);
	t->store = s;
	t->complained = 0;
	log_debug("table %s: %zu entries, %zu bytes", q(t->name), s->n,
	    s->bytes);
	if (!first && t->all->changed != NULL)
		t->all->changed(t->all->arg);
}

static void
on_loaded(void *arg, struct load *load)
{
	struct table *t = arg;
	struct store *s = load_result(load, t->name, t->store != NULL);

	t->load = NULL;
	if (s != NULL)
		take_store(t, s);
	read_next(t);
}

/* In a thread if there is something to answer from meanwhile. */
static void
read_next(struct table *t)
{
	int fd = t->next;

	if (t->load != NULL || fd == -1)
		return;
	t->next = -1;
	t->load =
	    load_new(load_kind_of(t->row), t->row->services, fd, on_loaded, t);
	if (t->store == NULL || t->all->workers == NULL ||
	    !load_start(t->load, t->all->workers))
		load_now(t->load);
}

static void
file_store(struct table *t, int fd)
{
	if (t->next != -1)
		close(t->next);
	t->next = fd;
	read_next(t);
}

static void
file_none(struct table *t, int fd)
{
	(void)t;
	close(fd);
}

/* ---- programs ---- */

static enum table_answer
ask_program(struct table *t, enum conf_service s, const char *key,
    struct buf *value, struct table_req *req, table_fn *fn, void *arg)
{
	(void)value; /* it is not known at once */
	if (t->program == NULL)
		return TABLE_UNKNOWN;
	return program_ask(t->program, s, key, req, fn, arg);
}

static void
file_program(struct table *t, int fd)
{
	close(fd);
	if (t->program != NULL)
		program_update(t->program);
}

/* ---- kinds ---- */

static const struct kind kinds[] = {
	[TABLE_LIST] = { ask_store, file_none },
	[TABLE_MAP] = { ask_store, file_none },
	[TABLE_FILE] = { ask_store, file_store },
	[TABLE_PASSWD] = { ask_store, file_store },
	[TABLE_DB] = { ask_store, file_store },
	[TABLE_PROC] = { ask_program, file_program },
};

enum table_answer
table_ask(struct table *t, enum conf_service s, const char *key,
    struct buf *value, struct table_req *req, table_fn *fn, void *arg)
{
	return t->kind->ask(t, s, key, value, req, fn, arg);
}

const struct secrets *
table_secrets(const struct table *t)
{
	return t->store == NULL ? NULL : &t->store->secrets;
}

void
table_cancel(struct table_req *req)
{
	if (req->cancel != NULL)
		req->cancel(req);
	req->cancel = NULL;
}

/* ---- all of them ---- */

static void
log_key(const struct tables *ts, const struct table *t, const char *key,
    const char *why)
{
	char where[CONF_AT_MAX];

	log_warn("table-key", "table=%s at=%s error=%s key=%s", q(t->name),
	    conf_at_print(ts->conf, &t->row->at, where, sizeof(where)), q(why),
	    q(key));
}

static void
read_inline(struct tables *ts, struct table *t)
{
	struct store_mem *m = store_mem_new();
	const char *key, *value, *why;
	uint32_t i;

	for (i = 0; i < t->row->entries.n; i++) {
		const struct conf_entry *e =
		    CONF_ENTRY(ts->conf, t->row->entries, i);

		key = conf_text(ts->conf, e->key);
		value = conf_text(ts->conf, e->value);
		/* Expressions are taken as they were written. */
		if (t->row->services & 1u << SERVICE_REGEX)
			value = key;
		why = store_mem_add(m, slice_of(key), slice_of(value));
		if (why == NULL)
			why = load_check(t->row->services, slice_of(key));
		if (why != NULL)
			log_key(ts, t, key, why);
	}
	t->store = store_mem_done(&m);
	if (t->row->services & 1u << SERVICE_CREDENTIALS)
		load_secrets(t->store, false);
}

struct tables *
tables_new(const struct conf *c)
{
	struct tables *ts = xcalloc(1, sizeof(*ts));
	uint32_t i;

	ts->conf = c;
	ts->table = xcalloc(c->table.n + 1, sizeof(*ts->table));
	for (i = 0; i < c->table.n; i++) {
		struct table *t = &ts->table[i];

		t->all = ts;
		t->row = CONF_TABLE(c, i);
		t->name = conf_text(c, t->row->name);
		t->kind = &kinds[t->row->kind];
		t->next = -1;
		if (t->row->kind == TABLE_LIST || t->row->kind == TABLE_MAP)
			read_inline(ts, t);
	}
	return ts;
}

void
tables_free(struct tables **tsp)
{
	struct tables *ts = *tsp;
	uint32_t i;

	*tsp = NULL;
	for (i = 0; i < ts->conf->table.n; i++) {
		struct table *t = &ts->table[i];

		assert(t->load == NULL); /* a thread would come back to it */
		turn_reset(&t->turn);
		store_free(&t->store);
		program_free(&t->program);
	}
	free(ts->table);
	free(ts);
}

void
tables_start(struct tables *ts, struct loop *l, void (*changed)(void *arg),
    void *arg)
{
	uint32_t i;

	ts->loop = l;
	ts->changed = changed;
	ts->arg = arg;
	ts->workers = load_workers(l);
	for (i = 0; i < ts->conf->table.n; i++) {
		struct table *t = &ts->table[i];

		if (t->row->kind == TABLE_PROC)
			t->program = program_new(l, t->name, i);
	}
}

struct table *
tables_row(struct tables *ts, uint32_t i)
{
	assert(i < ts->conf->table.n);
	return &ts->table[i];
}

bool
tables_file(struct tables *ts, uint32_t i, int fd)
{
	if (i >= ts->conf->table.n) {
		close(fd);
		return false;
	}
	ts->table[i].kind->file(&ts->table[i], fd);
	return true;
}

void
tables_spawn(struct tables *ts, struct ipc_chan *spawn)
{
	uint32_t i;

	for (i = 0; i < ts->conf->table.n; i++)
		if (ts->table[i].program != NULL)
			program_spawn(ts->table[i].program, spawn);
}

void
tables_stderr(struct tables *ts, uint32_t i, int fd)
{
	if (i < ts->conf->table.n && ts->table[i].program != NULL)
		program_stderr(ts->table[i].program, fd);
	else
		close(fd);
}
