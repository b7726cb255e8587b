/*
 * The canonical forms that DKIM hashes (RFC 6376 3.4): simple and relaxed, of
 * header fields and of the body.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_DKIM_CANON_H
#define COMMON_DKIM_CANON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "slice.h"

enum dkim_canon_form { CANON_SIMPLE, CANON_RELAXED };

/* A body on its way to a hash: nothing of it is kept but what may yet turn
 * out to be the end. */
struct dkim_body {
	enum dkim_canon_form form;
	uint64_t crlfs; /* line ends that are not yet followed by anything */
	bool wsp;       /* white space not yet followed by anything: relaxed */
	bool cr;        /* the last byte was a CR */
	bool any;       /* something was given out */
	/* Takes what is canonical. */
	void (*out)(void *arg, const uint8_t *p, size_t len);
	void *arg;
};

void dkim_body_init(struct dkim_body *b, enum dkim_canon_form form,
    void (*out)(void *arg, const uint8_t *p, size_t len), void *arg);

/* Pieces of any size. */
void dkim_body_feed(struct dkim_body *b, const uint8_t *p, size_t len);

/* The end: a body ends in exactly one CRLF, but for an empty one in relaxed
 * form, which stays empty (RFC 6376 3.4.3, 3.4.4). */
void dkim_body_end(struct dkim_body *b);

/*
 * Adds one header field (its name, colon, value, folded or not, with or
 * without the last CRLF) to out in canonical form, without a CRLF at the end.
 * False: at out's ceiling, or there is no colon.
 */
bool dkim_canon_field(enum dkim_canon_form form, struct slice field,
    struct buf *out);

#endif
