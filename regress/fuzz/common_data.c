/*
 * smtp_data_in(), smtp_stuff_out(): content is the same however it is cut,
 * CRLF.CRLF alone ends it, what comes out has whole lines, and what was
 * stuffed is read back.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "smtp_line.h"

#define MAX_LINE   64
#define MAX_HEADER 128

struct content {
	struct smtp_data d;
	uint8_t *p;
	size_t len, used;
};

/* step: bytes at once.  To be freed: p. */
static struct content
read_content(const uint8_t *in, size_t len, size_t step)
{
	struct content c = { .p = malloc(2 * len + 4) };
	size_t piece, n;
	uint8_t *front;

	smtp_data_init(&c.d, FORM_DOTS, MAX_LINE, MAX_HEADER);
	while (c.used < len && !c.d.done) {
		piece = len - c.used < step ? len - c.used : step;
		front = malloc(2 * piece + 4);
		n = 0;
		piece = smtp_data_in(&c.d, in + c.used, piece, front, &n);
		MUST(c.len + n <= 2 * len + 4 && (piece > 0 || c.d.done));
		memcpy(c.p + c.len, front, n);
		free(front);
		c.len += n;
		c.used += piece;
	}
	MUST(c.d.size == c.len);
	return c;
}

static void
must_be_same(const struct content *a, const struct content *b)
{
	MUST(a->len == b->len && memcmp(a->p, b->p, a->len) == 0);
	MUST(a->used == b->used && a->d.done == b->d.done);
	MUST(a->d.seen == b->d.seen && a->d.content == b->d.content);
	MUST(a->d.hops == b->d.hops && a->d.header == b->d.header);
}

/* RFC 5321 4.1.1.4, said in another way. */
static void
must_end_right(const uint8_t *in, size_t len, const struct content *c)
{
	uint8_t *all = malloc(len + 2), *end;

	memcpy(all, "\r\n", 2);
	memcpy(all + 2, in, len);
	end = memmem(all, len + 2, "\r\n.\r\n", 5);
	MUST(c->d.done == (end != NULL));
	if (end != NULL)
		MUST(c->used == (size_t)(end - all) + 3);
	free(all);
}

static void
must_have_whole_lines(const struct content *c)
{
	size_t i;

	for (i = 0; i < c->len; i++) {
		if (c->p[i] == '\r')
			MUST(i + 1 < c->len && c->p[i + 1] == '\n');
		if (c->p[i] == '\n')
			MUST(i > 0 && c->p[i - 1] == '\r');
	}
}

static void
must_come_back(const struct content *c, size_t step)
{
	uint8_t *wire = malloc(2 * c->len + 5);
	struct smtp_stuff s = { 0 };
	size_t i, n = 0, piece;
	struct content back;
	bool whole;

	for (i = 0; i < c->len; i += piece) {
		piece = c->len - i < step ? c->len - i : step;
		n += smtp_stuff_out(&s, c->p + i, piece, wire + n);
		MUST(n <= 2 * (i + piece));
	}
	n += smtp_stuff_end(&s, wire + n);
	back = read_content(wire, n, n);
	whole = c->len == 0 || c->p[c->len - 1] == '\n';
	MUST(back.d.done && back.used == n);
	MUST(back.len == c->len + (whole ? 0 : 2));
	MUST(memcmp(back.p, c->p, c->len) == 0);
	MUST((back.d.seen & (DATA_BARE_CR | DATA_BARE_LF)) == 0);
	free(back.p);
	free(wire);
}

/* By BDAT: nothing ends it, dots stay, and what is binary stays as it is. */
static void
must_be_chunks(const uint8_t *in, size_t len, size_t step, enum smtp_form form)
{
	struct smtp_data whole, cut;
	uint8_t *one = malloc(2 * len + 8), *two = malloc(2 * len + 8);
	size_t i, n, made, n_one = 0, n_two = 0;

	smtp_data_init(&whole, form, MAX_LINE, MAX_HEADER);
	MUST(smtp_data_in(&whole, in, len, one, &n_one) == len);
	n_one += smtp_data_end(&whole, one + n_one);
	smtp_data_init(&cut, form, MAX_LINE, MAX_HEADER);
	for (i = 0; i < len; i += n) {
		n = len - i < step ? len - i : step;
		MUST(smtp_data_in(&cut, in + i, n, two + n_two, &made) == n);
		n_two += made;
	}
	n_two += smtp_data_end(&cut, two + n_two);
	MUST(n_one == n_two && memcmp(one, two, n_one) == 0);
	MUST(whole.seen == cut.seen && whole.content == cut.content);
	MUST(whole.size == n_one && whole.hops == cut.hops);
	if (form == FORM_BINARY) {
		MUST(n_one == len && memcmp(one, in, len) == 0);
		MUST((whole.seen & ~(uint32_t)DATA_BIG_HEADER) == 0);
	}
	free(one);
	free(two);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct content whole, cut;
	size_t step;

	if (len < 2)
		return 0;
	step = 1 + in[0] % 16;
	whole = read_content(in + 1, len - 1, len - 1);
	cut = read_content(in + 1, len - 1, step);
	must_be_same(&whole, &cut);
	must_end_right(in + 1, len - 1, &whole);
	must_have_whole_lines(&whole);
	must_come_back(&whole, step);
	must_be_chunks(in + 1, len - 1, step, FORM_TEXT);
	must_be_chunks(in + 1, len - 1, step, FORM_BINARY);
	free(whole.p);
	free(cut.p);
	return 0;
}
