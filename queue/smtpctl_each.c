/*
 * smtpctl(8): what is asked of the daemon about recipients that only a look at
 * the spool can name.  Reads the index, or the files where there is none, and
 * then asks about one recipient after the other; what came meanwhile is left
 * out.
 *
 * SPDX-License-Identifier: ISC
 */
#include <err.h>
#include <string.h>

#include "smtpctl.h"

#define BATCH    1000           /* rows looked at in one snapshot */
#define EACH_MAX (16 * 1000000) /* bytes of recipients */

struct one {
	uint64_t id;
	uint32_t n;
};

struct each {
	const struct selector *sel;
	struct index_msg msg; /* the last one looked at */
	struct buf found;     /* struct one */
	bool full;
};

static void
look(struct each *e, const struct index_rcpt *r)
{
	struct one one;

	memset(&one, 0, sizeof one);
	one.id = r->id;
	one.n = r->n;
	if (selector_match(e->sel, &e->msg, r) &&
	    !buf_add(&e->found, &one, sizeof one))
		e->full = true;
}

static bool
file_rcpts(void *arg, const struct message *m)
{
	struct each *e = arg;
	struct index_rcpt r;
	uint32_t n;

	message_row(m, &e->msg);
	for (n = 0; n < m->head.n_rcpt; n++) {
		message_rcpt_row(m, n, &r);
		look(e, &r);
	}
	return !e->full;
}

/* Rows that went since the key was read are not errors. */
static void
index_rcpts(struct each *e, struct index *ix)
{
	struct index_cursor cur = { 0 };
	unsigned int looked = 0;
	struct index_rcpt r;
	uint64_t id;
	uint32_t n;

	while (!e->full && index_walk(ix, &cur, &id, &n) == INDEX_OK) {
		if ((e->msg.id == id ||
			index_get_msg(ix, id, &e->msg) == INDEX_OK) &&
		    index_get_rcpt(ix, id, n, &r) == INDEX_OK)
			look(e, &r);
		if (++looked % BATCH == 0)
			index_renew(ix);
	}
}

static int
find(struct smtpctl *c, struct each *e)
{
	struct index *ix;
	const char *why;
	int status;

	if ((status = smtpctl_enter(c)) != 0)
		return status;
	if ((ix = index_read(".", &why)) == NULL)
		message_walk(file_rcpts, e);
	else
		index_rcpts(e, ix);
	index_close(&ix);
	if (e->full)
		warnx("too many at once: the first %zu of them",
		    e->found.len / sizeof(struct one));
	return 0;
}

int
smtpctl_ask_each(struct smtpctl *c, const struct selector *sel,
    struct ctl_ask *ask, struct ctl_is *is)
{
	struct each e = { .sel = sel };
	struct ctl_is sum;
	struct one one;
	int status;

	memset(&sum, 0, sizeof sum);
	outcome_set(&sum.outcome, DONE, WIDTH_RCPT, 250, "2.0.0", "done");
	buf_init(&e.found, EACH_MAX);
	/* From the spool no socket is to be seen. */
	if ((status = smtpctl_reach(c)) == 0)
		status = find(c, &e);
	for (ask->by = CTL_BY_ID; status == 0 && e.found.len > 0;
	     buf_drain(&e.found, sizeof one)) {
		memcpy(&one, buf_data(&e.found), sizeof one);
		ask->id = one.id;
		ask->n = one.n;
		if ((status = smtpctl_ask(c, ask, is)) != 0)
			break;
		sum.matched += is->matched;
		sum.changed += is->changed;
		sum.in_flight += is->in_flight;
		if (is->outcome.verdict != DONE)
			sum.outcome = is->outcome;
	}
	buf_free(&e.found);
	*is = sum;
	return status;
}
