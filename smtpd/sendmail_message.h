/*
 * A message on its way from standard input to the daemon: header fields in
 * memory, the body in a temporary file, all with CRLF.
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
	FILE *body;
	uint64_t size; /* bytes of the body */
	bool eight;    /* a byte over 127, anywhere */
};

/* Who sends. */
struct message_sender {
	const char *address; /* with its domain */
	const char *name;    /* full name, "" for none */
};

/*
 * Reads in to its end, or without dots to a line that is a dot.  LF, CRLF and
 * a bare CR all end a line; NUL bytes are dropped.  NULL, or why not and
 * *status, one of sysexits.  m is to be freed in either case.
 */
const char *message_read(struct message *m, FILE *in, bool dots, int *status);
void message_free(struct message *m);

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

/* Adds From where it is missing.  False: the header is too large. */
bool message_add_from(struct message *m, const struct message_sender *who);

/* Adds the header and the empty line after it to out.  False: no room. */
bool message_header(const struct message *m, struct buf *out);

#endif
