/*
 * Addresses, interfaces and names, as smtpd.conf writes them and as this host
 * has them.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_CONF_NET_H
#define SMTPD_CONF_NET_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "buf.h"
#include "conf.h"
#include "slice.h"

enum { CONF_WHY_SIZE = 1024 };

/* ---- conf_where.c ---- */

/*
 * What `listen on TEXT` means: adds one struct sockaddr_storage, port 0, for
 * each address.  An interface, group or host may have several.  False, and why
 * not.
 */
bool conf_net_where(const char *text, struct buf *out, char why[CONF_WHY_SIZE]);

/* Drops addresses that are not of the family (4 or 6; 0: either) out of a list
 * of struct sockaddr_storage.  False: none is left. */
bool conf_net_only(struct buf *addrs, unsigned int inet);

/* Calls add with each address of this host, as inet_ntop prints it. */
void conf_net_local(void (*add)(void *self, const char *ip), void *self);

/* ---- conf_net.c ---- */

/* One address without a port; IPv6 may have a scope.  False: it is none. */
bool conf_net_addr(const char *text, struct sockaddr_storage *ss);

/* Bytes of it in use; sets its port. */
uint32_t conf_net_len(const struct sockaddr_storage *ss);
void conf_net_set_port(struct sockaddr_storage *ss, uint16_t port);

/* "192.0.2.1" or "2001:db8::/32": NULL, or why not. */
const char *conf_net_prefix_check(const char *text);

/* The name of this host, with its domain if /etc/hosts knows it.  False: it
 * has none. */
bool conf_net_hostname(char out[HOST_MAX + 1]);

/* A port by its name in services(5); the usual ones are known without it.
 * 0: there is none. */
uint16_t conf_net_service(const char *name);

struct conf_url {
	char scheme[16];         /* empty: none */
	struct slice label;      /* before "@host", in the text; p NULL: none */
	char host[HOST_MAX + 1]; /* without brackets, a name as DNS has it */
	uint16_t port;           /* 0: not said */
};

/* "smtp://label@host:port", "[2001:db8::1]:25", "host".  NULL, or why not. */
const char *conf_net_url(const char *text, struct conf_url *url);

/* What a relay URL may begin with. */
struct conf_net_scheme {
	enum conf_scheme scheme;
	const char *word;
	uint16_t port; /* without one in the URL; 0: it must be said */
};

/* The row of a word (any case; "": none stands there); NULL: there is none. */
const struct conf_net_scheme *conf_net_scheme(const char *word);

#endif
