/*
 * DNS lists (RFC 5782): the name under which an address is asked for, and
 * what an answer means.  Pure functions.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_GUARD_LIST_H
#define SMTPD_GUARD_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "conf.h"
#include "dns_packet.h"

/* Doubt is zero: who does not answer, or answers nonsense, says nothing. */
enum list_says { LIST_REFUSED, LIST_CLEAN, LIST_LISTED };

/*
 * "1.2.0.192.in-addr.arpa", or with 32 nibbles "....ip6.arpa": where the name
 * of an address is.  below: another domain instead of these two, or NULL.
 * False: no address, or the name gets too long.
 */
bool list_name(const char *ip, const char *below, char out[HOST_MAX + 1]);

/*
 * "127.0.0.4" or "127.0.0.4-127.0.0.11", as numbers of the host's order.
 * NULL, or why not.
 */
const char *list_range(const char *text, uint32_t *low, uint32_t *high);

/*
 * What the answer to an A question means.  Only addresses of 127.0.0.0/8
 * count; 127.0.0.1 (RFC 5782 5), 127.255.255.0/24 (which say that we may not
 * ask) and those outside (a domain that has expired, or answers to
 * everything) mean that the list refuses.  *why: of LIST_REFUSED, constant;
 * *addr: the one that decided, host's order, else 0.
 */
enum list_says list_judge(const struct conf *conf,
    const struct conf_dnslist *list, const struct dns_answer *answer,
    uint32_t *addr, const char **why);

#endif
