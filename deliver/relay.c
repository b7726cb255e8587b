/*
 * Hosts and source addresses of actions, as lookup has them.  Used by
 * deliver.  Never takes lookup's silence for an empty list.
 *
 * SPDX-License-Identifier: ISC
 */
#include "relay.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "deliver.h"
#include "log.h"
#include "resolv.h"

TAILQ_HEAD(relay_waits, relay_wait);

/* Of one action. */
struct relay {
	struct relays *relays;
	uint32_t action;
	struct relay_waits waits;
	struct ipc_req req;
	bool known;
	msec until; /* known: asked again from then on */
	struct relay_info info;
	uint32_t turn;         /* of the source addresses */
	msec rest[RELAY_SRCS]; /* not before then */
};

struct relays {
	struct deliver *d;
	struct relay **action; /* by row of conf.action; NULL: never asked */
	uint32_t n;
};

struct relays *
relays_new(struct deliver *d)
{
	struct relays *r = xcalloc(1, sizeof *r);

	r->d = d;
	r->n = d->conf->action.n;
	r->action = xcalloc(r->n + 1, sizeof *r->action);
	return r;
}

static void
relay_free(struct relay *a)
{
	struct relay_wait *w;

	if (a == NULL)
		return;
	while ((w = TAILQ_FIRST(&a->waits)) != NULL)
		relay_cancel(w);
	ipc_cancel(&a->req);
	free(a);
}

void
relays_free(struct relays **r)
{
	uint32_t i;

	if (*r == NULL)
		return;
	for (i = 0; i < (*r)->n; i++)
		relay_free((*r)->action[i]);
	free((*r)->action);
	free(*r);
	*r = NULL;
}

static struct relay *
relay_of(struct relays *r, uint32_t action)
{
	struct relay *a;

	assert(action < r->n);
	if ((a = r->action[action]) != NULL)
		return a;
	a = r->action[action] = xcalloc(1, sizeof *a);
	a->relays = r;
	a->action = action;
	TAILQ_INIT(&a->waits);
	return a;
}

/* ---- the answer ---- */

/* Text number i of those that stand one behind the other; NULL: it is cut. */
static const char *
next_text(const struct relay_is *m, size_t *at)
{
	const char *p = m->text + *at;
	size_t left = sizeof m->text - *at, len = strnlen(p, left);

	if (len == left)
		return NULL;
	*at += len + 1;
	return p;
}

/* NULL, or why this is no answer to go by. */
static const char *
read_answer(const struct relay_is *m, struct relay_info *info)
{
	struct dns_server addr;
	const char *text, *why;
	size_t at = 0;
	uint32_t i;

	memset(info, 0, sizeof *info);
	if (m->n_host > RELAY_HOSTS || m->n_src > RELAY_SRCS)
		return "too many hosts or addresses";
	for (i = 0; i < m->n_host; i++) {
		if ((text = next_text(m, &at)) == NULL)
			return "a list of hosts that is cut off";
		if ((why = mx_url_parse(text, &info->host[i])) != NULL)
			return why;
	}
	info->n_host = m->n_host;
	for (i = 0; i < m->n_src; i++) {
		if ((text = next_text(m, &at)) == NULL)
			return "a list of addresses that is cut off";
		if (!resolv_address(slice_of(text), 0, &addr))
			return "a source that is no address";
		info->src[i] = addr.ss;
	}
	info->n_src = m->n_src;
	return NULL;
}

static bool
same_src(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

/* What was learned of addresses that are still there stays. */
static void
keep(struct relay *a, const struct relay_info *info)
{
	msec rest[RELAY_SRCS] = { 0 };
	uint32_t i, k;

	for (i = 0; i < info->n_src; i++) {
		for (k = 0; k < a->info.n_src; k++) {
			if (same_src(&info->src[i], &a->info.src[k]))
				rest[i] = a->rest[k];
		}
	}
	memcpy(a->rest, rest, sizeof rest);
	a->info = *info;
	a->known = true;
	a->until = loop_msec() + (msec)RELAY_KEEP * 1000;
}

static void ask(struct relay *a);

/* Tells those who wait now: who comes in a callback is not among them, and
 * has a question of his own. */
static void
tell(struct relay *a, const struct outcome *why)
{
	struct relay_wait *w;
	size_t n = 0;

	TAILQ_FOREACH(w, &a->waits, entry)
		n++;
	for (; n > 0 && (w = TAILQ_FIRST(&a->waits)) != NULL; n--) {
		relay_cancel(w);
		w->fn(w->arg, why == NULL ? &a->info : NULL, why);
	}
	if (!TAILQ_EMPTY(&a->waits))
		ask(a);
}

static void
on_answer(void *arg, struct ipc_msg *answer)
{
	const struct relay_is *m = answer == NULL ? NULL : answer->body;
	struct relay *a = arg;
	struct relay_info info;
	struct outcome o;
	const char *why;

	if (m == NULL) {
		outcome_set(&o, LATER, WIDTH_SITE, 0, "4.3.0",
		    "the hosts of the relay are not known: no answer from lookup");
	} else if (m->outcome.verdict != DONE) {
		o = m->outcome;
		o.verdict = LATER;
		o.width = WIDTH_SITE;
	} else if ((why = read_answer(m, &info)) != NULL) {
		outcome_set(&o, LATER, WIDTH_SITE, 0, "4.3.5",
		    "the hosts of the relay are not known: %s", why);
	} else {
		keep(a, &info);
		tell(a, NULL);
		return;
	}
	if (o.cause == CAUSE_NONE)
		outcome_of_us(&o, CAUSE_CONFIG, STAGE_LOOKUP);
	tell(a, &o);
}

static void
ask(struct relay *a)
{
	struct deliver *d = a->relays->d;
	struct ipc_chan *lookup;
	struct relay_ask m;

	if (a->req.chan != NULL)
		return;
	lookup = proc_chan(d->p, PROC_LOOKUP, a->action);
	if (lookup == NULL) {
		on_answer(a, NULL);
		return;
	}
	memset(&m, 0, sizeof m);
	m.action = a->action;
	relay_ask_ask(lookup, &a->req, &m, on_answer, a, RELAY_WAIT_MS);
}

/* ---- public ---- */

static void
on_soon(void *arg)
{
	struct relay_wait *w = arg;
	struct relay *a = relay_of(w->relays, w->action);

	if (a->known && loop_msec() < a->until) {
		w->fn(w->arg, &a->info, NULL);
		return;
	}
	w->open = true;
	TAILQ_INSERT_TAIL(&a->waits, w, entry);
	ask(a);
}

void
relay_find(struct relays *r, struct relay_wait *w, uint32_t action,
    relay_fn *fn, void *arg)
{
	assert(!w->open && !w->soon.set);
	w->relays = r;
	w->action = action;
	w->fn = fn;
	w->arg = arg;
	timer_set(r->d->p->loop, &w->soon, 0, on_soon, w);
}

void
relay_cancel(struct relay_wait *w)
{
	timer_clear(&w->soon);
	if (w->open)
		TAILQ_REMOVE(&relay_of(w->relays, w->action)->waits, w, entry);
	w->open = false;
}

uint32_t
relay_srcs(const struct relays *r, uint32_t action, int family)
{
	const struct relay *a = r->action[action];
	uint32_t i, n = 0;

	for (i = 0; a != NULL && i < a->info.n_src; i++)
		n += a->info.src[i].ss_family == family;
	return n;
}

bool
relay_src(struct relays *r, uint32_t action, int family, msec now,
    struct sockaddr_storage *src)
{
	struct relay *a = relay_of(r, action);
	uint32_t i, k;

	for (i = 0; i < a->info.n_src; i++) {
		k = (a->turn + i) % a->info.n_src;
		if (a->info.src[k].ss_family != family || a->rest[k] > now)
			continue;
		a->turn = k + 1;
		*src = a->info.src[k];
		return true;
	}
	return false;
}

void
relay_src_bad(struct relays *r, uint32_t action,
    const struct sockaddr_storage *src, msec now)
{
	struct relay *a = relay_of(r, action);
	uint32_t i;

	for (i = 0; i < a->info.n_src; i++) {
		if (same_src(&a->info.src[i], src))
			a->rest[i] = now + RELAY_REST_MS;
	}
}
