/*
 * Giving up what a process does not need, before it reads from outside.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_JAIL_H
#define COMMON_JAIL_H

#include <sys/types.h>

#include <stdbool.h>

#include "proc_table.h"

/*
 * chroot to root (empty: not), become uid and gid (with no other groups),
 * no_new_privs (but for spawn), not dumpable, limits as kind's row needs.
 * jailed false (an ordinary user runs us): all but the first two.  Ends the
 * process if any of it is refused.
 */
void jail_enter(enum proc_kind kind, bool jailed, const char *root, uid_t uid,
    gid_t gid);

#endif
