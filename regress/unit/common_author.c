/*
 * common/author.c: domains of From fields, and who is the author.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include "author.h"

/* ---- domains, one after the other ---- */

static const struct {
	const char *value, *found; /* each with a blank in front */
} domains[] = {
	{ " a@Example.org\r\n", " example.org" },
	{ " A <a@example.org>", " example.org" },
	{ " <a@example.org>\r\n", " example.org" },
	{ " \"b@evil.example\" <a@example.org>", " example.org" },
	{ " \"x, y\" <a@example.org>, c@example.net",
	    " example.org example.net" },
	{ " b@evil.example <a@example.org>", " example.org" },
	{ " a@example.org (b@evil.example)", " example.org" },
	{ " (c (nested \\) b@x) d) a@example.org", " example.org" },
	{ " a@(comment)example.org", " example.org" },
	{ " a@example . org", " example.org" },
	{ " a@example.org evil", "" },
	{ " \"a@b\"@example.org", " example.org" },
	{ " \"a\\\"@b\"@example.org", " example.org" },
	{ " group: a@example.org, b@example.net;, c@x.example",
	    " example.org example.net x.example" },
	{ " undisclosed:;", "" },
	{ " <@r.example,@s.example:a@example.org>", " example.org" },
	{ " a@[192.0.2.1]", "" },
	{ " =?utf-8?q?J=C3=B6rg?= <j@example.org>", " example.org" },
	{ " Foo\r\n <a@example.org>\r\n", " example.org" },
	{ " a@example.org,", " example.org" },
	{ " ,,a@example.org", " example.org" },
	{ " a", "" },
	{ " a@", "" },
	{ " <a@example.org", "" },
	{ " \"unclosed a@example.org", "" },
	{ " (unclosed a@example.org", "" },
	{ " <a@example.org> b@evil.example", " example.org" },
	{ " a@\"example.org\"", "" },
	{ "", "" },
};

static void
test_domains(void)
{
	char domain[DOMAIN_MAX + 1], name[32];
	struct slice rest;
	struct buf out;
	size_t i, cut, len;

	for (i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
		len = strlen(domains[i].value);
		for (cut = 0; cut <= len; cut++) {
			buf_init(&out, 0);
			rest.p = unit_guard(domains[i].value, cut);
			rest.len = cut;
			while (author_next(&rest, domain))
				buf_printf(&out, " %s", domain);
			snprintf(name, sizeof(name), "domains %zu", i);
			if (cut == len)
				CHECK(name,
				    out.len == strlen(domains[i].found) &&
					memcmp(buf_data(&out), domains[i].found,
					    out.len) == 0);
			buf_free(&out);
		}
	}
}

static void
test_long_domain(void)
{
	char value[DOMAIN_MAX + 64], domain[DOMAIN_MAX + 1];
	struct slice rest;

	memset(value, 'a', sizeof(value));
	value[1] = '@';
	rest.p = unit_guard(value, DOMAIN_MAX + 2);
	rest.len = DOMAIN_MAX + 2;
	CHECK("author: 255 bytes",
	    author_next(&rest, domain) && strlen(domain) == DOMAIN_MAX);
	rest.p = unit_guard(value, DOMAIN_MAX + 3);
	rest.len = DOMAIN_MAX + 3;
	CHECK("author: 256 bytes", !author_next(&rest, domain));
}

/* ---- the author ---- */

/* Columns: case; fields of the header section; what they say. */
static const struct {
	const char *name;
	const char *field[4];
	enum author_is is;
	unsigned int fields;
	const char *domain;
} authors[] = {
	{ "no field", { NULL }, AUTHOR_NONE, 0, "" },
	{ "another field", { "X-From: a@example.org" }, AUTHOR_NONE, 0, "" },
	{ "one", { "From: a@example.org" }, AUTHOR_ONE, 1, "example.org" },
	{ "upper case", { "FROM: A <a@EXAMPLE.Org>" }, AUTHOR_ONE, 1,
	    "example.org" },
	{ "two fields", { "From: a@example.org", "From: a@example.org" },
	    AUTHOR_MANY, 2, "" },
	{ "two fields, an empty one", { "From:", "from: a@example.org" },
	    AUTHOR_MANY, 2, "" },
	{ "three fields", { "From: a@b.example", "To: x", "From:", "From:" },
	    AUTHOR_MANY, 3, "" },
	{ "empty", { "From:" }, AUTHOR_NONE, 1, "" },
	{ "a name alone", { "From: root" }, AUTHOR_NONE, 1, "" },
	{ "null", { "From: <>" }, AUTHOR_NONE, 1, "" },
	{ "several of one domain", { "From: a@example.org, B <b@Example.ORG>" },
	    AUTHOR_ONE, 1, "example.org" },
	{ "several domains", { "From: a@example.org, b@example.net" },
	    AUTHOR_MANY, 1, "" },
	{ "below one another", { "From: a@example.org, b@x.example.org" },
	    AUTHOR_MANY, 1, "" },
	{ "a group", { "From: Us: a@example.org, b@example.org;" }, AUTHOR_ONE,
	    1, "example.org" },
	{ "a group of several", { "From: Us: a@a.example;, b@b.example" },
	    AUTHOR_MANY, 1, "" },
	{ "an empty group", { "From: undisclosed-recipients:;" }, AUTHOR_NONE,
	    1, "" },
	{ "a comma in a name", { "From: Doe, John <j@example.org>" },
	    AUTHOR_ONE, 1, "example.org" },
	{ "an address as a name", { "From: ceo@bank.example <x@evil.example>" },
	    AUTHOR_ONE, 1, "evil.example" },
	{ "quoted", { "From: \"ceo@bank.example\" <x@evil.example>" },
	    AUTHOR_ONE, 1, "evil.example" },
	{ "a comment", { "From: x@evil.example (ceo@bank.example)" },
	    AUTHOR_ONE, 1, "evil.example" },
	{ "folded", { "From: A\r\n\t<a@\r\n example.org>" }, AUTHOR_ONE, 1,
	    "example.org" },
	{ "an address behind it", { "From: <x@evil.example> ceo@bank.example" },
	    AUTHOR_MANY, 1, "" },
	{ "two in angles", { "From: <x@evil.example> <ceo@bank.example>" },
	    AUTHOR_NONE, 1, "" },
	{ "two in angles, and one",
	    { "From: <x@a.example> <y@b.example>, z@c.example" }, AUTHOR_MANY,
	    1, "" },
	{ "two signs", { "From: a@evil.example@bank.example" }, AUTHOR_MANY, 1,
	    "" },
	{ "a route", { "From: <@a.example,@b.example:x@example.org>" },
	    AUTHOR_ONE, 1, "example.org" },
	{ "an address as a group",
	    { "From: ceo@bank.example x: y@evil.example" }, AUTHOR_MANY, 1,
	    "" },
	{ "an address as a group, closed",
	    { "From: ceo@bank.example: y@evil.example;" }, AUTHOR_MANY, 1, "" },
	{ "an address in a route",
	    { "From: <ceo@bank.example:y@evil.example>" }, AUTHOR_MANY, 1, "" },
	{ "a quoted one in a route",
	    { "From: <\"ceo\"@bank.example:y@evil.example>" }, AUTHOR_MANY, 1,
	    "" },
	{ "two signs side by side", { "From: a@@bank.example" }, AUTHOR_MANY, 1,
	    "" },
	{ "a field within it",
	    { "From: ceo@bank.example\rFrom: y@evil.example" }, AUTHOR_MANY, 1,
	    "" },
	{ "a literal", { "From: a@[192.0.2.1]" }, AUTHOR_NONE, 1, "" },
	{ "a literal and one", { "From: a@[192.0.2.1], b@example.org" },
	    AUTHOR_MANY, 1, "" },
	{ "not closed and one", { "From: b@example.org, <a@bank.example" },
	    AUTHOR_MANY, 1, "" },
	{ "the root's dot", { "From: a@example.org." }, AUTHOR_ONE, 1,
	    "example.org" },
	{ "two dots", { "From: a@example..org" }, AUTHOR_NONE, 1, "" },
	{ "a dot alone", { "From: a@." }, AUTHOR_NONE, 1, "" },
	{ "no name and one", { "From: a@b!c, d@example.org" }, AUTHOR_MANY, 1,
	    "" },
	{ "an underscore", { "From: a@my_host.example.org" }, AUTHOR_ONE, 1,
	    "my_host.example.org" },
	{ "one label", { "From: root@localhost" }, AUTHOR_ONE, 1, "localhost" },
	{ "UTF-8",
	    { "From: \xc3\xa4@B\xc3\x9c"
	      "cher.example" },
	    AUTHOR_ONE, 1, "xn--bcher-kva.example" },
	{ "UTF-8 and A-labels",
	    { "From: a@b\xc3\xbc"
	      "cher.example, b@XN--bcher-kva.example" },
	    AUTHOR_ONE, 1, "xn--bcher-kva.example" },
	{ "8-bit",
	    { "From: a@b\xfc"
	      "cher.example" },
	    AUTHOR_NONE, 1, "" },
	{ "8-bit and one",
	    { "From: a@b\xfc"
	      "cher.example, b@example.org" },
	    AUTHOR_MANY, 1, "" },
	{ "8-bit name", { "From: J\xf6rg <j@example.org>" }, AUTHOR_ONE, 1,
	    "example.org" },
	{ "a wide at",
	    { "From: a@evil\xef\xbc\xa0"
	      "bank.example" },
	    AUTHOR_NONE, 1, "" },
	{ "64 characters",
	    { "From: a@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example" },
	    AUTHOR_NONE, 1, "" },
};

static struct slice
guarded(const char *p, size_t len)
{
	return (struct slice){ unit_guard(p, len), len };
}

static void
test_authors(void)
{
	char domain[DOMAIN_MAX + 1];
	struct mail_field field[4];
	struct mail_read m;
	unsigned int fields;
	const char *text, *colon;
	size_t i;

	for (i = 0; i < sizeof(authors) / sizeof(authors[0]); i++) {
		memset(&m, 0, sizeof(m));
		memset(domain, 'x', sizeof(domain));
		m.field = field;
		for (; m.n_field < 4; m.n_field++) {
			if ((text = authors[i].field[m.n_field]) == NULL)
				break;
			colon = strchr(text, ':');
			field[m.n_field].all = slice_of(text);
			field[m.n_field].name =
			    guarded(text, (size_t)(colon - text));
			field[m.n_field].value =
			    guarded(colon + 1, strlen(colon + 1));
		}
		CHECK(authors[i].name,
		    author_find(&m, &fields, domain) == authors[i].is &&
			fields == authors[i].fields &&
			strcmp(domain, authors[i].domain) == 0);
	}
}

static void
test_nul(void)
{
	static const char value[] = " a@example\0.org, b@example.org";
	char domain[DOMAIN_MAX + 1];
	struct mail_field field;
	struct mail_read m;
	unsigned int fields;

	memset(&m, 0, sizeof(m));
	m.field = &field;
	m.n_field = 1;
	field.name = SLICE("From");
	field.value = guarded(value, 14);
	CHECK("author: NUL",
	    author_find(&m, &fields, domain) == AUTHOR_NONE && fields == 1);
	field.value = guarded(value, sizeof(value) - 1);
	CHECK("author: NUL, and one",
	    author_find(&m, &fields, domain) == AUTHOR_MANY &&
		domain[0] == '\0');
}

int
main(void)
{
	test_domains();
	test_long_domain();
	test_authors();
	test_nul();
	return unit_end();
}
