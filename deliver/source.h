/*
 * The address that we connect from: whether one can be had, and which one the
 * kernel would take.  Nothing is sent to find out.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_SOURCE_H
#define DELIVER_SOURCE_H

#include <sys/socket.h>

#include <stdbool.h>

#include "bounds.h"
#include "mx.h"

/* Whether src (without a port) can be used to reach to: 0, or an errno;
 * EADDRNOTAVAIL: it is no address of this host. */
int source_try(const struct sockaddr_storage *src, const struct mx_addr *to);

/* As text: src, or with ss_family 0 what the kernel would take for to.  False:
 * it knows no way there. */
bool source_of(const struct sockaddr_storage *src, const struct mx_addr *to,
    char out[IP_TEXT_MAX + 1]);

#endif
