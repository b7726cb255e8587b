/*
 * conf_map(): of an image that it takes, every row and text is inside.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "conf.h"

/* Columns: span, size of its rows. */
static const struct {
	size_t off, row;
} spans[] = {
#define X(span) { offsetof(struct conf, span), sizeof(struct conf_##span) },
	X(table) X(pki) X(ca) X(proc) X(filter) X(listen) X(wrapper) X(action)
	    X(match) X(dkim) X(retry) X(limit) X(other) X(tls) X(token)
#undef X
		{ offsetof(struct conf, local_addr),
		    sizeof(struct conf_entry) },
	{ offsetof(struct conf, pool), 1 },
};

static bool
is_inside(const struct conf *c, const void *p, size_t len)
{
	const char *start = (const char *)c, *at = p;

	return at >= start && at <= start + c->size &&
	    len <= (size_t)(start + c->size - at);
}

static void
must_be_inside(const struct conf *c, struct conf_span span, size_t row)
{
	uint32_t i;

	for (i = 0; i < span.n; i++)
		MUST(is_inside(c, conf_row(c, span, i, row), row));
}

static void
must_be_match(const struct conf *c, const struct conf_match *m)
{
	const struct conf_cond *cond;
	uint32_t i;

	MUST(m->action == CONF_NONE || m->action < c->action.n);
	must_be_inside(c, m->cond, sizeof(struct conf_cond));
	for (i = 0; i < m->cond.n; i++) {
		cond = CONF_COND(c, m->cond, i);
		MUST(cond->table == CONF_NONE || cond->table < c->table.n);
	}
}

static void
must_be_conf(const struct conf *c, conf_str any)
{
	const char *text = conf_text(c, any);
	struct conf_span span;
	uint32_t i;

	MUST(is_inside(c, text, 1) && is_inside(c, text, strlen(text) + 1));
	for (i = 0; i < sizeof spans / sizeof spans[0]; i++) {
		memcpy(&span, (const char *)c + spans[i].off, sizeof span);
		must_be_inside(c, span, spans[i].row);
	}
	for (i = 0; i < c->table.n; i++)
		must_be_inside(c, CONF_TABLE(c, i)->entries,
		    sizeof(struct conf_entry));
	for (i = 0; i < c->retry.n; i++)
		must_be_inside(c, CONF_RETRY(c, i)->step,
		    sizeof(struct conf_step));
	for (i = 0; i < c->limit.n; i++)
		must_be_inside(c, CONF_LIMIT(c, i)->mx,
		    sizeof(struct conf_entry));
	for (i = 0; i < c->tls.n; i++) {
		must_be_inside(c, CONF_TLS(c, i)->domain,
		    sizeof(struct conf_entry));
		must_be_inside(c, CONF_TLS(c, i)->name,
		    sizeof(struct conf_entry));
	}
	for (i = 0; i < c->match.n; i++)
		must_be_match(c, CONF_MATCH(c, i));
}

/* in: a text, then what stands from the first span on. */
int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len };
	size_t front = offsetof(struct conf, table), size;
	conf_str any = fuzz_byte(&all);
	const struct conf *c;
	struct conf *image;

	size = front + all.len < sizeof *c ? sizeof *c : front + all.len;
	image = calloc(1, size);
	image->magic = CONF_MAGIC;
	image->size = (uint32_t)size;
	memcpy((char *)image + front, all.p, all.len);
	if ((c = conf_map(conf_seal(image, size))) != NULL) {
		must_be_conf(c, any);
		munmap((void *)(uintptr_t)c, size);
	}
	free(image);
	return 0;
}
