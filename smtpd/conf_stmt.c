/*
 * Statements of smtpd.conf that make rows: listeners, tables, actions, rules,
 * keys; and the resolver and include files.  Runs in the parent.
 *
 * SPDX-License-Identifier: ISC
 */
#include <string.h>

#include "conf_net.h"
#include "conf_parse.h"

enum { SMTP_PORT = 25 };

/* ---- listen on ---- */

bool
conf_read_where(struct conf_parser *p, const struct conf_word *w)
{
	char why[CONF_WHY_SIZE], shown[CONF_SHOWN_SIZE];

	if (!conf_is_text(p))
		return conf_expected(p, w->what);
	if (!conf_net_where(p->lex.text, &p->where, why))
		return conf_wrong(p, "`listen on`: found %s, %s",
		    conf_lex_shown(&p->lex, shown), why);
	p->f.stmt.listen.name = conf_pool_add(p, p->lex.text);
	conf_lex_next(&p->lex);
	return true;
}

static bool
add_listener(struct conf_parser *p)
{
	p->f.stmt.listen.line = p->line;
	return conf_check_listen(p, &p->f.stmt.listen) &&
	    conf_add(p, &p->listen, &p->f.stmt.listen, sizeof(p->f.stmt.listen),
		CONF_LISTEN_MAX, "listeners");
}

bool
conf_listen_end(struct conf_parser *p)
{
	uint32_t i, n = conf_count(&p->where, sizeof(struct sockaddr_storage));
	struct conf_listen *l = &p->f.stmt.listen;

	if (l->local) {
		l->name = conf_pool_add(p, "socket");
		return add_listener(p);
	}
	for (i = 0; i < n; i++) {
		l->ss = *(struct sockaddr_storage *)conf_at(&p->where, i,
		    sizeof(l->ss));
		l->sslen = conf_net_len(&l->ss);
		conf_net_set_port(&l->ss, p->f.stmt.listen_port);
		if (!add_listener(p))
			return false;
	}
	return true;
}

void
conf_listen_local(struct conf_parser *p)
{
	uint32_t i, n = conf_count(&p->listen, sizeof(struct conf_listen));
	struct conf_listen l;

	for (i = 0; i < n; i++) {
		memcpy(&l, conf_at(&p->listen, i, sizeof(l)), sizeof(l));
		if (l.local)
			return;
	}
	memset(&l, 0, sizeof(l));
	l.local = 1;
	l.name = conf_pool_add(p, "socket");
	buf_add(&p->listen, &l, sizeof(l));
}

/* ---- table ---- */

bool
conf_read_table_name(struct conf_parser *p, const struct conf_word *w)
{
	char shown[CONF_SHOWN_SIZE];
	const struct conf_table *t;
	conf_str name;
	uint32_t row;

	if (p->lex.tok == '<')
		return conf_expected(p, "the table's name without < >");
	if (!conf_name(p, w->what, &name))
		return false;
	row = conf_find_table(p, conf_pool_text(p, name));
	if (row != CONF_NONE) {
		t = conf_at(&p->table, row, sizeof(*t));
		return conf_refuse(p,
		    "table %s is already declared at line %u, expected another name",
		    conf_shown(conf_pool_text(p, name), shown), t->line);
	}
	p->f.stmt.table.name = name;
	return true;
}

/* `file:PATH` or `PATH` at hand: *path points to the path. */
static bool
table_path(struct conf_parser *p, const char **path)
{
	char shown[CONF_SHOWN_SIZE];
	const char *text = p->lex.text, *colon = strchr(text, ':');
	const struct conf_word *w;
	size_t len;

	*path = text;
	if (text[0] == '/')
		return true;
	if (colon == NULL)
		return conf_expected(p, "`{`, `file:` or an absolute path");
	len = (size_t)(colon - text);
	if ((w = conf_not_yet(PLACE_TABLE_TYPE, text, len)) != NULL)
		return conf_wrong(p,
		    "a table of type `%s:` is not yet in this version",
		    w->word);
	if (len != 4 || memcmp(text, "file", len) != 0)
		return conf_wrong(p,
		    "found %s, an unknown type of table, expected `file:`",
		    conf_lex_shown(&p->lex, shown));
	*path = colon + 1;
	if (**path != '/')
		return conf_expected(p, "an absolute path after `file:`");
	return true;
}

bool
conf_read_table_source(struct conf_parser *p, const struct conf_word *w)
{
	struct conf_table *t = &p->f.stmt.table;
	const char *path;

	if (p->lex.tok == '{')
		return conf_entries(p, t);
	if (!conf_is_text(p))
		return conf_expected(p, w->what);
	if (!table_path(p, &path) || !conf_check_path(p, path, false))
		return false;
	t->kind = TABLE_FILE;
	t->path = conf_pool_add(p, path);
	conf_lex_next(&p->lex);
	return true;
}

bool
conf_table_end(struct conf_parser *p)
{
	p->f.stmt.table.line = p->line;
	return conf_add(p, &p->table, &p->f.stmt.table, sizeof(p->f.stmt.table),
	    CONF_TABLE_MAX, "tables and lists");
}

/* ---- action ---- */

bool
conf_read_action_name(struct conf_parser *p, const struct conf_word *w)
{
	char shown[CONF_SHOWN_SIZE];
	const struct conf_action *a;
	conf_str name;
	uint32_t row;

	if (!conf_name(p, w->what, &name))
		return false;
	row = conf_find_action(p, conf_pool_text(p, name));
	if (row != CONF_NONE) {
		a = conf_at(&p->action, row, sizeof(*a));
		return conf_refuse(p,
		    "action %s is already declared at line %u, expected another name",
		    conf_shown(conf_pool_text(p, name), shown), a->line);
	}
	p->f.stmt.action.name = name;
	return true;
}

/* Columns: scheme (empty: none was said), what it means. */
static const struct {
	const char *text;
	enum conf_scheme scheme;
} schemes[] = {
	{ "", SCHEME_SMTP },
	{ "smtp", SCHEME_SMTP },
	{ "smtp+notls", SCHEME_SMTP_NOTLS },
};

static bool
find_scheme(struct conf_parser *p, const char *scheme)
{
	char shown[CONF_SHOWN_SIZE];
	size_t i;

	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		if (strcmp(schemes[i].text, scheme) == 0) {
			p->f.stmt.action.scheme = (uint8_t)schemes[i].scheme;
			return true;
		}
	}
	if (conf_not_yet(PLACE_SCHEME, scheme, strlen(scheme)) != NULL)
		return conf_wrong(p, "`%s://` is not yet in this version",
		    scheme);
	return conf_wrong(p,
	    "found %s, an unknown scheme, expected smtp:// or smtp+notls://",
	    conf_lex_shown(&p->lex, shown));
}

bool
conf_read_url(struct conf_parser *p, const struct conf_word *w)
{
	char shown[CONF_SHOWN_SIZE];
	struct conf_url url;
	const char *why;

	if (p->lex.tok == '<' || p->lex.tok == '{')
		return conf_wrong(p,
		    "`host` with a table is not yet in this version");
	if (!conf_is_text(p))
		return conf_expected(p, w->what);
	if ((why = conf_net_url(p->lex.text, &url)) != NULL)
		return conf_wrong(p, "`host`: found %s, %s, expected %s",
		    conf_lex_shown(&p->lex, shown), why, w->what);
	if (!find_scheme(p, url.scheme))
		return false;
	if (url.label)
		return conf_wrong(p,
		    "`host`: found %s, but a label is for `auth`, which is not yet in this version",
		    conf_lex_shown(&p->lex, shown));
	p->f.stmt.action.host = conf_pool_add(p, url.host);
	p->f.stmt.url_port = url.port;
	conf_lex_next(&p->lex);
	return true;
}

bool
conf_action_end(struct conf_parser *p)
{
	struct conf_action *a = &p->f.stmt.action;

	a->line = p->line;
	if (a->port != 0 && p->f.stmt.url_port != 0)
		return conf_refuse(p,
		    "found a port in the URL and `port`, expected one of them");
	if (a->port == 0)
		a->port = p->f.stmt.url_port;
	if (a->port == 0)
		a->port = SMTP_PORT;
	return conf_add(p, &p->action, a, sizeof(*a), CONF_ACTION_MAX,
	    "actions");
}

/* ---- match ---- */

bool
conf_read_match_tag(struct conf_parser *p, const struct conf_word *w)
{
	p->f.stmt.match.not_tag = p->negated;
	if (p->lex.tok == '<')
		return conf_wrong(p,
		    "`tag` with a table is not yet in this version");
	if (p->lex.tok == TOK_WORD &&
	    conf_not_yet(PLACE_VALUE, p->lex.text, p->lex.len) != NULL)
		return conf_say_not_yet(p, p->lex.text);
	return conf_read_tag(p, w);
}

bool
conf_read_action_ref(struct conf_parser *p, const struct conf_word *w)
{
	char shown[CONF_SHOWN_SIZE];
	uint32_t line = p->lex.line, row;
	conf_str name;

	if (!conf_name(p, w->what, &name))
		return false;
	row = conf_find_action(p, conf_pool_text(p, name));
	if (row == CONF_NONE) {
		conf_error(p->errors, p->file, line,
		    "no action is named %s, expected it to be declared above",
		    conf_shown(conf_pool_text(p, name), shown));
		return false;
	}
	conf_store(p, w, row);
	return true;
}

bool
conf_match_end(struct conf_parser *p)
{
	struct conf_match *m = &p->f.stmt.match;

	m->line = p->line;
	if (!m->reject && m->action == CONF_NONE)
		return conf_expected(p, "`action` or `reject`");
	return conf_add(p, &p->match, m, sizeof(*m), CONF_MATCH_MAX, "rules");
}

/* ---- the rest ---- */

bool
conf_dkim_end(struct conf_parser *p)
{
	struct conf_dkim *d = &p->f.stmt.dkim;

	d->line = p->line;
	return conf_check_dkim(p, d) &&
	    conf_add(p, &p->dkim, d, sizeof(*d), CONF_DKIM_MAX, "keys");
}

bool
conf_read_resolver(struct conf_parser *p, const struct conf_word *w)
{
	if (!conf_is_text(p) ||
	    !conf_net_addr(p->lex.text, &p->f.stmt.resolver))
		return conf_expected(p, w->what);
	conf_lex_next(&p->lex);
	return true;
}

bool
conf_resolver_end(struct conf_parser *p)
{
	if (p->f.conf.resolver.ss_family != 0)
		return conf_refuse(p,
		    "found a second `resolver`, expected one");
	p->f.conf.resolver = p->f.stmt.resolver;
	conf_net_set_port(&p->f.conf.resolver, p->f.stmt.resolver_port);
	return true;
}

/* The file is opened when the line has ended. */
bool
conf_read_include(struct conf_parser *p, const struct conf_word *w)
{
	if (p->lex.tok != TOK_STRING || p->lex.len == 0)
		return conf_expected(p, w->what);
	p->f.stmt.include = arena_copy(&p->lex.names, p->lex.text);
	conf_lex_next(&p->lex);
	return true;
}

void
conf_declare_anyway(struct conf_parser *p)
{
	const struct conf_table *t = &p->f.stmt.table;
	const struct conf_action *a = &p->f.stmt.action;

	if (t->name != 0 &&
	    conf_count(&p->table, sizeof(*t)) < CONF_TABLE_MAX &&
	    conf_find_table(p, conf_pool_text(p, t->name)) == CONF_NONE)
		buf_add(&p->table, t, sizeof(*t));
	if (a->name != 0 &&
	    conf_count(&p->action, sizeof(*a)) < CONF_ACTION_MAX &&
	    conf_find_action(p, conf_pool_text(p, a->name)) == CONF_NONE)
		buf_add(&p->action, a, sizeof(*a));
}
