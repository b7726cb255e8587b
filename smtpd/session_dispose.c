/*
 * What becomes of a message that is here whole: lookup says it (exceptions,
 * trusted sealers, rules), and here it is done, logged, and kept for the report
 * to the author's domain (RFC 9990).  Runs in session.  Without an answer
 * nothing is taken: it comes again.
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>
#include <time.h>

#include "id.h"
#include "log.h"
#include "session_verify.h"
#include "smtp_addr.h"

/* Longer than lookup itself waits for a table. */
#define DISPOSE_MS 30000

/* ---- the question ---- */

/* Those who vouch for the author, from the newest set down to the one that
 * says so: all of them are to be trusted. */
static void
add_sealers(struct dispose_ask *m, const struct verify *v)
{
	unsigned int oldest = arc_vouches(v->arc, v->author), i;
	size_t used = 0, len;
	const char *sealer;

	for (i = arc_result(v->arc)->sets; oldest > 0 && i >= oldest; i--) {
		sealer = arc_sealer(v->arc, i);
		len = strlen(sealer) + 1;
		if (len > sizeof m->sealer - used) {
			/* A part of a chain vouches for nobody. */
			m->n_sealer = 0;
			return;
		}
		memcpy(m->sealer + used, sealer, len);
		used += len;
		m->n_sealer++;
	}
}

static void
add_results(struct dispose_ask *m, const struct verify *v)
{
	m->disposition = v->dmarc.disposition;
	if (v->dmarc.result == RES_TEMPERROR)
		m->at_worst = v->dmarc.at_worst;
	m->no_author = v->author_is != AUTHOR_ONE || v->from_fields != 1 ||
	    v->m.why != NULL;
	m->facts.results = verify_results(v);
	(void)slice_copy(slice_of(v->author), m->author, sizeof m->author);
	if (m->disposition > DMARC_P_NONE || m->at_worst > DMARC_P_NONE)
		add_sealers(m, v);
}

static void
fill(struct session *s, struct dispose_ask *m)
{
	const struct rcpt *first = STAILQ_FIRST(&s->tx.rcpts);

	memset(m, 0, sizeof *m);
	m->listen = (uint32_t)(s->listen - CONF_LISTEN(session_conf(s), 0));
	m->facts = s->facts;
	m->facts.flags &= ~(uint32_t)FACT_VERIFY;
	(void)slice_copy(slice_of(s->tx.sender), m->sender, sizeof m->sender);
	(void)slice_copy(slice_of(first->addr), m->rcpt, sizeof m->rcpt);
	if (s->tx.verify != NULL)
		add_results(m, s->tx.verify->v);
}

/* ---- the log ---- */

static const char *
done_word(const struct dispose_is *m)
{
	if (m->outcome.verdict != DONE)
		return m->outcome.verdict == NEVER ? "reject" : "later";
	if ((m->flags & DISPOSE_HOLD) != 0)
		return "hold";
	if ((m->flags & DISPOSE_JUNK) != 0)
		return "junk";
	return (m->flags & DISPOSE_MARK) != 0 ? "mark" : "none";
}

static void
log_verify(const struct session *s, const struct dispose_is *m)
{
	static const char *const overrides[] = { [OVERRIDE_NONE] = "none",
		[OVERRIDE_EXCEPT] = "except",
		[OVERRIDE_ARC] = "arc",
		[OVERRIDE_LOCAL] = "local" };
	const struct verify *v = s->tx.verify->v;
	char session[ID_LEN + 1];

	log_event(s->tx.id, "verify",
	    "session=%s client=%s spf=%s dkim=%s signatures=%u dmarc=%s policy=%s arc=%s done=%s override=%s line=%u author=%s from=%s spf-domain=%s why=%s",
	    id_print(s->id, session), s->facts.client,
	    auth_result_word(v->spf.result),
	    auth_result_word(dkim_verify_result(&v->dkim)), v->dkim.n,
	    auth_result_word(v->dmarc.result),
	    dmarc_policy_word(v->dmarc.policy),
	    auth_result_word(arc_result(v->arc)->result), done_word(m),
	    m->override <= OVERRIDE_LOCAL ? overrides[m->override] : "none",
	    m->line, q(v->author), q(s->tx.verify->sender), q(v->spf.domain),
	    q(v->dmarc.why));
}

/* ---- the report ---- */

/* What was done, in the words of a policy. */
static enum dmarc_policy
disposition_of(const struct session_verify *sv)
{
	switch ((enum conf_dmarc_act)sv->applied) {
	case DMARC_ACT_NONE:
	case DMARC_ACT_MARK:
		break;
	case DMARC_ACT_JUNK:
	case DMARC_ACT_HOLD:
		return DMARC_P_QUARANTINE;
	case DMARC_ACT_REJECT:
		return DMARC_P_REJECT;
	}
	return DMARC_P_NONE;
}

static void
add_signatures(struct report_note *m, const struct dkim_verify *dkim)
{
	size_t used = 0, domain, selector;
	const struct dkim_check *c;
	unsigned int i;

	for (i = 0; i < dkim->n && m->n_dkim < REPORT_DKIM_MAX; i++) {
		c = &dkim->check[i];
		domain = strlen(c->domain) + 1;
		selector = strlen(c->selector) + 1;
		if (domain == 1 ||
		    domain + selector > sizeof m->dkim_text - used)
			continue;
		m->dkim[m->n_dkim++] = (uint8_t)c->result;
		memcpy(m->dkim_text + used, c->domain, domain);
		used += domain;
		memcpy(m->dkim_text + used, c->selector, selector);
		used += selector;
	}
}

static void
note(struct session *s)
{
	struct ipc_chan *queue = proc_chan(&s->server->proc, PROC_QUEUE, 0);
	const struct session_verify *sv = s->tx.verify;
	const struct dmarc_answer *d = &sv->v->dmarc;
	const struct dmarc_record *r = &d->record;
	struct report_note m;

	if (!session_conf(s)->dmarc_report || !sv->has_rua || queue == NULL)
		return;
	memset(&m, 0, sizeof m);
	m.when = time(NULL);
	memcpy(m.client, s->facts.client, sizeof m.client);
	memcpy(m.author, sv->v->author, sizeof m.author);
	(void)slice_copy(slice_of(smtp_addr_domain(sv->sender)), m.sender,
	    sizeof m.sender);
	memcpy(m.policy_domain, d->policy_domain, sizeof m.policy_domain);
	m.p = r->p;
	m.sp = r->sp;
	m.np = r->np;
	m.adkim_strict = r->adkim_strict;
	m.aspf_strict = r->aspf_strict;
	m.testing = r->testing;
	m.pct = (uint8_t)r->pct;
	m.rules = session_conf(s)->dmarc_rules;
	memcpy(m.fo, r->fo, sizeof m.fo);
	m.disposition = (uint8_t)disposition_of(sv);
	m.override = (uint8_t)sv->override;
	m.spf_aligned = d->spf_aligned;
	m.dkim_aligned = d->dkim_aligned;
	m.spf = (uint8_t)sv->v->spf.result;
	memcpy(m.spf_domain, sv->v->spf.domain, sizeof m.spf_domain);
	add_signatures(&m, &sv->v->dkim);
	report_note_send(queue, 0, &m, -1);
}

void
session_note(struct session *s)
{
	if (s->tx.verify != NULL)
		note(s);
}

/* ---- the answer ---- */

static void
refuse(struct session *s, const struct dispose_is *m)
{
	struct outcome o;

	if (m == NULL) {
		reply_outcome(&o, REPLY_LOCAL_ERROR, NULL);
		tx_drop(s, &o, false);
		return;
	}
	/* RFC 9990: of what was taken, or refused because of the policy. */
	if (m->outcome.verdict == NEVER && s->tx.verify != NULL &&
	    s->tx.verify->applied == DMARC_ACT_REJECT)
		note(s);
	tx_drop(s, &m->outcome, false);
}

static void
on_dispose_is(void *arg, struct ipc_msg *msg)
{
	struct session *s = arg;
	struct session_verify *sv = s->tx.verify;
	const struct dispose_is *m = msg == NULL ? NULL : msg->body;

	if (m != NULL)
		s->tx.disposed = m->flags;
	if (m != NULL && sv != NULL) {
		sv->applied = m->applied;
		sv->override = m->override;
		log_verify(s, m);
	}
	if (m == NULL || m->outcome.verdict != DONE) {
		refuse(s, m);
		session_stop_steps(s);
		session_run(s);
		return;
	}
	if ((m->flags & DISPOSE_JUNK) != 0)
		s->facts.flags |= FACT_JUNK;
	session_go_on(s);
}

enum step
step_dispose(struct session *s)
{
	struct ipc_chan *lookup =
	    proc_chan(&s->server->proc, PROC_LOOKUP, (unsigned int)s->id);
	struct dispose_ask m;

	if (s->tx.verify == NULL && s->tx.rules == 0)
		return STEP_ON;
	if (lookup == NULL) {
		refuse(s, NULL);
		return STEP_STOP;
	}
	fill(s, &m);
	dispose_ask_ask(lookup, &s->ask, &m, on_dispose_is, s, DISPOSE_MS);
	return STEP_WAIT;
}

uint32_t
session_content(const struct session *s)
{
	uint32_t facts = 0;

	if (s->tx.verify != NULL)
		facts = verify_results(s->tx.verify->v)
		    << CONTENT_RESULTS_SHIFT;
	return (facts & CONTENT_RESULTS) |
	    ((s->tx.disposed & DISPOSE_JUNK) != 0 ? CONTENT_JUNK : 0);
}
