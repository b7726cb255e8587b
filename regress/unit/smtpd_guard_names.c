/*
 * Names of clients and DNS lists, with a DNS that answers from a table: what
 * is asked, what counts as a name, and which answers of a list mean what.
 *
 * SPDX-License-Identifier: ISC
 */
#include "guard_list.h"
#include "guard_names.h"

#include <arpa/inet.h>

#include "conf_image.h"
#include "log.h"
#include "unit.h"

/* ---- names to ask for ---- */

static const struct {
	const char *name, *ip, *below, *want; /* NULL: none */
} reversed[] = {
	{ "reverse v4", "192.0.2.1", NULL, "1.2.0.192.in-addr.arpa" },
	{ "reverse v4 long", "255.254.253.252", NULL,
	    "252.253.254.255.in-addr.arpa" },
	{ "reverse v4 below", "127.0.0.2", "zen.example",
	    "2.0.0.127.zen.example" },
	{ "reverse v6", "2001:db8::567:89ab", NULL,
	    "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
	    "ip6.arpa" },
	{ "reverse v6 below", "::1", "l.example",
	    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	    "l.example" },
	{ "reverse nothing", "", NULL, NULL },
	{ "reverse a name", "host.example", NULL, NULL },
	{ "reverse half an address", "192.0.2", NULL, NULL },
	{ "reverse an address in brackets", "[192.0.2.1]", NULL, NULL },
};

static void
test_reversed(void)
{
	char out[HOST_MAX + 1], below[HOST_MAX + 1];
	size_t i;
	bool got;

	for (i = 0; i < sizeof reversed / sizeof reversed[0]; i++) {
		got = list_name(reversed[i].ip, reversed[i].below, out);
		CHECK(reversed[i].name,
		    got == (reversed[i].want != NULL) &&
			(!got || strcmp(out, reversed[i].want) == 0));
	}
	memset(below, 'a', sizeof below);
	below[HOST_MAX - 64] = '\0';
	CHECK("reverse v6 just fits", list_name("::1", below, out));
	below[HOST_MAX - 64] = 'a';
	below[HOST_MAX - 63] = '\0';
	CHECK("reverse v6 too long", !list_name("::1", below, out));
}

/* ---- ranges ---- */

static const struct {
	const char *text;
	uint32_t low, high; /* 0, 0: no range */
} ranges[] = {
	{ "127.0.0.2", 0x7f000002, 0x7f000002 },
	{ "127.0.0.4-127.0.0.11", 0x7f000004, 0x7f00000b },
	{ "127.0.0.4-127.0.0.4", 0x7f000004, 0x7f000004 },
	{ "127.0.0.5-127.0.0.4", 0, 0 },
	{ "", 0, 0 },
	{ "-", 0, 0 },
	{ "127.0.0.4-", 0, 0 },
	{ "-127.0.0.4", 0, 0 },
	{ "127.0.0", 0, 0 },
	{ "127.0.0.4-11", 0, 0 },
	{ "127.0.0.4-127.0.0.5-127.0.0.6", 0, 0 },
	{ "::1", 0, 0 },
	{ "127.000.000.004.127.000.000.004", 0, 0 },
};

static void
test_ranges(void)
{
	uint32_t low, high;
	char name[80];
	const char *why;
	size_t i;

	for (i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
		snprintf(name, sizeof name, "range '%s'", ranges[i].text);
		why = list_range(unit_guard(ranges[i].text,
				     strlen(ranges[i].text) + 1),
		    &low, &high);
		CHECK(name,
		    (why == NULL) == (ranges[i].low != 0) &&
			(why != NULL ||
			    (low == ranges[i].low && high == ranges[i].high)));
	}
}

/* ---- a configuration ---- */

static struct conf *conf;

/* Rows: every answer counts; only some; weight of the good. */
static void
conf_make(void)
{
	struct conf_entry answers[2];
	struct conf_dnslist lists[3] = { 0 };
	struct conf_listen listen[2] = { 0 };

	conf = image_new();
	answers[0] = (struct conf_entry){ image_text(conf, "127.0.0.2"), 0 };
	answers[1] =
	    (struct conf_entry){ image_text(conf, "127.0.0.10-127.0.0.11"), 0 };
	image_rows(conf, &lists[1].answer, answers, 2, sizeof answers[0]);
	lists[0].domain = image_text(conf, "one.example");
	lists[0].weight = 4;
	lists[1].domain = image_text(conf, "two.example");
	lists[1].weight = 3;
	lists[2].domain = image_text(conf, "good.example");
	lists[2].weight = -5;
	image_rows(conf, &conf->dnslist, lists, 3, sizeof lists[0]);
	listen[1].dnsbl = 1;
	image_rows(conf, &conf->listen, listen, 2, sizeof listen[0]);
}

/* Columns: name, addresses of the answer, what list 0 says of them, list 1. */
static const struct {
	const char *name;
	const char *answer[3];
	enum list_says says[2];
} judged[] = {
	{ "answer 127.0.0.2", { "127.0.0.2" }, { LIST_LISTED, LIST_LISTED } },
	{ "answer 127.0.0.3", { "127.0.0.3" }, { LIST_LISTED, LIST_CLEAN } },
	{ "answer 127.0.0.9", { "127.0.0.9" }, { LIST_LISTED, LIST_CLEAN } },
	{ "answer 127.0.0.10", { "127.0.0.10" }, { LIST_LISTED, LIST_LISTED } },
	{ "answer 127.0.0.11", { "127.0.0.11" }, { LIST_LISTED, LIST_LISTED } },
	{ "answer 127.0.0.12", { "127.0.0.12" }, { LIST_LISTED, LIST_CLEAN } },
	{ "answer 127.9.9.9", { "127.9.9.9" }, { LIST_LISTED, LIST_CLEAN } },
	{ "answers, the second counts", { "127.0.0.3", "127.0.0.2" },
	    { LIST_LISTED, LIST_LISTED } },
	{ "answer 127.0.0.1", { "127.0.0.1" }, { LIST_REFUSED, LIST_REFUSED } },
	{ "answer 127.255.255.254", { "127.255.255.254" },
	    { LIST_REFUSED, LIST_REFUSED } },
	{ "answer 127.255.255.0", { "127.255.255.0" },
	    { LIST_REFUSED, LIST_REFUSED } },
	{ "answer 127.255.254.255", { "127.255.254.255" },
	    { LIST_LISTED, LIST_CLEAN } },
	{ "answer of a parked domain", { "203.0.113.7" },
	    { LIST_REFUSED, LIST_REFUSED } },
	{ "answer 0.0.0.0", { "0.0.0.0" }, { LIST_REFUSED, LIST_REFUSED } },
	{ "answers, one a refusal", { "127.0.0.2", "127.255.255.252" },
	    { LIST_REFUSED, LIST_REFUSED } },
};

static struct dns_answer *
answer_of(enum dns_status status, const char *const *addr, unsigned int n)
{
	struct dns_answer *a =
	    calloc(1, sizeof *a + DNS_RR_MAX * sizeof a->rr[0]);
	unsigned int i;

	a->status = status;
	a->why = status == DNS_LATER ? "silence" : NULL;
	for (i = 0; i < n && addr[i] != NULL; i++) {
		if (inet_pton(AF_INET, addr[i], &a->rr[i].a) != 1 &&
		    inet_pton(AF_INET6, addr[i], &a->rr[i].aaaa) != 1)
			snprintf(a->rr[i].name, sizeof a->rr[i].name, "%s",
			    addr[i]);
		a->n++;
	}
	return a;
}

static void
test_judged(void)
{
	struct dns_answer *a;
	const char *why;
	uint32_t addr;
	size_t i;
	int k, good;

	for (i = 0; i < sizeof judged / sizeof judged[0]; i++) {
		a = answer_of(DNS_FOUND, judged[i].answer, 3);
		for (k = 0, good = 1; k < 2; k++) {
			good = good &&
			    list_judge(conf, CONF_DNSLIST(conf, (uint32_t)k), a,
				&addr, &why) == judged[i].says[k];
			if (judged[i].says[k] == LIST_REFUSED)
				good = good && why != NULL;
			if (judged[i].says[k] == LIST_LISTED)
				good = good && addr >> 24 == 127;
		}
		CHECK(judged[i].name, good);
		free(a);
	}
	for (i = 0; i < 3; i++) {
		static const enum dns_status status[] = { DNS_NXDOMAIN,
			DNS_NODATA, DNS_LATER };
		static const char *const names[] = { "answer: no such name",
			"answer: no such record", "answer: silence" };

		a = answer_of(status[i], NULL, 0);
		CHECK(names[i],
		    list_judge(conf, CONF_DNSLIST(conf, 0), a, &addr, &why) ==
			(i == 2 ? LIST_REFUSED : LIST_CLEAN));
		free(a);
	}
}

/* ---- a DNS of our own ---- */

/* Columns: name, type, status, records.  What is not here does not exist. */
static const struct record {
	const char *name;
	enum dns_type type;
	enum dns_status status;
	const char *rr[5];
} zone[] = {
	{ "1.2.0.192.in-addr.arpa", DNS_PTR, DNS_FOUND, { "mx.example" } },
	{ "mx.example", DNS_A, DNS_FOUND, { "192.0.2.99", "192.0.2.1" } },
	{ "2.2.0.192.in-addr.arpa", DNS_PTR, DNS_FOUND, { "liar.example" } },
	{ "liar.example", DNS_A, DNS_FOUND, { "192.0.2.1" } },
	{ "3.2.0.192.in-addr.arpa", DNS_PTR, DNS_LATER, { NULL } },
	{ "4.2.0.192.in-addr.arpa", DNS_PTR, DNS_FOUND, { "slow.example" } },
	{ "slow.example", DNS_A, DNS_LATER, { NULL } },
	{ "5.2.0.192.in-addr.arpa", DNS_PTR, DNS_FOUND,
	    { "slow.example", "liar.example", "five.example", "mx.example" } },
	{ "five.example", DNS_A, DNS_FOUND, { "192.0.2.5" } },
	{ "6.2.0.192.in-addr.arpa", DNS_PTR, DNS_FOUND,
	    { "192.0.2.6", "-bad.example", "under_score.example", "" } },
	{ "7.2.0.192.in-addr.arpa", DNS_PTR, DNS_FOUND,
	    { "a.example", "b.example", "c.example", "seven.example" } },
	{ "seven.example", DNS_A, DNS_FOUND, { "192.0.2.7" } },
	{ "8.2.0.192.in-addr.arpa", DNS_PTR, DNS_FOUND, { "silent.example" } },
	{ "silent.example", DNS_A, DNS_ALIAS, { NULL } }, /* never answers */
	{ "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
	  "ip6.arpa",
	    DNS_PTR, DNS_FOUND, { "six.example" } },
	{ "six.example", DNS_AAAA, DNS_FOUND, { "2001:db8::1" } },
	{ "1.2.0.192.one.example", DNS_A, DNS_FOUND, { "127.0.0.2" } },
	{ "1.2.0.192.two.example", DNS_A, DNS_FOUND, { "127.0.0.11" } },
	{ "2.2.0.192.one.example", DNS_A, DNS_FOUND, { "127.255.255.254" } },
	{ "2.2.0.192.good.example", DNS_A, DNS_FOUND, { "127.0.0.5" } },
	{ "3.2.0.192.one.example", DNS_A, DNS_LATER, { NULL } },
	{ "8.2.0.192.one.example", DNS_A, DNS_ALIAS, { NULL } },
	{ "8.2.0.192.two.example", DNS_A, DNS_FOUND, { "127.0.0.2" } },
};

static struct dns_ask *open_asks[64];
static unsigned int n_open, n_asked;

/* Stand in for those of dns_wait.c. */
void
dns_ask(struct dns *d, struct dns_ask *a, const char *name, enum dns_type type,
    dns_fn *fn, void *arg)
{
	*a = (struct dns_ask){ .dns = d, .fn = fn, .arg = arg };
	a->q.type = (uint16_t)type;
	snprintf(a->q.name, sizeof a->q.name, "%s", name);
	open_asks[n_open++] = a;
	n_asked++;
}

void
dns_cancel(struct dns_ask *a)
{
	unsigned int i;

	a->dns = NULL;
	for (i = 0; i < n_open; i++) {
		if (open_asks[i] == a)
			open_asks[i] = NULL;
	}
}

static void
answer_one(struct dns_ask *a)
{
	static const struct record nothing = { .status = DNS_NXDOMAIN };
	const struct record *r = &nothing;
	struct dns_answer *answer;
	size_t i;

	for (i = 0; i < sizeof zone / sizeof zone[0]; i++) {
		if (strcmp(zone[i].name, a->q.name) == 0 &&
		    zone[i].type == a->q.type)
			r = &zone[i];
	}
	if (r->status == DNS_ALIAS)
		return;
	answer = answer_of(r->status, r->rr, 5);
	/* What looks like an address may be a name. */
	if (a->q.type == DNS_PTR) {
		for (i = 0; i < answer->n; i++)
			snprintf(answer->rr[i].name, sizeof answer->rr[i].name,
			    "%s", r->rr[i]);
	}
	a->dns = NULL;
	a->fn(a->arg, answer);
	free(answer);
}

static void
answer_all(void)
{
	struct dns_ask *a;
	unsigned int i;

	for (i = 0; i < n_open; i++) {
		a = open_asks[i];
		open_asks[i] = NULL;
		if (a != NULL)
			answer_one(a);
	}
	n_open = 0;
}

/* ---- jobs ---- */

static struct names_is said;
static unsigned int n_said;
static struct loop *loop;

static void
on_said(void *arg, uint64_t id, const struct names_is *is)
{
	(void)arg;
	said = *is;
	n_said++;
	if (id != 77)
		abort();
}

static void
look(struct names *n, const char *ip, uint32_t listen)
{
	struct names_ask m;
	int from;

	memset(&m, 0, sizeof m);
	memset(&said, 0, sizeof said);
	m.listen = listen;
	snprintf(m.client, sizeof m.client, "%s", ip);
	n_said = 0;
	names_look(n, &from, 77, &m, on_said);
	answer_all();
}

/* Columns: name, address, the name found, flags. */
static const struct {
	const char *name, *ip, *rdns;
	uint32_t flags;
} looked[] = {
	{ "name that leads back", "192.0.2.1", "mx.example", FACT_FCRDNS },
	{ "name that does not", "192.0.2.2", "liar.example", 0 },
	{ "no name, for now", "192.0.2.3", "", FACT_RDNS_DOUBT },
	{ "name, its address not known for now", "192.0.2.4", "",
	    FACT_RDNS_DOUBT },
	{ "names, one leads back", "192.0.2.5", "five.example", FACT_FCRDNS },
	{ "names that no host has", "192.0.2.6", "", 0 },
	{ "names, too many", "192.0.2.7", "a.example", 0 },
	{ "no name", "192.0.2.200", "", 0 },
	{ "name of IPv6", "2001:db8::1", "six.example", FACT_FCRDNS },
	{ "no name of IPv6", "2001:db8::2", "", 0 },
	{ "no address", "nonsense", "", FACT_RDNS_DOUBT },
};

/* Columns: name, address, score, listed, clean, refused, lists. */
static const struct {
	const char *name, *ip;
	int32_t score;
	uint32_t listed, clean, refused;
	const char *lists;
} asked[] = {
	{ "lists: two of three", "192.0.2.1", 7, 2, 1, 0,
	    "one.example=127.0.0.2 two.example=127.0.0.11" },
	{ "lists: a good one, one that refuses", "192.0.2.2", -5, 1, 1, 1,
	    "good.example=127.0.0.5" },
	{ "lists: one is silent", "192.0.2.3", 0, 0, 2, 1, "" },
	{ "lists: clean", "192.0.2.4", 0, 0, 3, 0, "" },
	{ "lists: IPv6", "2001:db8::1", 0, 0, 3, 0, "" },
};

static void
test_jobs(void)
{
	struct names *n = names_new(conf, loop, NULL);
	size_t i;

	for (i = 0; i < sizeof looked / sizeof looked[0]; i++) {
		look(n, looked[i].ip, 0);
		CHECK(looked[i].name,
		    n_said == 1 && said.outcome.verdict == DONE &&
			strcmp(said.rdns, looked[i].rdns) == 0 &&
			said.flags == looked[i].flags);
		if (said.listed + said.clean + said.refused != 0)
			CHECK("lists: not at this listener", 0);
	}
	for (i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		look(n, asked[i].ip, 1);
		CHECK(asked[i].name,
		    n_said == 1 && said.score == asked[i].score &&
			said.listed == asked[i].listed &&
			said.clean == asked[i].clean &&
			said.refused == asked[i].refused &&
			strcmp(said.lists, asked[i].lists) == 0);
	}
	names_free(&n);
}

static void
on_late(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* Who does not answer keeps nobody waiting for ever. */
static void
test_deadline(void)
{
	struct names *n = names_new(conf, loop, NULL);
	struct timer late = { 0 };
	msec begun = loop_msec();

	look(n, "192.0.2.8", 1);
	CHECK("deadline: it waits", n_said == 0 && names_count(n) == 1);
	timer_set(loop, &late, NAMES_TOTAL_MS + 50, on_late, NULL);
	loop_run(loop);
	CHECK("deadline: it ends",
	    n_said == 1 && loop_msec() - begun >= NAMES_TOTAL_MS &&
		names_count(n) == 0);
	CHECK("deadline: what is not known is doubt",
	    said.rdns[0] == '\0' && said.flags == FACT_RDNS_DOUBT);
	CHECK("deadline: what is known counts",
	    said.score == 3 && said.listed == 1 && said.clean == 1 &&
		said.refused == 1);
	names_free(&n);
}

static void
test_bounds(void)
{
	struct names *n = names_new(conf, loop, NULL);
	struct names_ask m;
	int from[2];
	unsigned int i;

	memset(&m, 0, sizeof m);
	snprintf(m.client, sizeof m.client, "192.0.2.1");
	m.listen = 99; /* no such listener */
	n_said = 0;
	for (i = 0; i < NAMES_JOBS_MAX; i++) {
		names_look(n, &from[i % 2], 77, &m, on_said);
		n_open = 0;
	}
	CHECK("bounds: all wait",
	    n_said == 0 && names_count(n) == NAMES_JOBS_MAX);
	names_look(n, &from[0], 77, &m, on_said);
	CHECK("bounds: one too many is doubt at once",
	    n_said == 1 && said.flags == FACT_RDNS_DOUBT);
	names_drop(n, &from[0]);
	CHECK("bounds: who is gone is forgotten",
	    names_count(n) == NAMES_JOBS_MAX / 2);
	names_free(&n);
}

int
main(void)
{
	log_to_stderr("unit", false);
	loop = loop_new();
	conf_make();
	test_reversed();
	test_ranges();
	test_judged();
	test_jobs();
	test_deadline();
	test_bounds();
	loop_free(&loop);
	free(conf);
	return unit_end();
}
