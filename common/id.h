/*
 * Message ids: 64 bits that sort by time.
 *
 * The upper 48 bits count units of 16 microseconds since 2020-01-01 UTC; only
 * the queue gives them out.  The lower 16 bits are zero for a message that
 * came in; a notification about it (DSN) has them set, so that its id follows
 * from what it reports and a crash makes neither none nor two.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_ID_H
#define COMMON_ID_H

#include <stdbool.h>
#include <stdint.h>

#define ID_LEN  13 /* characters, without the NUL */
#define ID_STEP ((uint64_t)1 << 16)

/* Prints id into out, which holds ID_LEN + 1 bytes.  Returns out. */
const char *id_print(uint64_t id, char out[ID_LEN + 1]);

/* Reads exactly ID_LEN characters, either case.  False: not an id. */
bool id_parse(const char *text, uint64_t *id);

/* The id of this moment; the caller sees to it that it is a new one. */
uint64_t id_now(void);

/* Seconds since 1970 at which id was given out. */
int64_t id_time(uint64_t id);

#endif
