/*
 * Destinations: the names by which `retry`, `limit` and `tls` of the
 * configuration choose, and what they choose.
 *
 * A name is a domain as DNS has it, or the text of an address without its
 * brackets.  In the configuration "example.org" is that name alone, and
 * "*.example.org" all names below it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_DEST_H
#define COMMON_DEST_H

#include <stdbool.h>
#include <stdint.h>

#include "bounds.h"
#include "conf.h"

#define DEST_MESSAGES 100 /* on one connection, where nothing is said */

/* Of a route: the domain of "mx:DOMAIN", the host of
 * "host:SCHEME://LABEL@HOST:PORT".  Returns out; "" if it has none, as
 * "hosts:ACTION", where each host is a destination of its own. */
const char *dest_of_route(const char *route, char out[DOMAIN_MAX + 1]);

/* Of an address.  Returns out; "" if it has none. */
const char *dest_of_addr(const char *addr, char out[DOMAIN_MAX + 1]);

/* The rule of `retry`: the first one that names it, else the default.  NULL:
 * there is none at all. */
const struct conf_retry *dest_retry(const struct conf *c, const char *name);

/*
 * What `limit` says: each value of the first `limit domain` that names the
 * destination and says it, else of `limit route`.  at: who said it; NULL where
 * nobody did.
 */
struct dest_limit {
	uint32_t concurrency; /* connections, at least 1 */
	uint32_t messages;    /* on one connection, at least 1 */
	uint32_t rate, per;   /* messages in so many seconds; 0: as may be */
	uint8_t inet;         /* 4 or 6: by that family alone; 0: by both */
	const struct conf_at *concurrency_at, *messages_at, *rate_at, *inet_at;
};

void dest_limit(const struct conf *c, const char *name, struct dest_limit *l);

/*
 * The row of conf.limit that is the first `limit mx` to name this host of an
 * MX record (no dot at its end); CONF_NONE if there is none.  What the row
 * says holds for all routes together that it names, beside what dest_limit()
 * says of each.
 */
uint32_t dest_limit_mx(const struct conf *c, const char *host);

/* The first `tls domain` that names the destination; NULL: there is none. */
const struct conf_tls *dest_tls(const struct conf *c, const char *name);

#endif
