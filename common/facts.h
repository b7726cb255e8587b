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
	FACT_EXPANDED = 32,
	FACT_FCRDNS = 64,      /* rdns leads back to the client's address */
	FACT_RDNS_DOUBT = 128, /* DNS could not say now: rdns is empty */
	FACT_JUNK = 256,       /* a filter said so */
	FACT_LMTP = 512,       /* LHLO was said */
	FACT_SUBMIT = 1024,    /* authenticated, local or listed: one of ours,
				* whose message we may complete (RFC 6409) */
	FACT_SMTPUTF8 = 2048,  /* MAIL had SMTPUTF8 (RFC 6531 3.4) */
	/* `auth-results`: results will be known when the content is; rules
	 * that ask for them are in doubt until then. */
	FACT_VERIFY = 4096,
	/* FACT_EXPANDED: a number, of the parts of lists that it came out of,
	 * each a part of one before. */
	FACT_DEPTH = 0x7f000000,
	FACT_DEPTH_ONE = 0x01000000
};

struct facts {
	uint32_t flags;
	uint32_t uid; /* FACT_SOCKET */
	/* Of spf, dkim, dmarc, arc (auth_result.h); 0: nobody looked.  Kept in
	 * the message's trailer, not in its head. */
	uint32_t results;
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
	CONTENT_NO_EOL = 16, /* the last line has no CRLF (by BDAT only) */
	CONTENT_BINARY = 32, /* BODY=BINARYMIME, and it needs it: NUL, bare CR
			      * or LF, a line over 998 */
	CONTENT_JUNK = 64,   /* what FACT_JUNK is, found when the content was
			    * read */
	/* facts.results, 16 bits from here on. */
	CONTENT_RESULTS_SHIFT = 8,
	CONTENT_RESULTS = 0xffff00
};

/* BODY of MAIL (RFC 6152, RFC 3030). */
enum body { BODY_UNSAID, BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };

/* RET of MAIL and NOTIFY of RCPT (RFC 3461 4.1, 4.3).  NOTIFY: bits; none of
 * them: not said, which means failure and, as configured, delay. */
enum dsn_ret { RET_UNSAID, RET_FULL, RET_HDRS };
enum {
	NOTIFY_NEVER = 1,
	NOTIFY_SUCCESS = 2,
	NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8
};

/* What MAIL said of the whole message.  Kept with it. */
struct mail_params {
	uint8_t body;              /* enum body */
	uint8_t ret;               /* enum dsn_ret */
	char envid[ENVID_MAX + 1]; /* xtext, as it came; empty: not said */
};

/* What RCPT said of one recipient.  Kept with it. */
struct rcpt_params {
	uint8_t notify;            /* NOTIFY_* */
	char orcpt[ORCPT_MAX + 1]; /* "rfc822;..." in xtext, as it came */
};

#endif
