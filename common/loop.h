/*
 * The event loop of a process: libevent's core behind watches and timers that
 * are members of what they serve.  Clearing one that was never set is fine,
 * so an owner clears all of its own and is gone.
 *
 * Nothing in a handler blocks.  What may: LMDB's commit in queue, which does
 * not sync; opening or renaming a file in the spool; and session and deliver,
 * which ask keys for the signature of a handshake, for two seconds at most.
 *
 * SPDX-License-Identifier: ISC
 */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "num.h"

enum { LOOP_READ = EV_READ, LOOP_WRITE = EV_WRITE };

struct loop {
	struct event_base *base;
};

struct watch {
	struct event ev;
	int what; /* 0: not set */
	void (*fn)(int fd, int what, void *arg);
	void *arg;
};

struct timer {
	struct event ev;
	bool set;
	void (*fn)(void *arg);
	void *arg;
};

struct loop *loop_new(void);
void loop_free(struct loop **l);

/* Runs until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* Milliseconds on a clock that only goes forward. */
msec loop_msec(void);

/* The first delay doubled n times, and no more than most. */
msec loop_doubled(msec first, uint32_t n, msec most);

/* Calls fn(fd, LOOP_READ or LOOP_WRITE, arg) each time that fd is ready, until
 * cleared.  Setting again replaces. */
void watch_set(struct loop *l, struct watch *w, int fd, int what,
    void (*fn)(int fd, int what, void *arg), void *arg);
void watch_clear(struct watch *w);

/* Calls fn(arg) once, in ms from now.  Setting again replaces. */
void timer_set(struct loop *l, struct timer *t, msec ms, void (*fn)(void *arg),
    void *arg);
void timer_clear(struct timer *t);

/* Calls fn(signo, LOOP_READ, arg) from the loop when the signal comes. */
void watch_signal(struct loop *l, struct watch *w, int signo,
    void (*fn)(int signo, int what, void *arg), void *arg);

#endif
