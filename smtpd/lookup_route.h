/*
 * From an address and the rule that takes it to a route, as deliver and queue
 * know routes (route_is in ipc_table.h).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_ROUTE_H
#define SMTPD_LOOKUP_ROUTE_H

#include "ipc_table.h"
#include "lookup_expand.h"

/*
 * Fills all of is for one target of x.  False: a table is awaited, and is has
 * no meaning.
 */
bool route_of(struct question *q, const struct expansion *x,
    const struct target *t, struct route_is *is);

/*
 * A relay URL of a table ("smtps://label@host", "host") as a route of one
 * host, "host:smtps://label@host:465".  NULL, or why it cannot be one; out is
 * then empty.
 */
const char *route_url(const char *url, char out[ROUTE_MAX + 1]);

/* The same for one that stands in the configuration. */
const char *route_host(const struct conf *c, const struct conf_host *h,
    char out[ROUTE_MAX + 1]);

/* What stands before the URL in either. */
#define ROUTE_HOST "host:"

#endif
