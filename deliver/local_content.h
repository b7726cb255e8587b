/*
 * The content of a message on its way into a mailbox or a program: it comes in
 * pieces as it was on the wire (CRLF), and goes out with LF.  Memory does not
 * grow with it, nor with a line of it.
 *
 * Of the header section (RFC 5322 2.2) Return-Path fields are left out (RFC
 * 5321 4.4: there is one, and we write it), Delivered-To and the fields that
 * mark spam are read.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_LOCAL_CONTENT_H
#define DELIVER_LOCAL_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"

/* Takes len bytes that go out.  False: it failed, and nothing more comes. */
typedef bool content_put(void *arg, const void *p, size_t len);

enum {
	COPY_FROM = 1, /* lines that begin with "From " get a ">" in front,
			   * as mbox needs it */
	COPY_AS_IS = 2 /* no field is left out or means a loop */
};

struct content {
	/* What was seen. */
	uint64_t in; /* bytes that came */
	bool loop;   /* a Delivered-To field names the recipient */
	bool spam;   /* X-Spam or X-Spam-Flag says yes */
	/* private */
	unsigned int how;
	const char *rcpt;
	content_put *put;
	void *arg;
	bool failed;
	bool header; /* still in it */
	bool start;  /* of a line, which is not decided yet */
	bool cr;     /* the last byte was a CR that may belong to an end */
	bool any;    /* the line that is open has bytes */
	uint8_t field;
	char name[20]; /* the first bytes of a line that is not decided */
	size_t name_len;
	char value[ADDR_MAX + 8]; /* of a field that is read */
	size_t value_len;
	bool value_long;
	uint8_t out[16384];
	size_t out_len;
};

/* rcpt is whom it is for; borrowed until the end. */
void content_start(struct content *c, unsigned int how, const char *rcpt,
    content_put *put, void *arg);

/* Adds text of our own, as it is.  False: put failed. */
bool content_add(struct content *c, const char *text);

/* Takes the next piece.  False: put failed. */
bool content_feed(struct content *c, const void *p, size_t len);

/* That was all of it: the last line gets its end, and what is held goes out.
 * False: put failed. */
bool content_end(struct content *c);

#endif
