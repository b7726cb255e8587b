/*
 * The queue process from the inside: what it knows in memory, and what its
 * files do for each other.
 *
 *   tx.c        a session's message becomes a file, and durable (tx.h)
 *   msg.c       messages and recipients in memory
 *   schedule.c  which recipient is due, and where it goes (lookup)
 *   route.c     routes that are full, down or held, and what waits for them
 *   group.c     routes that have limits in common
 *   job.c       work for the deliver processes
 *   job_said.c  what they say of it
 *   local_job.c what is done here, by spawn (local_feed.c: its content)
 *   result.c    what became of a recipient: file, index, log
 *   expand.c    a recipient that stands for several: a message to them
 *   bounce.c    telling the sender (bounce_make.c: the message;
 *               bounce_rate.c: how often)
 *   greylist.c  who has to come again
 *   report_day.c  what domains are told of their mail, once a day
 *   remember.c  what goes into the history
 *   ctl.c       what the operator asks
 *   limits.c    what holds for a route, for who asks
 *   restore.c   the index from the files
 *
 * All that is here is bounded; what does not fit waits in the index alone.
 * Of file, index and memory the file is right.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "hash.h"
#include "head.h"
#include "history.h"
#include "index.h"
#include "local_job.h"
#include "proc.h"
#include "report_day.h"
#include "spool.h"
#include "way.h"

enum {
	MEM_RCPTS = 20000, /* recipients in memory */
	ASK_MAX = 1000,    /* of them, asked of lookup at once */
	JOB_RCPTS = 100,   /* recipients of one job: RFC 5321 4.5.3.1.8 */
	SLICE = 200,       /* rows or files per turn of the loop */
};

/* A time that does not come: what is held has no next try. */
#define NEVER_DUE 253402300799 /* 9999-12-31 23:59:59 UTC */

struct queue;
struct msg;
struct tx;
struct expansion;
struct grey_store;

TAILQ_HEAD(expansions, expansion);
TAILQ_HEAD(tx_list, tx);

/* ---- messages and recipients in memory ---- */

/* Where a recipient in memory is. */
enum rcpt_at {
	AT_NOWHERE,
	AT_ASKS,    /* waits to be asked of lookup */
	AT_LOOKUP,  /* is being asked */
	AT_JOB,     /* in a job that gathers or waits for its turn */
	AT_FLYING,  /* in a job given out */
	AT_OWED,    /* at its end; the sender is told soon */
	AT_LATE,    /* the sender is told of the delay soon */
	AT_EXPANDS, /* lookup is asked for whom it stands, or waits for that */
	AT_DSN,     /* in a notification, or a child, that is made durable */
	AT_CTL,     /* what the operator said of it is made durable */
	AT_UNSAVED  /* its result could not be written yet */
};

struct rcpt_list;

struct rcpt {
	struct hash_node node; /* in queue.rcpts */
	struct msg *msg;
	uint32_t n;
	char state; /* enum rcpt_state, as in the file */
	enum rcpt_at at;
	uint32_t attempts;
	uint64_t off;
	int64_t tried;
	int64_t warned; /* warnings of a delay due by then were given */
	uint32_t ttl;   /* of its action, seconds; 0: the queue's */
	char *target;   /* the one address it stands for; NULL: itself */
	uint8_t notify; /* NOTIFY_* */
	char *orcpt;    /* as it came; NULL: not said */
	/* What it is on this host beside addr, behind which it stands; "": an
	 * address and no more. */
	const char *leaf;
	struct job *job;             /* AT_JOB, AT_FLYING */
	struct expansion *expansion; /* AT_EXPANDS */
	struct way *for_way; /* taken from the index for it (way.asking) */
	struct rcpt_list *list;
	TAILQ_ENTRY(rcpt) entry; /* in list */
	struct ipc_req ask;
	char addr[];
};

TAILQ_HEAD(rcpt_list, rcpt);

/* A message of which something is in memory. */
struct msg {
	struct hash_node node; /* in queue.msgs, by id */
	struct queue *queue;
	uint64_t id;
	int64_t arrived; /* microseconds since 1970 */
	uint64_t head, content, trace, sum;
	uint32_t content_facts, fact_flags;
	uint32_t n_rcpt;
	uint32_t n_open; /* recipients not at their end */
	enum spool_place place;
	int fd;             /* for state bytes, -1: not open */
	bool has_signature; /* its row has one */
	bool gone;          /* its row is deleted */
	bool dirty;         /* its row is behind: queue.dirty */
	TAILQ_ENTRY(msg) dirty_entry;
	uint32_t n_mem;           /* recipients in memory */
	uint32_t n_asking;        /* of them AT_ASKS and AT_LOOKUP */
	uint32_t n_waiting;       /* jobs and expansions that wait */
	uint32_t n_flying;        /* jobs given out */
	TAILQ_HEAD(, job) gather; /* jobs that may yet get recipients */
	struct rcpt_list owed, good, late;
	struct tx *dsn;        /* notification being made durable */
	struct timer patience; /* to tell the sender of all at once */
	bool impatient;
	struct facts *facts;
	struct mail_params params;
	char *field; /* a signature for its row */
	/* A child's: the address that stands for its recipients (that of a
	 * list, where they are a part of it); NULL: not asked for yet
	 * (msg_of()). */
	char *of;
	char sender[];
};

TAILQ_HEAD(msg_list, msg);

/* Some recipients of one message for one route. */
struct job {
	struct hash_node node; /* in queue.jobs, by number, once given out */
	struct way_job turn;
	uint64_t number;
	struct msg *msg;
	bool flies; /* given out; to: */
	struct deliverer *deliverer;
	struct local *local; /* of a route that ends here; else NULL */
	uint32_t action, flags;
	char *as_sender; /* is said as the sender; NULL: the message's */
	uint32_t n_rcpt;
	struct rcpt_list rcpts;
	uint8_t trust;          /* given out: enum way_trust of then */
	bool gathers;           /* in msg.gather */
	bool waiting;           /* in its route's list */
	bool taken;             /* a recipient was */
	struct outcome *worst;  /* of its results, for its route; or NULL */
	TAILQ_ENTRY(job) entry; /* in msg.gather or deliverer.jobs */
};

/* A deliver process. */
struct deliverer {
	struct ipc_chan *chan; /* NULL: never seen */
	uint32_t credit;       /* jobs it still wants */
	uint32_t n_jobs;
	uint32_t held[WAY_TRUSTS]; /* of them, by what was known of the route */
	bool wants;                /* it ever did: our configuration is its */
	bool listed;               /* has said what it holds */
	TAILQ_HEAD(, job) jobs;
};

/* ---- the process ---- */

struct queue {
	struct proc p;
	struct spool *spool;
	struct index *index;
	struct grey_store *grey; /* NULL: everybody may pass */
	struct history *history; /* NULL: nothing is remembered */
	struct reports reports;
	bool stopping, paused;
	bool open;   /* each deliver process has said what it holds */
	bool spoil;  /* the index is to be made again at the next start */
	bool forgot; /* the index is new, and the spool is not */

	struct hash msgs, rcpts;
	struct msg_list dirty;
	struct timer commit, run, stop;
	msec stop_at;

	struct hash tx_numbers, tx_ids;
	struct tx_list tx_of[PROC_MAX + 1]; /* by session process; TX_OURS */
	struct tx_list answers;
	uint32_t n_tx, n_flushing;
	size_t tx_bytes;
	bool session_listed[PROC_MAX];
	bool swept;
	uint64_t last_id, first_id; /* last: given out, or kept for derived
				     * ones */
	struct timer sweep;

	struct index_cursor due;
	int64_t due_time; /* where due stands: time, id, recipient */
	uint64_t due_id;
	uint32_t due_n;
	int64_t due_armed; /* when due_timer fires */
	struct timer due_timer;
	struct rcpt_list asks;
	bool asks_of; /* lookup needs to know of a child whose it is */
	uint32_t n_asked;
	uint32_t lookup_turn;
	struct expansions expansions, large_expansions; /* that wait */
	uint32_t n_expanding, n_large; /* those at work; of them, large ones */

	/* Rows of who was told how often: walked over. */
	struct timer told_timer;
	struct index_cursor told_sweep;

	struct ways ways;
	struct deliverer deliverer[PROC_MAX];
	struct locals locals;
	struct hash jobs;
	uint64_t last_job;
	struct timer listing;
	struct timer aside; /* routes that only one process may have */
	uint32_t group_turn;

	STAILQ_HEAD(, unsaved) unsaved;
	struct timer unsaved_timer;

	struct timer walk; /* over the files */
	bool walking;
	bool replaying;
	uint64_t *done; /* seen by the replay: files that may go */
	uint32_t n_done, done_room;
	bool behind; /* the index lost rows that the files have */
	uint64_t n_restored;
	uint32_t n_changes; /* since the last commit, while restoring */

	TAILQ_HEAD(, ctl) ctls; /* what the operator asked, in its order */
	uint32_t n_ctls;
	struct timer ctl_timer;
};

static inline int64_t
now_sec(void)
{
	return (int64_t)time(NULL);
}

static inline int64_t
now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* queue_main.c */

/* The index has changed, or jobs may run: soon, once for many. */
void queue_changed(struct queue *qu);
void queue_run_soon(struct queue *qu);
/* Commits the index now. */
void queue_commit(struct queue *qu);
/* What index_* returned; INDEX_FULL and INDEX_BAD are dealt with.  True:
 * INDEX_OK. */
bool queue_index_ok(struct queue *qu, enum index_error e);
/* Stops in order; spoil: the next start makes the index again. */
void queue_stop(struct queue *qu, bool spoil);

/* msg.c */

struct msg *msg_find(const struct queue *qu, uint64_t id);
/* Finds it in memory, in the index or on disk.  NULL: not there, or damaged
 * (then it was set aside). */
struct msg *msg_load(struct queue *qu, uint64_t id);
/* A message whose row is im. */
struct msg *msg_add(struct queue *qu, const struct index_msg *im);
/* The address of which m is a child, as index or file have it; "": it is no
 * child, or the file does not say so now. */
const char *msg_of(struct queue *qu, struct msg *m);
/* Its row in the index is behind. */
void msg_changed(struct queue *qu, struct msg *m);
/* Writes the rows that are behind. */
void msg_store(struct queue *qu);
/* Descriptor for its state bytes, or -1 and errno. */
int msg_fd(struct queue *qu, struct msg *m);
/* Another one, the caller's, for reading. */
int msg_open(struct queue *qu, struct msg *m, bool write);
/* Something about it came to an end: jobs that gathered wait for their turn,
 * the sender is told, memory is given back.  m may be gone afterwards. */
void msg_settle(struct queue *qu, struct msg *m);
/* It is damaged (why), or its file is gone (NULL): set aside, forgotten.  May
 * free m. */
void msg_damaged(struct queue *qu, struct msg *m, const char *why);

struct rcpt *rcpt_find(const struct queue *qu, uint64_t id, uint32_t n);
/* Takes the recipient of this row into memory, AT_NOWHERE. */
struct rcpt *rcpt_add(struct queue *qu, struct msg *m,
    const struct index_rcpt *row);
void rcpt_move(struct queue *qu, struct rcpt *r, struct rcpt_list *list,
    enum rcpt_at at);
/* What RCPT said of it. */
void rcpt_params(const struct rcpt *r, struct rcpt_params *params);
/* Its row as the index has it, or as memory knows it; state, attempts and
 * tried are memory's. */
void rcpt_row(struct queue *qu, const struct rcpt *r, struct index_rcpt *row);
/* It is at its end, and the file says so: index, count, memory.  row: what is
 * to be shown of it, or NULL.  The message is to be settled. */
void rcpt_end(struct queue *qu, struct rcpt *r, char state,
    struct index_rcpt *row);
/* What is said to the next server. */
static inline const char *
rcpt_target(const struct rcpt *r)
{
	return r->target != NULL ? r->target : r->addr;
}
/* As lookup says now; addr may be empty. */
void rcpt_set_target(struct rcpt *r, const char *addr);
/* The row of a recipient that memory lets go: written, then due at row->next
 * and no sooner. */
void rcpt_leave(struct queue *qu, struct rcpt *r, const struct index_rcpt *row);

/* schedule.c */

void schedule_start(struct queue *qu);
/* Writes a row of what is not (or no longer) in memory. */
void schedule_put(struct queue *qu, const struct index_rcpt *row);
/* There is room again, or something is due now. */
void schedule_kick(struct queue *qu);
/* A message that was just made durable: into the index, and on its way. */
void schedule_fresh(struct queue *qu, const struct head *h,
    const struct trailer *t, enum spool_place place);
/* Asks lookup where r goes. */
void schedule_ask(struct queue *qu, struct rcpt *r);
/* Sends the questions that wait. */
void schedule_asks(struct queue *qu);
/* No longer asked. */
void schedule_unask(struct queue *qu, struct rcpt *r);
/* When a recipient that waits for its route is looked at at the latest, and
 * one that is tried again: at a warning, or at its end.  notify: NOTIFY_*;
 * ttl: of its action, 0: the queue's. */
int64_t schedule_latest(const struct queue *qu, const struct msg *m,
    unsigned int notify, uint32_t ttl, int64_t now);
/* When it is given up. */
int64_t schedule_end(const struct queue *qu, const struct msg *m, uint32_t ttl);
/* True if it is too old. */
bool schedule_expired(const struct queue *qu, const struct msg *m, uint32_t ttl,
    int64_t now);

/* route.c */

void route_start(struct queue *qu);
/* NULL: too many routes. */
struct way *route_get(struct queue *qu, const char *route);
/* r waits in the index until the route can use it; leaves memory. */
void route_park(struct queue *qu, struct way *w, struct rcpt *r);
/* The same for all that waits in memory. */
void route_park_all(struct queue *qu, struct way *w);
/* The index has recipients for it that are not in memory. */
void route_parked(struct queue *qu, struct way *w);
/* The list has room: more from the index, if there is more. */
void route_refill(struct queue *qu, struct way *w);
void route_refill_soon(struct queue *qu, struct way *w);
/* Those that waited for room that is there again. */
void route_feed(struct queue *qu);
/* way_take() took a job of it: what goes with its rate. */
void route_took(struct queue *qu, struct way *w, const struct way_marks *marks);
/* A job of it ended; o: as way_ended() has it. */
void route_ended(struct queue *qu, struct way *w, const struct outcome *o);
/* Back-off is forgotten; held or not. */
void route_flush(struct queue *qu, const char *route);
bool route_hold(struct queue *qu, const char *route, bool hold);

/* group.c */

/* A recipient goes there: its group is asked for, where the configuration has
 * any and it is not known, or not any more. */
void group_look(struct queue *qu, struct way *w);
/* True if this route may be in one. */
bool group_wanted(const struct queue *qu, const char *route);
/* Who may be asked, NULL: nobody now; and whether the answer names a group. */
struct ipc_chan *group_whom(struct queue *qu);
bool group_is_row(const struct queue *qu, uint32_t limit);
/* A process that may be asked is there. */
void group_ask_all(struct queue *qu);
/* way_take() took a job of one of its routes.  marked: as that said. */
void group_took(struct queue *qu, struct way_group *g, bool marked);
/* At the start: what groups sent lately.  True if the row is a group's. */
bool group_recall(struct queue *qu, const struct index_way *row);

/* job.c, job_said.c */

void job_start(struct queue *qu);
struct job *job_new(struct msg *m);
/* Frees it; its recipients are elsewhere. */
void job_free(struct queue *qu, struct job *j);
void job_add_rcpt(struct queue *qu, struct job *j, struct rcpt *r,
    enum rcpt_at at);
/* It is d's from now on, or spawn's (d NULL), under this number. */
void job_fly(struct queue *qu, struct job *j, struct deliverer *d,
    uint64_t number);
/* All its recipients, as result_again(). */
void job_all_again(struct queue *qu, struct job *j, uint32_t seconds,
    const char *why);
static inline struct job *
job_of_turn(struct way_job *turn)
{
	return (struct job *)((char *)turn - offsetof(struct job, turn));
}
/* r goes to this route, as lookup said: into a job that gathers. */
void job_gather(struct queue *qu, struct rcpt *r, struct way *w,
    const struct route_is *is);
/* All that gathers for m waits for its turn. */
void job_ready(struct queue *qu, struct msg *m);
/* Gives out what may run. */
void job_run(struct queue *qu);
/* Who had it is gone: its recipients are tried again, later and later. */
void job_lost(struct queue *qu, struct job *j, const char *why);
/* Another process has said what it holds; begins when all have. */
void job_listed(struct queue *qu);
/* r was taken out; an empty job that was not given out is freed. */
void job_lost_rcpt(struct queue *qu, struct job *j);
void job_peer_up(struct queue *qu, struct ipc_chan *c);
void job_peer_down(struct queue *qu, struct ipc_chan *c);
ipc_handler job_on_want, job_on_signed, job_on_result, job_on_end, job_on_held,
    job_on_listed;

/* result.c */

/* What became of r, by deliver or spawn over way w, or by lookup (w NULL; relay
 * and tls empty). */
struct result {
	const struct outcome *outcome;
	const char *relay, *tls;
	const char *method;    /* how; a constant, NULL: it was not tried */
	uint32_t flags;        /* RESULT_* */
	struct ipc_chan *from; /* told that it is noted; NULL: nobody */
	uint64_t job;
};
/* Records it: file, index, log; r leaves its place, and its message is to be
 * settled.  Where the file refuses, again and again until it does not. */
void result_record(struct queue *qu, struct rcpt *r, struct way *w,
    const struct result *result);
/* r is no longer AT_UNSAVED. */
void result_forget(struct queue *qu, struct rcpt *r);
/* Too old. */
void result_expire(struct queue *qu, struct rcpt *r);
/* Not its fault, and not an attempt: due again in some seconds. */
void result_again(struct queue *qu, struct rcpt *r, uint32_t seconds,
    const char *why);
/* Writes the state byte.  False: the disk refuses. */
bool result_state(struct queue *qu, struct rcpt *r, char state);

/* expand.c */

/* r stands for several: it is asked for whom, and they become a child. */
void expand_begin(struct queue *qu, struct rcpt *r);
/* Those that wait, as far as there is room. */
void expand_run(struct queue *qu);
/* r is no longer AT_EXPANDS. */
void expand_forget(struct queue *qu, struct rcpt *r);

/* bounce.c */

/* Tells the sender what is owed for m, if nothing of it runs. */
void bounce_check(struct queue *qu, struct msg *m);
/* r is at its end but for the sender, as its state says: he is told soon. */
void bounce_owe(struct queue *qu, struct rcpt *r);
/* Who of m is told of what, for a recipient with this NOTIFY_*: a failure; a
 * delay; that it was taken by who does not tell, or expanded. */
bool bounce_wanted(const struct msg *m, unsigned int notify);
bool bounce_warns(const struct msg *m, unsigned int notify);
bool bounce_confirms(const struct msg *m, unsigned int notify);

/* remember.c: none of these fails. */

void remember_start(struct queue *qu, const char *dir);
void remember_stop(struct queue *qu);
void remember_accepted(struct queue *qu, const struct head *h,
    const struct trailer *t);
/* It came in, and is held for the operator. */
void remember_held(struct queue *qu, const struct head *h);
/* An attempt at r, by deliver over way w, or by lookup (w NULL). */
void remember_result(struct queue *qu, const struct rcpt *r,
    const struct way *w, const struct result *result);
/* Something else came of r; other: a message that was made of it, or 0. */
void remember_became(struct queue *qu, const struct rcpt *r,
    enum history_event event, uint64_t other);

/* ctl.c */

ipc_handler ctl_on_ask;
void ctl_peer_down(struct queue *qu, struct ipc_chan *c);

/* greylist.c */

ipc_handler grey_on_ask;

/* limits.c */

ipc_handler limits_on_ask;

/* restore.c */

/* What the spool tells of what it finds. */
void restore_hooks(struct queue *qu, struct spool_hooks *hooks);
/* From a file into the index, where they differ.  now: its next try is not
 * put off. */
void restore_file(struct queue *qu, const struct spool_found *f, bool now);
/* Recipients that are not at their end. */
uint32_t restore_open(const struct head *h);
/* The replay is over: what it saw done goes. */
void restore_replayed(struct queue *qu);
/* Walks over the files while everything else goes on. */
void restore_walk(struct queue *qu);

#endif
