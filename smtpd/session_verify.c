/*
 * A message of strangers while it is verified: begun at MAIL, fed with the
 * content, waited for after the dot.  Runs in session.  Refuses nothing by
 * itself, and never keeps mail waiting for long because the DNS is silent:
 * what is not known then is RES_TEMPERROR.
 *
 * SPDX-License-Identifier: ISC
 */
#include "session_verify.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "smtp_addr.h"

/*
 * After the dot, for SPF and keys; then for DMARC, whose time nobody can use
 * up by a signature of his own.  The guard's time for each is over before: a
 * HELO whose servers are silent must not take the result of MAIL FROM with it.
 * RFC 5321 4.5.3.2.6: a client waits 10 minutes in all.
 */
#define KNOWN_MS  (SPF_TIME_MS + 2000)
#define POLICY_MS (DMARC_TIME_MS + 2000)

#define TURN_MS 1 /* of work on signatures, until others have their turn */

/* ---- MAIL ---- */

/* Those of our own are not verified: nobody else vouches for them. */
static bool
is_stranger(const struct session *s)
{
	return s->facts.auth[0] == '\0' &&
	    (s->facts.flags & (FACT_SOCKET | FACT_LOCAL | FACT_SUBMIT)) == 0;
}

enum step
step_verify_mail(struct session *s)
{
	size_t max = session_conf(s)->max_header;

	if (!s->listen->auth_results || !is_stranger(s))
		return STEP_ON;
	s->tx.verify = xcalloc(1, sizeof *s->tx.verify);
	s->tx.verify->sender = s->tx.sender;
	s->tx.verify->v =
	    verify_new(max < MAIL_HEADER_MAX ? max : MAIL_HEADER_MAX,
		time(NULL));
	s->facts.flags |= FACT_VERIFY;
	return STEP_ON;
}

enum step
step_verify_spf(struct session *s)
{
	struct session_verify *sv = s->tx.verify;

	if (sv != NULL)
		sv->spf_known = !verify_ask(s, &sv->spf, VERIFY_SPF);
	return STEP_ON;
}

/* ---- keys ---- */

/* Asks for as many as may be asked for at once. */
static void
ask_keys(struct session *s)
{
	struct session_verify *sv = s->tx.verify;
	unsigned int n = verify_keys(sv->v), i;

	for (i = 0; i < VERIFY_KEYS_AT_ONCE && sv->next_key < n; i++) {
		if (sv->key[i].place.share != NULL)
			continue;
		sv->key[i].i = sv->next_key++;
		if (verify_ask(s, &sv->key[i], VERIFY_KEY))
			sv->keys_open++;
		else
			sv->next_key = n;
	}
}

static void
begin_keys(struct session *s)
{
	struct session_verify *sv = s->tx.verify;

	if (sv->keys_begun || !sv->v->known)
		return;
	sv->keys_begun = true;
	ask_keys(s);
}

/* ---- content ---- */

void
session_verify_content(struct session *s, const uint8_t *p, size_t len)
{
	if (s->tx.verify == NULL)
		return;
	verify_feed(s->tx.verify->v, p, len);
	begin_keys(s);
}

void
session_verify_end(struct session *s)
{
	if (s->tx.verify == NULL)
		return;
	verify_end(s->tx.verify->v);
	begin_keys(s);
}

bool
session_verify_odd(const struct session *s)
{
	const struct buf *header;
	struct smtp_data as_text;
	uint8_t *made;
	size_t len;

	if (s->tx.verify == NULL || s->tx.params.body != BODY_BINARYMIME)
		return false;
	header = &s->tx.verify->v->m.header;
	smtp_data_init(&as_text, FORM_TEXT, SIZE_MAX, SIZE_MAX);
	made = xcalloc(2, header->len + 2);
	(void)smtp_data_in(&as_text, buf_data(header), header->len, made, &len);
	free(made);
	return (as_text.seen & (DATA_BARE_CR | DATA_BARE_LF)) != 0;
}

void
session_verify_free(struct session *s)
{
	struct session_verify *sv = s->tx.verify;
	unsigned int i;

	if (sv == NULL)
		return;
	verify_ask_forget(&sv->spf);
	verify_ask_forget(&sv->dmarc);
	for (i = 0; i < VERIFY_KEYS_AT_ONCE; i++)
		verify_ask_forget(&sv->key[i]);
	verify_free(&sv->v);
	free(sv);
	s->tx.verify = NULL;
}

/* ---- what was asked for is there ---- */

static void
take_spf(struct spf_answer *out, const struct spf_found *in)
{
	out->result = in->result < RES_RESULTS ? in->result : RES_TEMPERROR;
	memcpy(out->domain, in->domain, sizeof out->domain);
	memcpy(out->identity, in->identity, sizeof out->identity);
	memcpy(out->mechanism, in->mechanism, sizeof out->mechanism);
	memcpy(out->why, in->why, sizeof out->why);
	memcpy(out->exp, in->exp, sizeof out->exp);
}

static void
spf_is(struct session_verify *sv, const struct spf_is *m)
{
	struct verify *v = sv->v;

	sv->spf_known = true;
	if (m == NULL || m->outcome.verdict != DONE)
		return;
	take_spf(&v->spf, &m->mail);
	take_spf(&v->helo, &m->helo);
	v->has_spf = v->spf.result != RES_UNSAID;
	v->has_helo = v->helo.result != RES_UNSAID;
}

/* What it says of the record outlives the message that says it. */
static void
key_is(struct session_verify *sv, unsigned int i, const struct key_is *m)
{
	struct key_found found = { .status = DNS_LATER,
		.why = "the DNS does not say" };

	sv->keys_open--;
	if (m != NULL && m->status <= DNS_NXDOMAIN &&
	    m->len <= sizeof m->text) {
		found.status = m->status;
		found.n = m->n;
		found.cut = m->cut != 0;
		found.text = (struct slice){ (const char *)m->text, m->len };
	}
	verify_key(sv->v, i, &found);
}

/* As common/dmarc.h has it. */
static void
dmarc_is(struct session_verify *sv, const struct dmarc_is *m)
{
	struct dmarc_answer a = { 0 };

	if (m == NULL || m->outcome.verdict != DONE ||
	    m->result >= RES_RESULTS || m->disposition > DMARC_P_REJECT ||
	    m->at_worst > DMARC_P_REJECT || m->policy > DMARC_P_REJECT) {
		verify_dmarc_is(sv->v, NULL);
		return;
	}
	a.result = m->result;
	a.disposition = m->disposition;
	a.at_worst = m->at_worst;
	a.policy = m->policy;
	a.spf_aligned = m->spf_aligned != 0;
	a.dkim_aligned = m->dkim_aligned != 0;
	a.exists = m->exists != 0;
	memcpy(a.why, m->why, sizeof a.why);
	memcpy(a.policy_domain, m->policy_domain, sizeof a.policy_domain);
	memcpy(a.organization, m->organization, sizeof a.organization);
	a.record.p = (uint8_t)m->p;
	a.record.sp = (uint8_t)m->sp;
	a.record.np = (uint8_t)m->np;
	a.record.adkim_strict = m->adkim_strict != 0;
	a.record.aspf_strict = m->aspf_strict != 0;
	a.record.psd = (char)m->psd;
	a.record.testing = m->testing != 0;
	a.record.pct = m->pct;
	memcpy(a.record.fo, m->fo, sizeof a.record.fo);
	sv->has_rua = m->has_rua != 0;
	verify_dmarc_is(sv->v, &a);
}

/* ---- waiting for it ---- */

static bool
is_known(const struct session_verify *sv)
{
	return sv->spf_known && sv->keys_open == 0 &&
	    sv->next_key == verify_keys(sv->v);
}

/* Of whom it would have been, as RFC 7208 2.4 has it. */
static void
spf_unknown(struct session *s)
{
	struct verify *v = s->tx.verify->v;
	const char *sender = s->tx.verify->sender;

	v->has_spf = true;
	v->spf.result = RES_TEMPERROR;
	(void)slice_copy(slice_of(sender[0] == '\0' ? s->facts.helo :
						      smtp_addr_domain(sender)),
	    v->spf.domain, sizeof v->spf.domain);
	(void)slice_copy(SLICE("the DNS does not say"), v->spf.why,
	    sizeof v->spf.why);
}

/* All is there, or nobody waits for it any longer. */
static void
enough(struct session *s)
{
	struct session_verify *sv = s->tx.verify;
	unsigned int i;

	verify_ask_forget(&sv->spf);
	for (i = 0; i < VERIFY_KEYS_AT_ONCE; i++)
		verify_ask_forget(&sv->key[i]);
	if (!sv->v->has_spf)
		spf_unknown(s);
}

static void
known(struct session *s)
{
	s->tx.verify->awaited = false;
	timer_clear(&s->pause);
	session_go_on(s);
}

static void
on_late(void *arg)
{
	known(arg);
}

enum step
step_verify_known(struct session *s)
{
	struct session_verify *sv = s->tx.verify;

	if (sv == NULL || is_known(sv))
		return STEP_ON;
	sv->awaited = true;
	timer_set(s->server->proc.loop, &s->pause, KNOWN_MS, on_late, s);
	return STEP_WAIT;
}

/* ---- signatures ---- */

/* False: others have their turn first. */
static bool
verify_all(struct verify *v)
{
	msec begin = loop_msec();

	while (verify_step(v)) {
		if (loop_msec() - begin >= TURN_MS)
			return false;
	}
	return true;
}

static void
on_turn(void *arg)
{
	struct session *s = arg;

	if (verify_all(s->tx.verify->v))
		session_go_on(s);
	else
		timer_set(s->server->proc.loop, &s->pause, 0, on_turn, s);
}

enum step
step_verify_signatures(struct session *s)
{
	if (s->tx.verify == NULL)
		return STEP_ON;
	enough(s);
	if (verify_all(s->tx.verify->v))
		return STEP_ON;
	timer_set(s->server->proc.loop, &s->pause, 0, on_turn, s);
	return STEP_WAIT;
}

/* ---- the policy ---- */

static void
on_late_policy(void *arg)
{
	struct session *s = arg;

	verify_ask_forget(&s->tx.verify->dmarc);
	dmarc_is(s->tx.verify, NULL);
	session_go_on(s);
}

enum step
step_verify_policy(struct session *s)
{
	struct session_verify *sv = s->tx.verify;
	struct dmarc_query query;

	if (sv == NULL ||
	    !verify_dmarc(sv->v, session_conf(s)->dmarc_rules, &query))
		return STEP_ON;
	if (!verify_ask(s, &sv->dmarc, VERIFY_DMARC)) {
		dmarc_is(sv, NULL);
		return STEP_ON;
	}
	timer_set(s->server->proc.loop, &s->pause, POLICY_MS, on_late_policy,
	    s);
	return STEP_WAIT;
}

void
session_verify_is(struct session *s, struct verify_ask *a,
    const struct ipc_msg *msg)
{
	struct session_verify *sv = s->tx.verify;
	const void *m = msg == NULL ? NULL : msg->body;

	if (a->kind == VERIFY_DMARC) {
		dmarc_is(sv, m);
		timer_clear(&s->pause);
		session_go_on(s);
		return;
	}
	if (a->kind == VERIFY_SPF)
		spf_is(sv, m);
	else {
		key_is(sv, a->i, m);
		ask_keys(s);
	}
	if (sv->awaited && is_known(sv))
		known(s);
}
