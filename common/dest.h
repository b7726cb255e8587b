/*
 * Destinations: the names by which `retry` and `limit` of the configuration
 * choose, and what they choose.
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

/* Of a route: the domain of "mx:DOMAIN", the host of "host:SCHEME://HOST:PORT".
 * Returns out; "" if it has none. */
const char *dest_of_route(const char *route, char out[DOMAIN_MAX + 1]);

/* Of an address.  Returns out; "" if it has none. */
const char *dest_of_addr(const char *addr, char out[DOMAIN_MAX + 1]);

/* True if name is in domains, a span of struct conf_entry. */
bool dest_in(const struct conf *c, struct conf_span domains, const char *name);

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
	const struct conf_at *concurrency_at, *messages_at, *rate_at;
};

void dest_limit(const struct conf *c, const char *name, struct dest_limit *l);

#endif
