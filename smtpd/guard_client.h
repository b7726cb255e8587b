/*
 * Which sessions there are, whose they are, and what they may still do.
 * Times are given by the caller.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_GUARD_CLIENT_H
#define SMTPD_GUARD_CLIENT_H

#include "conf.h"
#include "guard_party.h"
#include "ipc_table.h"
#include "num.h"

/* An IPv6 client is its /64: who has one address there has them all. */
#define CLIENT_V6_BITS 64

/* Sessions at once, of all processes together. */
#define GUESTS_MAX 131072

struct clients;

struct clients *clients_new(const struct conf *conf);
void clients_free(struct clients **c);

/* The four messages of a session; instance: of the process that has it. */
void client_comes(struct clients *c, uint32_t instance,
    const struct client_open *m, struct client_is *is, msec now);
void client_stays(struct clients *c, uint32_t instance,
    const struct client_here *m);
void client_notes(struct clients *c, uint32_t instance,
    const struct client_note *m, struct client_may *may, msec now);
void client_goes(struct clients *c, uint32_t instance,
    const struct client_shut *m, msec now);

/* That process is lost, and its sessions with it. */
void clients_lost(struct clients *c, uint32_t instance);

/* Sessions. */
unsigned int clients_count(const struct clients *c);

#endif
