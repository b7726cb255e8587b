/*
 * Jobs from job_take to job_end: hosts in turn, outcomes by width, connections
 * used again, a queue that dies.
 *
 * SPDX-License-Identifier: ISC
 */
#include "job_bench.h"

/* clang-format off */
#define DOWN   { .down = true }
#define G554   { .greeting = "554 no mail here" }
#define G421   { .greeting = "421 busy" }
#define CMAIL  { .close_mail = true }
#define GOOD   { .pipelining = true }

/* Columns: name, servers, route, recipients, what queue hears; connections of
 * and messages at each server. */
static const struct {
	const char *name;
	struct manner manner[HOSTS];
	const char *route;
	uint32_t rcpts;
	const char *want;
	unsigned int conns[HOSTS], mails[HOSTS];
} cases[] = {
	{ "one host", { GOOD }, "mx:one.test", 2,
	    "0=done/250/2.0.0@h1.1 1=done/250/2.0.0@h1.1 end=done ", { 1 }, { 1 } },
	{ "without pipelining", { { 0 } }, "mx:one.test", 2,
	    "0=done/250/2.0.0@h1.1 1=done/250/2.0.0@h1.1 end=done ", { 1 }, { 1 } },
	{ "who takes DSN over", { { .pipelining = true, .dsn = true } }, "mx:one.test", 2,
	    "0=done/250/2.0.0@h1.1+dsn 1=done/250/2.0.0@h1.1+dsn end=done ", { 1 }, { 1 } },
	{ "who takes nothing takes no DSN over", { { .dsn = true, .dot = "554 5.7.1 no" } }, "mx:one.test", 1,
	    "0=never/554/5.7.1@h1.1 end=done ", { 1 }, { 1 } },
	{ "no MX, an address", { GOOD }, "mx:implicit.test", 1,
	    "0=done/250/2.0.0@imp1 end=done ", { 1 }, { 1 } },
	{ "a relay host", { GOOD }, "HOST", 1,
	    "0=done/250/2.0.0@1271 end=done ", { 1 }, { 1 } },
	{ "an address in brackets", { DOWN, GOOD }, "mx:[127.0.0.2]", 1,
	    "0=done/250/2.0.0@1272 end=done ", { 0, 1 }, { 0, 1 } },

	{ "the first is down", { DOWN, GOOD }, "mx:two.test", 1,
	    "0=done/250/2.0.0@h2.2 end=done ", { 0, 1 }, { 0, 1 } },
	{ "the first greets with 554", { G554, GOOD }, "mx:two.test", 1,
	    "0=done/250/2.0.0@h2.2 end=done ", { 1, 1 }, { 0, 1 } },
	{ "the first greets with 421", { G421, GOOD }, "mx:two.test", 1,
	    "0=done/250/2.0.0@h2.2 end=done ", { 1, 1 }, { 0, 1 } },
	{ "all are down", { DOWN, DOWN }, "mx:two.test", 1,
	    "0=later/0/4.4.1@h2.2 end=later/site ", { 0 }, { 0 } },
	{ "all greet with 554", { G554, G554 }, "mx:two.test", 1,
	    "0=never/554/0.0.0@h2.2 end=done ", { 1, 1 }, { 0 } },
	{ "one is down, one greets with 554", { DOWN, G554 }, "mx:two.test", 1,
	    "0=later/0/4.4.1@h1.1 end=later/site ", { 0, 1 }, { 0 } },
	{ "one greets with 554, one is down", { G554, DOWN }, "mx:two.test", 1,
	    "0=later/0/4.4.1@h2.2 end=later/site ", { 1, 0 }, { 0 } },

	{ "closed upon MAIL, then another", { CMAIL, GOOD }, "mx:two.test", 1,
	    "0=done/250/2.0.0@h2.2 end=done ", { 1, 1 }, { 0, 1 } },
	{ "closed upon MAIL twice, no third", { CMAIL, CMAIL, GOOD }, "mx:three.test", 1,
	    "0=later/0/4.4.2@h2.2 end=later ", { 1, 1, 0 }, { 0 } },
	{ "closed upon MAIL, the other is down", { CMAIL, DOWN }, "mx:two.test", 1,
	    "0=later/0/4.4.1@h2.2 end=later ", { 1, 0 }, { 0 } },
	{ "MAIL 421, then another", { { .mail = "421 4.3.2 bye" }, GOOD }, "mx:two.test", 1,
	    "0=done/250/2.0.0@h2.2 end=done ", { 1, 1 }, { 0, 1 } },
	{ "MAIL 421, no other", { { .mail = "421 4.3.2 bye" } }, "mx:one.test", 1,
	    "0=later/421/4.3.2@h1.1 end=later/site ", { 1 }, { 0 } },
	{ "MAIL 451 is the message's", { { .mail = "451 4.7.1 grey" }, GOOD }, "mx:two.test", 2,
	    "0=later/451/4.7.1@h1.1 1=later/451/4.7.1@h1.1 end=done ", { 1, 0 }, { 0 } },
	{ "MAIL 550 is the message's", { { .mail = "550 5.7.1 no" } }, "mx:one.test", 2,
	    "0=never/550/5.7.1@h1.1 1=never/550/5.7.1@h1.1 end=done ", { 1 }, { 0 } },
	{ "dot 554 is the message's", { { .dot = "554 5.6.0 spam" } }, "mx:one.test", 1,
	    "0=never/554/5.6.0@h1.1 end=done ", { 1 }, { 1 } },
	{ "closed upon the dot, no other is tried", { { .close_dot = true }, GOOD }, "mx:two.test", 1,
	    "0=later/0/4.4.2@h1.1 end=later ", { 1, 0 }, { 1, 0 } },
	{ "all recipients refused, closed upon DATA",
	    { { .rcpt = "550 5.1.1 who", .close_data = true, .pipelining = true }, GOOD },
	    "mx:two.test", 2, "0=never/550/5.1.1@h1.1 1=never/550/5.1.1@h1.1 end=later ", { 1, 0 }, { 0 } },

	{ "two recipients at a time", { { .max_rcpt = 2, .pipelining = true } }, "mx:one.test", 5,
	    "0=done/250/2.0.0@h1.1 1=done/250/2.0.0@h1.1 2=done/250/2.0.0@h1.1 "
	    "3=done/250/2.0.0@h1.1 4=done/250/2.0.0@h1.1 end=done ", { 1 }, { 3 } },
	{ "two at a time, one message a connection",
	    { { .max_rcpt = 2, .close_over = true } }, "mx:one.test", 3,
	    "0=done/250/2.0.0@h1.1 1=done/250/2.0.0@h1.1 2=done/250/2.0.0@h1.1 end=done ", { 2 }, { 2 } },
	{ "452 to all", { { .rcpt = "452 full" } }, "mx:one.test", 2,
	    "0=later/452/0.0.0@h1.1 1=later/452/0.0.0@h1.1 end=done ", { 1 }, { 0 } },
	{ "552 to a recipient is later", { { .rcpt = "552 too many" } }, "mx:one.test", 1,
	    "0=later/552/0.0.0@h1.1 end=done ", { 1 }, { 0 } },
	{ "552 5.2.2 is never", { { .rcpt = "552 5.2.2 full" } }, "mx:one.test", 1,
	    "0=never/552/5.2.2@h1.1 end=done ", { 1 }, { 0 } },

	{ "STARTTLS that fails, then plain", { { .bad_tls = true } }, "mx:one.test", 1,
	    "0=done/250/2.0.0@h1.1 end=done ", { 2 }, { 1 } },

	{ "no such domain", { GOOD }, "mx:gone.test", 1, "0=never/0/5.1.2 end=done ", { 0 }, { 0 } },
	{ "no MX and no address", { GOOD }, "mx:empty.test", 1, "0=never/0/5.1.2 end=done ", { 0 }, { 0 } },
	{ "null MX", { GOOD }, "mx:null.test", 1, "0=never/556/5.1.10 end=done ", { 0 }, { 0 } },
	{ "SERVFAIL", { GOOD }, "mx:trouble.test", 1, "0=later/0/4.4.3 end=later/site ", { 0 }, { 0 } },
	{ "back to ourselves", { GOOD }, "mx:own.test", 1, "0=never/0/5.4.6 end=done ", { 0 }, { 0 } },
	{ "a relay host without an address", { GOOD }, "host:smtp://gone.test:25", 1,
	    "0=later/0/4.4.4 end=later/site ", { 0 }, { 0 } },
	{ "no route", { GOOD }, "lmtp:/x", 1, "0=later/0/4.3.5 end=later ", { 0 }, { 0 } },
};
/* clang-format on */

static void
table(void)
{
	static struct test t;
	char name[96];
	size_t i;
	int good, k;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		test_start(&t, cases[i].manner);
		give(&t, 1, cases[i].route, cases[i].rcpts, 0, false);
		test_run(&t, 1);
		snprintf(name, sizeof name, "job: %s", cases[i].name);
		good = strcmp(t.log, cases[i].want) == 0;
		for (k = 0; k < HOSTS; k++)
			good = good && t.server[k].conns == cases[i].conns[k] &&
			    t.server[k].mails == cases[i].mails[k];
		CHECK(name, good && TAILQ_EMPTY(&t.d.jobs));
		if (!good)
			printf("# %s| %u %u %u\n", t.log, t.server[0].conns,
			    t.server[1].conns, t.server[2].conns);
		test_stop(&t);
	}
}

/* ---- reuse ---- */

static void
reuse(void)
{
	static const struct manner good[HOSTS] = { GOOD };
	static const struct manner once[HOSTS] = { { .close_over = true } };
	static struct test t;
	unsigned int i;

	test_start(&t, good);
	for (i = 1; i <= 5; i++) {
		give(&t, i, "mx:one.test", 1, 0, false);
		test_run(&t, 1);
	}
	CHECK("job: five messages, one connection",
	    t.server[0].mails == 5 && t.server[0].conns == 1);
	give(&t, 6, "mx:implicit.test", 1, 0, false);
	test_run(&t, 1);
	CHECK("job: another route, another connection",
	    t.server[0].mails == 6 && t.server[0].conns == 2);
	test_stop(&t);
	test_start(&t, once);
	for (i = 1; i <= 3; i++) {
		give(&t, i, "mx:one.test", 1, 0, false);
		test_run(&t, 1);
	}
	CHECK("job: a connection that went is made anew",
	    t.server[0].mails == 3 && t.server[0].conns == 3 &&
		strcmp(t.log,
		    "0=done/250/2.0.0@h1.1 end=done "
		    "0=done/250/2.0.0@h1.1 end=done "
		    "0=done/250/2.0.0@h1.1 end=done ") == 0);
	test_stop(&t);
}

/* ---- what the configuration says of a relay ---- */

/* `limit domain one.test messages N` */
static void
limit(struct test *t, uint32_t messages)
{
	struct conf *c = (struct conf *)t->d.conf;
	struct conf_limit l = { .messages = messages };
	struct conf_entry name = { .key = image_text(c, "one.test") };

	image_rows(c, &l.domain, &name, 1, sizeof name);
	image_rows(c, &c->limit, &l, 1, sizeof l);
}

static void
messages(void)
{
	static const struct manner good[HOSTS] = { GOOD };
	static const struct manner few[HOSTS] = { { .max_rcpt = 2,
	    .pipelining = true } };
	static struct test t;
	unsigned int i;

	test_start(&t, good);
	limit(&t, 2);
	for (i = 1; i <= 5; i++) {
		give(&t, i, "mx:one.test", 1, 0, false);
		test_run(&t, 1);
	}
	test_run(&t, 0);
	CHECK("job: two messages on each connection",
	    t.server[0].mails == 5 && t.server[0].conns == 3);
	CHECK("job: which ends in order", t.server[0].quits == 2);
	for (i = 6; i <= 8; i++) {
		give(&t, i, "mx:implicit.test", 1, 0, false);
		test_run(&t, 1);
	}
	CHECK("job: others have their own",
	    t.server[0].mails == 8 && t.server[0].conns == 4);
	test_stop(&t);
	test_start(&t, few);
	limit(&t, 1);
	give(&t, 1, "mx:one.test", 5, 0, false);
	test_run(&t, 1);
	CHECK("job: also for the recipients of one message",
	    t.server[0].mails == 3 && t.server[0].conns == 3 &&
		strstr(t.log, "later") == NULL);
	test_stop(&t);
}

static void
mail_from(void)
{
	/* Columns: mail-from, the sender, what is said. */
	static const char *const rows[][3] = {
		{ "", "s@example.com", "s@example.com" },
		{ "out@relay.test", "s@example.com", "out@relay.test" },
		{ "out", "s@example.com", "out@example.com" },
		{ "@relay.test", "s@example.com", "s@relay.test" },
		{ "@relay.test", "\"a@b\"@example.com", "\"a@b\"@relay.test" },
		{ "out@relay.test", "", "" },
		{ "@relay.test", "", "" },
		{ "out@relay.test", "nobody", "nobody" },
	};
	static const struct manner good[HOSTS] = { GOOD };
	static struct test t;
	struct conf_action *a;
	const struct job *j;
	char name[96];
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		test_start(&t, good);
		a = (struct conf_action *)CONF_ACTION(t.d.conf, 0);
		a->mail_from = image_text((struct conf *)t.d.conf, rows[i][0]);
		t.sender = rows[i][1];
		give(&t, 1, "mx:trouble.test", 1, 0, false);
		j = TAILQ_FIRST(&t.d.jobs);
		snprintf(name, sizeof name, "mail-from %s of %s", rows[i][0],
		    rows[i][1]);
		CHECK(name, j != NULL && strcmp(j->sender, rows[i][2]) == 0);
		test_stop(&t);
	}
}

/* Many at once, on one route. */
static void
many(void)
{
	static const struct manner good[HOSTS] = { GOOD };
	static struct test t;
	unsigned int i;

	test_start(&t, good);
	for (i = 1; i <= 6; i++)
		give(&t, i, "mx:one.test", 2, 0, false);
	test_run(&t, 6);
	CHECK("job: six at once",
	    t.server[0].mails == 6 && t.ends == 6 &&
		strstr(t.log, "later") == NULL);
	test_stop(&t);
}

/* ---- trouble of our own ---- */

static void
own_trouble(void)
{
	static const struct manner good[HOSTS] = { GOOD };
	static struct test t;

	test_start(&t, good);
	give(&t, 1, "mx:one.test", 2, 0, true);
	test_run(&t, 1);
	CHECK("job: a damaged file is not sent",
	    strcmp(t.log, "end=later/damaged ") == 0 && t.server[0].conns == 0);
	t.log[0] = '\0';
	give(&t, 2, "mx:one.test", 1, ROUTE_ORIGIN, false);
	test_run(&t, 1);
	CHECK("job: not signed, not sent",
	    strcmp(t.log, "0=later/0/4.7.5 end=later ") == 0 &&
		t.server[0].conns == 0);
	t.log[0] = '\0';
	give(&t, 3, "mx:one.test", 0, 0, false);
	test_run(&t, 1);
	CHECK("job: without recipients is none",
	    TAILQ_EMPTY(&t.d.jobs) && strcmp(t.log, "end=later ") == 0);
	job_go(&t.d, &(struct job_go){ .job = 99 });
	t.log[0] = '\0';
	test_run(&t, 1);
	CHECK("job: one that never came has an end",
	    strcmp(t.log, "end=later ") == 0);
	give(&t, 4, "mx:trouble.test", 1, 0, false);
	give(&t, 4, "mx:one.test", 1, 0, false);
	CHECK("job: a number twice is one job", t.d.n_jobs == 1);
	test_stop(&t);
}

/* ---- queue dies ---- */

static void
restart(void)
{
	static const struct manner good[HOSTS] = { GOOD };
	static struct test t;
	struct job *j;

	test_start(&t, good);
	t.silent = true;
	give(&t, 1, "mx:one.test", 2, 0, false);
	test_run(&t, 1);
	CHECK("report: not noted, not empty", !report_empty(t.d.report));
	give(&t, 2, "mx:trouble.test", 2, 0, false);
	ipc_detach(&t.deliver);
	ipc_detach(&t.queue);
	report_down(t.d.report);
	t.log[0] = '\0';
	t.silent = false;
	channel(&t);
	report_up(t.d.report, &t.deliver);
	TAILQ_FOREACH(j, &t.d.jobs, entry)
		job_hold(j);
	report_listed(t.d.report);
	test_run(&t, 1);
	CHECK("report: held, un-noted, listed",
	    strcmp(t.log,
		"held0 held1 0=done/250/2.0.0@h1.1 "
		"1=done/250/2.0.0@h1.1 listed ") == 0);
	t.log[0] = '\0';
	test_run(&t, 1);
	CHECK("report: what was held ends",
	    strcmp(t.log, "0=later/0/4.4.3 1=later/0/4.4.3 end=later/site ") ==
		0);
	test_run(&t, 0);
	CHECK("report: all noted, empty", report_empty(t.d.report));
	test_stop(&t);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	table();
	reuse();
	messages();
	mail_from();
	many();
	own_trouble();
	restart();
	return unit_end();
}
