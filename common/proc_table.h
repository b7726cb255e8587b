/*
 * The processes: which program, as whom, where, how many, what network.
 * The parent starts them from this table; each *_main.c opens with the same
 * card, and regress/house compares the two.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_PROC_TABLE_H
#define COMMON_PROC_TABLE_H

enum proc_root { ROOT_SLASH, ROOT_EMPTY, ROOT_SPOOL };
enum proc_net { NET_NONE, NET_ACCEPT, NET_CONNECT };

/* clang-format off */
/*
 * Columns: enum, program, user, root directory, count (0: one per core),
 * network, trust (of two that quarrel the lower is restarted), check (1:
 * started by `smtpd -n` too), files (1: writes to files, or to
 * memory that passes for one), tasks (1: has threads, or starts programs).
 * The order is the order of start; the order of stop is its reverse, but
 * session first.
 */
#define PROC_TABLE(X) \
	X(PARENT,  "smtpd",   "root",      ROOT_SLASH, 1, NET_NONE,    9, 0, 0, 1) \
	X(SPAWN,   "spawn",   "root",      ROOT_SLASH, 1, NET_NONE,    8, 1, 1, 1) \
	X(LOOKUP,  "lookup",  "_smtpl",    ROOT_SLASH, 1, NET_NONE,    6, 1, 1, 1) \
	X(KEYS,    "keys",    "_smtpk",    ROOT_EMPTY, 1, NET_NONE,    7, 1, 0, 0) \
	X(GUARD,   "guard",   "_smtpg",    ROOT_EMPTY, 1, NET_CONNECT, 4, 0, 0, 0) \
	X(QUEUE,   "queue",   "_smtpq",    ROOT_SPOOL, 1, NET_NONE,    8, 0, 1, 1) \
	X(DELIVER, "deliver", "_smtpout",  ROOT_EMPTY, 0, NET_CONNECT, 2, 1, 0, 0) \
	X(CONTROL, "control", "_smtpctl",  ROOT_EMPTY, 1, NET_NONE,    3, 0, 0, 0) \
	X(SESSION, "session", "_smtpd",    ROOT_EMPTY, 0, NET_ACCEPT,  1, 1, 1, 0)
/* clang-format on */

enum proc_kind {
#define X(name, ...) PROC_##name,
	PROC_TABLE(X)
#undef X
	    PROC_KINDS,
	PROC_ANY = 255 /* in the table of messages: whoever */
};

#define PROC_MAX 128 /* instances of one kind, of all generations */

struct proc_row {
	const char *program, *user;
	enum proc_root root;
	unsigned int count;
	enum proc_net net;
	unsigned int trust;
	unsigned int check;
	unsigned int files;
	unsigned int tasks;
};

extern const struct proc_row proc_table[PROC_KINDS];

#endif
