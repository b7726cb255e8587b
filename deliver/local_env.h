/*
 * The environment of a user's program (postern-local(8)): what it is told of
 * the message, and nothing of ours.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_LOCAL_ENV_H
#define DELIVER_LOCAL_ENV_H

#include "arena.h"
#include "local.h"

/* NULL at its end, from the arena; NULL: no memory. */
char **local_env(const struct local *l, struct arena *a);

#endif
