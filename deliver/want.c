/*
 * The wish for jobs.  Used by deliver.  Never wants more than its descriptors
 * can serve.
 *
 * SPDX-License-Identifier: ISC
 */
#include "want.h"

#include <string.h>

#include "job.h"

void
want_more(struct deliver *d)
{
	unsigned int have = d->n_jobs + d->asked;
	unsigned int most = d->max_jobs + d->n_slow;
	struct job_want m;

	if (most > d->most_jobs)
		most = d->most_jobs;
	if (!d->wanting || d->stopping || d->draining || have >= most)
		return;
	memset(&m, 0, sizeof m);
	m.n = most - have;
	d->asked += m.n;
	report_say(d->report, IPC_JOB_WANT, &m);
}

static void
on_look(void *arg)
{
	struct deliver *d = arg;
	msec now = loop_msec();
	struct job *j;

	TAILQ_FOREACH(j, &d->jobs, entry)
		job_look(j, now);
	if (d->n_jobs > 0)
		timer_set(d->p->loop, &d->look, WANT_LOOK_MS, on_look, d);
	want_more(d);
}

void
want_start(struct deliver *d)
{
	d->wanting = true;
	d->asked = 0;
	want_more(d);
}

void
want_stop(struct deliver *d)
{
	d->wanting = false;
	d->asked = 0;
}

void
want_came(struct deliver *d)
{
	if (d->asked > 0)
		d->asked--;
	if (d->n_jobs > 0 && !d->look.set)
		timer_set(d->p->loop, &d->look, WANT_LOOK_MS, on_look, d);
	want_more(d);
}
