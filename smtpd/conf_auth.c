/*
 * Statements of smtpd.conf about who sent mail, which OpenSMTPD has not:
 * `spf`, `dmarc`, `arc`.  Runs in the parent; asks no DNS and reads no key.
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>

#include "conf_parse.h"
#include "slice.h"
#include "smtp_addr.h"

void
conf_auth_defaults(struct conf *c)
{
	c->dmarc_quarantine = DMARC_ACT_JUNK;
	c->dmarc_reject = c->dmarc_no_author = DMARC_ACT_REJECT;
	c->dmarc_except_from = c->dmarc_except_src = CONF_NONE;
	c->arc_trust = CONF_NONE;
}

bool
conf_auth_says(const struct conf *c, enum conf_said kind)
{
	struct conf d = { 0 };

	conf_auth_defaults(&d);
	switch (kind) {
	case CONF_SAID_SPF:
		return c->spf_received;
	case CONF_SAID_DMARC:
		return c->dmarc_rules != d.dmarc_rules ||
		    c->dmarc_quarantine != d.dmarc_quarantine ||
		    c->dmarc_reject != d.dmarc_reject ||
		    c->dmarc_no_author != d.dmarc_no_author ||
		    c->dmarc_temperror != d.dmarc_temperror ||
		    c->dmarc_except_from != CONF_NONE ||
		    c->dmarc_except_src != CONF_NONE || c->dmarc_report;
	case CONF_SAID_ARC:
		return c->arc_trust != CONF_NONE || c->arc_seal != 0;
	default:
		return false;
	}
}

/* Where it stands, for what is said of the whole. */
bool
conf_read_verify(struct conf_parser *p, const struct conf_word *w)
{
	p->said[w->value] = conf_here(p);
	return true;
}

/* ---- dmarc ---- */

static const char *const acts[] = {
#define X(name, word) [DMARC_ACT_##name] = (word),
	CONF_DMARC_ACTS(X)
#undef X
};

bool
conf_read_act(struct conf_parser *p, const struct conf_word *w)
{
	size_t i;

	/* `junk` and `reject` are reserved words. */
	for (i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		if (!conf_lex_is(&p->lex, acts[i]))
			continue;
		conf_store(p, w, i);
		conf_lex_next(&p->lex);
		return true;
	}
	return conf_expected(p, w->what);
}

/* A second one would take the place of the first, whose exceptions would be
 * lost without a word. */
bool
conf_read_list_once(struct conf_parser *p, const struct conf_word *w)
{
	const uint32_t *table = conf_field(p, w);

	if (*table != CONF_NONE)
		return conf_wrong(p,
		    "found a second `%s`, expected one statement with all of them: { a, b } or a table",
		    w->word);
	return conf_read_list(p, w);
}

bool
conf_read_mailbox(struct conf_parser *p, const struct conf_word *w)
{
	char shown[CONF_SHOWN_SIZE];
	const char *why;

	if (!conf_need_text(p, w->what))
		return false;
	if ((why = smtp_mailbox_check(slice_of(p->lex.text))) != NULL)
		return conf_wrong(p, "`%s`: found %s, %s, expected %s", w->word,
		    conf_lex_shown(&p->lex, shown), why, w->what);
	conf_store(p, w, conf_take_text(p));
	return true;
}

bool
conf_report_end(struct conf_parser *p)
{
	if (p->report_said)
		return conf_refuse(p,
		    "found a second `dmarc report`, expected one");
	p->report_said = true;
	return true;
}

/* ---- the whole ---- */

void
conf_check_auth(struct conf_parser *p)
{
	uint32_t i, n = conf_count(&p->dkim, sizeof(struct conf_dkim));
	const char *domain = conf_pool_text(p, p->f.conf.arc_seal);
	const struct conf_at *at = &p->said[CONF_SAID_SEAL];
	const struct conf_dkim *d;
	char shown[CONF_SHOWN_SIZE];

	for (i = 0; i < n; i++) {
		d = conf_item(&p->dkim, i, sizeof(*d));
		if (strcmp(conf_pool_text(p, d->domain), domain) == 0)
			return;
	}
	if (domain[0] != '\0')
		conf_error(p->errors, conf_pool_text(p, at->file), at->line,
		    "`arc seal`: no `dkim` is for the domain %s, expected one: its key seals",
		    conf_shown(domain, shown));
}
