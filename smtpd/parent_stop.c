/*
 * Stopping: who hands mail in first, who keeps it last, within ten seconds
 * whatever hangs; all generations alike.  Runs in the parent.
 *
 * SPDX-License-Identifier: ISC
 */
#include <signal.h>

#include "log.h"
#include "parent.h"

#define STEP_KINDS 4

/*
 * Steps: who is asked to stop, and how long it may take; then the next.  Each
 * is longer than what its processes take by themselves with all that may
 * hang, and together they are less than ten seconds.  What one leaves of its
 * time the next ones have: a busy machine is slow, and kills nobody.
 * Columns: kinds (PROC_PARENT: none), milliseconds.
 */
static const struct stop_step {
	enum proc_kind kind[STEP_KINDS];
	msec ms;
} stop_steps[] = {
	{ { PROC_SESSION }, 2400 },
	{ { PROC_DELIVER, PROC_CONTROL }, 3300 },
	{ { PROC_QUEUE }, 3300 },
	{ { PROC_LOOKUP, PROC_GUARD, PROC_KEYS, PROC_SPAWN }, 500 },
};

#define STOP_STEPS (sizeof stop_steps / sizeof stop_steps[0])
#define QUEUE_STEP 2

static void stop_next(void *arg);

static bool
in_step(const struct child *ch)
{
	const struct stop_step *s = &stop_steps[ch->parent->stop_step];
	unsigned int i;

	for (i = 0; i < STEP_KINDS; i++) {
		if (s->kind[i] == ch->kind)
			return true;
	}
	return false;
}

static void
count_alive(struct child *ch, void *arg)
{
	unsigned int *n = arg;

	*n += in_step(ch) && ch->pid > 0;
}

static bool
step_over(struct parent *p)
{
	unsigned int n = 0;

	child_each(p, count_alive, &n);
	return n == 0;
}

static void
ask_to_stop(struct child *ch, void *arg)
{
	struct proc_stop m = { 0 };
	bool at_work = ch->state == CHILD_READY || ch->state == CHILD_DRAINING;

	(void)arg;
	if (!in_step(ch))
		return;
	timer_clear(&ch->timer);
	if (ch->state == CHILD_STOPPING || ch->pid <= 0)
		return;
	/* One that has not yet heard proc_go has nothing to finish. */
	if (!at_work || !proc_stop_send(&ch->chan, 0, &m, -1))
		child_kill(ch);
	ch->state = CHILD_STOPPING;
}

static void
kill_child(struct child *ch, void *arg)
{
	(void)arg;
	if (!in_step(ch) || ch->pid <= 0)
		return;
	log_warn("stop-killed", "name=%s instance=%u",
	    proc_table[ch->kind].program, ch->instance);
	child_kill(ch);
}

static void
on_stop_timeout(void *arg)
{
	child_each(arg, kill_child, NULL);
	/* SIGCHLD goes on from here. */
}

/* The time of this step, and what those before it have left. */
static msec
step_time(const struct parent *p)
{
	msec own = stop_steps[p->stop_step].ms;
	msec left = p->stop_began - loop_msec();
	unsigned int i;

	for (i = 0; i <= p->stop_step; i++)
		left += stop_steps[i].ms;
	return left > own ? left : own;
}

static void
stop_begin(struct parent *p)
{
	child_each(p, ask_to_stop, NULL);
	timer_set(p->loop, &p->stop_timer, step_time(p), on_stop_timeout, p);
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
	if (upgrade_goes_on(p))
		return;
	if (!p->options->check)
		log_event(0, "stopped", "status=%d", p->status);
	loop_stop(p->loop);
}

/* Deliveries to users outlive a queue, and any of us: who starts them, and who
 * hears of them, is told that all ends. */
static void
tell_end(struct child *ch, void *arg)
{
	struct proc_drain m = { .stopping = 1 };

	(void)arg;
	if ((ch->kind == PROC_SPAWN || ch->kind == PROC_QUEUE) &&
	    (ch->state == CHILD_READY || ch->state == CHILD_DRAINING))
		proc_drain_send(&ch->chan, 0, &m, -1);
}

void
parent_stop(struct parent *p, int status)
{
	if (p->stopping)
		return;
	p->stopping = true;
	p->status = status;
	p->stop_step = 0;
	p->stop_began = loop_msec();
	timer_clear(&p->reload.timer);
	timer_clear(&p->table_timer);
	upgrade_cancel(p);
	/* A newer program says so when it is at work. */
	if (!p->upgrade.restart)
		notify_stopping(p);
	ask_end(p, LATER, "4.3.2", "smtpd is stopping");
	child_each(p, tell_end, NULL);
	stop_begin(p);
}

void
parent_stop_ended(struct parent *p, struct child *ch)
{
	/* Sessions and delivers that finish have something to tell it. */
	if (ch->kind == PROC_QUEUE && p->stop_step < QUEUE_STEP &&
	    p->now != NULL && ch->failures++ == 0)
		child_start(ch);
	else if (p->stop_step < STOP_STEPS && step_over(p))
		timer_set(p->loop, &p->stop_timer, 0, stop_next, p);
}
