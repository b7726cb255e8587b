/*
 * What smtpctl asks of the parent, by way of control: to reload, to read a
 * table again, how it stands, to stop.  Runs in the parent; believes control
 * only as far as the message table goes.
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>

#include "log.h"
#include "parent.h"

/* ---- answers ---- */

static void
fill(struct parent *p, struct parent_is *is)
{
	memset(is, 0, sizeof *is);
	outcome_set(&is->outcome, DONE, WIDTH_MESSAGE, 0, "2.0.0", "done");
	is->generation = p->now->number;
	is->loaded = p->now->loaded;
	is->draining = drain_count(p);
}

/* The lines from byte `from` on, as many as fit. */
static void
fill_why(const struct parent *p, struct parent_is *is, uint32_t from)
{
	const struct buf *why = &p->reload.why;
	size_t n;

	is->size = (uint32_t)why->len;
	if (from >= why->len)
		return;
	n = why->len - from;
	if (n > sizeof is->text - 1)
		n = sizeof is->text - 1;
	memcpy(is->text, buf_data(why) + from, n);
}

static void
refuse(struct parent_is *is, enum verdict v, const char *ecode,
    const char *text)
{
	outcome_set(&is->outcome, v, WIDTH_MESSAGE, 0, ecode, "%s", text);
}

/* ---- who waits for a reload ---- */

static bool
add_asker(struct parent *p, struct child *ch, uint64_t id)
{
	struct reload *r = &p->reload;

	if (r->n_askers == ASKERS_MAX)
		return false;
	r->asker[r->n_askers++] = (struct asker){ .ch = ch,
		.pid = ch->pid,
		.id = id,
		.late = r->step != RELOAD_NONE };
	return true;
}

void
ask_begin(struct parent *p)
{
	size_t i;

	for (i = 0; i < p->reload.n_askers; i++)
		p->reload.asker[i].late = false;
}

void
ask_answer(struct parent *p, bool done)
{
	struct reload *r = &p->reload;
	struct parent_is is;
	size_t i, kept = 0;

	fill(p, &is);
	if (!done) {
		refuse(&is, NEVER, "5.3.5",
		    "nothing has changed, for the configuration cannot be used");
		fill_why(p, &is, 0);
	}
	for (i = 0; i < r->n_askers; i++) {
		if (r->asker[i].late)
			r->asker[kept++] = r->asker[i];
		else if (r->asker[i].ch->pid == r->asker[i].pid)
			parent_is_send(&r->asker[i].ch->chan, r->asker[i].id,
			    &is, -1);
	}
	r->n_askers = kept;
}

void
ask_end(struct parent *p, enum verdict v, const char *ecode, const char *text)
{
	struct parent_is is;
	size_t i;

	if (p->now == NULL)
		return;
	fill(p, &is);
	refuse(&is, v, ecode, text);
	for (i = 0; i < p->reload.n_askers; i++) {
		if (p->reload.asker[i].ch->pid == p->reload.asker[i].pid)
			parent_is_send(&p->reload.asker[i].ch->chan,
			    p->reload.asker[i].id, &is, -1);
	}
	p->reload.n_askers = 0;
}

/* ---- questions ---- */

/* True: it is answered later. */
static bool
do_reload(struct child *ch, uint64_t id, const struct parent_ask *ask,
    struct parent_is *is)
{
	(void)ask;
	if (ch->parent->stopping) {
		refuse(is, LATER, "4.3.2", "smtpd is stopping");
		return false;
	}
	if (!add_asker(ch->parent, ch, id)) {
		refuse(is, LATER, "4.3.2", "too many wait for a reload");
		return false;
	}
	reload_ask(ch->parent, "smtpctl");
	return true;
}

static bool
do_update(struct child *ch, uint64_t id, const struct parent_ask *ask,
    struct parent_is *is)
{
	const char *why = table_update(ch->parent, ask->text);

	(void)id;
	if (why != NULL)
		refuse(is, NEVER, "5.3.5", why);
	return false;
}

static bool
do_status(struct child *ch, uint64_t id, const struct parent_ask *ask,
    struct parent_is *is)
{
	(void)ch;
	(void)id;
	(void)ask;
	(void)is;
	return false;
}

static bool
do_why(struct child *ch, uint64_t id, const struct parent_ask *ask,
    struct parent_is *is)
{
	(void)id;
	fill_why(ch->parent, is, ask->from);
	return false;
}

/* By enum parent_verb. */
static bool (*const verbs[])(struct child *ch, uint64_t id,
    const struct parent_ask *ask, struct parent_is *is) = {
	[PARENT_RELOAD] = do_reload,
	[PARENT_UPDATE] = do_update,
	[PARENT_STATUS] = do_status,
	[PARENT_WHY] = do_why,
};

#define N_VERBS (sizeof verbs / sizeof verbs[0])

/* The self of a child's channel is the child. */
void
on_parent_ask(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct child *ch = self;
	const struct parent_ask *ask = msg->body;
	struct parent_is is;

	memset(&is, 0, sizeof is);
	if (ch->parent->now == NULL)
		refuse(&is, LATER, "4.3.2", "smtpd is starting");
	else if (ask->verb >= N_VERBS || verbs[ask->verb] == NULL) {
		fill(ch->parent, &is);
		refuse(&is, NEVER, "5.5.1", "no such command");
	} else {
		fill(ch->parent, &is);
		if (verbs[ask->verb](ch, msg->id, ask, &is))
			return;
	}
	parent_is_send(from, msg->id, &is, -1);
}

void
on_ctl_stop(void *self, struct ipc_chan *from, struct ipc_msg *msg)
{
	struct child *ch = self;

	(void)from;
	(void)msg;
	log_event(0, "stop-asked", "by=smtpctl");
	parent_stop(ch->parent, 0);
}
