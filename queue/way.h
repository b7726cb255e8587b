/*
 * Routes: whose turn it is, how many jobs each may run and how fast, which are
 * down.  Pure memory: no messages, no disk; the clock is a parameter, in
 * seconds since 1970 or, where it is called msec, in milliseconds.
 *
 * A route is up, down until a time, or on probe: then one job at a time shows
 * whether it works again.  One with a rate has tokens: the jobs that it may
 * begin before the clock is looked at again.  Without any it is closed, and
 * what is for it waits in the index.
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
#include "hash.h"
#include "index.h"
#include "loop.h"
#include "rate.h"
#include "verdict.h"

#define WAYS_MAX    20000 /* routes in memory */
#define WAY_WAITING 200   /* jobs in memory that wait for one route */
#define WAY_START   5     /* concurrency of a route that nobody knows */

enum way_state { WAY_UP, WAY_DOWN, WAY_PROBE };

/* What waits for a route; a member of the job. */
struct way_job {
	TAILQ_ENTRY(way_job) entry;
	struct way *way;
};

TAILQ_HEAD(way_jobs, way_job);

/* Of a route whose messages are counted. */
struct way_rate {
	struct rate rate;
	uint32_t tokens;
	struct timer timer; /* route.c: until there are some again */
};

/* What keeps a route in memory. */
enum way_kept {
	WAY_BUSY, /* work, or something that no row tells */
	WAY_IDLE, /* nothing */
	WAY_RATED /* what it sent lately, which its row tells too */
};

struct way {
	struct hash_node node;
	enum way_state state;
	uint32_t max;     /* ceiling of limit */
	uint32_t limit;   /* jobs at once while it is up */
	uint32_t running; /* jobs given out */
	uint32_t waiting; /* jobs in the list */
	struct way_jobs jobs;
	uint32_t failures; /* in a row */
	int64_t next;      /* down until, seconds since 1970 */
	int64_t since;     /* of the first failure in the row */
	struct backoff backoff;
	struct way_rate *rate; /* NULL: as fast as may be */
	struct outcome *last;  /* of the last failure, or NULL */
	bool held;             /* by the operator */
	/* What route.c keeps here. */
	void *owner;
	bool known;      /* the index was asked about it */
	bool parked;     /* the index may hold more recipients for it */
	bool drained;    /* ... but all of them are in memory now */
	bool stored;     /* it has a row in the index */
	uint32_t asking; /* taken from there, on their way into the list */
	struct index_cursor cursor;
	uint32_t last_deliver; /* had a job of it, CONF_NONE: none */
	/* Its connections are counted: one process has all of them, so that
	 * none is idle in another. */
	bool counted;
	struct timer timer;
	/* private */
	bool in_turn;
	uint8_t kept; /* enum way_kept */
	TAILQ_ENTRY(way) turn, idle;
	char route[ROUTE_MAX + 1];
};

TAILQ_HEAD(way_list, way);

struct ways {
	struct hash hash;
	struct way_list turns; /* have a job and may run it, in their order */
	struct way_list idle;  /* WAY_IDLE, oldest first */
	struct way_list rated; /* WAY_RATED, likewise */
	uint32_t n, n_idle;
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

/* True if a recipient for it may come into memory now: up or on probe, not
 * held, a token for it, room in the list. */
bool way_open(const struct way *w);
/* How many jobs more it can use soon, so that the list neither runs dry nor
 * grows; 0: none. */
uint32_t way_hunger(const struct way *w);

/* A job waits for its turn; and one that waits goes away. */
void way_add(struct ways *ws, struct way *w, struct way_job *job);
void way_remove(struct ways *ws, struct way_job *job);

/* The job whose turn it is, now running, for one token; NULL: none may run.
 * *marked: what rate_save() gives is more than before. */
struct way_job *way_take(struct ways *ws, int64_t now_msec, bool *marked);
/* Time has passed: counts the tokens of a route with a rate. */
void way_tick(struct ways *ws, struct way *w, int64_t now_msec);
/* A job that runs already (a restart found it running). */
void way_running(struct ways *ws, struct way *w);
/* A running job came to nothing and tells nothing about the route. */
void way_undo(struct ways *ws, struct way *w);

enum way_change { WAY_SAME, WAY_FELL, WAY_ROSE };

/*
 * A running job ended; site says how the route did.  LATER with WIDTH_SITE:
 * it goes down (next is set), with WIDTH_STREAM it may run half as many.
 * DONE: it is up and may run one more.
 */
enum way_change way_ended(struct ways *ws, struct way *w,
    const struct outcome *site, int64_t now);

/* It is down and its time has come: one job may try.  False: not yet. */
bool way_wake(struct ways *ws, struct way *w, int64_t now);
/* Back-off forgotten, one job may try now. */
void way_forgive(struct ways *ws, struct way *w);
/* As a restart finds it: down until next. */
void way_restore(struct ways *ws, struct way *w, uint32_t failures,
    int64_t next, int64_t since, const struct outcome *last);
void way_hold(struct ways *ws, struct way *w, bool held);

/* Call when something else that it remembers (parked, asking, stored) has
 * changed: it may be forgotten, or not any more. */
void way_touch(struct ways *ws, struct way *w);

#endif
