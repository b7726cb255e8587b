/*
 * The guard: what clients have done lately, for all session processes, and
 * what the DNS says of them and of the senders that they name.
 *
 *   guard_main.c    the process
 *   guard_client.c  sessions of clients, their limits
 *   guard_party.c   addresses, networks and users
 *   guard_meter.c   how much, in a window of time
 *   guard_grudge.c  wrong passwords
 *   guard_names.c   questions to the DNS about one client
 *   guard_list.c    what a DNS list says
 *   guard_verify.c  questions to the DNS about who sent a message
 *   share.c         what of these a client has at once
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_GUARD_H
#define SMTPD_GUARD_H

#include "conf.h"
#include "dns.h"
#include "ipc.h"
#include "loop.h"

struct guard {
	const struct conf *conf;
	struct loop *loop;
	struct clients *clients;
	struct names *names;
	struct claims *claims;
	struct dns *dns;
	struct dns_server server[DNS_SERVERS_MAX];
	unsigned int n_server;
};

#endif
