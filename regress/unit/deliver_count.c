/*
 * Connections with a limit: idle ones count, who would make one too many
 * waits, and each that goes lets one other begin.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>

#include <signal.h>
#include <stdio.h>

#include <bsd/string.h>

#include "conf_image.h"
#include "deliver.h"
#include "resolv.h"
#include "unit.h"

enum { CONNS = 16, JOBS = 8, RUN_MS = 3000, LITTLE_MS = 60 };

struct test {
	struct loop *loop;
	struct proc proc;
	struct deliver d;
	struct count_wait w[JOBS];
	int called[JOBS];
	int peer[CONNS]; /* the servers' ends */
	int n;
	bool ready;
	struct timer end;
};

struct call {
	struct test *test;
	int i;
};
static struct call calls[JOBS];

static void
on_end(void *arg)
{
	loop_stop(((struct test *)arg)->loop);
}

static void
run(struct test *t, msec ms)
{
	timer_set(t->loop, &t->end, ms, on_end, t);
	loop_run(t->loop);
	timer_clear(&t->end);
}

static void
on_ready(void *arg)
{
	struct test *t = arg;

	t->ready = true;
	loop_stop(t->loop);
}

static void
on_lost(void *arg, const struct outcome *o)
{
	(void)o;
	loop_stop(((struct test *)arg)->loop);
}

/* One at once at one.test, two at once in the group, which is row 1. */
static void
start(struct test *t)
{
	struct conf *c = image_new();
	struct conf_limit l[2] = { { .concurrency = 1 }, { .concurrency = 2 } };
	struct conf_entry one = { .key = image_text(c, "one.test") };
	struct conf_entry mx = { .key = image_text(c, "*.mx.test") };

	c->route_concurrency = 20;
	image_rows(c, &l[0].domain, &one, 1, sizeof one);
	image_rows(c, &l[1].mx, &mx, 1, sizeof mx);
	image_rows(c, &c->limit, l, 2, sizeof l[0]);
	memset(t, 0, sizeof *t);
	t->loop = loop_new();
	t->proc.loop = t->loop;
	t->d.p = &t->proc;
	t->d.conf = c;
	t->d.pool = pool_new(t->loop, 10);
}

static void
stop(struct test *t)
{
	int i;

	for (i = 0; i < JOBS; i++)
		count_free(&t->w[i]);
	pool_free(&t->d.pool);
	while (t->n > 0)
		close(t->peer[--t->n]);
	CHECK("nothing is left of it", LIST_EMPTY(&t->d.counts));
	loop_free(&t->loop);
	free((void *)t->d.conf);
}

static void
on_room(void *arg)
{
	struct call *c = arg;

	c->test->called[c->i]++;
	loop_stop(c->test->loop);
}

static bool
ask(struct test *t, int i)
{
	calls[i] = (struct call){ .test = t, .i = i };
	return count_ask(&t->w[i], on_room, &calls[i]);
}

/* Job i of this route and group; true: it may connect at once. */
static bool
job(struct test *t, int i, const char *route, uint32_t group)
{
	struct job_take take;

	memset(&take, 0, sizeof take);
	strlcpy(take.route, route, sizeof take.route);
	take.group = group;
	count_init(&t->d, &t->w[i], &take);
	return ask(t, i);
}

/* The connection of job i; its server's end is t->peer[t->n - 1]. */
static struct client *
connected(struct test *t, int i)
{
	static const char script[] = "220 mx\r\n250 mx\r\n";
	struct client_owner owner = { .ready = on_ready,
		.lost = on_lost,
		.arg = t };
	struct client_how how = { .helo = "me.test",
		.want = { .level = TLS_LEVEL_NO,
		    .ca = CONF_NONE,
		    .pki = CONF_NONE,
		    .ciphers = "",
		    .protocols = "" } };
	struct client *c = client_new(t->loop);
	struct dns_server s;
	struct mx_addr a;
	int sv[2];

	memset(&a, 0, sizeof a);
	resolv_address(slice_of("192.0.2.1"), 25, &s);
	a.ss = s.ss;
	a.len = s.len;
	memcpy(how.count, t->w[i].of, sizeof how.count);
	count_seat(&t->w[i]);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		sv) == -1 ||
	    write(sv[1], script, sizeof script - 1) != sizeof script - 1)
		abort();
	t->peer[t->n++] = sv[1];
	t->ready = false;
	client_adopt(c, sv[0], &a, &how, &owner);
	run(t, RUN_MS);
	if (!t->ready)
		abort();
	return c;
}

/* What server i was told. */
static bool
heard(struct test *t, int i, const char *words)
{
	char in[512];
	ssize_t n, all = 0;

	while ((n = read(t->peer[i], in + all, sizeof in - 1 - (size_t)all)) >
	    0)
		all += n;
	in[all] = '\0';
	return strstr(in, words) != NULL;
}

static void
check_uncounted(void)
{
	struct test t;
	int i;
	bool good = true;

	start(&t);
	for (i = 0; i < JOBS; i++)
		good = good && job(&t, i, "mx:other.test", CONF_NONE);
	CHECK("nobody counts: all at once", good && t.w[0].of[0] == NULL);
	stop(&t);
}

static void
check_route(void)
{
	struct client *c;
	struct test t;

	start(&t);
	CHECK("one may", job(&t, 0, "mx:one.test", CONF_NONE));
	c = connected(&t, 0);
	CHECK("no second", !job(&t, 1, "mx:one.test", CONF_NONE));
	CHECK("nor a third", !job(&t, 2, "mx:one.test", CONF_NONE));
	CHECK("another route may", job(&t, 3, "mx:two.test", CONF_NONE));
	run(&t, LITTLE_MS);
	CHECK("while it is open", t.called[1] == 0);
	client_free(&c);
	CHECK("not at once, from who knows where", t.called[1] == 0);
	run(&t, RUN_MS);
	CHECK("one for each that goes", t.called[1] == 1 && t.called[2] == 0);
	count_free(&t.w[1]);
	run(&t, RUN_MS);
	CHECK("who goes without it leaves it", t.called[2] == 1);
	stop(&t);
}

static void
check_idle(void)
{
	struct client *c;
	struct test t;

	start(&t);
	job(&t, 0, "mx:one.test", CONF_NONE);
	c = connected(&t, 0);
	pool_put(t.d.pool, "mx:one.test", 0, 100, &c);
	count_free(&t.w[0]);
	CHECK("an idle one counts, also when its job is gone",
	    !job(&t, 1, "mx:one.test", CONF_NONE));
	run(&t, LITTLE_MS);
	CHECK("it says QUIT", heard(&t, 0, "QUIT\r\n"));
	CHECK("and counts until it is gone", t.called[1] == 0);
	if (write(t.peer[0], "221 bye\r\n", 9) != 9)
		abort();
	run(&t, RUN_MS);
	CHECK("then", t.called[1] == 1);
	c = connected(&t, 1);
	pool_put(t.d.pool, "mx:one.test", 0, 100, &c);
	CHECK("the next", !job(&t, 2, "mx:one.test", CONF_NONE));
	run(&t, COUNT_QUIT_MS - 500);
	CHECK("who does not answer it has a moment", t.called[2] == 0);
	run(&t, RUN_MS);
	CHECK("and no more", t.called[2] == 1);
	stop(&t);
}

static void
check_group(void)
{
	struct client *a, *b;
	struct test t;

	start(&t);
	CHECK("group: one", job(&t, 0, "mx:a.test", 1));
	a = connected(&t, 0);
	CHECK("group: two", job(&t, 1, "mx:one.test", 1));
	b = connected(&t, 1);
	CHECK("group: three of any route may not", !job(&t, 2, "mx:c.test", 1));
	CHECK("group: nor one of a full route", !job(&t, 3, "mx:one.test", 1));
	pool_put(t.d.pool, "mx:a.test", 0, 100, &a);
	run(&t, LITTLE_MS);
	CHECK("group: one that becomes idle is still one",
	    t.called[2] == 0 && t.called[3] == 0);
	client_free(&b);
	run(&t, RUN_MS);
	run(&t, LITTLE_MS);
	CHECK("group: the place goes to one", t.called[2] + t.called[3] == 1);
	pool_uncount(t.d.pool);
	run(&t, LITTLE_MS);
	CHECK("uncounted: idle ones say QUIT", heard(&t, 0, "QUIT\r\n"));
	stop(&t);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	check_uncounted();
	check_route();
	check_idle();
	check_group();
	return unit_end();
}
