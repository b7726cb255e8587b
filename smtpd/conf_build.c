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

#define ALIGN   8
#define UP(len) (((len) + ALIGN - 1) / ALIGN * ALIGN)

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
	m->at += UP(rows->len);
	return span;
}

/* Spans in rows.  Columns: list, its row, the field, the list that it points
 * into, a row of that. */
#define INNERS(X)                                                              \
	X(table, conf_table, entries, entry, conf_entry)                       \
	X(filter, conf_filter, member, ref, conf_ref)                          \
	X(listen, conf_listen, pki, ref, conf_ref)                             \
	X(listen, conf_listen, filter, ref, conf_ref)                          \
	X(action, conf_action, host, host, conf_host)                          \
	X(action, conf_action, filter, ref, conf_ref)                          \
	X(match, conf_match, cond, cond, conf_cond)                            \
	X(retry, conf_retry, domain, entry, conf_entry)                        \
	X(retry, conf_retry, step, step, conf_step)                            \
	X(limit, conf_limit, domain, entry, conf_entry)                        \
	X(dnslist, conf_dnslist, answer, entry, conf_entry)

/* The spans of one field, which count rows of inner so far, become offsets. */
static void
point(struct conf *c, struct conf_span rows, size_t size, size_t field,
    struct conf_span inner, size_t inner_size)
{
	struct conf_span *span;
	uint32_t i;

	for (i = 0; i < rows.n; i++) {
		span = (struct conf_span *)(void *)((char *)c + rows.off +
		    i * size + field);
		if (span->n == 0)
			span->off = 0;
		else
			span->off =
			    inner.off + span->off * (uint32_t)inner_size;
	}
}

static size_t
image_size(const struct conf_parser *p)
{
	size_t size = UP(sizeof(struct conf));

#define X(name, row) size += UP(p->name.len);
	CONF_LISTS(X)
	CONF_INNER_LISTS(X)
#undef X
	return size + UP(p->pool.len);
}

struct conf_image
conf_build(const struct conf_parser *p)
{
	struct conf_image out = { .size = image_size(p) };
	struct image m = { .at = UP(sizeof(*m.conf)) };
	struct conf *c;

	if (out.size > UINT32_MAX)
		return (struct conf_image){ 0 };
	m.conf = out.conf = c = xcalloc(1, out.size);
	memcpy(c, &p->f.conf, sizeof(*c));
	c->magic = CONF_MAGIC;
	c->size = (uint32_t)out.size;
#define X(name, row) c->name = place(&m, &p->name, sizeof(struct row));
	CONF_LISTS(X)
#undef X
#define X(name, row)                                                           \
	struct conf_span at_##name = place(&m, &p->name, sizeof(struct row));
	CONF_INNER_LISTS(X)
#undef X
	c->pool = place(&m, &p->pool, 1);
#define X(list, row, field, inner, inner_row)                                  \
	point(c, c->list, sizeof(struct row), offsetof(struct row, field),     \
	    at_##inner, sizeof(struct inner_row));
	INNERS(X)
#undef X
	return out;
}

/* ---- without tables and secrets ---- */

/* No two texts that are wiped share their bytes with any other, so what is
 * wiped was only this. */
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
	struct conf *c;
	uint32_t i;

	*out = (struct conf_image){ malloc(in->size), in->size };
	if ((c = out->conf) == NULL) {
		errno = ENOMEM;
		out->size = 0;
		return -1;
	}
	memcpy(c, in->conf, in->size);
	t = (struct conf_table *)(void *)((char *)c + c->table.off);
	for (i = 0; i < c->table.n; i++)
		wipe_table(c, &t[i]);
	wipe(c, &c->queue_key);
	wipe(c, &c->srs_key);
	wipe(c, &c->srs_key_backup);
	return 0;
}

void
conf_image_free(struct conf_image *image)
{
	free(image->conf);
	*image = (struct conf_image){ 0 };
}
