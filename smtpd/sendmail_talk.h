/*
 * sendmail(8) and the daemon: one conversation by SMTP over the local socket,
 * and patience with a daemon that is about to come back.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SENDMAIL_TALK_H
#define SMTPD_SENDMAIL_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "num.h"

#define TALK_REPLY_MAX 4096 /* bytes of a reply's line */

/* Seconds that we wait for the daemon in all, unless POSTERN_WAIT says so. */
#define TALK_WAIT 30

struct talk {
	char path[108]; /* of the socket */
	bool verbose;   /* the conversation goes to standard output */
	msec patience;  /* for a daemon that is not there: what is left */
	msec step;      /* the next pause */
	int sock;       /* -1: not connected */
	struct buf in;
	char reply[TALK_REPLY_MAX + 1]; /* the last line of the last reply */
	char why[512];                  /* why there is nobody to talk to */
	int status;                     /* ... as an exit status */
	/* what EHLO offers */
	uint64_t size; /* 0: no limit */
	uint32_t rcpt_max, mail_max;
	bool sized, eight, utf8, dsn, require_tls;
};

/* dir: of the instance, or NULL.  Nothing is connected yet.  NULL, or why
 * not. */
const char *talk_init(struct talk *t, const char *dir);

/* Connects and reads the greeting, into t->reply; waits while nobody listens
 * or it is 421.  False: t->why. */
bool talk_greet(struct talk *t);

/* The same up to the answer to EHLO. */
bool talk_open(struct talk *t);

/* Says QUIT, and reads no answer. */
void talk_close(struct talk *t);

/* The connection was lost, but it may be tried once more from the start: waits
 * for the next step.  False: no patience is left. */
bool talk_pause(struct talk *t);

/* False: the connection is lost, t->why. */
bool talk_write(struct talk *t, const void *p, size_t len);

/* Reads a reply: its first digit, 2 to 5, or 0: the connection is lost or was
 * ended (421), t->why. */
int talk_reply(struct talk *t);

/* Says a line and reads the reply. */
int talk_say(struct talk *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The last reply as an exit status (sysexits) for a message. */
int talk_status(const struct talk *t);

#endif
