/*
 * The file of a table, handed to lookup again: when the operator says so, and
 * for db: tables when another file stands at their path.  Runs in the parent;
 * opens files and reads none.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "parent.h"

#define LOOK_MS 1000

bool
table_has_file(const struct conf_table *t)
{
	return t->kind == TABLE_FILE || t->kind == TABLE_PASSWD ||
	    t->kind == TABLE_DB;
}

/* Notes which file stands there; false if it is the one that was noted. */
static bool
note(struct generation *g, uint32_t i)
{
	const struct conf *c = g->conf;
	struct table_file *f = &g->files[i];
	struct stat st;

	if (stat(conf_text(c, CONF_TABLE(c, i)->path), &st) == -1 ||
	    (st.st_dev == f->dev && st.st_ino == f->ino &&
		st.st_ctim.tv_sec == f->changed.tv_sec &&
		st.st_ctim.tv_nsec == f->changed.tv_nsec))
		return false;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->changed = st.st_ctim;
	return true;
}

void
table_note(struct generation *g, uint32_t i)
{
	(void)note(g, i);
}

/* What lookup is to be told of by its file; a program has none, and is told
 * all the same that its sources have changed. */
static const char *
path_of(const struct conf *c, uint32_t i)
{
	const struct conf_table *t = CONF_TABLE(c, i);

	return t->kind == TABLE_PROC ? "/dev/null" : conf_text(c, t->path);
}

struct hand_over {
	struct generation *gen;
	uint32_t row;
	int error; /* 0: handed to all */
};

static void
hand_child(struct child *ch, void *arg)
{
	struct hand_over *h = arg;
	const struct conf *c = h->gen->conf;
	bool up = ch->state == CHILD_STARTING || ch->state == CHILD_READY;

	if (ch->gen != h->gen || ch->kind != PROC_LOOKUP || !up)
		return;
	if (!give_file(ch, path_of(c, h->row), FILE_TABLE, h->row))
		h->error = errno;
}

/* To each lookup of g.  0, or why the file cannot be opened. */
static int
hand_over(struct parent *p, struct generation *g, uint32_t row)
{
	struct hand_over h = { .gen = g, .row = row };
	const struct conf *c = g->conf;

	child_each(p, hand_child, &h);
	if (h.error == 0)
		log_event(0, "table-update", "generation=%u table=%s",
		    g->number, q(conf_text(c, CONF_TABLE(c, row)->name)));
	else
		log_warn("no-file", "path=%s why=%s",
		    q(conf_text(c, CONF_TABLE(c, row)->path)),
		    q(strerror(h.error)));
	return h.error;
}

/* All of g that have this name, or any.  NULL, or why not. */
static const char *
update(struct parent *p, struct generation *g, const char *name)
{
	static char why_not[512];
	const struct conf *c = g->conf;
	const struct conf_table *t;
	bool any = name[0] == '\0';
	const char *bad = any ? NULL : "there is no table of this name";
	uint32_t i;
	int error;

	for (i = 0; i < c->table.n; i++) {
		t = CONF_TABLE(c, i);
		if (!any && strcmp(conf_text(c, t->name), name) != 0)
			continue;
		if (!table_has_file(t) && t->kind != TABLE_PROC) {
			if (!any)
				bad = "that table has no file";
			continue;
		}
		if (!any)
			bad = NULL;
		if (t->kind != TABLE_PROC)
			table_note(g, i);
		if ((error = hand_over(p, g, i)) == 0)
			continue;
		snprintf(why_not, sizeof why_not, "cannot open %s: %s",
		    conf_text(c, t->path), strerror(error));
		bad = why_not;
	}
	return bad;
}

const char *
table_update(struct parent *p, const char *name)
{
	struct generation *g;

	/* What is said of others is of no interest. */
	TAILQ_FOREACH(g, &p->all, entry) {
		if (g != p->now)
			(void)update(p, g, name);
	}
	return update(p, p->now, name);
}

/* ---- db: ---- */

static void
on_look(void *arg)
{
	struct parent *p = arg;
	struct generation *g;
	uint32_t i;

	TAILQ_FOREACH(g, &p->all, entry) {
		for (i = 0; i < g->conf->table.n; i++) {
			if (CONF_TABLE(g->conf, i)->kind == TABLE_DB &&
			    note(g, i))
				hand_over(p, g, i);
		}
	}
	table_watch(p);
}

void
table_watch(struct parent *p)
{
	struct generation *g;
	uint32_t i, n = 0;

	TAILQ_FOREACH(g, &p->all, entry) {
		for (i = 0; i < g->conf->table.n; i++)
			n += CONF_TABLE(g->conf, i)->kind == TABLE_DB;
	}
	if (n > 0 && !p->stopping)
		timer_set(p->loop, &p->table_timer, LOOK_MS, on_look, p);
}
