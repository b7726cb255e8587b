/*
 * smtpctl(8): what its files share.  It reads the spool's index and files by
 * itself, read-only, and asks the control process to change anything.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_SMTPCTL_H
#define QUEUE_SMTPCTL_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "buf.h"
#include "head.h"
#include "index.h"
#include "ipc_table.h"
#include "smtpctl_select.h"
#include "smtpctl_table.h"
#include "trailer.h"

/* Beside those of sysexits(3): what was named is not there. */
#define EXIT_NO_MATCH 1

enum smtpctl_needs { NEEDS_NOTHING, NEEDS_SPOOL, NEEDS_DAEMON };

struct smtpctl;

/* One row of smtpctl_table.h. */
struct smtpctl_verb {
	const char *words;
	const char *args;
	enum smtpctl_needs needs;
	enum ctl_verb ctl;
	/* argv: what follows the words.  Returns the exit status. */
	int (*fn)(struct smtpctl *c, int argc, char **argv);
	const char *text;
};

struct smtpctl {
	const struct smtpctl_verb *verb; /* the one at work */
	bool json;
	/* Paths of the instance. */
	char spool[512];
	char sock[512];
	char pid[512];
	int daemon; /* connection to control, -1 */
	struct buf out;
};

extern const struct smtpctl_verb smtpctl_verbs[];

/* The verb at the front of argv, or NULL.  Returns how many words it has. */
int smtpctl_find(int argc, char **argv, const struct smtpctl_verb **verb);

/* Says how the verb at work is used, and why it was not so.  Returns
 * EX_USAGE. */
int smtpctl_usage(const struct smtpctl *c, const char *why);

/* Writes what is in c->out.  False: nobody reads it, or no room; was said. */
bool smtpctl_flush(struct smtpctl *c);

/* ---- the daemon (smtpctl_ask.c) ---- */

/* Connects once.  0, EX_TEMPFAIL (not running), EX_NOPERM; says nothing. */
int smtpctl_connect(struct smtpctl *c);
/* The same, and says so. */
int smtpctl_reach(struct smtpctl *c);

/* Asks, waits for the answer.  0 when there is one, else the exit status,
 * and why was said. */
int smtpctl_ask(struct smtpctl *c, const struct ctl_ask *ask,
    struct ctl_is *is);

/* The same about each recipient that the selector fits, one after the other,
 * for who is named by a part of something: is has the sums.  (smtpctl_each.c)
 * Goes to the spool. */
int smtpctl_ask_each(struct smtpctl *c, const struct selector *sel,
    struct ctl_ask *ask, struct ctl_is *is);

/* The same for any question that control passes on; is: the struct of its
 * answer (size bytes), which begins with its outcome. */
int smtpctl_call(struct smtpctl *c, enum ipc_type question, const void *ask,
    void *is, size_t size);

/* Asks the parent: enum parent_verb.  As smtpctl_call(). */
int smtpctl_parent(struct smtpctl *c, uint32_t verb, const char *text,
    uint32_t from, struct parent_is *is);

/* What an outcome means for whoever called smtpctl: an exit status. */
int smtpctl_outcome(const struct outcome *o);

/* Asks the verb at work, which selects nothing, and prints the answer.
 * Returns the exit status. */
int smtpctl_ask_verb(struct smtpctl *c);

/* ---- the spool (smtpctl_spool.c) ---- */

/*
 * Makes the spool the working directory.  As root: is chrooted there first
 * and becomes its owner for good.  0, or the exit status, and why was said.
 */
int smtpctl_enter(struct smtpctl *c);
/* Becomes its owner and no more, for who needs other places too. */
int smtpctl_own(struct smtpctl *c);

/* A message as its file has it. */
struct message {
	int fd; /* -1: not open */
	enum spool_place place;
	struct arena arena;
	struct head head;
	struct trailer trailer;
	bool damaged; /* no good trailer: lengths are guessed from the file */
};

/* Opens, reads and closes.  False: no such file (errno ENOENT), or not
 * readable, or (errno EBADMSG) its head is damaged: *why. */
bool message_open(struct message *m, uint64_t id, const char **why);
void message_close(struct message *m);
/* Its file; -1: not there. */
int message_fd(uint64_t id);

/* Calls fn for each message file in new/ and cur/, in the order of their ids;
 * files that cannot be read are named on stderr.  Stops when fn returns
 * false. */
void message_walk(bool (*fn)(void *arg, const struct message *m), void *arg);

/* What the index would say of it, as far as the file knows. */
void message_row(const struct message *m, struct index_msg *out);
void message_rcpt_row(const struct message *m, uint32_t n,
    struct index_rcpt *out);

/* ---- what is printed of a recipient (smtpctl_show.c) ---- */

/* Whether the operator holds this route. */
bool route_held(struct index *ix, const char *route);

/* When a recipient is next tried. */
struct next_try {
	bool known;
	bool held;    /* its route is held */
	int64_t when; /* seconds since 1970, 0: not by time */
	bool trying;  /* right now */
};

/* Looks at the recipient's row and its route's; ix may be NULL. */
void next_try_of(struct index *ix, const struct index_rcpt *r,
    struct next_try *next);
/* What the file knows better than the row of one that may be tried now: its
 * state, and whether it is.  fd: -1, or the file's. */
void next_try_look(int fd, int64_t now, struct index_rcpt *r,
    struct next_try *next);
/* "trying", "in 4m10s", "now", "held", "-".  size: PRINT_TIME + 8.  Returns out. */
const char *next_try_print(const struct next_try *next, int64_t now, char *out,
    size_t size);
/* Members of a JSON object; begin as in json_member(). */
void rcpt_json(struct buf *b, const char *begin, const struct index_rcpt *r,
    const struct next_try *next, bool indexed);

/* ---- verbs ---- */

/* clang-format off */
#define X(words, args, needs, ctl, fn, text) \
	int fn(struct smtpctl *c, int argc, char **argv);
/* Some functions serve several verbs; saying so twice is fine. */
SMTPCTL_TABLE(X)
#undef X
/* clang-format on */

#endif
