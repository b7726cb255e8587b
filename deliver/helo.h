/*
 * Our name by the address that we connect from (`helo-src`).  Asked of lookup
 * once in RELAY_KEEP seconds for each address.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_HELO_H
#define DELIVER_HELO_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include "loop.h"
#include "verdict.h"

#define HELO_ADDRS 512  /* addresses of actions that are known at a time */
#define HELO_NAMES 4096 /* names, which stay for the life of the process */

struct deliver;
struct helos;
struct helo;

/* name: "" where the table has none; it lives as long as the process.  why:
 * NULL, or nobody knows now. */
typedef void helo_fn(void *arg, const char *name, const struct outcome *why);

/* One who waits; a member of who asks. */
struct helo_wait {
	TAILQ_ENTRY(helo_wait) entry;
	struct timer soon;
	struct helo *helo;
	helo_fn *fn;
	void *arg;
	bool open; /* in the list of its address */
};

struct helos *helos_new(struct deliver *d);
/* Nobody waits any more. */
void helos_free(struct helos **h);

/* Where the action connects from `ours`, an address as text.  fn is called
 * once, from the loop, unless helo_cancel() comes before. */
void helo_find(struct helos *h, struct helo_wait *w, uint32_t action,
    const char *ours, helo_fn *fn, void *arg);
/* Open or not. */
void helo_cancel(struct helo_wait *w);

/* We have used this name: mail for it would come back. */
bool helo_is_ours(const struct helos *h, const char *name);

#endif
