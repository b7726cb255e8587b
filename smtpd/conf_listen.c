/*
 * Statements of smtpd.conf about the way in: `listen`, and the certificates
 * that listeners name, `pki` and `ca`.  Runs in the parent.
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>

#include "conf_net.h"
#include "conf_parse.h"

/* By enum conf_listen_tls. */
static const char *const tls_words[] = { "", "tls", "tls-require", "smtps" };

/* ---- listen on ---- */

/* What it means is asked at the end, when `inet4` or `inet6` may have come. */
bool
conf_read_where(struct conf_parser *p, const struct conf_word *w)
{
	if (!conf_need_text(p, w->what))
		return false;
	p->f.stmt.where = arena_copy(&p->lex.names, p->lex.text);
	p->f.stmt.listen.name = conf_take_text(p);
	return true;
}

bool
conf_read_listen_pki(struct conf_parser *p, const struct conf_word *w)
{
	struct conf_stmt *s = &p->f.stmt;

	if (s->pkis == CONF_LISTENER_PKI_MAX)
		return conf_wrong(p, "more than %d `pki` on one listener",
		    CONF_LISTENER_PKI_MAX);
	return conf_name_ref(p, NAMED_PKI, w->what, &s->listen_pki[s->pkis++]);
}

/* Without a table: users of the system. */
bool
conf_read_listen_auth(struct conf_parser *p, const struct conf_word *w)
{
	p->use = w->word;
	return conf_read_choice(p, w) &&
	    (!conf_is_set(p) ||
		conf_set(p, "a table of users", SERVICE_CREDENTIALS, SHAPE_ANY,
		    &p->f.stmt.listen.auth_table));
}

/* `tls` and what it needs, what needs it. */
static bool
check_tls(struct conf_parser *p)
{
	const struct conf_listen *l = &p->f.stmt.listen;

	if (l->tls == LISTEN_CLEAR && l->auth != AUTH_NONE)
		return conf_refuse(p,
		    "`%s` needs `tls`, `tls-require` or `smtps`: without them passwords can be read on their way",
		    l->auth == AUTH_NEEDED ? "auth" : "auth-optional");
	if (l->tls == LISTEN_CLEAR && p->f.stmt.pkis > 0)
		return conf_refuse(p,
		    "`pki` needs `tls`, `tls-require` or `smtps`: without them its certificate is never shown");
	if (l->tls != LISTEN_CLEAR && p->f.stmt.pkis == 0)
		return conf_refuse(p,
		    "`%s` needs a `pki`: add `pki NAME`, with `pki NAME cert FILE` and `pki NAME key FILE` above",
		    tls_words[l->tls]);
	return true;
}

static bool
add_listener(struct conf_parser *p)
{
	struct conf_listen *l = &p->f.stmt.listen;

	return conf_check_listen(p, l) &&
	    conf_add(p, &p->listen, l, sizeof(*l), CONF_LISTEN_MAX,
		"listeners");
}

static bool
add_addresses(struct conf_parser *p)
{
	char why[CONF_WHY_SIZE], shown[CONF_SHOWN_SIZE];
	struct conf_listen *l = &p->f.stmt.listen;
	uint32_t i, n;

	if (!conf_net_where(p->f.stmt.where, &p->where, why))
		return conf_refuse(p, "`listen on`: found %s, %s",
		    conf_shown(p->f.stmt.where, shown), why);
	if (!conf_net_only(&p->where, l->inet))
		return conf_refuse(p,
		    "`listen on`: %s has no IPv%d address, but `inet%d` was found",
		    conf_shown(p->f.stmt.where, shown), l->inet, l->inet);
	n = conf_count(&p->where, sizeof(l->ss));
	for (i = 0; i < n; i++) {
		memcpy(&l->ss, conf_item(&p->where, i, sizeof(l->ss)),
		    sizeof(l->ss));
		l->sslen = conf_net_len(&l->ss);
		conf_net_set_port(&l->ss, p->f.stmt.port);
		if (!add_listener(p))
			return false;
	}
	return true;
}

bool
conf_listen_end(struct conf_parser *p)
{
	struct conf_stmt *s = &p->f.stmt;
	struct conf_listen *l = &s->listen;

	l->at = conf_here(p);
	l->pki = conf_add_refs(p, s->listen_pki, s->pkis);
	l->filter = conf_add_refs(p, s->chain, s->chained);
	if (l->local) {
		l->name = conf_pool_add(p, "socket");
		return add_listener(p);
	}
	if (!check_tls(p))
		return false;
	if (s->port == 0)
		s->port =
		    l->tls == LISTEN_SMTPS ? CONF_PORT_SMTPS : CONF_PORT_SMTP;
	return add_addresses(p);
}

void
conf_listen_local(struct conf_parser *p)
{
	uint32_t i, n = conf_count(&p->listen, sizeof(struct conf_listen));
	struct conf_listen l;

	for (i = 0; i < n; i++) {
		memcpy(&l, conf_item(&p->listen, i, sizeof(l)), sizeof(l));
		if (l.local)
			return;
	}
	memset(&l, 0, sizeof(l));
	l.local = l.implicit = 1;
	l.ca = l.auth_table = l.hostnames = l.senders = CONF_NONE;
	l.name = conf_pool_add(p, "socket");
	buf_add(&p->listen, &l, sizeof(l));
}

/* ---- pki and ca ---- */

/* A host name; "*" in quotes: any.  NULL, or why not. */
static const char *
pki_name(const struct conf_parser *p, char out[DOMAIN_MAX + 1])
{
	if (strcmp(p->lex.text, "*") != 0)
		return conf_domain(p->lex.text, DOMAIN_UNDERSCORES, out);
	memcpy(out, "*", sizeof("*"));
	return p->lex.tok == TOK_STRING ? NULL : "which needs quotes";
}

/* More lines about one that has been declared add to it. */
bool
conf_read_pki_name(struct conf_parser *p, const struct conf_word *w)
{
	char name[DOMAIN_MAX + 1], shown[CONF_SHOWN_SIZE];
	uint32_t row;
	const char *why;

	if (!conf_need_text(p, w->what))
		return false;
	if ((why = pki_name(p, name)) != NULL)
		return conf_wrong(p, "found %s, %s, expected %s",
		    conf_lex_shown(&p->lex, shown), why, w->what);
	row = conf_find(p, (enum conf_named)w->value, name);
	if (row != CONF_NONE && w->value == NAMED_PKI)
		p->f.stmt.pki = *(struct conf_pki *)conf_item(&p->pki, row,
		    sizeof(struct conf_pki));
	else if (row != CONF_NONE)
		p->f.stmt.ca = *(struct conf_ca *)conf_item(&p->ca, row,
		    sizeof(struct conf_ca));
	else
		conf_store(p, w, conf_pool_add(p, name));
	conf_lex_next(&p->lex);
	return true;
}

/* Of a relay: it need not be declared, and may be anything. */
bool
conf_read_pki_text(struct conf_parser *p, const struct conf_word *w)
{
	char name[DOMAIN_MAX + 1];

	if (!conf_need_text(p, w->what))
		return false;
	if (pki_name(p, name) != NULL)
		return conf_read_text(p, w);
	conf_store(p, w, conf_pool_add(p, name));
	conf_lex_next(&p->lex);
	return true;
}

bool
conf_pki_end(struct conf_parser *p)
{
	const struct conf_pki *k = &p->f.stmt.pki;
	uint32_t row = conf_find(p, NAMED_PKI, conf_pool_text(p, k->name));

	if (row == CONF_NONE)
		return conf_add_named(p, NAMED_PKI);
	memcpy(conf_item(&p->pki, row, sizeof(*k)), k, sizeof(*k));
	return true;
}

bool
conf_ca_end(struct conf_parser *p)
{
	const struct conf_ca *ca = &p->f.stmt.ca;
	uint32_t row = conf_find(p, NAMED_CA, conf_pool_text(p, ca->name));

	if (row == CONF_NONE)
		return conf_add_named(p, NAMED_CA);
	memcpy(conf_item(&p->ca, row, sizeof(*ca)), ca, sizeof(*ca));
	return true;
}
