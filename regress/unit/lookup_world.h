/*
 * A lookup for unit tests that has a configuration as it is written, and the
 * tables of it; but a table whose name begins with `dead` has no answer, one
 * that begins with `slow` answers a moment later, and `hang` never.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef LOOKUP_WORLD_H
#define LOOKUP_WORLD_H

#include "conf_unit.h"

#include "lookup_table.h"
#include "question_world.h"

static struct world world;
static struct tables *tables;

/* What the table really has. */
static inline bool
lookup_look(uint32_t table, const char *key, struct buf *value)
{
	struct table_req req = { 0 };

	return table_ask(tables_row(tables, table), world.service, key, value,
		   &req, NULL, NULL) == TABLE_YES;
}

static inline enum table_answer
lookup_ask(void *self, uint32_t table, enum conf_service service,
    const char *key, struct buf *value, struct table_req *req, table_fn *fn,
    void *arg)
{
	struct world *w = self;
	struct table_req none = { 0 };

	if (((w->unknown | w->slow | w->silent) & 1u << table) != 0)
		return world_ask(self, table, service, key, value, req, fn,
		    arg);
	return table_ask(tables_row(tables, table), service, key, value, &none,
	    NULL, NULL);
}

static inline void
lookup_begin(const struct conf *c)
{
	struct conf *copy = xcalloc(1, c->size);
	uint32_t i;

	memcpy(copy, c, c->size);
	world_init(&world, copy);
	tables = tables_new(copy);
	world.make = lookup_look;
	world.questions.tables.ask = lookup_ask;
	world.questions.patience = 100;
	for (i = 0; i < copy->table.n; i++) {
		const char *name = conf_text(copy, CONF_TABLE(copy, i)->name);

		if (strncmp(name, "dead", 4) == 0)
			world.unknown |= 1u << i;
		if (strncmp(name, "slow", 4) == 0)
			world.slow |= 1u << i;
		if (strncmp(name, "hang", 4) == 0)
			world.silent |= 1u << i;
	}
}

static inline void
lookup_end(void)
{
	tables_free(&tables);
	world_free(&world);
}

/* A text of a message. */
static inline void
fill(char *out, size_t size, const char *text)
{
	if (strlen(text) >= size)
		abort();
	memcpy(out, text, strlen(text) + 1);
}

#endif
