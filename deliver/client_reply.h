/*
 * A server's reply (RFC 5321 4.2, RFC 2034), put together line by line and
 * bounded: a server that talks without end is not listened to without end.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_CLIENT_REPLY_H
#define DELIVER_CLIENT_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"
#include "verdict.h"

/* A reply of 100 KB is read, and its beginning kept; more is no reply. */
#define REPLY_LINES_MAX 8192
#define REPLY_BYTES_MAX 262144
/* RFC 5321 4.5.3.1.5 says 512: be kind.  Of a longer one the beginning is
 * looked at. */
#define REPLY_LINE_MAX 2048

/* All zero: nothing read yet. */
struct client_reply {
	unsigned int code; /* 200 to 599 */
	uint16_t ecode[3]; /* RFC 3463, class 0: none */
	unsigned int lines;
	size_t bytes;
	bool done; /* the last line was read */
	/* Printable ASCII, lines joined by a blank; cut where it is longer. */
	char text[OUTCOME_TEXT_MAX + 1];
};

/*
 * Takes the next line, without its end.  *text is what it says after the
 * code.  NULL and r->done tells whether that was all; or why this is no
 * reply.
 */
const char *client_reply_line(struct client_reply *r, struct slice line,
    struct slice *text);

/* len more bytes of the last line, of which nothing is looked at.  NULL, or
 * why this is no reply. */
const char *client_reply_skip(struct client_reply *r, size_t len);

#endif
