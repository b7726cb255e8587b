/*
 * What the files of the SMTP client share: client.c hears, client_act.c does,
 * client_say.c says, client_params.c knows what the server can be told,
 * client_offer.c what it said of itself.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_CLIENT_PARTS_H
#define DELIVER_CLIENT_PARTS_H

#include "client.h"

#define CLIENT_OUT_MAX ((size_t)192 * 1024) /* bytes waiting to be sent */

/* ---- client_say.c ---- */

/*
 * Closes and tells the owner, who may free the client: the caller returns at
 * once.  Before the content's end nothing has happened, and another host may
 * be tried; after it nobody knows, and that is later (RFC 1047).
 */
void client_lose(struct client *c, const struct outcome *o);
/* The same: what happened while we waited, and for what. */
void client_lose_words(struct client *c, enum cause cause, const char *ecode,
    const char *what);
/* The reply shows that the server does not do what it offers: the connection
 * ends, and the next one is to go without ext.  As a client_act. */
bool client_deny(struct client *c, unsigned int ext,
    const struct client_reply *r);

/* A reply to this is due; its deadline runs when it is the first. */
void client_expect(struct client *c, enum client_said said, unsigned int rcpt);
/* The first of the replies due has come: to what. */
enum client_said client_heard(struct client *c, unsigned int *rcpt);
/* The next reply is to this. */
bool client_awaits(const struct client *c, enum client_said said);
/* For the first of the replies due, from now on. */
void client_set_deadline(struct client *c);

/* EHLO or HELO. */
void client_say_hello(struct client *c, enum client_said said);
/* As much as can be said now: all at once with PIPELINING, else one by one.
 * False: the owner was told. */
bool client_say_more(struct client *c);
/* The content goes out, and a reply to it is due; false: the owner was told. */
bool client_begin_content(struct client *c);
/* The next chunk of it does (RFC 3030 2). */
bool client_say_chunk(struct client *c);
/* Some of it, or of this chunk, is not yet with the kernel. */
bool client_is_sending(const struct client *c);
/* As much content as has room; false: the owner was told. */
bool client_send_content(struct client *c);

/* Bytes for SIZE=. */
uint64_t client_mail_size(const struct client_mail *m);

/* ---- client_params.c ---- */

/* How this transaction will be done; true: not at all, and why. */
bool client_refuses(struct client *c, struct outcome *o);
/* MAIL, and RCPT of recipient i; of one that cannot be said to this server the
 * owner is told so. */
void client_say_mail(struct client *c);
void client_say_rcpt(struct client *c, unsigned int i);

/* What a reply to MAIL, or to RCPT, shows that the server does not do of what
 * was said in it: EXT_*, 0: nothing. */
unsigned int client_denies_mail(const struct client *c,
    const struct client_reply *r);
unsigned int client_denies_rcpt(const struct client *c,
    const struct client_reply *r);

/* ---- client_offer.c ---- */

/* All that is known of the server is forgotten. */
void client_forget(struct client *c);
/* A line of the reply to EHLO, but the first. */
void client_offer(struct client *c, struct slice line);
/* What stands behind SIZE, LIMITS. */
void client_size(struct client *c, struct slice words);
void client_limits(struct client *c, struct slice words);

/* ---- client_act.c ---- */

/* The reply, and which recipient it is about.  False: the owner was told,
 * and the client may be gone. */
typedef bool client_act(struct client *c, const struct client_reply *r,
    unsigned int rcpt);

extern client_act *const client_acts[CLIENT_DOES];

/* The reply is the outcome of the transaction; the first word is the last. */
void client_decide(struct client *c, const struct client_reply *r);

/* TLS is to begin; false: the owner was told. */
bool client_start_tls(struct client *c);
/* The handshake is done. */
void client_on_tls(struct client *c);

/* Nothing more is due in this transaction: as a client_act. */
bool client_mail_over(struct client *c);

#endif
