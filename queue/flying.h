/*
 * Which recipients are being tried, told by a lock on each one's state byte.
 * It belongs to the descriptor that the queue makes for an attempt, and ends
 * when the last copy of that is closed, by whoever has it, however he ends: so
 * nobody has to write it down, and it is never out of date.
 *
 * It keeps nobody from anything; smtpctl(8) looks at it.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_FLYING_H
#define QUEUE_FLYING_H

#include <stdbool.h>
#include <stdint.h>

/* The recipient whose state byte is at off is tried with this descriptor of its
 * file.  What cannot be marked is tried all the same. */
void flying_mark(int fd, uint64_t off);

/* fd: another descriptor of the file. */
bool flying_is(int fd, uint64_t off);

#endif
