/*
 * A new generation takes over: its configuration is read and checked, its
 * processes start beside those at work, the queue changes hands, and only
 * then the old ones take nothing new.  What goes wrong before takes the new
 * generation away, and nothing else.  Runs in the parent.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "parent.h"

#define START_MS 60000 /* for all to be at work: tables may be large */
#define TOLD_MS  2000  /* for the old sessions to accept no more */

/* ---- the lines that say why not ---- */

static void
log_failed(const char *line)
{
	log_warn("reload-failed", "why=%s", q(line));
}

static void
log_doubt(const char *line)
{
	log_warn("conf-warning", "why=%s", q(line));
}

static void
each_line(const struct buf *lines, void (*fn)(const char *line))
{
	const char *line = (const char *)buf_data(lines), *end;
	const char *stop = line + lines->len;
	char text[512];

	for (; line < stop && (end = memchr(line, '\n', (size_t)(stop - line)));
	     line = end + 1) {
		snprintf(text, sizeof text, "%.*s", (int)(end - line), line);
		fn(text);
	}
}

void
reload_log_why(const struct parent *p)
{
	each_line(&p->reload.why, log_failed);
}

void
reload_log_doubts(const struct parent *p)
{
	each_line(&p->reload.doubts, log_doubt);
}

/* ---- steps ---- */

static void
on_too_long(void *arg)
{
	reload_fail(arg, "not all processes were at work within %d s",
	    START_MS / 1000);
}

static void
enter(struct parent *p, enum reload_step step)
{
	struct reload *r = &p->reload;

	r->step = step;
	if (step == RELOAD_START || step == RELOAD_QUEUE)
		timer_set(p->loop, &r->timer, START_MS, on_too_long, p);
	else
		timer_clear(&r->timer);
}

static void
on_told_too_late(void *arg)
{
	reload_over(arg, true);
}

void
reload_drained(struct parent *p)
{
	if (p->reload.step == RELOAD_DRAIN && drain_all_told(p))
		reload_over(p, true);
}

static void
give_child(struct child *ch, void *arg)
{
	if (ch->gen == arg)
		give_at_work(ch);
}

/* From here on the new configuration is the one. */
static void
take_over(struct parent *p)
{
	struct generation *old = p->now;

	p->now = p->next;
	p->next = NULL;
	p->number = p->now->number;
	enter(p, RELOAD_DRAIN);
	timer_set(p->loop, &p->reload.timer, TOLD_MS, on_told_too_late, p);
	child_each(p, give_child, p->now);
	parent_log_as(p, p->now);
	table_watch(p);
	activate_report(p, p->now);
	log_event(0, "reloaded", "generation=%u listeners=%u took=%lldms",
	    p->now->number, p->now->conf->listen.n,
	    (long long)(loop_msec() - p->reload.begun));
	drain_begin(p, old);
}

/* All are there for the first time. */
static void
begin_work(struct parent *p)
{
	p->now = p->next;
	p->next = NULL;
	p->number = p->now->number;
	p->started = true;
	enter(p, RELOAD_NONE);
	if (p->options->check) {
		fprintf(stderr, "configuration OK\n");
		parent_stop(p, 0);
		return;
	}
	child_each(p, give_child, p->now);
	table_watch(p);
	log_event(0, "started", "pid=%ld listeners=%u run=%s", (long)getpid(),
	    p->now->conf->listen.n, p->run);
	activate_report(p, p->now);
	notify_ready(p);
	if (p->told != -1) {
		(void)!write(p->told, "", 1);
		close(p->told);
		p->told = -1;
		/* From here on the log is all there is to read. */
		dup2(STDIN_FILENO, STDERR_FILENO);
	}
	reload_again(p);
}

static void
drain_deliver(struct child *ch, void *arg)
{
	if (ch->gen == arg && ch->kind == PROC_DELIVER)
		child_drain(ch);
}

/* Its numbers of actions are the new configuration's: who has the old one
 * must not hear them. */
void
reload_queue_gone(struct parent *p)
{
	struct child *queue = child_queue(p);

	enter(p, RELOAD_QUEUE);
	child_each(p, drain_deliver, p->now);
	queue->gen = p->next;
	child_start(queue);
}

static void
change_queue(struct parent *p)
{
	const char *why = generation_listen(p, p->next);
	struct child *queue = child_queue(p);

	if (why != NULL) {
		reload_fail(p, "%s", why);
		return;
	}
	enter(p, RELOAD_STOP);
	if (queue->state == CHILD_DOWN) {
		timer_clear(&queue->timer);
		reload_queue_gone(p);
	} else
		child_stop(queue);
}

static void
count_absent(struct child *ch, void *arg)
{
	unsigned int *n = arg;

	*n += ch->gen == ch->parent->next && ch->state != CHILD_READY;
}

void
reload_ready(struct parent *p)
{
	unsigned int n = 0;

	child_each(p, count_absent, &n);
	if (n > 0 || p->stopping)
		return;
	if (p->now == NULL)
		begin_work(p);
	else if (p->reload.step == RELOAD_START)
		change_queue(p);
	else if (p->reload.step == RELOAD_QUEUE)
		take_over(p);
}

/* ---- it cannot be ---- */

/* Whose queue it was has it again. */
static void
give_queue_back(struct parent *p)
{
	struct child *queue = child_queue(p);

	queue->gen = p->now;
	if (queue->state == CHILD_DOWN)
		child_start(queue);
	else
		child_kill(queue);
}

void
reload_fail(struct parent *p, const char *fmt, ...)
{
	struct generation *g = p->next;
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!p->started) {
		/* Whoever typed the command reads this. */
		fprintf(stderr, "%s\n", text);
		parent_stop(p, 1);
		return;
	}
	if (p->stopping || g == NULL)
		return;
	buf_printf(&p->reload.why, "%s\n", text);
	p->next = NULL;
	if (child_queue(p)->gen == g)
		give_queue_back(p);
	drain_dismiss(p, g);
	/* Those that were told that they are old. */
	child_fill(p, p->now);
	reload_over(p, false);
}

/* ---- begin and end ---- */

void
reload_over(struct parent *p, bool done)
{
	enter(p, RELOAD_NONE);
	if (done)
		notify_ready(p);
	else {
		reload_log_why(p);
		notify_not_reloaded(p);
	}
	ask_answer(p, done);
	reload_again(p);
}

static void
load(struct parent *p)
{
	const char *why;

	p->next = generation_load(p, &p->reload.why);
	if (p->next == NULL) {
		reload_over(p, false);
		return;
	}
	reload_log_doubts(p);
	enter(p, RELOAD_START);
	why = generation_bind(p, p->next);
	if (why != NULL)
		reload_fail(p, "%s", why);
	else
		child_fill(p, p->next);
}

void
reload_again(struct parent *p)
{
	struct reload *r = &p->reload;

	if (!r->wanted || r->step != RELOAD_NONE || !p->started ||
	    p->stopping || !drain_room(p))
		return;
	r->wanted = false;
	r->begun = loop_msec();
	buf_drain(&r->why, r->why.len);
	ask_begin(p);
	notify_reloading(p);
	enter(p, RELOAD_CHECK);
	if (!upgrade_begin(p))
		load(p);
}

void
reload_ask(struct parent *p, const char *by)
{
	log_event(0, "reload-asked", "by=%s", by);
	p->reload.wanted = true;
	reload_again(p);
}

void
reload_first(struct parent *p)
{
	enter(p, RELOAD_START);
	timer_clear(&p->reload.timer); /* a start may take its time */
	child_fill(p, p->next);
}
