/*
 * What the guard is asked about a message: SPF, key records, DMARC.  Runs in
 * session.  Those answers take what the DNS takes, and the credit of the
 * channel is for short questions too: of each kind some are open at once, which
 * clients share, and others wait for their turn.
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>

#include "session_verify.h"

/* Of each kind: who makes one slow delays that kind alone, and others than
 * himself not even in that. */
#define AT_ONCE  (IPC_CREDIT / 8)
#define ASKS_MAX 65536 /* of all sessions; those that wait cost no more */

/* Longer than the guard takes; who waits has a deadline of his own. */
#define SPF_MS   (SPF_TIME_MS + 5000)
#define KEY_MS   30000
#define DMARC_MS (DMARC_TIME_MS + 5000)

static struct ipc_chan *
guard_of(struct session *s)
{
	return proc_chan(&s->server->proc, PROC_GUARD, 0);
}

/* ---- the questions ---- */

static void on_answer(void *arg, struct ipc_msg *msg);

static void
ask_spf(struct session *s, struct verify_ask *a, struct ipc_chan *guard)
{
	struct spf_ask m;

	memset(&m, 0, sizeof m);
	memcpy(m.client, s->facts.client, sizeof m.client);
	memcpy(m.helo, s->facts.helo, sizeof m.helo);
	(void)slice_copy(slice_of(s->tx.verify->sender), m.sender,
	    sizeof m.sender);
	(void)slice_copy(slice_of(s->hostname), m.ours, sizeof m.ours);
	spf_ask_ask(guard, &a->req, &m, on_answer, a, SPF_MS);
}

static void
ask_key(struct session *s, struct verify_ask *a, struct ipc_chan *guard)
{
	struct key_ask m;

	memset(&m, 0, sizeof m);
	memcpy(m.client, s->facts.client, sizeof m.client);
	(void)slice_copy(slice_of(verify_wants(s->tx.verify->v, a->i)), m.name,
	    sizeof m.name);
	key_ask_ask(guard, &a->req, &m, on_answer, a, KEY_MS);
}

static void
ask_dmarc(struct session *s, struct verify_ask *a, struct ipc_chan *guard)
{
	struct dmarc_query query;
	struct dmarc_ask m;
	size_t used = 0, len;
	unsigned int i;

	memset(&m, 0, sizeof m);
	/* Who asks has seen that there is an author. */
	(void)verify_dmarc(s->tx.verify->v, session_conf(s)->dmarc_rules,
	    &query);
	memcpy(m.client, s->facts.client, sizeof m.client);
	(void)slice_copy(slice_of(query.author), m.author, sizeof m.author);
	m.spf = query.spf;
	(void)slice_copy(slice_of(query.spf_domain), m.spf_domain,
	    sizeof m.spf_domain);
	for (i = 0; i < query.n_dkim + query.n_later; i++) {
		len = strlen(query.dkim[i]) + 1;
		if (len > sizeof m.dkim - used)
			break;
		memcpy(m.dkim + used, query.dkim[i], len);
		used += len;
		if (i < query.n_dkim)
			m.n_dkim++;
		else
			m.n_later++;
	}
	dmarc_ask_ask(guard, &a->req, &m, on_answer, a, DMARC_MS);
}

static void (*const askers[VERIFY_KINDS])(struct session *s,
    struct verify_ask *a, struct ipc_chan *guard) = {
	[VERIFY_SPF] = ask_spf,
	[VERIFY_KEY] = ask_key,
	[VERIFY_DMARC] = ask_dmarc,
};

/* ---- turns ---- */

/* False: there is no guard. */
static bool
open_ask(struct verify_ask *a)
{
	struct ipc_chan *guard = guard_of(a->s);

	if (guard == NULL) {
		share_leave(&a->place);
		return false;
	}
	askers[a->kind](a->s, a, guard);
	return true;
}

static void
on_turn(void *arg)
{
	(void)open_ask(arg);
}

static void
on_answer(void *arg, struct ipc_msg *msg)
{
	struct verify_ask *a = arg;

	share_leave(&a->place);
	session_verify_is(a->s, a, msg);
}

bool
verify_ask(struct session *s, struct verify_ask *a, enum verify_kind kind)
{
	enum share_is is;

	a->s = s;
	a->kind = kind;
	is = share_take(s->server->share[kind], &a->place, s->facts.client,
	    on_turn, a);
	return is == SHARE_TAKEN ? open_ask(a) : is == SHARE_WAIT;
}

void
verify_ask_forget(struct verify_ask *a)
{
	if (a->place.taken && a->place.share != NULL)
		ipc_cancel(&a->req);
	share_leave(&a->place);
}

void
verify_shares_init(struct server *srv)
{
	unsigned int i;

	for (i = 0; i < VERIFY_KINDS; i++)
		srv->share[i] = share_new(AT_ONCE, ASKS_MAX);
}
