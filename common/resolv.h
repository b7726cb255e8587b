/*
 * resolv.conf(5): which name servers to ask.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_RESOLV_H
#define COMMON_RESOLV_H

#include "conf.h"
#include "dns.h"
#include "slice.h"

/*
 * Takes the `nameserver` lines of a file; others, and lines that make no
 * sense, are passed over.  Without any, the server is this host's own, as
 * resolv.conf(5) says.  Returns the number in out, from 1 to max.
 */
unsigned int resolv_parse(struct slice text, struct dns_server *out,
    unsigned int max);

/* The same of an open file, which stays open; -1: there is none. */
unsigned int resolv_read(int fd, struct dns_server *out, unsigned int max);

/* `resolver` of the configuration, which goes before any file; false: it says
 * nothing. */
bool resolv_conf(const struct conf *c, struct dns_server *out);

/* An address as text, with a port; false: it is none.  A scope ("fe80::1%2")
 * is taken as a number. */
bool resolv_address(struct slice text, uint16_t port, struct dns_server *out);

#endif
