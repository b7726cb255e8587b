/*
 * Domains of any script in the form of DNS.
 *
 * SPDX-License-Identifier: ISC
 */
#include "idn.h"
#include "unit.h"

/* Columns: in, out (empty: refused). */
static const struct {
	const char *in, *out;
} rows[] = {
	{ "example.org", "example.org" },
	{ "EXAMPLE.Org", "example.org" },
	{ "b\xc3\xbc"
	  "cher.example",
	    "xn--bcher-kva.example" },
	{ "B\xc3\x9c"
	  "CHER.example",
	    "xn--bcher-kva.example" },
	{ "bu\xcc\x88"
	  "cher.example",
	    "xn--bcher-kva.example" },
	/* IDEOGRAPHIC FULL STOP ends a label: UTS 46. */
	{ "a\xe3\x80\x82"
	  "b",
	    "a.b" },
	/* ASCII is left as it is, whoever judges it. */
	{ "XN--BCHER-KVA.example", "xn--bcher-kva.example" },
	{ "under_score", "under_score" },
	{ "*", "*" },
	{ "\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88",
	    "xn--r8jz45g.xn--zckzah" },
	{ "", "" },
	/* Cut short, wrong, or not a letter. */
	{ "b\xc3", "" },
	{ "\xff\xfe", "" },
	{ "a\xe2\x80\x8b"
	  "b c\xc3\xbc",
	    "" },
	/* Wide forms of what no name has: they would be that itself, in a place
	 * where nobody looks again, such as a command of SMTP. */
	{ "a\xef\xbc\x9e"
	  "b.org",
	    "" },
	{ "a\xe3\x80\x80"
	  "b.org",
	    "" },
	{ "a\xef\xbc\xa0"
	  "b.org",
	    "" },
	{ "a\xef\xbc\x9a"
	  "b.org",
	    "" },
	{ "a\xe2\x81\x87.org", "" },
	{ "*.b\xc3\xbc"
	  "cher.example",
	    "*.xn--bcher-kva.example" },
	/* Whether a label may be empty is for smtp_domain_check(). */
	{ "\xc3\xbc..org", "xn--tda..org" },
};

static void
test_rows(void)
{
	char out[DOMAIN_MAX + 1], name[80];
	const char *why;
	size_t i, len;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		len = strlen(rows[i].in);
		memset(out, 'x', sizeof(out));
		why = idn_domain((struct slice){ unit_guard(rows[i].in, len),
				     len },
		    out);
		snprintf(name, sizeof(name), "idn %zu: %s", i, rows[i].in);
		CHECK(name,
		    strcmp(out, rows[i].out) == 0 &&
			(why != NULL) == (rows[i].out[0] == '\0'));
	}
}

static void
test_long(void)
{
	char in[2000], out[DOMAIN_MAX + 1];
	size_t n;

	memset(in, 'a', sizeof(in));
	CHECK("255 bytes are a domain",
	    idn_domain((struct slice){ in, DOMAIN_MAX }, out) == NULL &&
		strlen(out) == DOMAIN_MAX);
	CHECK("256 bytes are none",
	    idn_domain((struct slice){ in, DOMAIN_MAX + 1 }, out) != NULL &&
		out[0] == '\0');
	for (n = 0; n + 2 <= sizeof(in); n += 2)
		memcpy(in + n, "\xc3\xbc", 2);
	CHECK("a label of a thousand letters is none",
	    idn_domain((struct slice){ in, sizeof(in) }, out) != NULL &&
		out[0] == '\0');
	CHECK("a NUL is in none",
	    idn_domain((struct slice){ "a\0b", 3 }, out) != NULL &&
		out[0] == '\0');
}

int
main(void)
{
	test_rows();
	test_long();
	return unit_end();
}
