/*
 * Our names by address, as lookup has them.  Used by deliver.  Never makes up
 * a name while lookup is silent.
 *
 * SPDX-License-Identifier: ISC
 */
#include "helo.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <bsd/string.h>

#include "deliver.h"
#include "log.h"
#include "relay.h"

/* Of one address of one action; those without waiters go when there are too
 * many, the longest unused first. */
struct helo {
	TAILQ_ENTRY(helo) entry;
	struct helos *helos;
	uint32_t action;
	char ours[IP_TEXT_MAX + 1];
	TAILQ_HEAD(, helo_wait) waits;
	struct ipc_req req;
	const char *name; /* NULL: not known */
	msec until;
};

struct helos {
	struct deliver *d;
	TAILQ_HEAD(helo_list, helo) all; /* used last: at the end */
	unsigned int n;
	char **name; /* each once: connections outlive the tables */
	unsigned int n_names;
};

struct helos *
helos_new(struct deliver *d)
{
	struct helos *h = xcalloc(1, sizeof *h);

	h->d = d;
	TAILQ_INIT(&h->all);
	return h;
}

static void
one_free(struct helo *o)
{
	struct helo_wait *w;

	while ((w = TAILQ_FIRST(&o->waits)) != NULL)
		helo_cancel(w);
	ipc_cancel(&o->req);
	TAILQ_REMOVE(&o->helos->all, o, entry);
	o->helos->n--;
	free(o);
}

void
helos_free(struct helos **h)
{
	struct helo *o;

	if (*h == NULL)
		return;
	while ((o = TAILQ_FIRST(&(*h)->all)) != NULL)
		one_free(o);
	while ((*h)->n_names > 0)
		free((*h)->name[--(*h)->n_names]);
	free((*h)->name);
	free(*h);
	*h = NULL;
}

/* ---- names ---- */

static const char *
name_find(const struct helos *h, const char *name)
{
	unsigned int i;

	for (i = 0; i < h->n_names; i++) {
		if (strcasecmp(h->name[i], name) == 0)
			return h->name[i];
	}
	return NULL;
}

/* NULL: there are too many. */
static const char *
name_keep(struct helos *h, const char *name)
{
	const char *have = name_find(h, name);
	size_t size = strlen(name) + 1;

	if (name[0] == '\0')
		return "";
	if (have != NULL || h->n_names == HELO_NAMES)
		return have;
	h->name = xrealloc(h->name, h->n_names + 1, sizeof *h->name);
	h->name[h->n_names] = xcalloc(1, size);
	memcpy(h->name[h->n_names], name, size);
	return h->name[h->n_names++];
}

bool
helo_is_ours(const struct helos *h, const char *name)
{
	return name_find(h, name) != NULL;
}

/* ---- questions ---- */

static void
make_room(struct helos *h)
{
	struct helo *o, *next;

	for (o = TAILQ_FIRST(&h->all); o != NULL && h->n >= HELO_ADDRS;
	     o = next) {
		next = TAILQ_NEXT(o, entry);
		if (TAILQ_EMPTY(&o->waits))
			one_free(o);
	}
}

static struct helo *
one_of(struct helos *h, uint32_t action, const char *ours)
{
	struct helo *o;

	TAILQ_FOREACH_REVERSE(o, &h->all, helo_list, entry)
	{
		if (o->action == action && strcmp(o->ours, ours) == 0)
			break;
	}
	if (o != NULL) {
		TAILQ_REMOVE(&h->all, o, entry);
		TAILQ_INSERT_TAIL(&h->all, o, entry);
		return o;
	}
	make_room(h);
	o = xcalloc(1, sizeof *o);
	o->helos = h;
	o->action = action;
	strlcpy(o->ours, ours, sizeof o->ours);
	TAILQ_INIT(&o->waits);
	TAILQ_INSERT_TAIL(&h->all, o, entry);
	h->n++;
	return o;
}

static void ask(struct helo *o);

/* Tells those who wait now: who comes in a callback has a question of his
 * own. */
static void
tell(struct helo *o, const struct outcome *why)
{
	struct helo_wait *w;
	size_t n = 0;

	TAILQ_FOREACH(w, &o->waits, entry)
		n++;
	for (; n > 0 && (w = TAILQ_FIRST(&o->waits)) != NULL; n--) {
		helo_cancel(w);
		w->fn(w->arg, why == NULL ? o->name : NULL, why);
	}
	if (!TAILQ_EMPTY(&o->waits))
		ask(o);
}

static void
on_answer(void *arg, struct ipc_msg *answer)
{
	const struct helo_is *m = answer == NULL ? NULL : answer->body;
	struct helo *o = arg;
	struct outcome why;

	o->name = NULL;
	if (m != NULL && m->outcome.verdict == DONE &&
	    (o->name = name_keep(o->helos, m->name)) != NULL) {
		o->until = loop_msec() + (msec)RELAY_KEEP * 1000;
		tell(o, NULL);
		return;
	}
	outcome_set(&why, LATER, WIDTH_SITE, 0, "4.3.0",
	    "our name for %s is not known: %s", o->ours,
	    m == NULL                      ? "no answer from lookup" :
		m->outcome.verdict == DONE ? "there are too many names" :
					     m->outcome.text);
	outcome_of_us(&why, CAUSE_CONFIG, STAGE_LOOKUP);
	tell(o, &why);
}

static void
ask(struct helo *o)
{
	struct proc *p = o->helos->d->p;
	struct ipc_chan *lookup = proc_chan(p, PROC_LOOKUP, o->action);
	struct helo_ask m;

	if (o->req.chan != NULL)
		return;
	if (lookup == NULL) {
		on_answer(o, NULL);
		return;
	}
	memset(&m, 0, sizeof m);
	m.action = o->action;
	strlcpy(m.ours, o->ours, sizeof m.ours);
	helo_ask_ask(lookup, &o->req, &m, on_answer, o, RELAY_WAIT_MS);
}

static void
on_soon(void *arg)
{
	struct helo_wait *w = arg;
	struct helo *o = w->helo;

	if (o->name != NULL && loop_msec() < o->until) {
		helo_cancel(w);
		w->fn(w->arg, o->name, NULL);
		return;
	}
	ask(o);
}

void
helo_find(struct helos *h, struct helo_wait *w, uint32_t action,
    const char *ours, helo_fn *fn, void *arg)
{
	assert(!w->open);
	w->helo = one_of(h, action, ours);
	w->fn = fn;
	w->arg = arg;
	w->open = true;
	TAILQ_INSERT_TAIL(&w->helo->waits, w, entry);
	timer_set(h->d->p->loop, &w->soon, 0, on_soon, w);
}

void
helo_cancel(struct helo_wait *w)
{
	timer_clear(&w->soon);
	if (w->open)
		TAILQ_REMOVE(&w->helo->waits, w, entry);
	w->open = false;
}
