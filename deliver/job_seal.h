/*
 * A job's content is sealed (RFC 8617 5.1): for those who come next, what was
 * found of it when it came here.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_JOB_SEAL_H
#define DELIVER_JOB_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;

/* Whether it is sealed here: a stranger's message, verified when it came, that
 * leaves this host.  Of one that cannot be, that is logged. */
bool job_seals(const struct job *j);

/* Begins; takes content, in order. */
void job_seal_start(struct job *j);
void job_seal_feed(struct job *j, const uint8_t *p, size_t len);

/* That was all: fn has the three fields, "" if it cannot be sealed, which is
 * logged; or the job ends. */
void job_seal(struct job *j, void (*fn)(struct job *j, const char *field));

/* Forgets it, begun or not. */
void job_seal_free(struct job *j);

#endif
