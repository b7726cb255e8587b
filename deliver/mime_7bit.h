/*
 * 8-bit content made 7-bit, for a server that does not offer 8BITMIME (RFC
 * 6152 3, RFC 2045): each 8-bit part becomes quoted-printable, everything else
 * stays as it is.  Done while it is read, in bounded memory, and the same each
 * time, so that it can be read once for a signature and once more to be sent.
 *
 * Bytes over 127 in header fields stay: they are not part of a body, and no
 * encoding of them says what they mean.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_MIME_7BIT_H
#define DELIVER_MIME_7BIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "mime_field.h"
#include "mime_qp.h"

#define MIME_DEPTH 16 /* of parts in parts */

enum mime_body {
	MIME_KEEP,    /* as it is, and 7-bit */
	MIME_QP,      /* is encoded */
	MIME_ESCAPED, /* is quoted-printable: only what it forgot is encoded */
	MIME_BETWEEN  /* around parts, to be ignored (RFC 2046 5.1.1) */
};

struct mime_7bit {
	void (*out)(void *arg, const uint8_t *p, size_t len);
	void *arg;
	const char *charset; /* of what says nothing of MIME */
	bool all;            /* parts that claim to be 7-bit too */
	/* A part that claims to be 7-bit is not: begin again, with all. */
	bool mislabelled;
	const char *why; /* it cannot be converted */

	struct buf line; /* the beginning of a line whose end is yet to come */
	bool inside;     /* ... and of which a part was taken already */
	struct qp qp;

	/* The entity that is being read (RFC 2045 2.4). */
	bool in_header;
	bool whole;   /* a message, not a part of one */
	bool digest;  /* in a multipart/digest */
	bool version; /* has MIME-Version */
	bool typed;   /* has Content-Type */
	enum { FIELD_OTHER, FIELD_TYPE, FIELD_ENCODING } field;
	struct buf type, encoding; /* the fields, as they came */
	enum mime_body body;

	/* The multiparts that it stands in, the outermost first. */
	unsigned int depth, nested; /* nested: messages in messages too */
	struct mime_multi {
		char boundary[MIME_BOUNDARY_MAX + 1];
		bool digest;
		bool parts; /* it has one */
		bool lost;  /* 8-bit bytes in front of its first one */
		unsigned int nested;
	} multi[MIME_DEPTH];
};

/* Begins.  charset: what 8-bit text is taken for that says nothing of it. */
void mime_7bit_start(struct mime_7bit *m, const char *charset, bool all,
    void (*out)(void *arg, const uint8_t *p, size_t len), void *arg);

/* Pieces of any size, then the end.  NULL, or why it cannot be converted (also
 * m->mislabelled); what was given out is of no use then. */
const char *mime_7bit_feed(struct mime_7bit *m, const uint8_t *p, size_t len);
const char *mime_7bit_end(struct mime_7bit *m);

void mime_7bit_free(struct mime_7bit *m);

#endif
