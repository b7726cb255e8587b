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
	{ offsetof(struct conf, listen), sizeof(struct conf_listen) },
	{ offsetof(struct conf, table), sizeof(struct conf_table) },
	{ offsetof(struct conf, action), sizeof(struct conf_action) },
	{ offsetof(struct conf, match), sizeof(struct conf_match) },
	{ offsetof(struct conf, dkim), sizeof(struct conf_dkim) },
	{ offsetof(struct conf, retry), sizeof(struct conf_retry) },
	{ offsetof(struct conf, local_addr), sizeof(struct conf_entry) },
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
	for (i = 0; i < c->match.n; i++) {
		const struct conf_match *m = CONF_MATCH(c, i);

		MUST(m->action == CONF_NONE || m->action < c->action.n);
		MUST(m->for_table == CONF_NONE || m->for_table < c->table.n);
	}
}

/* in: a text, then what stands from the first span on. */
int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len };
	size_t front = offsetof(struct conf, listen), size;
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
