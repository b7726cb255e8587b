/*
 * Stopping: who hands mail in first, who keeps it last, within ten seconds
 * whatever hangs.  Runs in the parent.
 *
 * SPDX-License-Identifier: ISC
 */
#include <signal.h>

#include "log.h"
#include "parent.h"

/*
 * Steps: who is asked to stop, and how long it may take; then the next.  Each
 * is longer than what its processes take by themselves with all that may
 * hang, and together they are less than ten seconds.
 * Columns: kinds, milliseconds.
 */
struct stop_step {
	enum proc_kind kind[2];
	msec ms;
};

static const struct stop_step stop_steps[] = {
	{ { PROC_SESSION, PROC_SESSION }, 2400 },
	{ { PROC_DELIVER, PROC_CONTROL }, 3300 },
	{ { PROC_QUEUE, PROC_QUEUE }, 3300 },
	{ { PROC_LOOKUP, PROC_KEYS }, 500 },
};

#define STOP_STEPS (sizeof stop_steps / sizeof stop_steps[0])

static void stop_next(void *arg);

/* How many of a kind are alive; with sig, each gets it. */
static unsigned int
alive(struct parent *p, enum proc_kind k, int sig)
{
	unsigned int i, n = 0;

	for (i = 0; i < p->count[k]; i++) {
		if (p->child[k][i].pid <= 0)
			continue;
		n++;
		if (sig != 0)
			kill(p->child[k][i].pid, sig);
	}
	return n;
}

static bool
step_over(struct parent *p)
{
	const struct stop_step *s = &stop_steps[p->stop_step];

	return alive(p, s->kind[0], 0) == 0 && alive(p, s->kind[1], 0) == 0;
}

static void
ask_to_stop(struct child *ch, void *arg)
{
	const struct stop_step *s = arg;
	struct proc_stop m = { 0 };

	if (ch->kind != s->kind[0] && ch->kind != s->kind[1])
		return;
	timer_clear(&ch->restart);
	if (ch->pid <= 0)
		return;
	/* One that has not yet heard proc_go has nothing to finish. */
	if (ch->state != CHILD_READY || !proc_stop_send(&ch->chan, 0, &m, -1))
		kill(ch->pid, SIGKILL);
	ch->state = CHILD_STOPPING;
}

static void
on_stop_timeout(void *arg)
{
	struct parent *p = arg;
	const struct stop_step *s = &stop_steps[p->stop_step];

	log_warn("stop-killed", "name=%s", proc_table[s->kind[0]].program);
	alive(p, s->kind[0], SIGKILL);
	alive(p, s->kind[1], SIGKILL);
	/* SIGCHLD goes on from here. */
}

static void
stop_begin(struct parent *p)
{
	const struct stop_step *s = &stop_steps[p->stop_step];

	parent_each_child(p, ask_to_stop, (void *)s);
	timer_set(p->loop, &p->stop_timer, s->ms, on_stop_timeout, p);
	if (step_over(p))
		timer_set(p->loop, &p->stop_timer, 0, stop_next, p);
}

static void
stop_next(void *arg)
{
	struct parent *p = arg;

	if (++p->stop_step < STOP_STEPS) {
		stop_begin(p);
		return;
	}
	if (!p->check)
		log_event(0, "stopped", "status=%d", p->status);
	loop_stop(p->loop);
}

void
parent_stop(struct parent *p, int status)
{
	if (p->stopping)
		return;
	p->stopping = true;
	p->status = status;
	p->stop_step = 0;
	stop_begin(p);
}

void
parent_stop_ended(struct parent *p)
{
	if (p->stop_step < STOP_STEPS && step_over(p))
		timer_set(p->loop, &p->stop_timer, 0, stop_next, p);
}
