/*
 * libexec/local: started as the user for a delivery, and his next ones, or to
 * read one file.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_PRIV_LOCAL_H
#define SMTPD_PRIV_LOCAL_H

#include <sys/types.h>

#include "local_wire.h"
#include "priv_child.h"
#include "proc.h"

/* Deliveries at once, and those that are over but not yet noted: queue gives
 * fewer at once (LOCAL_MAX), but need not be quick to note them. */
#define LOCAL_RUNS 400
#define READ_RUNS  32 /* files read at once */

struct local_runs;

/* Whom a process runs as, and what was asked to become that. */
struct local_as {
	uint32_t uid, gid;
	uint32_t other;    /* LOCAL_OTHER */
	uint32_t mbox;     /* of the group mail */
	uint32_t program;  /* it may run one, which may gain rights */
	uint32_t userbase; /* row of conf.table */
	char user[LOCAL_USER_MAX + 1];
	char name[LOCAL_USER_MAX + 1]; /* LOCAL_OTHER */
};

/* A process and its delivery.  The delivery is over when queue has noted what
 * it said and the process has ended, or waits for the next. */
struct local_run {
	struct local_runs *of;
	struct helper helper;
	uint64_t job, id;
	uint32_t n;
	int answer;         /* where it says it, -1: noted, or none */
	struct timer keep;  /* it ended, and nobody has noted it; or it waits */
	int next;           /* where it gets its next one, -1: it takes none */
	struct local_as as; /* where next is */
	msec until, idle;   /* it takes none from then on; it waits since */
};

struct local_runs {
	struct proc *proc;
	const char *own;           /* the folder of our programs */
	uid_t reader_uid;          /* who reads what root may say: lookup's */
	gid_t reader_gid;          /* user */
	uid_t mail_uid;            /* mail:mail, 0: there is none */
	gid_t mail_gid;            /* an mbox is made with this group */
	uid_t servant[PROC_KINDS]; /* nobody's mail runs as these */
	bool draining;
	bool hurried; /* they were told to come to an end */
	struct timer hurry;
	struct local_run take[LOCAL_RUNS];
	struct helper read[READ_RUNS];
};

/* own is not yet known, but stays where it is. */
void local_runs_init(struct local_runs *l, struct proc *p, const char *own);

/* The users that it needs; it may wait for NSS. */
void local_runs_start(struct local_runs *l);

/* local_take, text_ask: answered at once.  local_noted. */
void local_runs_take(struct local_runs *l, struct ipc_chan *from,
    struct ipc_msg *msg);
void local_runs_read(struct local_runs *l, struct ipc_chan *from,
    struct ipc_msg *msg);
void local_runs_noted(struct local_runs *l, const struct ipc_msg *msg);

/* A queue is there: hears of the deliveries that were begun for the one
 * before. */
void local_runs_list(struct local_runs *l, struct ipc_chan *queue);

/* No delivery will come; says how many there are, and when there is none.
 * Those that run when all of us stop are told so after a while. */
void local_runs_drain(struct local_runs *l);

/* Who waited for these files is gone.  Deliveries go on whoever ends. */
void local_runs_kill_reads(struct local_runs *l);

/* pid has ended. */
void local_runs_forget(struct local_runs *l, pid_t pid);

/* Whom local would run as: neither root nor one of us.  NULL, or why not. */
const char *local_check_user(const struct local_runs *l, uid_t uid, gid_t gid);

/* ms after which its process is killed */
msec local_life(const struct local_start *start);

/* ---- priv_local_stay.c ---- */

/* Fills as, for a delivery by action a. */
void local_stay_as(const struct conf_action *a, const struct local_start *start,
    bool program, struct local_as *as);

/* It was launched, and stays; takes next over. */
void local_stay_begin(struct local_run *r, const struct local_as *as, int next);

/* Its delivery is noted: it waits for the next, if it stays. */
void local_stay(struct local_run *r);

/* A process that waits, and is this user; NULL: none. */
struct local_run *local_stay_find(struct local_runs *l,
    const struct local_as *as);

/* Gives it this delivery; content is borrowed.  False: it has none. */
bool local_stay_give(struct local_run *r, const struct local_start *start,
    int content);

/* It gets no other, and ends when it has nothing to do. */
void local_stay_end(struct local_run *r);

/* ---- priv_local_child.c ---- */

/* In the child: becomes the user and executes local.  fd: what will be its 0
 * to 3.  parent: the process that it shall not outlive, 0: it may. */
_Noreturn void local_child(const struct local_runs *l,
    const struct local_start *start, const int fd[4], pid_t parent);

#endif
