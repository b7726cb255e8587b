/*
 * The canonical forms that DKIM hashes: RFC 6376 3.4.2 and 3.4.4, relaxed
 * header fields and relaxed body.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_DKIM_CANON_H
#define DELIVER_DKIM_CANON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "slice.h"

/* A body on its way to a hash: nothing of it is kept but what may yet turn
 * out to be the end. */
struct dkim_body {
	uint64_t crlfs; /* line ends that are not yet followed by anything */
	bool wsp;       /* white space not yet followed by anything */
	bool cr;        /* the last byte was a CR */
	bool any;       /* something was given out */
	/* Takes what is canonical. */
	void (*out)(void *arg, const uint8_t *p, size_t len);
	void *arg;
};

void dkim_body_init(struct dkim_body *b,
    void (*out)(void *arg, const uint8_t *p, size_t len), void *arg);

/* Pieces of any size. */
void dkim_body_feed(struct dkim_body *b, const uint8_t *p, size_t len);

/* The end: a body that is not empty ends in exactly one CRLF. */
void dkim_body_end(struct dkim_body *b);

/*
 * Adds one header field (its name, colon, value, folded or not, with or
 * without the last CRLF) to out in relaxed form, without a CRLF at the end.
 * False: at out's ceiling, or there is no colon.
 */
bool dkim_canon_field(struct slice field, struct buf *out);

#endif
