/*
 * The SMTP client by LMTP (RFC 2033): a reply for each recipient who was
 * taken, and what is left when there is none.  And how long it waits, whatever
 * the pace of the server.
 *
 * SPDX-License-Identifier: ISC
 */
#include "client_bench.h"
#include "client_parts.h"

/* clang-format off */
#define LHLO { "LHLO me.example.com\r\n", "250-mx\r\n250 PIPELINING\r\n" }
#define SLOW_LHLO { "LHLO me.example.com\r\n", "250 mx\r\n" }

/* Columns: name, script, what the owner hears. */
static const struct {
	const char *name;
	struct step steps[12];
	const char *want;
} cases[] = {
	{ "both", { HI, LHLO, MAIL, RCPT, RCPT2, DATA, { "<dot>", "250 a\r\n250 b\r\n" } },
	    "ready rcpt0=250 rcpt1=250 set0=250 set1=250 over=done/250 " },
	{ "both, one by one", { HI, SLOW_LHLO, MAIL, RCPT, RCPT2, DATA, { "<dot>", "250 a\r\n" }, { NULL, "250 b\r\n" } },
	    "ready rcpt0=250 rcpt1=250 set0=250 set1=250 over=done/250 " },
	{ "one of them", { HI, LHLO, MAIL, RCPT, RCPT2, DATA, { "<dot>", "550 5.2.2 a\r\n250 b\r\n" } },
	    "ready rcpt0=250 rcpt1=250 set0=550 set1=250 over=done/250 " },
	{ "the other", { HI, LHLO, MAIL, RCPT, RCPT2, DATA, { "<dot>", "250 a\r\n450-b\r\n450 b\r\n" } },
	    "ready rcpt0=250 rcpt1=250 set0=250 set1=450 over=done/250 " },
	{ "neither", { HI, LHLO, MAIL, RCPT, RCPT2, DATA, { "<dot>", "450 a\r\n550 b\r\n" } },
	    "ready rcpt0=250 rcpt1=250 set0=450 set1=550 over=later/450 " },
	{ "a reply for who was taken only", { HI, LHLO, MAIL, { "RCPT ", "550 no\r\n" }, RCPT2, DATA, { "<dot>", "250 b\r\n" } },
	    "ready rcpt0=550 rcpt1=250 set1=250 over=done/250 " },
	{ "nobody was taken", { HI, LHLO, MAIL, { "RCPT ", "550 no\r\n" }, { "RCPT ", "550 no\r\n" },
	    { "DATA\r\n", "503 nobody\r\n" }, RSET },
	    "ready rcpt0=550 rcpt1=550 over=never/503 " },
	{ "nobody was taken, and yet 354", { HI, LHLO, MAIL, { "RCPT ", "550 no\r\n" }, { "RCPT ", "550 no\r\n" }, DATA },
	    "ready rcpt0=550 rcpt1=550 over=later/0/closed " },
	{ "closed before the first", { HI, LHLO, MAIL, RCPT, RCPT2, DATA, { "<dot>", NULL } },
	    "ready rcpt0=250 rcpt1=250 over=later/0/closed twice " },
	{ "closed before the second", { HI, LHLO, MAIL, RCPT, RCPT2, DATA, { "<dot>", "250 a\r\n" }, { NULL, "<close>" } },
	    "ready rcpt0=250 rcpt1=250 set0=250 over=later/0/closed twice " },
	{ "silent before the second", { HI, LHLO, MAIL, RCPT, RCPT2, DATA, { "<dot>", "250 a\r\n" } },
	    "ready rcpt0=250 rcpt1=250 set0=250 silence over=later/0/closed twice " },
	{ "421 for the second", { HI, LHLO, MAIL, RCPT, RCPT2, DATA, { "<dot>", "250 a\r\n421 bye\r\n" } },
	    "ready rcpt0=250 rcpt1=250 set0=250 over=later/421/closed " },
	{ "354 for the second", { HI, LHLO, MAIL, RCPT, RCPT2, DATA, { "<dot>", "250 a\r\n354 what\r\n" } },
	    "ready rcpt0=250 rcpt1=250 set0=250 over=later/0/closed twice " },
	{ "no LHLO", { HI, { "LHLO ", "500 what\r\n" } }, "lost=never/500 " },
	{ "LHLO 450", { HI, { "LHLO ", "450 busy\r\n" } }, "lost=later/450 " },
	{ "one reply too many", { HI, LHLO, MAIL, RCPT, RCPT2, DATA, { "<dot>", "250 a\r\n250 b\r\n250 c\r\n" } },
	    "ready rcpt0=250 rcpt1=250 set0=250 set1=250 over=done/250/closed " },
};
/* clang-format on */

static void
lmtp(void)
{
	static struct server s;
	char name[80];
	struct run r;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
		r.how.lmtp = true;
		play(&r, &s, cases[i].steps, NULL);
		snprintf(name, sizeof name, "LMTP: %s", cases[i].name);
		went(name, &r, &s, cases[i].want, true);
		run_free(&r);
	}
}

static void
twice(void)
{
	static const struct step steps[] = { HI, LHLO, MAIL, RCPT,
		{ "RCPT ", "550 no\r\n" }, DATA, { "<dot>", "250 a\r\n" }, MAIL,
		{ "RCPT ", "550 no\r\n" }, RCPT2, DATA,
		{ "<dot>", "450 b\r\n" }, END };
	static struct server s;
	struct run r;

	run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
	r.how.lmtp = true;
	r.mails = 2;
	play(&r, &s, steps, NULL);
	CHECK("LMTP: two transactions",
	    s.wrong[0] == '\0' &&
		strcmp(r.log,
		    "ready rcpt0=250 rcpt1=550 set0=250 over=done/250 "
		    "rcpt0=550 rcpt1=250 set1=450 over=later/450 ") == 0);
	run_free(&r);
}

/* ---- how long it waits ---- */

/* When the deadline comes, in ms from now; 0: there is none. */
static long
due(const struct client *c)
{
	struct timeval tv, now;

	if (!c->io.deadline.set)
		return 0;
	event_pending(&c->io.deadline.ev, EV_TIMEOUT, &tv);
	event_base_gettimeofday_cached(c->loop->base, &now);
	return (tv.tv_sec - now.tv_sec) * 1000 +
	    (tv.tv_usec - now.tv_usec) / 1000;
}

struct slow {
	struct run run;
	struct server server;
	struct timer step;
	int n;
	long first, last;
};

/* A byte of the greeting from time to time. */
static void
on_step(void *arg)
{
	struct slow *s = arg;

	if (s->n++ == 1)
		s->first = due(s->run.client);
	s->last = due(s->run.client);
	if (write(s->server.fd, "2", 1) != 1)
		abort();
	if (s->n < 8)
		timer_set(s->run.loop, &s->step, 20, on_step, s);
	else
		loop_stop(s->run.loop);
}

static void
drip(void)
{
	struct mx_addr addr = { .name = "mx.example.org" };
	struct client_owner owner = bench_owner;
	static struct slow s;
	int sv[2];

	pair(sv);
	run_init(&s.run, spool_file("a\r\n", ""), "a\r\n", "");
	owner.arg = &s.run;
	s.server.fd = sv[1];
	client_adopt(s.run.client, sv[0], &addr, &s.run.how, &owner);
	timer_set(s.run.loop, &s.step, 0, on_step, &s);
	loop_run(s.run.loop);
	CHECK("wait: no byte of a reply makes it longer",
	    s.run.client->io.in.len > 3 && s.first <= 300000 &&
		s.last <= s.first - 80);
	timer_clear(&s.step);
	run_free(&s.run);
	close(sv[1]);
}

/* Reads a little of the content from time to time. */
static void
on_sip(void *arg)
{
	static char in[4000];
	struct slow *s = arg;

	if (s->n++ == 1)
		s->first = due(s->run.client);
	s->last = due(s->run.client);
	if (read(s->server.fd, in, sizeof in) <= 0)
		abort();
	if (s->n < 8)
		timer_set(s->run.loop, &s->step, 20, on_sip, s);
	else
		loop_stop(s->run.loop);
}

static void
sip(void)
{
	static const struct step steps[] = { HI, PLAIN, MAIL, RCPT, RCPT2, DATA,
		END };
	static char body[3 * 1048576 + 1];
	struct mx_addr addr = { .name = "mx.example.org" };
	struct client_owner owner = bench_owner;
	static struct slow s;
	struct client *c;
	int sv[2], small = 4608, i;
	msec now;

	pair(sv);
	setsockopt(sv[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	memset(body, 'a', sizeof body - 1);
	run_init(&s.run, spool_file(body, ""), body, "");
	c = s.run.client;
	owner.arg = &s.run;
	s.server.loop = s.run.loop;
	s.server.fd = sv[1];
	s.server.step = steps;
	watch_set(s.run.loop, &s.server.rd, sv[1], LOOP_READ, server_read,
	    &s.server);
	server_go(&s.server);
	client_adopt(c, sv[0], &addr, &s.run.how, &owner);
	for (i = 0; i < 1000 && s.server.step < steps + 6; i++)
		event_base_loop(s.run.loop->base, EVLOOP_ONCE);
	watch_clear(&s.server.rd);
	for (i = 0; i < 20 && c->io.out.len == 0; i++)
		event_base_loop(s.run.loop->base, EVLOOP_ONCE);
	timer_set(s.run.loop, &s.step, 0, on_sip, &s);
	loop_run(s.run.loop);
	CHECK("wait: a block of content has its time, however it is read",
	    s.first > 0 && s.first <= CLIENT_BLOCK_MS &&
		s.last <= s.first - 80);
	now = loop_msec();
	CHECK("wait: so long for a transaction of three MiB",
	    c->until <= now + CLIENT_TALK_MS + 4 * CLIENT_MIB_MS &&
		c->until > now + CLIENT_TALK_MS + 4 * CLIENT_MIB_MS - 60000);
	/* That time is over, block or no block. */
	c->until = now - 1;
	client_set_deadline(c);
	timer_set(s.run.loop, &s.run.end, 5000, on_silence, &s.run);
	loop_run(s.run.loop);
	CHECK("wait: and no longer",
	    strcmp(s.run.log, "ready rcpt0=250 rcpt1=250 lost=later/0 ") == 0 &&
		strstr(s.run.last.text, "timed out") != NULL &&
		s.run.last.cause == CAUSE_NETWORK &&
		s.run.last.stage == STAGE_CONTENT);
	timer_clear(&s.step);
	run_free(&s.run);
	close(sv[1]);
}

/* After the content it waits for the reply as long as RFC 5321 wants, however
 * long the transaction has taken. */
static void
after(void)
{
	static const struct step steps[] = { HI, PLAIN, MAIL, RCPT, RCPT2, DATA,
		{ "<dot>", "" }, END };
	static struct server s;
	struct run r;

	run_init(&r, spool_file("a\r\n", ""), "a\r\n", "");
	play(&r, &s, steps, NULL);
	CHECK("wait: ten minutes for the reply to the content",
	    strcmp(r.log,
		"ready rcpt0=250 rcpt1=250 silence over=later/0/closed twice ") ==
		    0 &&
		r.client->until == 0);
	run_free(&r);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	lmtp();
	twice();
	drip();
	sip();
	after();
	return unit_end();
}
