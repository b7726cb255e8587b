/*
 * Rates of destinations, in the queue process.  Does no input or output.
 *
 * SPDX-License-Identifier: ISC
 */
#include "rate.h"

#include <string.h>

/* Messages of one mark. */
static uint32_t
share(const struct rate *r)
{
	return r->max / RATE_MARKS + (r->max % RATE_MARKS != 0);
}

static void
drop_first(struct rate *r)
{
	r->sum -= r->mark[0].n;
	r->n--;
	memmove(r->mark, r->mark + 1, r->n * sizeof r->mark[0]);
}

/* The clock went back: the past keeps its shape and ends now. */
static void
follow_clock(struct rate *r, int64_t now)
{
	int64_t ahead = r->n == 0 ? 0 : r->mark[r->n - 1].at - now;
	uint32_t i;

	for (i = 0; ahead > 0 && i < r->n; i++)
		r->mark[i].at -= ahead;
}

static void
expire(struct rate *r, int64_t now)
{
	follow_clock(r, now);
	while (r->n > 0 && r->mark[0].at + r->window <= now)
		drop_first(r);
}

void
rate_init(struct rate *r, uint32_t max, uint32_t per)
{
	*r = (struct rate){ .max = max, .window = (int64_t)per * 1000 };
}

uint32_t
rate_left(struct rate *r, int64_t now)
{
	expire(r, now);
	return r->sum >= r->max ? 0 : r->max - r->sum;
}

int64_t
rate_next(struct rate *r, int64_t now)
{
	uint32_t i, sum;

	if (rate_left(r, now) > 0)
		return now;
	/* A configuration that allows less may need several to leave. */
	sum = r->sum;
	for (i = 0; i < r->n; i++) {
		sum -= r->mark[i].n;
		if (sum < r->max)
			return r->mark[i].at + r->window;
	}
	return now + r->window;
}

/* A place behind the last: the two oldest become one, as late as the later. */
static void
make_room(struct rate *r)
{
	if (r->n < RATE_MARKS)
		return;
	r->mark[1].n += r->mark[0].n;
	r->n--;
	memmove(r->mark, r->mark + 1, r->n * sizeof r->mark[0]);
}

bool
rate_add(struct rate *r, int64_t now)
{
	expire(r, now);
	r->sum++;
	if (r->n > 0 && r->mark[r->n - 1].n < share(r)) {
		r->mark[r->n - 1].n++;
		r->mark[r->n - 1].at = now;
		return false;
	}
	make_room(r);
	r->mark[r->n++] = (struct rate_mark){ .at = now, .n = 1 };
	return true;
}

uint32_t
rate_save(const struct rate *r, struct rate_mark out[RATE_MARKS])
{
	memcpy(out, r->mark, r->n * sizeof *out);
	if (r->n > 0 && out[r->n - 1].n < share(r))
		out[r->n - 1].n = share(r);
	return r->n;
}

void
rate_load(struct rate *r, const struct rate_mark *mark, uint32_t n, int64_t now)
{
	uint32_t i;

	r->n = n < RATE_MARKS ? n : RATE_MARKS;
	r->sum = 0;
	for (i = 0; i < r->n; i++) {
		r->mark[i].at = mark[i].at < now ? mark[i].at : now;
		r->mark[i].n = mark[i].n < r->max ? mark[i].n : r->max;
		r->sum += r->mark[i].n;
	}
	/* With marks of one message the last cannot have grown. */
	if (r->n > 0 && share(r) > 1)
		r->mark[r->n - 1].at = now;
	expire(r, now);
}

void
rate_assume(struct rate *r, int64_t now)
{
	uint32_t left = r->max, all = left / share(r) + (left % share(r) != 0);
	struct rate_mark *m;

	r->n = r->sum = 0;
	while (left > 0) {
		m = &r->mark[r->n++];
		m->n = left < share(r) ? left : share(r);
		left -= m->n;
		r->sum += m->n;
		/* The last one just now, those before it evenly. */
		m->at = now - (int64_t)(all - r->n) * (r->window / all);
		if (m->at < 0)
			m->at = 0;
	}
	expire(r, now);
}

bool
rate_empty(struct rate *r, int64_t now)
{
	expire(r, now);
	return r->n == 0;
}
