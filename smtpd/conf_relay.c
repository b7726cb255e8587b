/*
 * `relay` of an action in smtpd.conf: where to, and whether what it says goes
 * together.  Runs in the parent; asks no DNS, and of what stands in files it
 * knows nothing.
 *
 * SPDX-License-Identifier: ISC
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "conf_net.h"
#include "conf_parse.h"
#include "ipc_table.h"

static const char *const scheme_words[] = {
#define X(name, word) word,
	CONF_SCHEMES(X)
#undef X
};

/* ---- URLs ---- */

/* Columns: scheme before 6.4, that of now. */
static const char *const old_schemes[][2] = {
	{ "tls", "smtp+tls" },
	{ "tls+auth", "smtp+tls" },
	{ "smtp+auth", "smtp+tls" },
	{ "smtps+auth", "smtps" },
	{ "ssl", "smtps" },
	{ "ssl+auth", "smtps" },
	{ "secure", "smtps" },
	{ "secure+auth", "smtps" },
};

/* NULL: there is none, which has been said of the URL shown. */
static const struct conf_net_scheme *
find_scheme(struct conf_parser *p, const char *shown, const char *scheme)
{
	const struct conf_net_scheme *found = conf_net_scheme(scheme);
	char mend[96] = "";
	size_t i;

	if (found != NULL)
		return found;
	for (i = 0; i < sizeof(old_schemes) / sizeof(old_schemes[0]); i++) {
		if (strcasecmp(old_schemes[i][0], scheme) == 0)
			snprintf(mend, sizeof(mend),
			    ": `%s://` is now `%s://`, with `LABEL@` for `auth`",
			    old_schemes[i][0], old_schemes[i][1]);
	}
	conf_wrong(p,
	    "found %s, an unknown scheme, expected smtp://, smtp+tls://, smtp+notls://, smtps:// or lmtp://%s",
	    shown, mend);
	return NULL;
}

/* A URL, read. */
struct relay_url {
	const struct conf_net_scheme *scheme;
	char label[LABEL_MAX + 1]; /* empty: none */
	struct conf_url url;
};

/* Of `host` or `domain` (what); says what is wrong. */
static bool
parse_url(struct conf_parser *p, const char *what, const char *text,
    const char *shown, struct relay_url *out)
{
	const char *why;

	if ((why = conf_net_url(text, &out->url)) != NULL)
		return conf_wrong(p,
		    "`%s`: found %s, %s, expected a URL, as smtp://HOST", what,
		    shown, why);
	out->scheme = find_scheme(p, shown, out->url.scheme);
	if (out->scheme == NULL)
		return false;
	if (out->url.port == 0 && out->scheme->port == 0)
		return conf_wrong(p,
		    "`%s`: found %s, expected a port behind the host, as lmtp://HOST:24",
		    what, shown);
	/* A key of the table of `auth`. */
	out->label[0] = '\0';
	slice_copy(out->url.label, out->label, sizeof(out->label));
	return true;
}

/* A URL at hand becomes a row, with the port that it stands for. */
static bool
read_url(struct conf_parser *p, void *arg)
{
	struct conf_host host = { 0 };
	char shown[CONF_SHOWN_SIZE];
	struct relay_url u;

	(void)arg;
	if (!conf_need_text(p, "a URL, as smtp://HOST") ||
	    !parse_url(p, "host", p->lex.text, conf_lex_shown(&p->lex, shown),
		&u))
		return false;
	if (p->f.stmt.action.host.n == RELAY_HOSTS)
		return conf_wrong(p, "more than %d hosts of one `relay`",
		    RELAY_HOSTS);
	host.scheme = (uint8_t)u.scheme->scheme;
	host.port = u.url.port != 0 ? u.url.port : u.scheme->port;
	if (u.url.port != 0)
		p->f.stmt.host_port = true;
	host.label = conf_pool_add(p, u.label);
	host.name = conf_pool_add(p, u.url.host);
	buf_add(&p->host, &host, sizeof(host));
	p->f.stmt.action.host.n++;
	conf_lex_next(&p->lex);
	return true;
}

/* Calls fn with each URL of a table that stands in the configuration; those of
 * a file are looked at when they are used.  False: fn was, of one at least. */
static bool
each_url(struct conf_parser *p, uint32_t table,
    bool (*fn)(struct conf_parser *p, const char *url))
{
	struct conf_table t = { 0 };
	const struct conf_entry *e;
	bool good = true;
	uint32_t i;

	if (table != CONF_NONE)
		t = *(struct conf_table *)conf_item(&p->table, table,
		    sizeof(t));
	for (i = 0; i < t.entries.n; i++) {
		e = conf_item(&p->entry, t.entries.off + i, sizeof(*e));
		good = fn(p,
			   conf_pool_text(p,
			       t.kind == TABLE_MAP ? e->value : e->key)) &&
		    good;
	}
	return good;
}

static bool
check_url(struct conf_parser *p, const char *url)
{
	char shown[CONF_SHOWN_SIZE];
	struct relay_url u;

	return parse_url(p, p->use, url, conf_shown(url, shown), &u);
}

bool
conf_read_routes(struct conf_parser *p, const struct conf_word *w)
{
	return conf_read_map(p, w) &&
	    each_url(p, p->f.stmt.action.domain, check_url);
}

/* `<table>` at hand. */
static bool
read_host_table(struct conf_parser *p, const struct conf_word *w)
{
	uint32_t *table = &p->f.stmt.action.host_table;
	const struct conf_table *t;

	p->use = w->word;
	if (!conf_set(p, w->what, SERVICE_RELAYHOST, SHAPE_LIST, table))
		return false;
	if (*table == CONF_NONE)
		return true;
	t = conf_item(&p->table, *table, sizeof(*t));
	if (t->entries.n > RELAY_HOSTS)
		return conf_refuse(p, "more than %d hosts of one `relay`",
		    RELAY_HOSTS);
	return each_url(p, *table, check_url);
}

bool
conf_read_hosts(struct conf_parser *p, const struct conf_word *w)
{
	if (p->lex.tok == '<')
		return read_host_table(p, w);
	if (p->lex.tok != '{')
		return read_url(p, NULL);
	return conf_list(p, "a URL, as smtp://HOST", read_url, NULL);
}

bool
conf_read_srs(struct conf_parser *p, const struct conf_word *w)
{
	if (p->f.conf.srs_key == 0)
		conf_refuse(p,
		    "`relay srs` needs a secret: `srs key SECRET` above it");
	return conf_read_value(p, w);
}

/* ---- relay ---- */

/* Our `port`: of the MX, or of one URL that has none. */
static bool
set_port(struct conf_parser *p)
{
	struct conf_action *a = &p->f.stmt.action;
	struct conf_host *host;

	a->port = CONF_PORT_SMTP;
	if (p->f.stmt.port == 0)
		return true;
	if (a->host.n > 1)
		return conf_refuse(p,
		    "found `port` with several hosts, expected it in each URL");
	if (a->host_table != CONF_NONE || a->domain != CONF_NONE)
		return conf_refuse(p,
		    "found `port` with `%s`, expected it in the URLs of the table",
		    a->domain != CONF_NONE ? "domain" : "host");
	if (p->f.stmt.host_port)
		return conf_refuse(p,
		    "found a port in the URL and `port`, expected one of them");
	if (a->host.n == 0) {
		a->port = p->f.stmt.port;
		return true;
	}
	host = conf_item(&p->host, a->host.off, sizeof(*host));
	host->port = p->f.stmt.port;
	return true;
}

/* Of a table that stands in the configuration. */
static uint32_t
count_entries(const struct conf_parser *p, uint32_t table)
{
	const struct conf_table *t;

	if (table == CONF_NONE)
		return 0;
	t = conf_item(&p->table, table, sizeof(*t));
	return t->entries.n;
}

/* What goes not together, whatever the hosts are. */
static bool
check_options(struct conf_parser *p)
{
	const struct conf_action *a = &p->f.stmt.action;
	bool host = a->host.n > 0 || a->host_table != CONF_NONE;

	if (host && a->domain != CONF_NONE)
		return conf_refuse(p,
		    "found `host` and `domain`, expected one of them");
	host = host || a->domain != CONF_NONE;
	if (a->backup && host)
		return conf_refuse(p,
		    "found `backup` and `%s`, expected one of them: a backup finds the others by MX",
		    a->domain != CONF_NONE ? "domain" : "host");
	if (a->auth != CONF_NONE && !host)
		return conf_refuse(p,
		    "`relay auth` needs a `host`: secrets are for one server, not for every MX");
	if (count_entries(p, a->src) > RELAY_SRCS)
		return conf_refuse(p, "more than %d addresses of `src`",
		    RELAY_SRCS);
	if (a->auth_insecure && a->auth == CONF_NONE)
		return conf_refuse(p,
		    "`auth-insecure` needs `auth`: it says that secrets go without a verified TLS session");
	return true;
}

/* One host and what the action says. */
static bool
check_host(struct conf_parser *p, const struct conf_net_scheme *scheme,
    const char *label, const char *name)
{
	const struct conf_action *a = &p->f.stmt.action;
	char shown[CONF_SHOWN_SIZE];

	conf_shown(name, shown);
	/* OpenSMTPD puts such mail off for ever. */
	if (a->tls != RELAY_TLS_UNSAID && scheme->scheme == SCHEME_SMTP_NOTLS)
		return conf_refuse(p,
		    "found `tls` and smtp+notls:// for %s, expected one of them: that scheme never uses TLS",
		    shown);
	if (a->auth == CONF_NONE || label[0] == '\0')
		return true;
	if (!a->auth_insecure &&
	    (scheme->scheme == SCHEME_SMTP_NOTLS ||
		scheme->scheme == SCHEME_LMTP))
		return conf_refuse(p,
		    "found `auth` and %s:// for %s, expected smtps:// or smtp+tls://, which keep secrets from others; `auth-insecure` does without",
		    scheme->word, shown);
	return true;
}

static bool
check_table_host(struct conf_parser *p, const char *url)
{
	char shown[CONF_SHOWN_SIZE];
	struct relay_url u;

	return parse_url(p, p->use, url, conf_shown(url, shown), &u) &&
	    check_host(p, u.scheme, u.label, u.url.host);
}

static bool
check_hosts(struct conf_parser *p)
{
	const struct conf_action *a = &p->f.stmt.action;
	const struct conf_host *h;
	uint32_t i;

	for (i = 0; i < a->host.n; i++) {
		h = conf_item(&p->host, a->host.off + i, sizeof(*h));
		if (!check_host(p, conf_net_scheme(scheme_words[h->scheme]),
			conf_pool_text(p, h->label),
			conf_pool_text(p, h->name)))
			return false;
	}
	return each_url(p, a->host_table, check_table_host) &&
	    each_url(p, a->domain, check_table_host);
}

bool
conf_relay_end(struct conf_parser *p)
{
	return check_options(p) && check_hosts(p) && set_port(p);
}

/* ---- the whole ---- */

#define TOKEN_MARK "{TOKEN}"

/* "user:{TOKEN}NAME" names a token; any other value is taken, as OpenSMTPD
 * takes it, and never shown. */
static void
check_credentials(struct conf_parser *p, const struct conf_action *a)
{
	const struct conf_table *t = conf_item(&p->table, a->auth, sizeof(*t));
	const struct conf_entry *e;
	char shown[CONF_SHOWN_SIZE];
	const char *name;
	uint32_t i;

	for (i = 0; t->kind == TABLE_MAP && i < t->entries.n; i++) {
		e = conf_item(&p->entry, t->entries.off + i, sizeof(*e));
		name = strchr(conf_pool_text(p, e->value), ':');
		if (name == NULL ||
		    strncmp(name + 1, TOKEN_MARK, strlen(TOKEN_MARK)) != 0)
			continue;
		name += 1 + strlen(TOKEN_MARK);
		if (conf_find(p, NAMED_TOKEN, name) != CONF_NONE)
			continue;
		conf_error(p->errors, conf_pool_text(p, a->at.file), a->at.line,
		    "`auth`: no token is named %s, expected `token NAME file FILE` or `token NAME command COMMAND user USER`",
		    conf_shown(name, shown));
	}
}

void
conf_check_relays(struct conf_parser *p)
{
	uint32_t i, n = conf_count(&p->action, sizeof(struct conf_action));
	const struct conf_action *a;

	for (i = 0; i < n; i++) {
		a = conf_item(&p->action, i, sizeof(*a));
		if (a->method == METHOD_RELAY && a->auth != CONF_NONE)
			check_credentials(p, a);
	}
}
