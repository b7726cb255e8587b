/*
 * The fields that we put in front of a message: Received (RFC 5321 4.4), and
 * X-Spam where a filter called it junk.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_TRACE_H
#define SMTPD_SESSION_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "facts.h"

struct trace {
	const struct facts *facts;
	const char *hostname; /* ours */
	uint64_t id;
	const char *rcpt; /* NULL: several, and none of their business */
	const char *tls;  /* session_tls_print() */
	int64_t when;     /* seconds since 1970 */
	bool mask;        /* not a word on where it came from: `mask-src` */
	bool auth;        /* who authenticated: `received-auth` */
};

/* Adds the Received field, folded, to out.  False: out of room. */
bool trace_received(struct buf *out, const struct trace *t);

/* Adds the field that `maildir junk` and mail programs look for, if it is
 * FACT_JUNK. */
bool trace_junk(struct buf *out, const struct facts *f);

/* Adds a date as RFC 5322 3.3 writes it, in the local time zone: "Thu, 20 Nov
 * 2025 09:15:00 +0100".  Also what sendmail(8) puts into Date. */
bool trace_date(struct buf *out, int64_t when);

#endif
