/*
 * common/auth_field.c and auth_field_read.c: the fields as they are written,
 * and those of others as they are read.
 *
 * SPDX-License-Identifier: ISC
 */
#include "unit.h"

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

/* ---- what is said ---- */

static struct spf_answer helo, mail;
static struct dkim_check checks[80];
static struct dkim_verify dkim = { .check = checks };
static struct arc arc;
static struct dmarc_answer dmarc;

static struct auth_say
nothing(void)
{
	memset(&helo, 0, sizeof(helo));
	memset(&mail, 0, sizeof(mail));
	memset(checks, 0, sizeof(checks));
	memset(&arc, 0, sizeof(arc));
	memset(&dmarc, 0, sizeof(dmarc));
	dkim.n = 0;
	return (struct auth_say){ .authserv = "mx.example.org",
		.client = "192.0.2.1",
		.helo_name = "mail.example.net",
		.sender = "a@example.net",
		.author = "example.net" };
}

static void
set_spf(struct spf_answer *a, enum auth_result r, const char *why)
{
	a->result = r;
	snprintf(a->why, sizeof(a->why), "%s", why);
}

static struct dkim_check *
add_dkim(enum auth_result r, const char *domain)
{
	struct dkim_check *c = &checks[dkim.n++];

	c->result = r;
	snprintf(c->domain, sizeof(c->domain), "%s", domain);
	snprintf(c->identity, sizeof(c->identity), "@%s", domain);
	snprintf(c->selector, sizeof(c->selector), "s1");
	snprintf(c->b, sizeof(c->b), "abc+/de=");
	c->alg_known = true;
	return c;
}

/* Each line of a field, without the CRLF, with a '|' in between: what stands
 * in out.  False: a line is broken, or begins like a field of its own. */
static bool
unfold(struct buf *b, char *out, size_t size, size_t *longest)
{
	const char *p = (const char *)buf_data(b), *end = p + b->len;
	size_t n = 0, column = 0;
	bool good = b->len > 2 && memcmp(end - 2, "\r\n", 2) == 0;

	*longest = 0;
	for (; p < end && n < size - 2; p++) {
		unsigned char c = (unsigned char)*p;

		column += c == '\t' ? 8 : 1;
		if (c == '\r') {
			good = good && end - p >= 2 && p[1] == '\n' &&
			    (end - p == 2 || p[2] == '\t');
			p++;
			*longest =
			    column - 1 > *longest ? column - 1 : *longest;
			column = 0;
			if (end - p > 1) {
				out[n++] = '|';
				p++;
				column = 8;
			}
			continue;
		}
		if (c < ' ' || c == 127)
			good = false;
		out[n++] = *p;
	}
	out[n] = '\0';
	return good && n < size - 2;
}

static void
check_print(const char *name,
    bool (*print)(struct buf *, const struct auth_say *),
    const struct auth_say *s, const char *expect)
{
	char text[AUTH_FIELD_MAX + 1];
	struct buf out;
	size_t longest;
	bool good;

	buf_init(&out, 0);
	good = print(&out, s) && unfold(&out, text, sizeof(text), &longest);
	CHECK(name, good && longest <= 78 && strcmp(text, expect) == 0);
	if (!good || strcmp(text, expect) != 0)
		printf("# %s\n", text);
	buf_free(&out);
}

static void
test_none(void)
{
	struct auth_say s = nothing();

	check_print("nothing", auth_field_print, &s,
	    "Authentication-Results: mx.example.org;|none");
	s.authserv = "mx/1; none";
	check_print("authserv-id in quotes", auth_field_print, &s,
	    "Authentication-Results: \"mx/1; none\";|none");
}

static void
test_spf(void)
{
	struct auth_say s = nothing();

	set_spf(&mail, RES_PASS, "ip4:192.0.2.1 matched");
	s.mail = &mail;
	check_print("spf: MAIL FROM", auth_field_print, &s,
	    "Authentication-Results: mx.example.org;|"
	    "spf=pass (ip4:192.0.2.1 matched) smtp.mailfrom=a@example.net");
	set_spf(&helo, RES_NONE, "no record");
	s.helo = &helo;
	check_print("spf: both", auth_field_print, &s,
	    "Authentication-Results: mx.example.org;|"
	    "spf=pass (ip4:192.0.2.1 matched) smtp.mailfrom=a@example.net;|"
	    "spf=none (no record) smtp.helo=mail.example.net");
	s.sender = "";
	check_print("spf: null sender", auth_field_print, &s,
	    "Authentication-Results: mx.example.org;|"
	    "spf=pass (ip4:192.0.2.1 matched) smtp.helo=mail.example.net");
	s.mail = NULL;
	check_print("spf: HELO alone", auth_field_print, &s,
	    "Authentication-Results: mx.example.org;|"
	    "spf=none (no record) smtp.helo=mail.example.net");
}

static void
test_dkim(void)
{
	struct auth_say s = nothing();
	struct dkim_check *c;

	s.dkim = &dkim;
	check_print("dkim: none", auth_field_print, &s,
	    "Authentication-Results: mx.example.org;|dkim=none");
	c = add_dkim(RES_PASS, "example.net");
	c->cut = true;
	c = add_dkim(RES_FAIL, "example.com");
	c->alg = DKIM_ED25519_SHA256;
	c->why = "the body has changed";
	c = add_dkim(RES_PERMERROR, "");
	c->alg_known = false;
	c->identity[0] = c->selector[0] = c->b[0] = '\0';
	c->why = "no d=";
	check_print("dkim: several", auth_field_print, &s,
	    "Authentication-Results: mx.example.org;|"
	    "dkim=pass (a part of the body is not signed) header.d=example.net|"
	    "header.i=@example.net header.s=s1 header.a=rsa-sha256|"
	    "header.b=\"abc+/de=\";|"
	    "dkim=fail reason=\"the body has changed\" header.d=example.com|"
	    "header.i=@example.com header.s=s1 header.a=ed25519-sha256|"
	    "header.b=\"abc+/de=\";|"
	    "dkim=permerror reason=\"no d=\"");
}

static void
test_arc(void)
{
	struct auth_say s = nothing();

	s.arc = &arc;
	arc.is.result = RES_NONE;
	check_print("arc: none", auth_field_print, &s,
	    "Authentication-Results: mx.example.org;|"
	    "arc=none smtp.remote-ip=192.0.2.1");
	arc.is = (struct arc_is){ .result = RES_PASS, .sets = 2, .oldest = 1 };
	s.client = "2001:db8::1";
	check_print("arc: pass", auth_field_print, &s,
	    "Authentication-Results: mx.example.org;|"
	    "arc=pass (i=2) smtp.remote-ip=\"2001:db8::1\" "
	    "header.oldest-pass=1");
	arc.is =
	    (struct arc_is){ .result = RES_FAIL, .sets = 3, .why = "no b=" };
	check_print("arc: fail", auth_field_print, &s,
	    "Authentication-Results: mx.example.org;|"
	    "arc=fail (i=3) reason=\"no b=\" smtp.remote-ip=\"2001:db8::1\"");
}

static void
test_dmarc(void)
{
	struct auth_say s = nothing();

	s.dmarc = &dmarc;
	dmarc.result = RES_NONE;
	check_print("dmarc: none", auth_field_print, &s,
	    "Authentication-Results: mx.example.org;|"
	    "dmarc=none header.from=example.net");
	dmarc.result = RES_FAIL;
	dmarc.policy = DMARC_P_REJECT;
	s.applied = "none (arc)";
	snprintf(dmarc.why, sizeof(dmarc.why), "nothing aligned");
	check_print("dmarc: fail", auth_field_print, &s,
	    "Authentication-Results: mx.example.org;|"
	    "dmarc=fail (p=reject dis=none [arc]) reason=\"nothing aligned\"|"
	    "header.from=example.net policy.dmarc=reject");
	dmarc.result = RES_PASS;
	s.applied = NULL;
	check_print("dmarc: pass", auth_field_print, &s,
	    "Authentication-Results: mx.example.org;|"
	    "dmarc=pass (p=reject) header.from=example.net policy.dmarc=reject");
	memset(&dmarc, 0, sizeof(dmarc));
	dmarc.result = RES_PERMERROR;
	s.author = "";
	s.applied = "reject";
	check_print("dmarc: no author", auth_field_print, &s,
	    "Authentication-Results: mx.example.org;|"
	    "dmarc=permerror (dis=reject)");
}

static void
test_results(void)
{
	struct auth_say s = nothing();
	struct buf out;

	check_print("results: none", auth_field_print, &s,
	    "Authentication-Results: mx.example.org;|none");
	s.dkim = &dkim;
	set_spf(&mail, RES_PASS, "");
	s.mail = &mail;
	buf_init(&out, 40);
	buf_puts(&out, "in front");
	CHECK("results: no room", !auth_field_print(&out, &s) && out.len == 8);
	buf_free(&out);
}

/* Columns: what was said, how it stands behind smtp.mailfrom=. */
static const struct {
	const char *sender, *value;
} values[] = {
	{ "a.b+c=d@example.net", "a.b+c=d@example.net" },
	{ "@example.net", "@example.net" },
	{ "a/b!c{d}@ex-ample.net", "a/b!c{d}@ex-ample.net" },
	{ "a@b@c", "\"a@b@c\"" },
	{ ".a@example.net", "\".a@example.net\"" },
	{ "a..b@example.net", "\"a..b@example.net\"" },
	{ "\"a b\"@example.net", "\"\\\"a b\\\"@example.net\"" },
	{ "a\\b", "\"a\\\\b\"" },
	{ "a@[192.0.2.1]", "\"a@[192.0.2.1]\"" },
	{ "a;dkim=pass", "\"a;dkim=pass\"" },
	{ "a (b)", "\"a (b)\"" },
	{ "a@", "\"a@\"" },
	{ "a\r\nX: y", "\"a??X: y\"" },
	{ "a\x7f\x01@b", "a??@b" },
	{ "\xc3\xa4@b\xc3\xbc.example", "\"\xc3\xa4@b\xc3\xbc.example\"" },
	{ "a\xff@b.example", "a?@b.example" },
};

static void
test_values(void)
{
	char expect[512];
	struct auth_say s = nothing();
	size_t i;

	s.mail = &mail;
	set_spf(&mail, RES_FAIL, "");
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		s.sender = values[i].sender;
		snprintf(expect, sizeof(expect),
		    "Authentication-Results: mx.example.org;|"
		    "spf=fail smtp.mailfrom=%s",
		    values[i].value);
		check_print(values[i].value, auth_field_print, &s, expect);
	}
	s.sender = "";
	s.helo_name = "m\xc3\xa4il; x";
	check_print("8-bit in a name", auth_field_print, &s,
	    "Authentication-Results: mx.example.org;|"
	    "spf=fail smtp.helo=\"m??il; x\"");
	set_spf(&mail, RES_FAIL, "a) ; dkim=pass (\"\\\r\n\tX: \xc3\xa4  b ");
	s.helo_name = "h";
	check_print("a comment", auth_field_print, &s,
	    "Authentication-Results: mx.example.org;|"
	    "spf=fail (a] , dkim=pass ['/???X: ?? b) smtp.helo=h");
	set_spf(&mail, RES_FAIL, " ");
	check_print("a comment of blanks", auth_field_print, &s,
	    "Authentication-Results: mx.example.org;|"
	    "spf=fail () smtp.helo=h");
}

/* ---- too much ---- */

static void
test_much(void)
{
	char text[AUTH_FIELD_MAX + 1], sender[1000];
	struct auth_say s = nothing();
	struct dkim_check *c;
	struct buf out;
	size_t longest;
	int i;

	memset(sender, '"', sizeof(sender) - 1);
	sender[sizeof(sender) - 1] = '\0';
	s.sender = s.author = s.helo_name = s.client = sender;
	set_spf(&mail, RES_FAIL, sender);
	set_spf(&helo, RES_FAIL, sender);
	memcpy(dmarc.why, sender, sizeof(dmarc.why) - 1);
	s.mail = &mail;
	s.helo = &helo;
	s.dkim = &dkim;
	s.arc = &arc;
	arc.is = (struct arc_is){ .result = RES_FAIL, .why = sender };
	s.dmarc = &dmarc;
	dmarc.result = RES_FAIL;
	for (i = 0; i < 64; i++) {
		c = add_dkim(RES_FAIL, "");
		memcpy(c->domain, sender, sizeof(c->domain) - 1);
		memcpy(c->selector, sender, sizeof(c->selector) - 1);
		memcpy(c->identity, sender, sizeof(c->identity) - 1);
		c->why = sender;
	}
	buf_init(&out, 0);
	CHECK("much: a field",
	    auth_field_print(&out, &s) && out.len <= AUTH_FIELD_MAX &&
		unfold(&out, text, sizeof(text), &longest) && longest < 998);
	CHECK("much: signatures are left out, the rest is not",
	    strstr(text, "dkim=fail") != NULL &&
		strstr(text, "arc=fail") != NULL &&
		strstr(text, "dmarc=fail") != NULL);
	buf_free(&out);
	for (i = 0; i < 64; i++)
		checks[i] = checks[64];
	dkim.n = 0;
	for (i = 0; i < 64; i++)
		add_dkim(RES_PASS, "example.net");
	set_spf(&mail, RES_FAIL, "");
	s.sender = "a@b.example";
	buf_init(&out, 0);
	auth_field_print(&out, &s);
	unfold(&out, text, sizeof(text), &longest);
	for (i = 0; (c = NULL, strstr(text, "dkim=pass")) != NULL; i++)
		memcpy(strstr(text, "dkim=pass"), "x", 1);
	CHECK("much: at most DKIM_VERIFY_MAX", i == DKIM_VERIFY_MAX);
	buf_free(&out);
	dkim.n = 0;
	for (i = 0; i < DKIM_VERIFY_MAX; i++)
		add_dkim(RES_PERMERROR, "");
	add_dkim(RES_PASS, "example.net");
	buf_init(&out, 0);
	auth_field_print(&out, &s);
	unfold(&out, text, sizeof(text), &longest);
	CHECK("much: what passes is not hidden",
	    strstr(text, "dkim=pass") != NULL);
	for (i = 0; (c = NULL, strstr(text, "dkim=perm")) != NULL; i++)
		memcpy(strstr(text, "dkim=perm"), "x", 1);
	CHECK("much: by those that do not", i == DKIM_VERIFY_MAX - 1);
	buf_free(&out);
}

/* ---- Received-SPF ---- */

static void
test_received(void)
{
	struct auth_say s = nothing();
	struct buf out;

	buf_init(&out, 0);
	CHECK("Received-SPF: nothing",
	    auth_field_spf(&out, &s) && out.len == 0);
	set_spf(&mail, RES_PASS, "it may send as example.net");
	snprintf(mail.mechanism, sizeof(mail.mechanism), "ip4:192.0.2.0/24");
	s.mail = &mail;
	check_print("Received-SPF: pass", auth_field_spf, &s,
	    "Received-SPF: pass (mx.example.org: it may send as example.net)|"
	    "receiver=mx.example.org; client-ip=192.0.2.1;|"
	    "envelope-from=\"a@example.net\"; helo=mail.example.net;|"
	    "identity=mailfrom; mechanism=\"ip4:192.0.2.0/24\"");
	s.sender = "";
	s.client = "2001:db8::1";
	mail.mechanism[0] = '\0';
	set_spf(&mail, RES_TEMPERROR, "(SERVFAIL)");
	check_print("Received-SPF: null sender", auth_field_spf, &s,
	    "Received-SPF: temperror (mx.example.org: [SERVFAIL]) "
	    "receiver=mx.example.org;|"
	    "client-ip=\"2001:db8::1\"; envelope-from=\"\"; "
	    "helo=mail.example.net;|"
	    "identity=helo; problem=\"(SERVFAIL)\"");
	s.mail = NULL;
	s.helo = &helo;
	s.sender = "a@\r\nb";
	set_spf(&helo, RES_NONE, "no record");
	check_print("Received-SPF: HELO", auth_field_spf, &s,
	    "Received-SPF: none (mx.example.org: no record) "
	    "receiver=mx.example.org;|"
	    "client-ip=\"2001:db8::1\"; envelope-from=\"a@??b\"; "
	    "helo=mail.example.net;|identity=helo");
	buf_free(&out);
}

/* ---- reading ---- */

/* Columns: value of a field; authserv-id; the rest; entries, "method=result
 * name=value ...|". */
static const struct {
	const char *value, *id, *rest, *entries;
} fields[] = {
	/* RFC 8601 B.1 to B.6 */
	{ " example.org 1; none", "example.org", "none", "" },
	{ " example.com;\r\n          spf=pass smtp.mailfrom=example.net\r\n",
	    "example.com", "spf=pass smtp.mailfrom=example.net",
	    "spf=pass smtp.mailfrom=example.net|" },
	{ " example.com;\r\n auth=pass (cram-md5) smtp.auth=sender@example.net;"
	  "\r\n spf=pass smtp.mailfrom=example.net",
	    "example.com",
	    "auth=pass (cram-md5) smtp.auth=sender@example.net;"
	    "\r\n spf=pass smtp.mailfrom=example.net",
	    "auth=pass smtp.auth=sender@example.net|"
	    "spf=pass smtp.mailfrom=example.net|" },
	{ " example.com;\r\n dkim=pass (good signature) header.d=example.com",
	    "example.com", "dkim=pass (good signature) header.d=example.com",
	    "dkim=pass header.d=example.com|" },
	{ " foo.example.net (foobar) 1 (baz);\r\n"
	  "    dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n"
	  "      policy (A dot can go here) . (like that) expired\r\n"
	  "      (this surprised me) = (as I wasn't expecting it) 1362471462",
	    "foo.example.net",
	    "dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n"
	    "      policy (A dot can go here) . (like that) expired\r\n"
	    "      (this surprised me) = (as I wasn't expecting it) 1362471462",
	    "dkim=fail policy.expired=1362471462|" },
	/* as large providers write it */
	{ " mx.example.com;\r\n dkim=pass header.i=@x.example header.s=a "
	  "header.b=Ab/c+d9;\r\n spf=pass (example.com: domain of a@x.example "
	  "designates 192.0.2.1 as permitted sender) smtp.mailfrom=a@x.example;"
	  "\r\n dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=x.example",
	    "mx.example.com", NULL,
	    "dkim=pass header.i=@x.example header.s=a header.b=Ab/c+d9|"
	    "spf=pass smtp.mailfrom=a@x.example|"
	    "dmarc=pass header.from=x.example|" },
	{ " mx; spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=x.example;"
	  "dmarc=pass action=none header.from=x.example;compauth=pass reason=100",
	    "mx", NULL,
	    "spf=pass smtp.mailfrom=x.example|dmarc=pass header.from=x.example|"
	    "compauth=pass|" },
	/* quotes, comments, letters */
	{ "\"mx.example.org\";none", "mx.example.org", "none", "" },
	{ "\"mx \\\"1\\\"; (a)\" 1 ;none", "mx \"1\"; (a)", "none", "" },
	{ "(a (b) \\) c) MX.Example.Org(x);none", "MX.Example.Org", "none",
	    "" },
	{ "mx.(a)example.(b)org; none", "mx.", "none", "" },
	{ "mx.\"example\".org; none", "mx.", "none", "" },
	/* versions: there is but one */
	{ "mx 2; spf=pass", "mx", "", "" },
	{ "mx v; spf=pass", "mx", "", "" },
	{ "mx (c) 1 (d) ; spf/1=pass; dkim/2=pass; arc / 1 = pass", "mx", NULL,
	    "spf=pass|arc=pass|" },
	{ "mx (;) 1; SPF=Pass SMTP.MailFrom=\"a;b\"@c.example", "mx", NULL,
	    "spf=pass smtp.mailfrom=a;b@c.example|" },
	{ "mx; dkim=fail reason=\"a; dkim=pass header.d=x\" header.d=y", "mx",
	    NULL, "dkim=fail header.d=y|" },
	{ "mx; dkim=fail (dkim=pass; header.d=x) header.d=y", "mx", NULL,
	    "dkim=fail header.d=y|" },
	{ "mx; x_y-1=a-b p_1.q-2=v", "mx", NULL, "x_y-1=a-b p_1.q-2=v|" },
	/* what cannot be read is passed over */
	{ "mx; = ; spf; spf= ; spf/=pass; dkim=pass header.d=x", "mx", NULL,
	    "dkim=pass header.d=x|" },
	{ "mx; dkim=pass header. =x header.d=y; spf=pass", "mx", NULL,
	    "dkim=pass|spf=pass|" },
	{ "mx; dkim=pass <x> header.d=y; spf=pass", "mx", NULL,
	    "dkim=pass|spf=pass|" },
	{ "mx;;; spf=pass;", "mx", NULL, "spf=pass|" },
	{ "mx; dkim=pass header.d=", "mx", NULL, "dkim=pass header.d=|" },
	{ "mx; dkim=pass header.d=\"x", "mx", NULL, "dkim=pass header.d=x|" },
	{ "mx; dkim=pass header.d=x (y; spf=pass", "mx", NULL,
	    "dkim=pass header.d=x|" },
	{ "mx; dkim=pass header.d=x\\", "mx", NULL, "dkim=pass header.d=x\\|" },
	{ "mx; a=b p.1=1 p.2=2 p.3=3 p.4=4 p.5=5 p.6=6 p.7=7 p.8=8 p.9=9; c=d",
	    "mx", NULL,
	    "a=b p.1=1 p.2=2 p.3=3 p.4=4 p.5=5 p.6=6 p.7=7 p.8=8|c=d|" },
	{ "mx; averyverylongmethod=pass a.b=c", "mx", NULL,
	    "averyverylongme=pass a.b=c|" },
	/* not even that */
	{ "", "", "", "" },
	{ " ", "", "", "" },
	{ "mx", "mx", "", "" },
	{ "mx 1", "mx", "", "" },
	{ "; spf=pass", "", "spf=pass", "spf=pass|" },
	{ "(mx; spf=pass", "", "", "" },
	{ "\"mx; spf=pass", "mx; spf=pass", "", "" },
	{ "mx (; spf=pass", "mx", "", "" },
};

static void
print_entries(struct slice rest, char *out, size_t size)
{
	struct auth_entry e;
	unsigned int i;
	size_t n = 0;

	out[0] = '\0';
	while (auth_field_next(&rest, &e) && n < size) {
		n += (size_t)snprintf(out + n, size - n, "%s=%s", e.method,
		    e.result);
		for (i = 0; i < e.n_prop && n < size; i++)
			n += (size_t)snprintf(out + n, size - n, " %s=%s",
			    e.prop[i].name, e.prop[i].value);
		if (n < size)
			n += (size_t)snprintf(out + n, size - n, "|");
	}
}

static void
test_fields(void)
{
	char id[DOMAIN_MAX + 1], out[2048], name[32];
	struct slice value, rest;
	size_t i, cut, len;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		len = strlen(fields[i].value);
		for (cut = 0; cut <= len; cut++) {
			value =
			    (struct slice){ unit_guard(fields[i].value, cut),
				    cut };
			auth_field_id(value, id);
			print_entries(auth_field_rest(value), out, sizeof(out));
		}
		snprintf(name, sizeof(name), "field %zu", i);
		CHECK(name,
		    slice_eq(auth_field_id(value, id), slice_of(fields[i].id)));
		rest = auth_field_rest(value);
		CHECK(name,
		    fields[i].rest == NULL ||
			slice_eq(rest, slice_of(fields[i].rest)));
		CHECK(name, strcmp(out, fields[i].entries) == 0);
		if (strcmp(out, fields[i].entries) != 0)
			printf("# %s\n", out);
	}
}

/* As one reads it who drops comments and quotes before he looks. */
static void
test_loose(void)
{
	static const struct {
		const char *value, *id;
	} rows[] = {
		{ "mx.(a)example.(b)org; none", "mx.example.org" },
		{ "mx.\"example\".org; none", "mx.example.org" },
		{ "\"mx\".example.org; none", "mx.example.org" },
		{ "mx.example.org(a)b; none", "mx.example.orgb" },
		{ " (a) mx.example.org 1; none", "mx.example.org" },
		{ "", "" },
	};
	char id[DOMAIN_MAX + 1];
	struct slice value;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		value.len = strlen(rows[i].value);
		value.p = unit_guard(rows[i].value, value.len);
		CHECK(rows[i].value,
		    slice_eq(auth_field_id_loose(value, id),
			slice_of(rows[i].id)));
	}
}

static void
test_bounds(void)
{
	static const char nul[] =
	    "mx\0evil; dmarc=pass header.from=a.example\0x";
	char text[1024], id[DOMAIN_MAX + 1];
	struct slice value = { text, 0 }, rest;
	struct auth_entry e;

	memset(text, 'a', sizeof(text));
	value.len = DOMAIN_MAX;
	CHECK("id: longest", auth_field_id(value, id).len == DOMAIN_MAX);
	value.len = DOMAIN_MAX + 1;
	CHECK("id: too long", auth_field_id(value, id).len == 0);
	memcpy(text, "a=b c.d=", 8);
	rest = (struct slice){ text, sizeof(text) };
	CHECK("value: too long", auth_field_next(&rest, &e) && e.n_prop == 0);
	rest = (struct slice){ text, 8 + ADDR_MAX };
	CHECK("value: longest",
	    auth_field_next(&rest, &e) && e.n_prop == 1 &&
		strlen(e.prop[0].value) == ADDR_MAX);
	value = (struct slice){ nul, sizeof(nul) - 1 };
	CHECK("NUL in the id",
	    slice_eq(auth_field_id(value, id), SLICE("mx?evil")));
	rest = auth_field_rest(value);
	CHECK("NUL in a value",
	    auth_field_next(&rest, &e) && e.n_prop == 1 &&
		strcmp(e.prop[0].value, "a.example?x") == 0);
}

/* What is written is read again. */
static void
test_again(void)
{
	struct auth_say s = nothing();
	char out[2048], id[DOMAIN_MAX + 1];
	struct slice value;
	struct buf b;

	set_spf(&mail, RES_SOFTFAIL, "not; (one) \"of\" them");
	s.mail = &mail;
	s.sender = "\"a; b\"@example.net";
	s.dkim = &dkim;
	add_dkim(RES_PASS, "example.net");
	arc.is = (struct arc_is){ .result = RES_PASS, .sets = 1 };
	s.arc = &arc;
	s.client = "2001:db8::1";
	dmarc.result = RES_PASS;
	dmarc.policy = DMARC_P_QUARANTINE;
	s.dmarc = &dmarc;
	s.applied = "none";
	buf_init(&b, 0);
	auth_field_print(&b, &s);
	value.p = memchr(buf_data(&b), ':', b.len);
	value.p++;
	value.len = b.len - (size_t)(value.p - (const char *)buf_data(&b));
	print_entries(auth_field_rest(value), out, sizeof(out));
	CHECK("again: authserv-id",
	    slice_eq(auth_field_id(value, id), SLICE("mx.example.org")));
	CHECK("again: entries",
	    strcmp(out,
		"spf=softfail smtp.mailfrom=\"a; b\"@example.net|"
		"dkim=pass header.d=example.net header.i=@example.net "
		"header.s=s1 header.a=rsa-sha256 header.b=abc+/de=|"
		"arc=pass smtp.remote-ip=2001:db8::1 header.oldest-pass=0|"
		"dmarc=pass header.from=example.net policy.dmarc=quarantine|") ==
		0);
	buf_free(&b);
}

int
main(void)
{
	test_none();
	test_spf();
	test_dkim();
	test_arc();
	test_dmarc();
	test_results();
	test_values();
	test_much();
	test_received();
	test_fields();
	test_loose();
	test_bounds();
	test_again();
	return unit_end();
}
