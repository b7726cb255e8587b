/*
 * Whose limits hold for a route (`limit mx`): queue asks, the DNS knows the
 * best hosts of it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_GROUP_H
#define DELIVER_GROUP_H

#include "deliver.h"

/* The answer holds for its TTL in the DNS, within these; an answer of ours,
 * that needs no DNS, for the latter. */
#define GROUP_TTL_MIN 60
#define GROUP_TTL_MAX 3600

/* The handler of group_ask; self is the deliver process. */
ipc_handler group_on_ask;

/* Who asked is gone; NULL: all of them. */
void group_forget(struct deliver *d, const struct ipc_chan *from);

/* Some line of the configuration makes groups. */
bool group_any(const struct conf *c);

/* The row of conf.limit for an answer about the MX of name: by its best hosts,
 * or by itself where it has none; CONF_NONE: none. */
uint32_t group_of(const struct conf *c, const char *name,
    const struct dns_answer *mx);

#endif
