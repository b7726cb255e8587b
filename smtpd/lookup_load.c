/*
 * Reading tables.  Runs in lookup, also in threads of it; what is wrong with
 * a line is noted there and logged by the loop.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "lookup_match.h"
#include "lookup_turn.h"

enum {
	BAD_LOGGED = 20,    /* bad lines of one table that get a line each */
	WORK_WAITING = 4096 /* tables that wait for the thread */
};

struct bad_line {
	uint64_t line;
	const char *why; /* static */
	char key[64];
};

struct load {
	struct work work;
	enum load_kind kind;
	uint32_t services;
	int fd;
	void (*fn)(void *arg, struct load *load);
	void *arg;
	struct store_mem *mem; /* while it is read */
	struct store *store;
	char why[160]; /* it could not be read; empty: it was */
	struct bad_line bad[BAD_LOGGED];
	uint32_t n_bad;
};

/* A walk over the values of a table. */
struct secrets_walk {
	struct secrets *secrets;
	bool passwd;
	struct buf value;
};

/* ---- entries ---- */

const char *
load_check(uint32_t services, struct slice key)
{
	struct table_net net;

	if ((services & 1u << SERVICE_REGEX) != 0)
		return turn_regex_check(key);
	if (services != 1u << SERVICE_NETADDR || table_net_parse(key, &net) ||
	    slice_eqcase(key, SLICE("local")))
		return NULL;
	return "not an address, or address/bits";
}

static void
note_bad(struct load *load, const struct table_entry *e, const char *why)
{
	struct bad_line *bad;
	size_t len;

	if (load->n_bad++ >= BAD_LOGGED)
		return;
	bad = &load->bad[load->n_bad - 1];
	bad->line = e->line;
	bad->why = why;
	len = e->key.len < sizeof(bad->key) ? e->key.len : sizeof(bad->key) - 1;
	(void)slice_copy((struct slice){ e->key.p, len }, bad->key,
	    sizeof(bad->key));
}

static bool
has_passwd_fields(struct slice value)
{
	unsigned int colons = 0;
	size_t i;

	for (i = 0; i < value.len; i++)
		colons += value.p[i] == ':';
	return colons >= 4;
}

static const char *
check_value(const struct load *load, struct slice value)
{
	if (load->kind == LOAD_PASSWD)
		return has_passwd_fields(value) ? NULL :
						  "not a line of passwd(5)";
	if ((load->services & MATCH_VALUES) != 0 && value.len == 0)
		return "no value";
	return NULL;
}

/* A key whose value cannot be used stays in the table: who asks for it is
 * told that nobody knows, and not that it is not there. */
static bool
take_entry(void *arg, const struct table_entry *e, const char *why)
{
	struct load *load = arg;
	struct slice value = load->kind == LOAD_REGEX ? e->key : e->value;
	const char *not_added;

	if (why == NULL)
		why = check_value(load, value);
	if (why != NULL)
		value.len = 0;
	else
		why = load_check(load->services, e->key);
	if (e->key.len != 0) {
		not_added = store_mem_add(load->mem, e->key, value);
		if (why == NULL)
			why = not_added;
	}
	if (why != NULL)
		note_bad(load, e, why);
	return true;
}

/* ---- files ---- */

static const char *
read_text(struct load *load)
{
	static const enum table_text texts[] = {
		[LOAD_TEXT] = TABLE_TEXT_MAP,
		[LOAD_REGEX] = TABLE_TEXT_WHOLE,
		[LOAD_PASSWD] = TABLE_TEXT_PASSWD,
	};
	struct table_lines lines = { .text = texts[load->kind],
		.fn = take_entry,
		.arg = load };
	struct store *s;
	const char *why;

	load->mem = store_mem_new();
	why = table_lines_read(&lines, load->fd);
	table_lines_free(&lines);
	s = store_mem_done(&load->mem);
	if (why != NULL)
		store_free(&s);
	load->store = s;
	return why;
}

static bool
note_secret(void *arg, struct slice key, struct slice value)
{
	struct secrets_walk *w = arg;
	char name[TABLE_KEY_MAX + 1];

	if (!slice_copy(key, name, sizeof(name)))
		return true;
	if (match_value(SERVICE_CREDENTIALS, w->passwd, name, value,
		&w->value) &&
	    buf_add(&w->value, "", 1))
		secrets_note(w->secrets,
		    secret_of(name, (const char *)buf_data(&w->value)));
	buf_drain(&w->value, w->value.len);
	return true;
}

void
load_secrets(struct store *s, bool passwd)
{
	struct secrets_walk w = { .secrets = &s->secrets, .passwd = passwd };

	buf_init(&w.value, 0);
	w.value.wipe = true;
	(void)s->ops->each(s, false, note_secret, &w);
	buf_free(&w.value);
}

static void
run(struct work *work)
{
	struct load *load = (struct load *)(void *)work;
	const char *why;

	if (load->kind == LOAD_DB)
		why = store_db_open(load->fd, &load->store);
	else
		why = read_text(load);
	if (why != NULL)
		snprintf(load->why, sizeof(load->why), "%s", why);
	else if ((load->services & 1u << SERVICE_CREDENTIALS) != 0)
		load_secrets(load->store, load->kind == LOAD_PASSWD);
	close(load->fd);
}

static void
done(struct work *work)
{
	struct load *load = (struct load *)(void *)work;

	load->fn(load->arg, load);
}

/* ---- public ---- */

struct load *
load_new(enum load_kind kind, uint32_t services, int fd,
    void (*fn)(void *arg, struct load *load), void *arg)
{
	struct load *load = xcalloc(1, sizeof(*load));

	load->work.run = run;
	load->work.done = done;
	load->kind = kind;
	load->services = services;
	load->fd = fd;
	load->fn = fn;
	load->arg = arg;
	return load;
}

struct workers *
load_workers(struct loop *l)
{
	return workers_new(l, 1, WORK_WAITING);
}

bool
load_start(struct load *load, struct workers *ws)
{
	return workers_add(ws, &load->work);
}

void
load_now(struct load *load)
{
	run(&load->work);
	done(&load->work);
}

struct store *
load_result(struct load *load, const char *name, bool kept)
{
	struct store *s = load->store;
	uint32_t i;

	for (i = 0; i < load->n_bad && i < BAD_LOGGED; i++)
		log_warn("table-line", "table=%s line=%llu error=%s key=%s",
		    q(name), (unsigned long long)load->bad[i].line,
		    q(load->bad[i].why), q(load->bad[i].key));
	if (load->n_bad != 0)
		log_warn("table-lines", "table=%s bad=%u", q(name),
		    load->n_bad);
	if (load->why[0] != '\0')
		log_warn("table-unreadable", "table=%s error=%s old_one=%s",
		    q(name), q(load->why), kept ? "kept" : "none");
	free(load);
	return s;
}
