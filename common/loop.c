/*
 * The event loop over libevent's core.  Used by every process.
 *
 * SPDX-License-Identifier: ISC
 */
#include "loop.h"

#include <stdlib.h>
#include <time.h>

#include "log.h"

struct loop *
loop_new(void)
{
	struct event_config *config = event_config_new();
	struct loop *l = xcalloc(1, sizeof *l);

	if (config == NULL)
		fatal("no memory for the event loop");
	/* One thread uses it; timers may be a millisecond late. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	l->base = event_base_new_with_config(config);
	event_config_free(config);
	if (l->base == NULL)
		fatal("no event loop");
	return l;
}

void
loop_free(struct loop **l)
{
	if (*l == NULL)
		return;
	event_base_free((*l)->base);
	free(*l);
	*l = NULL;
}

void
loop_run(struct loop *l)
{
	event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void
loop_stop(struct loop *l)
{
	event_base_loopbreak(l->base);
}

msec
loop_msec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (msec)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

msec
loop_doubled(msec first, uint32_t n, msec most)
{
	msec ms = first;

	for (; n > 0 && ms < most; n--)
		ms *= 2;
	return ms < most ? ms : most;
}

static void
watch_fire(int fd, short what, void *arg)
{
	struct watch *w = arg;

	w->fn(fd, what, w->arg);
}

void
watch_set(struct loop *l, struct watch *w, int fd, int what,
    void (*fn)(int fd, int what, void *arg), void *arg)
{
	watch_clear(w);
	w->fn = fn;
	w->arg = arg;
	w->what = what;
	if (event_assign(&w->ev, l->base, fd, (short)(what | EV_PERSIST),
		watch_fire, w) == -1 ||
	    event_add(&w->ev, NULL) == -1)
		fatal("cannot watch descriptor %d", fd);
}

void
watch_clear(struct watch *w)
{
	if (w->what == 0)
		return;
	event_del(&w->ev);
	w->what = 0;
}

static void
timer_fire(int fd, short what, void *arg)
{
	struct timer *t = arg;

	(void)fd;
	(void)what;
	t->set = false;
	t->fn(t->arg);
}

void
timer_set(struct loop *l, struct timer *t, msec ms, void (*fn)(void *arg),
    void *arg)
{
	struct timeval tv;

	timer_clear(t);
	if (ms < 0)
		ms = 0;
	tv.tv_sec = ms / 1000;
	tv.tv_usec = ms % 1000 * 1000;
	t->fn = fn;
	t->arg = arg;
	t->set = true;
	if (event_assign(&t->ev, l->base, -1, 0, timer_fire, t) == -1 ||
	    event_add(&t->ev, &tv) == -1)
		fatal("cannot set a timer");
}

void
timer_clear(struct timer *t)
{
	if (!t->set)
		return;
	event_del(&t->ev);
	t->set = false;
}

void
watch_signal(struct loop *l, struct watch *w, int signo,
    void (*fn)(int signo, int what, void *arg), void *arg)
{
	watch_clear(w);
	w->fn = fn;
	w->arg = arg;
	w->what = EV_READ;
	if (event_assign(&w->ev, l->base, signo, EV_SIGNAL | EV_PERSIST,
		watch_fire, w) == -1 ||
	    event_add(&w->ev, NULL) == -1)
		fatal("cannot watch signal %d", signo);
}
