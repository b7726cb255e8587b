/*
 * Connections that have nothing to do for a moment, by route, so that the
 * next message of that route need not connect again.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_POOL_H
#define DELIVER_POOL_H

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
 * closes it.  messages: so many on one connection.  *c is NULL afterwards. */
void pool_put(struct pool *p, const char *route, uint32_t action,
    uint32_t messages, struct client **c);

/* A client that is ready, or NULL.  The caller gives it an owner and frees
 * it, or puts it back. */
struct client *pool_take(struct pool *p, const char *route, uint32_t action);

#endif
