/*
 * mail_read.c, dkim_verify.c, dkim_check.c: what is found of a message is the
 * same however it is cut, fields are within it, each result has its reason, and
 * nothing is asked for or passes where the header cannot be read.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "dkim_world.h"

/* The keys of the examples, and some for what the input may say. */
static const struct world_key keys[] = {
	{ "brisbane._domainkey.example.com", "v=DKIM1; p=" RFC6376_RSA },
	{ "brisbane._domainkey.football.example.com",
	    "v=DKIM1; k=ed25519; p=" RFC8463_ED25519 },
	{ "test._domainkey.football.example.com",
	    "v=DKIM1; k=rsa; t=y:s; p=" RFC8463_RSA },
	{ "later._domainkey.example.com", NULL },
	{ "none._domainkey.example.com", "p=" },
	{ NULL, NULL },
};

static void
must_be_sound(const struct world *w)
{
	const struct slice header = { (const char *)buf_data(&w->m.header),
		w->m.header.len };
	unsigned int i;
	uint32_t row;

	for (row = 0; row < w->m.n_field; row++) {
		const struct mail_field *f = &w->m.field[row];

		MUST(f->all.p >= header.p &&
		    f->all.p + f->all.len <= header.p + header.len);
		MUST(f->name.p == f->all.p && f->name.len > 0);
		MUST(f->value.p + f->value.len == f->all.p + f->all.len);
		MUST(mail_read_below(&w->m, f->name, (int)row - 1) == (int)row);
		MUST(mail_read_above(&w->m, f->name, (int)row + 1) == (int)row);
	}
	MUST(w->v.n <= DKIM_SHOWN && w->asked <= DKIM_VERIFY_MAX);
	for (i = 0; i < w->v.n; i++) {
		const struct dkim_check *c = &w->v.check[i];

		MUST(c->result >= RES_NEUTRAL && c->result < RES_RESULTS);
		MUST(c->result == RES_PASS || c->why != NULL);
		MUST(c->result != RES_PASS ||
		    (c->domain[0] != '\0' && c->key.pkey != NULL));
		MUST(!c->unasked && strlen(c->b) <= 8);
	}
	if (w->m.why != NULL || w->m.malformed != NULL)
		MUST(w->asked == 0 && dkim_verify_result(&w->v) != RES_PASS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct world one = { .now = 1600000000, .max = 3000 };
	struct world two = one;
	struct slice all = { (const char *)in, len };
	unsigned int i;

	two.step = 1 + fuzz_byte(&all) % 64;
	world_verify(&one, keys, all.p, all.len);
	must_be_sound(&one);
	world_verify(&two, keys, all.p, all.len);
	must_be_sound(&two);
	MUST(one.v.n == two.v.n && one.m.n_field == two.m.n_field);
	for (i = 0; i < one.v.n; i++)
		MUST(one.v.check[i].result == two.v.check[i].result &&
		    one.v.check[i].why == two.v.check[i].why);
	world_free(&one);
	world_free(&two);
	return 0;
}
