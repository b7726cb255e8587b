/*
 * The messages to queue.  Used by deliver.  Never drops a result that queue
 * has not noted.
 *
 * SPDX-License-Identifier: ISC
 */
#include "report.h"

#include <sys/queue.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define UNREAD_MAX 1024 /* messages that queue may leave unread */
#define AGAIN_MS   20

struct item {
	TAILQ_ENTRY(item) entry;
	enum ipc_type type;
	union {
		struct job_want want;
		struct job_held held;
		struct job_listed listed;
		struct job_result result;
		struct job_signed sig;
		struct job_end end;
	} m[]; /* as much of it as the type needs */
};

TAILQ_HEAD(items, item);

struct report {
	struct loop *loop;
	struct ipc_chan *queue; /* NULL: away */
	struct items due;       /* to be said, in order */
	struct items said;      /* results not yet noted */
	struct timer again;
};

/* Columns: type, bytes. */
static const size_t sizes[IPC_TYPES] = {
	[IPC_JOB_WANT] = sizeof(struct job_want),
	[IPC_JOB_HELD] = sizeof(struct job_held),
	[IPC_JOB_LISTED] = sizeof(struct job_listed),
	[IPC_JOB_RESULT] = sizeof(struct job_result),
	[IPC_JOB_SIGNED] = sizeof(struct job_signed),
	[IPC_JOB_END] = sizeof(struct job_end),
};

static void
flush(void *arg)
{
	struct report *r = arg;
	struct item *i;

	while (r->queue != NULL && (i = TAILQ_FIRST(&r->due)) != NULL) {
		if (r->queue->n_out >= UNREAD_MAX ||
		    !ipc_send(r->queue, i->type, 0, i->m, -1)) {
			timer_set(r->loop, &r->again, AGAIN_MS, flush, r);
			return;
		}
		TAILQ_REMOVE(&r->due, i, entry);
		if (i->type == IPC_JOB_RESULT)
			TAILQ_INSERT_TAIL(&r->said, i, entry);
		else
			free(i);
	}
}

struct report *
report_new(struct loop *l)
{
	struct report *r = xcalloc(1, sizeof *r);

	r->loop = l;
	TAILQ_INIT(&r->due);
	TAILQ_INIT(&r->said);
	return r;
}

static void
items_free(struct items *list)
{
	struct item *i;

	while ((i = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, i, entry);
		free(i);
	}
}

void
report_free(struct report **r)
{
	if (*r == NULL)
		return;
	timer_clear(&(*r)->again);
	items_free(&(*r)->due);
	items_free(&(*r)->said);
	free(*r);
	*r = NULL;
}

/* Only results outlive a queue: the next one has nothing but the files. */
static void
keep_results(struct report *r)
{
	struct items keep = TAILQ_HEAD_INITIALIZER(keep);
	struct item *i;

	TAILQ_CONCAT(&r->said, &r->due, entry);
	while ((i = TAILQ_FIRST(&r->said)) != NULL) {
		TAILQ_REMOVE(&r->said, i, entry);
		if (i->type == IPC_JOB_RESULT)
			TAILQ_INSERT_TAIL(&keep, i, entry);
		else
			free(i);
	}
	TAILQ_CONCAT(&r->said, &keep, entry);
}

void
report_down(struct report *r)
{
	r->queue = NULL;
	timer_clear(&r->again);
	keep_results(r);
}

void
report_up(struct report *r, struct ipc_chan *queue)
{
	keep_results(r);
	r->queue = queue;
}

void
report_say(struct report *r, enum ipc_type type, const void *body)
{
	struct item *i;

	assert(sizes[type] != 0);
	if (r->queue == NULL && type != IPC_JOB_RESULT)
		return;
	i = xcalloc(1, offsetof(struct item, m) + sizes[type]);
	i->type = type;
	memcpy(i->m, body, sizes[type]);
	TAILQ_INSERT_TAIL(&r->due, i, entry);
	flush(r);
}

void
report_listed(struct report *r)
{
	struct job_listed m;

	/* Behind the held ones, before all that is still to happen. */
	TAILQ_CONCAT(&r->due, &r->said, entry);
	memset(&m, 0, sizeof m);
	report_say(r, IPC_JOB_LISTED, &m);
}

void
report_noted(struct report *r, const struct job_noted *m)
{
	struct item *i;

	/* Noted in the order in which they were said: mostly the first. */
	TAILQ_FOREACH(i, &r->said, entry) {
		if (i->m[0].result.job != m->job || i->m[0].result.n != m->n)
			continue;
		TAILQ_REMOVE(&r->said, i, entry);
		free(i);
		return;
	}
}

bool
report_empty(const struct report *r)
{
	return TAILQ_EMPTY(&r->due) && TAILQ_EMPTY(&r->said);
}
