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
	    (!conf_is_set_in(p, PLACE_LISTENER) ||
		conf_set(p, "a table of users", SERVICE_CREDENTIALS, SHAPE_ANY,
		    &p->f.stmt.listen.auth_table));
}

/* Without a table: every client is one of ours. */
bool
conf_read_listen_submission(struct conf_parser *p, const struct conf_word *w)
{
	struct conf_listen *l = &p->f.stmt.listen;

	p->use = w->word;
	if (conf_is_set_in(p, PLACE_LISTENER))
		return conf_set(p,
		    "an address, address/bits, <table> or { list }",
		    SERVICE_NETADDR, SHAPE_LIST, &l->submission_table);
	l->submission = 1;
	return true;
}

/* `tls` and what it needs, what needs it. */
static bool
check_tls(struct conf_parser *p)
{
	const struct conf_listen *l = &p->f.stmt.listen;

	if (l->auth_insecure && l->auth == AUTH_NONE)
		return conf_refuse(p,
		    "`auth-insecure` needs `auth` or `auth-optional`: it says that they go without TLS");
	if (l->tls == LISTEN_CLEAR && l->auth != AUTH_NONE && !l->auth_insecure)
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

/* What goes not together. */
static bool
check_options(struct conf_parser *p)
{
	const struct conf_listen *l = &p->f.stmt.listen;

	if (l->proxy_v2 && l->proxy != CONF_NONE)
		return conf_refuse(p,
		    "found `proxy-v2` and `proxy`, expected one of them: `proxy-v2` is for every client, `proxy` for those listed");
	if (l->lmtp && p->f.stmt.port == CONF_PORT_SMTP)
		return conf_refuse(p,
		    "found `lmtp` on port 25, expected another `port`: LMTP must not be there (RFC 2033 5)");
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
	return check_options(p) && (p->text_alone || add_addresses(p));
}

/* Adds the rows of a name to a list of its own; returns how many. */
static uint32_t
add_certs(struct conf_parser *p, const char *name)
{
	uint32_t i, added = 0, n = conf_count(&p->pki, sizeof(struct conf_pki));
	const struct conf_pki *k;

	for (i = 0; i < n; i++) {
		k = conf_item(&p->pki, i, sizeof(*k));
		if (strcmp(conf_pool_text(p, k->name), name) == 0)
			added += conf_add_refs(p, &i, 1).n;
	}
	return added;
}

/* The rows of span point to the first of each name.  Those of a name that
 * stands there twice come once. */
static struct conf_span
all_certs(struct conf_parser *p, struct conf_span span)
{
	struct conf_span out = { conf_count(&p->ref, sizeof(struct conf_ref)),
		0 };
	struct conf_ref ref, before;
	uint32_t i, j;

	for (i = 0; i < span.n; i++) {
		ref = *(struct conf_ref *)conf_item(&p->ref, span.off + i,
		    sizeof(ref));
		for (j = 0; j < i; j++) {
			before = *(struct conf_ref *)conf_item(&p->ref,
			    span.off + j, sizeof(before));
			if (before.i == ref.i)
				break;
		}
		/* One that nobody declared has been said. */
		if (j == i && ref.i != CONF_NONE)
			out.n +=
			    add_certs(p, conf_named_text(p, NAMED_PKI, ref.i));
	}
	return out;
}

void
conf_listen_certs(struct conf_parser *p)
{
	uint32_t i, n = conf_count(&p->listen, sizeof(struct conf_listen));
	struct conf_span said = { 0 }, all = { 0 };
	struct conf_listen *l;

	for (i = 0; i < n; i++) {
		l = conf_item(&p->listen, i, sizeof(*l));
		/* The addresses of one statement share the list. */
		if (l->pki.n != said.n || l->pki.off != said.off) {
			said = l->pki;
			all = all_certs(p, said);
		}
		l->pki = all;
	}
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
	l.proxy = l.xclient = l.submission_table = CONF_NONE;
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

/* A pki is declared by its first line, and more lines add to it; so does a
 * ca. */
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
	if (row == CONF_NONE)
		conf_store(p, w, conf_pool_add(p, name));
	else if (w->value == NAMED_PKI)
		p->f.stmt.pki = *(struct conf_pki *)conf_item(&p->pki, row,
		    sizeof(struct conf_pki));
	else
		p->f.stmt.ca = *(struct conf_ca *)conf_item(&p->ca, row,
		    sizeof(struct conf_ca));
	conf_lex_next(&p->lex);
	return true;
}

static bool
read_pki(struct conf_parser *p, int key)
{
	struct conf_stmt *s = &p->f.stmt;

	if (s->pki_paths[key] == CONF_PKI_LINE_MAX)
		return conf_wrong(p, "more than %d `%s` in one statement",
		    CONF_PKI_LINE_MAX, key ? "key" : "cert");
	return conf_path(p, key, &s->pki_path[key][s->pki_paths[key]++]);
}

bool
conf_read_pki_cert(struct conf_parser *p, const struct conf_word *w)
{
	(void)w;
	return read_pki(p, 0);
}

bool
conf_read_pki_key(struct conf_parser *p, const struct conf_word *w)
{
	(void)w;
	return read_pki(p, 1);
}

static bool
same_text(const struct conf_parser *p, conf_str a, conf_str b)
{
	return strcmp(conf_pool_text(p, a), conf_pool_text(p, b)) == 0;
}

/* The next row of the statement's name from *i on; NULL: there is none. */
static struct conf_pki *
next_pki(struct conf_parser *p, uint32_t *i)
{
	uint32_t n = conf_count(&p->pki, sizeof(struct conf_pki));
	struct conf_pki *k;

	while (*i < n) {
		k = conf_item(&p->pki, (*i)++, sizeof(*k));
		if (same_text(p, k->name, p->f.stmt.pki.name))
			return k;
	}
	return NULL;
}

static bool
add_pki(struct conf_parser *p, conf_str cert, conf_str key)
{
	struct conf_pki *k = &p->f.stmt.pki;

	k->cert = cert;
	k->key = key;
	return conf_add_named(p, NAMED_PKI);
}

/* A certificate with its key: it completes the row that has one of them alone,
 * or is one more. */
static bool
put_pair(struct conf_parser *p, conf_str cert, conf_str key)
{
	struct conf_pki *k;
	uint32_t i = 0;

	while ((k = next_pki(p, &i)) != NULL) {
		if ((k->cert != 0 && !same_text(p, k->cert, cert)) ||
		    (k->key != 0 && !same_text(p, k->key, key)))
			continue;
		k->cert = cert;
		k->key = key;
		return true;
	}
	return add_pki(p, cert, key);
}

/* A certificate or a key goes to the first row that lacks one.  Where none
 * does it begins another, for a key of another kind, unless it is there
 * already. */
static bool
put_path(struct conf_parser *p, conf_str path, int key)
{
	bool same = false;
	struct conf_pki *k;
	uint32_t i = 0;
	conf_str *at;

	while ((k = next_pki(p, &i)) != NULL) {
		at = key ? &k->key : &k->cert;
		if (*at == 0) {
			*at = path;
			return true;
		}
		same = same || same_text(p, *at, path);
	}
	return same || add_pki(p, key ? 0 : path, key ? path : 0);
}

static bool
put_paths(struct conf_parser *p)
{
	const struct conf_stmt *s = &p->f.stmt;
	uint32_t i, certs = s->pki_paths[0], keys = s->pki_paths[1];

	for (i = 0; i < certs && certs == keys; i++) {
		if (!put_pair(p, s->pki_path[0][i], s->pki_path[1][i]))
			return false;
	}
	for (i = 0; i < certs && certs != keys; i++) {
		if (!put_path(p, s->pki_path[0][i], 0))
			return false;
	}
	for (i = 0; i < keys && certs != keys; i++) {
		if (!put_path(p, s->pki_path[1][i], 1))
			return false;
	}
	return true;
}

/* `dhe` is one for all of the name. */
bool
conf_pki_end(struct conf_parser *p)
{
	const struct conf_pki *said = &p->f.stmt.pki;
	struct conf_pki *k;
	uint32_t i = 0;

	if (!put_paths(p))
		return false;
	if (next_pki(p, &i) == NULL && !add_pki(p, 0, 0))
		return false;
	for (i = 0; (k = next_pki(p, &i)) != NULL;) {
		k->dhe = said->dhe;
		k->dhe_said = said->dhe_said;
	}
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
