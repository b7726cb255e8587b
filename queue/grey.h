/*
 * Greylisting: who is new has to come again.  A mail server that is one does;
 * much of what only looks like one does not.
 *
 * Known is a triplet: the network of the client (/24 of IPv4, /64 of IPv6),
 * the sender and the recipient, in lower case.  Numbers that differ from one
 * message of a list to the next are folded out of the sender (grey.c says
 * which).  A network of which GREY_PASSES triplets have passed need not wait
 * any more.
 *
 *   new                     LATER, remembered for `window`
 *   again before `delay`    LATER
 *   ... after it            passes; known for `keep` from the last time on
 *
 * This judges; what is known is kept in facts/ (grey_store.h).
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_GREY_H
#define QUEUE_GREY_H

#include <stdbool.h>
#include <stdint.h>

#include "bounds.h"
#include "ipc_table.h"

#define GREY_PASSES 5 /* triplets of a network, until it need not wait */

struct grey_triplet {
	char net[IP_TEXT_MAX + 1]; /* "192.0.2.0/24", "2001:db8::/64" */
	char sender[ADDR_MAX + 1]; /* "" is the null sender */
	char rcpt[ADDR_MAX + 1];
};

/* What of a question counts. */
void grey_triplet_of(const struct grey_ask *ask, struct grey_triplet *t);

/* Of the configuration, in seconds. */
struct grey_times {
	uint32_t delay, window, keep;
};

/* What is known; all zero: nothing.  Seconds since 1970. */
struct grey_known {
	int64_t first; /* of a triplet: when it came first */
	int64_t last;  /* when it (or one of the network) last passed; 0: not
			* yet */
	uint32_t n;    /* of a network: triplets that have passed */
};

/* When it may be forgotten. */
int64_t grey_due(const struct grey_times *times, const struct grey_known *k);

/*
 * True: it may pass.  False: in *wait seconds.  Changes what is known of the
 * triplet and of the network, as has to be kept.  A clock that is put back or
 * forward costs no more than another delay.
 */
bool grey_judge(const struct grey_times *times, int64_t now,
    struct grey_known *triplet, struct grey_known *net, uint32_t *wait);

#endif
