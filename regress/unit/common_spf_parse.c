/*
 * Records of SPF: which texts are some, every term of the grammar (RFC 7208
 * 12), and every way to get it wrong.
 *
 * SPDX-License-Identifier: ISC
 */
#include <arpa/inet.h>

#include <stdio.h>

#include "spf_parse.h"
#include "unit.h"

static struct slice
guarded(const char *text)
{
	return (struct slice){ unit_guard(text, strlen(text)), strlen(text) };
}

/* A name of a case, whatever it is made of. */
static const char *
printable(char *name)
{
	char *p;

	for (p = name; *p != '\0'; p++) {
		if (*p < ' ' || *p > '~')
			*p = '?';
	}
	return name;
}

/* ---- which texts are records (RFC 7208 4.5) ---- */

static const struct {
	const char *text;
	int is;
} texts[] = {
	{ "v=spf1", 1 },
	{ "v=spf1 ", 1 },
	{ "v=spf1 -all", 1 },
	{ "V=SPF1 -all", 1 },
	{ "v=SpF1", 1 },
	{ "", 0 },
	{ "v", 0 },
	{ "v=spf", 0 },
	{ "v=spf10", 0 },
	{ "v=spf1-all", 0 },
	{ "v=spf1\t-all", 0 },
	{ "v=spf1\n", 0 },
	{ " v=spf1 -all", 0 },
	{ "v =spf1 -all", 0 },
	{ "v=spf2.0/mfrom -all", 0 },
	{ "spf1 -all", 0 },
	{ "\xef\xbb\xbfv=spf1 -all", 0 },
};

static void
test_texts(void)
{
	struct slice terms;
	char name[80];
	size_t i;

	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		snprintf(name, sizeof name, "is a record: '%s'", texts[i].text);
		CHECK(printable(name),
		    spf_is_record(guarded(texts[i].text), &terms) ==
			texts[i].is);
	}
	CHECK("a NUL behind the version is none",
	    !spf_is_record((struct slice){ "v=spf1\0 -all", 12 }, &terms));
}

/* ---- terms ---- */

/* Columns: term, kind, result, its domain ("": none), lengths, address. */
static const struct {
	const char *text;
	enum spf_kind kind;
	enum auth_result result;
	const char *domain;
	unsigned int bits4, bits6;
	const char *ip;
} good[] = {
	{ "all", SPF_ALL, RES_PASS, "", 32, 128, NULL },
	{ "+all", SPF_ALL, RES_PASS, "", 32, 128, NULL },
	{ "-all", SPF_ALL, RES_FAIL, "", 32, 128, NULL },
	{ "~all", SPF_ALL, RES_SOFTFAIL, "", 32, 128, NULL },
	{ "?ALL", SPF_ALL, RES_NEUTRAL, "", 32, 128, NULL },
	{ "include:e.com", SPF_INCLUDE, RES_PASS, "e.com", 32, 128, NULL },
	{ "?InClude:%{d}", SPF_INCLUDE, RES_NEUTRAL, "%{d}", 32, 128, NULL },
	{ "a", SPF_A, RES_PASS, "", 32, 128, NULL },
	{ "A/24", SPF_A, RES_PASS, "", 24, 128, NULL },
	{ "a/0", SPF_A, RES_PASS, "", 0, 128, NULL },
	{ "a//64", SPF_A, RES_PASS, "", 32, 64, NULL },
	{ "a//0", SPF_A, RES_PASS, "", 32, 0, NULL },
	{ "a/24//64", SPF_A, RES_PASS, "", 24, 64, NULL },
	{ "-a:e.com", SPF_A, RES_FAIL, "e.com", 32, 128, NULL },
	{ "a:e.com.", SPF_A, RES_PASS, "e.com.", 32, 128, NULL },
	{ "a:e.com/32", SPF_A, RES_PASS, "e.com", 32, 128, NULL },
	{ "a:e.com/8//128", SPF_A, RES_PASS, "e.com", 8, 128, NULL },
	{ "a:e.com//9", SPF_A, RES_PASS, "e.com", 32, 9, NULL },
	{ "a:%{l/}", SPF_A, RES_PASS, "%{l/}", 32, 128, NULL },
	{ "a:%{l/}/24", SPF_A, RES_PASS, "%{l/}", 24, 128, NULL },
	{ "a:f:b/z.e.com", SPF_A, RES_PASS, "f:b/z.e.com", 32, 128, NULL },
	{ "a:f/24/z.com/24", SPF_A, RES_PASS, "f/24/z.com", 24, 128, NULL },
	{ "a:a=b.com", SPF_A, RES_PASS, "a=b.com", 32, 128, NULL },
	{ "mx", SPF_MX, RES_PASS, "", 32, 128, NULL },
	{ "~mx:%{d2}/28//90", SPF_MX, RES_SOFTFAIL, "%{d2}", 28, 90, NULL },
	{ "ptr", SPF_PTR, RES_PASS, "", 32, 128, NULL },
	{ "PTR:e.com", SPF_PTR, RES_PASS, "e.com", 32, 128, NULL },
	{ "exists:%{ir}.%{v}.e.com", SPF_EXISTS, RES_PASS, "%{ir}.%{v}.e.com",
	    32, 128, NULL },
	{ "ip4:192.0.2.0/24", SPF_IP4, RES_PASS, "", 24, 128, "192.0.2.0" },
	{ "ip4:0.0.0.0/0", SPF_IP4, RES_PASS, "", 0, 128, "0.0.0.0" },
	{ "-IP4:192.0.2.1", SPF_IP4, RES_FAIL, "", 32, 128, "192.0.2.1" },
	{ "ip6:2001:db8::/32", SPF_IP6, RES_PASS, "", 32, 32, "2001:db8::" },
	{ "ip6:::/0", SPF_IP6, RES_PASS, "", 32, 0, "::" },
	{ "ip6:::1", SPF_IP6, RES_PASS, "", 32, 128, "::1" },
	{ "ip6:::ffff:192.0.2.1/96", SPF_IP6, RES_PASS, "", 32, 96,
	    "::ffff:192.0.2.1" },
	{ "redirect=e.com", SPF_REDIRECT, RES_UNSAID, "e.com", 0, 0, NULL },
	{ "REDIRECT=%{d}.e.com", SPF_REDIRECT, RES_UNSAID, "%{d}.e.com", 0, 0,
	    NULL },
	{ "exp=e.com", SPF_EXP, RES_UNSAID, "e.com", 0, 0, NULL },
	{ "moo=", SPF_UNKNOWN, RES_UNSAID, "", 0, 0, NULL },
	{ "moo=a:b/c=d", SPF_UNKNOWN, RES_UNSAID, "", 0, 0, NULL },
	{ "m-o_o.9=%{d}%%", SPF_UNKNOWN, RES_UNSAID, "", 0, 0, NULL },
	{ "include=", SPF_UNKNOWN, RES_UNSAID, "", 0, 0, NULL },
	{ "all=x", SPF_UNKNOWN, RES_UNSAID, "", 0, 0, NULL },
	{ "ip4=192.0.2.1", SPF_UNKNOWN, RES_UNSAID, "", 0, 0, NULL },
	{ "default=+", SPF_UNKNOWN, RES_UNSAID, "", 0, 0, NULL },
};

static int
same_ip(const struct spf_term *t, const char *ip)
{
	char text[INET6_ADDRSTRLEN];

	if (ip == NULL)
		return 1;
	inet_ntop(t->kind == SPF_IP4 ? AF_INET : AF_INET6,
	    t->kind == SPF_IP4 ? (const void *)&t->ip4 : &t->ip6, text,
	    sizeof text);
	return strcmp(text, ip) == 0;
}

static void
test_good(void)
{
	struct slice terms;
	struct spf_term t;
	const char *why;
	char name[80];
	size_t i;

	for (i = 0; i < sizeof good / sizeof good[0]; i++) {
		snprintf(name, sizeof name, "term '%s'", good[i].text);
		terms = guarded(good[i].text);
		why = spf_term_next(&terms, &t);
		CHECK(printable(name),
		    why == NULL && terms.len == 0 && t.kind == good[i].kind &&
			t.result == good[i].result &&
			slice_eq(t.domain, slice_of(good[i].domain)) &&
			slice_eq(t.text, slice_of(good[i].text)) &&
			t.bits4 == good[i].bits4 && t.bits6 == good[i].bits6 &&
			same_ip(&t, good[i].ip));
	}
}

/* Each stands behind "ip4:192.0.2.1 -all": an error anywhere is one. */
static const char *const bad[] = {
	"moo",
	"-",
	"+",
	"--all",
	"-+all",
	"all.",
	"all:",
	"all:e.com",
	"all/8",
	"-all-",
	"all,",
	"!all",
	"=all",
	"*all",
	"include",
	"include:",
	"include/24",
	"include:e.com/24",
	"include:e",
	"include:e.com:",
	"a:",
	"a:/24",
	"a:e",
	"a:museum.",
	"a:e.com/",
	"a:e.com//",
	"a:e.com/24/",
	"a:e.com/24//",
	"a:e.com/24/64",
	"a:e.com/24///64",
	"a/",
	"a//",
	"a/33",
	"a/024",
	"a/00",
	"a/+1",
	"a/-1",
	"a/1.0",
	"a/99999999999999999999",
	"a//129",
	"a//064",
	"a/24//129",
	"a//64/24",
	"a.e.com",
	"a;",
	"a:192.0.2.1",
	"a:e.123",
	"a:e.-com",
	"a:e.com-",
	"a:e.com:8080",
	"a:%",
	"a:%{d",
	"a:%{c}",
	"a:%{z}.com",
	"mx:",
	"mx/33",
	"mx:e.com//129",
	"ptr:",
	"ptr/0",
	"ptr:e.com/24",
	"exists",
	"exists:",
	"exists/24",
	"exists:e.com/24",
	"ip4",
	"ip4:",
	"ip4/24",
	"ip4:/24",
	"ip4:1.2.3",
	"ip4:1.2.3.4.5",
	"ip4:1.2.3.256",
	"ip4:01.2.3.4",
	"ip4:1.2.3.4:25",
	"ip4:1.2.3.4/",
	"ip4:1.2.3.4/33",
	"ip4:1.2.3.4/032",
	"ip4:1.2.3.4//32",
	"ip4:1.2.3.4/24//64",
	"ip4:::1",
	"ip4:e.com",
	"ip4:0x7f.1",
	"ip6",
	"ip6:",
	"ip6::",
	"ip6:1.2.3.4",
	"ip6:2001:db8",
	"ip6:2001:db8:::1",
	"ip6:2001:db8::1::2",
	"ip6:12345::",
	"ip6:2001:db8::g",
	"ip6:2001:db8::/129",
	"ip6:2001:db8::/064",
	"ip6:2001:db8::/",
	"ip6:2001:db8:://64",
	"ip6:2001:db8::1%eth0",
	"ip6:[2001:db8::1]",
	"redirect",
	"redirect:e.com",
	"redirect=",
	"redirect=e",
	"redirect=e.com/24",
	"-redirect=e.com",
	"exp=",
	"exp=-all",
	"exp:e.com",
	"exp=%{r}.e.com",
	"1up=foo",
	"-moo=foo",
	"_moo=foo",
	"mo/o=foo",
	"mo:o=foo",
	"moo=%",
	"moo=%{x}",
	"moo=%(d)",
	"moo=%{c}",
	"moo=\xc3\xa4",
	"\xc3\xa4=moo",
	"\x80mx",
	"a\xa0",
	"a\tmx",
	"mx\r",
	"mx\n-all",
	"\x01",
	"exp=e.com exp=f.com",
	"redirect=e.com redirect=e.com",
};

static void
test_bad(void)
{
	struct slice terms, which;
	struct spf_record r;
	char text[160], name[160];
	size_t i;

	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(text, sizeof text, "v=spf1 ip4:192.0.2.1 -all %s",
		    bad[i]);
		snprintf(name, sizeof name, "no term '%s'", bad[i]);
		CHECK(printable(name),
		    spf_is_record(guarded(text), &terms) &&
			spf_record_read(terms, &r, &which) != NULL &&
			which.len > 0);
	}
	CHECK("no term with a NUL in it",
	    spf_record_read((struct slice){ " ip4:1.2.3.4\0", 13 }, &r,
		&which) != NULL);
	CHECK("no term with a NUL in its domain",
	    spf_record_read((struct slice){ " a:e.com\0", 9 }, &r, &which) !=
		NULL);
}

/* ---- records ---- */

static void
test_records(void)
{
	struct slice terms = guarded("  a   redirect=r.com mx  exp=e.com ");
	struct slice which, rest;
	struct spf_record r;
	struct spf_term t;
	unsigned int n = 0;

	CHECK("a record with blanks between and behind",
	    spf_record_read(terms, &r, &which) == NULL &&
		slice_eq(r.redirect.domain, SLICE("r.com")) &&
		slice_eq(r.exp.domain, SLICE("e.com")));
	for (rest = r.terms;
	     spf_term_next(&rest, &t) == NULL && t.kind != SPF_END;)
		n++;
	CHECK("its terms", n == 4);
	CHECK("a record without terms",
	    spf_record_read((struct slice){ "", 0 }, &r, &which) == NULL &&
		r.redirect.kind == SPF_END && r.exp.kind == SPF_END);
	CHECK("modifiers that mean nothing may stand twice",
	    spf_record_read(SLICE(" moo=1 moo=1"), &r, &which) == NULL);
}

/* Cut at each byte, and with each byte spoilt, it stays in its bounds. */
static void
test_cut(void)
{
	size_t i, k, len, out = 0;
	struct slice terms, which;
	struct spf_record r;
	char text[128], *g;

	for (i = 0; i < sizeof good / sizeof good[0]; i++) {
		len = (size_t)snprintf(text, sizeof text, " %s", good[i].text);
		for (k = 0; k < len; k++) {
			g = unit_guard(text, k);
			terms = (struct slice){ g, k };
			spf_record_read(terms, &r, &which);
			out += which.p < g || which.p + which.len > g + k;
			text[k] ^= 0x55;
			g = unit_guard(text, len);
			terms = (struct slice){ g, len };
			spf_record_read(terms, &r, &which);
			out += which.p < g || which.p + which.len > g + len;
			text[k] ^= 0x55;
		}
	}
	CHECK("records cut short and spoilt", out == 0);
}

/* 64 KB of terms are read once, not again and again. */
static void
test_large(void)
{
	static char text[65536];
	struct slice which;
	struct spf_record r;
	size_t i;

	for (i = 0; i + 4 <= sizeof text; i += 4)
		memcpy(text + i, " -a ", 4);
	CHECK("64 KB of mechanisms",
	    spf_record_read((struct slice){ text, sizeof text }, &r, &which) ==
		NULL);
	memset(text, 'a', sizeof text);
	CHECK("64 KB of one word",
	    spf_record_read((struct slice){ text, sizeof text }, &r, &which) !=
		NULL);
	memset(text, ' ', sizeof text);
	CHECK("64 KB of blanks",
	    spf_record_read((struct slice){ text, sizeof text }, &r, &which) ==
		NULL);
}

int
main(void)
{
	test_texts();
	test_good();
	test_bad();
	test_records();
	test_cut();
	test_large();
	return unit_end();
}
