/*
 * Which host a job goes to, from where and under which name: lists in order,
 * source addresses, families, and what is remembered of those who are silent.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/resource.h>

#include "group.h"
#include "job_bench.h"

#define GOOD                                                                   \
	{                                                                      \
		.pipelining = true                                             \
	}
#define DOWN                                                                   \
	{                                                                      \
		.down = true                                                   \
	}

#define H1 "smtp://127.0.0.1:"
#define H2 "smtp://127.0.0.2:"
#define H3 "smtp://127.0.0.3:"

static struct conf_action *
action_of(struct test *t)
{
	return (struct conf_action *)CONF_ACTION(t->d.conf, 0);
}

/* ---- lists ---- */

/* clang-format off */
/* Columns: name, servers, what lookup has, recipients, what queue hears;
 * connections to each server. */
static const struct {
	const char *name;
	struct manner manner[HOSTS];
	const char *hosts[4];
	uint32_t rcpts;
	const char *want;
	unsigned int conns[HOSTS];
} lists[] = {
	{ "in order", { GOOD, GOOD, GOOD }, { H2, H1, H3 }, 1,
	    "0=done/250/2.0.0@1272 end=done ", { 0, 1, 0 } },
	{ "the first is down", { DOWN, GOOD, GOOD }, { H1, H2, H3 }, 1,
	    "0=done/250/2.0.0@1272 end=done ", { 0, 1, 0 } },
	{ "two are down", { DOWN, DOWN, GOOD }, { H1, H2, H3 }, 1,
	    "0=done/250/2.0.0@1273 end=done ", { 0, 0, 1 } },
	{ "the first has no address", { GOOD }, { "smtp://gone.test:", H1 }, 1,
	    "0=done/250/2.0.0@1271 end=done ", { 1 } },
	{ "the first has 0.0.0.0", { GOOD }, { "smtp://0.0.0.0:", H1 }, 1,
	    "0=done/250/2.0.0@1271 end=done ", { 1 } },
	{ "the DNS of the first is in trouble", { GOOD }, { "smtp://trouble.test:", H1 }, 1,
	    "0=done/250/2.0.0@1271 end=done ", { 1 } },
	{ "the first greets with 421", { { .greeting = "421 busy" }, GOOD }, { H1, H2 }, 1,
	    "0=done/250/2.0.0@1272 end=done ", { 1, 1 } },
	{ "the first greets with 554", { { .greeting = "554 no" }, GOOD }, { H1, H2 }, 1,
	    "0=done/250/2.0.0@1272 end=done ", { 1, 1 } },
	{ "the first has no TLS", { GOOD, GOOD }, { "smtp+tls://127.0.0.1:", H2 }, 1,
	    "0=done/250/2.0.0@1272 end=done ", { 1, 1 } },
	{ "a refusal is a result", { { .rcpt = "550 5.1.1 who" }, GOOD }, { H1, H2 }, 1,
	    "0=never/550/5.1.1@1271 end=done ", { 1, 0 } },
	{ "a delay is a result", { { .rcpt = "450 4.2.0 grey" }, GOOD }, { H1, H2 }, 1,
	    "0=later/450/4.2.0@1271 end=done ", { 1, 0 } },
	{ "all are down", { DOWN, DOWN, DOWN }, { H1, H2, H3 }, 1,
	    "0=later/0/4.4.1@1273 end=later/site ", { 0 } },
	{ "words tell more than silence", { { .greeting = "421 4.3.2 busy" }, DOWN }, { H1, H2 }, 1,
	    "0=later/421/4.3.2@1271 end=later/site ", { 1, 0 } },
	{ "a relay that refuses us is to be mended", { { .greeting = "554 5.7.1 no" } }, { H1 }, 1,
	    "0=later/554/5.7.1@1271 end=later/site ", { 1 } },
	{ "none at all", { GOOD }, { NULL }, 1,
	    "0=later/0/4.3.0 end=later/site ", { 0 } },
	{ "what is no URL", { GOOD }, { "127.0.0.1" }, 1,
	    "0=later/0/4.3.5 end=later/site ", { 0 } },
	{ "by LMTP", { { .lmtp = true, .dot = "550 5.2.2 full" } }, { "lmtp://127.0.0.1:" }, 3,
	    "0=done/250/2.0.0@1271 1=done/250/2.0.0@1271 2=never/550/5.2.2@1271 end=done ", { 1 } },
};
/* clang-format on */

static void
failover(void)
{
	static struct test t;
	char name[96];
	size_t i;
	int good, k;

	for (i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		test_start(&t, lists[i].manner);
		memcpy(t.hosts, lists[i].hosts, sizeof lists[i].hosts);
		give(&t, 1, "hosts:out", lists[i].rcpts, 0, false);
		test_run(&t, 1);
		good = strcmp(t.log, lists[i].want) == 0;
		for (k = 0; k < HOSTS; k++)
			good = good && t.server[k].conns == lists[i].conns[k];
		snprintf(name, sizeof name, "hosts: %s", lists[i].name);
		CHECK(name, good);
		if (!good)
			printf("# %s| %u %u %u\n", t.log, t.server[0].conns,
			    t.server[1].conns, t.server[2].conns);
		test_stop(&t);
	}
}

/* RFC 2033 4.2: what is said of one recipient is not about those who are yet
 * to come. */
static void
one_by_one(void)
{
	static const struct manner manners[][HOSTS] = {
		{ { .lmtp = true, .dot = "550 5.2.2 full", .max_rcpt = 1 } },
		{ { .lmtp = true,
		    .dot = "550 5.2.2 full",
		    .limits = "RCPTMAX=1" } },
	};
	static struct test t;
	size_t i;
	int good;

	for (i = 0; i < sizeof manners / sizeof manners[0]; i++) {
		test_start(&t, manners[i]);
		t.hosts[0] = "lmtp://127.0.0.1:";
		give(&t, 1, "hosts:out", 3, 0, false);
		test_run(&t, 1);
		good = t.server[0].mails == 3 &&
		    strcmp(t.log,
			"0=never/550/5.2.2@1271 1=never/550/5.2.2@1271 2=never/550/5.2.2@1271 end=done ") ==
			0;
		CHECK("hosts: by LMTP, one by one", good);
		if (!good)
			printf("# %s| %u\n", t.log, t.server[0].mails);
		test_stop(&t);
	}
}

/* A host that was found dead is for the end, until its time has come. */
static void
dead(void)
{
	static const struct manner m[HOSTS] = { DOWN, GOOD, GOOD };
	static struct test t;
	struct dns_server first;
	unsigned int i;

	test_start(&t, m);
	t.hosts[0] = H1;
	t.hosts[1] = H2;
	give(&t, 1, "hosts:out", 1, 0, false);
	test_run(&t, 1);
	resolv_address(SLICE("127.0.0.1"), t.port, &first);
	CHECK("hosts: who refused is remembered",
	    seen_addr(t.d.seen, &first.ss, "hosts:out", loop_msec(), NULL) ==
		SEEN_DOWN);
	/* It listens again: nobody goes there while it is down to us. */
	listen(t.server[0].fd, 5);
	watch_set(t.loop, &t.server[0].rd, t.server[0].fd, LOOP_READ, on_listen,
	    &t.server[0]);
	t.hosts[2] = NULL;
	for (i = 2; i <= 4; i++) {
		pool_free(&t.d.pool);
		t.d.pool = pool_new(t.loop, 10);
		give(&t, i, "hosts:out", 1, 0, false);
		test_run(&t, 1);
	}
	CHECK("hosts: a dead one is left for the end",
	    t.server[0].conns == 0 && t.server[1].conns == 4 && t.asked == 1);
	test_stop(&t);
}

/*
 * A handshake that failed is made up for without TLS at that address, and at
 * no other: not when others found it silent meanwhile, so that it is passed
 * over.
 */
static void
plain_there(void)
{
	static const struct manner m[HOSTS] = { { .bad_tls = true },
		{ .bad_tls = true } };
	static struct test t;
	struct dns_server first;
	bool known;
	int i;

	for (i = 0; i < 2; i++) {
		known = i == 1;
		test_start(&t, m);
		t.hosts[0] = H1;
		t.hosts[1] = "smtp+tls://127.0.0.2:";
		/* It is tried anew, and down to all others until it is good. */
		resolv_address(SLICE("127.0.0.1"), t.port, &first);
		if (known)
			seen_addr_bad(t.d.seen, &first.ss, "mx:one.test",
			    "nothing was heard",
			    loop_msec() - SEEN_DOWN_MS - 1000);
		give(&t, 1, "hosts:out", 1, 0, false);
		test_run(&t, 1);
		CHECK(known ? "hosts: plain at an address that was down" :
			      "hosts: plain where the handshake failed",
		    t.server[0].mails == 1 && t.server[1].conns == 0);
		CHECK(known ? "hosts: and nowhere else" :
			      "hosts: and not at the next",
		    t.server[1].mails == 0);
		test_stop(&t);
	}
}

/* What this process lacks is nothing against an address. */
static void
no_descriptor(void)
{
	static const struct manner m[HOSTS] = { GOOD };
	static struct test t;
	struct rlimit before, none;
	struct dns_server first;
	int fd;

	test_start(&t, m);
	give(&t, 1, "HOST", 1, 0, false);
	fd = dup(STDERR_FILENO);
	close(fd);
	if (fd == -1 || getrlimit(RLIMIT_NOFILE, &before) == -1)
		abort();
	none = before;
	none.rlim_cur = (rlim_t)fd;
	setrlimit(RLIMIT_NOFILE, &none);
	test_run(&t, 1);
	setrlimit(RLIMIT_NOFILE, &before);
	resolv_address(SLICE("127.0.0.1"), t.port, &first);
	CHECK("hosts: no descriptor: later",
	    t.last.outcome.verdict == LATER &&
		t.last.outcome.cause == CAUSE_SYSTEM && t.server[0].conns == 0);
	CHECK("hosts: no descriptor: nothing against the host",
	    seen_addr(t.d.seen, &first.ss, "mx:one.test", loop_msec(), NULL) ==
		SEEN_WELL);
	test_stop(&t);
}

static void
silent_lookup(void)
{
	static const struct manner m[HOSTS] = { GOOD };
	static struct test t;

	test_start(&t, m);
	t.hosts[0] = H1;
	t.lookup_silent = true;
	give(&t, 1, "hosts:out", 1, 0, false);
	test_run(&t, 0);
	CHECK("hosts: lookup is waited for",
	    t.asked == 1 && t.log[0] == '\0' && t.d.n_jobs == 1);
	job_drop(TAILQ_FIRST(&t.d.jobs));
	t.lookup_silent = false;
	give(&t, 2, "hosts:out", 1, 0, false);
	give(&t, 3, "hosts:out", 1, 0, false);
	ipc_detach(&t.asker);
	ipc_detach(&t.lookup);
	join(&t.lookup, &t.asker);
	ipc_go(&t.asker);
	test_run(&t, 2);
	CHECK("hosts: a new lookup answers those who wait",
	    t.server[0].mails == 2 && t.asked == 2);
	test_stop(&t);
}

/* ---- source addresses and names ---- */

static void
sources(void)
{
	static const struct manner m[HOSTS] = { { .close_over = true } };
	static struct test t;
	unsigned int i, five = 0, six = 0;
	const struct server *s = &t.server[0];

	test_start(&t, m);
	action_of(&t)->src = 0;
	/* The first is no address of this host. */
	t.srcs[0] = "192.0.2.77";
	t.srcs[1] = "127.0.0.5";
	t.srcs[2] = "127.0.0.6";
	for (i = 1; i <= 6; i++) {
		give(&t, i, "mx:one.test", 1, 0, false);
		test_run(&t, 1);
	}
	for (i = 0; i < s->conns && i < 8; i++) {
		five += ntohl(s->from[i].sin_addr.s_addr) == 0x7f000005;
		six += ntohl(s->from[i].sin_addr.s_addr) == 0x7f000006;
	}
	CHECK("src: those of this host, in turn",
	    s->mails == 6 && five == 3 && six == 3);
	test_stop(&t);

	test_start(&t, m);
	action_of(&t)->src = 0;
	t.srcs[0] = "192.0.2.77";
	give(&t, 1, "mx:one.test", 1, 0, false);
	test_run(&t, 1);
	CHECK("src: none that can be had",
	    strcmp(t.log, "0=later/0/4.3.5@h1.1 end=later/site ") == 0 &&
		t.last.outcome.cause == CAUSE_CONFIG && s->conns == 0);
	test_stop(&t);

	test_start(&t, m);
	action_of(&t)->src = 0;
	t.srcs[0] = "::1";
	give(&t, 1, "mx:one.test", 1, 0, false);
	test_run(&t, 1);
	CHECK("src: none of the family",
	    strcmp(t.log, "0=later/0/4.3.5 end=later/site ") == 0 &&
		t.last.outcome.cause == CAUSE_CONFIG && s->conns == 0);
	test_stop(&t);
}

static void
names(void)
{
	static const struct manner m[HOSTS] = { { .close_over = true } };
	static struct test t;

	test_start(&t, m);
	action_of(&t)->helo_src = 0;
	t.name = "out.me.test";
	give(&t, 1, "mx:one.test", 1, 0, false);
	test_run(&t, 1);
	give(&t, 2, "mx:one.test", 1, 0, false);
	test_run(&t, 1);
	CHECK("helo-src: by the address that the kernel takes, asked once",
	    strcmp(t.server[0].helo, "out.me.test") == 0 &&
		strcmp(t.ours, "127.0.0.1") == 0 && t.asked == 1 &&
		t.server[0].mails == 2);
	CHECK("helo-src: such a name is ours",
	    helo_is_ours(t.d.helos, "OUT.me.test") &&
		!helo_is_ours(t.d.helos, "in.me.test"));
	test_stop(&t);

	test_start(&t, m);
	action_of(&t)->helo_src = action_of(&t)->src = 0;
	t.srcs[0] = "127.0.0.5";
	t.name = "five.me.test";
	give(&t, 1, "mx:one.test", 1, 0, false);
	test_run(&t, 1);
	CHECK("helo-src: by the address of src",
	    strcmp(t.server[0].helo, "five.me.test") == 0 &&
		strcmp(t.ours, "127.0.0.5") == 0 &&
		ntohl(t.server[0].from[0].sin_addr.s_addr) == 0x7f000005);
	test_stop(&t);

	test_start(&t, m);
	action_of(&t)->helo_src = 0;
	t.name = "";
	give(&t, 1, "mx:one.test", 1, 0, false);
	test_run(&t, 1);
	CHECK("helo-src: without a name there, the host's",
	    strcmp(t.server[0].helo, "me.test") == 0);
	test_stop(&t);

	test_start(&t, m);
	action_of(&t)->helo_src = 0;
	give(&t, 1, "mx:one.test", 1, 0, false);
	test_run(&t, 1);
	CHECK("helo-src: not known now is later",
	    strcmp(t.log, "0=later/0/4.3.0 end=later/site ") == 0 &&
		t.server[0].conns == 0);
	test_stop(&t);
}

/* ---- what is remembered ---- */

static void
families(void)
{
	static const struct manner m[HOSTS] = { { .close_over = true } };
	static struct test t;
	struct conf_limit l = { .inet = 6 };
	struct conf *c;

	test_start(&t, m);
	give(&t, 1, "mx:six.test", 1, 0, false);
	test_run(&t, 1);
	CHECK("family: IPv4 where IPv6 does not connect",
	    t.server[0].mails == 1 &&
		strstr(t.last.relay, "[127.0.0.1]") != NULL);
	CHECK("family: which goes last then",
	    seen_family(t.d.seen, "mx:six.test", AF_INET6, loop_msec()) &&
		!seen_family(t.d.seen, "mx:six.test", AF_INET, loop_msec()) &&
		!seen_family(t.d.seen, "mx:one.test", AF_INET6, loop_msec()));
	test_stop(&t);

	test_start(&t, m);
	c = (struct conf *)t.d.conf;
	image_rows(c, &l.domain,
	    &(struct conf_entry){ .key = image_text(c, "six.test") }, 1,
	    sizeof(struct conf_entry));
	image_rows(c, &c->limit, &l, 1, sizeof l);
	give(&t, 1, "mx:six.test", 1, 0, false);
	test_run(&t, 1);
	CHECK("family: limit inet6 has no other",
	    t.server[0].conns == 0 && strstr(t.last.relay, "[::1]") != NULL &&
		t.last.outcome.verdict == LATER &&
		t.last.outcome.cause == CAUSE_NETWORK);
	test_stop(&t);
}

/* Two routes to the same host. */
static void
routes(void)
{
	static const struct manner good[HOSTS] = { GOOD };
	static const struct manner down[HOSTS] = { DOWN };
	static struct test t;
	unsigned int i;

	test_start(&t, good);
	for (i = 1; i <= 4; i++) {
		give(&t, i, i % 2 != 0 ? "mx:one.test" : "mx:uno.test", 1, 0,
		    false);
		test_run(&t, 1);
	}
	CHECK("routes: one connection for all with the same host",
	    t.server[0].mails == 4 && t.server[0].conns == 1);
	test_stop(&t);

	test_start(&t, down);
	give(&t, 1, "mx:one.test", 1, 0, false);
	test_run(&t, 1);
	t.log[0] = '\0';
	listen(t.server[0].fd, 5);
	watch_set(t.loop, &t.server[0].rd, t.server[0].fd, LOOP_READ, on_listen,
	    &t.server[0]);
	give(&t, 2, "mx:uno.test", 1, 0, false);
	test_run(&t, 1);
	CHECK("routes: what another has found dead is not tried",
	    t.server[0].conns == 0 &&
		strcmp(t.log, "0=later/0/4.4.1@h1.1 end=later/site ") == 0 &&
		strstr(t.last.outcome.text, "not tried") != NULL &&
		t.last.outcome.cause == CAUSE_NETWORK);
	t.log[0] = '\0';
	give(&t, 3, "mx:one.test", 1, 0, false);
	test_run(&t, 1);
	CHECK("routes: but by the route that found it", t.server[0].mails == 1);
	give(&t, 4, "mx:uno.test", 1, 0, false);
	test_run(&t, 1);
	CHECK("routes: and then by all", t.server[0].mails == 2);
	test_stop(&t);
}

/* Who says nothing keeps nobody else from his place. */
static void
lending(void)
{
	static const struct manner m[HOSTS] = { { .silent = true }, GOOD };
	static struct test t;
	unsigned int i;

	test_start(&t, m);
	t.d.max_jobs = 2;
	t.d.most_jobs = 5;
	want_start(&t.d);
	test_run(&t, 0);
	CHECK("want: as many as may get on", t.wants == 2);
	for (i = 1; i <= 2; i++) {
		give(&t, i, i == 1 ? "mx:one.test" : "mx:uno.test", 1, 0,
		    false);
		want_came(&t.d);
	}
	test_run(&t, 0);
	CHECK("want: no more while they do", t.wants == 2);
	t.wanted_ends = t.ends + 1;
	timer_set(t.loop, &t.end, 5500, on_late, &t);
	loop_run(t.loop);
	CHECK("want: the silent lend their places",
	    t.wants == 4 && t.d.n_slow == 2 && t.d.n_jobs == 2);
	give(&t, 3, "mx:[127.0.0.2]", 1, 0, false);
	want_came(&t.d);
	test_run(&t, 1);
	test_run(&t, 0);
	CHECK("want: others get on in them",
	    t.server[1].mails == 1 && t.wants == 5);
	test_stop(&t);
}

/* ---- backup ---- */

static void
backup(void)
{
	/* Columns: `backup mx` (NULL: the hostname), domain, result. */
	static const struct {
		const char *name, *mx, *domain, *want;
	} rows[] = {
		{ "only better ones", "h2.test", "mx:two.test",
		    "0=done/250/2.0.0@h1.1 end=done " },
		{ "not among them", "h3.test", "mx:two.test",
		    "0=later/0/4.4.4 end=later/site " },
		{ "the hostname is not among them", NULL, "mx:two.test",
		    "0=later/0/4.4.4 end=later/site " },
		{ "it is the best", "h1.test", "mx:two.test",
		    "0=later/0/4.4.4 end=later/site " },
		{ "we are the best", NULL, "mx:own.test",
		    "0=later/0/4.4.4 end=later/site " },
		{ "of a domain without MX", "h1.test", "mx:implicit.test",
		    "0=later/0/4.4.4 end=later/site " },
	};
	static const struct manner m[HOSTS] = { GOOD, GOOD };
	static struct test t;
	char name[96];
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		test_start(&t, m);
		action_of(&t)->backup = 1;
		if (rows[i].mx != NULL)
			action_of(&t)->backup_mx =
			    image_text((struct conf *)t.d.conf, rows[i].mx);
		give(&t, 1, rows[i].domain, 1, 0, false);
		test_run(&t, 1);
		snprintf(name, sizeof name, "backup: %s", rows[i].name);
		CHECK(name,
		    strcmp(t.log, rows[i].want) == 0 &&
			(t.last.outcome.verdict == DONE ||
			    t.last.outcome.cause == CAUSE_CONFIG));
		test_stop(&t);
	}
	test_start(&t, (const struct manner[HOSTS]){ DOWN, GOOD });
	action_of(&t)->backup = 1;
	action_of(&t)->backup_mx =
	    image_text((struct conf *)t.d.conf, "h2.test");
	give(&t, 1, "mx:two.test", 1, 0, false);
	test_run(&t, 1);
	CHECK("backup: never itself",
	    t.server[1].conns == 0 &&
		strcmp(t.log, "0=later/0/4.4.1@h1.1 end=later/site ") == 0);
	test_stop(&t);
}

static void
odd(void)
{
	static const struct manner m[HOSTS] = { GOOD };
	static struct test t;

	test_start(&t, m);
	give(&t, 1, "mx:odd.test", 1, 0, false);
	test_run(&t, 1);
	CHECK("address: 0.0.0.0 is not tried, and named",
	    strcmp(t.log, "0=never/0/5.4.4 end=done ") == 0 &&
		strstr(t.last.outcome.text, "0.0.0.0") != NULL &&
		t.server[0].conns == 0);
	t.log[0] = '\0';
	give(&t, 2, "mx:[0.0.0.0]", 1, 0, false);
	test_run(&t, 1);
	CHECK("address: nor as a literal",
	    strcmp(t.log, "0=never/0/5.1.2 end=done ") == 0 &&
		t.server[0].conns == 0);
	test_stop(&t);
}

/* RFC 9422. */
static void
server_limits(void)
{
	static const struct manner two[HOSTS] = { { .limits = "RCPTMAX=2",
	    .pipelining = true } };
	static const struct manner one[HOSTS] = { { .limits = "MAILMAX=1" } };
	static struct test t;
	unsigned int i;

	test_start(&t, two);
	give(&t, 1, "mx:one.test", 5, 0, false);
	test_run(&t, 1);
	CHECK("limits: two recipients at a time",
	    t.server[0].mails == 3 && t.server[0].conns == 1 &&
		strstr(t.log, "later") == NULL && t.ends == 1);
	test_stop(&t);
	test_start(&t, one);
	for (i = 1; i <= 3; i++) {
		give(&t, i, "mx:one.test", 1, 0, false);
		test_run(&t, 1);
	}
	CHECK("limits: one message on a connection",
	    t.server[0].mails == 3 && t.server[0].conns == 3);
	test_stop(&t);
}

/* ---- groups ---- */

static void
groups(void)
{
	static const struct {
		const char *name;
		enum dns_status status;
		struct {
			uint16_t pref;
			const char *name;
		} mx[3];
		uint32_t want;
	} rows[] = {
		{ "by its best host", DNS_FOUND,
		    { { 20, "mx.b.test" }, { 10, "a1.mx.a.test" } }, 1 },
		{ "not by another", DNS_FOUND,
		    { { 10, "c.test" }, { 20, "a1.mx.a.test" } }, CONF_NONE },
		{ "of equal ones the first row", DNS_FOUND,
		    { { 10, "mx.b.test" }, { 10, "a1.mx.a.test" } }, 1 },
		{ "itself without MX", DNS_NODATA, { { 0, NULL } }, 2 },
		{ "none", DNS_NXDOMAIN, { { 0, NULL } }, CONF_NONE },
		{ "not now", DNS_LATER, { { 0, NULL } }, CONF_NONE },
	};
	struct conf *c = image_new();
	struct conf_limit l[3];
	struct dns_answer *a = calloc(1, sizeof *a + 3 * sizeof a->rr[0]);
	char name[96];
	size_t i;

	memset(l, 0, sizeof l);
	image_rows(c, &l[1].mx,
	    &(struct conf_entry){ .key = image_text(c, "*.a.test") }, 1,
	    sizeof(struct conf_entry));
	image_rows(c, &l[2].mx,
	    &(struct conf_entry){ .key = image_text(c, "*.b.test") }, 1,
	    sizeof(struct conf_entry));
	image_rows(c, &c->limit, l, 3, sizeof l[0]);
	CHECK("group: there are some", group_any(c));
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (a == NULL)
			abort();
		a->status = rows[i].status;
		for (a->n = 0; a->n < 3 && rows[i].mx[a->n].name != NULL;
		     a->n++) {
			a->rr[a->n].pref = rows[i].mx[a->n].pref;
			strlcpy(a->rr[a->n].name, rows[i].mx[a->n].name,
			    sizeof a->rr[0].name);
		}
		snprintf(name, sizeof name, "group: %s", rows[i].name);
		CHECK(name, group_of(c, "d.b.test", a) == rows[i].want);
	}
	free(a);
	free(c);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	failover();
	one_by_one();
	dead();
	plain_there();
	no_descriptor();
	silent_lookup();
	sources();
	names();
	families();
	routes();
	lending();
	backup();
	odd();
	server_limits();
	groups();
	return unit_end();
}
