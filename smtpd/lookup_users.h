/*
 * The users of the system, by getpwnam_r(3) in threads of their own: NSS may
 * ask a server far away, and the loop does not wait for it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_USERS_H
#define SMTPD_LOOKUP_USERS_H

#include "lookup_table.h"
#include "loop.h"

struct users;

/* For the life of the process; threads begin with the first question. */
struct users *users_new(struct loop *l);

/*
 * Who is name?  As table_ask() with SERVICE_USERINFO: "uid:gid:home".  Most
 * answers come by fn; TABLE_UNKNOWN if NSS failed, did not answer within its
 * deadline, or too many ask.
 */
enum table_answer users_ask(struct users *u, const char *name,
    struct buf *value, struct table_req *req, table_fn *fn, void *arg);

#endif
