/*
 * What tables say of a client before it is greeted, and of the addresses that
 * a user may send as.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_LOOKUP_PEER_H
#define SMTPD_LOOKUP_PEER_H

#include "lookup_question.h"

/* Each is a question_judge. */
bool judge_peer(struct question *q);   /* peer_ask */
bool judge_sender(struct question *q); /* sender_ask */

/* May this user of l send as sender?  Fills o; false: a table is awaited. */
bool sender_may(struct question *q, const struct conf_listen *l,
    const char *user, const char *sender, struct outcome *o);

/*
 * Is addr one of the addresses of a list ("a@x.org, @y.org, *@*.z.org"), as
 * `senders` has it?  The null sender is only in a list that has "@".  delim:
 * what begins the tag of a local part.
 */
bool sender_in(const char *list, const char *addr, char delim);

#endif
