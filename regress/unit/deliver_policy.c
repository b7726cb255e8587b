/*
 * deliver/policy.c: what is wanted of a host, by what the configuration says
 * of its destination, its action and its URL.
 *
 * SPDX-License-Identifier: ISC
 */
#include "policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_image.h"
#include "deliver.h"
#include "unit.h"

#define DEST "x.test"

enum { PLAIN_AUTH = 1, INSECURE = 2 };

/* clang-format off */
/*
 * Columns: `tls domain` of the destination, `tls` of the action, scheme (MX:
 * none), whether it logs in and may do so insecurely; level that is wanted,
 * from the first byte, who says so.
 */
#define MX SCHEME_SMTP
static const struct {
	enum conf_tls_level rule;
	enum conf_relay_tls tls;
	bool mx;
	enum conf_scheme scheme;
	int login;
	enum conf_tls_level level;
	bool implicit;
	const char *source;
} rows[] = {
#define UNSAID TLS_LEVEL_UNSAID
#define NO TLS_LEVEL_NO
#define MAY TLS_LEVEL_MAY
#define REQUIRE TLS_LEVEL_REQUIRE
#define VERIFY TLS_LEVEL_VERIFY
	/* nothing is said */
	{ UNSAID, RELAY_TLS_UNSAID, true, MX, 0, MAY, false, "default" },
	{ UNSAID, RELAY_TLS_UNSAID, false, SCHEME_SMTP, 0, MAY, false, "default" },
	{ UNSAID, RELAY_TLS_UNSAID, false, SCHEME_SMTP_TLS, 0, VERIFY, false, "url" },
	{ UNSAID, RELAY_TLS_UNSAID, false, SCHEME_SMTP_NOTLS, 0, NO, false, "url" },
	{ UNSAID, RELAY_TLS_UNSAID, false, SCHEME_SMTPS, 0, VERIFY, true, "url" },
	{ UNSAID, RELAY_TLS_UNSAID, false, SCHEME_LMTP, 0, MAY, false, "default" },
	/* the action says */
	{ UNSAID, RELAY_TLS, true, MX, 0, VERIFY, false, "action" },
	{ UNSAID, RELAY_TLS, false, SCHEME_SMTP, 0, VERIFY, false, "action" },
	{ UNSAID, RELAY_TLS, false, SCHEME_SMTP_NOTLS, 0, VERIFY, false, "action" },
	{ UNSAID, RELAY_TLS, false, SCHEME_LMTP, 0, VERIFY, false, "action" },
	{ UNSAID, RELAY_TLS_NO_VERIFY, true, MX, 0, REQUIRE, false, "action" },
	{ UNSAID, RELAY_TLS_NO_VERIFY, false, SCHEME_SMTP, 0, REQUIRE, false, "action" },
	{ UNSAID, RELAY_TLS_NO_VERIFY, false, SCHEME_SMTP_TLS, 0, REQUIRE, false, "action" },
	{ UNSAID, RELAY_TLS_NO_VERIFY, false, SCHEME_SMTPS, 0, REQUIRE, true, "action" },
	/* the destination says */
	{ NO, RELAY_TLS_UNSAID, true, MX, 0, NO, false, "tls" },
	{ NO, RELAY_TLS, true, MX, 0, NO, false, "tls" },
	{ NO, RELAY_TLS, false, SCHEME_SMTP_TLS, 0, NO, false, "tls" },
	{ NO, RELAY_TLS_UNSAID, false, SCHEME_SMTPS, 0, REQUIRE, true, "tls" },
	{ MAY, RELAY_TLS, true, MX, 0, MAY, false, "tls" },
	{ MAY, RELAY_TLS_UNSAID, false, SCHEME_SMTP_TLS, 0, MAY, false, "tls" },
	{ MAY, RELAY_TLS_UNSAID, false, SCHEME_SMTP_NOTLS, 0, MAY, false, "tls" },
	{ MAY, RELAY_TLS_UNSAID, false, SCHEME_SMTPS, 0, REQUIRE, true, "tls" },
	{ REQUIRE, RELAY_TLS_UNSAID, true, MX, 0, REQUIRE, false, "tls" },
	{ REQUIRE, RELAY_TLS, true, MX, 0, REQUIRE, false, "tls" },
	{ REQUIRE, RELAY_TLS_UNSAID, false, SCHEME_SMTPS, 0, REQUIRE, true, "tls" },
	{ VERIFY, RELAY_TLS_UNSAID, true, MX, 0, VERIFY, false, "tls" },
	{ VERIFY, RELAY_TLS_NO_VERIFY, true, MX, 0, VERIFY, false, "tls" },
	{ VERIFY, RELAY_TLS_UNSAID, false, SCHEME_SMTP_NOTLS, 0, VERIFY, false, "tls" },
	/* a password is for who is known */
	{ UNSAID, RELAY_TLS_UNSAID, false, SCHEME_SMTP, PLAIN_AUTH, VERIFY, false, "login" },
	{ UNSAID, RELAY_TLS_UNSAID, false, SCHEME_SMTP_TLS, PLAIN_AUTH, VERIFY, false, "url" },
	{ UNSAID, RELAY_TLS_UNSAID, false, SCHEME_SMTPS, PLAIN_AUTH, VERIFY, true, "url" },
	{ UNSAID, RELAY_TLS_UNSAID, false, SCHEME_SMTP_NOTLS, PLAIN_AUTH, VERIFY, false, "login" },
	{ UNSAID, RELAY_TLS_UNSAID, false, SCHEME_LMTP, PLAIN_AUTH, VERIFY, false, "login" },
	{ UNSAID, RELAY_TLS_NO_VERIFY, false, SCHEME_SMTP, PLAIN_AUTH, VERIFY, false, "login" },
	{ UNSAID, RELAY_TLS_NO_VERIFY, false, SCHEME_SMTPS, PLAIN_AUTH, VERIFY, true, "login" },
	{ NO, RELAY_TLS_UNSAID, false, SCHEME_SMTP, PLAIN_AUTH, VERIFY, false, "login" },
	{ MAY, RELAY_TLS_UNSAID, false, SCHEME_SMTP, PLAIN_AUTH, VERIFY, false, "login" },
	{ REQUIRE, RELAY_TLS_UNSAID, false, SCHEME_SMTP, PLAIN_AUTH, VERIFY, false, "login" },
	{ VERIFY, RELAY_TLS_UNSAID, false, SCHEME_SMTP, PLAIN_AUTH, VERIFY, false, "tls" },
	/* unless somebody says so */
	{ UNSAID, RELAY_TLS_UNSAID, false, SCHEME_SMTP, INSECURE, MAY, false, "default" },
	{ UNSAID, RELAY_TLS_UNSAID, false, SCHEME_SMTP_NOTLS, INSECURE, NO, false, "url" },
	{ UNSAID, RELAY_TLS_UNSAID, false, SCHEME_SMTP_TLS, INSECURE, VERIFY, false, "url" },
	{ UNSAID, RELAY_TLS_NO_VERIFY, false, SCHEME_SMTP_TLS, INSECURE, REQUIRE, false, "action" },
	{ UNSAID, RELAY_TLS_NO_VERIFY, false, SCHEME_SMTPS, INSECURE, REQUIRE, true, "action" },
	{ NO, RELAY_TLS, false, SCHEME_SMTP, INSECURE, NO, false, "tls" },
};
/* clang-format on */

/* A configuration of one action, and a rule for the destination; other rules
 * stand around it. */
static struct conf *
make(const struct conf_action *action, const struct conf_tls *rule)
{
	struct conf *c = image_new();
	struct conf_entry name[3] = { { .key = image_text(c, "other.test") },
		{ .key = image_text(c, DEST) },
		{ .key = image_text(c, "*.test") } };
	struct conf_action a = *action;
	struct conf_tls t[3];

	a.method = METHOD_RELAY;
	a.at.line = 10;
	image_rows(c, &c->action, &a, 1, sizeof a);
	memset(t, 0, sizeof t);
	t[1] = *rule;
	t[0].level = TLS_LEVEL_NO;
	t[2].level = rule->level == NO ? VERIFY : NO;
	t[0].at.line = 1;
	t[1].at.line = 2;
	t[2].at.line = 3;
	image_rows(c, &t[0].domain, &name[0], 1, sizeof name[0]);
	image_rows(c, &t[1].domain, &name[1], 1, sizeof name[0]);
	image_rows(c, &t[2].domain, &name[2], 1, sizeof name[0]);
	image_rows(c, &c->tls, t, rule->level == UNSAID ? 1 : 3, sizeof t[0]);
	return c;
}

static void
test_levels(void)
{
	struct policy_about about = { .dest = DEST, .host = "mx.x.test" };
	struct conf_action a;
	struct tls_want w;
	struct conf_tls t;
	struct conf *c;
	char name[100];
	uint32_t line;
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		a = (struct conf_action){ .tls = rows[i].tls,
			.auth_insecure = rows[i].login == INSECURE };
		t = (struct conf_tls){ .level = rows[i].rule };
		c = make(&a, &t);
		about.mx = rows[i].mx;
		about.scheme = rows[i].scheme;
		about.login = rows[i].login != 0;
		policy_conf(c, &about, &w);
		snprintf(name, sizeof name, "policy: row %zu", i);
		CHECK(name,
		    w.level == rows[i].level &&
			w.implicit == rows[i].implicit &&
			strcmp(w.source, rows[i].source) == 0);
		line = strcmp(rows[i].source, "default") == 0 ? 0 :
		    strcmp(rows[i].source, "tls") == 0        ? 2 :
								10;
		CHECK("policy: the line that said so",
		    line == 0 ? w.at == NULL :
				w.at != NULL && w.at->line == line);
		free(c);
	}
}

/* What one MX says of its scheme is nothing. */
static void
test_mx(void)
{
	struct policy_about about = { .dest = DEST,
		.mx = true,
		.scheme = SCHEME_SMTPS };
	struct conf *c =
	    make(&(struct conf_action){ 0 }, &(struct conf_tls){ 0 });
	struct tls_want w;

	policy_conf(c, &about, &w);
	CHECK("policy: an MX has no scheme", w.level == MAY && !w.implicit);
	about.dest = "";
	policy_conf(c, &about, &w);
	CHECK("policy: no destination", w.level == MAY);
	free(c);
}

/* ---- how it is spoken ---- */

/* The texts of an action and a rule, either may be NULL. */
static struct conf *
make_how(bool of_action, bool of_rule)
{
	struct conf_action a = { 0 };
	struct conf_tls t = { .level = VERIFY };
	struct conf *c = make(&a, &t);
	struct conf_action *ca =
	    (struct conf_action *)(uintptr_t)CONF_ACTION(c, 0);
	struct conf_tls *ct = (struct conf_tls *)(uintptr_t)CONF_TLS(c, 1);
	struct conf_pki pki[3] = { { .name = image_text(c, "none.test") },
		{ .name = image_text(c, "action.test") },
		{ .name = image_text(c, "rule.test") } };
	struct conf_ca cas[2] = { { .name = image_text(c, "house") },
		{ .name = image_text(c, "world") } };

	image_rows(c, &c->pki, pki, 3, sizeof pki[0]);
	image_rows(c, &c->ca, cas, 2, sizeof cas[0]);
	if (of_action) {
		ca->pki = image_text(c, "Action.test");
		ca->ca = cas[0].name;
		ca->ciphers = image_text(c, "AC");
		ca->protocols = image_text(c, "tlsv1.2");
	}
	if (of_rule) {
		ct->pki = pki[2].name;
		ct->ca = cas[1].name;
		ct->ciphers = image_text(c, "RC");
		ct->protocols = image_text(c, "tlsv1.3");
	}
	return c;
}

static void
test_how(void)
{
	/* Columns: action says, rule says, ca, pki, ciphers, protocols. */
	static const struct {
		bool action, rule;
		uint32_t ca, pki;
		const char *ciphers, *protocols;
	} hows[] = {
		{ false, false, CONF_NONE, CONF_NONE, "", "" },
		{ true, false, 0, 1, "AC", "tlsv1.2" },
		{ false, true, 1, 2, "RC", "tlsv1.3" },
		{ true, true, 1, 2, "RC", "tlsv1.3" },
	};
	struct policy_about about = { .dest = DEST, .mx = true };
	struct tls_want w;
	struct conf *c;
	size_t i;

	for (i = 0; i < sizeof hows / sizeof hows[0]; i++) {
		c = make_how(hows[i].action, hows[i].rule);
		policy_conf(c, &about, &w);
		CHECK("policy: how",
		    w.ca == hows[i].ca && w.pki == hows[i].pki &&
			strcmp(w.ciphers, hows[i].ciphers) == 0 &&
			strcmp(w.protocols, hows[i].protocols) == 0);
		free(c);
	}
}

/* ---- names ---- */

static void
test_names(void)
{
	struct conf *c = make(&(struct conf_action){ 0 },
	    &(struct conf_tls){ .level = VERIFY });
	struct conf_tls *rule = (struct conf_tls *)(uintptr_t)CONF_TLS(c, 1);
	struct conf_entry names[2] = { { .key = image_text(c, "a.test") },
		{ .key = image_text(c, "*.b.test") } };
	struct policy_about about = { .dest = DEST, .mx = true };
	struct tls_want w, v;

	policy_conf(c, &about, &w);
	CHECK("policy: no names: the host's own", w.name.n == 0);
	image_rows(c, &rule->name, names, 2, sizeof names[0]);
	policy_conf(c, &about, &v);
	CHECK("policy: names", v.name.n == 2 && v.name.off == rule->name.off);
	CHECK("policy: another want by its names",
	    !policy_same(&v, &w) && policy_same(&v, &v));
	rule->level = REQUIRE;
	policy_conf(c, &about, &w);
	CHECK("policy: names are of verify alone", w.name.n == 0);
	about.login = true;
	policy_conf(c, &about, &w);
	CHECK("policy: a login has the rule's names",
	    w.level == VERIFY && w.name.n == 2 && policy_same(&v, &w));
	free(c);
}

static void
test_same(void)
{
	const struct tls_want a = { .level = MAY,
		.ca = CONF_NONE,
		.pki = CONF_NONE,
		.ciphers = "",
		.protocols = "",
		.source = "default" };
	struct tls_want b = a;

	b.source = "tls";
	CHECK("same: whoever said it", policy_same(&a, &b));
	b.level = REQUIRE;
	CHECK("same: not of another level", !policy_same(&a, &b));
	b = a;
	b.implicit = true;
	CHECK("same: not from the first byte", !policy_same(&a, &b));
	b = a;
	b.ca = 0;
	CHECK("same: not of other authorities", !policy_same(&a, &b));
	b = a;
	b.pki = 0;
	CHECK("same: not with a certificate", !policy_same(&a, &b));
	b = a;
	b.ciphers = "X";
	CHECK("same: not of other ciphers", !policy_same(&a, &b));
	b = a;
	b.protocols = "X";
	CHECK("same: not of other versions", !policy_same(&a, &b));
}

/* ---- asking ---- */

static struct loop *the_loop;
static int answers;
static bool refused;
static struct outcome refusal;
static struct tls_want answer;

static void
on_answer(void *arg, const struct tls_want *want, const struct outcome *why)
{
	struct policy_ask *a = arg;

	answers += want == &a->want;
	answer = *want;
	if ((refused = why != NULL))
		refusal = *why;
	loop_stop(the_loop);
}

static void
on_late(void *arg)
{
	(void)arg;
	loop_stop(the_loop);
}

static void
run_for(msec ms)
{
	struct timer late = { 0 };

	timer_set(the_loop, &late, ms, on_late, NULL);
	loop_run(the_loop);
	timer_clear(&late);
}

static void
test_ask(void)
{
	struct conf *c = make_how(true, true);
	struct policy_about about = { .dest = DEST, .mx = true };
	struct proc proc = { 0 };
	struct deliver d = { .conf = c, .p = &proc };
	struct policy_ask ask = { 0 };

	proc.loop = the_loop = loop_new();
	policy_ask(&d, &ask, &about, on_answer, &ask);
	CHECK("ask: not at once", answers == 0);
	run_for(2000);
	CHECK("ask: from the loop",
	    answers == 1 && !refused && answer.level == VERIFY);
	policy_ask(&d, &ask, &about, on_answer, &ask);
	policy_cancel(&ask);
	run_for(50);
	CHECK("ask: not after it was cancelled", answers == 1);
	c->ca.n = 1;
	policy_ask(&d, &ask, &about, on_answer, &ask);
	run_for(2000);
	CHECK("ask: a ca that is not there",
	    answers == 2 && refused && refusal.verdict == LATER &&
		refusal.cause == CAUSE_CONFIG &&
		refusal.stage == STAGE_POLICY &&
		strstr(refusal.text, "no ca \"world\"") != NULL);
	c->ca.n = 2;
	c->pki.n = 2;
	policy_ask(&d, &ask, &about, on_answer, &ask);
	run_for(2000);
	CHECK("ask: a pki that is not there",
	    answers == 3 && refused &&
		strstr(refusal.text, "no pki \"rule.test\"") != NULL);
	((struct conf_tls *)(uintptr_t)CONF_TLS(c, 1))->level = NO;
	policy_ask(&d, &ask, &about, on_answer, &ask);
	run_for(2000);
	CHECK("ask: nothing is missed where there is no TLS",
	    answers == 4 && !refused && answer.level == NO);
	loop_free(&the_loop);
	free(c);
}

/* ---- all ways ---- */

static bool
on_each(void *arg, const struct tls_want *want)
{
	unsigned int *seen = arg;

	seen[want->level]++;
	return true;
}

static bool
on_first(void *arg, const struct tls_want *want)
{
	unsigned int *n = arg;

	(void)want;
	++*n;
	return false;
}

static void
test_each(void)
{
	unsigned int seen[VERIFY + 1] = { 0 }, n = 0;
	struct conf *c = make_how(true, true);

	policy_each(c, on_each, seen);
	CHECK("each: action, and action with the rule",
	    seen[MAY] == 2 && seen[VERIFY] == 2 && seen[REQUIRE] == 0);
	policy_each(c, on_first, &n);
	CHECK("each: the walk ends when it is told", n == 1);
	free(c);
	c = make_how(true, false);
	memset(seen, 0, sizeof seen);
	policy_each(c, on_each, seen);
	CHECK("each: rules that change nothing", seen[MAY] == 1);
	free(c);
}

static void
test_print(void)
{
	struct conf_at at = { .line = 3 };
	struct tls_want w = { .level = VERIFY, .source = "tls", .at = &at };
	struct conf *c = image_new();
	char out[100];

	at.file = image_text(c, "/smtpd.conf");
	CHECK("print: with its line",
	    strcmp(policy_print(c, &w, out, sizeof out),
		"verify by tls domain (/smtpd.conf:3)") == 0);
	w = (struct tls_want){ .level = MAY, .source = "default" };
	CHECK("print: without",
	    strcmp(policy_print(c, &w, out, sizeof out),
		"may by the default") == 0);
	CHECK("print: cut", strcmp(policy_print(c, &w, out, 4), "may") == 0);
	free(c);
}

int
main(void)
{
	test_levels();
	test_mx();
	test_how();
	test_names();
	test_same();
	test_ask();
	test_each();
	test_print();
	return unit_end();
}
