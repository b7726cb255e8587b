/*
 * Questions to the DNS, many at once, none of which blocks: the waiting
 * (dns_wait.c) over packets (dns_packet.c) and a cache (dns_cache.c).
 *
 * Servers that fail, lie or are silent make an answer LATER, never a NO.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_DNS_H
#define COMMON_DNS_H

#include <sys/queue.h>
#include <sys/socket.h>

#include <stdbool.h>
#include <stdint.h>

#include "dns_packet.h"
#include "loop.h"

#define DNS_SERVERS_MAX 4
#define DNS_ACTIVE_MAX  256  /* questions under way, where descriptors abound */
#define DNS_CACHE_MAX   4096 /* answers kept */

struct dns;
struct dns_query;

struct dns_server {
	struct sockaddr_storage ss;
	socklen_t len;
};

/* answer lives until the callback returns; it may ask and cancel others. */
typedef void dns_fn(void *arg, const struct dns_answer *answer);

/* One who waits for an answer; a member of who asks. */
struct dns_ask {
	TAILQ_ENTRY(dns_ask) entry;
	struct dns *dns; /* NULL: not open */
	struct dns_query *query;
	struct timer soon; /* the answer is in the cache */
	dns_fn *fn;
	void *arg;
	struct dns_question q;
};

/* timeout: all tries of one question together.  max: questions under way, a
 * descriptor each; more wait their turn. */
struct dns *dns_new(struct loop *l, msec timeout, unsigned int max);

/* Forgets all questions and answers. */
void dns_free(struct dns **d);

/* Whom to ask, from now on; at most DNS_SERVERS_MAX are taken. */
void dns_servers(struct dns *d, const struct dns_server *s, unsigned int n);

/*
 * Asks; fn is called once and from the loop, unless dns_cancel() comes
 * before.  name: as dns_question_set() has it; what it refuses is DNS_LATER.
 */
void dns_ask(struct dns *d, struct dns_ask *a, const char *name,
    enum dns_type type, dns_fn *fn, void *arg);

/* The same for what dns_question_any() takes. */
void dns_ask_any(struct dns *d, struct dns_ask *a, const char *name,
    enum dns_type type, dns_fn *fn, void *arg);

/* Open or not. */
void dns_cancel(struct dns_ask *a);

#endif
