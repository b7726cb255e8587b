/*
 * We authenticate at other servers: what deliver processes ask about their
 * exchanges (sasl_ask), answered from the auth table of the action.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_SASL_CLIENT_H
#define SMTPD_LOOKUP_SASL_CLIENT_H

#include <stdbool.h>

#include "conf.h"
#include "ipc.h"
#include "lookup_table.h"
#include "loop.h"

#define SASL_CLIENT_MSEC 36000 /* below what deliver waits */
#define SASL_CLIENT_OPEN 1024  /* questions at once */

struct sasl_clients;

/* Before the jail; c and tables stay. */
struct sasl_clients *sasl_clients_new(const struct conf *c,
    struct tables *tables);

/* The loop runs. */
void sasl_clients_start(struct sasl_clients *sc, struct loop *l);

/* No question is open, and no thread works at one. */
bool sasl_clients_idle(const struct sasl_clients *sc);

/* Nobody is answered; no thread works at a question. */
void sasl_clients_free(struct sasl_clients **sc);

/* The channel to spawn; where the standard error of the command of a row of
 * conf.token is read (takes fd over). */
void sasl_clients_spawn(struct sasl_clients *sc, struct ipc_chan *spawn);
void sasl_clients_stderr(struct sasl_clients *sc, uint32_t row, int fd);

/* A deliver process went: what it asked is forgotten. */
void sasl_clients_down(struct sasl_clients *sc, struct ipc_chan *deliver);

/* A question of a deliver process. */
void sasl_clients_ask(struct sasl_clients *sc, struct ipc_chan *from,
    uint64_t id, const struct sasl_ask *m);

#endif
