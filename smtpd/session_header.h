/*
 * The header section of a message on its way in.  Nobody but us says what we
 * have found about a message (RFC 8601 5): Authentication-Results of our
 * authserv-id are removed, and of a stranger's also the fields by which we mark
 * a message.  All else of a stranger's passes as it is.
 *
 * The header section of a message of our own (FACT_SUBMIT) is completed, as
 * RFC 6409 8 lets the first server do: Date, Message-ID and From are added
 * where missing, Sender where From names several, bare names get a domain,
 * Bcc, Resent-Bcc and Return-Path are removed, and with `masquerade` From
 * names the sender of MAIL.  All other bytes pass as they are.
 *
 * What is added stands at the end of the header section: a DKIM signature
 * that the client made (RFC 6376 5.4.2) counts fields of a name from the
 * bottom, and none is added that is there already, so that it still holds.
 * For the same reason names behind a DKIM-Signature get no domain.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_SESSION_HEADER_H
#define SMTPD_SESSION_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

struct header_wish {
	const char *from;      /* new address of From (`masquerade`), or NULL */
	const char *sender;    /* of MAIL, "" for nobody */
	const char *hostname;  /* ours: Message-ID */
	const char *mail_name; /* ours: bare names */
	uint64_t id;           /* of the message: Message-ID */
	int64_t when;          /* Date */
	const char *authserv;  /* ours: its results are removed; NULL: none */
	bool stranger;         /* nothing is completed, marks are removed */
};

struct header;

/* The texts of wish stay.  max: bytes of one field that is held at most; a
 * longer one passes as it is (but a From that is to be masqueraded does not:
 * it becomes the address alone). */
struct header *header_new(const struct header_wish *wish, size_t max);
void header_free(struct header **h);

/* Takes content (CRLF, no dots), adds what becomes of it to out.  False: out
 * is full. */
bool header_in(struct header *h, const void *p, size_t len, struct buf *out);

/* The header section was read and passed on whole: what comes now is body,
 * and need not come through here any more. */
bool header_done(const struct header *h);

/* Fields that were removed since they speak in our name. */
struct header_forged {
	uint32_t results, marks;
};
struct header_forged header_forged(const struct header *h);

/* The content is at its end: what was held back. */
bool header_end(struct header *h, struct buf *out);

#endif
