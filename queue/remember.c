/*
 * What goes into the history: a message that came, each attempt, what it
 * became.  Runs in the queue process; decides nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include "queue.h"

#include <stdio.h>
#include <string.h>

#include <bsd/string.h>

#include "history.h"
#include "log.h"

void
remember_start(struct queue *qu, const char *dir)
{
	const struct conf *c = qu->p.conf;
	const char *why = NULL;

	if (c->history_keep == 0)
		return;
	qu->history = history_open(qu->p.loop, dir, c->history_keep,
	    c->history_size, &why);
	if (qu->history == NULL)
		log_warn("history", "cannot be opened: error=%s", q(why));
}

void
remember_stop(struct queue *qu)
{
	history_close(&qu->history);
}

/* Who brought it: his name and address, or the local user. */
static void
print_client(const struct facts *f, char *out, size_t size)
{
	if ((f->flags & FACT_OURS) != 0)
		strlcpy(out, "ourselves", size);
	else if ((f->flags & FACT_SOCKET) != 0)
		snprintf(out, size, "uid %u", f->uid);
	else {
		strlcpy(out, f->rdns, size);
		strlcat(out, "[", size);
		strlcat(out, f->client, size);
		strlcat(out, "]", size);
	}
}

void
remember_accepted(struct queue *qu, const struct head *h,
    const struct trailer *t)
{
	struct history_row row;

	if (qu->history == NULL)
		return;
	memset(&row, 0, sizeof row);
	row.when = h->arrived;
	row.id = h->id;
	row.n = HISTORY_WHOLE;
	row.event = HISTORY_ACCEPTED;
	row.attempts = h->n_rcpt;
	row.size = t->content;
	strlcpy(row.from, h->sender, sizeof row.from);
	print_client(&h->facts, row.client, sizeof row.client);
	history_add(qu->history, &row);
}

void
remember_held(struct queue *qu, const struct head *h)
{
	struct history_row row;

	if (qu->history == NULL)
		return;
	memset(&row, 0, sizeof row);
	row.when = now_usec();
	row.id = h->id;
	row.n = HISTORY_WHOLE;
	row.event = HISTORY_HELD;
	strlcpy(row.from, h->sender, sizeof row.from);
	history_add(qu->history, &row);
}

/* Of a recipient. */
static void
fill_rcpt(const struct rcpt *r, enum history_event event,
    struct history_row *row)
{
	memset(row, 0, sizeof *row);
	row->when = now_usec();
	row->id = r->msg->id;
	row->n = r->n;
	row->event = event;
	row->attempts = r->attempts;
	strlcpy(row->from, r->msg->sender, sizeof row->from);
	strlcpy(row->to, rcpt_target(r), sizeof row->to);
	if (r->target != NULL)
		strlcpy(row->orig_to, r->addr, sizeof row->orig_to);
}

void
remember_result(struct queue *qu, const struct rcpt *r, const struct way *w,
    const struct result *result)
{
	struct history_row row;

	if (qu->history == NULL)
		return;
	fill_rcpt(r, HISTORY_DELIVERY, &row);
	if (w != NULL)
		strlcpy(row.route, w->route, sizeof row.route);
	strlcpy(row.relay, result->relay, sizeof row.relay);
	strlcpy(row.tls, result->tls, sizeof row.tls);
	row.last = *result->outcome;
	history_add(qu->history, &row);
}

void
remember_became(struct queue *qu, const struct rcpt *r,
    enum history_event event, uint64_t other)
{
	struct history_row row;

	if (qu->history == NULL)
		return;
	fill_rcpt(r, event, &row);
	row.other = other;
	history_add(qu->history, &row);
}
