/*
 * Filters that are built in: conditions, decisions, and the order in which
 * they are asked (smtpd.conf(5)).  Runs in lookup; what nobody can know now is
 * no reason to refuse, nor to let pass: the client is told to come again.
 *
 * SPDX-License-Identifier: ISC
 */
#include "lookup_filter.h"

#include <stdio.h>
#include <string.h>

#include "log.h"
#include "lookup_node.h"
#include "slice.h"
#include "smtp_addr.h"

/* A client without a name, as an expression sees it. */
#define NO_NAME "<unknown>"

/* What the conditions look at. */
struct seen {
	const struct filter_ask *ask;
	const char *rdns; /* "": none */
	bool fcrdns;
	bool rdns_doubt, fcrdns_doubt;
};

/* Who is here needs no DNS to be known. */
static struct seen
look(const struct conf *conf, const struct filter_ask *ask)
{
	const struct facts *f = &ask->facts;
	struct seen s = { .ask = ask, .rdns = f->rdns };

	if ((f->flags & FACT_SOCKET) != 0)
		s.rdns = conf_text(conf, conf->hostname);
	else if ((f->flags & FACT_LOCAL) != 0 && f->rdns[0] == '\0')
		s.rdns = "localhost";
	s.fcrdns = (f->flags & (FACT_FCRDNS | FACT_LOCAL | FACT_SOCKET)) != 0;
	s.rdns_doubt = s.rdns[0] == '\0' && (f->flags & FACT_RDNS_DOUBT) != 0;
	s.fcrdns_doubt = !s.fcrdns && (f->flags & FACT_RDNS_DOUBT) != 0;
	return s;
}

/* ---- conditions ---- */

static enum table_answer
yes_or_no(bool truth)
{
	return truth ? TABLE_YES : TABLE_NO;
}

static enum table_answer
ask_table(struct question *q, const struct conf_filter *f,
    enum conf_service service, const char *key)
{
	const char *value;

	if (f->table == CONF_NONE)
		return TABLE_UNKNOWN;
	return question_table(q, f->table, f->regex ? SERVICE_REGEX : service,
	    key, &value);
}

static enum table_answer
cond_rdns(struct question *q, const struct conf_filter *f, const struct seen *s)
{
	if (s->rdns_doubt)
		return TABLE_UNKNOWN;
	if (f->table == CONF_NONE)
		return yes_or_no(s->rdns[0] != '\0');
	if (s->rdns[0] != '\0')
		return ask_table(q, f, SERVICE_DOMAIN, s->rdns);
	return f->regex ? ask_table(q, f, SERVICE_REGEX, NO_NAME) : TABLE_NO;
}

static enum table_answer
cond_fcrdns(struct question *q, const struct conf_filter *f,
    const struct seen *s)
{
	(void)q;
	(void)f;
	return s->fcrdns_doubt ? TABLE_UNKNOWN : yes_or_no(s->fcrdns);
}

static enum table_answer
cond_src(struct question *q, const struct conf_filter *f, const struct seen *s)
{
	const struct facts *facts = &s->ask->facts;

	return ask_table(q, f, SERVICE_NETADDR,
	    (facts->flags & FACT_SOCKET) != 0 ? "local" : facts->client);
}

static enum table_answer
cond_helo(struct question *q, const struct conf_filter *f, const struct seen *s)
{
	return ask_table(q, f, SERVICE_DOMAIN, s->ask->facts.helo);
}

static enum table_answer
cond_auth(struct question *q, const struct conf_filter *f, const struct seen *s)
{
	const char *user = s->ask->facts.auth;

	if (user[0] == '\0')
		return TABLE_NO;
	if (f->table == CONF_NONE)
		return TABLE_YES;
	return ask_table(q, f, SERVICE_STRING, user);
}

static enum table_answer
cond_mail_from(struct question *q, const struct conf_filter *f,
    const struct seen *s)
{
	return ask_table(q, f, SERVICE_MAILADDR, s->ask->sender);
}

static enum table_answer
cond_rcpt_to(struct question *q, const struct conf_filter *f,
    const struct seen *s)
{
	return ask_table(q, f, SERVICE_MAILADDR, s->ask->rcpt);
}

/* By enum conf_filter_cond. */
static enum table_answer (*const conds[])(struct question *q,
    const struct conf_filter *f, const struct seen *s) = {
	[FCOND_RDNS] = cond_rdns,
	[FCOND_FCRDNS] = cond_fcrdns,
	[FCOND_SRC] = cond_src,
	[FCOND_HELO] = cond_helo,
	[FCOND_AUTH] = cond_auth,
	[FCOND_MAIL_FROM] = cond_mail_from,
	[FCOND_RCPT_TO] = cond_rcpt_to,
};

static enum table_answer
holds(struct question *q, const struct conf_filter *f, const struct seen *s)
{
	enum table_answer a = conds[f->cond](q, f, s);

	if (!f->not_cond || a == TABLE_UNKNOWN || a == TABLE_WAIT)
		return a;
	return a == TABLE_YES ? TABLE_NO : TABLE_YES;
}

/* ---- replies ---- */

/* RFC 2034 4: greetings and answers to HELO and EHLO have no enhanced code. */
static bool
has_ecode(enum conf_phase phase)
{
	return phase != PHASE_CONNECT && phase != PHASE_HELO &&
	    phase != PHASE_EHLO;
}

/*
 * The reply of a filter's text: "550 5.7.1 Go away", "550 Go away" or "Go
 * away".  What has no code of 4xx or 5xx in front gets `usual`; what has no
 * enhanced code gets one where replies have them.
 */
static void
filter_reply(struct outcome *o, const char *text, unsigned int usual,
    enum conf_phase phase)
{
	char own[NODE_ECODE_SIZE];
	const char *ecode;
	unsigned int code;

	text = node_reply(text, usual, &code, own);
	/* As it is no reply for that, it is a text. */
	if (code < 400 || code > 599)
		code = usual;
	ecode = code >= 500 ? "5.7.1" : "4.7.1";
	if (own[0] != '\0')
		ecode = own;
	else if (!has_ecode(phase))
		ecode = NULL;
	outcome_set(o, code >= 500 ? NEVER : LATER, WIDTH_MESSAGE, code, ecode,
	    "%s", text[0] == '\0' ? "Refused" : text);
}

/* ---- what is said of them ---- */

static const char *const decision_words[] = {
#define X(name, word) [DECIDE_##name] = (word),
	CONF_DECISIONS(X)
#undef X
};

static const char *const phase_words[] = {
#define X(name, word) [PHASE_##name] = (word),
	CONF_PHASES(X)
#undef X
};

/* A line "DECISION<tab>FILTER<tab>TEXT" for the log; what has no room is not
 * told. */
static void
tell(struct question *q, const struct conf_filter *f, const char *decision,
    struct filter_is *is)
{
	const struct conf *conf = q->all->conf;
	const char *name = conf_text(conf, f->name);
	const char *text = conf_text(conf, f->text);
	size_t used = strlen(is->report);
	int n;

	n = snprintf(is->report + used, sizeof(is->report) - used,
	    "%s\t%s\t%s\n", decision, name, text);
	if (n < 0 || (size_t)n >= sizeof(is->report) - used)
		is->report[used] = '\0';
	question_note(q, "filter", &f->at, "%s \"%s\" at %s%s%s", decision,
	    name, phase_words[f->phase], text[0] == '\0' ? "" : ": ", text);
}

/* Nobody knows now; before the greeting that is the end of the session. */
static void
later(struct question *q, const struct conf_filter *f, struct filter_is *is)
{
	tell(q, f, "later", is);
	if (f->phase == PHASE_CONNECT) {
		is->flags |= FILTER_DISCONNECT;
		outcome_set(&is->outcome, LATER, WIDTH_MESSAGE, 421, NULL,
		    "Cannot check now whether to talk to you, try later");
	} else
		outcome_set(&is->outcome, LATER, WIDTH_MESSAGE, 451,
		    has_ecode(f->phase) ? "4.7.0" : NULL,
		    "Cannot check that now, try later");
}

static void
refuse(struct question *q, const struct conf_filter *f, struct filter_is *is)
{
	bool disconnect = f->decision == DECIDE_DISCONNECT;

	filter_reply(&is->outcome, conf_text(q->all->conf, f->text),
	    disconnect ? 421 : 550, f->phase);
	/* RFC 5321 3.8: who says 421 closes. */
	if (disconnect || is->outcome.code == 421)
		is->flags |= FILTER_DISCONNECT;
}

/* ---- new values ---- */

/* A name as in HELO, or an address literal. */
static const char *
new_helo(const char *text, char out[ADDR_MAX + 1])
{
	struct slice name = slice_of(text);
	char ip[IP_TEXT_MAX + 1];
	const char *why;

	why = text[0] == '[' ? smtp_literal_parse(name, ip) :
			       smtp_domain_check(name);
	if (why == NULL && !slice_copy(name, out, HOST_MAX + 1))
		why = "too long";
	return why;
}

/* With or without <>; nothing between them is the null sender. */
static const char *
new_sender(const char *text, char out[ADDR_MAX + 1])
{
	char path[ADDR_MAX + 3];
	struct slice rest;
	const char *why;

	if (text[0] != '<') {
		if ((size_t)snprintf(path, sizeof(path), "<%s>", text) >=
		    sizeof(path))
			return "the address is too long";
		text = path;
	}
	if ((why = smtp_path_parse(slice_of(text), out, &rest)) != NULL)
		return why;
	return rest.len != 0 ? "something behind the address" : NULL;
}

static const char *
new_rcpt(const char *text, char out[ADDR_MAX + 1])
{
	const char *why = new_sender(text, out);

	if (why == NULL && out[0] == '\0')
		why = "an empty address";
	return why;
}

/* By enum conf_phase; NULL: it has no value, and `rewrite` just ends it. */
typedef const char *new_value(const char *text, char out[ADDR_MAX + 1]);
static new_value *const new_values[] = {
	[PHASE_HELO] = new_helo,
	[PHASE_EHLO] = new_helo,
	[PHASE_MAIL_FROM] = new_sender,
	[PHASE_RCPT_TO] = new_rcpt,
	[PHASE_COMMIT] = NULL,
};

static void
log_value(const struct conf *conf, const struct conf_filter *f, const char *why)
{
	char where[CONF_AT_MAX];

	log_warn("filter-value", "at=%s error=%s value=%s",
	    conf_at_print(conf, &f->at, where, sizeof(where)), q(why),
	    q(conf_text(conf, f->text)));
}

/* False: the new value is none. */
static bool
rewrite(struct question *q, const struct conf_filter *f, struct filter_is *is)
{
	const char *text = conf_text(q->all->conf, f->text), *why;
	char value[ADDR_MAX + 1];

	if (new_values[f->phase] == NULL)
		return true;
	if ((why = new_values[f->phase](text, value)) != NULL) {
		log_value(q->all->conf, f, why);
		return false;
	}
	memcpy(is->text, value, strlen(value) + 1);
	is->flags |= FILTER_REWRITE;
	return true;
}

/* ---- decisions ---- */

/* f holds.  True: it was the last word of this phase. */
static bool
decide(struct question *q, const struct conf_filter *f, bool doubt,
    struct filter_is *is)
{
	bool harmless =
	    f->decision == DECIDE_REPORT || f->decision == DECIDE_BYPASS;

	/* One before it, which may have let this pass, was undecided. */
	doubt = doubt && !harmless && f->decision != DECIDE_JUNK;
	if (doubt || (f->decision == DECIDE_REWRITE && !rewrite(q, f, is))) {
		later(q, f, is);
		return true;
	}
	tell(q, f, decision_words[f->decision], is);
	switch ((enum conf_decision)f->decision) {
	case DECIDE_REPORT:
		return false;
	case DECIDE_BYPASS:
		is->flags |= FILTER_BYPASS;
		break;
	case DECIDE_JUNK:
		is->flags |= FILTER_JUNK;
		break;
	case DECIDE_REWRITE:
		break;
	case DECIDE_DISCONNECT:
	case DECIDE_REJECT:
		refuse(q, f, is);
		break;
	}
	return true;
}

/*
 * Whether f holds is not known.  A report is not worth a message's time; nor
 * is the mark of junk where the DNS is silent.  True: that was the last word.
 */
static bool
undecided(struct question *q, const struct conf_filter *f, const struct seen *s,
    bool *doubt, struct filter_is *is)
{
	bool dns =
	    f->cond == FCOND_FCRDNS || (f->cond == FCOND_RDNS && s->rdns_doubt);

	switch ((enum conf_decision)f->decision) {
	case DECIDE_REPORT:
		return false;
	case DECIDE_BYPASS:
		*doubt = true;
		return false;
	case DECIDE_JUNK:
		if (dns)
			return false;
		break;
	case DECIDE_REWRITE:
	case DECIDE_DISCONNECT:
	case DECIDE_REJECT:
		break;
	}
	later(q, f, is);
	return true;
}

/* ---- the walk ---- */

enum turn { TURN_NEXT, TURN_LAST, TURN_WAIT };

static enum turn
take(struct question *q, const struct conf_filter *f, const struct seen *s,
    bool *doubt, struct filter_is *is)
{
	if (f->kind != FILTER_BUILTIN || f->phase != s->ask->phase)
		return TURN_NEXT;
	switch (holds(q, f, s)) {
	case TABLE_WAIT:
		return TURN_WAIT;
	case TABLE_NO:
		return TURN_NEXT;
	case TABLE_YES:
		return decide(q, f, *doubt, is) ? TURN_LAST : TURN_NEXT;
	case TABLE_UNKNOWN:
		break;
	}
	return undecided(q, f, s, doubt, is) ? TURN_LAST : TURN_NEXT;
}

/* A filter, or those of a chain, which has no chains. */
static enum turn
take_all(struct question *q, const struct conf_filter *f, const struct seen *s,
    bool *doubt, struct filter_is *is)
{
	const struct conf *conf = q->all->conf;
	enum turn turn = TURN_NEXT;
	uint32_t i;

	if (f->kind != FILTER_CHAIN)
		return take(q, f, s, doubt, is);
	for (i = 0; i < f->member.n && turn == TURN_NEXT; i++)
		turn =
		    take(q, CONF_FILTER(conf, CONF_REF(conf, f->member, i)->i),
			s, doubt, is);
	return turn;
}

/*
 * Asks the filters of ask->listen that have ask->phase, in their order, those
 * of a chain in its place.  Fills all of is.  False: a table is awaited, and is
 * has no meaning.
 */
static bool
filter_walk(struct question *q, const struct filter_ask *ask,
    struct filter_is *is)
{
	const struct conf *conf = q->all->conf;
	const struct conf_listen *l = CONF_LISTEN(conf, ask->listen);
	struct seen s = look(conf, ask);
	enum turn turn = TURN_NEXT;
	bool doubt = false;
	uint32_t i;

	memset(is, 0, sizeof(*is));
	outcome_set(&is->outcome, DONE, WIDTH_MESSAGE, 250, NULL, "Ok");
	for (i = 0; i < l->filter.n && turn == TURN_NEXT; i++)
		turn = take_all(q,
		    CONF_FILTER(conf, CONF_REF(conf, l->filter, i)->i), &s,
		    &doubt, is);
	return turn != TURN_WAIT;
}

bool
filter_explain(struct question *q, struct filter_ask *ask, struct outcome *o)
{
	struct facts facts = ask->facts;
	struct filter_is is;
	char *value;

	for (ask->phase = PHASE_CONNECT; ask->phase <= PHASE_COMMIT;
	     ask->phase++) {
		/* Who greets us with HELO says no EHLO, and most do not. */
		if (ask->phase == PHASE_HELO ||
		    (ask->phase == PHASE_AUTH && facts.auth[0] == '\0'))
			continue;
		if (ask->phase <= PHASE_AUTH)
			ask->facts.auth[0] = '\0';
		else
			memcpy(ask->facts.auth, facts.auth, sizeof(facts.auth));
		if (!filter_walk(q, ask, &is))
			return false;
		*o = is.outcome;
		if (o->verdict != DONE)
			break;
		if ((is.flags & FILTER_REWRITE) == 0)
			continue;
		value = ask->phase == PHASE_EHLO  ? ask->facts.helo :
		    ask->phase == PHASE_MAIL_FROM ? ask->sender :
						    ask->rcpt;
		memcpy(value, is.text, strlen(is.text) + 1);
	}
	return true;
}

bool
judge_filter(struct question *q)
{
	const struct filter_ask *ask = q->ask;
	struct filter_is is;

	if (ask->listen >= q->all->conf->listen.n) {
		memset(&is, 0, sizeof(is));
		outcome_set(&is.outcome, LATER, WIDTH_MESSAGE, 451, "4.3.5",
		    "No such listener");
	} else if (!filter_walk(q, ask, &is))
		return false;
	filter_is_send(q->from, q->id, &is, -1);
	return true;
}
