/*
 * The lists, texts and names of a configuration that is being read.  Runs in
 * the parent; what is read is bounded, so the lists are.
 *
 * SPDX-License-Identifier: ISC
 */
#include <assert.h>
#include <string.h>

#include "conf_parse.h"

/* ---- rows ---- */

uint32_t
conf_count(const struct buf *rows, size_t size)
{
	return (uint32_t)(rows->len / size);
}

void *
conf_item(const struct buf *rows, uint32_t i, size_t size)
{
	assert(i < conf_count(rows, size));
	return rows->mem + rows->off + (size_t)i * size;
}

bool
conf_add(struct conf_parser *p, struct buf *rows, const void *row, size_t size,
    uint32_t max, const char *what)
{
	if (conf_count(rows, size) >= max)
		return conf_refuse(p, "more than %u %s", max, what);
	buf_add(rows, row, size);
	return true;
}

struct conf_span
conf_add_refs(struct conf_parser *p, const uint32_t *rows, uint32_t n)
{
	struct conf_span span = { conf_count(&p->ref, sizeof(struct conf_ref)),
		n };
	struct conf_ref ref;
	uint32_t i;

	for (i = 0; i < n; i++) {
		ref.i = rows[i];
		buf_add(&p->ref, &ref, sizeof(ref));
	}
	return span;
}

struct conf_at
conf_here(struct conf_parser *p)
{
	if (p->file_name == 0 ||
	    strcmp(conf_pool_text(p, p->file_name), p->file) != 0)
		p->file_name = conf_pool_add(p, p->file);
	return (struct conf_at){ p->file_name, p->line };
}

/* ---- texts ---- */

conf_str
conf_pool_add(struct conf_parser *p, const char *text)
{
	conf_str at = (conf_str)p->pool.len;

	if (text[0] == '\0')
		return 0;
	buf_add(&p->pool, text, strlen(text) + 1);
	return at;
}

const char *
conf_pool_text(const struct conf_parser *p, conf_str s)
{
	return (const char *)buf_data(&p->pool) + s;
}

void
conf_pool_wipe(struct conf_parser *p, conf_str s)
{
	char *text = (char *)p->pool.mem + p->pool.off + s;

	memset(text, 0, strlen(text));
}

/* ---- fields ---- */

void *
conf_field(struct conf_parser *p, const struct conf_word *w)
{
	return (unsigned char *)&p->f + w->off;
}

void
conf_store(struct conf_parser *p, const struct conf_word *w, uint64_t v)
{
	void *at = conf_field(p, w);
	uint8_t v8 = (uint8_t)v;
	uint16_t v16 = (uint16_t)v;
	uint32_t v32 = (uint32_t)v;

	switch (w->size) {
	case 1:
		memcpy(at, &v8, 1);
		break;
	case 2:
		memcpy(at, &v16, 2);
		break;
	case 4:
		memcpy(at, &v32, 4);
		break;
	case 8:
		memcpy(at, &v, 8);
		break;
	default:
		assert(0);
	}
}

/* ---- names ---- */

/* Columns: list in the parser, its row, the name and the place in it, the
 * statement's own row, noun, most. */
static const struct {
	size_t list, row, name, at, stmt;
	const char *noun;
	uint32_t max;
} named[NAMED_KINDS] = {
#define X(kind, list, noun, max)                                               \
	{ offsetof(struct conf_parser, list), sizeof(struct conf_##list),      \
		offsetof(struct conf_##list, name),                            \
		offsetof(struct conf_##list, at),                              \
		offsetof(struct conf_parser, f.stmt.list), noun, max },
	CONF_NAMED(X)
#undef X
};

static struct buf *
list_of(const struct conf_parser *p, enum conf_named kind)
{
	return (struct buf *)(uintptr_t)((const char *)p + named[kind].list);
}

static conf_str
name_in(const void *row, enum conf_named kind)
{
	conf_str name;

	memcpy(&name, (const char *)row + named[kind].name, sizeof(name));
	return name;
}

const char *
conf_noun(enum conf_named kind)
{
	return named[kind].noun;
}

uint32_t
conf_named_count(const struct conf_parser *p, enum conf_named kind)
{
	return conf_count(list_of(p, kind), named[kind].row);
}

const char *
conf_named_text(const struct conf_parser *p, enum conf_named kind, uint32_t i)
{
	return conf_pool_text(p,
	    name_in(conf_item(list_of(p, kind), i, named[kind].row), kind));
}

struct conf_at
conf_declared(const struct conf_parser *p, enum conf_named kind, uint32_t i)
{
	const char *row = conf_item(list_of(p, kind), i, named[kind].row);
	struct conf_at at;

	memcpy(&at, row + named[kind].at, sizeof(at));
	return at;
}

uint32_t
conf_find(const struct conf_parser *p, enum conf_named kind, const char *name)
{
	uint32_t i, n = conf_named_count(p, kind);

	for (i = 0; i < n; i++) {
		if (strcmp(conf_named_text(p, kind, i), name) == 0 &&
		    name[0] != '\0')
			return i;
	}
	return CONF_NONE;
}

static void *
stmt_row(struct conf_parser *p, enum conf_named kind)
{
	return (char *)p + named[kind].stmt;
}

bool
conf_add_named(struct conf_parser *p, enum conf_named kind)
{
	struct conf_at at = conf_here(p);
	char *row = stmt_row(p, kind);

	memcpy(row + named[kind].at, &at, sizeof(at));
	return conf_add(p, list_of(p, kind), row, named[kind].row,
	    named[kind].max, named[kind].noun);
}

void
conf_declare_anyway(struct conf_parser *p)
{
	struct conf_at at;
	const char *name;
	char *row;
	int kind;

	for (kind = 0; kind < NAMED_KINDS; kind++) {
		row = stmt_row(p, kind);
		name = conf_pool_text(p, name_in(row, kind));
		if (name[0] == '\0' || conf_find(p, kind, name) != CONF_NONE ||
		    conf_named_count(p, kind) >= named[kind].max)
			continue;
		at = conf_here(p);
		memcpy(row + named[kind].at, &at, sizeof(at));
		buf_add(list_of(p, kind), row, named[kind].row);
		/* What it holds is not known. */
		if (kind == NAMED_TABLE)
			p->shape[conf_named_count(p, kind) - 1] = SHAPE_ANY;
	}
}
