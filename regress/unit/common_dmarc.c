/*
 * common/dmarc_record.c and dmarc_walk.c: records good, bad and cut short;
 * which names are asked, and what follows.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

#include "buf.h"
#include "dmarc_walk.h"
#include "smtp_addr.h"

/* ---- records ---- */

/* A record in a line: "p sp np adkim aspf psd t pct fo rua,rua". */
static void
print_record(const struct dmarc_record *r, char out[4096])
{
	int n = snprintf(out, 4096, "%s %s %s %c%c %c %c %u [%s]",
	    dmarc_policy_word(r->p), dmarc_policy_word(r->sp),
	    dmarc_policy_word(r->np), r->adkim_strict ? 's' : 'r',
	    r->aspf_strict ? 's' : 'r', r->psd, r->testing ? 'y' : 'n', r->pct,
	    r->fo);
	unsigned int i;

	for (i = 0; i < r->n_rua; i++)
		n += snprintf(out + n, 4096 - (size_t)n, " %s", r->rua[i]);
}

/* Columns: text; as print_record() says it by RFC 9989, and by RFC 7489 where
 * that differs; NULL: it cannot be used; "other": it is not of DMARC. */
static const struct {
	const char *text, *new, *old;
} records[] = {
	{ "v=DMARC1; p=none", "none   rr u n 100 []", "" },
	{ "v=DMARC1;p=reject", "reject   rr u n 100 []", "" },
	{ "v=DMARC1;p=quarantine;", "quarantine   rr u n 100 []", "" },
	{ " v = DMARC1 ; p = reject ; ", "reject   rr u n 100 []", "" },
	{ "v=DMARC1; p=reject; sp=quarantine; np=none",
	    "reject quarantine none rr u n 100 []",
	    "reject quarantine  rr u n 100 []" },
	{ "v=DMARC1; sp=none; p=reject", "reject none  rr u n 100 []", "" },
	{ "v=DMARC1; p=REJECT; sp=None; aspf=S; adkim=S",
	    "reject none  ss u n 100 []", "" },
	{ "v=DMARC1; p=none; adkim=s; aspf=r", "none   sr u n 100 []", "" },
	{ "v=DMARC1; p=none; adkim=r; aspf=s", "none   rs u n 100 []", "" },
	{ "v=DMARC1; p=none; adkim=x; aspf=", "none   rr u n 100 []", "" },
	{ "v=DMARC1; p=none; adkim=ss", "none   rr u n 100 []", "" },
	{ "v=DMARC1; p=none; psd=y; t=y", "none   rr y y 100 []",
	    "none   rr u n 100 []" },
	{ "v=DMARC1; p=none; psd=N; t=n", "none   rr n n 100 []",
	    "none   rr u n 100 []" },
	{ "v=DMARC1; p=none; psd=u; t=maybe", "none   rr u n 100 []", "" },
	{ "v=DMARC1; p=none; psd=yes; t=yes", "none   rr u n 100 []", "" },
	{ "v=DMARC1; p=none; pct=50", "none   rr u n 100 []",
	    "none   rr u n 50 []" },
	{ "v=DMARC1; p=none; pct=0", "none   rr u n 100 []",
	    "none   rr u n 0 []" },
	{ "v=DMARC1; p=none; pct=101", "none   rr u n 100 []", "" },
	{ "v=DMARC1; p=none; pct=-1", "none   rr u n 100 []", "" },
	{ "v=DMARC1; p=none; pct=5%", "none   rr u n 100 []", "" },
	{ "v=DMARC1; p=none; pct=", "none   rr u n 100 []", "" },
	{ "v=DMARC1; p=none; fo=1:d:s", "none   rr u n 100 [1:d:s]", "" },
	{ "v=DMARC1; p=none; fo=0", "none   rr u n 100 [0]", "" },
	{ "v=DMARC1; p=none; fo=x", "none   rr u n 100 []", "" },
	{ "v=DMARC1; p=none; fo=1:", "none   rr u n 100 []", "" },
	{ "v=DMARC1; p=none; fo=0:1:d:s:0", "none   rr u n 100 []", "" },
	/* unknown tags, and those of a later version */
	{ "v=DMARC1; p=none; x=y; rf=afrf; ri=3600; ruf=mailto:a@b.example",
	    "none   rr u n 100 []", "" },
	{ "v=DMARC1; p=none; v=DMARC2", "none   rr u n 100 []", "" },
	{ "v=DMARC1; P=reject; p=none", "none   rr u n 100 []", "" },
	/* errors in the remainder are passed over */
	{ "v=DMARC1; p=none; nonsense", "none   rr u n 100 []", "" },
	{ "v=DMARC1; p=none;;; adkim=s", "none   sr u n 100 []", "" },
	{ "v=DMARC1; p=none; =s; 9=s; adkim=s", "none   sr u n 100 []", "" },
	{ "v=DMARC1; p=none; x=\x01; adkim=s", "none   sr u n 100 []", "" },
	{ "v=DMARC1; p=none; x=\xff; adkim=s", "none   sr u n 100 []", "" },
	{ "v=DMARC1; p=none; adkim=s; adkim=s", "none   rr u n 100 []", "" },
	/* not of DMARC */
	{ "", "other", "" },
	{ ";", "other", "" },
	{ "v", "other", "" },
	{ "v=", "other", "" },
	{ "v=DMARC", "other", "" },
	{ "v=dmarc1; p=none", "other", "" },
	{ "V=DMARC1; p=none", "other", "" },
	{ "v=DMARC2; p=none", "other", "" },
	{ "v=DMARC1 p=none", "other", "" },
	{ "v=DMARC12; p=none", "other", "" },
	{ "p=none; v=DMARC1", "other", "" },
	{ "; v=DMARC1; p=none", "other", "" },
	{ "v=spf1 -all", "other", "" },
	{ "\"v=DMARC1; p=none\"", "other", "" },
	{ "v=DMARC1\x01; p=none", "other", "" },
	/* policies that cannot be read */
	{ "v=DMARC1", "none   rr u n 100 []", NULL },
	{ "v=DMARC1;", "none   rr u n 100 []", NULL },
	{ "v=DMARC1; sp=reject", "none reject  rr u n 100 []", NULL },
	{ "v=DMARC1; p=", NULL, NULL },
	{ "v=DMARC1; p=foo", NULL, NULL },
	{ "v=DMARC1; p=none, reject", NULL, NULL },
	{ "v=DMARC1; p=reject; p=reject", NULL, NULL },
	{ "v=DMARC1; p=reject; sp=foo", NULL, NULL },
	{ "v=DMARC1; p=reject; np=foo", NULL, "reject   rr u n 100 []" },
	{ "v=DMARC1; p=foo; rua=", NULL, NULL },
	{ "v=DMARC1; p=foo; rua=a@b.example", NULL, NULL },
	{ "v=DMARC1; p=foo; rua=mailto:", NULL, NULL },
	{ "v=DMARC1; p=foo; rua=mailto:a@b.example",
	    "none   rr u n 100 [] mailto:a@b.example", "" },
	{ "v=DMARC1; p=foo; rua=https://b.example/", "none   rr u n 100 []",
	    "" },
	{ "v=DMARC1; p=reject; sp=foo; adkim=s; rua=mailto:a@b.example",
	    "none   sr u n 100 [] mailto:a@b.example", "" },
	{ "v=DMARC1; p=reject; np=foo; rua=mailto:a@b.example",
	    "none   rr u n 100 [] mailto:a@b.example",
	    "reject   rr u n 100 [] mailto:a@b.example" },
	{ "v=DMARC1; rua=mailto:a@b.example",
	    "none   rr u n 100 [] mailto:a@b.example", "" },
	/* addresses */
	{ "v=DMARC1; p=none; rua=mailto:a@b.example,mailto:c@d.example",
	    "none   rr u n 100 [] mailto:a@b.example mailto:c@d.example", "" },
	{ "v=DMARC1; p=none; rua= MAILTO:a@b.example , ,mailto:c@d.example ,",
	    "none   rr u n 100 [] mailto:a@b.example mailto:c@d.example", "" },
	{ "v=DMARC1; p=none; rua=mailto:a@b.example!10m,mailto:c@d.example!5",
	    "none   rr u n 100 [] mailto:a@b.example mailto:c@d.example", "" },
	{ "v=DMARC1; p=none; rua=mailto:a@b.example!m,mailto:c@d.example!",
	    "none   rr u n 100 []", "" },
	{ "v=DMARC1; p=none; rua=mailto:a!b@c.example,mailto:d%21e@f.example",
	    "none   rr u n 100 [] mailto:d!e@f.example", "" },
	{ "v=DMARC1; p=none; rua=mailto:a%2Bb%2b@c.example",
	    "none   rr u n 100 [] mailto:a+b+@c.example", "" },
	{ "v=DMARC1; p=none; rua=mailto:a%2,mailto:a%,mailto:a%zz@b.example",
	    "none   rr u n 100 []", "" },
	{ "v=DMARC1; p=none; rua=mailto:a%00b@c.example,mailto:a%0Db@c.example",
	    "none   rr u n 100 []", "" },
	{ "v=DMARC1; p=none; rua=mailto:a@b.example?subject=x",
	    "none   rr u n 100 [] mailto:a@b.example", "" },
	{ "v=DMARC1; p=none; rua=mailto:a@b.example%2Cc@d.example",
	    "none   rr u n 100 []", "" },
	{ "v=DMARC1; p=none; rua=mailto:a,mailto:@b.example,mailto:a@[192.0.2.1]",
	    "none   rr u n 100 []", "" },
	{ "v=DMARC1; p=none; rua=https://x.example/,ftp:x,mailto:a@b.example",
	    "none   rr u n 100 [] mailto:a@b.example", "" },
	{ "v=DMARC1; p=none; rua=mailto:a b@c.example", "none   rr u n 100 []",
	    "" },
	{ "v=DMARC1; p=none; rua=mailto:\xc3\xa4@c.example",
	    "none   rr u n 100 []", "" },
	{ "v=DMARC1; p=none; rua=mailto:1@a.ex,mailto:2@a.ex,mailto:3@a.ex,"
	  "mailto:4@a.ex,mailto:5@a.ex,mailto:6@a.ex,mailto:7@a.ex,"
	  "mailto:8@a.ex,mailto:9@a.ex",
	    "none   rr u n 100 [] mailto:1@a.ex mailto:2@a.ex mailto:3@a.ex "
	    "mailto:4@a.ex mailto:5@a.ex mailto:6@a.ex mailto:7@a.ex "
	    "mailto:8@a.ex",
	    "" },
};

/* As in the table. */
static const char *
read_text(const char *text, size_t len, enum conf_dmarc_rules rules,
    char out[4096])
{
	struct slice s = { unit_guard(text, len), len };
	struct dmarc_record r;

	if (!dmarc_record_is(s)) {
		CHECK("record: not of DMARC",
		    dmarc_record_parse(s, rules, &r) != NULL);
		return "other";
	}
	if (dmarc_record_parse(s, rules, &r) != NULL)
		return NULL;
	print_record(&r, out);
	return out;
}

static void
check_record(const char *text, enum conf_dmarc_rules rules, const char *expect)
{
	char out[4096], name[512];
	const char *is = read_text(text, strlen(text), rules, out);
	size_t cut;

	snprintf(name, sizeof(name), "%s: %s",
	    rules == DMARC_RFC7489 ? "RFC 7489" : "RFC 9989", text);
	CHECK(name,
	    (is == NULL && expect == NULL) ||
		(is != NULL && expect != NULL && strcmp(is, expect) == 0));
	for (cut = 0; cut < strlen(text); cut++)
		read_text(text, cut, rules, out);
}

static void
test_records(void)
{
	const char *old;
	size_t i;

	for (i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		old = records[i].old;
		if (old != NULL && old[0] == '\0')
			old = records[i].new;
		check_record(records[i].text, DMARC_RFC9989, records[i].new);
		check_record(records[i].text, DMARC_RFC7489, old);
	}
}

/* An address of 255 bytes with its scheme, and one more. */
static void
test_long_rua(void)
{
	char text[512], local[65], domain[256];
	struct dmarc_record r;
	int extra;
	size_t i;

	memset(local, 'l', 64);
	local[64] = '\0';
	for (extra = 0; extra < 2; extra++) {
		size_t n =
		    DMARC_URI_MAX - strlen("mailto:") - 64 - 1 + (size_t)extra;

		for (i = 0; i < n; i++)
			domain[i] = i % 50 == 49 ? '.' : 'd';
		domain[n] = '\0';
		snprintf(text, sizeof(text),
		    "v=DMARC1; p=none; rua=mailto:%s@%s", local, domain);
		CHECK(extra ? "rua: too long" : "rua: longest",
		    dmarc_record_parse(slice_of(text), DMARC_RFC9989, &r) ==
			    NULL &&
			r.n_rua == (extra ? 0 : 1));
	}
}

/* ---- the walk ---- */

/* Columns: domain; where records are, each with its psd=; names that are asked;
 * organization; whose record applies. */
static const struct {
	const char *domain, *records, *asked, *organization, *policy;
} walks[] = {
	/* RFC 9989 4.10: eight queries, the skip to seven labels */
	{ "a.b.c.d.e.f.g.h.i.j.mail.example.com", "",
	    "a.b.c.d.e.f.g.h.i.j.mail.example.com g.h.i.j.mail.example.com "
	    "h.i.j.mail.example.com i.j.mail.example.com j.mail.example.com "
	    "mail.example.com example.com com",
	    "a.b.c.d.e.f.g.h.i.j.mail.example.com", "" },
	/* 4.10.2: the examples */
	{ "a.mail.example.com", "mail.example.com:u example.com:u",
	    "a.mail.example.com mail.example.com example.com com",
	    "example.com", "example.com" },
	{ "a.mail.example.com", "com:y",
	    "a.mail.example.com mail.example.com example.com com",
	    "example.com", "com" },
	/* one label, seven, eight, nine */
	{ "com", "", "com", "com", "" },
	{ "com", "com:u", "com", "com", "com" },
	{ "com", "com:y", "com", "com", "com" },
	{ "1.2.3.4.5.6.7", "",
	    "1.2.3.4.5.6.7 2.3.4.5.6.7 3.4.5.6.7 4.5.6.7 5.6.7 6.7 7",
	    "1.2.3.4.5.6.7", "" },
	{ "1.2.3.4.5.6.7.8", "",
	    "1.2.3.4.5.6.7.8 2.3.4.5.6.7.8 3.4.5.6.7.8 4.5.6.7.8 5.6.7.8 6.7.8 "
	    "7.8 8",
	    "1.2.3.4.5.6.7.8", "" },
	{ "1.2.3.4.5.6.7.8.9", "",
	    "1.2.3.4.5.6.7.8.9 3.4.5.6.7.8.9 4.5.6.7.8.9 5.6.7.8.9 6.7.8.9 "
	    "7.8.9 8.9 9",
	    "1.2.3.4.5.6.7.8.9", "" },
	/* a record that is skipped */
	{ "1.2.3.4.5.6.7.8.9", "2.3.4.5.6.7.8.9:u",
	    "1.2.3.4.5.6.7.8.9 3.4.5.6.7.8.9 4.5.6.7.8.9 5.6.7.8.9 6.7.8.9 "
	    "7.8.9 8.9 9",
	    "1.2.3.4.5.6.7.8.9", "" },
	/* its own record */
	{ "a.example.com", "a.example.com:u", "a.example.com example.com com",
	    "a.example.com", "a.example.com" },
	{ "a.example.com", "a.example.com:u example.com:u",
	    "a.example.com example.com com", "example.com", "a.example.com" },
	{ "a.example.com", "a.example.com:n example.com:u", "a.example.com",
	    "a.example.com", "a.example.com" },
	{ "a.example.com", "a.example.com:y example.com:u", "a.example.com",
	    "a.example.com", "a.example.com" },
	/* psd= above */
	{ "a.b.example.com", "example.com:n com:y",
	    "a.b.example.com b.example.com example.com", "example.com",
	    "example.com" },
	{ "a.b.example.com", "b.example.com:u example.com:n",
	    "a.b.example.com b.example.com example.com", "example.com",
	    "example.com" },
	{ "a.b.example.com", "b.example.com:n example.com:u",
	    "a.b.example.com b.example.com", "b.example.com", "b.example.com" },
	{ "a.b.example.com", "b.example.com:y example.com:u",
	    "a.b.example.com b.example.com", "a.b.example.com",
	    "b.example.com" },
	{ "a.b.example.com", "example.com:u com:y",
	    "a.b.example.com b.example.com example.com com", "example.com",
	    "example.com" },
	{ "a.b.example.com", "b.example.com:u com:y",
	    "a.b.example.com b.example.com example.com com", "example.com",
	    "com" },
	{ "a.b.example.com", "b.example.com:u com:u",
	    "a.b.example.com b.example.com example.com com", "com", "com" },
	{ "example.com", "com:y", "example.com com", "example.com", "com" },
	{ "example.com", "com:n", "example.com com", "com", "com" },
	{ "a.co.uk", "co.uk:y uk:u", "a.co.uk co.uk", "a.co.uk", "co.uk" },
	/* one below a record that nothing was asked for */
	{ "1.2.3.4.5.6.7.8.9", "3.4.5.6.7.8.9:y",
	    "1.2.3.4.5.6.7.8.9 3.4.5.6.7.8.9", "2.3.4.5.6.7.8.9",
	    "3.4.5.6.7.8.9" },
	/* no name, and what is hardly one */
	{ "", "", "", "", "" },
	{ "a..b", "", "a..b .b b", "a..b", "" },
	{ ".", "", ".", ".", "" },
};

/* The record at name that a row says, or NULL. */
static const struct dmarc_record *
record_at(const char *all, const char *name, struct dmarc_record *r)
{
	size_t n = strlen(name);
	const char *p;

	for (p = all; (p = strstr(p, name)) != NULL; p++) {
		if ((p != all && p[-1] != ' ') || p[n] != ':')
			continue;
		memset(r, 0, sizeof(*r));
		r->psd = p[n + 1];
		return r;
	}
	return NULL;
}

static void
test_walks(void)
{
	const struct dmarc_record *own;
	struct dmarc_record r;
	struct dmarc_walk w;
	const char *name;
	char asked[1024];
	size_t i, n;

	for (i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
		n = 0;
		asked[0] = '\0';
		dmarc_walk_begin(&w, walks[i].domain);
		while (w.at != NULL) {
			n += (size_t)snprintf(asked + n, sizeof(asked) - n,
			    "%s%s", n > 0 ? " " : "", w.at);
			dmarc_walk_step(&w,
			    record_at(walks[i].records, w.at, &r));
		}
		CHECK(walks[i].asked, strcmp(asked, walks[i].asked) == 0);
		CHECK(walks[i].domain,
		    strcmp(dmarc_walk_organization(&w),
			walks[i].organization) == 0);
		own = dmarc_walk_own(&w);
		CHECK(walks[i].records,
		    (dmarc_walk_policy(&w, &name) != NULL) ==
			    (walks[i].policy[0] != '\0') &&
			strcmp(name, walks[i].policy) == 0 &&
			(own != NULL) == (name == w.start && name[0] != '\0'));
		dmarc_walk_free(&w);
	}
}

/* A hundred labels: eight queries, all but the first of seven or less. */
static void
test_hundred(void)
{
	char domain[256];
	struct dmarc_walk w;
	unsigned int n = 0;
	size_t len = 0;

	while (len < 200) {
		domain[len++] = 'a';
		domain[len++] = '.';
	}
	domain[len - 1] = '\0';
	dmarc_walk_begin(&w, domain);
	dmarc_walk_step(&w, NULL);
	CHECK("100 labels: on to seven",
	    w.at != NULL && strcmp(w.at, "a.a.a.a.a.a.a") == 0);
	for (; w.at != NULL; n++)
		dmarc_walk_step(&w, NULL);
	CHECK("100 labels: eight queries", n == 7 && w.queries == 8);
	dmarc_walk_free(&w);
}

static void
test_below(void)
{
	CHECK("below: itself", smtp_domain_is_below("a.b", "a.b"));
	CHECK("below: one label", smtp_domain_is_below("c.a.b", "a.b"));
	CHECK("below: another end", !smtp_domain_is_below("ca.b", "a.b"));
	CHECK("below: above", !smtp_domain_is_below("b", "a.b"));
	CHECK("below: beside", !smtp_domain_is_below("c.b", "a.b"));
}

/* ---- the list ---- */

static void
test_list(void)
{
	CHECK("list: not read",
	    dmarc_psl_organization("a.example.com") == NULL);
	CHECK("list: read", dmarc_psl_load() && dmarc_psl_load());
	CHECK("list: below com",
	    strcmp(dmarc_psl_organization("a.b.example.com"), "example.com") ==
		0);
	CHECK("list: below co.uk",
	    strcmp(dmarc_psl_organization("a.example.co.uk"),
		"example.co.uk") == 0);
	CHECK("list: a suffix",
	    strcmp(dmarc_psl_organization("co.uk"), "co.uk") == 0);
	CHECK("list: unknown",
	    strcmp(dmarc_psl_organization("a.b.unknown-tld"),
		"b.unknown-tld") == 0);
	dmarc_psl_free();
	CHECK("list: freed", dmarc_psl_organization("com") == NULL);
}

int
main(void)
{
	test_records();
	test_long_rua();
	test_walks();
	test_hundred();
	test_below();
	test_list();
	return unit_end();
}
