/*
 * One delivery, or one file that is read, by libexec/local: what it was told,
 * how long it has, what became of it.
 *
 * The functions that do a step return whether it went well; where not, they
 * have said why in outcome, and the caller undoes what it did and returns.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef DELIVER_LOCAL_H
#define DELIVER_LOCAL_H

#include <sys/types.h>

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "local_content.h"
#include "local_wire.h"
#include "num.h"

enum {
	LOCAL_FD_CONTENT = 0,
	LOCAL_FD_ANSWER = 1,
	LOCAL_FD_NULL = 2,
	LOCAL_FD_START = 3,
	LOCAL_FD_OPENED = 4
};

struct local {
	struct local_start start;
	msec end; /* of its life, as local_now() counts */
	/* A wrapper's command runs, and this is what its %{mda} delivers to:
	 * a user's name, or a path; NULL: no wrapper, or a program's. */
	const char *inner;
	/* We are that %{mda}: the content on descriptor 0 is what we gave the
	 * wrapper, and ends where it ends. */
	bool again;
	struct outcome outcome;
	sigset_t mask; /* while we wait: signals that end us come in */
};

/* ---- time and signals (local.c) ---- */

msec local_now(void);

/* From here on a SIGTERM is something that local_wait() returns for. */
void local_signals(struct local *l);

/* Whether it was told to end. */
bool local_ended(void);

/*
 * Until fd (-1: none) is ready for events, a child ended, a signal to end
 * came, or the time `until`, at most the end of its life.  True: fd is ready.
 */
bool local_wait(const struct local *l, int fd, short events, msec until);

/* ---- outcomes: each returns false ---- */

bool local_later(struct local *l, enum width w, enum cause c, const char *ecode,
    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
bool local_never(struct local *l, enum cause c, const char *ecode,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* What errno says, of the file at path; LATER, always. */
bool local_errno(struct local *l, const char *doing, const char *path);

/* ---- content ---- */

/*
 * Takes the content from descriptor 0 through c, with what final delivery
 * prepends, to its end: whole, and not in a loop.  c is started by the caller,
 * who sees to what was put before it failed.
 */
bool local_copy(struct local *l, struct content *c);

/* All of p to fd, which is a file. */
bool local_write(struct local *l, int fd, const void *p, size_t len,
    const char *path);

/* ---- files that must be somebody's (local_own.c) ---- */

/*
 * Opens the file at path, which may be a symbolic link only if the user or
 * root made it.  -1: errno is set; ELOOP for a link that is another's.
 */
int local_open_own(const struct local *l, int dir, const char *path, int flags,
    mode_t mode);

/* Whether this is the user's own, or root's. */
bool local_is_own(const struct local *l, uid_t owner);

/* ---- the methods ---- */

/* Appends to the mbox at path; to descriptor 4, where start.opened says so. */
bool local_file(struct local *l, const char *path);
/* The same for a user's, in /var/mail. */
bool local_mbox(struct local *l, const char *user);
/* Makes a file in the Maildir at path. */
bool local_maildir(struct local *l, const char *path);
/* Runs command, a text of the configuration with its formats, in the wrapper
 * of the action. */
bool local_program(struct local *l, const char *command);
/* Delivers to `to` by a method of our own ("mbox", "maildir", "file"), inside
 * the wrapper of the action if it has one. */
bool local_by(struct local *l, const char *method, const char *to);
/* `local deliver METHOD`: what local_by() has a wrapper run.  Returns the exit
 * status. */
int local_again(struct local *l, const char *method);
/* Reads start.text into *text (to be freed) and *len. */
bool local_read(struct local *l, char **text, size_t *len);

#endif
