/*
 * Local delivery: what queue gives to spawn and hears of it, files that lookup
 * has read as their users, sockets that deliver has opened.  A part of
 * ipc_table.h, which has the table.
 *
 *   queue  --local_take--> spawn     one recipient of one message, now
 *   queue  <--local_is---- spawn     fd: where the answer will come
 *   queue  --local_noted-> spawn     its answer is recorded: forget it
 *   queue  <--local_held-- spawn     after a queue's restart: still at work
 *   lookup --text_ask----> spawn     a file, read as this user
 *   deliver -sock_ask----> spawn     the socket of an `lmtp` action
 *
 * spawn forks, becomes the user and runs libexec/local, which reads struct
 * local_start (local_wire.h), does one thing, and says struct local_says.
 * spawn never reads that: its end of the pipe goes to who asked.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_IPC_LOCAL_H
#define COMMON_IPC_LOCAL_H

#include <stdint.h>

#include "bounds.h"
#include "facts.h"
#include "verdict.h"

/* What is done with a message on this host. */
enum local_what {
	LOCAL_NONE,    /* it is not for this host */
	LOCAL_MAILBOX, /* as the action's method says: mbox, maildir, mda */
	LOCAL_PIPE,    /* "|command" of an alias or .forward */
	LOCAL_FILE     /* "/path" of one: appended as to an mbox, or a Maildir
			* where the path ends in a slash */
};

enum {
	/* `user` of the action, or nobody (for what stands in aliases), not
	 * the recipient's own */
	LOCAL_OTHER = 1,
	/* it goes to the folder for junk, where the method has one */
	LOCAL_JUNK = 2
};

/* Runs the commands of aliases, unless the action names another. */
#define LOCAL_NOBODY "nobody"

/* Whom it is done as, and where: lookup knows, queue keeps it while the
 * recipient is tried, spawn acts on it. */
struct local_to {
	uint32_t what;     /* enum local_what */
	uint32_t flags;    /* LOCAL_* */
	uint32_t uid, gid; /* to become; uid 0: only for an mbox (priv_local.c)
			    */
	char user[LOCAL_USER_MAX + 1]; /* whose mailbox it is; to become, too,
					* unless LOCAL_OTHER */
	char as[LOCAL_USER_MAX + 1];   /* LOCAL_OTHER: the name of uid */
	char home[LOCAL_HOME_MAX + 1];
	char text[LOCAL_TEXT_MAX + 1]; /* PIPE: the command; FILE: the path */
};

/*
 * One recipient of one message.  fd: the reading end of a pipe into which queue
 * writes the trace fields and the content as they are on the wire, `bytes` of
 * them; less is a message cut short, and comes to nothing.
 */
struct local_take {
	uint64_t job; /* number of this attempt, never used again */
	uint64_t id;
	uint64_t bytes;
	uint32_t n;      /* number of the recipient in the message */
	uint32_t action; /* row of conf.action */
	struct local_to to;
	char sender[ADDR_MAX + 1];
	/* The recipient as it is in the message here, and the address that it
	 * came out of; empty: that is the same. */
	char rcpt[ADDR_MAX + 1];
	char of[ADDR_MAX + 1];
	char envid[ENVID_MAX + 1];
	char client[IP_TEXT_MAX + 1];
	char helo[HOST_MAX + 1];
	char auth[ADDR_MAX + 1];
};
/* Of a job whose spawn is lost before this comes nothing, if its content is cut
 * short.  DONE: it was started; fd is where struct local_says will be read,
 * then the end; the end without it: it died. */
struct local_is {
	uint64_t job;
	struct outcome outcome;
};
/* What it said is recorded. */
struct local_noted {
	uint64_t job;
};
/* To a queue that has just begun: this one was started for the one before.
 * fd: as in local_is. */
struct local_held {
	uint64_t job, id;
	uint32_t n;
};
/* ... and that was all.  local_take, with its row of a configuration, goes to
 * the spawn of the queue's own generation (struct proc_start); others are of
 * older ones and end when theirs are noted. */
struct local_listed {
	uint32_t generation;
};

/* ---- lookup and spawn ---- */

enum text_what {
	TEXT_NONE,
	TEXT_FORWARD, /* name is looked for in home, as ~/.forward is */
	TEXT_INCLUDE  /* name is a path, of an :include: */
};
enum { TEXT_FILE_MAX = 8 << 20 }; /* bytes of such a file */

/* A file that uid may read, which is theirs alone to write. */
struct text_ask {
	uint32_t what;     /* enum text_what */
	uint32_t uid, gid; /* uid 0: FORWARD only; addresses are all that root
			    * may have there, which lookup sees to */
	char user[LOCAL_USER_MAX + 1];
	char home[LOCAL_HOME_MAX + 1];
	char name[LOCAL_TEXT_MAX + 1]; /* ".forward", ".forward+ext"; a path */
};
/* DONE: fd is where struct local_says will be read; `bytes` of text follow it
 * where its verdict is DONE; NEVER: there is no such file. */
struct text_is {
	struct outcome outcome;
};

/* ---- deliver and spawn ---- */

/* A connection to the socket of this action, of method lmtp, whose argument is
 * a path. */
struct sock_ask {
	uint32_t action;
};
/* DONE: fd is a connected stream, non-blocking. */
struct sock_is {
	struct outcome outcome;
};

#endif
