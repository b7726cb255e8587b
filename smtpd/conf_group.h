/*
 * Groups of interfaces, as the files of Linux tell of them: parsers of one
 * line each, without its newline.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_CONF_GROUP_H
#define SMTPD_CONF_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

enum { CONF_IF_MAX = 15 }; /* bytes of an interface's name: IFNAMSIZ */

/* A line of /proc/net/route, of /proc/net/ipv6_route: true, and the name of
 * the interface, if it is a default route that is in use. */
bool conf_group_route(struct slice line, char name[CONF_IF_MAX + 1]);
bool conf_group_route6(struct slice line, char name[CONF_IF_MAX + 1]);

/* A line of /etc/iproute2/group (`7 dmz`): true, and the number, if it is the
 * line of this group. */
bool conf_group_number(struct slice line, const char *group, uint32_t *number);

#endif
