/*
 * smtpctl(8) show status, show routes: how the whole is doing.
 *
 * SPDX-License-Identifier: ISC
 */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "grey_store.h"
#include "num.h"
#include "smtpctl.h"
#include "smtpctl_print.h"

/* ---- routes ---- */

/* When it is tried next, or may have more by its rate; 0: now. */
static int64_t
way_next(const struct index_way *w, int64_t now)
{
	if (w->next != 0)
		return w->next;
	return w->ready > now ? w->ready : 0;
}

/* Its row stands for what it was sent lately, and for nothing else. */
static bool
way_well(const struct index_way *w, bool held, int64_t now)
{
	return w->n_marks > 0 && !held && way_next(w, now) == 0 &&
	    w->failures == 0;
}

static const char *
way_state(const struct index_way *w, bool held, int64_t now)
{
	if (held)
		return "held";
	if (w->next != 0 && !w->paused)
		return "down";
	return way_next(w, now) != 0 ? "slow" : "up";
}

static void
way_json(struct smtpctl *c, const struct index_way *w, bool held, int64_t now)
{
	struct buf *b = &c->out;

	json_member(b, "{", "route", w->route);
	json_member(b, ",", "state", way_state(w, held, now));
	json_bool(b, ",", "held", held);
	json_number(b, ",", "failures", w->failures);
	json_time(b, ",", "since", w->since);
	json_time(b, ",", "next", way_next(w, now));
	json_outcome(b, ",", "last", &w->last);
	buf_puts(b, "}\n");
}

static void
way_text(struct smtpctl *c, const struct index_way *w, bool held, int64_t now)
{
	char span[PRINT_TIME], about[PRINT_ABOUT];
	char last[OUTCOME_TEXT_MAX + 64];
	int64_t next = way_next(w, now);
	struct buf *b = &c->out;

	print_column(b, w->route, 32);
	print_column(b, way_state(w, held, now), 5);
	snprintf(last, sizeof last, "%u", w->failures);
	print_column(b, last, 8);
	print_column(b, w->since == 0 ? "-" : print_span(now - w->since, span),
	    7);
	print_column(b,
	    next == 0       ? "-" :
		next <= now ? "now" :
			      print_span(next - now, span),
	    7);
	print_column(b, print_about(&w->last, about), 18);
	print_text(b, outcome_print(&w->last, last, sizeof last));
	buf_puts(b, "\n");
}

int
show_routes(struct smtpctl *c, int argc, char **argv)
{
	struct index_cursor cur = { 0 };
	int64_t now = (int64_t)time(NULL);
	struct index_way w;
	struct index *ix;
	const char *why;
	bool ok, held;
	int status;

	(void)argv;
	if (argc > 0)
		return smtpctl_usage(c, NULL);
	if ((status = smtpctl_enter(c)) != 0)
		return status;
	if ((ix = index_read(".", &why)) == NULL) {
		warnx("the index is not to be used (%s), and only it knows routes",
		    why);
		return EX_TEMPFAIL;
	}
	if (!c->json)
		buf_puts(&c->out,
		    "ROUTE                            STATE FAILURES SINCE   NEXT    CAUSE              LAST REPLY\n");
	while (index_walk_way(ix, &cur, &w) == INDEX_OK) {
		held = route_held(ix, w.route);
		if (way_well(&w, held, now))
			continue;
		if (c->json)
			way_json(c, &w, held, now);
		else
			way_text(c, &w, held, now);
	}
	index_close(&ix);
	ok = smtpctl_flush(c);
	buf_free(&c->out);
	return ok ? EX_OK : EX_IOERR;
}

/* ---- status ---- */

struct status {
	bool running;
	pid_t pid;           /* 0: not known */
	bool has_generation; /* the next three are known */
	uint32_t generation, draining;
	int64_t loaded;
	bool has_queue; /* jobs is known */
	uint64_t jobs;
	bool has_index; /* the rest is known */
	uint64_t messages, rcpts, routes_down, routes_slow;
	uint64_t triplets, networks; /* of greylisting */
	bool paused;
};

/* The process that smtpd.pid names, 0 if it cannot be known. */
static pid_t
daemon_pid(const struct smtpctl *c)
{
	char text[32] = "";
	uint64_t pid = 0;
	FILE *f;

	if ((f = fopen(c->pid, "re")) == NULL)
		return 0;
	if (fgets(text, sizeof text, f) != NULL)
		text[strcspn(text, "\n")] = '\0';
	fclose(f);
	if (num_parse(text, 2, INT32_MAX, &pid) != NULL)
		return 0;
	return (pid_t)pid;
}

static int
ask_daemon(struct smtpctl *c, struct status *s)
{
	struct ctl_ask ask = { .verb = CTL_STATUS, .n = CONF_NONE };
	struct parent_is parent;
	struct ctl_is is;
	int status;

	if ((status = smtpctl_connect(c)) != 0)
		return status == EX_NOPERM ? status : 0;
	if (smtpctl_ask(c, &ask, &is) != 0)
		return 0;
	if (is.outcome.verdict == NEVER) {
		warnx("%s", is.outcome.text);
		return EX_NOPERM;
	}
	s->running = true;
	s->pid = daemon_pid(c);
	s->has_queue = is.outcome.verdict == DONE;
	if (!s->has_queue)
		warnx("%s", is.outcome.text);
	s->jobs = is.in_flight;
	if (smtpctl_parent(c, PARENT_STATUS, "", 0, &parent) == 0 &&
	    parent.outcome.verdict == DONE) {
		s->has_generation = true;
		s->generation = parent.generation;
		s->loaded = parent.loaded;
		s->draining = parent.draining;
	}
	return 0;
}

static void
ask_index(struct status *s)
{
	struct index_cursor cur = { 0 };
	int64_t now = (int64_t)time(NULL);
	struct index_way w;
	struct index *ix;
	const char *why;
	char text[64];

	if ((ix = index_read(".", &why)) == NULL) {
		warnx("the index is not to be used: %s", why);
		return;
	}
	s->has_index = true;
	index_count(ix, &s->messages, &s->rcpts);
	s->paused = index_fact_get(ix, "pause", text, sizeof text);
	while (index_walk_way(ix, &cur, &w) == INDEX_OK) {
		if (w.next != 0 && !w.paused)
			s->routes_down++;
		else
			s->routes_slow += way_next(&w, now) != 0;
	}
	grey_count(ix, &s->triplets, &s->networks);
	index_close(&ix);
}

static void
status_json(struct buf *b, const struct status *s)
{
	json_bool(b, "{", "running", s->running);
	if (s->pid != 0)
		json_number(b, ",", "pid", (uint64_t)s->pid);
	if (s->has_generation) {
		json_number(b, ",", "generation", s->generation);
		json_number(b, ",", "loaded", (uint64_t)s->loaded);
		json_number(b, ",", "draining", s->draining);
	}
	if (s->has_queue)
		json_number(b, ",", "jobs", s->jobs);
	if (s->has_index) {
		json_number(b, ",", "messages", s->messages);
		json_number(b, ",", "recipients", s->rcpts);
		json_bool(b, ",", "paused", s->paused);
		json_number(b, ",", "routes_down", s->routes_down);
		json_number(b, ",", "routes_slow", s->routes_slow);
		json_number(b, ",", "greylist_triplets", s->triplets);
		json_number(b, ",", "greylist_networks", s->networks);
	}
	buf_puts(b, "}\n");
}

static void
generation_text(struct buf *b, const struct status *s)
{
	time_t loaded = (time_t)s->loaded;
	char when[64] = "";
	struct tm tm;

	if (localtime_r(&loaded, &tm) != NULL)
		strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
	buf_printf(b, "configuration: generation %u, loaded %s\n",
	    s->generation, when);
	if (s->draining != 0)
		buf_printf(b, "processes of older generations: %u\n",
		    s->draining);
}

static void
status_text(struct buf *b, const struct status *s)
{
	if (!s->running)
		buf_puts(b, "smtpd: not running\n");
	else if (s->pid == 0)
		buf_puts(b, "smtpd: running\n");
	else
		buf_printf(b, "smtpd: running, process %ld\n", (long)s->pid);
	if (s->has_generation)
		generation_text(b, s);
	if (s->has_index) {
		buf_printf(b, "queue: %llu messages, %llu recipients wait\n",
		    (unsigned long long)s->messages,
		    (unsigned long long)s->rcpts);
		buf_printf(b, "deliveries: %s\n",
		    s->paused ? "paused" : "not paused");
		buf_printf(b, "routes down: %llu\n",
		    (unsigned long long)s->routes_down);
		buf_printf(b, "routes that wait by a rate: %llu\n",
		    (unsigned long long)s->routes_slow);
	}
	if (s->triplets + s->networks > 0)
		buf_printf(b, "greylist: %llu triplets, %llu networks\n",
		    (unsigned long long)s->triplets,
		    (unsigned long long)s->networks);
	if (s->has_queue)
		buf_printf(b, "deliveries under way: %llu\n",
		    (unsigned long long)s->jobs);
}

int
show_status(struct smtpctl *c, int argc, char **argv)
{
	struct status s = { 0 };
	int status;
	bool ok;

	(void)argv;
	if (argc > 0)
		return smtpctl_usage(c, NULL);
	/* The socket is outside of the spool: first. */
	if ((status = ask_daemon(c, &s)) != 0 ||
	    (status = smtpctl_enter(c)) != 0)
		return status;
	ask_index(&s);
	if (c->json)
		status_json(&c->out, &s);
	else
		status_text(&c->out, &s);
	ok = smtpctl_flush(c);
	buf_free(&c->out);
	if (!ok)
		return EX_IOERR;
	/* Scripts wait until it is at work by this. */
	return s.has_queue ? EX_OK : EX_TEMPFAIL;
}
