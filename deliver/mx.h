/*
 * From a route to the addresses to try, in order: RFC 5321 5.1, RFC 7505.
 *
 *   mx:example.org                      its MX hosts, or itself without any
 *   mx:[192.0.2.1]                      that address
 *   host:smtps://label@relay.net:465    that host, as in a relay URL
 *   hosts:NAME                          those of the action (relay.h)
 *   lmtp:NAME                           the server of the action
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_MX_H
#define DELIVER_MX_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stdint.h>

#include "bounds.h"
#include "conf.h"
#include "dns.h"
#include "verdict.h"

#define MX_HOSTS    10 /* hosts whose addresses are asked for */
#define MX_ADDRS    10 /* addresses tried in one attempt */
#define MX_PER_HOST 4  /* addresses of one host, of each family */

struct mx_route {
	bool mx;        /* by MX records; else name is the host */
	bool list;      /* the hosts of its action, one after the other */
	bool lmtp;      /* the server that its action, `lmtp`, names */
	bool socket;    /* name is the path of one (job_sock.c) */
	bool literal;   /* name is an address */
	uint8_t scheme; /* enum conf_scheme */
	uint16_t port;  /* 0: the action says */
	char label[LABEL_MAX + 1]; /* empty: no authentication */
	char name[HOST_MAX + 1];   /* domain, host, or address as text */
};

/* NULL, or why text is no route. */
const char *mx_route_parse(const char *text, struct mx_route *r);

/* Finds what stands in the action, where the route says so: of lmtp:NAME.
 * NULL, or why that is no server. */
const char *mx_route_server(const struct conf *conf, uint32_t action,
    struct mx_route *r);

/* The same of a relay URL with its port. */
const char *mx_url_parse(const char *url, struct mx_route *r);

struct helos;

/* Who we are, to see when mail would come back to us. */
struct mx_self {
	const struct conf *conf;
	const char *helo;
	const struct helos *helos; /* names of `helo-src`; NULL: none */
	uint16_t port;             /* the port that is tried */
	/* `backup`: only hosts better than this one; NULL: any */
	const char *backup;
};

/* Fills self for an action of conf, but for helos. */
void mx_self_of(const struct conf *conf, uint32_t action, struct mx_self *self);

bool mx_own_name(const struct mx_self *self, const char *name);
/* A port that we listen on there, or port 25 of an address of this host. */
bool mx_own_addr(const struct mx_self *self, const struct sockaddr_storage *ss);

struct mx_addr {
	struct sockaddr_storage ss;
	socklen_t len;
	char name[HOST_MAX + 1]; /* of the host; of a literal, its text */
};

struct mx_list {
	unsigned int n;
	struct mx_addr addr[MX_ADDRS];
};

/* The socket of a route that has one.  False: its path is too long. */
bool mx_socket(const struct mx_route *r, struct mx_addr *a);

/* "host[address]:port", or the path of a socket, to out (RELAY_MAX + 1 bytes).
 * Returns out. */
const char *mx_addr_print(const struct mx_addr *a, char *out);

/* A host and what is known of its addresses. */
struct mx_host {
	char name[HOST_MAX + 1];
	uint16_t pref;
	enum dns_status status; /* FOUND: it has some; LATER: not known now */
	const char *why;        /* LATER */
	char odd[IP_TEXT_MAX + 1]; /* an address that nobody can have, or "" */
	unsigned int n4, n6;
	struct in_addr a[MX_PER_HOST];
	struct in6_addr aaaa[MX_PER_HOST];
};

/*
 * The hosts of an answer in the order to try them: by preference, equal ones
 * shuffled by pick (arc4random_uniform), none from our own or from
 * self->backup on.  *own is set when we were among them.  Returns their number
 * in out (MX_HOSTS).
 */
unsigned int mx_sort(const struct dns_answer *mx, const struct mx_self *self,
    uint32_t (*pick)(uint32_t below), struct mx_host *out, bool *own);

/* The answer names this host. */
bool mx_lists(const struct dns_answer *mx, const char *name);

/* One that a mail server can have: not 0.0.0.0, which leads to ourselves, not
 * multicast, broadcast or link-local. */
bool mx_usable(const struct sockaddr_storage *ss);

/* Keeps the addresses of an answer that can be those of a mail server. */
void mx_host_add(struct mx_host *h, const struct dns_question *q,
    const struct dns_answer *answer);

/*
 * The addresses of hosts in order, IPv6 and IPv4 by turns; from the host on
 * that is ourselves nothing, and *own is set.  self NULL: we may talk to
 * ourselves.
 */
void mx_arrange(const struct mx_host *host, unsigned int n,
    const struct mx_self *self, uint16_t port, struct mx_list *list, bool *own);

/*
 * Does it all.  fn is called once, from the loop: with addresses in list, or
 * with list->n zero and why.  It may free the search.
 */
struct mx_find;

typedef void mx_fn(void *arg, const struct mx_list *list,
    const struct outcome *why);

/* route and self are copied, what self points to is not.  */
struct mx_find *mx_find(struct loop *l, struct dns *dns,
    const struct mx_route *route, const struct mx_self *self, mx_fn *fn,
    void *arg);
void mx_free(struct mx_find **f);

#endif
