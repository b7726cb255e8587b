/*
 * Waiting for the DNS, with servers on loopback that are good, silent, lying,
 * failing, cut short, or lead on.
 *
 * SPDX-License-Identifier: ISC
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <stdio.h>

#include "dns.h"
#include "dns_build.h"
#include "resolv.h"
#include "unit.h"

/* Of one question; that of a crowd, which may have to wait for its turn. */
enum { TIMEOUT = 900, CROWD_TIMEOUT = 10000 };

/* How a server treats a question. */
enum manner {
	GOOD, /* answers */
	SILENT,
	FAILS, /* SERVFAIL */
	LIES,  /* a wrong id first, then another question, then the truth */
	ONLY_LIES,
	STRANGER, /* another socket answers before it */
	CUT,      /* TC, and the answer over TCP */
	CUT_ONLY, /* TC, and nobody listens on TCP */
	CUT_LIES, /* TC, and garbage over TCP */
	OLD,      /* FORMERR to EDNS */
	LEADS,    /* n0 is n1 is n2 ..., one link at a time, to n3 */
	LOOPS     /* the same without end */
};

struct server {
	struct loop *loop;
	enum manner manner;
	int udp, tcp, conn;
	struct watch udp_rd, tcp_rd, conn_rd;
	unsigned int asked, asked_tcp;
	uint16_t ports[8]; /* of the first questions */
	uint16_t ids[8];
};

static void
answer(const uint8_t *query, size_t len, struct dns_build *p)
{
	size_t q = 12;

	while (query[q] != 0)
		q += (size_t)query[q] + 1;
	q += 5;
	if (q > len)
		abort();
	put_header(p, (unsigned int)(query[0] << 8 | query[1]), QR | RD | RA);
	put(p, query + 12, q - 12);
	p->b[5] = 1;
	p->b[2] &= 0xfd;
	/* An address, its owner a pointer to the question. */
	put(p, "\xc0\x0c\0\1\0\1\0\0\1\0\0\4\xc0\0\2\7", 16);
	p->b[7] = 1;
}

/* "nK...": a CNAME to n(K+1), or at the end an address. */
static void
lead(struct dns_build *p, const char digit, bool end)
{
	char owner[] = "n0.example.org", next[] = "n0.example.org";
	struct dns_build q = *p;

	owner[1] = digit;
	next[1] = (char)(digit == '9' ? '0' : digit + 1);
	put_header(p, (unsigned int)(q.b[0] << 8 | q.b[1]), QR | AA);
	put_question(p, owner, 1);
	if (end)
		put_a(p, owner, 300, 9);
	else
		put_cname(p, owner, 100, next);
}

static void
udp_say(struct server *s, const struct dns_build *p,
    const struct sockaddr_in *to, int fd)
{
	if (sendto(fd, p->b, p->n, 0, (const struct sockaddr *)to,
		sizeof *to) == -1)
		abort();
	(void)s;
}

static void
on_udp(int fd, int what, void *arg)
{
	static struct dns_build p, lie;
	struct server *s = arg;
	struct sockaddr_in from;
	socklen_t from_len = sizeof from;
	uint8_t query[512];
	ssize_t n;
	int other;

	(void)what;
	n = recvfrom(fd, query, sizeof query, 0, (struct sockaddr *)&from,
	    &from_len);
	if (n < 17)
		return;
	if (s->asked < 8) {
		s->ports[s->asked] = from.sin_port;
		s->ids[s->asked] = (uint16_t)(query[0] << 8 | query[1]);
	}
	s->asked++;
	answer(query, (size_t)n, &p);
	lie = p;
	lie.b[lie.n - 1] = 66; /* another address */
	switch (s->manner) {
	case SILENT:
		return;
	case FAILS:
		p.b[3] |= 2;
		break;
	case ONLY_LIES:
	case LIES:
		lie.b[0] ^= 0x55;
		udp_say(s, &lie, &from, fd);
		lie.b[0] ^= 0x55;
		lie.b[13] ^= 0x01;
		udp_say(s, &lie, &from, fd);
		if (s->manner == ONLY_LIES)
			return;
		break;
	case STRANGER:
		other = socket(AF_INET, SOCK_DGRAM, 0);
		udp_say(s, &lie, &from, other);
		close(other);
		break;
	case CUT:
	case CUT_ONLY:
	case CUT_LIES:
		p.b[2] |= 0x02;
		break;
	case OLD:
		if (query[11] == 1) { /* EDNS */
			p.b[3] |= 1;
			p.n = 12;
			memset(p.b + 4, 0, 8);
		}
		break;
	case LEADS:
		lead(&p, (char)query[14], query[14] == '3');
		break;
	case LOOPS:
		lead(&p, (char)query[14], false);
		break;
	case GOOD:
		break;
	}
	udp_say(s, &p, &from, fd);
}

static void
on_conn(int fd, int what, void *arg)
{
	static struct dns_build p;
	struct server *s = arg;
	uint8_t query[514], len[2];
	ssize_t n;

	(void)what;
	n = read(fd, query, sizeof query);
	watch_clear(&s->conn_rd);
	if (n < 19)
		return;
	s->asked_tcp++;
	answer(query + 2, (size_t)n - 2, &p);
	if (s->manner == CUT_LIES)
		p.b[0] ^= 0x55;
	len[0] = (uint8_t)(p.n >> 8);
	len[1] = (uint8_t)p.n;
	/* In three pieces. */
	if (write(fd, len, 1) != 1 || write(fd, len + 1, 1) != 1 ||
	    write(fd, p.b, p.n) != (ssize_t)p.n)
		abort();
	close(fd);
	s->conn = -1;
}

static void
on_tcp(int fd, int what, void *arg)
{
	struct server *s = arg;

	(void)what;
	s->conn = accept(fd, NULL, NULL);
	watch_set(s->loop, &s->conn_rd, s->conn, LOOP_READ, on_conn, s);
}

/* UDP and TCP on the same port of loopback, one that the kernel chose. */
static void
server_start(struct server *s, struct loop *l, enum manner manner,
    struct dns_server *addr)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&addr->ss;
	int tries;

	memset(s, 0, sizeof *s);
	s->loop = l;
	s->manner = manner;
	s->conn = -1;
	for (tries = 0; tries < 50; tries++) {
		resolv_address(SLICE("127.0.0.1"), 0, addr);
		s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		s->tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (bind(s->udp, (struct sockaddr *)in, sizeof *in) == -1 ||
		    getsockname(s->udp, (struct sockaddr *)in, &addr->len) ==
			-1)
			abort();
		if (bind(s->tcp, (struct sockaddr *)in, sizeof *in) == 0)
			break;
		close(s->udp);
		close(s->tcp);
	}
	if (tries == 50)
		abort();
	watch_set(l, &s->udp_rd, s->udp, LOOP_READ, on_udp, s);
	if (manner == CUT_ONLY)
		return;
	if (listen(s->tcp, 5) == -1)
		abort();
	watch_set(l, &s->tcp_rd, s->tcp, LOOP_READ, on_tcp, s);
}

static void
server_stop(struct server *s)
{
	watch_clear(&s->udp_rd);
	watch_clear(&s->tcp_rd);
	watch_clear(&s->conn_rd);
	close(s->udp);
	close(s->tcp);
	if (s->conn != -1)
		close(s->conn);
}

/* ---- who asks ---- */

struct asker {
	struct loop *loop;
	struct dns_ask ask;
	bool called;
	enum dns_status status;
	unsigned int n;
	uint8_t last; /* of the first address */
	uint32_t ttl;
	char why[128];
	int *left; /* the loop stops at zero */
};

static void
on_answer(void *arg, const struct dns_answer *a)
{
	struct asker *k = arg;

	k->called = true;
	k->status = a->status;
	k->n = a->n;
	k->ttl = a->ttl;
	if (a->status == DNS_FOUND && a->n > 0)
		k->last = ((const uint8_t *)&a->rr[0].a)[3];
	if (a->why != NULL)
		snprintf(k->why, sizeof k->why, "%s", a->why);
	if (--*k->left == 0)
		loop_stop(k->loop);
}

struct bench {
	msec timeout;
	struct loop *loop;
	struct dns *dns;
	struct server server[2];
	unsigned int n;
	int left;
	struct timer end;
};

static void
bench_start(struct bench *b, unsigned int n, const enum manner *manner,
    msec timeout)
{
	struct dns_server addr[2];
	unsigned int i;

	memset(b, 0, sizeof *b);
	b->loop = loop_new();
	b->n = n;
	b->timeout = timeout;
	for (i = 0; i < n; i++)
		server_start(&b->server[i], b->loop, manner[i], &addr[i]);
	b->dns = dns_new(b->loop, timeout, DNS_ACTIVE_MAX);
	dns_servers(b->dns, addr, n);
}

static void
bench_ask(struct bench *b, struct asker *k, const char *name)
{
	memset(k, 0, sizeof *k);
	k->loop = b->loop;
	k->left = &b->left;
	b->left++;
	dns_ask(b->dns, &k->ask, name, DNS_A, on_answer, k);
}

static void
on_end(void *arg)
{
	loop_stop(((struct bench *)arg)->loop);
}

static msec
bench_run(struct bench *b)
{
	msec start = loop_msec();

	timer_set(b->loop, &b->end, 4 * b->timeout, on_end, b);
	loop_run(b->loop);
	timer_clear(&b->end);
	return loop_msec() - start;
}

static void
bench_stop(struct bench *b)
{
	unsigned int i;

	dns_free(&b->dns);
	for (i = 0; i < b->n; i++)
		server_stop(&b->server[i]);
	loop_free(&b->loop);
}

/* ---- one question ---- */

/* Columns: servers, their manners, name; status, last byte of the address. */
static const struct {
	const char *name;
	unsigned int n;
	enum manner manner[2];
	const char *ask;
	enum dns_status status;
	uint8_t last;
} cases[] = {
	{ "a good server", 1, { GOOD }, "mx.example.org", DNS_FOUND, 7 },
	{ "silence is later", 1, { SILENT }, "mx.example.org", DNS_LATER, 0 },
	{ "silence, then another", 2, { SILENT, GOOD }, "mx.example.org",
	    DNS_FOUND, 7 },
	{ "SERVFAIL is later", 1, { FAILS }, "mx.example.org", DNS_LATER, 0 },
	{ "SERVFAIL, then another", 2, { FAILS, GOOD }, "mx.example.org",
	    DNS_FOUND, 7 },
	{ "lies are passed over", 1, { LIES }, "mx.example.org", DNS_FOUND, 7 },
	{ "only lies is later", 1, { ONLY_LIES }, "mx.example.org", DNS_LATER,
	    0 },
	{ "a stranger is not heard", 1, { STRANGER }, "mx.example.org",
	    DNS_FOUND, 7 },
	{ "cut, then TCP", 1, { CUT }, "mx.example.org", DNS_FOUND, 7 },
	{ "cut, without TCP", 1, { CUT_ONLY }, "mx.example.org", DNS_LATER, 0 },
	{ "cut, without TCP, then another", 2, { CUT_ONLY, GOOD },
	    "mx.example.org", DNS_FOUND, 7 },
	{ "cut, lies over TCP", 1, { CUT_LIES }, "mx.example.org", DNS_LATER,
	    0 },
	{ "no EDNS", 1, { OLD }, "mx.example.org", DNS_FOUND, 7 },
	{ "CNAMEs one by one", 1, { LEADS }, "n0.example.org", DNS_FOUND, 9 },
	{ "CNAMEs without end are later", 1, { LOOPS }, "n0.example.org",
	    DNS_LATER, 0 },
	{ "no name to ask for", 1, { GOOD }, "a..b", DNS_LATER, 0 },
	{ "nobody to ask", 0, { GOOD }, "mx.example.org", DNS_LATER, 0 },
};

static void
table(void)
{
	struct bench b;
	struct asker k;
	char name[80];
	size_t i;
	msec took;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		bench_start(&b, cases[i].n, cases[i].manner, TIMEOUT);
		bench_ask(&b, &k, cases[i].ask);
		took = bench_run(&b);
		snprintf(name, sizeof name, "dns: %s", cases[i].name);
		CHECK(name,
		    k.called && k.status == cases[i].status &&
			k.last == cases[i].last &&
			(k.status != DNS_LATER || k.why[0] != '\0') &&
			took < 2 * TIMEOUT);
		bench_stop(&b);
	}
}

/* ---- many ---- */

static void
shared(void)
{
	enum manner good = GOOD;
	struct asker k[3];
	struct bench b;

	bench_start(&b, 1, &good, TIMEOUT);
	bench_ask(&b, &k[0], "mx.example.org");
	bench_ask(&b, &k[1], "MX.example.org");
	bench_ask(&b, &k[2], "other.example.org");
	bench_run(&b);
	CHECK("dns: who asks the same shares the answer",
	    k[0].last == 7 && k[1].last == 7 && k[2].last == 7 &&
		b.server[0].asked == 2);
	bench_ask(&b, &k[0], "mx.example.org");
	CHECK("dns: never before it returns", !k[0].called);
	bench_run(&b);
	CHECK("dns: the second time from the cache",
	    k[0].last == 7 && b.server[0].asked == 2);
	bench_stop(&b);
}

static void
cancelled(void)
{
	enum manner manner = SILENT;
	struct asker k[2];
	struct bench b;

	bench_start(&b, 1, &manner, TIMEOUT);
	bench_ask(&b, &k[0], "mx.example.org");
	bench_ask(&b, &k[1], "mx.example.org");
	dns_cancel(&k[0].ask);
	b.left--;
	bench_run(&b);
	CHECK("dns: who cancelled hears nothing",
	    !k[0].called && k[1].called && k[1].status == DNS_LATER);
	bench_ask(&b, &k[0], "mx.example.org");
	dns_cancel(&k[0].ask);
	dns_cancel(&k[0].ask);
	CHECK("dns: cancelled twice", k[0].ask.dns == NULL);
	bench_stop(&b);
}

/* A name of any bytes, one that cannot be, and its host. */
static void
any(void)
{
	enum manner good = GOOD;
	struct asker k[3];
	struct bench b;
	int i;

	bench_start(&b, 1, &good, TIMEOUT);
	for (i = 0; i < 3; i++) {
		memset(&k[i], 0, sizeof k[i]);
		k[i].loop = b.loop;
		k[i].left = &b.left;
		b.left++;
	}
	dns_ask_any(b.dns, &k[0].ask, "a\\\xff b.example", DNS_A, on_answer,
	    &k[0]);
	dns_ask_any(b.dns, &k[1].ask, "a..b", DNS_A, on_answer, &k[1]);
	dns_ask(b.dns, &k[2].ask, "a\\\xff b.example", DNS_A, on_answer, &k[2]);
	bench_run(&b);
	CHECK("dns: a name of any bytes",
	    k[0].status == DNS_FOUND && k[0].last == 7);
	CHECK("dns: no name of any kind is later, and not asked for",
	    k[1].called && k[1].status == DNS_LATER && b.server[0].asked == 1);
	CHECK("dns: a host has no such name",
	    k[2].called && k[2].status == DNS_LATER);
	bench_stop(&b);
}

static void
ports(void)
{
	enum manner manner = GOOD;
	struct asker k[8];
	struct bench b;
	char name[32];
	int i, same_port = 0, same_id = 0;

	bench_start(&b, 1, &manner, TIMEOUT);
	for (i = 0; i < 8; i++) {
		snprintf(name, sizeof name, "h%d.example.org", i);
		bench_ask(&b, &k[i], name);
	}
	bench_run(&b);
	for (i = 1; i < 8; i++) {
		same_port += b.server[0].ports[i] == b.server[0].ports[0];
		same_id += b.server[0].ids[i] == b.server[0].ids[0];
	}
	CHECK("dns: ports differ", same_port == 0);
	CHECK("dns: ids differ", same_id < 3);
	bench_stop(&b);
}

static void
crowd(void)
{
	enum { CROWD = 1000 };
	static struct asker k[CROWD];
	enum manner manner = GOOD;
	struct bench b;
	char name[32];
	int i, found = 0;

	bench_start(&b, 1, &manner, CROWD_TIMEOUT);
	for (i = 0; i < CROWD; i++) {
		snprintf(name, sizeof name, "c%d.example.org", i);
		bench_ask(&b, &k[i], name);
	}
	bench_run(&b);
	for (i = 0; i < CROWD; i++)
		found += k[i].called && k[i].status == DNS_FOUND;
	CHECK("dns: a thousand at once", found == CROWD);
	bench_stop(&b);
}

int
main(void)
{
	table();
	shared();
	cancelled();
	any();
	ports();
	crowd();
	return unit_end();
}
