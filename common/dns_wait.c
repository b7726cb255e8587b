/*
 * Waiting for the DNS: each question goes out over a fresh socket with a
 * random port and id, to one server after the other, over TCP where the
 * answer was cut, until one answers or the time is up.  Used by deliver
 * and guard.  Never blocks, and never takes a server's trouble for a "no".
 *
 * SPDX-License-Identifier: ISC
 */
#include "dns.h"

#include <bsd/sys/queue.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "dns_cache.h"
#include "io.h"
#include "log.h"

#define BUCKETS    512 /* a power of two */
#define ROUNDS     3   /* tries with each server */
#define STRAYS_MAX 32  /* packets that are not ours, before another port */
#define BIND_TRIES 4
#define PORT_LOW   16384
#define UDP_IN_MAX 4096
#define TRY_MIN_MS 200
#define TRY_MAX_MS 1500
#define TCP_TRY_MS 5000

TAILQ_HEAD(dns_asks, dns_ask);
TAILQ_HEAD(dns_queries, dns_query);

/* A question under way, for all who ask it. */
struct dns_query {
	TAILQ_ENTRY(dns_query) entry; /* of dns->active or dns->waiting */
	LIST_ENTRY(dns_query) mate;   /* of its bucket */
	struct dns *dns;
	struct dns_question first; /* what was asked */
	struct dns_question q;     /* that, or where CNAMEs led from it */
	struct dns_asks asks;
	struct timer deadline; /* all tries together */
	struct timer patience; /* this try */
	struct watch rd;
	int fd;        /* UDP, -1: closed */
	struct io tcp; /* after a cut answer */
	uint8_t wire[DNS_QUERY_MAX];
	size_t wire_len;
	unsigned int tries, hops, strays;
	unsigned int failures; /* servers that said they cannot say */
	uint32_t ttl;          /* the smallest of the CNAMEs */
	const char *why;
	bool active, plain, ending;
};

struct dns {
	struct loop *loop;
	msec timeout;
	struct dns_server server[DNS_SERVERS_MAX];
	unsigned int n_server, n_active, max_active;
	struct dns_queries active, waiting;
	LIST_HEAD(dns_bucket, dns_query) bucket[BUCKETS];
	uint64_t seed; /* strangers choose the names */
	struct dns_cache *cache;
};

static void query_try(struct dns_query *q);

static void
query_close(struct dns_query *q)
{
	timer_clear(&q->patience);
	watch_clear(&q->rd);
	if (q->fd != -1)
		close(q->fd);
	q->fd = -1;
	io_close(&q->tcp);
}

static void
query_unlink(struct dns_query *q)
{
	struct dns *d = q->dns;

	query_close(q);
	timer_clear(&q->deadline);
	LIST_REMOVE(q, mate);
	if (q->active) {
		TAILQ_REMOVE(&d->active, q, entry);
		d->n_active--;
	} else
		TAILQ_REMOVE(&d->waiting, q, entry);
}

static void
start_waiting(struct dns *d)
{
	struct dns_query *q;

	while (d->n_active < d->max_active &&
	    (q = TAILQ_FIRST(&d->waiting)) != NULL) {
		TAILQ_REMOVE(&d->waiting, q, entry);
		TAILQ_INSERT_TAIL(&d->active, q, entry);
		d->n_active++;
		q->active = true;
		query_try(q);
	}
}

/* Tells everybody, keeps the answer, ends the query.  answer is taken over;
 * NULL: later, q->why says why. */
static void
finish(struct dns_query *q, struct dns_answer *answer)
{
	struct dns_answer later = { .status = DNS_LATER, .why = q->why };
	struct dns *d = q->dns;
	struct dns_ask *a;

	q->ending = true;
	query_unlink(q);
	if (answer != NULL && answer->ttl > q->ttl)
		answer->ttl = q->ttl;
	while ((a = TAILQ_FIRST(&q->asks)) != NULL) {
		TAILQ_REMOVE(&q->asks, a, entry);
		a->query = NULL;
		a->dns = NULL;
		a->fn(a->arg, answer == NULL ? &later : answer);
	}
	if (answer != NULL)
		dns_cache_put(d->cache, &q->first, answer, loop_msec());
	free(q);
	start_waiting(d);
}

static void
on_deadline(void *arg)
{
	finish(arg, NULL);
}

/* This server cannot say: another, but none of them twice.  Who fails now
 * fails in a millisecond too, and whoever asked comes back later. */
static void
query_failed(struct dns_query *q, const char *why)
{
	q->failures++;
	if (why != NULL)
		q->why = why;
	query_try(q);
}

static void
on_patience(void *arg)
{
	struct dns_query *q = arg;

	q->why = "no answer from the name servers";
	query_try(q);
}

/* An answer is here, or leads on to another name. */
static void
got(struct dns_query *q, struct dns_answer *a)
{
	if (a->status != DNS_ALIAS) {
		finish(q, a);
		return;
	}
	if (a->ttl < q->ttl)
		q->ttl = a->ttl;
	q->hops++;
	q->why = q->first.any ?
	    dns_question_any(&q->q, a->rr[0].name, q->first.type) :
	    dns_question_set(&q->q, a->rr[0].name, q->first.type);
	free(a);
	if (q->why == NULL && q->hops > DNS_CNAME_MAX)
		q->why = "a chain of CNAMEs that is too long, or a loop";
	if (q->why != NULL) {
		finish(q, NULL);
		return;
	}
	q->tries = 0;
	q->failures = 0;
	query_try(q);
}

/* The server asked last; the next try goes to the one after it. */
static const struct dns_server *
server_now(const struct dns_query *q)
{
	assert(q->tries > 0);
	return &q->dns->server[(q->tries - 1) % q->dns->n_server];
}

/* ---- TCP ---- */

static void
tcp_input(struct dns_query *q)
{
	const uint8_t *p = buf_data(&q->tcp.in);
	struct dns_answer *a;
	size_t len;

	if (q->tcp.in.len < 2)
		return;
	len = (size_t)(p[0] << 8 | p[1]);
	if (len <= DNS_TCP_MAX && q->tcp.in.len < 2 + len)
		return;
	q->why = "an answer that is too long";
	if (len <= DNS_TCP_MAX &&
	    dns_packet_read(p + 2, len, q->wire, q->wire_len, &q->q, &a,
		&q->why) == DNS_READ)
		got(q, a);
	else
		query_failed(q, NULL);
}

static void
on_tcp(struct io *io, enum io_event e, void *arg)
{
	struct dns_query *q = arg;
	uint8_t len[2] = { (uint8_t)(q->wire_len >> 8), (uint8_t)q->wire_len };

	switch (e) {
	case IO_READY:
		io_write(io, len, sizeof len);
		io_write(io, q->wire, q->wire_len);
		break;
	case IO_INPUT:
		tcp_input(q);
		break;
	case IO_EOF:
	case IO_ERROR:
		query_failed(q, "the name server broke the connection");
		break;
	case IO_LOW:
	case IO_TIMEOUT:
		break;
	}
}

/* The same question, to the same server, over TCP; false: it cannot be. */
static bool
tcp_try(struct dns_query *q)
{
	const struct dns_server *s = server_now(q);
	int fd;

	query_close(q);
	fd = socket(s->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (fd == -1)
		return false;
	if (connect(fd, (const struct sockaddr *)&s->ss, s->len) == -1 &&
	    errno != EINPROGRESS) {
		close(fd);
		return false;
	}
	io_connecting(&q->tcp, q->dns->loop, fd, 2 + DNS_TCP_MAX,
	    2 + DNS_QUERY_MAX, on_tcp, q);
	timer_set(q->dns->loop, &q->patience, TCP_TRY_MS, on_patience, q);
	return true;
}

/* ---- UDP ---- */

/* One packet; false: the query went on to something else. */
static bool
udp_take(struct dns_query *q, const uint8_t *in, size_t len)
{
	struct dns_answer *a;
	const char *why = NULL;

	switch (dns_packet_read(in, len, q->wire, q->wire_len, &q->q, &a,
	    &why)) {
	case DNS_NOT_OURS:
		if (++q->strays < STRAYS_MAX)
			return true;
		query_try(q); /* from another port */
		return false;
	case DNS_CUT:
		if (!tcp_try(q))
			query_failed(q, "no TCP connection to the name server");
		return false;
	case DNS_PLAIN:
		if (q->plain)
			break;
		q->plain = true;
		q->tries--; /* the same server once more */
		query_try(q);
		return false;
	case DNS_FAILED:
		break;
	case DNS_READ:
		got(q, a);
		return false;
	}
	query_failed(q, why);
	return false;
}

static void
on_udp(int fd, int what, void *arg)
{
	struct dns_query *q = arg;
	uint8_t in[UDP_IN_MAX];
	ssize_t n;

	(void)what;
	do {
		/* The socket is connected: the kernel drops what comes from
		 * any other address. */
		n = recv(fd, in, sizeof in, 0);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n == -1) {
			query_failed(q, "the name server cannot be reached");
			return;
		}
	} while (udp_take(q, in, (size_t)n));
}

/* A port nobody can foresee; where that fails the kernel chooses one. */
static void
random_port(int fd, int family)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u;
	unsigned int i;
	uint16_t port;

	for (i = 0; i < BIND_TRIES; i++) {
		port =
		    (uint16_t)(PORT_LOW + arc4random_uniform(65536 - PORT_LOW));
		memset(&u, 0, sizeof u);
		u.sa.sa_family = (sa_family_t)family;
		if (family == AF_INET6)
			u.in6.sin6_port = htons(port);
		else
			u.in.sin_port = htons(port);
		if (bind(fd, &u.sa,
			family == AF_INET6 ? sizeof u.in6 : sizeof u.in) == 0)
			return;
	}
}

/* Sends the question to the next server; false: that one not. */
static bool
udp_try(struct dns_query *q)
{
	struct dns *d = q->dns;
	const struct dns_server *s;
	unsigned int round = q->tries / d->n_server;
	msec ms = d->timeout / 4;

	q->tries++;
	s = server_now(q);
	q->strays = 0;
	q->wire_len =
	    dns_packet_build(&q->q, (uint16_t)arc4random(), !q->plain, q->wire);
	if (q->wire_len == 0) {
		q->why = "a name that cannot be asked for";
		return false;
	}
	q->fd = socket(s->ss.ss_family,
	    SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (q->fd == -1) {
		q->why = "no socket for a question to the DNS";
		return false;
	}
	random_port(q->fd, s->ss.ss_family);
	if (connect(q->fd, (const struct sockaddr *)&s->ss, s->len) == -1 ||
	    send(q->fd, q->wire, q->wire_len, 0) == -1) {
		q->why = "the name server cannot be reached";
		query_close(q);
		return false;
	}
	watch_set(d->loop, &q->rd, q->fd, LOOP_READ, on_udp, q);
	ms = ms < TRY_MIN_MS ? TRY_MIN_MS : ms > TRY_MAX_MS ? TRY_MAX_MS : ms;
	timer_set(d->loop, &q->patience, ms << round, on_patience, q);
	return true;
}

/* The next try, or the end, which is told from the loop. */
static void
query_try(struct dns_query *q)
{
	struct dns *d = q->dns;

	query_close(q);
	if (d->n_server == 0)
		q->why = "no name server is known";
	while (q->tries < ROUNDS * d->n_server && q->failures < d->n_server) {
		if (udp_try(q))
			return;
		q->failures++;
	}
	timer_set(d->loop, &q->patience, 0, on_deadline, q);
}

/* ---- public ---- */

struct dns *
dns_new(struct loop *l, msec timeout, unsigned int max)
{
	struct dns *d = xcalloc(1, sizeof *d);

	d->loop = l;
	d->timeout = timeout;
	d->max_active = max;
	arc4random_buf(&d->seed, sizeof d->seed);
	TAILQ_INIT(&d->active);
	TAILQ_INIT(&d->waiting);
	d->cache = dns_cache_new(DNS_CACHE_MAX);
	return d;
}

static void
query_drop(struct dns_query *q)
{
	struct dns_ask *a;

	while ((a = TAILQ_FIRST(&q->asks)) != NULL) {
		TAILQ_REMOVE(&q->asks, a, entry);
		a->query = NULL;
		a->dns = NULL;
	}
	query_unlink(q);
	free(q);
}

void
dns_free(struct dns **d)
{
	struct dns_query *q;

	if (*d == NULL)
		return;
	while ((q = TAILQ_FIRST(&(*d)->active)) != NULL)
		query_drop(q);
	while ((q = TAILQ_FIRST(&(*d)->waiting)) != NULL)
		query_drop(q);
	dns_cache_free(&(*d)->cache);
	free(*d);
	*d = NULL;
}

void
dns_servers(struct dns *d, const struct dns_server *s, unsigned int n)
{
	if (n > DNS_SERVERS_MAX)
		n = DNS_SERVERS_MAX;
	if (n != 0)
		memcpy(d->server, s, n * sizeof *s);
	d->n_server = n;
}

static struct dns_bucket *
bucket_of(struct dns *d, const struct dns_question *q)
{
	return &d->bucket[XXH3_64bits_withSeed(q->name, strlen(q->name),
			      d->seed + q->type) &
	    (BUCKETS - 1)];
}

static struct dns_query *
query_find(struct dns *d, const struct dns_question *q)
{
	struct dns_query *have;

	LIST_FOREACH(have, bucket_of(d, q), mate) {
		if (have->first.type == q->type && have->first.any == q->any &&
		    strcmp(have->first.name, q->name) == 0)
			return have;
	}
	return NULL;
}

/* Joins who asks the same already, or makes a query. */
static void
join(struct dns_ask *a)
{
	struct dns *d = a->dns;
	struct dns_query *q;

	if ((q = query_find(d, &a->q)) == NULL) {
		q = xcalloc(1, sizeof *q);
		q->dns = d;
		q->fd = -1;
		q->first = a->q;
		q->q = a->q;
		q->ttl = UINT32_MAX;
		q->why = "no answer from the name servers";
		TAILQ_INIT(&q->asks);
		TAILQ_INSERT_TAIL(&d->waiting, q, entry);
		LIST_INSERT_HEAD(bucket_of(d, &q->first), q, mate);
		timer_set(d->loop, &q->deadline, d->timeout, on_deadline, q);
	}
	TAILQ_INSERT_TAIL(&q->asks, a, entry);
	a->query = q;
	start_waiting(d);
}

static void
on_soon(void *arg)
{
	struct dns_ask *a = arg;
	const struct dns_answer *answer;
	struct dns_answer later = { .status = DNS_LATER,
		.why = "a name that cannot be asked for" };

	answer = dns_cache_get(a->dns->cache, &a->q, loop_msec());
	if (answer == NULL && a->q.name[0] != '\0') {
		join(a); /* it went meanwhile */
		return;
	}
	a->dns = NULL;
	a->fn(a->arg, answer == NULL ? &later : answer);
}

/* a->q is set, or (an empty name) cannot be asked. */
static void
ask(struct dns_ask *a)
{
	struct dns *d = a->dns;

	if (a->q.name[0] == '\0' ||
	    dns_cache_get(d->cache, &a->q, loop_msec()) != NULL)
		timer_set(d->loop, &a->soon, 0, on_soon, a);
	else
		join(a);
}

void
dns_ask(struct dns *d, struct dns_ask *a, const char *name, enum dns_type type,
    dns_fn *fn, void *arg)
{
	assert(a->dns == NULL);
	*a = (struct dns_ask){ .dns = d, .fn = fn, .arg = arg };
	if (dns_question_set(&a->q, name, type) != NULL)
		a->q.name[0] = '\0';
	ask(a);
}

void
dns_ask_any(struct dns *d, struct dns_ask *a, const char *name,
    enum dns_type type, dns_fn *fn, void *arg)
{
	assert(a->dns == NULL);
	*a = (struct dns_ask){ .dns = d, .fn = fn, .arg = arg };
	if (dns_question_any(&a->q, name, type) != NULL)
		a->q.name[0] = '\0';
	ask(a);
}

void
dns_cancel(struct dns_ask *a)
{
	struct dns_query *q = a->query;

	timer_clear(&a->soon);
	a->dns = NULL;
	a->query = NULL;
	if (q == NULL)
		return;
	TAILQ_REMOVE(&q->asks, a, entry);
	if (!TAILQ_EMPTY(&q->asks) || q->ending)
		return;
	query_unlink(q);
	free(q);
}
