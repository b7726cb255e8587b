/*
 * Macros of SPF: the examples of RFC 7208 7.4, what has no syntax, and names
 * that are too long.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>

#include "spf_macro.h"
#include "unit.h"

static struct spf_values values;

static void
set(char letter, const char *value)
{
	values.of[letter - 'a'] = value;
}

/* RFC 7208 7.4. */
static void
set_example(void)
{
	set('s', "strong-bad@email.example.com");
	set('l', "strong-bad");
	set('o', "email.example.com");
	set('d', "email.example.com");
	set('i', "192.0.2.3");
	set('p', "mx.example.org");
	set('v', "in-addr");
	set('h', "mx.example.org");
	set('c', "192.0.2.3");
	set('r', "receiver.example.net");
	set('t', "1262304000");
}

static struct slice
guarded(const char *text)
{
	return (struct slice){ unit_guard(text, strlen(text)), strlen(text) };
}

/* Columns: text, what it makes of a name. */
static const struct {
	const char *text, *want;
} examples[] = {
	{ "%{s}", "strong-bad@email.example.com" },
	{ "%{o}", "email.example.com" },
	{ "%{d}", "email.example.com" },
	{ "%{d4}", "email.example.com" },
	{ "%{d3}", "email.example.com" },
	{ "%{d2}", "example.com" },
	{ "%{d1}", "com" },
	{ "%{dr}", "com.example.email" },
	{ "%{d2r}", "example.email" },
	{ "%{l}", "strong-bad" },
	{ "%{l-}", "strong.bad" },
	{ "%{lr}", "strong-bad" },
	{ "%{lr-}", "bad.strong" },
	{ "%{l1r-}", "strong" },
	{ "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com" },
	{ "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com" },
	{ "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
	    "bad.strong.lp.3.2.0.192.in-addr._spf.example.com" },
	{ "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}",
	    "3.2.0.192.in-addr.strong.lp._spf.example.com" },
	{ "%{d2}.trusted-domains.example.net",
	    "example.com.trusted-domains.example.net" },
	/* Beyond the examples. */
	{ "%{p}", "mx.example.org" },
	{ "%{h}.example.com", "mx.example.org.example.com" },
	{ "%{D2}", "example.com" },
	{ "%{S}", "strong-bad%40email.example.com" },
	{ "%{L-}", "strong.bad" },
	{ "%{d127}", "email.example.com" },
	{ "%{d999999999999}", "email.example.com" },
	{ "%{d02}", "example.com" },
	{ "%{dR}", "com.example.email" },
	{ "%{d1R}", "email" },
	{ "%{l3-}", "strong.bad" },
	{ "a%%b%_c%-d.example.com", "a%b c%20d.example.com" },
	{ "%{d}.example.com.", "email.example.com.example.com" },
	{ "foo:bar/baz.example.com", "foo:bar/baz.example.com" },
};

/* What texts of each kind may have: domain-spec, macro-string, explanation. */
static const struct {
	const char *text;
	int good[3];
} syntax[] = {
	{ "", { 0, 1, 1 } },
	{ "example.com", { 1, 1, 1 } },
	{ "example.com.", { 1, 1, 1 } },
	{ "example.com..", { 0, 1, 1 } },
	{ ".com", { 1, 1, 1 } },
	{ "example", { 0, 1, 1 } },
	{ "example.", { 0, 1, 1 } },
	{ ".", { 0, 1, 1 } },
	{ "example.c-m", { 1, 1, 1 } },
	{ "example.-com", { 0, 1, 1 } },
	{ "example.com-", { 0, 1, 1 } },
	{ "example.1-2", { 1, 1, 1 } },
	{ "example.123", { 0, 1, 1 } },
	{ "example.12a", { 1, 1, 1 } },
	{ "example.com:8080", { 0, 1, 1 } },
	{ "example_.com", { 1, 1, 1 } },
	{ "example.c_m", { 0, 1, 1 } },
	{ "%{d}", { 1, 1, 1 } },
	{ "%{d}.", { 0, 1, 1 } },
	{ "%{d}com", { 0, 1, 1 } },
	{ "%{d}.com", { 1, 1, 1 } },
	{ "a.%{d}", { 1, 1, 1 } },
	{ "a.b%%", { 1, 1, 1 } },
	{ "a.b%_", { 1, 1, 1 } },
	{ "a.b%-", { 1, 1, 1 } },
	{ "a b.com", { 0, 0, 1 } },
	{ "100%", { 0, 0, 0 } },
	{ "%", { 0, 0, 0 } },
	{ "%%", { 1, 1, 1 } },
	{ "%a.com", { 0, 0, 0 } },
	{ "%(d)", { 0, 0, 0 } },
	{ "%{", { 0, 0, 0 } },
	{ "%{}", { 0, 0, 0 } },
	{ "%{d", { 0, 0, 0 } },
	{ "%{d2", { 0, 0, 0 } },
	{ "%{d2r", { 0, 0, 0 } },
	{ "%{d2r.", { 0, 0, 0 } },
	{ "%{2d}", { 0, 0, 0 } },
	{ "%{dr2}", { 0, 0, 0 } },
	{ "%{drr}", { 0, 0, 0 } },
	{ "%{d0}", { 0, 0, 0 } },
	{ "%{d00r}", { 0, 0, 0 } },
	{ "%{d.-+,/_=}", { 1, 1, 1 } },
	{ "%{d..}", { 1, 1, 1 } },
	{ "%{d:}", { 0, 0, 0 } },
	{ "%{d }", { 0, 0, 0 } },
	{ "%{d.r}", { 0, 0, 0 } },
	{ "%{a}", { 0, 0, 0 } },
	{ "%{x}.com", { 0, 0, 0 } },
	{ "%{c}", { 0, 0, 1 } },
	{ "%{r}.com", { 0, 0, 1 } },
	{ "%{T}", { 0, 0, 1 } },
	{ "%{\xc3\xa4}", { 0, 0, 0 } },
	{ "ex\xc3\xa4mple.com", { 0, 0, 0 } },
	{ "a\tb.com", { 0, 0, 0 } },
	{ "a\x7f.com", { 0, 0, 0 } },
};

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

static void
test_syntax(void)
{
	static const char *const kinds[] = { "domain-spec", "macro-string",
		"explanation" };
	uint32_t letters;
	char name[120];
	size_t i, k;

	for (i = 0; i < sizeof syntax / sizeof syntax[0]; i++) {
		for (k = 0; k < 3; k++) {
			snprintf(name, sizeof name, "%s '%s'", kinds[k],
			    syntax[i].text);
			CHECK(printable(name),
			    (spf_macro_check(guarded(syntax[i].text),
				 (enum spf_text)k, &letters) == NULL) ==
				syntax[i].good[k]);
		}
	}
	CHECK("a NUL is no sign of a name",
	    spf_macro_check((struct slice){ "a\0b.com", 7 }, SPF_DOMAIN_SPEC,
		&letters) != NULL);
	CHECK("a NUL is no delimiter",
	    spf_macro_check((struct slice){ "%{d\0}", 5 }, SPF_DOMAIN_SPEC,
		&letters) != NULL);
	spf_macro_check(SLICE("%{p}.%{L}.com"), SPF_DOMAIN_SPEC, &letters);
	CHECK("the letters that a text has",
	    letters == (SPF_LETTER('p') | SPF_LETTER('l')));
}

static void
test_examples(void)
{
	char out[DNS_NAME_MAX + 1], name[120];
	uint32_t letters;
	size_t i;

	for (i = 0; i < sizeof examples / sizeof examples[0]; i++) {
		snprintf(name, sizeof name, "'%s' makes '%s'", examples[i].text,
		    examples[i].want);
		CHECK(name,
		    spf_macro_check(guarded(examples[i].text), SPF_DOMAIN_SPEC,
			&letters) == NULL &&
			spf_macro_domain(guarded(examples[i].text), &values,
			    out) &&
			strcmp(out, examples[i].want) == 0);
	}
	set('i',
	    "2.0.0.1.0.D.B.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	    "C.B.0.1");
	set('v', "ip6");
	spf_macro_domain(SLICE("%{ir}.%{v}._spf.%{d2}"), &values, out);
	CHECK("IPv6 (RFC 7208 7.4)",
	    strcmp(out,
		"1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0."
		"0.2.ip6._spf.example.com") == 0);
	set_example();
	set('l', "");
	spf_macro_domain(SLICE("%{l}.%{lr}.%{l1}.%{l1r-}.com"), &values, out);
	CHECK("a value that is empty", strcmp(out, "....com") == 0);
	set('l', "..a..");
	spf_macro_domain(SLICE("%{l}|%{lr}|%{l2}|%{l2r}|%{l4}.com"), &values,
	    out);
	CHECK("parts that are empty",
	    strcmp(out, "..a..|..a..|.|.|.a...com") == 0);
	set_example();
}

/* Each text cut at each byte ends where it ends. */
static void
test_cut(void)
{
	uint32_t letters;
	size_t i, k, len, bad = 0;
	char *g;

	for (i = 0; i < sizeof examples / sizeof examples[0]; i++) {
		len = strlen(examples[i].text);
		for (k = 0; k < len; k++) {
			g = unit_guard(examples[i].text, k);
			if (spf_macro_check((struct slice){ g, k },
				SPF_EXPLANATION, &letters) != NULL &&
			    strchr(examples[i].text, '%') == NULL)
				bad++;
		}
	}
	CHECK("texts cut short", bad == 0);
}

/* RFC 7208 7.3: labels go from the left until 253 are left. */
static void
test_long(void)
{
	static char label63[64], spec[5000], out[DNS_NAME_MAX + 1];
	char want[DNS_NAME_MAX + 1];
	uint32_t letters;
	size_t i;

	memset(label63, 'a', 63);
	set('l', label63);
	snprintf(want, sizeof want, "%.61s.%s.%s.%s", label63, label63, label63,
	    label63);
	set('h', want);
	CHECK("253 bytes stay",
	    strlen(want) == 253 &&
		spf_macro_domain(SLICE("%{h}"), &values, out) &&
		strcmp(out, want) == 0);
	CHECK("of 255 the left label goes",
	    spf_macro_domain(SLICE("x.%{h}"), &values, out) &&
		strcmp(out, want) == 0);
	CHECK("of 254 too, if it is long",
	    spf_macro_domain(SLICE("x%{h}"), &values, out) &&
		strcmp(out, want + 62) == 0);
	CHECK("253 and a dot at the end",
	    spf_macro_domain(SLICE("%{h}."), &values, out) &&
		strcmp(out, want) == 0);
	for (i = 0; i < 1000; i++)
		memcpy(spec + 4 * i, "%{l}", 4);
	spec[4000] = '\0';
	CHECK("63,000 bytes in one label are no name",
	    spf_macro_check(slice_of(spec), SPF_DOMAIN_SPEC, &letters) ==
		    NULL &&
		!spf_macro_domain(slice_of(spec), &values, out) &&
		out[0] == '\0');
	memcpy(spec + 4000, ".%{h}", 6);
	CHECK("63,000 bytes, and a name behind them",
	    spf_macro_domain(slice_of(spec), &values, out) &&
		strcmp(out, want) == 0);
	for (i = 0; i < 2000; i++)
		memcpy(spec + 2 * i, "x.", 2);
	memcpy(spec + 4000, "yy", 3);
	spf_macro_domain(slice_of(spec), &values, out);
	CHECK("2,001 labels: as many of the right as fit",
	    strlen(out) == 252 && strcmp(out + 250, "yy") == 0 &&
		out[0] == 'x');
	memset(spec, 'x', 4096);
	memcpy(spec + 4090, ".e.com", 7);
	CHECK("4,096 bytes of a domain-spec",
	    spf_macro_check(slice_of(spec), SPF_DOMAIN_SPEC, &letters) == NULL);
	memcpy(spec + 4090, "x.e.com", 8);
	CHECK("4,097 are too many",
	    spf_macro_check(slice_of(spec), SPF_DOMAIN_SPEC, &letters) != NULL);
	set_example();
}

static void
test_explanation(void)
{
	char out[256], tiny[8];
	uint32_t letters;

	spf_macro_explain(SLICE("%{c} is no sender of %{o}, says %{r} at "
				"%{t}; see http://e.org/?s=%{S}&i=%{I}."),
	    &values, out, sizeof out);
	CHECK("explanation",
	    strcmp(out,
		"192.0.2.3 is no sender of email.example.com, says "
		"receiver.example.net at 1262304000; see http://e.org/?s="
		"strong-bad%40email.example.com&i=192.0.2.3.") == 0);
	spf_macro_explain(SLICE("%{c}."), &values, out, sizeof out);
	CHECK("explanation keeps its dot", strcmp(out, "192.0.2.3.") == 0);
	spf_macro_explain(SLICE("a%%b%_c%-d"), &values, out, sizeof out);
	CHECK("explanation with signs", strcmp(out, "a%b c%20d") == 0);
	spf_macro_explain(SLICE("%{S}"), &values, out, sizeof out);
	CHECK("explanation with URL escapes",
	    strcmp(out, "strong-bad%40email.example.com") == 0);
	set('l', "~jack&jill=up-a_b3.c \xc3\xa4");
	spf_macro_explain(SLICE("%{L}"), &values, out, sizeof out);
	CHECK("URL escapes of all that is reserved (RFC 3986 2.3)",
	    strcmp(out, "~jack%26jill%3Dup-a_b3.c%20%C3%A4") == 0);
	spf_macro_explain(SLICE("%{d}%{d}%{d}"), &values, tiny, sizeof tiny);
	CHECK("explanation is cut", strcmp(tiny, "email.e") == 0);
	CHECK("explanation that is empty",
	    spf_macro_check((struct slice){ "", 0 }, SPF_EXPLANATION,
		&letters) == NULL);
	set_example();
}

int
main(void)
{
	set_example();
	test_syntax();
	test_examples();
	test_cut();
	test_long();
	test_explanation();
	return unit_end();
}
