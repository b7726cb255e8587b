/*
 * The parent process: reads the configuration, binds, opens, starts, restarts,
 * reloads and stops.  It runs as root (or as whoever started it) and reads
 * nothing from the network, from users or from mail.
 *
 *   smtpd.c              options, the first start
 *   parent_generation.c  a configuration and what belongs to it
 *   parent_child.c       a process: start, end, what it says
 *   parent_join.c        who may talk to whom
 *   parent_give.c        what a process is handed
 *   parent_log.c         what a process logs
 *   parent_reload.c      a new generation takes over
 *   parent_drain.c       an old one goes
 *   parent_ask.c         what smtpctl asks
 *   parent_table.c       a table's file, again
 *   parent_upgrade.c     a new program takes over
 *   parent_activate.c    sockets that the service manager holds for us
 *   parent_notify.c      what the service manager hears from us
 *   parent_stop.c        the end
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef SMTPD_PARENT_H
#define SMTPD_PARENT_H

#include <sys/types.h>

#include <bsd/sys/queue.h>

#include <limits.h>
#include <stdbool.h>
#include <time.h>

#include "buf.h"
#include "conf.h"
#include "conf_file.h"
#include "ipc.h"
#include "loop.h"

#define MACROS_MAX     64
#define ASKERS_MAX     64
#define SOCKETS_MAX    1024
#define COUNT_MAX      (PROC_MAX / 4) /* processes of one kind and generation */
#define ACTIVATED_MAX  64
#define GENERATION_MAX 8 /* old ones that may finish what is open */

struct options {
	const char *conf, *dir;
	bool foreground; /* it logs on standard error */
	bool stay;       /* it does not go behind */
	bool check, verbose, version;
	bool resolver; /* says that line of the file, and is done */
	struct conf_macro macros[MACROS_MAX];
	size_t n_macros;
	char **argv; /* as they were given */
};

/*
 * A configuration and the processes that work by it.  Three places: `next`
 * comes (a reload is under way, or the first start), `now` is at work, all
 * others finish what they have begun.
 */
struct generation {
	TAILQ_ENTRY(generation) entry; /* in parent.all */
	uint32_t number;               /* 1, and one more each reload */
	int64_t loaded;                /* seconds since 1970 */
	const struct conf *conf;       /* CONF_SOURCES: we need no secret */
	int conf_fd[CONF_PARTS];       /* sealed; -1: not yet */
	int *listeners;                /* by row of conf.listen, -1: closed */
	struct table_file
	    *files; /* by row of conf.table: as last handed over */
	/* By row of conf.pki, certificate and key; -1: not opened yet.  A
	 * process that starts again must not get one of a pair that was
	 * renewed meanwhile, of which others have the other. */
	int *pairs;
	bool stopping;  /* it had its time */
	bool dismissed; /* it was never at work, and will not be */
};

TAILQ_HEAD(generations, generation);

/* A file system gives a number again as soon as its file is gone. */
struct table_file {
	dev_t dev;
	ino_t ino;
	struct timespec changed;
};

enum child_state {
	CHILD_NONE, /* nobody; the slot is free */
	CHILD_DOWN, /* ended, to be started again */
	CHILD_STARTING,
	CHILD_READY,
	CHILD_DRAINING,
	CHILD_STOPPING
};

/* A slot, and the process in it. */
struct child {
	enum proc_kind kind;
	unsigned int instance; /* the slot: unique over all generations */
	enum child_state state;
	struct generation *gen; /* NULL: CHILD_NONE */
	pid_t pid;
	struct ipc_chan chan;
	struct parent *parent;
	int log; /* its lines, -1 none; nobody else's come there */
	struct watch log_watch;
	unsigned int failures; /* in a row */
	msec started;
	bool told;          /* DRAINING: it has heard that it is old ... */
	uint32_t left;      /* ... and has so many sessions or jobs open */
	struct timer timer; /* DOWN: start; DRAINING, STOPPING: no longer */
};

/* Who waits for a reload. */
struct asker {
	struct child *ch; /* a control process ... */
	pid_t pid;        /* ... which this one is */
	uint64_t id;      /* of its question */
	bool late;        /* asked when one was under way: waits for the next */
};

/*
 * Steps of a reload.  Until the last is over all can be taken back.
 *   CHECK   the new program checks the file (parent_upgrade.c)
 *   START   the processes of the new generation start, but for the queue
 *   STOP    the old queue finishes
 *   QUEUE   the new queue starts
 * From then on the new generation is at work.
 *   DRAIN   the old sessions are told
 */
enum reload_step {
	RELOAD_NONE,
	RELOAD_CHECK,
	RELOAD_START,
	RELOAD_STOP,
	RELOAD_QUEUE,
	RELOAD_DRAIN
};

struct reload {
	enum reload_step step;
	bool wanted; /* another one, as soon as there is room for it */
	msec begun;
	struct timer timer; /* the step takes too long */
	struct buf why;     /* lines: what was wrong the last time */
	struct buf doubts;  /* lines: what may stand and is hardly meant */
	struct asker asker[ASKERS_MAX];
	size_t n_askers;
};

/* The program that runs, and the one that stands at its path now. */
struct upgrade {
	char self[PATH_MAX];
	dev_t dev;
	ino_t ino;
	struct timespec changed;
	pid_t check; /* the new one, with -n; 0: none */
	int says;    /* what it prints, -1 */
	struct buf said;
	struct watch watch;
	struct timer timer;
	unsigned int looked;
	bool restart; /* the old processes stop before it takes over */
	/* Listening sockets of the program before us, whose processes have
	 * stopped. */
	int inherited[SOCKETS_MAX];
	size_t n_inherited;
};

/* Sockets that were open for us, and that our starter has too.  They stay for
 * as long as we do: a row of a later configuration may want one. */
struct activated {
	int fd[ACTIVATED_MAX];
	char name[ACTIVATED_MAX][64]; /* for the log */
	size_t n;
};

/* Who wants to know how we are. */
struct notify {
	char path[108];    /* of its socket */
	int fd;            /* -1: nobody */
	uint64_t watchdog; /* it wants to hear from us in so many us; 0: not */
	struct timer timer, again;
	char unsent[1024];
};

struct parent {
	struct loop *loop;
	const struct options *options;
	bool jailed; /* we are root: each child becomes its user */
	bool started;
	bool stopping;
	int status; /* of exit */
	uint64_t token[2];
	int cwd;            /* where we were started: paths may begin there */
	char run[PATH_MAX]; /* sockets, pid file, the empty directory */
	char spool[PATH_MAX];
	char libexec[PATH_MAX]; /* the other programs */
	uid_t uid[PROC_KINDS];
	gid_t gid[PROC_KINDS];
	unsigned int count[PROC_KINDS]; /* in each generation */
	struct child child[PROC_KINDS][PROC_MAX];
	unsigned int last_slot[PROC_KINDS];
	struct generations all; /* the oldest first */
	struct generation *now, *next;
	uint32_t number; /* of the one at work */
	struct reload reload;
	int control; /* listening, for smtpctl */
	int told;    /* the process in front: one byte when we are up, or -1 */
	int pid_file;
	unsigned int stop_step;
	msec stop_began;
	struct watch sig_chld, sig_term, sig_int, sig_hup;
	struct timer stop_timer, table_timer;
	struct upgrade upgrade;
	struct activated activated;
	struct notify notify;
};

/* ---- parent_generation.c ---- */

/* An empty one, the youngest. */
struct generation *generation_new(struct parent *p);
/* Reads what conf_fd has for us.  False and errno. */
bool generation_map(struct generation *g);
/* It has its configuration: room for what belongs to the rows of that. */
void generation_own(struct generation *g);
/* Reads and checks the file: a generation with its number and configuration,
 * in p->all; p->reload.doubts are about it.  NULL: what is wrong was added to
 * why, a line each. */
struct generation *generation_load(struct parent *p, struct buf *why);
/* Its listeners: those of p->now with the same address, else new ones that
 * do not listen yet.  NULL, or why not. */
const char *generation_bind(struct parent *p, struct generation *g);
/* NULL, or why not. */
const char *generation_listen(struct parent *p, struct generation *g);
void generation_close_listeners(struct generation *g);
/* No process of it is left. */
void generation_free(struct parent *p, struct generation **g);

/* ---- parent_child.c ---- */

/* Calls fn for each slot that is taken. */
void child_each(struct parent *p, void (*fn)(struct child *ch, void *arg),
    void *arg);
/* Starts what is missing of g, but the queue if there is one. */
void child_fill(struct parent *p, struct generation *g);
void child_start(struct child *ch);
/* A process of g in this slot, which is to be started, or runs already. */
struct child *child_new(struct parent *p, enum proc_kind kind,
    unsigned int slot, struct generation *g);
/* It runs already, its state and pid are set: takes over the channel and the
 * log, -1 if it has none. */
void child_adopt(struct child *ch, int fd, int log);
/* It takes nothing new and ends when it has finished, or is stopped when its
 * time is over. */
void child_drain(struct child *ch);
/* In order and soon; one that is not yet at work is killed. */
void child_stop(struct child *ch);
void child_kill(struct child *ch);
/* How a process ended; the text lives until the next call. */
const char *child_end_print(int status);
/* Slots of a kind that nobody has. */
unsigned int child_room(const struct parent *p, enum proc_kind kind);
/* Watches the signals. */
void child_watch(struct parent *p);

static inline struct child *
child_queue(struct parent *p)
{
	/* One at a time, so that its channels outlive it. */
	return &p->child[PROC_QUEUE][0];
}

/* ---- parent_join.c ---- */

/* Channels to all that it may talk to. */
void child_join(struct child *ch);

/* ---- parent_give.c ---- */

/* All that a child is handed but its peers. */
void give_all(struct child *ch);
/* What a child of a generation that comes gets when that is at work: the
 * sockets to accept from. */
void give_at_work(struct child *ch);
/* A file: table, key.  False and errno. */
bool give_file(struct child *ch, const char *path, enum proc_file_of of,
    uint32_t index);

/* ---- parent_log.c ---- */

/* Returns the child's end, or -1. */
int child_log_open(struct child *ch);
/* Takes fd over, our end. */
void child_log_use(struct child *ch, int fd);
/* Its last words, and the end. */
void child_log_close(struct child *ch);
bool parent_verbose(const struct parent *p, const struct generation *g);
/* Standard error is kept: it is the log, or read by who checks. */
bool parent_has_stderr(const struct parent *p);
/* Whether what hinders a start goes to the log: not if standard error, where
 * it is printed, is the log. */
bool parent_logs_start(const struct parent *p);
/* Our own log as g says. */
void parent_log_as(const struct parent *p, const struct generation *g);

/* ---- parent_reload.c ---- */

/* The first start: of p->next. */
void reload_first(struct parent *p);
/* Somebody wants one; by: for the log. */
void reload_ask(struct parent *p, const char *by);
/* There may be room for it now. */
void reload_again(struct parent *p);
/* Logs each line of p->reload.why; of p->reload.doubts. */
void reload_log_why(const struct parent *p);
void reload_log_doubts(const struct parent *p);
/* It is over. */
void reload_over(struct parent *p, bool done);
/* An old session has been told, or is gone. */
void reload_drained(struct parent *p);
/* A child of p->next is at work. */
void reload_ready(struct parent *p);
/* The queue has ended as it was told. */
void reload_queue_gone(struct parent *p);
/* The new generation cannot be: it is taken away, all goes on as before. */
void reload_fail(struct parent *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- parent_drain.c ---- */

/* What of g is left after a newer one is at work, or it was taken away. */
void drain_look(struct parent *p, struct generation *g);
/* g is no longer at work. */
void drain_begin(struct parent *p, struct generation *g);
/* g was never at work. */
void drain_dismiss(struct parent *p, struct generation *g);
/* A child that drains has so much left. */
void drain_told(struct child *ch, uint32_t left);
/* Each old session process accepts no more. */
bool drain_all_told(struct parent *p);
/* Whether a child that ended is still wanted. */
bool drain_needs(struct parent *p, const struct child *ch);
/* Whether one more generation may start; makes room if not. */
bool drain_room(struct parent *p);
/* Processes of older generations with sessions or jobs. */
unsigned int drain_count(struct parent *p);

/* ---- parent_ask.c ---- */

ipc_handler on_parent_ask, on_ctl_stop;
/* A reload begins, is over: for those who wait for it. */
void ask_begin(struct parent *p);
void ask_answer(struct parent *p, bool done);
/* It is over for all, whoever waits for it or the next. */
void ask_end(struct parent *p, enum verdict v, const char *ecode,
    const char *text);

/* ---- parent_table.c ---- */

bool table_has_file(const struct conf_table *t);
/* Its file is handed over now. */
void table_note(struct generation *g, uint32_t i);
/* Hands the file of a table (empty: of each) to each lookup again.  NULL, or
 * why not. */
const char *table_update(struct parent *p, const char *name);
/* Looks at the files of db: tables each second. */
void table_watch(struct parent *p);

/* ---- parent_upgrade.c ---- */

/* Notes which program we are. */
void upgrade_init(struct parent *p);
/* Prints what `smtpd -V` does. */
void upgrade_print(void);
/* Whether we were another program before. */
bool upgrade_inherits(void);
/* Takes over what that had: if p->now is set afterwards its processes go on,
 * and a reload is to follow, else there are but its sockets. */
void upgrade_inherit(struct parent *p);
/* An inherited socket with this address, -1 if there is none. */
int upgrade_socket(struct parent *p, const struct conf_listen *l);
/* Those that are wanted have found their place. */
void upgrade_sockets_close(struct parent *p);
/* A reload begins.  True: there is a newer program, and first it checks. */
bool upgrade_begin(struct parent *p);
/* A process that is no child of a generation has ended. */
void upgrade_ended(struct parent *p, pid_t pid, int status);
/* All have stopped, but not for the end.  False: for the end. */
bool upgrade_goes_on(struct parent *p);
/* We stop: nothing of it is wanted any more. */
void upgrade_cancel(struct parent *p);

/* ---- parent_activate.c ---- */

/* How many descriptors from 3 on were left open for us, and say so. */
unsigned int activate_count(void);
/* Takes them over, and the variables of the environment that tell of them
 * away. */
void activate_take(struct parent *p, unsigned int n);
/* Whether a socket has the address of a row. */
bool activate_fits(const struct parent *p, int fd, const struct conf_listen *l);
/* The one with the address of a row, as a descriptor of its own; -1. */
int activate_socket(const struct parent *p, const struct conf_listen *l);
/* Those that hold a part of a row's address, or all of it and others. */
size_t activate_beside(const struct parent *p, const struct conf_listen *l,
    int fds[ACTIVATED_MAX]);
/* Whether there is one for sendmail(8): its path is not ours to take away. */
bool activate_has_local(const struct parent *p);
/* Calls fn for each that has no row of its own and is on a port that a row has
 * for all addresses: it is taken from for that. */
void activate_each_beside(const struct parent *p, const struct generation *g,
    void (*fn)(struct child *ch, uint32_t row, int fd), struct child *ch);
/* Logs those that no row of g wants. */
void activate_report(const struct parent *p, const struct generation *g);

/* ---- parent_notify.c ---- */

/* Finds out who wants to know, and that no child does. */
void notify_init(struct parent *p);
/* The variables are in the environment: for the program that we become. */
void notify_pass_on(const struct parent *p, bool on);
/* There is a loop: the watchdog hears from it. */
void notify_watch(struct parent *p);
/* p->now is at work; is still, after a reload that failed; a reload has begun;
 * all of it ends. */
void notify_ready(struct parent *p);
void notify_not_reloaded(struct parent *p);
void notify_reloading(struct parent *p);
void notify_stopping(struct parent *p);

/* ---- parent_stop.c ---- */

/* Stops all in order, then the loop. */
void parent_stop(struct parent *p, int status);
/* A child has ended while we stop. */
void parent_stop_ended(struct parent *p, struct child *ch);

/* ---- priv_*.c: what needs root.  NULL, or why not in a static text. ---- */

/* Finds uid and gid of every process; not root: our own. */
const char *priv_users(struct parent *p);
/* Makes the run directory, the empty directory and the spool's. */
const char *priv_dirs(struct parent *p);
/* Takes DIR/smtpd.pid and its lock; held while we live. */
const char *priv_pid_file(struct parent *p);
/* A socket bound to what l says, or -1 and errno.  beside: sockets of ours,
 * -1 or not in use, that may hold a part of the address: it is shared with
 * them for as long as they live. */
int priv_bind(const struct parent *p, const struct conf_listen *l,
    const int *beside, size_t n);
void priv_local_path(const struct parent *p, char out[PATH_MAX + 16]);
const char *priv_bind_print(const struct parent *p,
    const struct conf_listen *l);
/* Sockets (-1: none) that may stand beside each other on one port, an address
 * and all addresses, while they are bound and begin to listen; after that the
 * kernel tells whoever asks for their address that it is in use. */
void priv_share(const int *fds, size_t n, bool on);
/* False and errno. */
bool priv_listen(int fd);
/* smtpctl's socket. */
const char *priv_control(struct parent *p);
/* Takes the paths of our sockets and the pid file away. */
void priv_clean(const struct parent *p);
/* Opens a table, a key or resolv.conf for a child: -1 and errno. */
int priv_open(const char *path);
#define PRIV_NO_PROGRAM 72 /* exit status: exec failed (EX_OSFILE) */

/* fork, exec of a child's program with the two sockets as descriptors 3 and
 * 4 and nothing else but, with keep_stderr, standard error.  Its pid, or -1
 * and errno. */
pid_t priv_exec(const char *program, int parent_sock, int log_sock,
    bool keep_stderr);
/* fork, exec of argv[0] in the directory dir, which prints to out. */
pid_t priv_run(char *const argv[], int dir, int out);

#endif
