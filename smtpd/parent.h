/*
 * The parent process: reads the configuration, binds, opens, starts, restarts
 * and stops.  It runs as root (or as whoever started it) and reads nothing
 * from the network, from users or from mail.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_PARENT_H
#define SMTPD_PARENT_H

#include <sys/types.h>

#include <limits.h>
#include <stdbool.h>

#include "conf.h"
#include "ipc.h"
#include "loop.h"

enum child_state { CHILD_DOWN, CHILD_STARTING, CHILD_READY, CHILD_STOPPING };

struct child {
	enum proc_kind kind;
	unsigned int instance;
	enum child_state state;
	pid_t pid;
	struct ipc_chan chan;
	struct parent *parent;
	int log; /* its lines, -1 none; nobody else's come there */
	struct watch log_watch;
	unsigned int failures; /* in a row */
	msec started;
	struct timer restart;
};

struct parent {
	struct loop *loop;
	const struct conf *conf; /* whole */
	int conf_fd[2];          /* sealed: 0 without tables, 1 with */
	bool jailed;             /* we are root: each child becomes its user */
	bool check;              /* smtpd -n */
	bool verbose;
	bool foreground; /* keeps standard error */
	bool started;    /* all have been ready once */
	bool stopping;
	int status; /* of exit */
	uint64_t token[2];
	char run[PATH_MAX]; /* sockets, pid file, the empty directory */
	char spool[PATH_MAX];
	char libexec[PATH_MAX]; /* the other programs */
	uid_t uid[PROC_KINDS];
	gid_t gid[PROC_KINDS];
	unsigned int count[PROC_KINDS];
	struct child child[PROC_KINDS][PROC_MAX];
	int *listeners; /* by row of conf.listen */
	int control;    /* listening, for smtpctl */
	int told; /* the process in front: one byte when we are up, or -1 */
	int pid_file;
	unsigned int stop_step;
	struct watch sig_chld, sig_term, sig_int, sig_hup;
	struct timer stop_timer;
};

/* parent_child.c: starts every child (with check, those of the table's
 * check); the loop does the rest. */
void parent_start(struct parent *p);
void parent_each_child(struct parent *p,
    void (*fn)(struct child *ch, void *arg), void *arg);

/* Whether what hinders a start goes to the log: not if standard error, where
 * it is printed, is the log. */
bool parent_logs_start(const struct parent *p);

/* parent_give.c: all that a child is handed but its peers. */
void parent_give(struct child *ch);

/* parent_stop.c: stops all in order, then the loop. */
void parent_stop(struct parent *p, int status);
/* A child has ended while we stop. */
void parent_stop_ended(struct parent *p);

/* ---- priv_*.c: what needs root.  NULL, or why not in a static text. ---- */

/* Finds uid and gid of every process; not root: our own. */
const char *priv_users(struct parent *p);
/* Makes the run directory, the empty directory and the spool's. */
const char *priv_dirs(struct parent *p);
/* Takes DIR/smtpd.pid and its lock; held while we live. */
const char *priv_pid_file(struct parent *p);
/* Binds conf.listen and smtpctl's socket. */
const char *priv_listen(struct parent *p);
/* Takes the paths of our sockets and the pid file away. */
void priv_clean(const struct parent *p);
/* Opens a table, a key or resolv.conf for a child: -1 and errno. */
int priv_open(const char *path);
/* fork, exec of a child's program with the two sockets as descriptors 3 and
 * 4 and nothing else but, with keep_stderr, standard error.  Its pid, or -1
 * and errno. */
pid_t priv_exec(const char *program, int parent_sock, int log_sock,
    bool keep_stderr);

#endif
