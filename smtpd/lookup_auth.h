/*
 * Authentication: what session processes ask about SASL exchanges (RFC 4422),
 * and what this lookup can check for each listener.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_AUTH_H
#define SMTPD_LOOKUP_AUTH_H

#include "conf.h"
#include "ipc.h"
#include "lookup_table.h"
#include "loop.h"

/* Well below the 30 s that session waits. */
#define AUTH_MSEC 20000

#define AUTH_MESSAGE_MAX 9216 /* bytes of a client's message: 12288 in base64 */
#define AUTH_PARTS_MAX   1024 /* messages that wait for their auth_ask */
#define AUTH_OPEN_MAX    1024 /* questions at once */

struct auths;

/* Before the jail; c and tables stay. */
struct auths *auths_new(const struct conf *c, struct tables *tables);

/* FILE_OAUTH: the keys of a row of conf.oauth, read from fd, which stays open.
 * NULL, or why they are no good. */
const char *auths_oauth(struct auths *as, uint32_t row, int fd);

/* The loop runs. */
void auths_start(struct auths *as, struct loop *l);

/* Nobody is answered. */
void auths_free(struct auths **as);

/* The channel to spawn. */
void auths_spawn(struct auths *as, struct ipc_chan *spawn);

/* A session process came: is told what can be checked.  It went: what it asked
 * is forgotten. */
void auths_session_up(struct auths *as, struct ipc_chan *session);
void auths_session_down(struct auths *as, struct ipc_chan *session);

/* A table holds something new: what can be checked is found again, and told to
 * those who came. */
void auths_changed(struct auths *as);

/* Messages of a session process. */
void auths_data(struct auths *as, struct ipc_chan *from,
    const struct auth_data *m);
void auths_ask(struct auths *as, struct ipc_chan *from, uint64_t id,
    const struct auth_ask *m);

#endif
