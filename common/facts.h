/*
 * What is known about who hands us a message, as far as rules and trace
 * fields need it.  Kept with the message, so that rules can be asked again at
 * each attempt.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_FACTS_H
#define COMMON_FACTS_H

#include <stdint.h>

#include "bounds.h"

enum {
	FACT_SOCKET = 1, /* by the local socket; uid says who */
	FACT_LOCAL = 2,  /* from an address of this host, or by the socket */
	FACT_ESMTP = 4,
	FACT_TLS = 8,
	FACT_OURS = 16, /* made by this MTA: a notification */
	/* The recipients came out of an alias here and are not expanded
	 * again; rules see them as coming from this host. */
	FACT_EXPANDED = 32
};

struct facts {
	uint32_t flags;
	uint32_t uid; /* FACT_SOCKET */
	uint16_t port;
	char client[IP_TEXT_MAX + 1]; /* address as inet_ntop prints it */
	char helo[HOST_MAX + 1];
	char rdns[HOST_MAX + 1]; /* empty: not known */
	char tag[TAG_MAX + 1];
	char auth[ADDR_MAX + 1]; /* empty: not authenticated */
};

/* What is known about a message's content, found while it came in. */
enum {
	CONTENT_8BIT = 1,    /* a byte over 127 */
	CONTENT_UTF8 = 2,    /* 8-bit bytes in the header: needs SMTPUTF8 */
	CONTENT_LONG = 4,    /* a line over 998 bytes */
	CONTENT_DOT = 8,     /* a line that begins with a dot */
	CONTENT_NO_EOL = 16, /* the last line has no CRLF (never so by SMTP) */
};

#endif
