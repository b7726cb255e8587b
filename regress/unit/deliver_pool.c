/*
 * Idle connections: who may have them, how many, for how long, and which are
 * not kept.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>

#include <signal.h>
#include <stdio.h>

#include <bsd/string.h>

#include "pool.h"
#include "resolv.h"
#include "unit.h"

enum { CONNS = 16, RUN_MS = 3000, LITTLE_MS = 60 };

struct test {
	struct loop *loop;
	struct pool *pool;
	int peer[CONNS]; /* the servers' ends */
	int n;
	bool ready;
	struct timer end;
};

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

static void
address(struct mx_addr *a, const char *name, const char *ip, uint16_t port)
{
	struct dns_server s;

	memset(a, 0, sizeof *a);
	resolv_address(slice_of(ip), port, &s);
	a->ss = s.ss;
	a->len = s.len;
	strlcpy(a->name, name, sizeof a->name);
}

static struct client_how
how_of(uint32_t action)
{
	return (struct client_how){ .helo = "me.test",
		.want = { .level = TLS_LEVEL_MAY,
		    .ca = CONF_NONE,
		    .pki = CONF_NONE,
		    .ciphers = "",
		    .protocols = "" },
		.action = action };
}

/* A client that is ready; its server's end is t->peer[t->n - 1]. */
static struct client *
connected(struct test *t, const struct mx_addr *a, const struct client_how *how)
{
	static const char script[] = "220 mx\r\n250 mx\r\n";
	struct client_owner owner = { .ready = on_ready,
		.lost = on_lost,
		.arg = t };
	struct client *c = client_new(t->loop);
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		sv) == -1 ||
	    write(sv[1], script, sizeof script - 1) != sizeof script - 1)
		abort();
	t->peer[t->n++] = sv[1];
	t->ready = false;
	client_adopt(c, sv[0], a, how, &owner);
	run(t, RUN_MS);
	if (!t->ready)
		abort();
	return c;
}

static void
start(struct test *t, unsigned int max)
{
	memset(t, 0, sizeof *t);
	t->loop = loop_new();
	t->pool = pool_new(t->loop, max);
}

static void
stop(struct test *t)
{
	pool_free(&t->pool);
	while (t->n > 0)
		close(t->peer[--t->n]);
	loop_free(&t->loop);
}

/* What the server was told after EHLO; *closed: the connection is gone. */
static bool
heard(struct test *t, int i, const char *words, bool *closed)
{
	char in[512];
	ssize_t n, all = 0;

	while ((n = read(t->peer[i], in + all, sizeof in - 1 - (size_t)all)) >
	    0)
		all += n;
	*closed = n == 0;
	in[all] = '\0';
	return strstr(in, words) != NULL;
}

/* ---- who may have it ---- */

/* What is changed of the one that is there: columns: name, action, host,
 * address, port, level, label, lmtp; it is the same. */
static const struct {
	const char *name;
	uint32_t action;
	const char *host, *ip;
	uint16_t port;
	enum conf_tls_level level;
	const char *label;
	bool lmtp, same;
} rows[] = {
	{ "the same", 1, "mx.test", "192.0.2.1", 25, TLS_LEVEL_MAY, "", false,
	    true },
	{ "in other case", 1, "MX.test", "192.0.2.1", 25, TLS_LEVEL_MAY, "",
	    false, true },
	{ "another action", 2, "mx.test", "192.0.2.1", 25, TLS_LEVEL_MAY, "",
	    false, false },
	{ "another name", 1, "mx2.test", "192.0.2.1", 25, TLS_LEVEL_MAY, "",
	    false, false },
	{ "another address", 1, "mx.test", "192.0.2.2", 25, TLS_LEVEL_MAY, "",
	    false, false },
	{ "another family", 1, "mx.test", "2001:db8::1", 25, TLS_LEVEL_MAY, "",
	    false, false },
	{ "another port", 1, "mx.test", "192.0.2.1", 26, TLS_LEVEL_MAY, "",
	    false, false },
	{ "another policy", 1, "mx.test", "192.0.2.1", 25, TLS_LEVEL_VERIFY, "",
	    false, false },
	{ "another label", 1, "mx.test", "192.0.2.1", 25, TLS_LEVEL_MAY, "me",
	    false, false },
	{ "LMTP", 1, "mx.test", "192.0.2.1", 25, TLS_LEVEL_MAY, "", true,
	    false },
};

static void
likeness(void)
{
	static struct test t;
	struct client_how how;
	struct mx_addr a;
	struct client *c;
	char name[80];
	size_t i;

	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		start(&t, 10);
		how = how_of(1);
		address(&a, "mx.test", "192.0.2.1", 25);
		c = connected(&t, &a, &how);
		pool_put(t.pool, "mx:a.test", 1, 100, &c);
		address(&a, rows[i].host, rows[i].ip, rows[i].port);
		how = how_of(rows[i].action);
		how.want.level = rows[i].level;
		how.lmtp = rows[i].lmtp;
		strlcpy(how.label, rows[i].label, sizeof how.label);
		c = pool_take_like(t.pool, &a, &how);
		snprintf(name, sizeof name, "pool like: %s", rows[i].name);
		CHECK(name, (c != NULL) == rows[i].same);
		client_free(&c);
		stop(&t);
	}
}

/* One that does as if the server did not offer something serves also who needs
 * no less; the other way round the same trouble would come again. */
static void
without(void)
{
	static struct test t;
	struct client_how how;
	struct mx_addr a;
	struct client *c;

	start(&t, 10);
	address(&a, "mx.test", "192.0.2.1", 25);
	how = how_of(1);
	how.without = EXT_DSN;
	c = connected(&t, &a, &how);
	pool_put(t.pool, "mx:a.test", 1, 100, &c);
	how.without = EXT_DSN | EXT_PIPELINING;
	CHECK("pool like: it believes more than may be believed",
	    pool_take_like(t.pool, &a, &how) == NULL);
	how.without = 0;
	c = pool_take_like(t.pool, &a, &how);
	CHECK("pool like: it believes less", c != NULL);
	client_free(&c);
	stop(&t);
}

static void
by_route(void)
{
	static struct test t;
	struct client_how how = how_of(1);
	struct mx_addr a;
	struct client *c, *first, *second;

	start(&t, 10);
	address(&a, "mx.test", "192.0.2.1", 25);
	c = first = connected(&t, &a, &how);
	pool_put(t.pool, "mx:a.test", 1, 100, &c);
	CHECK("pool: taken over", c == NULL);
	c = second = connected(&t, &a, &how);
	pool_put(t.pool, "mx:a.test", 1, 100, &c);
	CHECK("pool: not of another route",
	    pool_take(t.pool, "mx:b.test", 1) == NULL);
	CHECK("pool: not of another action",
	    pool_take(t.pool, "mx:a.test", 2) == NULL);
	c = pool_take(t.pool, "mx:a.test", 1);
	CHECK("pool: the newest first", c == second);
	client_free(&c);
	c = pool_take(t.pool, "mx:a.test", 1);
	CHECK("pool: then the other", c == first);
	client_free(&c);
	CHECK("pool: then none", pool_take(t.pool, "mx:a.test", 1) == NULL);
	stop(&t);
}

/* ---- which are not kept ---- */

static void
spoke(void)
{
	static struct test t;
	struct client_how how = how_of(1);
	struct mx_addr a;
	struct client *c;
	bool closed;

	start(&t, 10);
	address(&a, "mx.test", "192.0.2.1", 25);
	c = connected(&t, &a, &how);
	pool_put(t.pool, "mx:a.test", 1, 100, &c);
	if (write(t.peer[0], "421 bye\r\n", 9) != 9)
		abort();
	run(&t, LITTLE_MS);
	heard(&t, 0, "", &closed);
	CHECK("pool: one that spoke on its own is closed",
	    pool_take(t.pool, "mx:a.test", 1) == NULL && closed);
	c = connected(&t, &a, &how);
	pool_put(t.pool, "mx:a.test", 1, 100, &c);
	shutdown(t.peer[1], SHUT_RDWR);
	run(&t, LITTLE_MS);
	CHECK("pool: nor one that the server closed",
	    pool_take(t.pool, "mx:a.test", 1) == NULL);
	stop(&t);
}

static void
messages(void)
{
	static struct test t;
	struct client_how how = how_of(1);
	struct mx_addr a;
	struct client *c;
	bool closed;

	start(&t, 10);
	address(&a, "mx.test", "192.0.2.1", 25);
	c = connected(&t, &a, &how);
	c->mails = 3;
	pool_put(t.pool, "mx:a.test", 1, 3, &c);
	CHECK("pool: not after its last message",
	    pool_take(t.pool, "mx:a.test", 1) == NULL);
	run(&t, LITTLE_MS);
	CHECK("pool: which ends with QUIT",
	    heard(&t, 0, "QUIT\r\n", &closed) && !closed);
	if (write(t.peer[0], "221 bye\r\n", 9) != 9)
		abort();
	run(&t, LITTLE_MS);
	heard(&t, 0, "", &closed);
	CHECK("pool: and is closed", closed);
	stop(&t);
}

static void
bounds(void)
{
	static struct test t;
	struct client_how how = how_of(1);
	struct mx_addr a;
	struct client *c;
	bool closed;
	int i;

	start(&t, 2);
	address(&a, "mx.test", "192.0.2.1", 25);
	for (i = 0; i < 3; i++) {
		c = connected(&t, &a, &how);
		pool_put(t.pool, "mx:a.test", 1, 100, &c);
	}
	run(&t, LITTLE_MS);
	CHECK("pool: of too many the oldest goes, politely",
	    heard(&t, 0, "QUIT\r\n", &closed) &&
		!heard(&t, 1, "QUIT\r\n", &closed) &&
		!heard(&t, 2, "QUIT\r\n", &closed));
	run(&t, POOL_IDLE_MS + 500);
	CHECK("pool: and all when they have been idle for long",
	    heard(&t, 1, "QUIT\r\n", &closed) &&
		(heard(&t, 2, "QUIT\r\n", &closed) || closed) &&
		pool_take(t.pool, "mx:a.test", 1) == NULL);
	stop(&t);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	likeness();
	without();
	by_route();
	spoke();
	messages();
	bounds();
	return unit_end();
}
