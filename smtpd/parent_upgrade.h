/*
 * What one parent hands to the next, which is the same process with a newer
 * program.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_PARENT_UPGRADE_H
#define SMTPD_PARENT_UPGRADE_H

#include "parent.h"

#define UPGRADE_ENV "POSTERN_UPGRADE" /* the descriptor of the text below */

/*
 * The text: a word and its numbers in each line.  Descriptors are open in
 * the process, 0 is none; a text of another version is not read.
 *
 *   postern-upgrade 1
 *   pid N                        who wrote it, and reads it
 *   ipc N                        ipc_hash()
 *   token N N
 *   files PIDFILE CONTROL        descriptors
 *   number N                     of the generation at work
 *   activated FD                 our starter has that socket too
 *   socket FD                    it listens; its processes have stopped
 *   generation N LOADED FD FD P  P: 1 at work, 0 older, 2 never at work
 *   listener ROW FD              of the generation above
 *   child KIND SLOT STATE PID FD FD   of the same; channel and log
 *   asker SLOT PID ID            a control that waits for the reload
 *   end
 */

/* A sealed file with the text of p: with children all generations, else the
 * sockets of the one at work.  -1 and errno. */
int upgrade_write(struct parent *p, bool children);

/* Each descriptor that the text names: fn(fd). */
void upgrade_each_fd(struct parent *p, void (*fn)(int fd));

/* Takes over what the text says, into p, which has a loop; fd is closed.
 * NULL, or why not. */
const char *upgrade_read(struct parent *p, int fd);

#endif
