/*
 * We authenticate at a server (RFC 4954).  The words come from lookup, which
 * has the secrets (sasl_ask); here they are only carried.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_CLIENT_AUTH_H
#define DELIVER_CLIENT_AUTH_H

#include "client_parts.h"
#include "ipc_table.h"
#include "slice.h"

struct deliver;

/* Longer than lookup takes, at the worst. */
#define CLIENT_AUTH_MS 40000

/* A line of the reply to EHLO, "AUTH A B" or, as it was before the RFC,
 * "AUTH=A B": what stands behind the word is added to c->auth_mechs. */
void client_auth_offer(struct client *c, struct slice words);

/* EHLO was answered, and TLS is as it will be: c->how.login is to be
 * authenticated.  As a client_act. */
bool client_auth_begin(struct client *c);

/* A line of the reply to AUTH, or to a line of it: without its code. */
void client_auth_hear(struct client *c, struct slice text);

/* What is done upon the reply (client_table.h). */
client_act client_auth_more, client_auth_done, client_auth_refused;

/* The exchange is over, however it went; its secrets are wiped. */
void client_auth_free(struct client *c);

/* ---- of the process ---- */

/* A piece of what is to be said.  What belongs to nobody is dropped. */
void client_auth_data(struct deliver *d, const struct sasl_data *m);

/* Lookup is another one: it will say from the start what the one before it
 * may have said in part. */
void client_auth_lookup_up(struct deliver *d);

#endif
