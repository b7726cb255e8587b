/*
 * A message on its way from standard input to the daemon, all with CRLF:
 * header fields in memory, and the body too while it is small; then it goes on
 * in a temporary file without a name, which nobody finds after us.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SENDMAIL_MESSAGE_H
#define SMTPD_SENDMAIL_MESSAGE_H

#include <bsd/sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "arena.h"
#include "buf.h"
#include "slice.h"

struct field {
	STAILQ_ENTRY(field) entry;
	struct slice text; /* all its lines, each with its CRLF */
	size_t name;       /* bytes of the name in front of the colon */
};

struct message {
	struct arena arena;
	STAILQ_HEAD(, field) fields;
	struct buf begin; /* of the body, or all of it */
	FILE *rest;       /* what follows; NULL: nothing */
	size_t read;      /* of begin: see message_body() */
	uint64_t size;    /* bytes of the body */
	bool eight;       /* a byte over 127, anywhere */
};

/* How a message is read. */
struct message_how {
	bool dots; /* a lone dot is content, not the end */
	/* Called once if the message is large: how many bytes it may have, 0
	 * for any number.  False: nobody knows, and it is not read on.  NULL:
	 * any number. */
	bool (*limit)(void *arg, uint64_t *max);
	void *arg;
};

/* Who sends. */
struct message_sender {
	const char *address; /* with its domain */
	const char *name;    /* full name, "" for none */
};

/*
 * Reads in to its end, or to a line that is a dot.  LF, CRLF and a bare CR all
 * end a line; NUL bytes are dropped.  NULL, or why not and *status, one of
 * sysexits.  m is to be freed in either case.
 */
const char *message_read(struct message *m, FILE *in,
    const struct message_how *how, int *status);
void message_free(struct message *m);

/* The body from its beginning, piece by piece: how many bytes went to p, 0 at
 * the end.  False in *ok: it cannot be read again. */
void message_rewind(struct message *m);
size_t message_body(struct message *m, void *p, size_t len, bool *ok);

/* Calls fn for each address of a list.  NULL, or why not: fn's word, or that
 * the list cannot be read. */
const char *list_rcpts(struct slice list,
    const char *(*fn)(void *arg, struct slice address), void *arg);

/*
 * The same for those of To, Cc and Bcc; of the Resent- ones alone if
 * there are any.
 */
const char *message_rcpts(const struct message *m,
    const char *(*fn)(void *arg, struct slice address), void *arg);

/* Adds a field, whole, with its CRLF, behind another or (NULL) at the end.
 * False: the header is too large. */
bool message_add_field(struct message *m, struct slice text,
    struct field *after);

/* Adds From where it is missing.  False: the header is too large. */
bool message_add_from(struct message *m, const struct message_sender *who);

/* The same for a message that is resent, if it is one: Resent-From and
 * Resent-Date (RFC 5322 3.6.6), beside what it has of these. */
bool message_add_resent(struct message *m, const struct message_sender *who,
    const char *date);

/* Adds the header and the empty line after it to out.  False: no room. */
bool message_header(const struct message *m, struct buf *out);

#endif
