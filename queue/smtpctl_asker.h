/*
 * What verbs of smtpctl(8) that look at who sent a message share: the DNS as
 * they were told to ask it, and a message on standard input.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_SMTPCTL_ASKER_H
#define QUEUE_SMTPCTL_ASKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth_result.h"
#include "conf_words.h"
#include "dns.h"
#include "loop.h"
#include "smtpctl.h"

struct asker {
	struct loop *loop;
	struct dns *dns;
};

/*
 * Name servers: those of the `resolver` line of the configuration conf (NULL:
 * none was named), else of the environment's SMTPCTL_RESOLVER, else of
 * resolv.conf(5); no others are ever asked.  0, or an exit status, and why was
 * said.
 */
int asker_open(struct asker *a, const char *conf);
void asker_close(struct asker *a);

/* "192.0.2.1:53", "192.0.2.1", "[2001:db8::1]:53"; false: it is none. */
bool asker_server(const char *text, struct dns_server *out);

/* Path of a program of this installation: beside this one, else where it was to
 * be installed.  False: it is too long. */
bool asker_program(const char *name, char *out, size_t size);

/* Arguments: the address of a client, rules of DMARC, an authserv-id that needs
 * no quotes (RFC 8601 2.5).  False: it is none. */
bool asker_address(const char *text);
bool asker_rules(const char *word, enum conf_dmarc_rules *rules);
bool asker_authserv(const char *text);
/* A sender, who may stand in "<>" as MAIL has him; text loses these. */
const char *asker_sender(char *text);

/* Answers are waited for until *done. */
void asker_wait(struct asker *a, const bool *done);

/* Standard input to its end, as content goes on the wire: a LF alone becomes
 * CRLF, all else stays.  In pieces.  False: it cannot be read, was said. */
typedef void asker_feed(void *arg, const uint8_t *p, size_t len);
bool asker_message(asker_feed *feed, void *arg);
/* The same; raw gets the bytes as they came. */
bool asker_message_raw(asker_feed *feed, asker_feed *raw, void *arg);

/* An exit status: 0 pass, 1 not, EX_TEMPFAIL temperror. */
int asker_status(enum auth_result r);

/* Adds text to c->out: what is not printable ASCII is '?'. */
void asker_put(struct smtpctl *c, const char *text);

#endif
