/*
 * common/auth_field.c and auth_field_read.c: what others wrote is read within
 * bounds; whatever is said, a field comes out that is one field, in which as
 * many results are read as were written.
 *
 * SPDX-License-Identifier: ISC
 */
#include "fuzz.h"

#include "auth_field.h"

/* A chain, as far as the field asks for it. */
struct arc {
	struct arc_is is;
};

const struct arc_is *
arc_result(const struct arc *a)
{
	return &a->is;
}

/* The next line of the input, as a text of at most size - 1 bytes. */
static const char *
take_text(struct slice *in, char *out, size_t size)
{
	const char *end = memchr(in->p, '\0', in->len);
	size_t n = end == NULL ? in->len : (size_t)(end - in->p);
	struct slice text = { in->p, n < size - 1 ? n : size - 1 };

	slice_copy(text, out, size);
	in->p += n + (end != NULL);
	in->len -= n + (end != NULL);
	return out;
}

static enum auth_result
take_any(struct slice *in)
{
	return RES_NONE + fuzz_byte(in) % (RES_RESULTS - RES_NONE);
}

static void
must_be_field(const struct buf *b, const char *name)
{
	const char *p = (const char *)buf_data(b), *end = p + b->len;
	size_t line = 0;

	MUST(b->len <= AUTH_FIELD_MAX && b->len > strlen(name) + 2);
	MUST(memcmp(p, name, strlen(name)) == 0);
	MUST(memcmp(end - 2, "\r\n", 2) == 0);
	for (end -= 2; p < end; p++) {
		if (*p == '\r') {
			MUST(end - p > 3 && p[1] == '\n' && p[2] == '\t');
			MUST(p[3] != ' ' && p[3] != '\t' && p[3] != '\r');
			p += 2;
			line = 0;
		}
		MUST(*p == '\t' || ((unsigned char)*p >= ' ' && *p != 127));
		MUST(++line < 998);
	}
}

/* Everything that is said is a text of the input. */
static void
print(struct slice in)
{
	static struct spf_answer mail, helo;
	static struct dkim_check check[4];
	static struct dmarc_answer dmarc;
	static char text[6][1024];
	struct dkim_verify dkim = { .check = check };
	struct arc arc;
	struct auth_say s = { .mail = &mail,
		.helo = &helo,
		.dkim = &dkim,
		.arc = &arc,
		.dmarc = &dmarc };
	struct slice value, rest;
	struct auth_entry e;
	char id[DOMAIN_MAX + 1];
	unsigned int n = 0;
	struct buf out;

	mail.result = take_any(&in);
	helo.result = take_any(&in);
	arc.is =
	    (struct arc_is){ .result = take_any(&in), .sets = fuzz_byte(&in) };
	dmarc.result = take_any(&in);
	dmarc.policy = fuzz_byte(&in) % (DMARC_P_REJECT + 1);
	dkim.n = fuzz_byte(&in) % 5;
	s.authserv = take_text(&in, text[0], DOMAIN_MAX);
	s.client = take_text(&in, text[1], sizeof text[1]);
	s.helo_name = take_text(&in, text[2], sizeof text[2]);
	s.sender = take_text(&in, text[3], sizeof text[3]);
	s.author = take_text(&in, text[4], sizeof text[4]);
	s.applied = take_text(&in, text[5], sizeof text[5]);
	take_text(&in, mail.why, sizeof mail.why);
	take_text(&in, mail.mechanism, sizeof mail.mechanism);
	take_text(&in, dmarc.why, sizeof dmarc.why);
	for (n = 0; n < dkim.n; n++) {
		check[n].result = take_any(&in);
		take_text(&in, check[n].domain, sizeof check[n].domain);
		take_text(&in, check[n].selector, sizeof check[n].selector);
		take_text(&in, check[n].identity, sizeof check[n].identity);
		take_text(&in, check[n].b, sizeof check[n].b);
	}
	buf_init(&out, 0);
	MUST(auth_field_spf(&out, &s));
	must_be_field(&out, "Received-SPF:");
	buf_drain(&out, out.len);
	MUST(auth_field_print(&out, &s));
	must_be_field(&out, "Authentication-Results:");
	value.p = memchr(buf_data(&out), ':', out.len);
	value.p++;
	value.len = out.len - (size_t)(value.p - (const char *)buf_data(&out));
	auth_field_id(value, id);
	n = 0;
	for (rest = auth_field_rest(value); auth_field_next(&rest, &e); n++)
		MUST(auth_result_of(e.result) != RES_RESULTS);
	MUST(n == 1U + (s.sender[0] != '\0') + (dkim.n > 0 ? dkim.n : 1) + 2);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	struct slice all = { (const char *)in, len }, rest, was;
	char id[DOMAIN_MAX + 1];
	struct auth_entry e;
	size_t before;

	MUST(auth_field_id(all, id).len <= DOMAIN_MAX);
	MUST(auth_field_id_loose(all, id).len <= DOMAIN_MAX);
	rest = was = auth_field_rest(all);
	while (before = rest.len, auth_field_next(&rest, &e)) {
		MUST(rest.len < before);
		MUST(e.n_prop <= AUTH_PROPS_MAX && e.method[0] != '\0' &&
		    e.result[0] != '\0');
		MUST(strlen(e.method) < sizeof e.method);
	}
	MUST(was.len <= all.len);
	print(all);
	return 0;
}
