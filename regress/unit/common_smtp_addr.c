/*
 * Paths, mailboxes, domains and address literals.
 *
 * SPDX-License-Identifier: ISC
 */
#include "smtp_addr.h"
#include "unit.h"

#define A10 "aaaaaaaaaa"
#define A60 A10 A10 A10 A10 A10 A10
#define L63 A60 "aaa"

/* Columns: text, 1: good. */
struct row {
	const char *text;
	int good;
};

static const struct row domains[] = {
	{ "example.org", 1 },
	{ "localhost", 1 },
	{ "a", 1 },
	{ "a-b.c--d.e", 1 },
	{ "1.2.3.4", 1 },
	{ "xn--bcher-kva.example", 1 },
	{ L63 ".org", 1 },
	{ L63 "." L63 "." L63 "." A60 "a", 1 },
	{ L63 "." L63 "." L63 "." L63 ".", 0 },
	{ L63 "." L63 "." L63 "." L63 "a", 0 },
	{ "", 0 },
	{ ".", 0 },
	{ "example.org.", 0 },
	{ ".example.org", 0 },
	{ "a..b", 0 },
	{ "-a.org", 0 },
	{ "a-.org", 0 },
	{ "a.org-", 0 },
	{ "a_b.org", 0 },
	{ "a b.org", 0 },
	{ "a@b", 0 },
	{ "b\xfc"
	  "cher.example",
	    0 },
	{ L63 "a.org", 0 },
	{ "a.org\r\n", 0 },
	{ "[127.0.0.1]", 0 },
};

static const struct row mailboxes[] = {
	{ "a@b", 1 },
	{ "a.b@example.org", 1 },
	{ "!#$%&'*+-/=?^_`{|}~@example.org", 1 },
	{ "\"a b\"@example.org", 1 },
	{ "\"a@b\"@example.org", 1 },
	/* only what holds another address is longer than 64 bytes */
	{ "SRS0=" A60 A60 "@example.org", 1 },
	{ "srs1-" A60 A60 "@example.org", 1 },
	{ "\"SRS0+" A60 A60 " a\"@example.org", 1 },
	{ "SRS0_" A60 A60 "@example.org", 0 },
	{ "SRS2=" A60 A60 "@example.org", 0 },
	{ "SRS" A60 A60 "@example.org", 0 },
	{ "xSRS0=" A60 A60 "@example.org", 0 },
	{ "SRS0=" A60 A60 A60 A60 A60 A60 "@b", 0 },
	{ "\"a\\\"b\"@example.org", 1 },
	{ "\"a\\\\\"@example.org", 1 },
	{ "\"\"@example.org", 1 },
	{ "\"<>,;:\"@example.org", 1 },
	{ "a@[127.0.0.1]", 1 },
	{ "a@[IPv6:::1]", 1 },
	{ A60 "aaaa@b", 1 },
	{ A60 "aaaaa@b", 0 },
	{ "", 0 },
	{ "a", 0 },
	{ "a@", 0 },
	{ "@b", 0 },
	{ "a@b@c", 0 },
	{ ".a@b", 0 },
	{ "a.@b", 0 },
	{ "a..b@c", 0 },
	{ "a b@c", 0 },
	{ "a(b)@c", 0 },
	{ "a<b@c", 0 },
	{ "a,b@c", 0 },
	{ "a@b.", 0 },
	{ "a@b c", 0 },
	{ "\"a@b", 0 },
	{ "\"a\"b@c", 0 },
	{ "\"a\\\"@b", 0 },
	{ "\"a\nb\"@c", 0 },
	{ "\"a\\", 0 },
	{ "\"\\", 0 },
	{ "\xe4@b", 0 },
	{ "a@[127.0.0.1", 0 },
	{ "a@[]", 0 },
	{ "a\r\n@b", 0 },
};

/* RFC 6531 3.3, with SMTPUTF8; and that each that is not ASCII is none
 * without. */
static const struct row wide[] = {
	{ "a@b", 1 },
	{ "j\xc3\xb6rg@example.org", 1 },
	{ "j\xc3\xb6rg@b\xc3\xbc"
	  "cher.example",
	    1 },
	{ "\"j\xc3\xb6 rg\"@example.org", 1 },
	{ "\"\\\xc3\xb6\"@example.org", 1 },
	{ "\xe7\x94\xa8\xe6\x88\xb7@\xe4\xbe\x8b\xe5\xad\x90.example", 1 },
	{ "\xf0\x9f\x93\xa7@example.org", 1 },
	{ "\xf4\x8f\xbf\xbf@b", 1 },
	{ "\xc2\xa0@b", 1 },
	/* overlong, surrogate, too large, cut short, alone, a control */
	{ "\xc0\xaf@b", 0 },
	{ "\xc1\xbf@b", 0 },
	{ "\xe0\x80\xaf@b", 0 },
	{ "\xe0\x9f\xbf@b", 0 },
	{ "\xf0\x80\x80\xaf@b", 0 },
	{ "\xf0\x8f\xbf\xbf@b", 0 },
	{ "\xed\xa0\x80@b", 0 },
	{ "\xed\xbf\xbf@b", 0 },
	{ "\xf4\x90\x80\x80@b", 0 },
	{ "\xf5\x80\x80\x80@b", 0 },
	{ "\xff@b", 0 },
	{ "\xfe@b", 0 },
	{ "\xc3@b", 0 },
	{ "\xe2\x82@b", 0 },
	{ "\x80@b", 0 },
	{ "\xbf@b", 0 },
	{ "\xc2\x85@b", 0 },
	{ "a@\xff.example", 0 },
	{ "a@\xc3.example", 0 },
	{ "a@-\xc3\xb6.example", 0 },
	{ "a@\xc3\xb6-.example", 0 },
	{ "a@\xc3\xb6..example", 0 },
	{ "a@\xc3\xb6 .example", 0 },
	{ "\xc3\xb6", 0 },
	{ "@\xc3\xb6", 0 },
	/* in octets */
	{ A60 "\xc3\xb6\xc3\xb6@b", 1 },
	{ A60 "a\xc3\xb6\xc3\xb6@b", 0 },
	{ "a@" A60 "a\xc3\xb6", 1 },
	{ "a@" A60 "aa\xc3\xb6", 0 },
};

/* The first len bytes of text, with nothing behind them. */
static struct slice
guarded(const char *text, size_t len)
{
	return (struct slice){ unit_guard(text, len), len };
}

typedef const char *check_fn(struct slice in);

static void
test_rows(const char *what, const struct row *rows, size_t n, check_fn *fn)
{
	char name[512];
	size_t i, len, cut;

	for (i = 0; i < n; i++) {
		len = strlen(rows[i].text);
		snprintf(name, sizeof name, "%s %zu", what, i);
		CHECK(name,
		    (fn(guarded(rows[i].text, len)) == NULL) == rows[i].good);
		/* Cut short anywhere: read no further, whatever it is. */
		for (cut = 0; cut < len; cut++)
			(void)fn(guarded(rows[i].text, cut));
	}
}

/* Columns: literal, address; NULL: not one. */
static const struct {
	const char *text, *ip;
} literals[] = {
	{ "[127.0.0.1]", "127.0.0.1" },
	{ "[IPv6:::1]", "::1" },
	{ "[ipv6:2001:DB8:0:0:0:0:0:1]", "2001:db8::1" },
	{ "[IPv6:::ffff:192.0.2.1]", "::ffff:192.0.2.1" },
	{ "[127.0.0.256]", NULL },
	{ "[127.0.0]", NULL },
	{ "[::1]", NULL },
	{ "[IPv6:]", NULL },
	{ "[IPv6:127.0.0.1]", NULL },
	{ "[IPv6:::1", NULL },
	{ "127.0.0.1]", NULL },
	{ "[]", NULL },
	{ "[", NULL },
	{ "]", NULL },
	{ "", NULL },
	{ "[IPv6:fe80::1%lo]", NULL },
	{ "[general:content]", NULL },
	{ "[127.0.0.1 ]", NULL },
	{ "[" A60 A60 "]", NULL },
};

static void
test_literals(void)
{
	char ip[IP_TEXT_MAX + 1], name[64];
	const char *why;
	size_t i, len;

	for (i = 0; i < sizeof literals / sizeof literals[0]; i++) {
		len = strlen(literals[i].text);
		why = smtp_literal_parse(guarded(literals[i].text, len), ip);
		snprintf(name, sizeof name, "literal %zu", i);
		CHECK(name,
		    literals[i].ip == NULL ?
			why != NULL && ip[0] == '\0' :
			why == NULL && strcmp(ip, literals[i].ip) == 0);
	}
}

/* Columns: path, address and rest; NULL: not one. */
static const struct {
	const char *text, *addr, *rest;
} paths[] = {
	{ "<>", "", "" },
	{ "<> SIZE=1", "", " SIZE=1" },
	{ "<a@b>", "a@b", "" },
	{ "<a@b> BODY=7BIT", "a@b", " BODY=7BIT" },
	{ "<a@b>x", "a@b", "x" },
	{ "<\"a>b\"@c>", "\"a>b\"@c", "" },
	{ "<\"a\\\">b\"@c> X", "\"a\\\">b\"@c", " X" },
	{ "<@one:a@b>", "a@b", "" },
	{ "<@one,@two.org:a@b>", "a@b", "" },
	{ "<a@[127.0.0.1]>", "a@[127.0.0.1]", "" },
	{ "", NULL, NULL },
	{ "<", NULL, NULL },
	{ "a@b", NULL, NULL },
	{ "<a@b", NULL, NULL },
	{ "<a>", NULL, NULL },
	{ "< a@b>", NULL, NULL },
	{ "<<a@b>>", NULL, NULL },
	{ "<\"a@b>", NULL, NULL },
	{ "<\"a\\", NULL, NULL },
	{ "<@one>", NULL, NULL },
	{ "<@one:>", NULL, NULL },
	{ "<@one,:a@b>", NULL, NULL },
	{ "<@one,two:a@b>", NULL, NULL },
	{ "<@:a@b>", NULL, NULL },
	{ "<@one,@:a@b>", NULL, NULL },
	{ "<:a@b>", NULL, NULL },
	{ "<a@b\0>", NULL, NULL },
};

static void
test_paths(void)
{
	char addr[ADDR_MAX + 1], name[64];
	struct slice rest;
	const char *why;
	size_t i, len, cut;

	for (i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		len = strlen(paths[i].text);
		why = smtp_path_parse(guarded(paths[i].text, len), addr, &rest);
		snprintf(name, sizeof name, "path %zu", i);
		CHECK(name,
		    paths[i].addr == NULL ?
			why != NULL && addr[0] == '\0' :
			why == NULL && strcmp(addr, paths[i].addr) == 0 &&
			    slice_eq(rest, slice_of(paths[i].rest)));
		for (cut = 0; cut < len; cut++)
			(void)smtp_path_parse(guarded(paths[i].text, cut), addr,
			    &rest);
	}
}

/* The longest that ADDR_MAX holds, and one more. */
static void
test_longest(void)
{
	static const char local[] = A60 "aaaa";
	static const char domain[] = L63 "." L63 "." L63 "." A60 "aaa";
	char text[512], addr[ADDR_MAX + 1];
	struct slice rest;

	snprintf(text, sizeof text, "<%s@%s>", local, domain);
	CHECK("longest path",
	    smtp_path_parse(slice_of(text), addr, &rest) == NULL &&
		strlen(addr) == ADDR_MAX);
	snprintf(text, sizeof text, "<%s@a%s>", local, domain);
	CHECK("one more", smtp_path_parse(slice_of(text), addr, &rest) != NULL);
}

/* Without SMTPUTF8 none of them is an address; and in a path. */
static void
test_wide(void)
{
	char addr[ADDR_MAX + 1];
	struct slice rest, in;
	size_t i;

	for (i = 0; i < sizeof wide / sizeof wide[0]; i++) {
		in = slice_of(wide[i].text);
		CHECK("not ASCII, no address",
		    (smtp_mailbox_check(in) == NULL) ==
			(wide[i].good && slice_is_ascii(in)));
	}
	in = SLICE("<@\xc3\xb6.example:\xc3\xb6@\xc3\xb6> X");
	CHECK("path",
	    smtp_path_parse_utf8(in, addr, &rest) == NULL &&
		strcmp(addr, "\xc3\xb6@\xc3\xb6") == 0 &&
		slice_eq(rest, SLICE(" X")));
	CHECK("no path", smtp_path_parse(in, addr, &rest) != NULL);
}

static void
test_domain_of(void)
{
	CHECK("domain", strcmp(smtp_addr_domain("a@b.org"), "b.org") == 0);
	CHECK("no domain", strcmp(smtp_addr_domain("a"), "") == 0);
	CHECK("null sender", strcmp(smtp_addr_domain(""), "") == 0);
	CHECK("quoted at", strcmp(smtp_addr_domain("\"a@b\"@c"), "c") == 0);
}

static void
test_rewrite(void)
{
	/* Columns: `mail-from`, the sender, what is said. */
	static const struct {
		const char *how, *own, *want;
	} rows[] = {
		{ "", "a@b.org", "a@b.org" },
		{ "x@y.org", "a@b.org", "x@y.org" },
		{ "@y.org", "a@b.org", "a@y.org" },
		{ "@y.org", "\"a@c\"@b.org", "\"a@c\"@y.org" },
		{ "x", "a@b.org", "x@b.org" },
		{ "x@", "a@b.org", "x@b.org" },
		{ "x@y.org", "", "" },
		{ "@y.org", "a", "a" },
		{ "@y.org", "@b.org", "@b.org" },
	};
	char out[SMTP_REWRITTEN_SIZE], how[ADDR_MAX + 1], own[ADDR_MAX + 1];
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
		CHECK("rewritten",
		    strcmp(smtp_addr_rewrite(rows[i].how, rows[i].own, out),
			rows[i].want) == 0);
	memset(how, 'h', ADDR_MAX);
	memset(own, 'o', ADDR_MAX);
	how[0] = own[ADDR_MAX - 1] = '@';
	how[ADDR_MAX] = own[ADDR_MAX] = '\0';
	CHECK("longest",
	    strlen(smtp_addr_rewrite(how, own, out)) == 2 * ADDR_MAX - 1);
}

int
main(void)
{
	test_rows("domain", domains, sizeof domains / sizeof domains[0],
	    smtp_domain_check);
	test_rows("mailbox", mailboxes, sizeof mailboxes / sizeof mailboxes[0],
	    smtp_mailbox_check);
	test_rows("utf-8", wide, sizeof wide / sizeof wide[0],
	    smtp_mailbox_check_utf8);
	test_wide();
	test_literals();
	test_paths();
	test_longest();
	test_domain_of();
	test_rewrite();
	return unit_end();
}
