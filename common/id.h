/*
 * Message ids: 64 bits that sort by time.
 *
 * The upper 48 bits count units of 16 microseconds since 2020-01-01 UTC; only
 * the queue gives them out.  The lower 16 bits are zero for a message that
 * came in.  What the queue makes of a message has an id that follows from that
 * one's, so that a crash makes neither none nor two:
 *
 *   unit u          the message itself, lower bits 0, and the notifications
 *                   (DSN) about it, lower bits set (queue/dsn.h)
 *   unit u+1        what those expand to when their one recipient is an alias
 *                   here: child of x in u has the id x + ID_STEP
 *   unit u+2(n+1)   the child of the message's recipient n, when that is an
 *                   alias, lower bits 0, and the notifications about it
 *   ... and 1 more  what these expand to
 *
 * The units of a message with k recipients, 2(k+1) of them, are kept with its
 * id.  A child is not expanded again, so that is all, but for the parts of a
 * list that is too long for one child.  The child of each part has two units v,
 * v+1 of its own, given out when the list's child is made, and its id stands
 * there, behind the part's leaf, so that it is as if it were derived:
 *
 *   unit v          that child, lower bits 0, and the notifications about it
 *   unit v+1        what those expand to; and that child, where the list's is
 *                   one of a notification, with the same lower bits, so that it
 *                   stands to unit v as that to its own notification
 *
 * A part may have parts, with two units each as well.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_ID_H
#define COMMON_ID_H

#include <stdbool.h>
#include <stdint.h>

#define ID_LEN  13 /* characters, without the NUL */
#define ID_STEP ((uint64_t)1 << 16)

/* The id of the child of recipient n of message id. */
uint64_t id_child(uint64_t id, uint32_t n);

/* The last id of the last unit that a message with n_rcpt recipients has. */
uint64_t id_last(uint64_t id, uint32_t n_rcpt);

/* Prints id into out, which holds ID_LEN + 1 bytes.  Returns out. */
const char *id_print(uint64_t id, char out[ID_LEN + 1]);

/* Reads exactly ID_LEN characters, either case.  False: not an id. */
bool id_parse(const char *text, uint64_t *id);

/* The id of this moment; the caller sees to it that it is a new one. */
uint64_t id_now(void);

#endif
