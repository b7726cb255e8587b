/*
 * What lookup knows of an action: its hosts, and its addresses to connect
 * from (`host` with a list or a table, `src`).  Asked once in RELAY_KEEP
 * seconds, where the configuration has one of them.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_RELAY_H
#define DELIVER_RELAY_H

#include <sys/queue.h>
#include <sys/socket.h>

#include <stdbool.h>
#include <stdint.h>

#include "ipc_table.h"
#include "loop.h"
#include "mx.h"
#include "verdict.h"

#define RELAY_WAIT_MS 30000  /* for lookup */
#define RELAY_REST_MS 300000 /* of a source address that cannot be had */

struct deliver;
struct relays;

/* Borrowed until the callback returns. */
struct relay_info {
	uint32_t n_host, n_src;
	struct mx_route host[RELAY_HOSTS];
	struct sockaddr_storage src[RELAY_SRCS]; /* without a port */
};

/* why: NULL, or nobody knows now. */
typedef void relay_fn(void *arg, const struct relay_info *info,
    const struct outcome *why);

/* One who waits; a member of who asks. */
struct relay_wait {
	TAILQ_ENTRY(relay_wait) entry;
	struct timer soon;
	struct relays *relays;
	relay_fn *fn;
	void *arg;
	uint32_t action;
	bool open; /* in the list of its action */
};

struct relays *relays_new(struct deliver *d);
/* Nobody waits any more. */
void relays_free(struct relays **r);

/* fn is called once, from the loop, unless relay_cancel() comes before. */
void relay_find(struct relays *r, struct relay_wait *w, uint32_t action,
    relay_fn *fn, void *arg);
/* Open or not. */
void relay_cancel(struct relay_wait *w);

/*
 * The source addresses of an action, as the last answer had them.  The next
 * one of a family, in turn, that does not rest; false: none.  relay_srcs()
 * counts those of a family, resting or not.
 */
bool relay_src(struct relays *r, uint32_t action, int family, msec now,
    struct sockaddr_storage *src);
uint32_t relay_srcs(const struct relays *r, uint32_t action, int family);

/* It cannot be bound: not for RELAY_REST_MS. */
void relay_src_bad(struct relays *r, uint32_t action,
    const struct sockaddr_storage *src, msec now);

#endif
