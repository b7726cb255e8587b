/*
 * Keys that session tickets are sealed with (RFC 5077, RFC 8446 4.6.1): all
 * session processes have the same, and each is used for a while only.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_KEYS_TICKET_H
#define SMTPD_KEYS_TICKET_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc.h"
#include "num.h"

#define TICKET_KEYS    4                      /* the newest, and older ones */
#define TICKET_TURN_MS ((msec)60 * 60 * 1000) /* a new one so often */

struct ticket_keys {
	struct ticket_key key[TICKET_KEYS]; /* by age */
	uint32_t n;
};

/* A new key, and the oldest is forgotten.  False: there are no random numbers,
 * and all stays as it is. */
bool ticket_keys_turn(struct ticket_keys *t);

/* Tells a session process all of them. */
void ticket_keys_send(const struct ticket_keys *t, struct ipc_chan *c);

void ticket_keys_wipe(struct ticket_keys *t);

#endif
