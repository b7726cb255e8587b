/*
 * A message on standard input that is to be printed again with fields in
 * front of it: it waits in a file without a name, nothing of it is changed,
 * and a large one needs no more memory than a small one.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_SMTPCTL_COPY_H
#define QUEUE_SMTPCTL_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "buf.h"
#include "mail_read.h"

struct copy {
	FILE *file; /* of what came */
	bool failed;
	/* What its line ends are; what comes next begins behind a CR. */
	bool lf, crlf, bare_cr, nul, was_cr;
};

/* c: zeros.  False: there is no such file, was said. */
bool copy_open(struct copy *c);
/* Adds what came, as it came. */
void copy_add(struct copy *c, const uint8_t *p, size_t len);
/* All was added.  False: it could not be kept, was said. */
bool copy_end(struct copy *c);
/* NULL, or why it must not be signed, as what is odd in it may become something
 * else on its way (RFC 6376 5.3), and a line that is no field would stand
 * behind our own.  m: the message, read to its end.  A constant text. */
const char *copy_check(const struct copy *c, const struct mail_read *m);
/* Prints the fields, which end in CRLF, with the line ends of the message, then
 * the message.  False: it cannot, was said. */
bool copy_print(struct copy *c, const struct buf *fields);
void copy_close(struct copy *c);

#endif
