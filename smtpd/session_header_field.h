/*
 * What becomes of each field of a header section (session_header.h), and the
 * fields that it lacks.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_HEADER_FIELD_H
#define SMTPD_SESSION_HEADER_FIELD_H

#include "session_header.h"
#include "slice.h"

/* How a field passes. */
enum field_way {
	FIELD_PASS, /* as it comes */
	FIELD_HOLD, /* it is collected, and then rewritten */
	FIELD_DROP
};

/* What was seen so far: bits, and what was removed. */
enum {
	SEEN_FROM = 1,
	SEEN_DATE = 2,
	SEEN_ID = 4,
	SEEN_SENDER = 8,
	SEEN_SIGNED = 16, /* a DKIM-Signature */
	SEEN_AUTHORS = 32 /* a From with several addresses */
};

struct field_seen {
	uint32_t bits; /* SEEN_* */
	struct header_forged forged;
};

/* The way of a field with this name; *seen is kept up to date. */
enum field_way field_way(const struct header_wish *wish, struct slice name,
    struct field_seen *seen);

/*
 * Adds what becomes of text to out: a whole field that was held, with its
 * CRLFs, whose name has name bytes.  False: out is full.
 */
bool field_rewrite(const struct header_wish *wish, struct slice text,
    size_t name, struct field_seen *seen, struct buf *out);

/* The same of a field that is too long to be held: *way is then what becomes
 * of the rest. */
bool field_too_long(const struct header_wish *wish, struct slice begin,
    size_t name, struct field_seen *seen, enum field_way *way, struct buf *out);

/* Adds the fields that were not seen. */
bool field_add_missing(const struct header_wish *wish, uint32_t seen,
    struct buf *out);

#endif
