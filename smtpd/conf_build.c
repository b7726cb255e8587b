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
	X(limit, conf_limit, mx, entry, conf_entry)                            \
	X(tls, conf_tls, domain, entry, conf_entry)                            \
	X(tls, conf_tls, name, entry, conf_entry)                              \
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

/* ---- parts of it ---- */

/* No two texts that are wiped share their bytes with any other, so what is
 * wiped was only this. */
static void
wipe(struct conf *c, conf_str *s)
{
	char *text = (char *)c + c->pool.off + *s;

	memset(text, 0, strlen(text));
	*s = 0;
}

static void *
rows_at(struct conf *c, struct conf_span span)
{
	return (char *)c + span.off;
}

/* What is in the tables, and what nobody but lookup needs. */
static void
wipe_secrets(struct conf *c)
{
	struct conf_table *t = rows_at(c, c->table);
	struct conf_entry *e;
	uint32_t i, j;

	for (i = 0; i < c->table.n; i++) {
		e = rows_at(c, t[i].entries);
		for (j = 0; j < t[i].entries.n; j++) {
			wipe(c, &e[j].key);
			wipe(c, &e[j].value);
		}
		t[i].entries = (struct conf_span){ 0, 0 };
	}
	wipe(c, &c->queue_key);
	wipe(c, &c->srs_key);
	wipe(c, &c->srs_key_backup);
}

/* What tables and tokens come from: some command lines have passwords. */
static void
wipe_sources(struct conf *c)
{
	struct conf_table *t = rows_at(c, c->table);
	struct conf_token *token = rows_at(c, c->token);
	uint32_t i;

	for (i = 0; i < c->table.n; i++)
		wipe(c, &t[i].path);
	for (i = 0; i < c->token.n; i++) {
		wipe(c, &token[i].file);
		wipe(c, &token[i].command);
	}
}

int
conf_image_part(const struct conf_image *in, enum conf_part part,
    struct conf_image *out)
{
	*out =
	    (struct conf_image){ .conf = malloc(in->size), .size = in->size };
	if (out->conf == NULL) {
		errno = ENOMEM;
		out->size = 0;
		return -1;
	}
	memcpy(out->conf, in->conf, in->size);
	if (part < CONF_WHOLE)
		wipe_secrets(out->conf);
	if (part < CONF_SOURCES)
		wipe_sources(out->conf);
	return 0;
}

void
conf_image_free(struct conf_image *image)
{
	conf_wipe(image->conf, image->size);
	free(image->conf);
	conf_errors_free(&image->warnings);
	*image = (struct conf_image){ 0 };
}
