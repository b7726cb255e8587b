/*
 * Quoted-printable (RFC 2045 6.7), as it is written.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_MIME_QP_H
#define DELIVER_MIME_QP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QP_LINE 76 /* RFC 2045 6.7 (5): no line is longer */

/* All zero: at the beginning of a line. */
struct qp {
	unsigned int col; /* of the line that is written */
	char blank;       /* a blank or tab that may be the last of its line */
};

/* Bytes that n bytes, and a line end, become at most. */
#define QP_ROOM(n) ((n)*6 + 8)

/* Adds n bytes that hold no line end to out, which has QP_ROOM(n); returns how
 * many bytes that made. */
size_t qp_put(struct qp *q, const uint8_t *p, size_t n, uint8_t *out);

/* The line is over; crlf false: nothing comes after it. */
size_t qp_end(struct qp *q, bool crlf, uint8_t *out);

#endif
