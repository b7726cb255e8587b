/*
 * Routes: whose turn it is, how many jobs each may run and how fast, which are
 * down.  Pure memory: no messages, no disk; the clock is a parameter, in
 * seconds since 1970 or, where it is called msec, in milliseconds.
 *
 * A route is up, paused or down until a time, or on probe: then one job at a
 * time shows whether it works again.  One with a rate has tokens: the jobs
 * that it may begin before the clock is looked at again.  Without any it is
 * closed, and what is for it waits in the index.
 *
 * Routes may belong to a group (`limit mx`): a job runs if its route and its
 * group allow it.  The routes of a group that is full stand in a line of their
 * own, and come back to the round in that order, each free place one.  So do
 * those of one user of this host.
 *
 * What is known of a route decides how much it may have of what all share:
 * of a deliver process (way_share()), and of memory (struct way_room).  So
 * those that do not work keep nobody else from it.
 *
 * Routes that end on this host, which spawn serves, have turns and memory of
 * their own beside those that leave by deliver: neither waits for the other.
 *
 *   way.c        the list of them; turns
 *   way_side.c   which of them end here
 *   way_group.c  groups, and one process for what is counted
 *   way_user.c   users of this host, who are groups
 *   way_room.c   how much of each may be in memory
 *   way_state.c  up, paused, down, probe
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef QUEUE_WAY_H
#define QUEUE_WAY_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include "backoff.h"
#include "bounds.h"
#include "conf.h"
#include "hash.h"
#include "index.h"
#include "loop.h"
#include "proc_table.h"
#include "rate.h"
#include "verdict.h"

#define WAYS_MAX      20000 /* routes in memory */
#define WAY_WAITING   200   /* jobs in memory that wait for one route */
#define WAY_CROWDED   10    /* ... where many routes have some */
#define WAY_RCPTS     2000  /* recipients of these jobs */
#define WAY_START     5     /* concurrency of a route that nobody knows */
#define WAY_HERE_MAX  5     /* ... and of one that ends here, at most */
#define WAY_USER_MAX  10    /* ... of all that are one user's */
#define WAY_ROLE_MAX  25    /* ... if the commands of aliases run as him */
#define WAY_HOME_MSEC 10000 /* an idle connection is gone after this */

/* Recipients in memory of all routes together: of those that work, of those
 * that have not shown it (here those of running jobs too), of one group; and of
 * those that end here, of each kind. */
#define WAYS_PROVEN_RCPTS   8000
#define WAYS_UNPROVEN_RCPTS 5000
#define WAY_GROUP_RCPTS     2000
#define WAYS_HERE_RCPTS     2000

enum way_state { WAY_UP, WAY_PAUSED, WAY_DOWN, WAY_PROBE };

/* What is known of a route, the worst first. */
enum way_trust {
	WAY_DOUBTED, /* it failed last time */
	WAY_UNKNOWN, /* nothing */
	WAY_PROVEN,  /* it answered last time */
	WAY_TRUSTS
};

struct way_room;

/* What waits for a route; a member of the job. */
struct way_job {
	TAILQ_ENTRY(way_job) entry;
	struct way *way;
	uint32_t rcpts;        /* recipients; while it waits, way_less() */
	struct way_room *room; /* where its recipients count; NULL: it waits */
};

TAILQ_HEAD(way_jobs, way_job);
TAILQ_HEAD(way_list, way);

/* Of a route or group whose messages are counted. */
struct way_rate {
	struct rate rate;
	uint32_t tokens;
	struct timer timer; /* route.c: until there are some again */
};

/* Memory that several routes share. */
struct way_room {
	uint32_t max;         /* recipients */
	uint32_t jobs, rcpts; /* in the lists of its routes */
	uint32_t running;     /* recipients of running jobs that count here */
	uint32_t asking;      /* recipients that come from the index */
	struct way_list pent; /* routes that wait for room, in their order */
};

/* The connections of this one are counted, idle ones too, so one process has
 * them all (WAY_HOME_MSEC: until none of them can be left). */
struct way_home {
	uint32_t at;    /* instance; CONF_NONE: none yet */
	int64_t leaves; /* msec, by loop_msec(): not sooner, and when nothing
			 * runs */
};

/* The routes of one row of `limit mx`, or of one user of this host. */
struct way_group {
	struct hash_node node; /* of a user: in ways.users, by name */
	uint32_t row;          /* of conf.limit; CONF_NONE: a user's */
	uint32_t n_ways;       /* in it */
	uint32_t max;          /* jobs at once */
	uint32_t running;      /* jobs given out */
	uint32_t n_turns;      /* of its routes, in the round */
	struct way_list blocked;
	struct way_room room;
	struct way_rate *rate; /* NULL: as fast as may be */
	bool counted;
	struct way_home home;
	/* What route.c keeps here. */
	void *owner;
	bool stored;              /* it has a row in the index, of this name: */
	char name[ROUTE_MAX + 1]; /* or the user's */
};

/* What keeps a route in memory. */
enum way_kept {
	WAY_BUSY, /* work, or something that no row tells */
	WAY_IDLE, /* nothing */
	WAY_RATED /* what it sent lately, which its row tells too */
};

/* Where a route leads. */
enum way_where {
	WAY_OUT,  /* to another server, by deliver */
	WAY_HERE, /* to a mailbox, program or file of this host, by spawn */
	WAY_SIDES
};

/* What routes that lead to the same side share. */
struct way_side {
	struct way_list turns[WAY_TRUSTS]; /* have a job and may run it */
	struct way_room proven, unproven;
};

/* Where a route is that has a job. */
enum way_stand {
	WAY_NOWHERE,  /* it has none, or may not run it */
	WAY_IN_ROUND, /* way_side.turns */
	WAY_IN_LINE,  /* its group's */
	WAY_ASIDE     /* ways.aside */
};

struct ways;

struct way {
	struct hash_node node;
	struct ways *ways;
	struct way_side *side;
	enum way_state state;
	uint32_t max;     /* ceiling of limit */
	uint32_t limit;   /* jobs at once while it is up */
	uint32_t steady;  /* from here on limit grows slowly */
	uint32_t grown;   /* successes since it last grew */
	uint32_t running; /* jobs given out */
	uint32_t waiting; /* jobs in the list */
	uint32_t rcpts;   /* recipients of these */
	struct way_jobs jobs;
	uint32_t failures; /* in a row */
	uint32_t pauses;   /* in a row */
	uint32_t tired;    /* jobs in a row: PACE_TIRE */
	int64_t next;      /* down or paused until, seconds since 1970 */
	int64_t since;     /* of the first failure in the row */
	struct backoff backoff;
	struct way_rate *rate;   /* NULL: as fast as may be */
	struct outcome *last;    /* of the last failure, or NULL */
	bool held;               /* by the operator */
	bool proven;             /* it answered */
	struct way_group *group; /* or NULL */
	bool asked;              /* for its group: nothing runs until then */
	bool counted;
	struct way_home home;
	/* What route.c keeps here. */
	void *owner;
	bool known;         /* the index was asked about it */
	bool parked;        /* the index may hold more recipients for it */
	bool drained;       /* ... but all of them are in memory now */
	bool stored;        /* it has a row in the index */
	uint32_t asking;    /* taken from there, on their way into the list */
	uint32_t gathering; /* jobs for it that are not in the list yet */
	struct index_cursor cursor;
	uint32_t last_deliver; /* had a job of it, CONF_NONE: none */
	struct timer timer;
	struct group_ask_open *group_asks; /* group.c: the question, or NULL */
	int64_t group_until; /* group.c: asked again then, seconds */
	/* private */
	bool unsettled; /* asked, and it runs something */
	enum way_stand stands;
	struct way_list *listed; /* where it stands, or NULL */
	uint64_t seq;            /* of its place in the round */
	struct way_room *room;   /* by what is known of it */
	struct way_room *pent;   /* in whose list it is */
	uint8_t kept;            /* enum way_kept */
	TAILQ_ENTRY(way) turn, idle, wait;
	char route[ROUTE_MAX + 1];
};

struct ways {
	struct hash hash;
	struct way_side side[WAY_SIDES];
	struct way_list aside[PROC_MAX]; /* that process alone may have it */
	uint64_t seq;
	struct way_list idle;  /* WAY_IDLE, oldest first */
	struct way_list rated; /* WAY_RATED, likewise */
	uint32_t n, n_idle, n_unsettled;
	struct way_group **group; /* by row of conf.limit; NULL: not yet */
	struct hash users;        /* groups; those that have a route */
	const struct conf *conf;
	uint32_t (*random)(void);
};

/* What each route may do is said by `limit` and `retry`. */
void ways_init(struct ways *ws, const struct conf *conf,
    uint32_t (*random)(void));
/* All are forgotten; no job may be in them. */
void ways_free(struct ways *ws);

struct way *way_find(const struct ways *ws, const char *route);
/* Finds or makes it.  NULL: too many routes have something to remember. */
struct way *way_get(struct ways *ws, const char *route);

/* Where it leads, by its name; and if here, how many jobs it may run at once:
 * who appends to one file takes turns. */
enum way_where way_where(const char *route);
/* Who takes it there has delivered it: also the LMTP server of an action. */
bool way_delivers(const char *route);
uint32_t way_here_max(const struct conf *c, const char *route);

/* A job waits for its turn, with job->rcpts recipients; one that waits goes
 * away; one of its recipients does. */
void way_add(struct ways *ws, struct way *w, struct way_job *job);
void way_remove(struct ways *ws, struct way_job *job);
void way_less(struct ways *ws, struct way_job *job);

/* ---- turns ---- */

/* The places of a deliver process, or those of spawn: all of them, and who has
 * them. */
struct way_places {
	uint32_t all;
	uint32_t held[WAY_TRUSTS];
};

/*
 * True if a route of which so much is known may have one place more.  A
 * quarter of them is for routes that work; where such a route has a turn,
 * half.  Those that failed have no more than a quarter, if anybody else has
 * a turn.  One place is always there to be had.
 */
bool way_share(const struct way_side *side, const struct way_places *p,
    enum way_trust trust);

enum way_trust way_trust(const struct way *w);

/* Whose turn it is among those of a side that may have one, by what is known of
 * them.  NULL: nobody's. */
struct way *way_turn(struct ways *ws, struct way_side *side,
    const bool may[WAY_TRUSTS]);
/* It has its turn, but only that process may have it, which has no place: it
 * stands aside until way_back().  All: n is UINT32_MAX. */
void way_aside(struct ways *ws, struct way *w, uint32_t process);
void way_back(struct ways *ws, uint32_t process, uint32_t n);

/* What way_take() changed: rate_save() of these gives more than before. */
struct way_marks {
	bool way, group;
};
/* The first job of the list, now running, for a token of each rate. */
struct way_job *way_take(struct ways *ws, struct way *w, int64_t now_msec,
    struct way_marks *marks);
/* Time has passed: counts the tokens of a route, or group, with a rate. */
void way_tick(struct ways *ws, struct way *w, int64_t now_msec);
void way_group_tick(struct ways *ws, struct way_group *g, int64_t now_msec);
/* How long until there are tokens again, or what was sent is to be forgotten;
 * false: nothing was sent. */
bool way_rate_wait(struct way_rate *r, int64_t now_msec, msec *wait);
/* A job that runs already (a restart found it running). */
void way_running(struct ways *ws, struct way *w);
/* A running job came to nothing and tells nothing about the route. */
void way_undo(struct ways *ws, struct way *w);
/* A job is freed: its recipients count no more, if it ran. */
void way_landed(struct ways *ws, struct way_job *job);

/* The process that alone may have its jobs, or CONF_NONE.  now: of
 * loop_msec(). */
uint32_t way_home(const struct way *w, int64_t now);
/* A job of it begins, or ended, in that process. */
void way_at(struct way *w, uint32_t process, int64_t now);

/* ---- groups ---- */

/* That of a row of conf.limit; made where needed. */
struct way_group *way_group(struct ways *ws, uint32_t row);
/* w belongs to it, with all that it runs and has; NULL: to none. */
void way_join(struct ways *ws, struct way *w, struct way_group *g);
/* It is asked for, or was. */
void way_asked(struct ways *ws, struct way *w, bool asked);

/* ---- users (way_user.c) ---- */

/* A route that ends here is that user's, as lookup says. */
void way_of_user(struct ways *ws, struct way *w, const char *user);
/* Whose it is by its name.  False: that does not say it (a file's). */
bool way_user_named(const char *route, char user[LOCAL_USER_MAX + 1]);
/* How many jobs all of his may run at once. */
uint32_t way_user_max(const struct conf *c, const char *user);
/* NULL: he has no route in memory. */
const struct way_group *way_user(const struct ways *ws, const char *user);

/* ---- memory (way_room.c) ---- */

/* True if a recipient for it may come into memory now: up or on probe, not
 * held, a token for it, room. */
bool way_open(const struct way *w);
/* More of its group waits in memory than may go soon: it has joined since. */
bool way_is_over(const struct way *w);
/* How many more it can use soon, so that the list neither runs dry nor grows;
 * 0: none. */
uint32_t way_hunger(const struct way *w);
/* A recipient is asked about on its way from the index into the list; it has
 * arrived, or not. */
void way_asks(struct ways *ws, struct way *w);
void way_unasks(struct ways *ws, struct way *w);
/* One that waited for room that is there again; NULL: none. */
struct way *way_feed(struct ways *ws);

/* ---- failures (way_state.c) ---- */

enum way_change { WAY_SAME, WAY_FELL, WAY_ROSE, WAY_SLOWED };

/*
 * A running job ended; o says how the route did, and pace.h what that means.
 * DONE, and NEVER: it is up; DONE: it may run more.  WAY_FELL, WAY_SLOWED: next
 * is set.
 */
enum way_change way_ended(struct ways *ws, struct way *w,
    const struct outcome *o, int64_t now);

/* It is down or paused and its time has come: one job may try, or it goes on.
 * False: not yet. */
bool way_wake(struct ways *ws, struct way *w, int64_t now);
/* Back-off forgotten, one job may try now. */
void way_forgive(struct ways *ws, struct way *w);
/* As a restart finds it: down or paused until next. */
void way_restore(struct ways *ws, struct way *w, const struct index_way *row);
void way_hold(struct ways *ws, struct way *w, bool held);

/* A job that is for it gathers recipients, or does not any more: until then it
 * is not forgotten. */
void way_gathers(struct ways *ws, struct way *w, bool gathers);

/* Call when something else that it remembers (parked, drained, stored) has
 * changed: it may be forgotten, or not any more, or wait for room. */
void way_touch(struct ways *ws, struct way *w);

#endif
