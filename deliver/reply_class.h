/*
 * What a server's reply means: RFC 3463, RFC 5321, RFC 7372, RFC 7505, and the
 * words that large providers use.  Decides what is retried, and when.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_REPLY_CLASS_H
#define DELIVER_REPLY_CLASS_H

#include "client_reply.h"
#include "verdict.h"

/*
 * The reply as an outcome, whole: verdict, width, code, words; cause; stage;
 * and for one that is to be tried again, after how many seconds it asked for
 * that (greylisting, rates; at most REPLY_AFTER_MAX, 0: it did not).
 *
 * 2yz DONE, 4yz LATER, 5yz NEVER, others LATER; but a 5yz where the sender is
 * not at fault is LATER: to STARTTLS and AUTH, or when it asks for one of them;
 * and 552 to RCPT without another meaning, which are too many recipients (RFC
 * 5321 4.5.3.1.10).  To RCPT: WIDTH_RCPT, to MAIL and the content:
 * WIDTH_MESSAGE; before that, and 421: WIDTH_STREAM, which is this host alone.
 * There a 5yz stays NEVER, for who has heard it from every host.
 */
#define REPLY_AFTER_MAX (6 * 3600)
void reply_class(const struct client_reply *r, enum stage stage,
    struct outcome *o);

#endif
