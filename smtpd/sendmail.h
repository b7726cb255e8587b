/*
 * sendmail(8): what its files share.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SENDMAIL_H
#define SMTPD_SENDMAIL_H

#include <bsd/sys/queue.h>

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "bounds.h"
#include "buf.h"
#include "sendmail_args.h"
#include "sendmail_message.h"
#include "sendmail_talk.h"

#define RCPT_BUCKETS 4096

struct rcpt {
	STAILQ_ENTRY(rcpt) entry;
	struct rcpt *hash;
	const char *address; /* well-formed, or a local part alone */
};

STAILQ_HEAD(rcpts, rcpt);

struct sendmail {
	struct sendmail_args args;
	struct talk talk;
	struct arena arena;
	struct rcpts rcpts;
	struct rcpt *met[RCPT_BUCKETS]; /* hashed */
	size_t n_rcpts;
	char sender[ADDR_MAX + 1]; /* of the envelope, as in struct rcpt */
	bool utf8;                 /* an address is not ASCII */
	struct message message;
	struct buf header; /* as it is sent, with the empty line */
	bool reported;     /* the sender is told by mail */
};

/* ---- sendmail.c ---- */

/* Says why on standard error and in the log, and ends. */
_Noreturn void sendmail_die(const struct sendmail *sm, int status,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same, and goes on. */
void sendmail_say(const struct sendmail *sm, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Ends with that status, or 0 if the sender is told and wants no more. */
_Noreturn void sendmail_end(const struct sendmail *sm, int status);

/* ---- sendmail_envelope.c ---- */

/* Who sends: sm->sender, and From where the header lacks it. */
void envelope_sender(struct sendmail *sm);
void envelope_from(struct sendmail *sm);

/* Those of the command line, and with -t those of the header. */
void envelope_rcpts(struct sendmail *sm);

/* ---- what -b and -q ask for: each returns the exit status ---- */

/* sendmail_submit.c: hands the message to the daemon. */
int sendmail_submit(struct sendmail *sm);

/* sendmail_report.c: if -oem says so, a message to the sender that his was
 * not sent, and why: lines with CRLF; some: to some it was. */
void sendmail_report(struct sendmail *sm, const struct buf *why, bool some);

/* sendmail_verify.c */
int sendmail_verify(struct sendmail *sm);

/* sendmail_serve.c: SMTP on standard input and output. */
int sendmail_serve(struct sendmail *sm);

/* sendmail_run.c: work of other programs of ours. */
int sendmail_list(struct sendmail *sm);
int sendmail_hosts(struct sendmail *sm);
int sendmail_flush(struct sendmail *sm);
int sendmail_aliases(struct sendmail *sm);
int sendmail_test(struct sendmail *sm);
int sendmail_daemon(struct sendmail *sm);

#endif
