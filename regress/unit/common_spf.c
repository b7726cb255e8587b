/*
 * Checks of SPF, step by step: what is asked when, what is counted, and that
 * nothing is left of one that is given up, wherever it stands.
 *
 * SPDX-License-Identifier: ISC
 */
#include "spf.h"

#include "dns_fake.h"
#include "unit.h"

static const struct fake_row zone[] = {
	{ "all.test", DNS_TXT, DNS_FOUND, { "v=spf1 -all" } },
	{ "ip.test", DNS_TXT, DNS_FOUND,
	    { "other", "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all" } },
	{ "walk.test", DNS_TXT, DNS_FOUND,
	    { "v=spf1 include:in.test a:host.test mx ptr exists:%{p}.x.test "
	      "redirect=end.test" } },
	{ "in.test", DNS_TXT, DNS_FOUND, { "v=spf1 include:in2.test ?all" } },
	{ "in2.test", DNS_TXT, DNS_FOUND, { "v=spf1 a:host.test -all" } },
	{ "host.test", DNS_A, DNS_FOUND, { "192.0.2.77" } },
	{ "walk.test", DNS_MX, DNS_FOUND, { "mx1.test", "mx2.test" } },
	{ "mx1.test", DNS_A, DNS_NODATA, { NULL } },
	{ "mx2.test", DNS_A, DNS_FOUND, { "192.0.2.78" } },
	{ "1.2.0.192.in-addr.arpa", DNS_PTR, DNS_FOUND,
	    { "p1.test", "p2.test" } },
	{ "p1.test", DNS_A, DNS_LATER, { NULL } },
	{ "p2.test", DNS_A, DNS_FOUND, { "192.0.2.1" } },
	{ "end.test", DNS_TXT, DNS_FOUND, { "v=spf1 -all exp=why.test" } },
	{ "why.test", DNS_TXT, DNS_FOUND, { "%{p} is not of %{o}" } },
	{ "names.test", DNS_TXT, DNS_FOUND, { "v=spf1 ptr -all" } },
	{ "later.test", DNS_TXT, DNS_LATER, { NULL } },
	{ "late.test", DNS_TXT, DNS_FOUND, { "v=spf1 -all exp=later.test" } },
	{ "bad.test", DNS_TXT, DNS_FOUND, { "v=spf1 mo\x1bo" } },
	{ "nobody.test", DNS_TXT, DNS_NODATA, { NULL } },
};

/* A clock that the test moves: stands in for that of loop.c. */
static struct timer *deadline;
static msec deadline_ms;
static struct timer *names; /* the time for names of the client */

void
timer_set(struct loop *l, struct timer *t, msec ms, void (*fn)(void *arg),
    void *arg)
{
	(void)l;
	t->fn = fn;
	t->arg = arg;
	if (ms == SPF_NAMES_MS) {
		names = t;
		return;
	}
	deadline = t;
	deadline_ms = ms;
}

void
timer_clear(struct timer *t)
{
	if (deadline == t)
		deadline = NULL;
	if (names == t)
		names = NULL;
}

static struct loop *const loop;                     /* not needed, then */
static struct dns *const dns = (struct dns *)&fake; /* never looked into */
static struct spf_answer said;
static unsigned int n_said;

static void
on_said(void *arg, const struct spf_answer *a)
{
	(void)arg;
	said = *a;
	n_said++;
}

static struct spf_query query;

static struct spf_check *
start(const char *client, const char *helo, const char *sender)
{
	query =
	    (struct spf_query){ client, helo, sender, "mx.ours.test", false };
	n_said = 0;
	fake.n_asked = 0;
	memset(&said, 0, sizeof said);
	return spf_start(loop, dns, &query, on_said, NULL);
}

/* Columns: name, client, HELO, sender; result, domain, identity, mechanism,
 * lookups, voids, questions. */
static const struct {
	const char *name, *client, *helo, *sender;
	enum auth_result result;
	const char *domain, *identity, *mechanism;
	unsigned int lookups, voids, asked;
} checks[] = {
	{ "pass", "192.0.2.1", "h.test", "u@Ip.Test", RES_PASS, "ip.test",
	    "u@Ip.Test", "ip4:192.0.2.0/24", 0, 0, 1 },
	{ "pass by IPv6", "2001:db8::9", "h.test", "u@ip.test", RES_PASS,
	    "ip.test", "u@ip.test", "ip6:2001:db8::/32", 0, 0, 1 },
	{ "fail", "198.51.100.1", "h.test", "u@ip.test", RES_FAIL, "ip.test",
	    "u@ip.test", "-all", 0, 0, 1 },
	{ "the null sender", "192.0.2.1", "ip.test", "", RES_PASS, "ip.test",
	    "postmaster@ip.test", "ip4:192.0.2.0/24", 0, 0, 1 },
	{ "no record", "192.0.2.1", "h.test", "u@nobody.test", RES_NONE,
	    "nobody.test", "u@nobody.test", "", 0, 0, 1 },
	{ "later", "192.0.2.1", "h.test", "u@later.test", RES_TEMPERROR,
	    "later.test", "u@later.test", "", 0, 0, 1 },
	{ "later, of the explanation", "192.0.2.1", "h.test", "u@late.test",
	    RES_FAIL, "late.test", "u@late.test", "-all", 0, 0, 2 },
	{ "a long walk", "192.0.2.1", "h.test", "u@walk.test", RES_FAIL,
	    "walk.test", "u@walk.test", "-all", 8, 2, 14 },
	{ "no domain", "192.0.2.1", "h.test", "u@", RES_NONE, "", "u@", "", 0,
	    0, 0 },
	{ "one label", "192.0.2.1", "h", "", RES_NONE, "h", "postmaster@h", "",
	    0, 0, 0 },
	{ "no client", "unknown", "h.test", "u@ip.test", RES_NONE, "ip.test",
	    "u@ip.test", "", 0, 0, 0 },
};

static void
test_checks(void)
{
	struct spf_check *c;
	size_t i;

	for (i = 0; i < sizeof checks / sizeof checks[0]; i++) {
		c = start(checks[i].client, checks[i].helo, checks[i].sender);
		if ((c == NULL) != (n_said == 1))
			abort();
		fake_run();
		CHECK(checks[i].name,
		    n_said == 1 && said.result == checks[i].result &&
			strcmp(said.domain, checks[i].domain) == 0 &&
			strcmp(said.identity, checks[i].identity) == 0 &&
			strcmp(said.mechanism, checks[i].mechanism) == 0 &&
			said.lookups == checks[i].lookups &&
			said.voids == checks[i].voids &&
			fake.n_asked == checks[i].asked && said.why[0] != '\0');
	}
	start("192.0.2.1", "h.test", "u@walk.test");
	fake_run();
	CHECK("the explanation",
	    strcmp(said.exp, "p2.test is not of walk.test") == 0);
	start("192.0.2.1", "h.test", "u@bad.test");
	fake_run();
	CHECK("what is said of a record is printable",
	    said.result == RES_PERMERROR && strstr(said.why, "mo?o") != NULL);
}

static void
test_helo(void)
{
	query = (struct spf_query){ "192.0.2.1", "ip.test", "u@all.test",
		"ours.test", true };
	n_said = 0;
	spf_start(loop, dns, &query, on_said, NULL);
	fake_run();
	CHECK("HELO is checked, whoever the sender is",
	    n_said == 1 && said.result == RES_PASS &&
		strcmp(said.identity, "postmaster@ip.test") == 0);
}

/* Given up after each number of answers. */
static void
test_cancel(void)
{
	struct spf_check *c;
	unsigned int i, k, open = 0, told = 0;

	for (i = 0;; i++) {
		c = start("192.0.2.1", "h.test", "u@walk.test");
		for (k = 0; k < i; k++)
			fake_step();
		if (n_said > 0)
			break;
		spf_cancel(&c);
		open += fake.n_open;
		fake_run();
		told += n_said + (c != NULL);
	}
	CHECK("given up at each step, nothing is left",
	    i == 14 && open == 0 && told == 0);
	c = NULL;
	spf_cancel(&c);
}

/* The time is up after each number of answers. */
static void
test_deadline(void)
{
	unsigned int i, k, temperror = 0, fail = 0, bad = 0;
	bool walking = true;

	for (i = 0; walking; i++) {
		start("192.0.2.1", "h.test", "u@walk.test");
		if (deadline == NULL || deadline_ms != SPF_TIME_MS)
			abort();
		for (k = 0; k < i; k++)
			fake_step();
		if (n_said == 0)
			deadline->fn(deadline->arg);
		else
			walking = false;
		temperror += said.result == RES_TEMPERROR;
		fail += said.result == RES_FAIL && said.exp[0] == '\0';
		bad += n_said != 1 || fake.n_open != 0 || deadline != NULL ||
		    names != NULL;
	}
	/* But for the explanation, which is not waited for. */
	CHECK("the time is up: temperror, and nothing is left",
	    bad == 0 && temperror == 13 && fail == 1);
}

/* Names that whoever sends has given his address, on servers that are silent,
 * do not take the time that the rest of the record needs. */
static void
test_names_late(void)
{
	unsigned int late = 0, fail = 0, left = 0, i, k;
	bool asked = false;

	for (i = 0; late == 0 || asked; i++) {
		start("192.0.2.1", "h.test", "u@names.test");
		for (k = 0; k < i; k++)
			fake_step();
		asked = names != NULL;
		if (asked) {
			names->fn(names->arg);
			late++;
		}
		fake_run();
		fail += asked && n_said == 1 && said.result == RES_FAIL;
		left += names != NULL || deadline != NULL || fake.n_open != 0;
		if (i > 10)
			break;
	}
	CHECK("names that come late are none",
	    late == 3 && fail == late && left == 0);
}

/* Two at once, in turns. */
static void
test_two(void)
{
	struct spf_query other = { "192.0.2.1", "h.test", "u@ip.test",
		"ours.test", false };

	start("192.0.2.1", "h.test", "u@walk.test");
	spf_start(loop, dns, &other, on_said, NULL);
	fake_run();
	CHECK("two at once", n_said == 2 && said.result == RES_FAIL);
}

int
main(void)
{
	fake.rows = zone;
	fake.n_rows = sizeof zone / sizeof zone[0];
	test_checks();
	test_helo();
	test_cancel();
	test_deadline();
	test_names_late();
	test_two();
	return unit_end();
}
