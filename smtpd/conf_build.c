/*
 * Makes the flat image of common/conf.h out of what was parsed: lists one
 * behind the other, then the pool of texts.  Runs in the parent; the lists
 * are known to be good.
 *
 * SPDX-License-Identifier: ISC
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf_parse.h"
#include "log.h"

#define ALIGN 8

/* The image being filled. */
struct image {
	struct conf *conf;
	size_t at; /* first byte that is free */
};

/* Copies rows behind what is there; returns where they are. */
static struct conf_span
place(struct image *m, const struct buf *rows, size_t size)
{
	struct conf_span span = { (uint32_t)m->at, conf_count(rows, size) };

	if (span.n == 0)
		return (struct conf_span){ 0, 0 };
	memcpy((char *)m->conf + m->at, buf_data(rows), rows->len);
	m->at += (rows->len + ALIGN - 1) / ALIGN * ALIGN;
	return span;
}

/* Entries of a table are rows of the one list of entries so far. */
static void
point_tables(struct conf *c, struct conf_span entries)
{
	struct conf_table *t;
	uint32_t i;

	for (i = 0; i < c->table.n; i++) {
		t = (struct conf_table *)(void *)((char *)c + c->table.off) + i;
		if (t->entries.n == 0)
			t->entries.off = 0;
		else
			t->entries.off = entries.off +
			    t->entries.off *
				(uint32_t)sizeof(struct conf_entry);
	}
}

struct conf_image
conf_build(const struct conf_parser *p)
{
	const struct buf *all[] = { &p->listen, &p->table, &p->action,
		&p->match, &p->dkim, &p->retry, &p->local_addr, &p->entry,
		&p->pool };
	struct conf_image out = { 0 };
	struct conf_span entries;
	struct image m = { 0 };
	struct conf *c;
	size_t i;

	out.size = (sizeof(*c) + ALIGN - 1) / ALIGN * ALIGN;
	m.at = out.size;
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		out.size += (all[i]->len + ALIGN - 1) / ALIGN * ALIGN;
	if (out.size > UINT32_MAX)
		return (struct conf_image){ 0 };
	m.conf = c = xcalloc(1, out.size);
	memcpy(c, &p->f.conf, sizeof(*c));
	c->magic = CONF_MAGIC;
	c->size = (uint32_t)out.size;
	c->listen = place(&m, &p->listen, sizeof(struct conf_listen));
	c->table = place(&m, &p->table, sizeof(struct conf_table));
	c->action = place(&m, &p->action, sizeof(struct conf_action));
	c->match = place(&m, &p->match, sizeof(struct conf_match));
	c->dkim = place(&m, &p->dkim, sizeof(struct conf_dkim));
	c->retry = place(&m, &p->retry, sizeof(struct conf_retry));
	c->local_addr = place(&m, &p->local_addr, sizeof(struct conf_entry));
	entries = place(&m, &p->entry, sizeof(struct conf_entry));
	c->pool = place(&m, &p->pool, 1);
	point_tables(c, entries);
	out.conf = c;
	return out;
}

/* ---- without tables ---- */

/* No two texts share their bytes in the pool, so what is wiped was only
 * this. */
static void
wipe(struct conf *c, conf_str *s)
{
	char *text = (char *)c + c->pool.off + *s;

	memset(text, 0, strlen(text));
	*s = 0;
}

static void
wipe_table(struct conf *c, struct conf_table *t)
{
	struct conf_entry *e =
	    (struct conf_entry *)(void *)((char *)c + t->entries.off);
	uint32_t i;

	for (i = 0; i < t->entries.n; i++) {
		wipe(c, &e[i].key);
		wipe(c, &e[i].value);
	}
	wipe(c, &t->path);
	t->entries = (struct conf_span){ 0, 0 };
}

int
conf_image_without_tables(const struct conf_image *in, struct conf_image *out)
{
	struct conf_table *t;
	uint32_t i;

	*out = (struct conf_image){ malloc(in->size), in->size };
	if (out->conf == NULL) {
		errno = ENOMEM;
		out->size = 0;
		return -1;
	}
	memcpy(out->conf, in->conf, in->size);
	t = (struct conf_table *)(void *)((char *)out->conf +
	    out->conf->table.off);
	for (i = 0; i < out->conf->table.n; i++)
		wipe_table(out->conf, &t[i]);
	return 0;
}

void
conf_image_free(struct conf_image *image)
{
	free(image->conf);
	*image = (struct conf_image){ 0 };
}
