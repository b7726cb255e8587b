/*
 * Connections that have nothing to do for a moment, so that the next message
 * of their route, or of another route to the same host, need not connect
 * again.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_POOL_H
#define DELIVER_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "loop.h"

#define POOL_MAX     100  /* idle connections, where descriptors abound */
#define POOL_IDLE_MS 3000 /* no longer than this: others want to be served */

struct pool;

/* max: idle connections, and as many that wait for the reply to QUIT; the
 * oldest goes first. */
struct pool *pool_new(struct loop *l, unsigned int max);
void pool_free(struct pool **p);

/* Takes a client over whose transaction is done: keeps it, says QUIT, or
 * closes it.  messages: so many on one connection, if the server did not set
 * fewer.  *c is NULL afterwards. */
void pool_put(struct pool *p, const char *route, uint32_t action,
    uint32_t messages, struct client **c);

/* A client that is ready, or NULL.  The caller gives it an owner and frees
 * it, or puts it back. */
struct client *pool_take(struct pool *p, const char *route, uint32_t action);

/*
 * The same of any route: one that was connected to that address, under that
 * name, as `how` would do it.  Source address and helo are those of the
 * action, whichever they were; who is authenticated serves his label alone,
 * and who is counted those who are counted with him.
 */
struct client *pool_take_like(struct pool *p, const struct mx_addr *addr,
    const struct client_how *how);

/* A connection that counts by k is one too many: the oldest idle one says
 * QUIT.  hard: where none is left that has not said it, one that has is
 * closed. */
void pool_spare(struct pool *p, const struct count *k, bool hard);
/* All idle ones that are counted say QUIT: who knew of them is gone. */
void pool_uncount(struct pool *p);

#endif
