/*
 * What a delivery by a route would do, for smtpctl explain: nothing is sent,
 * and nobody but the DNS is asked.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_EXPLAIN_H
#define DELIVER_EXPLAIN_H

#include "deliver.h"

#define EXPLAINS_MAX 16 /* asked at once */

/* The handler of hosts_ask; self is the deliver process. */
ipc_handler explain_on_hosts;

/* Who asked is gone; NULL: all of them. */
void explain_forget(struct deliver *d, const struct ipc_chan *from);

#endif
